//! The initramfs: the program as `/init`, the modules and their order, and the empty folders that it mounts
//! things on. A newc archive, sorted and without today's time, compressed.

use std::io::Cursor;
use std::path::Path;

use anyhow::{Context, Result, bail};
use cpio::NewcBuilder;
use cpio::newc::{self, ModeFileType};

use crate::board_file::BoardFile;
use crate::limits::{FILE_TIME_S, INITRAMFS_BYTES_MAX};
use crate::modules::Module;
use crate::{gzip, paths};

/// Folders that PID 1 mounts something on.
const MOUNT_POINTS: [&str; 4] = ["boot", "dev", "proc", "sys"];
/// Device number of the console, which the kernel opens for PID 1 before anything is mounted.
const CONSOLE: (u32, u32) = (5, 1);

/// Something in the archive.
enum Item<'a> {
    Folder,
    File { bytes: &'a [u8], mode: u32 },
    Device { major: u32, minor: u32 },
}

/// The compressed archive. An error when it is over its budget.
pub(crate) fn pack(program: &Path, modules: &[Module], board: &BoardFile) -> Result<Vec<u8>> {
    let program = paths::read(program)?;
    let (order, aliases) = (order(modules, board)?, aliases(modules));
    let contents: Vec<Vec<u8>> =
        modules.iter().map(|module| paths::read(&module.file)).collect::<Result<_>>()?;

    let mut items: Vec<(String, Item)> = MOUNT_POINTS.map(|name| (name.to_owned(), Item::Folder)).into();
    items.push(("dev/console".to_owned(), Item::Device { major: CONSOLE.0, minor: CONSOLE.1 }));
    items.push(("init".to_owned(), Item::File { bytes: &program, mode: 0o755 }));
    items.push(("modules".to_owned(), Item::Folder));
    items.push(("modules/aliases".to_owned(), Item::File { bytes: aliases.as_bytes(), mode: 0o644 }));
    items.push(("modules/order".to_owned(), Item::File { bytes: order.as_bytes(), mode: 0o644 }));
    for (module, bytes) in modules.iter().zip(&contents) {
        items.push((format!("modules/{}", module.file_name), Item::File { bytes, mode: 0o644 }));
    }
    items.sort_by(|(a, _), (b, _)| a.cmp(b));

    let packed = gzip::pack(&archive(&items)?)?;
    if packed.len() as u64 > INITRAMFS_BYTES_MAX {
        bail!("the initramfs has {} bytes, and its budget is {INITRAMFS_BYTES_MAX}", packed.len());
    }
    Ok(packed)
}

/// `/modules/order`: a line a module, its file name and then its parameters.
fn order(modules: &[Module], board: &BoardFile) -> Result<String> {
    let stem = |module: &Module| module.file_name.trim_end_matches(".ko").to_owned();
    if let Some(unknown) =
        board.module_parameters.keys().find(|name| !modules.iter().any(|m| stem(m) == **name))
    {
        bail!("the board file has parameters for {unknown}, which is none of its modules");
    }
    let line = |module: &Module| match board.module_parameters.get(&stem(module)) {
        Some(parameters) => format!("{} {parameters}\n", module.file_name),
        None => format!("{}\n", module.file_name),
    };
    Ok(modules.iter().map(line).collect())
}

/// `/modules/aliases`: a line for each name by which the kernel asks for a module that it has, then the module's own.
fn aliases(modules: &[Module]) -> String {
    let lines = |module: &Module| {
        module.asked_always.iter().map(|alias| format!("{alias} {}\n", module.name)).collect::<String>()
    };
    modules.iter().map(lines).collect()
}

fn archive(items: &[(String, Item)]) -> Result<Vec<u8>> {
    let mut archive = Cursor::new(Vec::new());
    for (index, (name, item)) in items.iter().enumerate() {
        let entry = NewcBuilder::new(name).ino(u32::try_from(index)? + 1).mtime(FILE_TIME_S).uid(0).gid(0);
        let (entry, bytes): (_, &[u8]) = match item {
            Item::Folder => (entry.mode(0o755).set_mode_file_type(ModeFileType::Directory).nlink(2), &[]),
            Item::File { bytes, mode } => {
                (entry.mode(*mode).set_mode_file_type(ModeFileType::Regular), bytes)
            }
            Item::Device { major, minor } => {
                let entry = entry.mode(0o600).set_mode_file_type(ModeFileType::Char);
                (entry.rdev_major(*major).rdev_minor(*minor), &[])
            }
        };
        let mut writer = entry.write(&mut archive, u32::try_from(bytes.len())?);
        std::io::Write::write_all(&mut writer, bytes).with_context(|| format!("cannot pack {name}"))?;
        writer.finish().with_context(|| format!("cannot pack {name}"))?;
    }
    newc::trailer(&mut archive).context("cannot end the archive")?;
    Ok(archive.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_stand_before_their_modules() {
        let module = |name: &str, asked_always: &[&str]| Module {
            file: "x.ko".into(),
            file_name: "x.ko".into(),
            name: name.to_owned(),
            asked_always: asked_always.iter().map(|alias| (*alias).to_owned()).collect(),
        };
        let modules = [module("smsc", &["mdio:01??", "mdio:1100"]), module("fat", &[])];
        assert_eq!(aliases(&modules), "mdio:01?? smsc\nmdio:1100 smsc\n");
    }

    #[test]
    fn the_archive_reads_back() {
        let items = [
            ("dev".to_owned(), Item::Folder),
            ("dev/console".to_owned(), Item::Device { major: 5, minor: 1 }),
            ("init".to_owned(), Item::File { bytes: b"program", mode: 0o755 }),
        ];
        let bytes = archive(&items).unwrap();
        assert_eq!(bytes, archive(&items).unwrap(), "equal inputs, equal bytes");
        let mut found = Vec::new();
        let mut rest = Cursor::new(bytes);
        loop {
            let mut reader = newc::Reader::new(rest).unwrap();
            let entry = reader.entry();
            if entry.is_trailer() {
                break;
            }
            let (name, mode, device) =
                (entry.name().to_owned(), entry.mode(), (entry.rdev_major(), entry.rdev_minor()));
            let mut content = String::new();
            std::io::Read::read_to_string(&mut reader, &mut content).unwrap();
            found.push((name, mode, device, content));
            rest = reader.finish().unwrap();
        }
        let expected = [
            ("dev", 0o040_755, (0, 0), ""),
            ("dev/console", 0o020_600, (5, 1), ""),
            ("init", 0o100_755, (0, 0), "program"),
        ];
        assert_eq!(
            found,
            expected.map(|(name, mode, device, text)| (name.to_owned(), mode, device, text.to_owned()))
        );
    }
}

//! Kernel modules, in the order that was worked out when the image was built.

use std::ffi::CString;
use std::fs::{self, File};
use std::path::Path;

use rustix::io::Errno;
use rustix::system::finit_module;

/// Where the modules are, the file that lists them, and the file that lists other names of theirs.
pub(super) const FOLDER: &str = "/modules";
const ORDER: &str = "order";
pub(super) const ALIASES: &str = "aliases";

/// One line of the list.
#[derive(Debug, PartialEq, Eq)]
struct Entry<'a> {
    file: &'a str,
    parameters: &'a str,
}

/// Loads them all. One that fails is reported and left out: a driver for hardware that is not there must not keep the
/// mail away.
pub(super) fn load_all() {
    load_from(Path::new(FOLDER));
}

fn load_from(folder: &Path) {
    let Ok(order) = fs::read_to_string(folder.join(ORDER)) else {
        log::warn!("{}/{ORDER} is missing: no modules are loaded", folder.display());
        return;
    };
    let mut loaded = 0;
    for entry in parse(&order) {
        match load(&folder.join(entry.file), entry.parameters) {
            Ok(()) | Err(Errno::EXIST) => loaded += 1,
            Err(errno) => log::warn!("module {}: {errno}", entry.file),
        }
    }
    log::info!("{loaded} modules loaded");
}

fn load(path: &Path, parameters: &str) -> Result<(), Errno> {
    let file = File::open(path).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    let parameters = CString::new(parameters).map_err(|_| Errno::INVAL)?;
    finit_module(&file, &parameters, 0)
}

/// File name, then parameters to the end of the line; `#` begins a comment line. A name with a slash is skipped: all
/// modules lie in one folder.
fn parse(order: &str) -> impl Iterator<Item = Entry<'_>> {
    order.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).filter_map(
        |line| {
            let (file, parameters) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            (!file.contains('/')).then_some(Entry { file, parameters: parameters.trim() })
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_names_files_and_parameters() {
        let list = "# virt\nvirtio_blk.ko\n\n  i6300esb.ko  heartbeat=30 nowayout=1 \n../evil.ko\nfat.ko\t\n";
        let entries: Vec<_> = parse(list).collect();
        let entry = |file, parameters| Entry { file, parameters };
        assert_eq!(
            entries,
            [
                entry("virtio_blk.ko", ""),
                entry("i6300esb.ko", "heartbeat=30 nowayout=1"),
                entry("fat.ko", "")
            ]
        );
    }
}

//! Files on the boot partition: what people put there for the box, and what the box leaves for people.
//!
//! FAT has no journal, and a rename that is cut off can leave two names for the same clusters, or none. So the settings are
//! replaced in steps that [`recover`] can finish, and no step gives one file's clusters to another: the new content goes
//! to a file of its own, then the old content is blanked where it lies (it may have held passwords), then the new content
//! is written in its place, then the other file goes. Each step is on the medium before the next begins; within a step
//! the folder is mounted so that FAT and names are written in their order.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use crate::control::BootFile;
use crate::limits::BOOT_FILE_BYTES_MAX;

/// What overwritten content becomes: a byte that no text holds, so that it tells how far a replacement got.
const BLANK: u8 = 0;

const fn name(file: BootFile) -> &'static str {
    match file {
        BootFile::Settings => "tegami.toml",
        BootFile::Info => "tegami-info.txt",
        BootFile::ResetPassword => "reset-password",
    }
}

/// Where the settings' new content waits.
fn new_path(folder: &Path) -> PathBuf {
    folder.join(name(BootFile::Settings)).with_extension("new")
}

/// The content of a file; `None` when there is none.
pub(super) fn read(folder: &Path, file: BootFile) -> io::Result<Option<Vec<u8>>> {
    let opened = match File::open(folder.join(name(file))) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut content = Vec::new();
    opened.take(BOOT_FILE_BYTES_MAX as u64 + 1).read_to_end(&mut content)?;
    if content.len() > BOOT_FILE_BYTES_MAX {
        let why = format!("{} is larger than {} KiB", name(file), BOOT_FILE_BYTES_MAX >> 10);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(Some(content))
}

/// The files that mean [`BootFile::ResetPassword`]: the name with any ending, in any case, as file managers add them.
fn reset_files(folder: &Path) -> Vec<PathBuf> {
    let is_reset = |path: &PathBuf| {
        path.file_stem().is_some_and(|stem| stem.eq_ignore_ascii_case(name(BootFile::ResetPassword)))
    };
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).filter(is_reset).collect()
}

/// Whether the owner asks for a new administrator's password.
pub(super) fn wants_reset(folder: &Path) -> bool {
    !reset_files(folder).is_empty()
}

/// Removes what asked for a new administrator's password.
pub(super) fn remove_reset(folder: &Path) -> io::Result<()> {
    for path in reset_files(folder) {
        fs::remove_file(path)?;
    }
    sync_folder(folder)
}

/// Replaces the content of a file. Of the settings a power cut leaves the old or the new content, after [`recover`]; any
/// other file is for people, and written again at the next start.
pub(super) fn write(folder: &Path, file: BootFile, content: &[u8]) -> io::Result<()> {
    if read(folder, file).is_ok_and(|old| old.as_deref() == Some(content)) {
        return Ok(());
    }
    let target = folder.join(name(file));
    if file != BootFile::Settings {
        put(&target, content)?;
        return sync_folder(folder);
    }
    put(&new_path(folder), content)?;
    sync_folder(folder)?;
    replace(folder, content)
}

/// Makes `content` the whole content of a file, which need not be there.
fn put(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    file.write_all(content)?;
    file.set_len(content.len() as u64)?;
    file.sync_all()
}

/// Whether a replacement of the settings was cut off; [`recover`] then wants a folder that can be written.
pub(super) fn needs_recovery(folder: &Path) -> bool {
    new_path(folder).exists()
}

/// Finishes a replacement of the settings that was cut off, or forgets it when the old content is still whole.
pub(super) fn recover(folder: &Path) -> io::Result<()> {
    let is_begun = match fs::read(folder.join(name(BootFile::Settings))) {
        // Settings without any content are those that are just being created.
        Ok(content) => content.is_empty() || content.contains(&BLANK),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    if is_begun {
        return replace(folder, &fs::read(new_path(folder))?);
    }
    remove_new(folder)
}

/// Gives the settings their new content, which waits in its own file until that is done. The blanks come first, also
/// where the file grows: as long as one is left, everybody can see that the content is not whole.
fn replace(folder: &Path, content: &[u8]) -> io::Result<()> {
    let target = folder.join(name(BootFile::Settings));
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(&target)?;
    let old_len = file.metadata()?.len();
    for len in [old_len, old_len.max(content.len() as u64)] {
        file.rewind()?;
        io::copy(&mut io::repeat(BLANK).take(len), &mut file)?;
        file.sync_all()?;
    }
    file.rewind()?;
    file.write_all(content)?;
    file.sync_all()?;
    file.set_len(content.len() as u64)?;
    file.sync_all()?;
    sync_folder(folder)?;
    remove_new(folder)
}

fn remove_new(folder: &Path) -> io::Result<()> {
    fs::remove_file(new_path(folder))?;
    sync_folder(folder)
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let path = crate::devices::tests::on_disk(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        path
    }

    fn settings(folder: &Path) -> Option<String> {
        read(folder, BootFile::Settings).unwrap().map(|content| String::from_utf8(content).unwrap())
    }

    #[test]
    fn files_are_replaced_and_only_when_they_change() {
        let folder = folder("replace");
        assert_eq!(settings(&folder), None);
        write(&folder, BootFile::Settings, b"password = \"old\"").unwrap();
        write(&folder, BootFile::Settings, b"hash").unwrap();
        assert_eq!(settings(&folder).unwrap(), "hash");
        assert!(!needs_recovery(&folder));
        let changed = || fs::metadata(folder.join("tegami.toml")).unwrap().modified().unwrap();
        let before = changed();
        write(&folder, BootFile::Settings, b"hash").unwrap();
        assert_eq!(changed(), before);
        fs::remove_dir_all(folder).unwrap();
    }

    /// A file after a cut while `to` was being written over `from`: any of its sectors may be there or not.
    fn cut(from: &[u8], to: &[u8], mask: usize) -> Vec<u8> {
        let sector = |at: usize| if mask >> (at / 512 % 8) & 1 == 1 { to.get(at) } else { from.get(at) };
        (0..from.len().max(to.len())).filter_map(|at| sector(at).copied()).collect()
    }

    /// What lies there before and after each write of a replacement of `old` by `new`, and where the new content waits.
    fn steps(old: &[u8], new: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let blanks = |len: usize| vec![BLANK; len];
        let long = old.len().max(new.len());
        let mut written = blanks(long);
        written[..new.len()].copy_from_slice(new);
        vec![
            (old.to_vec(), blanks(old.len())),
            (blanks(old.len()), blanks(long)),
            (blanks(long), written.clone()),
            (written, new.to_vec()),
        ]
    }

    #[test]
    fn a_replacement_cut_off_anywhere_leaves_old_or_new() {
        let folder = folder("recover");
        let target = folder.join("tegami.toml");
        for (old_len, new_len) in [(3000, 900), (900, 3000), (2048, 2048), (1, 600)] {
            let (old, new) = (vec![b'o'; old_len], vec![b'n'; new_len]);
            for (step, (from, to)) in steps(&old, &new).into_iter().enumerate() {
                for mask in (0..256).step_by(5) {
                    let found = cut(&from, &to, mask);
                    let is_old = found == old;
                    fs::write(&target, found).unwrap();
                    fs::write(new_path(&folder), &new).unwrap();
                    recover(&folder).unwrap();
                    let expected = if is_old { &old } else { &new };
                    let case = format!("{old_len} {new_len} {step} {mask:b}");
                    assert!(fs::read(&target).unwrap() == *expected, "{case}");
                    assert!(!needs_recovery(&folder), "{case}");
                }
            }
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn new_content_that_is_not_whole_is_never_used() {
        let folder = folder("half");
        let target = folder.join("tegami.toml");
        fs::write(&target, "old").unwrap();
        fs::write(new_path(&folder), "ne").unwrap();
        recover(&folder).unwrap();
        assert_eq!(settings(&folder).unwrap(), "old");
        fs::remove_file(target).unwrap();
        fs::write(new_path(&folder), "ne").unwrap();
        recover(&folder).unwrap();
        assert_eq!((settings(&folder), needs_recovery(&folder)), (None, false));
        write(&folder, BootFile::Settings, b"first").unwrap();
        write(&folder, BootFile::Info, b"long information").unwrap();
        write(&folder, BootFile::Info, b"information").unwrap();
        assert_eq!(settings(&folder).unwrap(), "first");
        assert_eq!(read(&folder, BootFile::Info).unwrap().unwrap(), b"information");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_large_file_is_refused_in_words() {
        let folder = folder("large");
        fs::write(folder.join("tegami.toml"), vec![b' '; BOOT_FILE_BYTES_MAX + 1]).unwrap();
        let error = read(&folder, BootFile::Settings).unwrap_err();
        assert!(error.to_string().contains("tegami.toml is larger than 64 KiB"), "{error}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn the_reset_file_is_found_as_people_name_it() {
        let folder = folder("reset");
        assert!(!wants_reset(&folder));
        fs::write(folder.join("RESET-PASSWORD.TXT"), "").unwrap();
        assert!(wants_reset(&folder));
        remove_reset(&folder).unwrap();
        assert!(!wants_reset(&folder));
        fs::write(folder.join("reset-passwords.txt"), "").unwrap();
        assert!(!wants_reset(&folder));
        fs::remove_dir_all(folder).unwrap();
    }
}

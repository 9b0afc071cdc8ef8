//! Files on the boot partition: what people put there for the box, and what the box leaves for people.
//!
//! FAT has no journal and its rename is not atomic, so a file is replaced in steps that [`recover`] can finish: the new
//! content goes to a file of its own, then the old content is overwritten (it may have held passwords), then the new
//! file takes the old one's name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
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

/// Where a file's new content waits for its name.
fn new_path(folder: &Path, file: BootFile) -> PathBuf {
    folder.join(name(file)).with_extension("new")
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

/// Replaces the content of a file. A power cut leaves the old or the new content, after [`recover`].
pub(super) fn write(folder: &Path, file: BootFile, content: &[u8]) -> io::Result<()> {
    let (new, target) = (new_path(folder, file), folder.join(name(file)));
    if read(folder, file).is_ok_and(|old| old.as_deref() == Some(content)) {
        return Ok(());
    }
    prepare(&new, content)?;
    sync_folder(folder)?;
    if file == BootFile::Settings {
        overwrite(&target)?;
    }
    fs::rename(&new, &target)?;
    sync_folder(folder)
}

fn prepare(new: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = File::create(new)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Whether a replacement of the settings was cut off; [`recover`] then wants a folder that can be written.
pub(super) fn needs_recovery(folder: &Path) -> bool {
    new_path(folder, BootFile::Settings).exists()
}

/// Finishes a replacement of the settings that was cut off, or forgets it when the old content is still whole.
pub(super) fn recover(folder: &Path) -> io::Result<()> {
    let (new, target) = (new_path(folder, BootFile::Settings), folder.join(name(BootFile::Settings)));
    let is_begun = match fs::read(&target) {
        Ok(content) => content.contains(&BLANK),
        Err(error) if error.kind() == io::ErrorKind::NotFound => true,
        Err(error) => return Err(error),
    };
    if is_begun {
        overwrite(&target)?;
        fs::rename(&new, &target)?;
    } else {
        fs::remove_file(&new)?;
    }
    sync_folder(folder)
}

/// Writes over a file's content where it lies, so that no password stays in its blocks (a card may keep copies all the
/// same; the README says so).
fn overwrite(path: &Path) -> io::Result<()> {
    let mut file = match OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let len = file.metadata()?.len();
    io::copy(&mut io::repeat(BLANK).take(len), &mut file)?;
    file.sync_all()
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

    #[test]
    fn a_replacement_cut_off_anywhere_leaves_old_or_new() {
        let folder = folder("recover");
        let (new, target) = (new_path(&folder, BootFile::Settings), folder.join("tegami.toml"));
        let old = vec![b'o'; 5000];
        let half_overwritten: Vec<u8> =
            (0..5000).map(|at| if at / 512 == 3 { BLANK } else { b'o' }).collect();
        for (target_content, new_content, expected) in [
            (Some(&old[..]), Some(&b"ne"[..]), &old[..]),
            (Some(&old[..]), Some(b"new"), &old[..]),
            (Some(&half_overwritten[..]), Some(b"new"), b"new"),
            (Some(&[BLANK; 5000]), Some(b"new"), b"new"),
            (None, Some(b"new"), b"new"),
            (Some(b"new"), None, b"new"),
        ] {
            for (path, content) in [(&target, target_content), (&new, new_content)] {
                match content {
                    Some(content) => fs::write(path, content).unwrap(),
                    None => {
                        let _ = fs::remove_file(path);
                    }
                }
            }
            if needs_recovery(&folder) {
                recover(&folder).unwrap();
            }
            assert_eq!(settings(&folder).unwrap().as_bytes(), expected);
            assert!(!needs_recovery(&folder));
        }
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

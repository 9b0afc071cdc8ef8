//! The letters of one folder of a Maildir.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use mail::UnixTime;

use super::{
    crlf::Crlf,
    source::{Letters, Stamp},
};
use crate::tools::{
    limits::PIECE_BYTES,
    maildir::{Named, read_keywords, read_name, unique},
};

/// A letter of a folder: some 150 bytes of memory, for as long as the folder is read.
#[derive(Debug)]
pub(super) struct Entry {
    /// Where it stands among the others.
    order: u64,
    /// The name of its file.
    name: String,
    /// It has been looked at by some mail program: it is in `cur`, not in `new`.
    is_old: bool,
}

impl Entry {
    /// What does not change when its flags do.
    pub(super) fn unique(&self) -> &str {
        unique(&self.name)
    }
}

/// The letters of a folder in the order in which they come in: that of the box that wrote them, otherwise that of time.
///
/// # Errors
/// The system's.
pub(super) fn list(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for (part, is_old) in [("cur", true), ("new", false)] {
        let found = match fs::read_dir(folder.join(part)) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in found {
            let entry = entry?;
            let name = entry
                .file_name()
                .into_string()
                .map_err(|name| io::Error::other(format!("the file name {} is not UTF-8", name.display())))?;
            if !name.starts_with('.') && entry.file_type()?.is_file() {
                entries.push(Entry { order: read_name(&name).order, name, is_old });
            }
        }
    }
    entries.sort_by(|a, b| (a.order, a.unique()).cmp(&(b.order, b.unique())));
    Ok(entries)
}

/// Reads them.
pub(super) struct Reader {
    folder: PathBuf,
    entries: Vec<Entry>,
    keywords: BTreeMap<u32, String>,
    /// Number of the next letter.
    next: usize,
    file: Option<fs::File>,
    /// For letters whose line ends are the file system's.
    crlf: Option<Crlf>,
    buffer: Vec<u8>,
}

impl Reader {
    /// From letter number `position` on, counted from 0.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn open(folder: &Path, position: u64) -> io::Result<Self> {
        Ok(Self {
            folder: folder.to_owned(),
            entries: list(folder)?,
            keywords: read_keywords(folder)?,
            next: usize::try_from(position).unwrap_or(usize::MAX),
            file: None,
            crlf: None,
            buffer: vec![0; PIECE_BYTES],
        })
    }

    fn keywords(&self, named: &Named) -> Vec<String> {
        let set = self
            .keywords
            .iter()
            .filter(|(number, _)| named.keywords.checked_shr(**number).is_some_and(|bits| bits & 1 == 1));
        set.map(|(_, name)| name.clone()).collect()
    }
}

impl Letters for Reader {
    fn next(&mut self) -> io::Result<Option<Stamp>> {
        let Some(entry) = self.entries.get(self.next) else { return Ok(None) };
        self.next += 1;
        let named = read_name(&entry.name);
        let path = self.folder.join(if entry.is_old { "cur" } else { "new" }).join(&entry.name);
        let file = fs::File::open(&path)?;
        let metadata = file.metadata()?;
        let is_own = named.own_size == Some(metadata.len());
        let time = metadata.modified()?;
        let seconds = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
            // Whole seconds before, rounded to the earlier one as those after are.
            Err(before) => {
                let before = before.duration();
                let whole = before.as_secs() + u64::from(before.subsec_nanos() > 0);
                i64::try_from(whole).map_or(i64::MIN, |seconds| -seconds)
            }
        };
        let stamp = Stamp {
            flags: named.flags,
            keywords: self.keywords(&named),
            received: Some(UnixTime(seconds)),
            zone_minutes: named.zone_minutes,
            size: is_own.then_some(metadata.len()),
            place: path.display().to_string(),
        };
        self.file = Some(file);
        self.crlf = (!is_own).then(Crlf::default);
        Ok(Some(stamp))
    }

    fn read(&mut self, piece: &mut Vec<u8>) -> io::Result<bool> {
        piece.clear();
        let Some(file) = &mut self.file else { return Ok(false) };
        let count = file.read(&mut self.buffer)?;
        let bytes = self.buffer.get(..count).unwrap_or_default();
        match &mut self.crlf {
            Some(crlf) => crlf.push(bytes, piece),
            None => piece.extend_from_slice(bytes),
        }
        if count == 0 {
            self.file = None;
        }
        Ok(count > 0)
    }

    fn position(&self) -> u64 {
        self.next as u64
    }
}

//! Where mail comes from: what a path is, which mailboxes are in it, and one way to read letters whatever the form.

use std::{
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
};

use mail::{Flags, MailboxName, Ticket, UnixTime};
use ring::digest::{Context, SHA256};

use super::{folder, mark::shorten, mbox};
use crate::tools::{
    Problem,
    limits::FOLDER_DEPTH_MAX,
    mbox::SEPARATOR,
    names::{Form, LongNames, of_maildir, of_mbox},
    output::failed,
};

/// What is known of a letter before its first byte is read.
#[derive(Clone, Debug, Default)]
pub(super) struct Stamp {
    /// System flags.
    pub(super) flags: Flags,
    pub(super) keywords: Vec<String>,
    /// INTERNALDATE; `None` where nothing but the letter itself says one.
    pub(super) received: Option<UnixTime>,
    pub(super) zone_minutes: i16,
    /// Its size, if that is known.
    pub(super) size: Option<u64>,
    /// Where it stands, for messages.
    pub(super) place: String,
}

/// The letters of one mailbox, in the order in which they come in. The order is the same each time.
pub(super) trait Letters {
    /// Goes to the next letter.
    ///
    /// # Errors
    /// The system's.
    fn next(&mut self) -> io::Result<Option<Stamp>>;

    /// Puts the next piece of the letter into `piece`, in place of what is there; `false` at its end.
    ///
    /// # Errors
    /// The system's.
    fn read(&mut self, piece: &mut Vec<u8>) -> io::Result<bool>;

    /// Where the letter behind this one begins, once all of this one has been read.
    fn position(&self) -> u64;

    /// Passes over what is left of the letter.
    ///
    /// # Errors
    /// The system's.
    fn skip(&mut self) -> io::Result<()> {
        let mut piece = Vec::new();
        while self.read(&mut piece)? {}
        Ok(())
    }
}

/// Letters that were handed in and share barriers.
pub(super) struct Batch {
    pub(super) tickets: Vec<Ticket>,
    pub(super) letters: u64,
    pub(super) bytes: u64,
    /// Where the letter behind them begins.
    pub(super) position: Option<u64>,
}

impl Batch {
    /// One that begins with its mark.
    pub(super) fn new(mark: Ticket) -> Self {
        Self { tickets: vec![mark], letters: 0, bytes: 0, position: None }
    }

    /// Counts a letter in.
    pub(super) fn take(&mut self, ticket: Ticket, bytes: u64) {
        self.tickets.push(ticket);
        self.letters += 1;
        self.bytes += bytes;
    }
}

/// One mailbox of a source.
#[derive(Debug)]
pub(super) struct Folder {
    /// What it is called here.
    pub(super) name: MailboxName,
    path: PathBuf,
    form: Form,
    /// How much work it is: bytes of an mbox file, letters of a Maildir.
    parts: u64,
}

impl Folder {
    /// Its letters from a position on.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn open(&self, position: u64) -> io::Result<Box<dyn Letters>> {
        Ok(match self.form {
            Form::Mbox => Box::new(mbox::Reader::open(&self.path, position)?),
            Form::Maildir => Box::new(folder::Reader::open(&self.path, position)?),
        })
    }
}

/// A source of mail.
#[derive(Debug)]
pub(super) struct Source {
    /// Its mailboxes, in an order that is the same each time.
    pub(super) folders: Vec<Folder>,
    /// What it looks like: another one after mail came or went, the same after flags changed.
    pub(super) fingerprint: [u8; 16],
    /// What is in it and is no mail, as sentences.
    pub(super) left_out: Vec<String>,
}

impl Source {
    /// Looks what there is at a path.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn look(path: &Path) -> Result<Self, Problem> {
        let read = |error: io::Error| failed("read", path, &error);
        let mut found = Found::default();
        let kind = fs::metadata(path).map_err(read)?;
        if kind.is_file() {
            found.file(path, &[]).map_err(read)?;
        } else if is_maildir(path) {
            found.maildir(path).map_err(read)?;
        } else if kind.is_dir() {
            found.long = LongNames::read(path, Form::Mbox).map_err(read)?;
            found.folder(path, &mut Vec::new()).map_err(read)?;
        }
        if found.folders.is_empty() {
            return Err(format!(
                "{} is neither a Maildir nor an mbox file, and there are none of these in it",
                path.display()
            ));
        }
        let fingerprint = shorten(&found.print.finish());
        Ok(Self { folders: found.folders, fingerprint, left_out: found.left_out })
    }

    /// All of the work.
    pub(super) fn parts(&self) -> u64 {
        self.folders.iter().map(|folder| folder.parts).sum()
    }

    /// The part of it before a position in one of its folders.
    pub(super) fn parts_before(&self, folder: u32, position: u64) -> u64 {
        self.folders.iter().take(folder as usize).map(|folder| folder.parts).sum::<u64>() + position
    }
}

/// What has been found so far.
struct Found {
    folders: Vec<Folder>,
    long: LongNames,
    left_out: Vec<String>,
    print: Context,
}

impl Default for Found {
    fn default() -> Self {
        Self {
            folders: Vec::new(),
            long: LongNames::default(),
            left_out: Vec::new(),
            print: Context::new(&SHA256),
        }
    }
}

impl Found {
    /// A file that may be an mbox, with the names of the folders above it that count.
    fn file(&mut self, path: &Path, above: &[String]) -> io::Result<()> {
        let name = path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let levels: Vec<String> = above.iter().cloned().chain(name).collect();
        let len = fs::metadata(path)?.len();
        let name = of_mbox(&levels, &self.long).filter(|_| levels.len() == above.len() + 1);
        match name {
            _ if len > 0 && !begins_as_mbox(path)? => {
                self.left_out.push(format!("{}: it is not an mbox file", path.display()));
            }
            None => {
                self.left_out.push(format!("{}: its name cannot be that of a mailbox", path.display()));
            }
            Some(name) => {
                self.add(Folder { name, path: path.to_owned(), form: Form::Mbox, parts: len });
            }
        }
        Ok(())
    }

    /// A folder of mbox files.
    fn folder(&mut self, path: &Path, above: &mut Vec<String>) -> io::Result<()> {
        for entry in sorted(path)? {
            let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with('.') {
                continue;
            }
            if !entry.is_dir() {
                self.file(&entry, above)?;
            } else if above.len() < FOLDER_DEPTH_MAX {
                above.push(name);
                self.folder(&entry, above)?;
                above.pop();
            }
        }
        Ok(())
    }

    /// A Maildir with the folders in it.
    fn maildir(&mut self, path: &Path) -> io::Result<()> {
        self.long = LongNames::read(path, Form::Maildir)?;
        if has_letters(path) {
            self.maildir_folder(path, MailboxName::inbox())?;
        }
        for entry in sorted(path)? {
            let name = entry.file_name().and_then(|name| name.to_str());
            let Some(folder) = name.and_then(|name| name.strip_prefix('.')) else { continue };
            if !has_letters(&entry) {
                continue;
            }
            match of_maildir(folder, &self.long) {
                Some(name) => self.maildir_folder(&entry, name)?,
                None => {
                    let sentence = format!("{}: its name cannot be that of a mailbox", entry.display());
                    self.left_out.push(sentence);
                }
            }
        }
        Ok(())
    }

    fn maildir_folder(&mut self, path: &Path, name: MailboxName) -> io::Result<()> {
        let letters = folder::list(path)?;
        letters.iter().for_each(|letter| {
            self.print.update(letter.unique().as_bytes());
            self.print.update(b"\n");
        });
        let parts = letters.len() as u64;
        self.add(Folder { name, path: path.to_owned(), form: Form::Maildir, parts });
        Ok(())
    }

    fn add(&mut self, folder: Folder) {
        self.print.update(folder.name.as_str().as_bytes());
        self.print.update(&[0]);
        self.print.update(&folder.parts.to_le_bytes());
        self.folders.push(folder);
    }
}

/// What is in a folder, in the order of names.
fn sorted(path: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(path)?.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = entries.collect::<io::Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

/// Whether a folder is one of a Maildir.
fn has_letters(path: &Path) -> bool {
    path.join("cur").is_dir() || path.join("new").is_dir()
}

/// Whether a folder is a Maildir, be it one without letters of its own.
fn is_maildir(path: &Path) -> bool {
    let is_folder = |entry: &PathBuf| {
        let name = entry.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with('.') && has_letters(entry)
    };
    has_letters(path) || sorted(path).is_ok_and(|entries| entries.iter().any(is_folder))
}

fn begins_as_mbox(path: &Path) -> io::Result<bool> {
    let mut beginning = Vec::new();
    fs::File::open(path)?.take(SEPARATOR.len() as u64).read_to_end(&mut beginning)?;
    Ok(beginning == SEPARATOR)
}

//! How far an import has come: a setting in the store, made durable in the order of the letters.

use std::path::Path;

use mail::AccountId;
use ring::digest::{Context, Digest, SHA256};
use serde::{Deserialize, Serialize};

use super::source::Source;
use crate::{office::MailStore, tools::Problem};

/// How far. Small: one for each account and source stays in the store for good, so that a second import of the same
/// files is noticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// What the source looked like when the import was begun.
    source: [u8; 16],
    /// Folders of the source that are in.
    pub(super) folders: u32,
    /// The mailbox that the next folder goes to, once something of it may be in.
    pub(super) mailbox: Option<u32>,
    /// Letters of that folder that are in.
    pub(super) letters: u64,
    /// Where the next letter begins in the folder.
    pub(super) position: u64,
    /// The UID that the next letter gets.
    pub(super) uid: u32,
}

/// The setting that holds the mark of an import: one for each account and place of a source.
///
/// # Errors
/// A sentence, when the place has no absolute name.
pub(super) fn key(account: AccountId, from: &Path) -> Result<String, Problem> {
    let place = from.canonicalize().map_err(|error| format!("cannot find {}: {error}", from.display()))?;
    let mut context = Context::new(&SHA256);
    context.update(&account.0.to_le_bytes());
    context.update(place.as_os_str().as_encoded_bytes());
    Ok(format!("import/{}", hex(&shorten(&context.finish()))))
}

/// The mark of an earlier import.
pub(super) fn read(store: &MailStore, key: &str) -> Option<Mark> {
    postcard::from_bytes(store.setting(key)?).ok()
}

/// Half of a SHA-256 is enough to tell sources apart.
pub(super) fn shorten(digest: &Digest) -> [u8; 16] {
    let mut short = [0; 16];
    short.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    short
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Mark {
    /// Nothing is in yet.
    pub(super) const fn new(source: &Source) -> Self {
        Self { source: source.fingerprint, folders: 0, mailbox: None, letters: 0, position: 0, uid: 0 }
    }

    /// Whether everything of a source is in.
    pub(super) const fn is_complete(&self, source: &Source) -> bool {
        self.folders as usize >= source.folders.len()
    }

    /// The mark as one to go on from.
    ///
    /// # Errors
    /// A sentence, when the source is not what it was.
    pub(super) fn go_on(self, source: &Source, from: &Path) -> Result<Self, Problem> {
        if self.source == source.fingerprint {
            return Ok(self);
        }
        Err(format!(
            "{} has changed since it was imported, in whole or in part, so it is not known which letters are in \
             already; to import all of it, give it under another name",
            from.display()
        ))
    }

    /// The next folder begins, into this mailbox.
    pub(super) const fn begin(&mut self, mailbox: u32) {
        self.mailbox = Some(mailbox);
        (self.letters, self.position) = (0, 0);
    }

    /// All of a folder is in.
    pub(super) const fn next_folder(&mut self) {
        self.folders += 1;
        self.mailbox = None;
        (self.letters, self.position, self.uid) = (0, 0, 0);
    }

    /// As it is stored.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // Plain numbers can always be encoded.
        postcard::to_allocvec(self).unwrap_or_default()
    }
}

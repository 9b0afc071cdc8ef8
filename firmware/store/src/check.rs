//! Looking a store over: whether every stored letter is what was committed. Reads and changes nothing.

use alloc::vec::Vec;

use flash::FlashQueue;
use mail::{AccountId, MailboxId, Uid, Unready};

use crate::Store;
use crate::index::Letter;
use crate::limits::EXTENT_BYTES_MAX;

/// A stored letter, which several messages may show. The same for as long as the store is not changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoredLetter(pub u32);

/// What the commit says of a letter's bytes as they came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// How many there are.
    pub size: u64,
    /// Their CRC-32C.
    pub crc: u32,
}

/// What is wrong with a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetterFault {
    /// Its commit cannot be read: date, header block, summary, and where the rest lies.
    Commit,
    /// From here on, in bytes of the letter, something cannot be read or does not verify.
    Body(u64),
    /// All of it can be read and is as it was programmed, but it is not the letter that was committed.
    Other {
        /// What was committed.
        committed: Fingerprint,
        /// What is there.
        found: Fingerprint,
    },
}

/// Why a letter was not looked over, or what is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckError {
    /// It could not be read just now: [`Unready::Cold`] or [`Unready::Gone`].
    Unready(Unready),
    /// It is damaged.
    Damaged(LetterFault),
}

impl core::fmt::Display for LetterFault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Commit => f.write_str("its record cannot be read, and with it nothing of the letter"),
            Self::Body(offset) => write!(f, "it cannot be read from byte {offset} on"),
            Self::Other { committed, found } => write!(
                f,
                "it is another letter than came in: {} bytes with CRC {:08x} instead of {} with {:08x}",
                found.size, found.crc, committed.size, committed.crc
            ),
        }
    }
}

impl<Q: FlashQueue> Store<Q> {
    /// The stored letter that a message shows.
    pub fn stored_letter(&self, mailbox: MailboxId, uid: Uid) -> Option<StoredLetter> {
        Some(StoredLetter(self.state.mailboxes.get(&mailbox.0)?.entries.get(uid)?.letter))
    }

    /// The stored letter of a deletion.
    pub fn deleted_letter(&self, account: AccountId, number: u64) -> Option<StoredLetter> {
        let deletion = self.state.deletions.get(number).filter(|found| found.account == account.0)?;
        Some(StoredLetter(deletion.letter))
    }

    /// What a letter's commit says of its bytes.
    ///
    /// # Errors
    /// [`Unready`].
    pub fn fingerprint(&mut self, mailbox: MailboxId, uid: Uid) -> Result<Fingerprint, Unready> {
        let letter = self.letter(mailbox, uid)?;
        self.fingerprint_of(&letter)
    }

    fn fingerprint_of(&mut self, letter: &Letter) -> Result<Fingerprint, Unready> {
        let commit = self.read_commit(self.commit_mark(letter))?.commit;
        Ok(Fingerprint { size: commit.size, crc: commit.crc })
    }

    /// Reads everything that is stored of a message, one extent in memory at a time, and compares it with what was
    /// committed. Takes as long as reading the letter does: for tools, not for a box that serves.
    ///
    /// # Errors
    /// [`CheckError`]. Damaged places are noted as at every other read.
    pub fn check_letter(&mut self, mailbox: MailboxId, uid: Uid) -> Result<Fingerprint, CheckError> {
        let letter = self.letter(mailbox, uid).map_err(CheckError::Unready)?;
        self.check_stored(&letter)
    }

    /// The same for the letter of a deletion.
    ///
    /// # Errors
    /// [`CheckError`].
    pub fn check_deletion(&mut self, account: AccountId, number: u64) -> Result<Fingerprint, CheckError> {
        let stored = self.deleted_letter(account, number);
        let letter = stored.and_then(|stored| self.state.letters.get(stored.0));
        self.check_stored(&letter.ok_or(CheckError::Unready(Unready::Gone))?)
    }

    fn check_stored(&mut self, letter: &Letter) -> Result<Fingerprint, CheckError> {
        let commit_fault = |unready| match unready {
            Unready::Damaged => CheckError::Damaged(LetterFault::Commit),
            other => CheckError::Unready(other),
        };
        let committed = self.fingerprint_of(letter).map_err(commit_fault)?;
        let content = self.open_commit(self.commit_mark(letter)).map_err(commit_fault)?;
        let mut found = Fingerprint { size: 0, crc: 0 };
        let mut piece = Vec::new();
        while found.size < content.size() {
            piece.clear();
            match self.read_content(&content, found.size, EXTENT_BYTES_MAX, &mut piece) {
                Ok(_) => {}
                Err(Unready::Damaged) => {
                    return Err(CheckError::Damaged(LetterFault::Body(found.size)));
                }
                Err(other) => return Err(CheckError::Unready(other)),
            }
            found.crc = crc32c::crc32c_append(found.crc, &piece);
            found.size += piece.len() as u64;
        }
        if found != committed || u64::from(letter.size) != committed.size {
            return Err(CheckError::Damaged(LetterFault::Other { committed, found }));
        }
        Ok(found)
    }
}

//! Scanning a stored letter anew, where the summary beside it is of another version or damaged: slow, and right.

use alloc::{boxed::Box, vec::Vec};

use mail::{Content, MailboxId, Uid, Unready};

use super::{
    limits::{TEXT_CHUNK_BYTES, WORK_TEXT_BYTES},
    turn::Turn,
};
use crate::{Want, mime::Scanner};

/// A letter that is being scanned.
pub(super) struct Rescan {
    content: Content,
    scanner: Scanner,
    offset: u64,
    chunk: Vec<u8>,
}

/// How far it came.
pub(super) enum Rescanned {
    /// The summary.
    Done(Vec<u8>),
    Wait(Box<Rescan>, Want),
    /// The letter cannot be read.
    Failed,
}

impl Rescan {
    /// Opens a letter.
    ///
    /// # Errors
    /// [`Unready`].
    pub(super) fn new(mailbox: MailboxId, uid: Uid, turn: &mut Turn<'_, '_>) -> Result<Box<Self>, Unready> {
        let content = turn.mail.open(mailbox, uid)?;
        Ok(Box::new(Self { content, scanner: Scanner::new(), offset: 0, chunk: Vec::new() }))
    }

    /// Goes on.
    pub(super) fn step(mut self: Box<Self>, turn: &mut Turn<'_, '_>) -> Rescanned {
        while self.offset < self.content.size() {
            if turn.work.is_spent() {
                return Rescanned::Wait(self, Want::Turn);
            }
            self.chunk.clear();
            match turn.mail.read(&self.content, self.offset, TEXT_CHUNK_BYTES, &mut self.chunk) {
                Ok(0) | Err(Unready::Gone | Unready::Damaged) => return Rescanned::Failed,
                Ok(_) => {}
                Err(Unready::Cold(cold)) => return Rescanned::Wait(self, Want::Warm(cold)),
            }
            self.scanner.feed(&self.chunk);
            self.offset += self.chunk.len() as u64;
            turn.work.spend(work_of_text(self.chunk.len()));
        }
        Rescanned::Done(self.scanner.finish())
    }
}

/// Work of going through so many bytes.
pub(super) fn work_of_text(bytes: usize) -> u32 {
    u32::try_from(bytes / WORK_TEXT_BYTES).unwrap_or(u32::MAX)
}

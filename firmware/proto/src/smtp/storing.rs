//! Where the bytes of a letter go, however they come: into the mail behind the port, behind the lines that the box puts
//! before it, past everything that looks at a letter on its way.

use alloc::vec::Vec;

use mail::{Draft, Mail, Stop};

use super::hops::Hops;
use crate::mime::Scanner;

/// A letter that is being stored. No byte of it is kept here.
#[derive(Debug)]
pub(super) struct Storing {
    draft: Draft,
    /// Lines to put before the letter, and how many of their bytes are stored.
    trace: Vec<u8>,
    trace_stored: usize,
    hops: Hops,
    scanner: Scanner,
}

impl Storing {
    /// A letter with the lines `trace` before it.
    pub(super) fn new(draft: Draft, trace: Vec<u8>) -> Self {
        Self { draft, trace, trace_stored: 0, hops: Hops::new(), scanner: Scanner::new() }
    }

    /// `Received:` lines of the letter so far.
    pub(super) const fn hops(&self) -> u32 {
        self.hops.count()
    }

    /// Stores the next bytes of the letter, as many as the mail takes. Says how many.
    ///
    /// # Errors
    /// Those of [`Mail::append`].
    pub(super) fn append(&mut self, bytes: &[u8], mail: &mut dyn Mail) -> Result<usize, Stop> {
        self.append_trace(mail)?;
        let taken = append(mail, &self.draft, bytes)?;
        let stored = bytes.get(..taken).unwrap_or(bytes);
        self.hops.feed(stored);
        self.scanner.feed(stored);
        Ok(taken)
    }

    /// The letter has no more bytes: stores what is left of the box's own. To be called until it succeeds.
    ///
    /// # Errors
    /// Those of [`Mail::append`].
    pub(super) fn end(&mut self, mail: &mut dyn Mail) -> Result<(), Stop> {
        self.append_trace(mail)
    }

    /// The draft and the summary of the letter in it.
    pub(super) fn finish(self) -> (Draft, Vec<u8>) {
        (self.draft, self.scanner.finish())
    }

    fn append_trace(&mut self, mail: &mut dyn Mail) -> Result<(), Stop> {
        while let Some(rest) = self.trace.get(self.trace_stored..).filter(|rest| !rest.is_empty()) {
            let taken = append(mail, &self.draft, rest)?;
            self.scanner.feed(rest.get(..taken).unwrap_or(rest));
            self.trace_stored += taken;
        }
        Ok(())
    }
}

/// Appends, and does not spin where nothing is taken.
fn append(mail: &mut dyn Mail, draft: &Draft, bytes: &[u8]) -> Result<usize, Stop> {
    match mail.append(draft, bytes)? {
        0 => Err(Stop::Busy),
        taken => Ok(taken),
    }
}

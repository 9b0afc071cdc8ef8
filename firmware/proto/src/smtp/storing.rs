//! Where the bytes of a letter go, however they come: into the mail behind the port, with the box's own lines among
//! them, past everything that looks at a letter on its way.

use alloc::vec::Vec;

use mail::{Draft, Envelope, Mail, Stop};

use super::{fields::Fields, header::Header, kind::Kind};
use crate::{dkim::BodyHash, mime::Scanner};

/// A letter that is being stored. No byte of it is kept here.
#[derive(Debug)]
pub(super) struct Storing {
    draft: Draft,
    /// What MAIL said, to be set right where the letter is not what was said of it.
    envelope: Envelope,
    /// Lines of the box's own that come next, and how many of their bytes are stored.
    own: Vec<u8>,
    own_stored: usize,
    /// What the letter gets at the end of its header block.
    fields: Option<Fields>,
    header: Header,
    readers: Readers,
}

/// All that reads a letter from its first byte to its last, with the box's own lines.
#[derive(Debug)]
struct Readers {
    kind: Kind,
    scanner: Scanner,
    /// For the signature, where the letter will be signed.
    hash: Option<BodyHash>,
}

impl Storing {
    /// A letter with the lines `trace` before it, and with `fields` where it lacks them; its body is hashed with `hash`.
    pub(super) fn new(
        draft: Draft,
        envelope: Envelope,
        trace: Vec<u8>,
        fields: Option<Fields>,
        hash: Option<BodyHash>,
    ) -> Self {
        let readers = Readers { kind: Kind::new(envelope.body), scanner: Scanner::new(), hash };
        Self { draft, envelope, own: trace, own_stored: 0, fields, header: Header::new(), readers }
    }

    /// `Received:` lines of the letter so far.
    pub(super) const fn hops(&self) -> u32 {
        self.header.hops()
    }

    /// Stores the next bytes of the letter, as many as the mail takes and as can be stored in one piece. Says how many.
    ///
    /// # Errors
    /// Those of [`Mail::append`].
    pub(super) fn append(&mut self, bytes: &[u8], mail: &mut dyn Mail) -> Result<usize, Stop> {
        self.append_own(mail)?;
        let mut header = self.header;
        let wanted = header.feed(bytes);
        let piece = bytes.get(..wanted).unwrap_or(bytes);
        let taken = append(mail, &self.draft, piece)?;
        self.readers.feed(piece.get(..taken).unwrap_or(piece));
        if taken < wanted {
            self.header.feed(piece.get(..taken).unwrap_or(piece));
        } else {
            self.header = header;
        }
        if self.header.has_ended() {
            self.end_header();
        }
        Ok(taken)
    }

    /// The letter has no more bytes: stores what is left of the box's own. To be called until it succeeds.
    ///
    /// # Errors
    /// Those of [`Mail::append`].
    pub(super) fn end(&mut self, mail: &mut dyn Mail) -> Result<(), Stop> {
        // A letter may be without an empty line (RFC 5322 §3.5: the body is optional).
        self.end_header();
        self.append_own(mail)?;
        if let Some(hash) = self.readers.hash.take() {
            self.envelope.body_hash = Some(hash.finish());
        }
        let mut envelope = self.envelope.clone();
        self.readers.kind.correct(&mut envelope);
        mail.set_envelope(&self.draft, envelope)?;
        Ok(())
    }

    /// The draft and the summary of the letter in it.
    pub(super) fn finish(self) -> (Draft, Vec<u8>) {
        (self.draft, self.readers.scanner.finish())
    }

    fn end_header(&mut self) {
        if let Some(fields) = self.fields.take() {
            self.own.extend(fields.lacking(&self.header));
        }
    }

    fn append_own(&mut self, mail: &mut dyn Mail) -> Result<(), Stop> {
        while let Some(rest) = self.own.get(self.own_stored..).filter(|rest| !rest.is_empty()) {
            let taken = append(mail, &self.draft, rest)?;
            self.readers.feed(rest.get(..taken).unwrap_or(rest));
            self.own_stored += taken;
        }
        Ok(())
    }
}

impl Readers {
    fn feed(&mut self, bytes: &[u8]) {
        self.kind.feed(bytes);
        self.scanner.feed(bytes);
        if let Some(hash) = &mut self.hash {
            hash.feed(bytes);
        }
    }
}

/// Appends, and does not spin where nothing is taken.
fn append(mail: &mut dyn Mail, draft: &Draft, bytes: &[u8]) -> Result<usize, Stop> {
    if bytes.is_empty() {
        return Ok(0);
    }
    match mail.append(draft, bytes)? {
        0 => Err(Stop::Busy),
        taken => Ok(taken),
    }
}

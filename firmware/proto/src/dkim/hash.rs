//! The hash of a letter's body, made while the letter streams by (RFC 6376 §3.7 step 1).

use alloc::boxed::Box;
use core::fmt;

use memchr::memchr;

use super::RelaxedBody;

/// A SHA-256 (FIPS 180-4) that is being made: whoever calls has a library for that.
pub trait Digest: fmt::Debug {
    /// Takes the next bytes.
    fn update(&mut self, bytes: &[u8]);

    /// Ends it.
    fn finish(self: Box<Self>) -> [u8; 32];
}

/// A letter on its way into a digest, of which its body arrives there.
#[derive(Debug)]
pub struct BodyHash {
    place: Place,
    body: RelaxedBody,
    digest: Box<dyn Digest>,
}

/// What the next byte is part of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// A line of the header block that begins with it, or the empty line behind that (RFC 5322 §2.1).
    LineStart,
    /// The empty line, whose CR has come.
    EmptyLine,
    /// A line of the header block.
    Line,
    Body,
}

impl BodyHash {
    /// Before the first byte of a letter; `digest` has been given nothing yet.
    #[must_use]
    pub fn new(digest: Box<dyn Digest>) -> Self {
        Self { place: Place::LineStart, body: RelaxedBody::new(), digest }
    }

    /// Takes the next bytes of the letter.
    pub fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while self.place != Place::Body
            && let Some((first, behind)) = rest.split_first()
        {
            (self.place, rest) = match (self.place, first) {
                (Place::LineStart, b'\r') => (Place::EmptyLine, behind),
                (Place::LineStart | Place::EmptyLine, b'\n') => (Place::Body, behind),
                _ => match memchr(b'\n', rest) {
                    Some(end) => (Place::LineStart, rest.get(end + 1..).unwrap_or_default()),
                    None => (Place::Line, &[][..]),
                },
            };
        }
        let digest = &mut self.digest;
        self.body.feed(rest, &mut |piece| digest.update(piece));
    }

    /// Ends the letter.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        let Self { body, mut digest, .. } = self;
        body.finish(&mut |piece| digest.update(piece));
        digest.finish()
    }
}

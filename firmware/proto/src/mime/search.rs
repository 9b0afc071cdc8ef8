//! Seeking text in one part of a letter as its bytes are read: transfer encoding, charset, folding, match.

use alloc::{string::String, vec::Vec};

use super::{charset, decode, fold::Matcher, part::Part, words};

/// Bytes decoded at once, so that the buffers between the stages stay small.
const STEP_BYTES: usize = 8 * 1024;

/// Seeks a text in a part's content.
#[derive(Debug)]
pub struct PartSearch {
    transfer: decode::Decoder,
    charset: charset::Decoder,
    matcher: Matcher,
    bytes: Vec<u8>,
    text: String,
}

impl PartSearch {
    /// Seeks what `matcher` seeks in `part`.
    #[must_use]
    pub fn new(matcher: Matcher, part: &Part<'_>) -> Self {
        Self {
            transfer: decode::Decoder::new(part.encoding),
            charset: charset::Decoder::new(part.charset),
            matcher,
            bytes: Vec::new(),
            text: String::new(),
        }
    }

    /// Takes the next bytes of the part's body. `true` once it is found; no more need be read then.
    pub fn feed(&mut self, bytes: &[u8]) -> bool {
        bytes.chunks(STEP_BYTES).any(|step| {
            self.bytes.clear();
            self.text.clear();
            self.transfer.feed(step, &mut self.bytes);
            self.charset.feed(&self.bytes, &mut self.text);
            self.matcher.feed(&self.text)
        })
    }

    /// The part has ended. Says whether it was found, and gives the matcher back for another part.
    #[must_use]
    pub fn finish(mut self) -> (bool, Matcher) {
        self.bytes.clear();
        self.text.clear();
        self.transfer.finish(&mut self.bytes);
        self.charset.feed(&self.bytes, &mut self.text);
        self.charset.finish(&mut self.text);
        self.matcher.feed(&self.text);
        (self.matcher.finish(), self.matcher)
    }
}

/// Whether a header field's value says what `matcher` seeks, decoded or as it stands there.
pub fn field_matches(matcher: &mut Matcher, value: &[u8]) -> bool {
    matcher.feed(&words::decode(value));
    matcher.finish()
}

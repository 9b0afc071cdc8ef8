//! Looking for texts in the body of a letter, part by part, as its bytes are read: transfer encoding, charset, match.

use alloc::{collections::VecDeque, string::String, vec::Vec};
use core::ops::Range;

use mail::{Content, Unready};

use super::needle::{Needle, Place, look_in_header};
use crate::{
    Want,
    imap::{
        limits::{LONG_HEAD_BYTES_MAX, TEXT_CHUNK_BYTES},
        rescan::work_of_text,
        turn::Turn,
    },
    mime::{Encoding, Summary, charset, decode},
};

/// A letter that is being read.
pub(super) struct BodySearch {
    content: Content,
    targets: VecDeque<Target>,
    current: Option<Current>,
    chunk: Vec<u8>,
}

/// A stretch of a letter.
#[derive(Debug)]
pub(super) struct Target {
    range: Range<u64>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// A header block: the letter's own, or one in its body.
    Header {
        is_own: bool,
    },
    Text {
        encoding: Encoding,
        charset: String,
    },
}

/// A target that has been begun.
struct Current {
    left: Range<u64>,
    reader: Reader,
}

enum Reader {
    Header { is_own: bool, block: Vec<u8> },
    Text(TextReader),
}

struct TextReader {
    transfer: decode::Decoder,
    charset: charset::Decoder,
    bytes: Vec<u8>,
    text: String,
}

/// How far looking came.
pub(super) enum Looked {
    /// Something was found, or a target has been gone through; the answer may be known now.
    Further,
    /// All has been gone through.
    Done,
    Wait(Want),
    /// The letter cannot be read.
    Failed,
}

/// What of a letter is to be gone through for needles that have not been found: what of its header was not at hand,
/// and its body.
pub(super) fn targets(summary: &Summary<'_>, head_len: usize, needles: &[Needle]) -> VecDeque<Target> {
    let open = |place| needles.iter().any(|needle| needle.found.is_none() && needle.place == place);
    let mut targets = VecDeque::new();
    let header_len = summary.header_len();
    if (open(Place::Field) || open(Place::Anywhere)) && header_len > head_len as u64 {
        targets.push_back(header(0..header_len, true));
    }
    if !open(Place::Body) && !open(Place::Anywhere) {
        return targets;
    }
    for (index, part) in summary.parts().enumerate() {
        // The first is the letter's own content, under the letter's own header.
        if index > 0 && !part.header.is_empty() {
            targets.push_back(header(part.header.clone(), false));
        }
        if part.is_text() {
            let kind = Kind::Text { encoding: part.encoding, charset: String::from(part.charset) };
            targets.push_back(Target { range: part.body, kind });
        }
        if let Some(message) = part.message {
            targets.push_back(header(message.header, false));
        }
    }
    targets
}

fn header(range: Range<u64>, is_own: bool) -> Target {
    let end = range.end.min(range.start.saturating_add(LONG_HEAD_BYTES_MAX));
    Target { range: range.start..end, kind: Kind::Header { is_own } }
}

impl BodySearch {
    pub(super) const fn new(content: Content, targets: VecDeque<Target>) -> Self {
        Self { content, targets, current: None, chunk: Vec::new() }
    }

    /// Goes on until something is found, or to the end of a target.
    pub(super) fn step(&mut self, needles: &mut [Needle], turn: &mut Turn<'_, '_>) -> Looked {
        let current = match &mut self.current {
            Some(current) => current,
            None => match self.targets.pop_front() {
                Some(target) => self.current.insert(Current::new(target, self.content.size())),
                None => return Looked::Done,
            },
        };
        while !current.left.is_empty() {
            if turn.work.is_spent() {
                return Looked::Wait(Want::Turn);
            }
            let max = usize::try_from(current.left.end - current.left.start).unwrap_or(usize::MAX);
            self.chunk.clear();
            let max = max.min(TEXT_CHUNK_BYTES);
            match turn.mail.read(&self.content, current.left.start, max, &mut self.chunk) {
                Ok(0) | Err(Unready::Gone | Unready::Damaged) => return Looked::Failed,
                Ok(_) => {}
                Err(Unready::Cold(cold)) => return Looked::Wait(Want::Warm(cold)),
            }
            current.left.start += self.chunk.len() as u64;
            let open = needles.iter().filter(|needle| needle.found.is_none()).count();
            turn.work.spend(work_of_text(self.chunk.len().saturating_mul(1 + open)));
            if current.reader.feed(&self.chunk, needles) {
                return Looked::Further;
            }
        }
        if let Some(current) = self.current.take() {
            current.reader.finish(needles);
        }
        Looked::Further
    }
}

impl Current {
    fn new(target: Target, size: u64) -> Self {
        let reader = match target.kind {
            Kind::Header { is_own } => Reader::Header { is_own, block: Vec::new() },
            Kind::Text { encoding, charset } => Reader::Text(TextReader {
                transfer: decode::Decoder::new(encoding),
                charset: charset::Decoder::new(&charset),
                bytes: Vec::new(),
                text: String::new(),
            }),
        };
        Self { left: target.range.start.min(size)..target.range.end.min(size), reader }
    }
}

impl Reader {
    /// Takes the next bytes; says whether something was found in them.
    fn feed(&mut self, chunk: &[u8], needles: &mut [Needle]) -> bool {
        match self {
            Self::Header { block, .. } => {
                block.extend_from_slice(chunk);
                false
            }
            Self::Text(reader) => {
                reader.bytes.clear();
                reader.text.clear();
                reader.transfer.feed(chunk, &mut reader.bytes);
                reader.charset.feed(&reader.bytes, &mut reader.text);
                look_in_text(needles, &reader.text)
            }
        }
    }

    fn finish(self, needles: &mut [Needle]) {
        match self {
            Self::Header { is_own, block } => look_in_header(needles, &block, is_own),
            Self::Text(mut reader) => {
                reader.bytes.clear();
                reader.text.clear();
                reader.transfer.finish(&mut reader.bytes);
                reader.charset.feed(&reader.bytes, &mut reader.text);
                reader.charset.finish(&mut reader.text);
                look_in_text(needles, &reader.text);
                for needle in needles {
                    if needle.matcher.finish() && needle.place != Place::Field {
                        needle.found = Some(true);
                    }
                }
            }
        }
    }
}

/// Looks in the next stretch of a text; says whether something was found.
fn look_in_text(needles: &mut [Needle], text: &str) -> bool {
    let mut found = false;
    for needle in needles.iter_mut().filter(|needle| needle.place != Place::Field && needle.found.is_none()) {
        if needle.matcher.feed(text) {
            needle.found = Some(true);
            found = true;
        }
    }
    found
}

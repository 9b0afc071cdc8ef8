//! How the bytes of one frame are stored (rule 16): base64 as the bytes that it encodes, text compressed, both, or as
//! they are. Pure functions of the bytes; no device, no clock. `coding/FORMAT-frames.md` has every byte.
//!
//! A frame is up to 64 KiB of a letter, cut anywhere. [`Coder::encode`] looks for runs of base64 in its bytes, replaces
//! them by what they encode, and compresses the result; it keeps what gains, re-creates the frame and compares it. On
//! any difference, and where nothing is gained, the frame stays as it is. [`decode`] needs nothing but the stored bytes,
//! the encoding's number and the original length, all of which the frame's header has.
//!
//! **Why LZ4** (lz4_flex, safe code) and not deflate (miniz_oxide, level 1): a call must not hold the network loop for
//! more than about 1 ms for 64 KiB, on boards that may be ten times slower than the machine of these figures (one
//! x86-64 core, processor time; some 16 MB each of documents in English, HTML, and HTML in Japanese):
//!
//! | | stored, frames of 64 KiB | of 4 KiB | makes | re-creates | keeps |
//! |---|---|---|---|---|---|
//! | LZ4 | 42, 40, 46 % | 62, 50, 58 % | 470 to 930 MB/s | 2 to 4 GB/s | 24 KiB |
//! | deflate | 34, 32, 37 % | 46, 38, 46 % | 110 to 200 MB/s | 190 to 410 MB/s | 74 KiB |
//!
//! A frame of 64 KiB is made once and re-created once at delivery: 0.1 ms against 0.5 ms, so about 1 ms against 5 where
//! it is ten times slower. Deflate would store 8 to 16 % of the text's bytes less, at eight times the cost of every
//! reading. And LZ4 passes what does not shrink, as most attachments do not, in less time than an estimate of whether
//! it would. It does nothing for base64 that is not canonical; deflate would take that to 77 %.
//!
//! Frames of 96 KiB would store 0.3 to 2 % of the text's bytes less, of letters that long: not worth their memory.

use alloc::vec::Vec;
use core::fmt;

use crate::limits::{CODED_BYTES_MAX, DECODE_BYTES_MAX};

mod base64;
mod lines;
mod plan;
mod runs;
mod text;

#[cfg(test)]
mod base64_tests;
#[cfg(test)]
mod runs_tests;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

use plan::{Piece, Plan};

/// Frames below this are stored as they are: headers and alignment cost as much as could be gained.
const ORIGINAL_BYTES_MIN: usize = 64;

/// What a step must gain, as a part of what it is given: less is not worth its time at every reading.
const GAIN_DIVISOR: usize = 32;

/// What encoding may need before it is known whether anything is gained: a plan, which is far below an eighth of a
/// frame, as its runs are not short ([`runs::RUN_CHARS_MIN`]), and what LZ4 asks for.
const STORED_BYTES_MAX: usize = CODED_BYTES_MAX / 8 + text::block_bytes_max(CODED_BYTES_MAX);

/// How the payload of a frame is stored. The numbers are those of the frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Encoding {
    /// As it came.
    Raw = 0,
    /// A plan, and the stream with base64 decoded.
    Base64 = 1,
    /// Compressed.
    Compressed = 2,
    /// A plan, and the stream with base64 decoded, compressed.
    Both = 3,
}

impl Encoding {
    /// The encoding with a number; `None` for one that this version does not know.
    pub const fn of(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Raw),
            1 => Some(Self::Base64),
            2 => Some(Self::Compressed),
            3 => Some(Self::Both),
            _ => None,
        }
    }

    /// The number that stands in a frame's header.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// Stored bytes that no frame of the stated encoding and length has: damage, or an error in the code that wrote them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecodable;

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the frame's bytes are not what its encoding and its length say")
    }
}

impl core::error::Error for Undecodable {}

/// What is to be stored for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded<'a> {
    /// How to read `bytes`.
    pub encoding: Encoding,
    /// The payload: never longer than the original, and the original itself when it is stored as it is.
    pub bytes: &'a [u8],
}

/// Encodes frames, one after the other, in memory that it keeps: at most
/// [`CODER_BYTES_MAX`](crate::limits::CODER_BYTES_MAX).
pub struct Coder {
    packer: text::Packer,
    plan: Vec<u8>,
    stream: Vec<u8>,
    stored: Vec<u8>,
    check: Vec<u8>,
}

impl fmt::Debug for Coder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coder").field("memory", &self.memory()).finish_non_exhaustive()
    }
}

impl Default for Coder {
    fn default() -> Self {
        Self::new()
    }
}

impl Coder {
    /// A coder with its hash tables; the buffers come when they are first needed.
    pub fn new() -> Self {
        Self {
            packer: text::Packer::new(),
            plan: Vec::new(),
            stream: Vec::new(),
            stored: Vec::new(),
            check: Vec::new(),
        }
    }

    /// Bytes of memory that it holds.
    pub fn memory(&self) -> usize {
        let buffers = [&self.plan, &self.stream, &self.stored, &self.check];
        text::PACKER_BYTES + buffers.iter().map(|buffer| buffer.capacity()).sum::<usize>()
    }

    /// The shortest form of a frame that is worth it, proven by re-creating the frame from it. What is longer than
    /// [`CODED_BYTES_MAX`] stays as it is.
    pub fn encode<'a>(&'a mut self, original: &'a [u8]) -> Encoded<'a> {
        match self.smaller(original) {
            Some(encoding) if self.proves(encoding, original) => Encoded { encoding, bytes: &self.stored },
            _ => Encoded { encoding: Encoding::Raw, bytes: original },
        }
    }

    /// Whether what is to be stored makes the original again.
    fn proves(&mut self, encoding: Encoding, original: &[u8]) -> bool {
        decode(encoding, &self.stored, original.len(), &mut self.check).is_ok() && self.check == original
    }

    /// Leaves the payload in `stored`, unless `None` says that nothing is gained.
    fn smaller(&mut self, original: &[u8]) -> Option<Encoding> {
        self.stored.clear();
        self.stored.reserve_exact(STORED_BYTES_MAX);
        if !(ORIGINAL_BYTES_MIN..=CODED_BYTES_MAX).contains(&original.len()) {
            return None;
        }
        if !self.take_runs_out(original)? {
            self.packer.pack(original, &mut self.stored)?;
            return gains(self.stored.len(), original.len()).then_some(Encoding::Compressed);
        }
        self.stored.extend_from_slice(&self.plan);
        self.packer.pack(&self.stream, &mut self.stored)?;
        if gains(self.stored.len() - self.plan.len(), self.stream.len()) {
            return gains(self.stored.len(), original.len()).then_some(Encoding::Both);
        }
        self.stored.truncate(self.plan.len());
        self.stored.extend_from_slice(&self.stream);
        gains(self.stored.len(), original.len()).then_some(Encoding::Base64)
    }

    /// Leaves plan and stream, if there is a run at all.
    fn take_runs_out(&mut self, original: &[u8]) -> Option<bool> {
        self.plan.clear();
        self.stream.clear();
        self.stream.reserve_exact(CODED_BYTES_MAX);
        let mut at = 0;
        while let Some(run) = runs::next_run(original, at) {
            self.keep(original.get(at..run.start)?);
            Piece::Run(run.lines).put(&mut self.plan);
            run.lines.decode(original.get(run.start..run.end)?, &mut self.stream)?;
            at = run.end;
        }
        if at > 0 {
            self.keep(original.get(at..)?);
        }
        Some(at > 0)
    }

    /// What stands around the runs.
    fn keep(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            Piece::Plain(bytes.len()).put(&mut self.plan);
            self.stream.extend_from_slice(bytes);
        }
    }
}

fn gains(made: usize, from: usize) -> bool {
    made + from / GAIN_DIVISOR < from
}

/// Re-creates a frame of `original_len` bytes from its stored payload, in place of what `original` held.
///
/// # Errors
/// For anything that [`Coder::encode`] could not have made for a frame of this length, and for lengths above
/// [`CODED_BYTES_MAX`], except that raw frames have any length. Then `original` is empty. Never grows it beyond
/// [`DECODE_BYTES_MAX`], or a raw frame's length.
pub fn decode(
    encoding: Encoding,
    stored: &[u8],
    original_len: usize,
    original: &mut Vec<u8>,
) -> Result<(), Undecodable> {
    original.clear();
    let made = match encoding {
        Encoding::Raw => (stored.len() == original_len).then(|| original.extend_from_slice(stored)),
        _ if original_len > CODED_BYTES_MAX => None,
        Encoding::Base64 => follow(stored, original_len, original),
        Encoding::Compressed => text::unpack(stored, fill(original, original_len)),
        Encoding::Both => unpack_and_follow(stored, original_len, original),
    };
    made.ok_or_else(|| {
        original.clear();
        Undecodable
    })
}

fn follow(stored: &[u8], original_len: usize, original: &mut Vec<u8>) -> Option<()> {
    let (plan, stream) = Plan::split(stored, original_len)?;
    plan.make(stream, fill(original, original_len))
}

/// The stream is unpacked behind the place of the original, and cut off when it has been used.
fn unpack_and_follow(stored: &[u8], original_len: usize, original: &mut Vec<u8>) -> Option<()> {
    let (plan, block) = Plan::split(stored, original_len)?;
    let places = fill(original, original_len + plan.stream_len);
    let (place, stream) = places.split_at_mut_checked(original_len)?;
    text::unpack(block, stream)?;
    plan.make(stream, place)?;
    original.truncate(original_len);
    Some(())
}

/// `len` bytes of `buffer`, which does not grow beyond them.
fn fill(buffer: &mut Vec<u8>, len: usize) -> &mut [u8] {
    buffer.reserve_exact(len);
    buffer.resize(len, 0);
    buffer
}

const _: () = assert!(DECODE_BYTES_MAX >= 2 * CODED_BYTES_MAX);

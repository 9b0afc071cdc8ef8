//! The plan in front of a stream: how the original bytes of a frame are made from it. `FORMAT-frames.md` says it byte
//! by byte.
//!
//! A plan is a sequence of pieces and has no count and no length: it ends where the pieces add up to the original
//! length. Touches only the bytes that it is given.

use alloc::vec::Vec;

use super::lines::{LineEnd, Lines};
use crate::limits::CODED_BYTES_MAX;

/// Bytes of the longest number: 21 bits hold what a frame can need.
const NUMBER_BYTES_MAX: usize = 3;

/// One piece of a frame, in the order of the original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// So many bytes of the stream as they are.
    Plain(usize),
    /// Bytes of the stream, in base64.
    Run(Lines),
}

impl Piece {
    /// Bytes of the stream that it takes.
    pub(super) const fn stream_len(&self) -> usize {
        match self {
            Self::Plain(len) => *len,
            Self::Run(lines) => lines.bytes,
        }
    }

    /// Bytes of the original that it makes; `None` for a piece that no plan has.
    fn original_len(&self) -> Option<usize> {
        match self {
            Self::Plain(len) => (*len > 0).then_some(*len),
            Self::Run(lines) => lines.original_len(),
        }
    }

    /// Appends the piece to a plan.
    pub(super) fn put(&self, plan: &mut Vec<u8>) {
        match self {
            Self::Plain(len) => put_number(len << 1, plan),
            Self::Run(lines) => {
                put_number(lines.bytes << 1 | 1, plan);
                put_number(lines.first, plan);
                if lines.is_broken() {
                    put_number(lines.line << 1 | usize::from(lines.end == LineEnd::Lf), plan);
                }
            }
        }
    }

    /// The piece that `plan` begins with.
    fn get(plan: &mut &[u8]) -> Option<Self> {
        let head = get_number(plan)?;
        if head & 1 == 0 {
            return Some(Self::Plain(head >> 1));
        }
        let first = get_number(plan)?;
        let mut lines = Lines { bytes: head >> 1, first, line: first, end: LineEnd::Crlf };
        if lines.is_broken() {
            let line = get_number(plan)?;
            lines.line = line >> 1;
            lines.end = if line & 1 == 0 { LineEnd::Crlf } else { LineEnd::Lf };
        }
        Some(Self::Run(lines))
    }
}

/// A plan whose pieces are known to fit the original length.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan<'a> {
    pieces: &'a [u8],
    /// Bytes of the stream that the pieces take together.
    pub(super) stream_len: usize,
}

impl<'a> Plan<'a> {
    /// Takes the plan of a frame of `original_len` bytes from the front of `stored`, and gives what follows.
    pub(super) fn split(stored: &'a [u8], original_len: usize) -> Option<(Self, &'a [u8])> {
        let mut rest = stored;
        let mut made = 0;
        let mut stream_len = 0;
        while made < original_len {
            let piece = Piece::get(&mut rest)?;
            // A piece makes at least what it takes, so neither sum can pass what is asked for.
            made += piece.original_len().filter(|len| *len <= original_len - made)?;
            stream_len += piece.stream_len();
        }
        let pieces = stored.get(..stored.len() - rest.len())?;
        Some((Self { pieces, stream_len }, rest))
    }

    /// Makes the original: as many bytes as the pieces add up to.
    pub(super) fn make(&self, stream: &[u8], original: &mut [u8]) -> Option<()> {
        let (mut pieces, mut stream, mut original) = (self.pieces, stream, original);
        while !pieces.is_empty() {
            let piece = Piece::get(&mut pieces)?;
            let (bytes, rest) = stream.split_at_checked(piece.stream_len())?;
            let (place, free) = original.split_at_mut_checked(piece.original_len()?)?;
            match piece {
                Piece::Plain(_) => place.copy_from_slice(bytes),
                Piece::Run(lines) => lines.encode(bytes, place)?,
            }
            (stream, original) = (rest, free);
        }
        (stream.is_empty() && original.is_empty()).then_some(())
    }
}

/// Numbers stand in 7 bits a byte, the lowest first, the top bit set in all but the last.
fn put_number(number: usize, plan: &mut Vec<u8>) {
    let mut rest = number;
    while rest > 0x7F {
        plan.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    plan.push(rest as u8);
}

fn get_number(plan: &mut &[u8]) -> Option<usize> {
    let mut number = 0;
    for at in 0..NUMBER_BYTES_MAX {
        let (byte, rest) = plan.split_first()?;
        *plan = rest;
        number |= usize::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

const _: () = assert!(CODED_BYTES_MAX << 1 < 1 << (7 * NUMBER_BYTES_MAX));

//! Pieces of a letter in a FETCH response: from the header block at hand, or streamed from flash.

use alloc::{collections::VecDeque, vec::Vec};
use core::ops::Range;

use mail::{Content, Unready};

use super::plan::{Piece, Plan, Source};
use crate::{
    Want,
    imap::{ast::SectionText, emit, limits::LONG_HEAD_BYTES_MAX, turn::Turn},
    mime::header::{self, Keep},
};

/// Pieces that need the letter.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// `None` if the letter cannot be read.
    content: Option<Content>,
    /// Pieces by their index in the plan.
    waiting: VecDeque<(usize, Source)>,
    /// What is still to be sent of a literal that has been announced.
    open: Option<Range<u64>>,
    /// Whether the next piece is the first item of its response.
    is_first: bool,
    damaged: bool,
}

/// How far streaming came.
pub(super) enum Streamed {
    /// All pieces are sent, or said to be NIL.
    Done {
        damaged: bool,
    },
    Wait(Want),
    /// A literal was announced that cannot be completed.
    Broken,
}

impl Streams {
    pub(super) fn push(&mut self, index: usize, source: Source) {
        self.waiting.push_back((index, source));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Gives it the letter, or none if that cannot be read.
    pub(super) fn open(&mut self, content: Option<Content>, is_first: bool) {
        self.content = content;
        self.is_first = is_first;
    }

    /// Goes on until the output is full.
    pub(super) fn step(&mut self, plan: &Plan, scratch: &mut Vec<u8>, turn: &mut Turn<'_, '_>) -> Streamed {
        loop {
            if turn.output.is_full() {
                return Streamed::Wait(Want::Room);
            }
            if let Some(range) = self.open.take() {
                match self.go_on(range, turn) {
                    Ok(()) => continue,
                    Err(Unready::Cold(cold)) => return Streamed::Wait(Want::Warm(cold)),
                    Err(Unready::Gone | Unready::Damaged) => return Streamed::Broken,
                }
            }
            let Some((index, source)) = self.waiting.front().cloned() else {
                return Streamed::Done { damaged: self.damaged };
            };
            let Some(piece) = plan.pieces.get(index) else { return Streamed::Broken };
            let start = turn.output.buffer().len();
            match self.begin(piece, source, scratch, turn) {
                Ok(()) => {}
                Err(unready) => {
                    turn.output.buffer().truncate(start);
                    self.open = None;
                    if let Unready::Cold(cold) = unready {
                        return Streamed::Wait(Want::Warm(cold));
                    }
                    // Nothing of it has left this buffer: the client can be told.
                    self.damaged = true;
                    write_nil(piece, self.is_first, turn.output.buffer());
                }
            }
            self.is_first = false;
            self.waiting.pop_front();
            scratch.clear();
        }
    }

    /// Begins a piece with its first bytes.
    fn begin(
        &mut self,
        piece: &Piece,
        source: Source,
        scratch: &mut Vec<u8>,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), Unready> {
        match source {
            Source::Nothing => write_nil(piece, self.is_first, turn.output.buffer()),
            Source::Bytes(range) if range.is_empty() => {
                write_literal(piece, &[], self.is_first, turn.output.buffer());
            }
            Source::Bytes(range) => {
                let out = turn.output.buffer();
                write_label(piece, self.is_first, out);
                emit::literal_head(range.end - range.start, out);
                let start = out.len();
                match self.go_on(range, turn) {
                    // What came before the cold stretch may go.
                    Err(Unready::Cold(_)) if turn.output.buffer().len() > start => {}
                    begun => return begun,
                }
            }
            Source::Fields(range) => {
                let end = range.end.min(range.start.saturating_add(LONG_HEAD_BYTES_MAX));
                while range.start + (scratch.len() as u64) < end {
                    let offset = range.start + scratch.len() as u64;
                    let max = usize::try_from(end - offset).unwrap_or(usize::MAX);
                    self.read(offset, max, scratch, turn)?;
                }
                let mut fields = Vec::new();
                select_fields(piece, scratch, &mut fields);
                write_literal(piece, piece.cut_bytes(&fields), self.is_first, turn.output.buffer());
            }
        }
        Ok(())
    }

    /// Sends as much of an announced literal as there is room for. At an error the rest is open still.
    fn go_on(&mut self, range: Range<u64>, turn: &mut Turn<'_, '_>) -> Result<(), Unready> {
        let Range { mut start, end } = range;
        while start < end {
            let room = turn.output.room();
            if room == 0 {
                break;
            }
            let max = usize::try_from(end - start).map_or(room, |left| left.min(room));
            let Some(content) = &self.content else { return Err(Unready::Damaged) };
            match turn.mail.read(content, start, max, turn.output.buffer()) {
                Ok(0) => return Err(Unready::Damaged),
                Ok(count) => start += count as u64,
                Err(Unready::Cold(cold)) => {
                    self.open = Some(start..end);
                    return Err(Unready::Cold(cold));
                }
                Err(unready) => return Err(unready),
            }
        }
        self.open = (start < end).then_some(start..end);
        Ok(())
    }

    fn read(
        &self,
        offset: u64,
        max: usize,
        into: &mut Vec<u8>,
        turn: &mut Turn<'_, '_>,
    ) -> Result<(), Unready> {
        let content = self.content.as_ref().ok_or(Unready::Damaged)?;
        match turn.mail.read(content, offset, max, into)? {
            0 => Err(Unready::Damaged),
            _ => Ok(()),
        }
    }
}

/// Writes a piece that lies in the header block at hand; says whether it does.
pub(super) fn write_from_head(
    piece: &Piece,
    source: &Source,
    head: &[u8],
    is_first: bool,
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
) -> bool {
    let (Source::Bytes(range) | Source::Fields(range)) = source else { return false };
    let (Ok(start), Ok(end)) = (usize::try_from(range.start), usize::try_from(range.end)) else {
        return false;
    };
    let Some(bytes) = head.get(start..end) else { return false };
    if matches!(source, Source::Fields(_)) {
        select_fields(piece, bytes, scratch);
        write_literal(piece, piece.cut_bytes(scratch), is_first, out);
        scratch.clear();
    } else {
        write_literal(piece, bytes, is_first, out);
    }
    true
}

/// The fields of a header block that a piece asks for (RFC 3501 §6.4.5 HEADER.FIELDS).
fn select_fields(piece: &Piece, block: &[u8], out: &mut Vec<u8>) {
    if let SectionText::HeaderFields { not, names } = &piece.section.text {
        let keep = if *not { Keep::Others } else { Keep::Named };
        header::write_fields(block, names, keep, out);
    }
}

fn write_literal(piece: &Piece, bytes: &[u8], is_first: bool, out: &mut Vec<u8>) {
    write_label(piece, is_first, out);
    if bytes.is_empty() {
        out.extend_from_slice(b"\"\"");
    } else {
        emit::literal_head(bytes.len() as u64, out);
        out.extend_from_slice(bytes);
    }
}

fn write_nil(piece: &Piece, is_first: bool, out: &mut Vec<u8>) {
    write_label(piece, is_first, out);
    out.extend_from_slice(b"NIL");
}

fn write_label(piece: &Piece, is_first: bool, out: &mut Vec<u8>) {
    if !is_first {
        out.push(b' ');
    }
    out.extend_from_slice(&piece.label);
}

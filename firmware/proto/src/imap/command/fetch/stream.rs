//! Pieces of a letter in a FETCH response: from the header block at hand, or streamed from flash.

use alloc::{boxed::Box, collections::VecDeque, vec::Vec};
use core::ops::Range;

use mail::{Content, Unready};

use super::{
    long::{LongHeader, Went, fields_of},
    plan::{Piece, Plan, Source},
};
use crate::{
    Want,
    imap::{emit, turn::Turn},
    mime::header,
};

/// Pieces that need the letter.
#[derive(Debug, Default)]
pub(super) struct Streams {
    /// `None` if the letter cannot be read.
    content: Option<Content>,
    waiting: VecDeque<Item>,
    /// What is still to be sent of a literal that has been announced.
    open: Option<Range<u64>>,
    /// The first item that waits, where it is made of a long header block.
    long: Option<Box<LongHeader>>,
    /// Whether the next piece is the first item of its response.
    is_first: bool,
    damaged: bool,
}

/// What is still to be sent.
#[derive(Clone, Debug)]
enum Item {
    /// ENVELOPE, of this header block.
    Envelope(Range<u64>),
    /// A piece by its index in the plan.
    Piece(usize, Source),
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
        self.waiting.push_back(Item::Piece(index, source));
    }

    /// The ENVELOPE is to be made of the header block that stands there.
    pub(super) fn push_envelope(&mut self, block: Range<u64>) {
        self.waiting.push_back(Item::Envelope(block));
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
    pub(super) fn step(&mut self, plan: &Plan, turn: &mut Turn<'_, '_>) -> Streamed {
        loop {
            if turn.output.is_full() {
                return Streamed::Wait(Want::Room);
            }
            if turn.work.is_spent() {
                return Streamed::Wait(Want::Turn);
            }
            if let Some(range) = self.open.take() {
                match self.go_on(range, turn) {
                    Ok(()) => continue,
                    Err(Unready::Cold(cold)) => return Streamed::Wait(Want::Warm(cold)),
                    Err(Unready::Gone | Unready::Damaged) => return Streamed::Broken,
                }
            }
            let (piece, source) = match self.waiting.front() {
                None => return Streamed::Done { damaged: self.damaged },
                Some(Item::Envelope(block)) => (None, Source::Bytes(block.clone())),
                Some(Item::Piece(index, source)) => match plan.pieces.get(*index) {
                    Some(piece) => (Some(piece), source.clone()),
                    None => return Streamed::Broken,
                },
            };
            let stopped = match piece.filter(|_| !matches!(source, Source::Fields(_))) {
                Some(piece) => self.begin_piece(piece, source, turn),
                None => self.go_through(piece, source, turn),
            };
            if let Some(stopped) = stopped {
                return stopped;
            }
        }
    }

    /// The first item that waits is sent, or on its way.
    fn pass(&mut self) {
        self.is_first = false;
        self.waiting.pop_front();
    }

    /// Goes on with an item that is made of a long header block.
    fn go_through(
        &mut self,
        piece: Option<&Piece>,
        source: Source,
        turn: &mut Turn<'_, '_>,
    ) -> Option<Streamed> {
        let mut long = match (self.long.take(), piece, source) {
            (Some(long), ..) => long,
            (None, Some(piece), Source::Fields(block)) => Box::new(LongHeader::fields(block, piece)),
            (None, _, Source::Bytes(block)) => {
                let out = turn.output.buffer();
                out.extend_from_slice(if self.is_first { b"ENVELOPE " } else { b" ENVELOPE " });
                Box::new(LongHeader::envelope(block))
            }
            (None, ..) => return Some(Streamed::Broken),
        };
        match long.step((piece, self.is_first), self.content.as_ref(), turn) {
            Ok(Went::Further) => self.long = Some(long),
            Ok(Went::Done) => self.pass(),
            Err(Unready::Cold(cold)) => {
                self.long = Some(long);
                return Some(Streamed::Wait(Want::Warm(cold)));
            }
            Err(Unready::Gone | Unready::Damaged) if long.has_announced() => return Some(Streamed::Broken),
            Err(Unready::Gone | Unready::Damaged) => {
                self.damaged = true;
                match piece {
                    Some(piece) => {
                        write_nil(piece, self.is_first, turn.output.buffer());
                        self.pass();
                    }
                    // What is written must end well, be it short.
                    None => {
                        long.end_here();
                        self.long = Some(long);
                    }
                }
            }
        }
        None
    }

    /// Begins a piece with its first bytes; what is left of it is open then.
    fn begin_piece(&mut self, piece: &Piece, source: Source, turn: &mut Turn<'_, '_>) -> Option<Streamed> {
        let start = turn.output.buffer().len();
        if let Err(unready) = self.begin(piece, source, turn) {
            turn.output.buffer().truncate(start);
            self.open = None;
            if let Unready::Cold(cold) = unready {
                return Some(Streamed::Wait(Want::Warm(cold)));
            }
            // Nothing of it has left this buffer: the client can be told.
            self.damaged = true;
            write_nil(piece, self.is_first, turn.output.buffer());
        }
        self.pass();
        None
    }

    fn begin(&mut self, piece: &Piece, source: Source, turn: &mut Turn<'_, '_>) -> Result<(), Unready> {
        let out = turn.output.buffer();
        let range = match source {
            Source::Bytes(range) => range,
            Source::Nothing | Source::Fields(_) => {
                write_nil(piece, self.is_first, out);
                return Ok(());
            }
        };
        if range.is_empty() {
            write_literal(piece, &[], self.is_first, out);
            return Ok(());
        }
        write_label(piece, self.is_first, out);
        emit::literal_head(range.end - range.start, out);
        let start = out.len();
        match self.go_on(range, turn) {
            // What came before the cold stretch may go.
            Err(Unready::Cold(_)) if turn.output.buffer().len() > start => Ok(()),
            begun => begun,
        }
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
        let (names, keep) = fields_of(piece);
        header::write_fields(bytes, names, keep, scratch);
        write_literal(piece, piece.cut_bytes(scratch), is_first, out);
        scratch.clear();
    } else {
        write_literal(piece, bytes, is_first, out);
    }
    true
}

pub(super) fn write_literal(piece: &Piece, bytes: &[u8], is_first: bool, out: &mut Vec<u8>) {
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

pub(super) fn write_label(piece: &Piece, is_first: bool, out: &mut Vec<u8>) {
    if !is_first {
        out.push(b' ');
    }
    out.extend_from_slice(&piece.label);
}

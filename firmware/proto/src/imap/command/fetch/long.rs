//! What FETCH makes of a header block that is too long to be at hand: ENVELOPE, and HEADER.FIELDS. The block is read from
//! the letter a piece at a time, as often as it takes, and never held.

use alloc::{boxed::Box, vec::Vec};
use core::ops::Range;

use mail::{Content, Unready};

use super::{
    plan::Piece,
    stream::{write_label, write_literal},
};
use crate::{
    imap::{
        ast::{SectionText, Text},
        emit,
        limits::LONG_HEAD_CHUNK_BYTES,
        rescan::work_of_text,
        turn::Turn,
    },
    mime::{
        LongEnvelope, Next,
        header::{Filter, Keep},
    },
};

/// A header block being gone through.
#[derive(Debug)]
pub(super) struct LongHeader {
    block: Range<u64>,
    /// Where the next piece begins.
    at: u64,
    chunk: Vec<u8>,
    kept: Vec<u8>,
    job: Job,
}

#[derive(Debug)]
enum Job {
    Envelope(Box<LongEnvelope>),
    /// Counting the bytes of the wanted fields: a literal begins with its length.
    Count(Filter, u64),
    /// Sending those of them in the range; so many have been passed.
    Send(Filter, Range<u64>, u64),
}

/// How far it came with one piece of the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Went {
    Further,
    Done,
}

impl LongHeader {
    /// For an ENVELOPE.
    pub(super) fn envelope(block: Range<u64>) -> Self {
        Self::new(block, Job::Envelope(Box::default()))
    }

    /// For HEADER.FIELDS.
    pub(super) fn fields(block: Range<u64>, piece: &Piece) -> Self {
        Self::new(block, Job::Count(Filter::new(fields_of(piece).1), 0))
    }

    fn new(block: Range<u64>, job: Job) -> Self {
        Self { at: block.start, block, chunk: Vec::new(), kept: Vec::new(), job }
    }

    /// Whether a literal has been announced.
    pub(super) const fn has_announced(&self) -> bool {
        matches!(self.job, Job::Send(..))
    }

    /// The letter cannot be read any further: what can be read is all there is.
    pub(super) const fn end_here(&mut self) {
        self.block.end = self.at;
    }

    /// Goes on with the next piece of the block, or at its end. Nothing has happened when it says that it is not ready.
    pub(super) fn step(
        &mut self,
        (piece, is_first): (Option<&Piece>, bool),
        content: Option<&Content>,
        turn: &mut Turn<'_, '_>,
    ) -> Result<Went, Unready> {
        if self.at >= self.block.end {
            return Ok(self.end_of_block(piece, is_first, turn));
        }
        let left = usize::try_from(self.block.end - self.at).unwrap_or(usize::MAX);
        self.chunk.clear();
        let max = left.min(LONG_HEAD_CHUNK_BYTES);
        let content = content.ok_or(Unready::Damaged)?;
        if turn.mail.read(content, self.at, max, &mut self.chunk)? == 0 {
            return Err(Unready::Damaged);
        }
        self.at += self.chunk.len() as u64;
        let names = piece.map_or(&[][..], |piece| fields_of(piece).0);
        turn.work.spend(work_of_text(self.chunk.len().saturating_add(8 * names.len())));
        match &mut self.job {
            Job::Envelope(envelope) => envelope.feed(&self.chunk, turn.output.buffer()),
            Job::Count(filter, _) | Job::Send(filter, ..) => filter.feed(names, &self.chunk, &mut self.kept),
        }
        self.pass_kept(turn);
        Ok(Went::Further)
    }

    /// The block has gone by.
    fn end_of_block(&mut self, piece: Option<&Piece>, is_first: bool, turn: &mut Turn<'_, '_>) -> Went {
        let (names, keep) = piece.map_or((&[][..], Keep::Named), fields_of);
        if let Job::Count(filter, _) | Job::Send(filter, ..) = &mut self.job {
            core::mem::replace(filter, Filter::new(keep)).finish(names, &mut self.kept);
        }
        self.pass_kept(turn);
        self.at = self.block.start;
        match &mut self.job {
            Job::Envelope(envelope) => match envelope.end_of_block(turn.output.buffer()) {
                Next::Again => Went::Further,
                Next::Done => Went::Done,
            },
            Job::Count(_, count) => {
                let Some(piece) = piece else { return Went::Done };
                let wanted = piece.cut(0..*count);
                let out = turn.output.buffer();
                if wanted.is_empty() {
                    write_literal(piece, &[], is_first, out);
                    return Went::Done;
                }
                write_label(piece, is_first, out);
                emit::literal_head(wanted.end - wanted.start, out);
                self.job = Job::Send(Filter::new(keep), wanted, 0);
                Went::Further
            }
            Job::Send(..) => Went::Done,
        }
    }

    /// Counts or sends what the filter has let through.
    fn pass_kept(&mut self, turn: &mut Turn<'_, '_>) {
        let len = self.kept.len() as u64;
        match &mut self.job {
            Job::Envelope(_) => {}
            Job::Count(_, count) => *count += len,
            Job::Send(_, wanted, passed) => {
                let within =
                    |offset: u64| usize::try_from(offset.saturating_sub(*passed).min(len)).unwrap_or(0);
                let wanted = self.kept.get(within(wanted.start)..within(wanted.end));
                turn.output.push(wanted.unwrap_or_default());
                *passed += len;
            }
        }
        self.kept.clear();
    }
}

/// The names in a piece, and what is to happen to fields that have them (RFC 3501 §6.4.5).
pub(super) fn fields_of(piece: &Piece) -> (&[Text], Keep) {
    match &piece.section.text {
        SectionText::HeaderFields { not: true, names } => (names, Keep::Others),
        SectionText::HeaderFields { not: false, names } => (names, Keep::Named),
        _ => (&[], Keep::Named),
    }
}

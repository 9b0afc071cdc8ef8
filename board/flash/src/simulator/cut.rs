//! What a power cut leaves of the programs that no barrier covered.

use alloc::vec::Vec;

use super::random::Random;

/// How the medium is found after the power came back. Everything before the last good barrier is always whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Everything arrived in order; the operation in flight stopped inside a word, whose bits are mixed.
    TornWord,
    /// Everything arrived in order; the operation in flight stopped inside a sector, which reads as noise.
    TornSector,
    /// Every un-barriered unit is, each for itself, old, new or torn.
    OutOfOrder,
    /// Nothing un-barriered arrived.
    AllLost,
    /// All that was completed arrived; what was in flight did not.
    AllKept,
    /// Only the process died: all that was completed is there, and still not behind a barrier.
    Process,
}

impl Cut {
    /// Every mode, for tests that try them all.
    pub const ALL: [Self; 6] =
        [Self::TornWord, Self::TornSector, Self::OutOfOrder, Self::AllLost, Self::AllKept, Self::Process];
}

/// What became of one unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Old,
    New,
    Torn,
}

/// The fate of a unit that is on its own.
pub(super) const fn fate(random: &mut Random) -> Fate {
    match random.below(3) {
        0 => Fate::Old,
        1 => Fate::New,
        _ => Fate::Torn,
    }
}

/// Bytes that a device writes at once.
const WORD: usize = 8;
/// Bytes that a card's controller protects by one checksum.
const SECTOR: usize = 512;

/// A piece of the medium over which a program stopped: whole new pieces, one broken piece, old pieces.
pub(super) fn tear(old: &[u8], new: &[u8], by_word: bool, random: &mut Random) -> Vec<u8> {
    let step = if by_word { WORD } else { SECTOR };
    let broken = random.below(new.len().div_ceil(step) + 1) * step;
    let start = broken.min(new.len());
    let end = (broken + step).min(new.len());
    let mut out = new[..start].to_vec();
    if by_word {
        let mask = random.next().to_le_bytes();
        let mixed = old[start..end].iter().zip(&new[start..end]).zip(mask);
        out.extend(mixed.map(|((old, new), mask)| (old & mask) | (new & !mask)));
    } else {
        out.resize(end, 0);
        random.fill(&mut out[start..end]);
    }
    out.extend_from_slice(&old[end..]);
    out
}

/// As [`tear`], in the manner that `random` chooses.
pub(super) fn tear_somehow(old: &[u8], new: &[u8], random: &mut Random) -> Vec<u8> {
    let by_word = random.below(2) == 0;
    tear(old, new, by_word, random)
}

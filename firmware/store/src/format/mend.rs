//! Mending a frame in which one bit has flipped: a CRC says which one it must have been.
//!
//! CRC-32C tells all single flipped bits of a frame apart (its distance is at least 4 at every length used here). What
//! is damaged worse passes for mended about once in 2^32 / (bits of the frame) times; so this is for frames on which
//! much depends, which are checked further when they are decoded, and never for the tail of a log, where what does
//! not verify was torn.

use alloc::vec::Vec;

use super::frame::{FRAME_BYTES, Frame, Seed, verifies};
use super::u32_at;

/// The polynomial of CRC-32C, lowest bit first.
const POLYNOMIAL: u32 = 0x82F6_3B78;

/// The frame (and payload, exactly) that began at `offset` of the segment with this seed, and of which `bytes` are what
/// is there now and whatever follows, if at most one of its bits has flipped and `fits` says that it may be the one.
pub(crate) fn mend(seed: Seed, offset: u32, bytes: &[u8], fits: impl Fn(&Frame) -> bool) -> Option<Vec<u8>> {
    let whole = |bytes: &[u8]| {
        let frame = Frame::parse(bytes).filter(|frame| fits(frame))?;
        Some(bytes.get(..frame.bytes())?.to_vec())
    };
    if let Some(mut frame) = whole(bytes) {
        if verifies(seed, offset, &frame) {
            return Some(frame);
        }
        let syndrome = u32_at(&frame, 0) ^ seed.crc(offset, &frame);
        let bit = flipped(syndrome, frame.len() - size_of::<u32>())?;
        let byte = frame.get_mut(bit / 8)?;
        *byte ^= 1 << (bit % 8);
        return verifies(seed, offset, &frame).then_some(frame);
    }
    // Length or kind are wrong: then the flipped bit is one of the first ones.
    (0..FRAME_BYTES * 8).find_map(|bit| {
        let mut bytes = bytes.to_vec();
        *bytes.get_mut(bit / 8)? ^= 1 << (bit % 8);
        whole(&bytes).filter(|frame| verifies(seed, offset, frame))
    })
}

/// Which bit of a frame has flipped, if one did, when the CRC that stands there and the one that is computed over the
/// `len` bytes behind it differ by `syndrome`.
fn flipped(syndrome: u32, len: usize) -> Option<usize> {
    if syndrome.is_power_of_two() {
        return Some(syndrome.trailing_zeros() as usize);
    }
    let mut effect = POLYNOMIAL;
    for bit in (0..len * 8).rev() {
        if effect == syndrome {
            return Some(bit + u32::BITS as usize);
        }
        effect = (effect >> 1) ^ if effect & 1 == 1 { POLYNOMIAL } else { 0 };
    }
    None
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::super::frame::{self, kind};
    use super::*;

    fn page(len: usize) -> (Seed, Vec<u8>) {
        let seed = Seed::new(b"0123456789abcdef", 5);
        let mut bytes = Vec::new();
        let start = frame::open(&mut bytes);
        bytes.extend((0..len).map(|at| (at * at) as u8));
        frame::close(&mut bytes, start, kind::PAGE);
        frame::seal(seed, 64, &mut bytes[..FRAME_BYTES + len]);
        (seed, bytes)
    }

    #[test]
    fn every_flipped_bit_is_found() {
        for len in [0, 1, 50, 301] {
            let (seed, whole) = page(len);
            let frame = &whole[..FRAME_BYTES + len];
            let fits = |frame: &Frame| frame.kind == kind::PAGE && frame.span() == whole.len();
            for bit in 0..frame.len() * 8 {
                let mut bytes = whole.clone();
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(mend(seed, 64, &bytes, fits).as_deref(), Some(frame), "bit {bit} of {len}");
            }
            assert_eq!(mend(seed, 64, &whole, fits).as_deref(), Some(frame));
            assert_eq!(mend(seed, 72, &whole, fits), None, "another place");
        }
    }

    #[test]
    fn two_flipped_bits_are_not_mended() {
        let (seed, whole) = page(200);
        for (one, two) in (0..200).flat_map(|one| (one + 1..200).step_by(7).map(move |two| (one, two))) {
            let mut bytes = whole.clone();
            bytes[FRAME_BYTES + one] ^= 1;
            bytes[FRAME_BYTES + two] ^= 0x10;
            assert_eq!(mend(seed, 64, &bytes, |frame| frame.kind == kind::PAGE), None);
        }
    }
}

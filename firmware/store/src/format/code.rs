//! Encoding of payloads: postcard, into a growing buffer and out of a slice, with sequences read one item at a time.

use alloc::vec::Vec;
use core::marker::PhantomData;

use postcard::ser_flavors::Flavor;
use serde::{Deserialize, Serialize, Serializer};

/// Bytes, written as one piece. (serde's own `&[u8]` goes byte by byte.) The encoding is the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(crate) struct Bytes<'a>(#[serde(borrow)] pub(crate) &'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// Postcard's output: the end of a vector.
struct Append<'a>(&'a mut Vec<u8>);

impl Flavor for Append<'_> {
    type Output = ();

    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(data);
        Ok(())
    }

    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.0.push(data);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}

/// Appends `value` to `out`.
///
/// # Errors
/// None for the types of this crate: their sequences know their lengths.
pub(crate) fn put<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) -> postcard::Result<()> {
    postcard::serialize_with_flavor(value, Append(out))
}

/// Appends a sequence: its length, then its items.
///
/// # Errors
/// As [`put`].
pub(crate) fn put_seq<T: Serialize>(
    out: &mut Vec<u8>,
    items: impl ExactSizeIterator<Item = T>,
) -> postcard::Result<()> {
    put(out, &(items.len() as u32))?;
    for item in items {
        put(out, &item)?;
    }
    Ok(())
}

/// Reads a value from the beginning of `bytes` and moves them behind it. `None` when they hold none.
pub(crate) fn take<'a, T: Deserialize<'a>>(bytes: &mut &'a [u8]) -> Option<T> {
    let (value, rest) = postcard::take_from_bytes(bytes).ok()?;
    *bytes = rest;
    Some(value)
}

/// Appends a number in groups of 7 bits, the lowest first, as postcard does.
pub(crate) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7F {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Reads a number from the beginning of `bytes` and moves them behind it.
pub(crate) fn take_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7F) << shift;
        if *byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Appends the difference between two numbers: small ones, up or down, take few bytes.
pub(crate) fn put_difference(out: &mut Vec<u8>, number: u64, before: u64) {
    let difference = number.wrapping_sub(before).cast_signed();
    put_number(out, ((difference << 1) ^ (difference >> 63)).cast_unsigned());
}

/// Reads what [`put_difference`] wrote.
pub(crate) fn take_difference(bytes: &mut &[u8], before: u64) -> Option<u64> {
    let folded = take_number(bytes)?;
    Some(before.wrapping_add((folded >> 1) ^ (folded & 1).wrapping_neg()))
}

/// A sequence that is decoded as it is walked; it ends early where its bytes do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Items<'a, T> {
    left: u32,
    bytes: &'a [u8],
    of: PhantomData<T>,
}

impl<'a, T: Deserialize<'a>> Items<'a, T> {
    /// The sequence at the beginning of `bytes`, which are left where they are.
    pub(crate) fn new(mut bytes: &'a [u8]) -> Option<Self> {
        let left = take(&mut bytes)?;
        Some(Self { left, bytes, of: PhantomData })
    }

    /// Walks to the end and returns what follows.
    pub(crate) fn skip_all(mut self) -> Option<&'a [u8]> {
        while self.left > 0 {
            self.next()?;
        }
        Some(self.bytes)
    }
}

impl<'a, T: Deserialize<'a>> Iterator for Items<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.left = self.left.checked_sub(1)?;
        let item = take(&mut self.bytes);
        if item.is_none() {
            self.left = 0;
        }
        item
    }
}

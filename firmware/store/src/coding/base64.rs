//! Base64 between whole quanta and the bytes that they encode (RFC 4648 §4). Knows no lines; touches nothing else.
//!
//! Libraries for this are made for texts as a whole. What is needed here is narrower and can be quicker to set up: the
//! stretch of one line of 76 characters, straight into its place.

/// Characters of a quantum, and the bytes that it encodes.
pub(super) const QUANTUM_CHARS: usize = 4;
/// See [`QUANTUM_CHARS`].
pub(super) const QUANTUM_BYTES: usize = 3;

/// Fills up the last quantum.
pub(super) const PAD: u8 = b'=';

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Marks in [`VALUES`] what is not in the alphabet; above all values, so that one OR over a line finds it.
const FOREIGN: u8 = 0x80;

/// What each character stands for.
static VALUES: [u8; 256] = {
    let mut values = [FOREIGN; 256];
    let mut value = 0;
    while value < ALPHABET.len() {
        values[ALPHABET[value] as usize] = value as u8;
        value += 1;
    }
    values
};

/// Two characters for each 12 bits: half the look-ups of one character for 6, in 8 KiB that stay in the cache.
static PAIRS: [[u8; 2]; 1 << 12] = {
    let mut pairs = [[0; 2]; 1 << 12];
    let mut bits = 0;
    while bits < pairs.len() {
        pairs[bits] = [ALPHABET[bits >> 6], ALPHABET[bits & 63]];
        bits += 1;
    }
    pairs
};

fn value(char: u8) -> u8 {
    VALUES[usize::from(char)]
}

/// Whether a byte is one of the 64 characters; the padding is not.
pub(super) fn is_char(byte: u8) -> bool {
    value(byte) < FOREIGN
}

/// Whether all bytes are characters. Looks at every one, which for a whole line is quicker than asking after each.
pub(super) fn all_chars(bytes: &[u8]) -> bool {
    bytes.iter().fold(0, |seen, byte| seen | value(*byte)) < FOREIGN
}

/// Writes quanta for `bytes`, the last one padded. `out` has room for them exactly; what it has more is left alone.
pub(super) fn encode(bytes: &[u8], out: &mut [u8]) {
    let (whole, rest) = bytes.as_chunks::<QUANTUM_BYTES>();
    let (quanta, _) = out.as_chunks_mut::<QUANTUM_CHARS>();
    let mut quanta = quanta.iter_mut();
    for (&[a, b, c], quantum) in whole.iter().zip(&mut quanta) {
        *quantum = chars(u32::from_be_bytes([0, a, b, c]));
    }
    let last = match *rest {
        [a] => with_padding(chars(u32::from_be_bytes([0, a, 0, 0])), 2),
        [a, b] => with_padding(chars(u32::from_be_bytes([0, a, b, 0])), 1),
        _ => return,
    };
    if let Some(quantum) = quanta.next() {
        *quantum = last;
    }
}

fn chars(bits: u32) -> [u8; QUANTUM_CHARS] {
    let [a, b] = PAIRS[(bits >> 12) as usize & 0xFFF];
    let [c, d] = PAIRS[bits as usize & 0xFFF];
    [a, b, c, d]
}

fn with_padding([a, b, c, _]: [u8; QUANTUM_CHARS], pads: usize) -> [u8; QUANTUM_CHARS] {
    [a, b, if pads == 2 { PAD } else { c }, PAD]
}

/// Writes the bytes that whole quanta without padding encode. `out` has room for them exactly. What foreign characters
/// yield is arbitrary: callers have looked, and compare what they made.
pub(super) fn decode(quanta: &[u8], out: &mut [u8]) {
    let (quanta, _) = quanta.as_chunks::<QUANTUM_CHARS>();
    let (places, _) = out.as_chunks_mut::<QUANTUM_BYTES>();
    for (quantum, place) in quanta.iter().zip(places) {
        let [_, bytes @ ..] = bits(*quantum).to_be_bytes();
        *place = bytes;
    }
}

fn bits([a, b, c, d]: [u8; QUANTUM_CHARS]) -> u32 {
    let [a, b, c, d] = [a, b, c, d].map(|char| u32::from(value(char)));
    a << 18 | b << 12 | c << 6 | d
}

/// The one or two bytes that a padded quantum encodes, when it is canonical: the bits that it does not need are zero.
pub(super) fn decode_padded(quantum: [u8; QUANTUM_CHARS]) -> Option<([u8; 2], usize)> {
    let (filled, len) = match quantum {
        [a, b, PAD, PAD] => ([a, b, b'A', b'A'], 1),
        [a, b, c, PAD] => ([a, b, c, b'A'], 2),
        _ => return None,
    };
    let [_, bytes @ .., last] = bits(filled).to_be_bytes();
    let spare_is_zero = last == 0 && (len == 2 || bytes[1] == 0);
    (all_chars(&filled) && spare_is_zero).then_some((bytes, len))
}

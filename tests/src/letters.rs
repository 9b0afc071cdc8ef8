//! Letters to send: any number of different ones made from a number, and Japanese ones kept as files.

use std::fmt::Write;

/// The header that tells one test letter from another.
pub const ID_HEADER: &str = "X-Test-Letter";

/// Width of a body line without its CRLF.
const LINE: usize = 76;

/// A letter of about this size in bytes whose every byte follows from its number.
pub fn numbered(number: u64, size: usize) -> Vec<u8> {
    let mut text = String::with_capacity(size + 512);
    write!(
        text,
        "From: Load <load@client.test>\r\n\
         To: undisclosed-recipients:;\r\n\
         Subject: Letter {number}\r\n\
         Date: Sun, 22 Nov 2026 10:00:00 +0900\r\n\
         Message-ID: <{number}@client.test>\r\n\
         {ID_HEADER}: {number}/{size}\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=us-ascii\r\n\
         \r\n"
    )
    .expect("a string takes all");
    let mut random = Random::new(number);
    while text.len() < size {
        for _ in 0..LINE.min((size - text.len()).max(1)) {
            text.push(char::from(b'!' + (random.next() % 90) as u8));
        }
        text.push_str("\r\n");
    }
    text.into_bytes()
}

/// The letter that claims to be numbered in its header, made again: its number, and the bytes that it must have.
/// `None` where no such header is found.
pub fn remake(received: &[u8]) -> Option<(u64, Vec<u8>)> {
    let head = &received[..received.len().min(8 * 1024)];
    let (number, size) = id_in(&String::from_utf8_lossy(head))?;
    Some((number, numbered(number, size)))
}

/// The number and size in the first such header of a text.
pub fn id_in(text: &str) -> Option<(u64, usize)> {
    let start = text.to_ascii_lowercase().find(&format!("{}: ", ID_HEADER.to_ascii_lowercase()))?;
    let value = text[start + ID_HEADER.len() + 2..].lines().next()?;
    let (number, size) = value.trim().split_once('/')?;
    Some((number.parse().ok()?, size.parse().ok()?))
}

/// A short letter with this subject and text, and every header that a server might want to add.
pub fn short(subject: &str, text: &str) -> Vec<u8> {
    format!(
        "From: Ann <ann@client.test>\r\nTo: you@example.test\r\nDate: Sun, 22 Nov 2026 10:00:00 +0900\r\n\
         Message-ID: <{}@client.test>\r\nSubject: {subject}\r\n\r\n{text}\r\n",
        subject.replace(' ', "-")
    )
    .into_bytes()
}

/// Japanese letters as real programs send them: their names, and their bytes.
pub const JAPANESE: [(&str, &[u8]); 8] = [
    ("ISO-2022-JP", include_bytes!("../letters/iso-2022-jp.eml")),
    ("ISO-2022-JP with half-width kana", include_bytes!("../letters/iso-2022-jp-kana.eml")),
    ("ISO-2022-JP with vendor rows", include_bytes!("../letters/iso-2022-jp-vendor.eml")),
    ("Shift_JIS", include_bytes!("../letters/shift-jis.eml")),
    ("Shift_JIS without a label", include_bytes!("../letters/shift-jis-unlabelled.eml")),
    ("EUC-JP", include_bytes!("../letters/euc-jp.eml")),
    ("UTF-8", include_bytes!("../letters/utf-8.eml")),
    ("UTF-8 headers as they are", include_bytes!("../letters/utf-8-headers.eml")),
];

/// Splitmix64: the same numbers from the same seed, everywhere.
#[derive(Debug)]
pub struct Random(u64);

impl Random {
    /// A sequence that follows from its seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    #[expect(clippy::should_implement_trait, reason = "an endless sequence needs no Option")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below a bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_numbered_letter_is_made_again_from_its_header() {
        for (number, size) in [(1, 600), (7, 8192), (u64::MAX, 100_000)] {
            let letter = numbered(number, size);
            assert!(letter.len() >= size && letter.len() < size + LINE + 600);
            let received = [b"Received: from x\r\n".as_slice(), &letter].concat();
            assert_eq!(remake(&received), Some((number, letter)));
        }
        assert_eq!(remake(b"Subject: x\r\n\r\n"), None);
    }

    #[test]
    fn lines_stay_within_what_smtp_allows() {
        let letter = numbered(3, 10_000);
        assert!(letter.split(|byte| *byte == b'\n').all(|line| line.len() <= 998));
        assert!(letter.ends_with(b"\r\n"));
    }
}

//! Measures how frames are stored: what is gained on a made-up office's mail, and what it costs in processor time.
//!
//! `cargo run --release -p store --example coding`
//!
//! The letters come from a generator with a fixed seed, so two runs differ in times only. Words follow Zipf's law,
//! replies quote, newsletters repeat their tables. A third of all bytes are base64 of attachments. The bytes given are
//! those of bodies, which is what extents hold: header blocks stand in the metadata.

#![expect(clippy::expect_used, reason = "a measurement that cannot go on says why and ends")]

#[path = "rig/clock.rs"]
mod clock;

use std::time::Duration;

use clock::processor_ns;
use store::coding::{Coder, Encoding, decode};
use store::limits::EXTENT_BYTES_MAX;

/// How long each direction is measured for each kind.
const MEASURED: Duration = Duration::from_millis(400);

/// Numbers that look random and are the same in each run (xorshift64*).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: usize) -> usize {
        (((self.next() >> 32) * end as u64) >> 32) as usize
    }

    fn between(&mut self, from: usize, to: usize) -> usize {
        from + self.below(to - from)
    }

    /// An index below `end`; the k-th comes about 1/k as often as the first.
    fn zipf(&mut self, end: usize) -> usize {
        let share = self.below(1 << 20) as f64 / f64::from(1 << 20);
        ((end as f64).powf(share) as usize - 1).min(end - 1)
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| (self.next() >> 56) as u8).collect()
    }
}

/// The words of a language, the most frequent first.
struct Language {
    words: Vec<Vec<u8>>,
    space: &'static [u8],
    stop: &'static [u8],
}

const FREQUENT: &str = "the of and to in a is that for it on you with as we be this are at have will from by \
    not or your our can please if has an all was i but which they any would there more been when one so about \
    me no meeting order thank thanks regards attached file please price offer delivery invoice customer week \
    monday tuesday friday tomorrow project report time number office company team could should see send sent \
    know need new first next last month date information question answer contract draft version";

const SYLLABLES: &str = "an ter con re tion de in pro ment com er al is or ex en ing at es per sta ti on ma ra \
    le ven tor duc lin ver por ble sys tem ness ly ed ic un ca";

const WORDS: usize = 4_000;

const CELL: &str = "<table width=\"600\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\"><tr><td align=\"left\" \
    style=\"font-family:Arial,Helvetica,sans-serif;font-size:14px;line-height:20px;color:#333333\">\r\n";

const TEXT_PART: &str = "--=_part_7F3A91\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Transfer-Encoding: 7bit\r\n\r\n";

const FILE_PART: &str = "\r\n--=_part_7F3A91\r\nContent-Type: application/octet-stream; name=\"NAME\"\r\n\
    Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"NAME\"\r\n\r\n";

const PDF_PAGE: &str = " 0 obj\r\n<< /Type /Page /Parent 2 0 R /Resources << /Font << /F1 5 0 R >> >> \
    /MediaBox [0 0 595 842] /Contents 7 0 R >>\r\nstream\r\n";

impl Language {
    fn english(dice: &mut Dice) -> Self {
        let syllables: Vec<&str> = SYLLABLES.split_whitespace().collect();
        let mut words: Vec<Vec<u8>> =
            FREQUENT.split_whitespace().map(|word| word.as_bytes().to_vec()).collect();
        while words.len() < WORDS {
            let parts = dice.between(2, 5);
            words.push((0..parts).flat_map(|_| syllables[dice.below(syllables.len())].bytes()).collect());
        }
        Self { words, space: b" ", stop: b". " }
    }

    /// Particles first, then words of kana and of kanji; in UTF-8.
    fn japanese(dice: &mut Dice) -> Self {
        let words = (0..WORDS).map(|rank| {
            let len = if rank < 40 { dice.between(1, 3) } else { dice.between(2, 5) };
            let kana = rank < 40 || dice.below(3) == 0;
            let first = if kana { 0x3042 } else { 0x4E00 };
            let many = if kana { 80 } else { 2_000 };
            let chars = (0..len).filter_map(|_| char::from_u32(first + dice.zipf(many) as u32));
            chars.collect::<String>().into_bytes()
        });
        Self { words: words.collect(), space: b"", stop: "。".as_bytes() }
    }

    /// The same in ISO-2022-JP: two bytes a character, between escapes.
    fn japanese_7bit(dice: &mut Dice) -> Self {
        let words = (0..WORDS).map(|rank| {
            let len = if rank < 40 { dice.between(1, 3) } else { dice.between(2, 5) };
            let kana = rank < 40 || dice.below(3) == 0;
            let mut word = Vec::new();
            for _ in 0..len {
                let at = dice.zipf(if kana { 80 } else { 2_000 });
                word.extend(if kana {
                    [0x24, 0x21 + at as u8]
                } else {
                    [0x30 + (at / 94) as u8, 0x21 + (at % 94) as u8]
                });
            }
            word
        });
        Self { words: words.collect(), space: b"", stop: b"!#" }
    }

    /// A paragraph of about `len` bytes without line ends.
    fn sentences(&self, dice: &mut Dice, len: usize) -> Vec<u8> {
        let mut text = Vec::new();
        while text.len() < len {
            for _ in 0..dice.between(4, 18) {
                text.extend(&self.words[dice.zipf(self.words.len())]);
                text.extend(self.space);
            }
            text.extend(self.stop);
        }
        text
    }
}

/// Breaks bytes into lines of `width`.
fn lines(bytes: &[u8], width: usize, before: &[u8], behind: &[u8]) -> Vec<u8> {
    bytes.chunks(width).flat_map(|line| [before, line, behind].concat()).collect()
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut chars = Vec::with_capacity(bytes.len() / 3 * 4 + 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let filled = place <= group.len();
            chars.push(if filled { ALPHABET[(bits >> (18 - 6 * place)) as usize & 63] } else { b'=' });
        }
    }
    lines(&chars, 76, b"", b"\r\n")
}

fn quoted_printable(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut column = 0;
    for byte in bytes {
        let plain = matches!(byte, b' '..=b'~') && *byte != b'=';
        let piece = if plain { vec![*byte] } else { format!("={byte:02X}").into_bytes() };
        if column + piece.len() > 75 {
            text.extend(b"=\r\n");
            column = 0;
        }
        column += piece.len();
        text.extend(piece);
    }
    text.extend(b"\r\n");
    text
}

/// What the office gets.
struct Office {
    dice: Dice,
    english: Language,
    japanese: Language,
    japanese_7bit: Language,
}

impl Office {
    fn new() -> Self {
        let mut dice = Dice(0x7E6A_31C5_0D2F_9B47);
        let english = Language::english(&mut dice);
        let japanese = Language::japanese(&mut dice);
        let japanese_7bit = Language::japanese_7bit(&mut dice);
        Self { dice, english, japanese, japanese_7bit }
    }

    /// A letter of some paragraphs; half of them answer, and quote what they answer.
    fn english_text(&mut self) -> Vec<u8> {
        let len = self.dice.between(400, 3_000);
        let own = lines(&self.english.sentences(&mut self.dice, len), 72, b"", b"\r\n");
        let mut text = [
            b"Hello,\r\n\r\n",
            &own[..],
            b"\r\nBest regards,\r\nA. Example\r\n-- \r\nExample Office Ltd.\r\n",
        ]
        .concat();
        for depth in 0..self.dice.below(3) {
            let len = self.dice.between(500, 4_000);
            let quoted = self.english.sentences(&mut self.dice, len);
            text.extend(b"\r\nOn Monday, B. Sample wrote:\r\n");
            text.extend(lines(&quoted, 70, &b"> > > "[..2 * depth + 2], b"\r\n"));
        }
        text
    }

    fn japanese_7bit_text(&mut self) -> Vec<u8> {
        let len = self.dice.between(600, 4_000);
        let text = self.japanese_7bit.sentences(&mut self.dice, len);
        lines(&text, 70, b"\x1B$B", b"\x1B(B\r\n")
    }

    fn japanese_base64(&mut self) -> Vec<u8> {
        let len = self.dice.between(600, 4_000);
        base64(&lines(&self.japanese.sentences(&mut self.dice, len), 105, b"", b"\r\n"))
    }

    fn japanese_quoted(&mut self) -> Vec<u8> {
        let len = self.dice.between(600, 4_000);
        quoted_printable(&self.japanese.sentences(&mut self.dice, len))
    }

    /// Tables in tables, links with a long token each, a style for every cell.
    fn newsletter(&mut self) -> Vec<u8> {
        let mut html =
            b"<!DOCTYPE html><html><body style=\"margin:0;padding:0;background-color:#f4f4f4\">".to_vec();
        for _ in 0..self.dice.between(8, 60) {
            let len = self.dice.between(60, 500);
            let language = if self.dice.below(3) == 0 { &self.japanese } else { &self.english };
            let text = language.sentences(&mut self.dice, len);
            let token: String = (0..24).map(|_| format!("{:02x}", self.dice.next() >> 56)).collect();
            html.extend(CELL.as_bytes());
            html.extend(text);
            html.extend(b"\r\n<a href=\"https://news.example.test/click/");
            html.extend(token.as_bytes());
            html.extend(b"\" style=\"color:#0066cc;text-decoration:none\">");
            html.extend(self.english.sentences(&mut self.dice, 20));
            html.extend(b"</a></td></tr></table>\r\n");
        }
        html.extend(b"</body></html>\r\n");
        if self.dice.below(2) == 0 { quoted_printable(&html) } else { html }
    }

    /// A header that repeats, then what an entropy coder left.
    fn jpeg(&mut self) -> Vec<u8> {
        let len = self.dice.between(40_000, 600_000);
        [&b"\xFF\xD8\xFF\xE0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"[..], &self.dice.bytes(len)].concat()
    }

    /// Names and numbers, then deflated contents, in turns; a directory at the end.
    fn zip(&mut self) -> Vec<u8> {
        let mut file = Vec::new();
        let mut names = Vec::new();
        for part in 0..self.dice.between(8, 20) {
            let name = format!("word/part{part}.xml");
            let len = self.dice.between(500, 20_000);
            file.extend(b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0");
            file.extend(name.as_bytes());
            file.extend(self.dice.bytes(len));
            names.extend(b"PK\x01\x02-\0\x14\0\x06\0\x08\0\0\0!\0");
            names.extend(name.as_bytes());
        }
        [file, names].concat()
    }

    /// Objects and a table of places in text, between them streams: most deflated, one in four drawing operators.
    fn pdf(&mut self) -> Vec<u8> {
        let mut file = b"%PDF-1.7\r\n".to_vec();
        let mut places = String::from("xref\r\n");
        for object in 1..self.dice.between(20, 120) {
            places += &format!("{:010} 00000 n\r\n", file.len());
            file.extend(object.to_string().as_bytes());
            file.extend(PDF_PAGE.as_bytes());
            let len = self.dice.between(200, 4_000);
            if self.dice.below(4) > 0 {
                file.extend(self.dice.bytes(len));
            } else {
                for _ in 0..len / 30 {
                    let (x, y) = (self.dice.below(595), self.dice.below(842));
                    file.extend(format!("1 0 0 1 {x} {y} cm 0 {y} m {x} 0 l S\r\n").as_bytes());
                }
            }
            file.extend(b"\r\nendstream\r\nendobj\r\n");
        }
        file.extend(places.as_bytes());
        file
    }

    /// A short text and one attachment.
    fn attached(&mut self, name: &str, file: &[u8]) -> Vec<u8> {
        let text = self.english_text();
        let head = FILE_PART.replace("NAME", name);
        [TEXT_PART.as_bytes(), &text, head.as_bytes(), &base64(file), b"\r\n--=_part_7F3A91--\r\n"].concat()
    }
}

/// Letters of one kind, as frames.
struct Kind {
    name: &'static str,
    frames: Vec<Vec<u8>>,
    bytes: usize,
}

impl Kind {
    /// Letters until there are `bytes` of them, in whole extents and a rest each.
    fn made(name: &'static str, bytes: usize, mut letter: impl FnMut() -> Vec<u8>) -> Self {
        let mut kind = Self { name, frames: Vec::new(), bytes: 0 };
        while kind.bytes < bytes {
            let letter = letter();
            kind.bytes += letter.len();
            kind.frames.extend(letter.chunks(EXTENT_BYTES_MAX).map(<[u8]>::to_vec));
        }
        kind
    }
}

/// An office's mail; a third of its bytes are base64 of attachments.
fn mix() -> Vec<Kind> {
    const PERCENT: usize = 240_000;
    let mut office = Office::new();
    vec![
        Kind::made("text, English", 12 * PERCENT, || office.english_text()),
        Kind::made("text, ISO-2022-JP", 8 * PERCENT, || office.japanese_7bit_text()),
        Kind::made("text, UTF-8 in base64", 8 * PERCENT, || office.japanese_base64()),
        Kind::made("text, UTF-8 quoted-pr.", 6 * PERCENT, || office.japanese_quoted()),
        Kind::made("newsletters, HTML", 32 * PERCENT, || office.newsletter()),
        Kind::made("attached JPEG", 15 * PERCENT, || {
            let file = office.jpeg();
            office.attached("picture.jpg", &file)
        }),
        Kind::made("attached PDF", 11 * PERCENT, || {
            let file = office.pdf();
            office.attached("invoice.pdf", &file)
        }),
        Kind::made("attached docx", 8 * PERCENT, || {
            let file = office.zip();
            office.attached("report.docx", &file)
        }),
    ]
}

/// Stored bytes, and time for all frames in each direction.
struct Outcome {
    stored: usize,
    encode: Duration,
    decode: Duration,
    encodings: [usize; 4],
}

/// Processor time since [`processor_ns`] was asked.
fn since(begun: u64) -> Duration {
    Duration::from_nanos(processor_ns() - begun)
}

/// Time of one round, from as many as [`MEASURED`] holds.
fn per_round(mut round: impl FnMut()) -> Duration {
    round();
    let begun = processor_ns();
    let mut rounds = 0;
    while since(begun) < MEASURED {
        round();
        rounds += 1;
    }
    since(begun) / rounds
}

fn measure(coder: &mut Coder, kind: &Kind) -> Outcome {
    let mut encodings = [0; 4];
    let mut original = Vec::new();
    let stored: Vec<(Encoding, Vec<u8>)> = kind
        .frames
        .iter()
        .map(|frame| {
            let coded = coder.encode(frame);
            encodings[usize::from(coded.encoding.number())] += 1;
            decode(coded.encoding, coded.bytes, frame.len(), &mut original)
                .expect("what was made is decoded");
            assert!(original == *frame, "a frame comes back byte for byte");
            (coded.encoding, coded.bytes.to_vec())
        })
        .collect();
    let encode = per_round(|| {
        for frame in &kind.frames {
            std::hint::black_box(coder.encode(frame));
        }
    });
    let decode = per_round(|| {
        for (frame, (encoding, bytes)) in kind.frames.iter().zip(&stored) {
            decode(*encoding, bytes, frame.len(), &mut original).expect("decoded before");
            std::hint::black_box(&original);
        }
    });
    let stored = stored.iter().map(|(_, bytes)| bytes.len()).sum();
    Outcome { stored, encode, decode, encodings }
}

fn line(name: &str, bytes: usize, outcome: &Outcome) {
    let speed = |time: Duration| bytes as f64 / time.as_secs_f64() / 1e6;
    println!(
        "{name:<24} {:>6.1} MB  stored {:>5.1} %  encode {:>5.0} MB/s  decode {:>5.0} MB/s  frames {:?}",
        bytes as f64 / 1e6,
        100.0 * outcome.stored as f64 / bytes as f64,
        speed(outcome.encode),
        speed(outcome.decode),
        outcome.encodings,
    );
}

fn main() {
    let mut coder = Coder::new();
    let mut all = Outcome { stored: 0, encode: Duration::ZERO, decode: Duration::ZERO, encodings: [0; 4] };
    let kinds = mix();
    println!("frames are counted by encoding: raw, base64, compressed, both");
    for kind in &kinds {
        let outcome = measure(&mut coder, kind);
        line(kind.name, kind.bytes, &outcome);
        all.stored += outcome.stored;
        all.encode += outcome.encode;
        all.decode += outcome.decode;
        all.encodings.iter_mut().zip(outcome.encodings).for_each(|(sum, part)| *sum += part);
    }
    line("the mix", kinds.iter().map(|kind| kind.bytes).sum(), &all);
    let mut dice = Dice(1);
    let noise = Kind::made("noise, ends raw", 8 << 20, || dice.bytes(EXTENT_BYTES_MAX));
    line(noise.name, noise.bytes, &measure(&mut coder, &noise));
    let noise = Kind::made("noise in base64", 8 << 20, || base64(&dice.bytes(1 << 20)));
    line(noise.name, noise.bytes, &measure(&mut coder, &noise));
    println!("the coder holds {} KiB", coder.memory() >> 10);
}

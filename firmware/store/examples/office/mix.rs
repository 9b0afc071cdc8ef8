//! The reference mix: what kinds of letters there are, and how large.
//!
//! The mean is 15.6 KB, and the distribution has a heavy tail: half of all letters are below 5.5 KB, nine in ten below
//! 40 KB, and the one in a hundred that carries a file makes a third of all bytes. `year --mix` prints the quantiles.

use super::dice::Dice;

/// What a letter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Written by a person: some lines of text, often the letter that it answers quoted below.
    Note,
    /// Written by a machine for one reader: orders, invoices, tickets, reports. HTML, or text and HTML.
    Notice,
    /// HTML with tables and links, pictures left on a server.
    Newsletter,
    /// What nobody asked for.
    Junk,
    /// A note with a file: 0.1 to 5 MB in base64.
    File,
}

/// A letter: lengths alone, because a store without frames does not look at the bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Letter {
    pub(crate) number: u64,
    pub(crate) kind: Kind,
    /// All of it, header block included, in bytes.
    pub(crate) size: u32,
    /// Header block, in bytes.
    pub(crate) head: u32,
    /// What a listing needs beside the header block (envelope, structure, preview), in bytes.
    pub(crate) summary: u32,
}

/// How a kind's sizes are distributed: median and sigma of a lognormal, ends, in bytes.
struct Sizes {
    median: f64,
    sigma: f64,
    ends: (f64, f64),
}

/// Body of a note: 20 lines in the median; quoted threads make some ten times as long. With the header block most notes
/// have 2 to 6 KB.
const NOTE: Sizes = Sizes { median: 1_700.0, sigma: 0.8, ends: (80.0, 60e3) };
/// Templates of shops and ticket systems: text and HTML, styles inline.
const NOTICE: Sizes = Sizes { median: 6_500.0, sigma: 0.7, ends: (500.0, 80e3) };
/// Senders keep below the 102 KB at which large providers cut letters off; most have 20 to 60 KB.
const NEWSLETTER: Sizes = Sizes { median: 27_500.0, sigma: 0.45, ends: (8e3, 105e3) };
/// Short, so that it is cheap to send.
const JUNK: Sizes = Sizes { median: 4_500.0, sigma: 0.9, ends: (400.0, 100e3) };
/// What is attached in an office: a page as PDF has 100 KB, a presentation or a scan some MB; larger ones are refused
/// somewhere on their way.
const FILE: Sizes = Sizes { median: 260_000.0, sigma: 0.95, ends: (100e3, 5e6) };

/// Header block of a letter from outside: two or three hops with TLS details, SPF and DKIM results, one or two
/// signatures, threads of references; what large providers add makes some twice as long.
const HEAD_OUTSIDE: Sizes = Sizes { median: 2_600.0, sigma: 0.45, ends: (900.0, 12e3) };
/// Header block of a letter that has only passed this box, or none.
const HEAD_INSIDE: Sizes = Sizes { median: 750.0, sigma: 0.25, ends: (450.0, 2e3) };

/// A summary has some 800 bytes for a plain note, 1,200 with an attachment or a preview in Japanese: measured with
/// `proto::mime::Scanner` on letters of these kinds.
const SUMMARY: (f64, f64) = (700.0, 1_250.0);

/// What comes from outside. Junk is what a provider's or the box's filter lets pass; a third of what is left is bulk
/// that somebody subscribed to. One letter in a hundred has a file.
const FROM_OUTSIDE: [(f64, Kind); 5] = [
    (0.40, Kind::Note),
    (0.22, Kind::Notice),
    (0.27, Kind::Newsletter),
    (0.10, Kind::Junk),
    (0.009, Kind::File),
];

/// What people of the office write: they attach a file a little more often than what comes has one.
const FROM_INSIDE: [(f64, Kind); 2] = [(0.984, Kind::Note), (0.016, Kind::File)];

/// Gives letters, numbered from 0.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mix {
    next: u64,
}

impl Mix {
    /// A kind of letter from outside.
    pub(crate) fn kind_from_outside(dice: &mut Dice) -> Kind {
        dice.choose(&FROM_OUTSIDE)
    }

    /// A letter from outside.
    pub(crate) fn incoming(&mut self, kind: Kind, dice: &mut Dice) -> Letter {
        self.letter(kind, &HEAD_OUTSIDE, dice)
    }

    /// A letter that somebody in the office has written.
    pub(crate) fn written(&mut self, dice: &mut Dice) -> Letter {
        let kind = dice.choose(&FROM_INSIDE);
        self.letter(kind, &HEAD_INSIDE, dice)
    }

    /// The same letter again, as a client files it.
    pub(crate) const fn again(&mut self, letter: &Letter) -> Letter {
        let number = self.next;
        self.next += 1;
        Letter { number, ..*letter }
    }

    fn letter(&mut self, kind: Kind, head: &Sizes, dice: &mut Dice) -> Letter {
        let head = head.draw(dice);
        let body = match kind {
            Kind::Note => NOTE.draw(dice),
            Kind::Notice => NOTICE.draw(dice),
            Kind::Newsletter => NEWSLETTER.draw(dice),
            Kind::Junk => JUNK.draw(dice),
            Kind::File => NOTE.draw(dice) + FILE.draw(dice),
        };
        let number = self.next;
        self.next += 1;
        let summary = dice.between(SUMMARY.0, SUMMARY.1) as u32;
        Letter { number, kind, size: (head + body) as u32, head: head as u32, summary }
    }
}

impl Sizes {
    fn draw(&self, dice: &mut Dice) -> f64 {
        dice.lognormal_within(self.median, self.sigma, self.ends)
    }
}

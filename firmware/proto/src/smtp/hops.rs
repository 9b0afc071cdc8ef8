//! Counts the `Received:` lines of a letter while it streams by, so that one that goes round in circles stops
//! (RFC 5321 §6.3). It costs nothing once the header block has ended.

use memchr::memchr;

/// The field that every server adds.
const FIELD: &[u8] = b"received:";

/// Counts them.
#[derive(Debug)]
pub(super) struct Hops {
    count: u32,
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// So many bytes of a line are those of the field's name.
    Name(usize),
    /// In a line, somewhere behind its name.
    Line,
    /// Behind the header block.
    Body,
}

impl Hops {
    /// Before a letter.
    pub(super) const fn new() -> Self {
        Self { count: 0, place: Place::Name(0) }
    }

    /// Lines so far.
    pub(super) const fn count(&self) -> u32 {
        self.count
    }

    /// Looks at the next bytes of the letter.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while let Some((first, behind)) = bytes.split_first() {
            match self.place {
                Place::Body => return,
                // An empty line ends the header block.
                Place::Name(0) if *first == b'\r' => self.place = Place::Body,
                Place::Name(matched) if FIELD.get(matched) == Some(&first.to_ascii_lowercase()) => {
                    let whole = matched + 1 == FIELD.len();
                    self.count += u32::from(whole);
                    self.place = if whole { Place::Line } else { Place::Name(matched + 1) };
                    bytes = behind;
                }
                Place::Name(_) | Place::Line => match memchr(b'\n', bytes) {
                    None => {
                        self.place = Place::Line;
                        return;
                    }
                    Some(end) => {
                        self.place = Place::Name(0);
                        bytes = bytes.get(end + 1..).unwrap_or_default();
                    }
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_the_header_are_counted_however_they_arrive() {
        let letter = b"Received: a\r\n\tReceived: folded\r\nX-Received: b\r\nRECEIVED:c\r\nReceive: d\r\n\
            received: e\r\n\r\nReceived: in the body\r\n";
        for size in 1..=letter.len() {
            let mut hops = Hops::new();
            letter.chunks(size).for_each(|chunk| hops.feed(chunk));
            assert_eq!(hops.count(), 3, "chunks of {size}");
        }
    }
}

//! Patterns of LIST and LSUB (RFC 3501 §6.3.8): `*` stands for any text, `%` for any text without a separator.

use alloc::{vec, vec::Vec};

use mail::{MailboxName, limits::MAILBOX_NAME_BYTES_MAX};

use crate::imap::limits::WORK_NAME;

/// Pieces of a pattern that make matching cost as much again as all else with a name.
const PIECES_PER_NAME: usize = 8;

/// A pattern, ready to be matched with names.
#[derive(Debug)]
pub(super) struct Pattern(Vec<Piece>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    Char(char),
    /// `%`
    Level,
    /// `*`
    Any,
}

impl Pattern {
    /// Reads a pattern in UTF-8; `None` if no name can match it because it is longer than any.
    pub(super) fn new(text: &str) -> Option<Self> {
        let mut pieces: Vec<Piece> = Vec::new();
        let mut bytes = 0;
        for c in text.chars() {
            let piece = match c {
                '*' => Piece::Any,
                '%' => Piece::Level,
                c => Piece::Char(c),
            };
            // Wildcards in a row say no more than the strongest of them. So there is at most one for each character,
            // and matching stays short.
            match (pieces.last_mut(), piece) {
                (Some(last @ (Piece::Any | Piece::Level)), Piece::Any) => *last = Piece::Any,
                (Some(Piece::Any | Piece::Level), Piece::Level) => {}
                _ => pieces.push(piece),
            }
            if matches!(piece, Piece::Char(_)) {
                bytes += c.len_utf8();
            }
            if bytes > MAILBOX_NAME_BYTES_MAX {
                return None;
            }
        }
        Some(Self(pieces))
    }

    /// Work of matching it with one name.
    pub(super) fn work(&self) -> u32 {
        WORK_NAME.saturating_mul(1 + u32::try_from(self.0.len() / PIECES_PER_NAME).unwrap_or_default())
    }

    /// Whether it matches a name. INBOX is matched in any case of letters, also as the first level of a name.
    pub(super) fn matches(&self, name: &str) -> bool {
        let first = name.split(MailboxName::SEPARATOR).next().unwrap_or_default();
        let any_case_until = if first == MailboxName::INBOX { first.len() } else { 0 };
        // `reached[n]`: the first n pieces match what has been read of the name.
        let mut reached = vec![false; self.0.len() + 1];
        set(&mut reached, 0, true);
        self.skip_wildcards(&mut reached);
        for (at, c) in name.char_indices() {
            let same = |piece: char| piece == c || (at < any_case_until && piece.eq_ignore_ascii_case(&c));
            // Backwards, so that each character moves a match by one piece only.
            for index in (0..=self.0.len()).rev() {
                let stays = match self.0.get(index) {
                    Some(Piece::Any) => get(&reached, index),
                    Some(Piece::Level) => get(&reached, index) && c != MailboxName::SEPARATOR,
                    _ => false,
                };
                let comes = index > 0
                    && get(&reached, index - 1)
                    && matches!(self.0.get(index - 1), Some(Piece::Char(piece)) if same(*piece));
                set(&mut reached, index, stays || comes);
            }
            self.skip_wildcards(&mut reached);
        }
        get(&reached, self.0.len())
    }

    /// A wildcard may stand for nothing.
    fn skip_wildcards(&self, reached: &mut [bool]) {
        for (index, piece) in self.0.iter().enumerate() {
            if !matches!(piece, Piece::Char(_)) && get(reached, index) {
                set(reached, index + 1, true);
            }
        }
    }
}

fn get(reached: &[bool], index: usize) -> bool {
    reached.get(index).copied().unwrap_or_default()
}

fn set(reached: &mut [bool], index: usize, value: bool) {
    if let Some(at) = reached.get_mut(index) {
        *at = value;
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::new(pattern).is_some_and(|pattern| pattern.matches(name))
    }

    #[test]
    fn wildcards_stand_for_what_they_should() {
        for (pattern, name, expected) in [
            ("*", "a/b/c", true),
            ("%", "a", true),
            ("%", "a/b", false),
            ("%/%", "a/b", true),
            ("%/%", "a/b/c", false),
            ("*/c", "a/b/c", true),
            ("a*", "a", true),
            ("a%c", "abc", true),
            ("a%c", "ab/c", false),
            ("a*c%e", "a/b/c/d/c-e", true),
            ("%*%", "a/b", true),
            ("手*", "手紙/受信", true),
            ("手%", "手紙/受信", false),
            ("", "", true),
            ("", "a", false),
            ("a", "A", false),
            ("inbox", "INBOX", true),
            ("inb%", "INBOX", true),
            ("inbox/%", "INBOX/Work", true),
            ("inbox/work", "INBOX/Work", false),
            ("inbox*", "INBOXES", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    /// What RFC 3501 §6.3.8 says, word for word, without regard to time.
    fn plainly(pattern: &[char], name: &[char]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some(('*', rest)) => (0..=name.len()).any(|end| plainly(rest, &name[end..])),
            Some(('%', rest)) => {
                let level = name.iter().position(|c| *c == '/').unwrap_or(name.len());
                (0..=level).any(|end| plainly(rest, &name[end..]))
            }
            Some((c, rest)) => name.first() == Some(c) && plainly(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn matching_is_what_the_plain_rules_give(pattern in "[ab/*%]{0,8}", name in "[ab/]{0,8}") {
            let chars = |text: &String| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(matches(&pattern, &name), plainly(&chars(&pattern), &chars(&name)));
        }
    }

    #[test]
    fn a_long_row_of_wildcards_costs_little() {
        let pattern = "*a%".repeat(200);
        let name = "a".repeat(MAILBOX_NAME_BYTES_MAX);
        assert!(matches(&pattern, &name));
        assert!(!matches(&(pattern + "b"), &name));
        assert!(Pattern::new(&"a".repeat(MAILBOX_NAME_BYTES_MAX + 1)).is_none());
    }
}

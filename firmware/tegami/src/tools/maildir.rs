//! File names of a Maildir: what they say of a letter, written and read.
//!
//! `1794637381.U0000000017V3.tegami,S=1234,Z=540,K=5:2,FSa`: received at, UID (of a fixed length, so that names sort as
//! letters came) and UIDVALIDITY, size, zone in minutes east of UTC, the flags of the Maildir format, and a letter for
//! each of the first 26 keywords that stand in `dovecot-keywords`. Keywords beyond those are bits of K, from the lowest;
//! their names stand in `tegami-keywords`. Other programs keep such fields as they are.

use std::{collections::BTreeMap, io::Read as _, path::Path};

use mail::Flags;

use super::limits::{KEYWORD_LETTERS, LIST_BYTES_MAX};

/// The list of the first keywords, as Dovecot has it: number and name on each line.
pub(super) const KEYWORDS_FILE: &str = "dovecot-keywords";

/// The list of further ones, numbered on.
pub(super) const MORE_KEYWORDS_FILE: &str = "tegami-keywords";

/// The part of a file name that says who made it.
const HOST: &str = ".tegami";

/// Flags of the format, in the order in which they must stand.
const FLAGS: [(char, Flags); 5] = [
    ('D', Flags::DRAFT),
    ('F', Flags::FLAGGED),
    ('R', Flags::ANSWERED),
    ('S', Flags::SEEN),
    ('T', Flags::DELETED),
];

/// What a file name says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// System flags.
    pub(super) flags: Flags,
    /// One bit for each keyword, by its number in the lists of the folder.
    pub(super) keywords: u64,
    /// Time zone in minutes east of UTC.
    pub(super) zone_minutes: i16,
    /// Size of the letter if this program wrote it: then the file holds the letter's own bytes.
    pub(super) own_size: Option<u64>,
    /// Where it stands among the others: its UID if this program wrote it, otherwise its time.
    pub(super) order: u64,
}

/// Whose letter a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) received: i64,
    pub(super) uid: u32,
    pub(super) uid_validity: u32,
}

/// The name of the file of a letter.
pub(super) fn file_name(origin: Origin, named: &Named) -> String {
    let Origin { received, uid, uid_validity } = origin;
    let mut name = format!("{}.U{uid:010}V{uid_validity}{HOST}", received.max(0));
    name.push_str(&format!(",S={}", named.own_size.unwrap_or_default()));
    if named.zone_minutes != 0 {
        name.push_str(&format!(",Z={}", named.zone_minutes));
    }
    let (letters, more) = split_keywords(named.keywords);
    if more != 0 {
        name.push_str(&format!(",K={more:x}"));
    }
    name.push_str(":2,");
    name.extend(FLAGS.iter().filter(|(_, flag)| named.flags.contains(*flag)).map(|(letter, _)| *letter));
    let keywords = (0..KEYWORD_LETTERS as u8).filter(|number| letters >> number & 1 == 1);
    name.extend(keywords.map(|number| char::from(b'a' + number)));
    name
}

/// Those that letters stand for, and the others.
const fn split_keywords(keywords: u64) -> (u64, u64) {
    (keywords & ((1 << KEYWORD_LETTERS) - 1), keywords >> KEYWORD_LETTERS)
}

/// What stays of a file name when flags change: the letter's own part.
pub(super) fn unique(name: &str) -> &str {
    name.split_once(":2,").map_or(name, |(unique, _)| unique)
}

/// Reads the name of a file in `cur` or `new`, whoever made it.
pub(super) fn read_name(name: &str) -> Named {
    let (unique, info) = name.split_once(":2,").unwrap_or((name, ""));
    let mut fields = unique.split(',');
    let first = fields.next().unwrap_or_default();
    let time = first.split('.').next().and_then(|time| time.parse().ok());
    let mut named = Named { order: time.unwrap_or(u64::MAX), ..Named::default() };
    for letter in info.chars() {
        if let Some((_, flag)) = FLAGS.iter().find(|(known, _)| *known == letter) {
            named.flags = named.flags.with(*flag);
        } else if letter.is_ascii_lowercase() {
            named.keywords |= 1 << (u32::from(letter) - u32::from('a'));
        }
    }
    if let Some(uid) = own_uid(first) {
        named.order = uid.into();
        for field in fields {
            match field.split_once('=') {
                Some(("S", size)) => named.own_size = size.parse().ok(),
                Some(("Z", zone)) => named.zone_minutes = zone.parse().unwrap_or_default(),
                Some(("K", more)) => {
                    let more = u64::from_str_radix(more, 16).unwrap_or_default();
                    named.keywords |= more << KEYWORD_LETTERS;
                }
                _ => {}
            }
        }
    }
    named
}

/// The UID in the first part of a file name, if this program made it.
fn own_uid(first: &str) -> Option<u32> {
    let (_, middle) = first.strip_suffix(HOST)?.split_once(".U")?;
    middle.split_once('V')?.0.parse().ok()
}

/// The keywords of a folder by their numbers.
///
/// # Errors
/// When a list cannot be read.
pub(super) fn read_keywords(folder: &Path) -> std::io::Result<BTreeMap<u32, String>> {
    let mut keywords = BTreeMap::new();
    for list in [KEYWORDS_FILE, MORE_KEYWORDS_FILE] {
        let file = match std::fs::File::open(folder.join(list)) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(LIST_BYTES_MAX).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let pairs = text.lines().filter_map(|line| line.split_once(' '));
        keywords.extend(pairs.filter_map(|(number, name)| Some((number.parse().ok()?, name.to_owned()))));
    }
    Ok(keywords)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_they_said() {
        let origin = Origin { received: 1_794_637_381, uid: 17, uid_validity: 3 };
        let named = Named {
            flags: Flags::SEEN.with(Flags::FLAGGED),
            keywords: 1 | 1 << 25 | 1 << 26 | 1 << 28,
            zone_minutes: -570,
            own_size: Some(1_234),
            order: 17,
        };
        let name = file_name(origin, &named);
        assert_eq!(name, "1794637381.U0000000017V3.tegami,S=1234,Z=-570,K=5:2,FSaz");
        assert_eq!(read_name(&name), named);
        assert_eq!(unique(&name), "1794637381.U0000000017V3.tegami,S=1234,Z=-570,K=5");
        let plain = Named { own_size: Some(9), order: 17, ..Named::default() };
        let name = file_name(Origin { received: -5, ..origin }, &plain);
        assert_eq!((name.as_str(), read_name(&name)), ("0.U0000000017V3.tegami,S=9:2,", plain));
    }

    #[test]
    fn names_of_others_are_understood() {
        let read = read_name("1700000000.M123P45.host,S=1234,W=1260:2,RSTb");
        assert_eq!(read.flags, Flags::ANSWERED.with(Flags::SEEN).with(Flags::DELETED));
        assert_eq!((read.keywords, read.own_size, read.order), (2, None, 1_700_000_000));
        for name in ["", "x", ":2,", "1.U2V.tegami", "1.UxV1.tegami,S=1,K=ffffffffffffffffff,Z=99999:2,S"] {
            read_name(name);
        }
    }
}

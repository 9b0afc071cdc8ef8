//! What mailboxes are called as files: in a Maildir++ and in a folder of mbox files, for any name that a mailbox has.
//!
//! Maildir++: modified UTF-7 (RFC 3501 §5.1.3), levels divided by dots, a dot in front. Mbox: UTF-8, levels as folders,
//! `.mbox` behind. What would mean something else there (a dot in a level, one in front of a name, a backslash) is
//! written as a backslash and two hexadecimal digits, as Dovecot's listescape does. A name that is too long for a file
//! is a backslash and a number instead, and stands in a list beside the mailboxes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mail::MailboxName;
use proto::imap::utf7;

use super::limits::{FILE_NAME_BYTES_MAX, LIST_BYTES_MAX};

/// What files of mbox mailboxes end with.
pub(super) const MBOX_ENDING: &str = ".mbox";

/// A form of storing mailboxes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Maildir,
    Mbox,
}

impl Form {
    /// The file that lists names too long for files: one that no mailbox can have.
    pub(super) const fn list(self) -> &'static str {
        match self {
            Self::Maildir => "tegami-names",
            Self::Mbox => ".tegami-names",
        }
    }
}

/// Names that were too long for files: what stands for them, and the name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct LongNames(BTreeMap<String, String>);

impl LongNames {
    /// Reads the list of a folder; an empty one where there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn read(folder: &Path, form: Form) -> std::io::Result<Self> {
        use std::io::Read as _;
        let mut text = String::new();
        match std::fs::File::open(folder.join(form.list())) {
            Ok(file) => file.take(LIST_BYTES_MAX).read_to_string(&mut text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        let pairs = text.lines().filter_map(|line| line.split_once('\t'));
        Ok(Self(pairs.map(|(short, name)| (short.to_owned(), name.to_owned())).collect()))
    }

    /// The list as it is written; `None` for an empty one.
    pub(super) fn text(&self) -> Option<String> {
        let lines = self.0.iter().map(|(short, name)| format!("{short}\t{name}\n"));
        (!self.0.is_empty()).then(|| lines.collect())
    }

    fn shorten(&mut self, name: &MailboxName) -> String {
        let short = format!("\\{}", self.0.len() + 1);
        self.0.insert(short.clone(), name.as_str().to_owned());
        short
    }
}

/// Where a mailbox is, from the folder of all; the folder itself for INBOX of a Maildir.
pub(super) fn path(name: &MailboxName, form: Form, long: &mut LongNames) -> PathBuf {
    match form {
        Form::Maildir if name.is_inbox() => PathBuf::new(),
        Form::Maildir => {
            let levels: Vec<String> =
                name.as_str().split(MailboxName::SEPARATOR).map(maildir_level).collect();
            let whole = levels.join(".");
            let whole = if whole.len() > FILE_NAME_BYTES_MAX { long.shorten(name) } else { whole };
            PathBuf::from(format!(".{whole}"))
        }
        Form::Mbox => {
            let levels: Vec<String> = name.as_str().split(MailboxName::SEPARATOR).map(mbox_level).collect();
            if levels.iter().any(|level| level.len() > FILE_NAME_BYTES_MAX) {
                return PathBuf::from(format!("{}{MBOX_ENDING}", long.shorten(name)));
            }
            PathBuf::from(format!("{}{MBOX_ENDING}", levels.join("/")))
        }
    }
}

/// The name of the mailbox whose Maildir++ folder is called so, without the dot in front.
pub(super) fn of_maildir(folder: &str, long: &LongNames) -> Option<MailboxName> {
    if let Some(name) = long.0.get(folder) {
        return MailboxName::new(name).ok();
    }
    let levels = folder.split('.').map(|level| {
        let level = unescape(level);
        // Some write UTF-8 there.
        utf7::decode(level.as_bytes()).unwrap_or(level)
    });
    MailboxName::new(&levels.collect::<Vec<_>>().join("/")).ok()
}

/// The name of the mailbox whose mbox file has these levels, the last one with or without its ending.
pub(super) fn of_mbox(levels: &[String], long: &LongNames) -> Option<MailboxName> {
    let (last, above) = levels.split_last()?;
    let last = last.strip_suffix(MBOX_ENDING).unwrap_or(last);
    if let Some(name) = long.0.get(last).filter(|_| above.is_empty()) {
        return MailboxName::new(name).ok();
    }
    let levels = above.iter().map(String::as_str).chain([last]).map(unescape);
    MailboxName::new(&levels.collect::<Vec<_>>().join("/")).ok()
}

fn maildir_level(level: &str) -> String {
    let mut encoded = Vec::new();
    utf7::encode(level, &mut encoded);
    let text = String::from_utf8_lossy(&encoded);
    text.chars().map(|c| if matches!(c, '.' | '\\') { escape(c) } else { c.to_string() }).collect()
}

fn mbox_level(level: &str) -> String {
    // A folder must not be called like a file: both end differently.
    let end = level.strip_suffix(MBOX_ENDING).map(str::len);
    let characters = level.char_indices().map(|(at, c)| match c {
        '\\' => escape(c),
        '.' if at == 0 || Some(at) == end => escape(c),
        _ => c.to_string(),
    });
    characters.collect()
}

fn escape(c: char) -> String {
    format!("\\{:02x}", u32::from(c))
}

/// A backslash and two hexadecimal digits are the character with that number; every other backslash is one.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        plain.push_str(before);
        let digits = after.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if byte.is_ascii() => {
                plain.push(char::from(byte));
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                plain.push('\\');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> MailboxName {
        MailboxName::new(text).unwrap()
    }

    fn there_and_back(name: &MailboxName) -> [(PathBuf, Option<MailboxName>); 2] {
        let mut long = LongNames::default();
        let maildir = path(name, Form::Maildir, &mut long);
        let text = maildir.to_str().unwrap().strip_prefix('.').unwrap_or("INBOX").to_owned();
        let back = of_maildir(&text, &long);
        let mut long = LongNames::default();
        let mbox = path(name, Form::Mbox, &mut long);
        let levels: Vec<String> = mbox.iter().map(|level| level.to_str().unwrap().to_owned()).collect();
        let mbox_back = of_mbox(&levels, &long);
        [(maildir, back), (mbox, mbox_back)]
    }

    #[test]
    fn names_are_what_others_expect() {
        for (text, maildir, mbox) in [
            ("INBOX", "", "INBOX.mbox"),
            ("INBOX/Old", ".INBOX.Old", "INBOX/Old.mbox"),
            ("Sent", ".Sent", "Sent.mbox"),
            ("送信済み", ".&kAFP4W4IMH8-", "送信済み.mbox"),
            ("a.b/.c", ".a\\2eb.\\2ec", "a.b/\\2ec.mbox"),
            ("..", ".\\2e\\2e", "\\2e..mbox"),
            ("a.mbox/b", ".a\\2embox.b", "a\\2embox/b.mbox"),
            ("x\\2ey", ".x\\5c2ey", "x\\5c2ey.mbox"),
        ] {
            let [(in_maildir, _), (in_mbox, _)] = there_and_back(&name(text));
            assert_eq!((in_maildir, in_mbox), (maildir.into(), mbox.into()), "{text}");
        }
    }

    #[test]
    fn names_of_others_are_read_as_they_are() {
        let none = LongNames::default();
        assert_eq!(of_maildir("Caf&AOk-.Menu", &none), Some(name("Café/Menu")));
        assert_eq!(of_maildir("Café", &none), Some(name("Café")));
        assert_eq!(of_maildir("a\\b", &none), Some(name("a\\b")));
        assert_eq!(of_maildir("a..b", &none), None);
        assert_eq!(of_mbox(&["lists".into(), "debian.user".into()], &none), Some(name("lists/debian.user")));
        assert_eq!(unescape("\\c3\\zz\\4"), "\\c3\\zz\\4");
    }

    #[test]
    fn names_too_long_for_files_stand_in_a_list() {
        let text = ".é".repeat(80);
        for (path, back) in there_and_back(&name(&text)) {
            assert!(path.as_os_str().len() < 10, "{path:?}");
            assert_eq!(back, Some(name(&text)));
        }
        let mut long = LongNames::default();
        path(&name(&text), Form::Maildir, &mut long);
        let folder = std::env::temp_dir().join(format!("tegami-names-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(Form::Maildir.list()), long.text().unwrap()).unwrap();
        assert_eq!(LongNames::read(&folder, Form::Maildir).unwrap(), long);
        assert_eq!(LongNames::read(&folder, Form::Mbox).unwrap(), LongNames::default());
        std::fs::remove_dir_all(folder).unwrap();
    }

    proptest! {
        #[test]
        fn every_name_comes_back(text in "[a./\\\\2é手mbox]{1,40}") {
            if let Ok(name) = MailboxName::new(&text) {
                let [(maildir, back), (mbox, mbox_back)] = there_and_back(&name);
                prop_assert_eq!(back.as_ref(), Some(&name));
                prop_assert_eq!(mbox_back.as_ref(), Some(&name));
                prop_assert!(mbox.iter().chain(maildir.iter()).all(|level| level != ".." && level.len() < 256));
            }
        }
    }
}

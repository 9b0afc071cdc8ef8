//! Accounts and mailboxes: their names, numbers and states.

use core::fmt;

use heapless::String;

use crate::limits::MAILBOX_NAME_BYTES_MAX;

/// Number of an account; never used again for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub u32);

/// Number of a mailbox, unique in the box; never used again for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxId(pub u32);

/// Unique identifier of a message in its mailbox (RFC 3501 §2.3.1.1); at least 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uid(pub u32);

/// UIDVALIDITY (RFC 3501 §2.3.1.1); at least 1, never going back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UidValidity(pub u32);

/// Number of a change (RFC 7162); greater for later ones, never going back, below 2^63.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Modseq(pub u64);

/// A mailbox's whole name in UTF-8, levels divided by `/`. `INBOX` stands for itself in any case of letters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MailboxName(String<MAILBOX_NAME_BYTES_MAX>);

/// Why a text cannot name a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameError {
    /// Beyond [`MAILBOX_NAME_BYTES_MAX`].
    TooLong,
    /// Empty, an empty level, or a control character.
    Malformed,
}

impl MailboxName {
    /// What divides the levels of a name.
    pub const SEPARATOR: char = '/';
    /// The mailbox that every account has.
    pub const INBOX: &'static str = "INBOX";

    /// Reads a name in UTF-8. `inbox` in any case becomes `INBOX`, also as the first level (RFC 3501 §5.1).
    ///
    /// # Errors
    /// [`NameError`].
    pub fn new(text: &str) -> Result<Self, NameError> {
        if text.chars().any(char::is_control) || text.split(Self::SEPARATOR).any(str::is_empty) {
            return Err(NameError::Malformed);
        }
        let (first, rest) = text.split_at(text.find(Self::SEPARATOR).unwrap_or(text.len()));
        let first = if first.eq_ignore_ascii_case(Self::INBOX) { Self::INBOX } else { first };
        let mut name = String::new();
        name.push_str(first).and_then(|()| name.push_str(rest)).map_err(|_| NameError::TooLong)?;
        Ok(Self(name))
    }

    /// The account's INBOX.
    #[must_use]
    pub fn inbox() -> Self {
        let mut name = String::new();
        // The capacity is far above five bytes.
        let _ = name.push_str(Self::INBOX);
        Self(name)
    }

    /// The name in UTF-8.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the account's INBOX.
    #[must_use]
    pub fn is_inbox(&self) -> bool {
        self.0 == Self::INBOX
    }

    /// Whether this mailbox lies below `other`.
    #[must_use]
    pub fn is_below(&self, other: &Self) -> bool {
        self.0.strip_prefix(other.as_str()).is_some_and(|rest| rest.starts_with(Self::SEPARATOR))
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.as_str())
    }
}

/// What a mailbox is for (RFC 6154 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpecialUse {
    /// `\Archive`
    Archive,
    /// `\Drafts`
    Drafts,
    /// `\Junk`
    Junk,
    /// `\Sent`
    Sent,
    /// `\Trash`
    Trash,
}

/// One mailbox in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxInfo {
    /// Its number.
    pub id: MailboxId,
    /// Its name.
    pub name: MailboxName,
    /// What it is for.
    pub special_use: Option<SpecialUse>,
    /// Whether the account is subscribed to it.
    pub subscribed: bool,
    /// Whether another mailbox lies below it (RFC 3348).
    pub has_children: bool,
}

/// State of a mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Its UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// The UID that the next message will have at least.
    pub uid_next: Uid,
    /// Number of messages.
    pub messages: u32,
    /// Messages without `\Seen`.
    pub unseen: u32,
    /// Messages with `\Deleted`.
    pub deleted: u32,
    /// UIDs from here on have been shown to no session as `\Recent` yet.
    pub recent_from: Uid,
    /// Sum of the messages' sizes in bytes.
    pub bytes: u64,
    /// The last change in it.
    pub highest_modseq: Modseq,
    /// The last change that took messages out of it, or one after that.
    pub removed_modseq: Modseq,
}

/// What an account may keep and does keep, in bytes as its user counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// What it keeps.
    pub used: u64,
    /// What it may keep; `None` for no limit but the flash.
    pub limit: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inbox_is_itself_in_any_case() {
        assert!(MailboxName::new("iNbOx").unwrap().is_inbox());
        assert_eq!(MailboxName::new("inbox/A").unwrap().as_str(), "INBOX/A");
        assert_eq!(MailboxName::new("Inboxes").unwrap().as_str(), "Inboxes");
        assert_eq!(MailboxName::new("INBOX").unwrap(), MailboxName::inbox());
    }

    #[test]
    fn empty_levels_and_controls_are_malformed() {
        for text in ["", "/a", "a/", "a//b", "a\r\nb", "a\0"] {
            assert_eq!(MailboxName::new(text), Err(NameError::Malformed), "{text:?}");
        }
        let long = alloc::string::String::from_utf8(alloc::vec![b'a'; 241]).unwrap();
        assert_eq!(MailboxName::new(&long), Err(NameError::TooLong));
    }

    #[test]
    fn below_means_a_level_deeper() {
        let name = |text| MailboxName::new(text).unwrap();
        assert!(name("a/b").is_below(&name("a")));
        assert!(!name("ab").is_below(&name("a")));
        assert!(!name("a").is_below(&name("a")));
    }
}

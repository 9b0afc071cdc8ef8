//! One account in memory: its mailboxes by name, its subscriptions and keywords, what it keeps and may keep.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::Secret;
use mail::limits::{KEYWORD_BYTES_MAX, KEYWORDS_PER_ACCOUNT_MAX};
use mail::{MailboxName, SpecialUse};

/// What every account has from the beginning; the first is INBOX.
pub(crate) const FIRST_MAILBOXES: [(&str, Option<SpecialUse>); 6] = [
    (MailboxName::INBOX, None),
    ("Drafts", Some(SpecialUse::Drafts)),
    ("Sent", Some(SpecialUse::Sent)),
    ("Junk", Some(SpecialUse::Junk)),
    ("Trash", Some(SpecialUse::Trash)),
    ("Archive", Some(SpecialUse::Archive)),
];

/// An account.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub(crate) address: Box<str>,
    pub(crate) name: Box<str>,
    pub(crate) secret: Secret,
    pub(crate) quota: Option<u64>,
    /// What its mailboxes hold, and what letters on their way in will add.
    pub(crate) used: u64,
    pub(crate) reserved: u64,
    pub(crate) mailboxes: BTreeMap<Box<str>, u32>,
    pub(crate) subscriptions: BTreeSet<Box<str>>,
    /// Keywords by number: first the durable ones, then those on their way to flash.
    pub(crate) keywords: Vec<String>,
    pub(crate) pending_keywords: Vec<String>,
    /// Held by the one session that has INBOX for itself.
    pub(crate) lock: Option<Rc<()>>,
}

impl Account {
    pub(crate) fn inbox(&self) -> Option<u32> {
        self.mailboxes.get(MailboxName::INBOX).copied()
    }

    /// Whether `bytes` more fit the quota.
    pub(crate) fn has_room(&self, bytes: u64) -> bool {
        let wanted = self.used.saturating_add(self.reserved).saturating_add(bytes);
        self.quota.is_none_or(|quota| wanted <= quota)
    }

    /// Whether a letter of so many bytes would fit if there were nothing else.
    pub(crate) fn could_hold(&self, bytes: u64) -> bool {
        self.quota.is_none_or(|quota| bytes <= quota)
    }

    /// Number of a keyword that is defined or about to be.
    pub(crate) fn keyword(&self, name: &str) -> Option<u32> {
        let mut all = self.keywords.iter().chain(&self.pending_keywords);
        all.position(|known| known.eq_ignore_ascii_case(name)).map(|at| at as u32)
    }

    /// Number that the next new keyword gets, if it may be one.
    pub(crate) fn next_keyword(&self, name: &str) -> Option<u32> {
        let number = (self.keywords.len() + self.pending_keywords.len()) as u32;
        let fits = number < KEYWORDS_PER_ACCOUNT_MAX && (1..=KEYWORD_BYTES_MAX).contains(&name.len());
        fits.then_some(number)
    }

    /// Takes up a keyword that is durable now. Numbers whose definition was lost get a name that says so.
    pub(crate) fn define_keyword(&mut self, number: u32, name: &str) {
        if number >= KEYWORDS_PER_ACCOUNT_MAX {
            return;
        }
        while self.keywords.len() < number as usize {
            self.keywords.push(alloc::format!("$Lost{}", self.keywords.len()));
        }
        match self.keywords.get_mut(number as usize) {
            Some(known) => *known = name.into(),
            None => self.keywords.push(name.into()),
        }
        if !self.pending_keywords.is_empty() {
            self.pending_keywords.remove(0);
        }
    }

    /// Whether a mailbox lies below `name`.
    pub(crate) fn has_children(&self, name: &str) -> bool {
        self.below(name).next().is_some()
    }

    /// The mailboxes below `name`.
    pub(crate) fn below<'a>(&'a self, name: &str) -> impl Iterator<Item = (&'a str, u32)> + use<'a> {
        let prefix = alloc::format!("{name}{}", MailboxName::SEPARATOR);
        let range = self.mailboxes.range::<str, _>((core::ops::Bound::Included(prefix.as_str()), UNBOUNDED));
        range.take_while(move |(name, _)| name.starts_with(&prefix)).map(|(name, id)| (&**name, *id))
    }
}

const UNBOUNDED: core::ops::Bound<&'static str> = core::ops::Bound::Unbounded;

/// The name and the levels above it, top first: `a`, `a/b`, `a/b/c`.
pub(crate) fn levels(name: &str) -> impl Iterator<Item = &str> {
    let ends = name.match_indices(MailboxName::SEPARATOR).map(|(at, _)| at);
    ends.chain(core::iter::once(name.len())).filter_map(|end| name.get(..end))
}

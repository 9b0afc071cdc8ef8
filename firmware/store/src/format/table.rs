//! What a checkpoint writes beside pages: rows of everything that is not a message or a letter, and the root.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Mark;
use super::code::Bytes;
use super::records::{AliasPut, Keyword, SettingPut};

/// A row of a table. A table is a sequence of rows up to the end of its record; the tables of a checkpoint follow
/// each other, so that a row only refers to those before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Row<'a> {
    #[serde(borrow)]
    Account(AccountRow<'a>),
    #[serde(borrow)]
    Keyword(Keyword<'a>),
    Subscription {
        account: u32,
        name: &'a str,
    },
    #[serde(borrow)]
    Mailbox(MailboxRow<'a>),
    /// Further pages of a mailbox, in order.
    Entries {
        mailbox: u32,
        pages: PagesRow,
    },
    /// Further pages of letters, in order.
    Letters(PagesRow),
    Domain(&'a str),
    #[serde(borrow)]
    Alias(AliasPut<'a>),
    #[serde(borrow)]
    Setting(SettingPut<'a>),
    /// How often segments have been erased, from number `first` on.
    Erases {
        first: u32,
        counts: Vec<u32>,
    },
    /// Deletions: numbers that were given out lie below `next`; further pages, in order; mailboxes that are gone.
    Deletions {
        next: u64,
        pages: PagesRow,
        #[serde(borrow)]
        gone: Vec<GoneRow<'a>>,
    },
    /// Segments that are never opened again.
    Retired {
        segments: Vec<u32>,
    },
}

/// An account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccountRow<'a> {
    pub(crate) account: u32,
    pub(crate) quota: Option<u64>,
    pub(crate) address: &'a str,
    pub(crate) name: &'a str,
    #[serde(borrow)]
    pub(crate) secret: Bytes<'a>,
}

/// A mailbox; see `index::Mailbox` for its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MailboxRow<'a> {
    pub(crate) mailbox: u32,
    pub(crate) account: u32,
    pub(crate) special_use: Option<u8>,
    pub(crate) uid_validity: u32,
    pub(crate) uid_next: u32,
    pub(crate) recent_from: u32,
    pub(crate) highest_modseq: u64,
    pub(crate) removed_modseq: u64,
    pub(crate) name: &'a str,
}

/// A mailbox that is gone, and in which listed deletions were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GoneRow<'a> {
    pub(crate) mailbox: u32,
    pub(crate) account: u32,
    pub(crate) name: &'a str,
}

/// Where a page or a table stands: its frame, and its length up to where the next one may begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HomeRow {
    pub(crate) at: Mark,
    pub(crate) span: u32,
}

/// Pages, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PagesRow {
    pub(crate) homes: Vec<HomeRow>,
    /// Where the same pages stand once more.
    pub(crate) copies: Vec<Option<HomeRow>>,
}

/// The root of a checkpoint: the last record of it. It counts when it and everything it leads to verifies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Root {
    /// Number of the checkpoint, from 1.
    pub(crate) number: u64,
    /// The checkpoint holds what stands before this position in the metadata log; replay begins here.
    pub(crate) from: Mark,
    /// Numbers that were given out before it lie below these.
    pub(crate) modseq: u64,
    pub(crate) letter: u64,
    pub(crate) mailbox: u32,
    pub(crate) account: u32,
    pub(crate) uid_validity: u32,
    pub(crate) tables: Vec<HomeRow>,
    /// The same tables once more, elsewhere.
    pub(crate) copies: Vec<HomeRow>,
}

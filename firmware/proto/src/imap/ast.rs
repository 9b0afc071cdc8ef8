//! Commands as values, in the terms of RFC 3501 §9. Only syntax is decided here: names of mailboxes and charsets are
//! still the bytes that came, and what exists is for the command to find out.

use alloc::{boxed::Box, vec::Vec};

use mail::{Flags, calendar::Day};

use super::{date::DateTime, limits::TAG_BYTES_MAX, set::SequenceSet};
use crate::Secret;

/// `tag`, kept to be said again when its command ends.
pub(super) type Tag = heapless::String<TAG_BYTES_MAX>;

/// A text that came as atom, quoted string or literal.
pub(super) type Text = Box<[u8]>;

/// `command` without its tag.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    // Any state.
    Capability,
    Noop,
    Logout,
    /// RFC 2971. What the client says of itself is for people who read logs; it is not kept.
    Id,
    // Not authenticated.
    StartTls,
    Authenticate {
        mechanism: Text,
        /// RFC 4959: base64, or `=`.
        initial: Option<Secret>,
    },
    Login {
        name: Secret,
        password: Secret,
    },
    // Authenticated.
    /// RFC 5161. No extension here needs enabling, so the names do not matter yet.
    Enable,
    Select {
        mailbox: Text,
        read_only: bool,
    },
    Create {
        mailbox: Text,
        /// RFC 6154 §3: `USE (...)`.
        special_use: Option<Vec<Text>>,
    },
    Delete(Text),
    Rename {
        from: Text,
        to: Text,
    },
    Subscribe {
        mailbox: Text,
        on: bool,
    },
    List {
        reference: Text,
        pattern: Text,
        /// LSUB.
        subscribed: bool,
    },
    Namespace,
    Status {
        mailbox: Text,
        items: Vec<StatusItem>,
    },
    Append(Append),
    Idle,
    // Selected.
    Check,
    Close,
    Unselect,
    /// With UIDs: RFC 4315 §2.1.
    Expunge(Option<SequenceSet>),
    Search {
        uid: bool,
        charset: Option<Text>,
        key: SearchKey,
    },
    Fetch {
        uid: bool,
        set: SequenceSet,
        items: Vec<FetchItem>,
    },
    Store {
        uid: bool,
        set: SequenceSet,
        change: FlagChange,
        silent: bool,
        flags: FlagList,
    },
    Copy {
        uid: bool,
        set: SequenceSet,
        mailbox: Text,
        /// RFC 6851.
        remove: bool,
    },
}

/// When a command may be given (RFC 3501 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Needs {
    Nothing,
    NotAuthenticated,
    Authenticated,
    Selected,
}

impl Command {
    /// When this command may be given.
    pub(super) const fn needs(&self) -> Needs {
        match self {
            Self::Capability | Self::Noop | Self::Logout | Self::Id => Needs::Nothing,
            Self::StartTls | Self::Authenticate { .. } | Self::Login { .. } => Needs::NotAuthenticated,
            Self::Enable
            | Self::Select { .. }
            | Self::Create { .. }
            | Self::Delete(_)
            | Self::Rename { .. }
            | Self::Subscribe { .. }
            | Self::List { .. }
            | Self::Namespace
            | Self::Status { .. }
            | Self::Append(_)
            | Self::Idle => Needs::Authenticated,
            Self::Check
            | Self::Close
            | Self::Unselect
            | Self::Expunge(_)
            | Self::Search { .. }
            | Self::Fetch { .. }
            | Self::Store { .. }
            | Self::Copy { .. } => Needs::Selected,
        }
    }
}

/// `append` up to its literal, which is not part of the command as a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Append {
    pub(super) mailbox: Text,
    pub(super) flags: FlagList,
    pub(super) date: Option<DateTime>,
    pub(super) literal: Literal,
}

/// `"{" number ["+"] "}"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    /// Bytes announced. Whatever does not fit 64 bits is the most that does.
    pub(super) len: u64,
    /// Whether the client waits until it is told to go on; false for `+` (RFC 7888).
    pub(super) waits: bool,
}

/// `flag-list`. System flags that are unknown, and `\Recent`, are left out: RFC 3501 §7.1 PERMANENTFLAGS lets a
/// server ignore flags that it does not keep.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct FlagList {
    pub(super) system: Flags,
    pub(super) keywords: Vec<Text>,
}

/// `"+" / "-"` of `store-att-flags`, or neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlagChange {
    Replace,
    Add,
    Remove,
}

/// `status-att`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StatusItem {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
}

/// `fetch-att`. Macros have become what they stand for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FetchItem {
    Envelope,
    Flags,
    InternalDate,
    Rfc822,
    Rfc822Header,
    Rfc822Size,
    Rfc822Text,
    Body,
    BodyStructure,
    Uid,
    BodySection { peek: bool, section: Section, partial: Option<Partial> },
}

/// `section`, its brackets aside.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Section {
    /// `section-part`; empty for the letter itself.
    pub(super) part: Vec<u32>,
    pub(super) text: SectionText,
}

/// `section-text`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum SectionText {
    /// None: all of it.
    #[default]
    All,
    Header,
    HeaderFields {
        not: bool,
        names: Vec<Text>,
    },
    Text,
    Mime,
}

/// `"<" number "." nz-number ">"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Partial {
    pub(super) offset: u64,
    pub(super) len: u64,
}

/// `search-key`. Keys that stand for others (NEW, OLD, UNSEEN, FROM ...) have become those.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SearchKey {
    All,
    And(Vec<Self>),
    Or(Box<[Self; 2]>),
    Not(Box<Self>),
    Flag(Flags),
    Keyword(Text),
    Recent,
    Day { of: DayOf, order: DayOrder, day: Day },
    Header { field: Text, text: Text },
    Body(Text),
    Text(Text),
    Larger(u32),
    Smaller(u32),
    Sequence(SequenceSet),
    Uid(SequenceSet),
}

/// Which date a search key looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DayOf {
    /// INTERNALDATE.
    Received,
    /// The Date field.
    Sent,
}

/// BEFORE, ON, SINCE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DayOrder {
    Before,
    On,
    Since,
}

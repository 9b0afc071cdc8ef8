//! A model of a year of mail in a small office: what is brought to a store, and what its people do with it.
//!
//! It knows no store. It tells what happens when ([`Office`] is an iterator over simulated time), with letters named by
//! numbers, so that the same year can be played to anything that keeps mail. A fixed seed makes every run the same.
//! Every constant carries its reason: they were chosen from how offices use mail, and are the argument for what is
//! measured with them. They are not to be changed to make a figure better.

pub(crate) mod calendar;
pub(crate) mod dice;
pub(crate) mod mix;
pub(crate) mod people;
mod year;

pub(crate) use mix::Letter;
pub(crate) use year::Office;

/// Where a person keeps a letter. Project folders stand for all folders that people make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Folder {
    Inbox,
    Sent,
    Drafts,
    Trash,
    Archive,
    Project(u8),
}

/// A flag that somebody sets, and waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    Seen,
    /// `\Seen` as a side effect of fetching: nobody waits for it.
    SeenByFetch,
    Answered,
    Flagged,
    Deleted,
}

/// One thing that reaches the store. The letters of one action are one person's.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// A letter comes by SMTP for these people.
    Deliver { letter: Letter, to: Vec<usize> },
    /// A client files a letter: in Sent when it was sent, in Drafts while it is written.
    Append { letter: Letter, by: usize, folder: Folder },
    /// Flags are set.
    Mark { person: usize, letters: Vec<u64>, mark: Mark },
    /// Letters are moved, to Trash among other places.
    Move { person: usize, letters: Vec<u64>, to: Folder },
    /// Letters are removed for good.
    Expunge { person: usize, letters: Vec<u64> },
    /// The box stops and starts: by a restart, or because the power fails.
    Restart { clean: bool },
}

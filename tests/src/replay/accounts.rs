//! Who is on the box whose writes are recorded: two who get every letter, and one who files.

use crate::provision;
use crate::site::Account;

/// Both get every letter: a letter has two mailboxes or none.
pub(super) const RECIPIENTS: [&str; 2] = ["one@example.test", "two@example.test"];

/// Appends, flags, moves and expunges.
pub(super) const FILER: &str = "filer@example.test";

/// The filer's mailboxes, between which letters move.
pub(super) const MAILBOXES: [&str; 2] = ["INBOX", "Archive"];

/// The flags that the filer sets; bit *n* of a set of flags is the *n*th.
pub(super) const FLAGS: [&str; 4] = ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted"];

/// The provision file of the box.
pub(super) fn provision_file() -> String {
    provision::small_file(&[RECIPIENTS[0], RECIPIENTS[1], FILER])
}

/// One of them.
pub(super) fn account(address: &str) -> Account {
    provision::named_account(address)
}

/// The flags in a text, as bits.
pub(super) fn flag_bits(text: &str) -> u8 {
    (0..FLAGS.len()).filter(|bit| text.contains(FLAGS[*bit])).fold(0, |bits, bit| bits | 1 << bit)
}

/// The flags of these bits, as IMAP lists them.
pub(super) fn flag_names(bits: u8) -> String {
    let set = (0..FLAGS.len()).filter(|bit| bits & 1 << bit != 0);
    set.map(|bit| FLAGS[bit]).collect::<Vec<_>>().join(" ")
}

//! Envelopes of letters that leave the box: what MAIL and RCPT said, as far as whoever sends them on must know.

use alloc::string::String;
use alloc::vec::Vec;

use crate::{AccountId, Address, Flags, MailboxId, UnixTime};

/// Where letters wait that leave the box, as a mailbox: one message for each recipient outside, all of a letter sharing its
/// body. It belongs to no account and has no name, so no session can open it. What the flags of its messages mean is the
/// business of whoever sends ([`Outbound`]); whoever keeps the mail begins each with its recipient's place in the envelope.
pub const OUTBOUND: MailboxId = MailboxId(0);

/// What MAIL said (RFC 5321 §4.1.1.2 and the extensions named).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The reverse-path; `None` for the null one.
    pub sender: Option<Address>,
    /// Who submitted the letter; `None` when it came from another server.
    pub submitter: Option<AccountId>,
    /// What bytes there are in the letter.
    pub body: BodyKind,
    /// SMTPUTF8 (RFC 6531): addresses or header fields may be beyond ASCII.
    pub utf8: bool,
    /// REQUIRETLS (RFC 8689).
    pub requires_tls: bool,
    /// RET (RFC 3461 §4.3): what a report of failure brings back; `None` where nothing was said.
    pub returns: Option<Returns>,
    /// ENVID (RFC 3461 §4.4), decoded; empty where nothing was said.
    pub id: String,
    /// Not to be sent before (FUTURERELEASE, RFC 4865).
    pub not_before: Option<UnixTime>,
    /// SHA-256 of the letter's body in relaxed form (RFC 6376 §3.4.4, §3.7): of one that began here, because the box signs
    /// such letters. `None` of one that only passes through.
    pub body_hash: Option<[u8; 32]>,
}

/// What bytes there are in a letter (RFC 6152, RFC 3030).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyKind {
    /// ASCII in lines.
    #[default]
    SevenBit,
    /// Any bytes in lines that end with CR LF.
    EightBit,
    /// Any bytes.
    Binary,
}

/// What a report of failure brings back of the letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// All of it.
    Full,
    /// Its header block.
    Headers,
}

/// What RCPT said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// The forward-path.
    pub address: Address,
    /// NOTIFY (RFC 3461 §4.1).
    pub notify: Notify,
    /// ORCPT (RFC 3461 §4.2): the address that the sender gave, decoded, as `type;address`; empty where nothing was said.
    pub original: String,
}

impl Recipient {
    /// A recipient of which nothing but the address was said.
    #[must_use]
    pub const fn plain(address: Address) -> Self {
        Self { address, notify: Notify::UNSAID, original: String::new() }
    }
}

/// What the sender wants to be told (RFC 3461 §4.1): a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Notify(pub u8);

impl Notify {
    /// Nothing was said: failures and, as the server likes, delays.
    pub const UNSAID: Self = Self(0);
    /// Nothing is wanted.
    pub const NEVER: Self = Self(1);
    /// That it was delivered.
    pub const SUCCESS: Self = Self(2);
    /// That it could not be.
    pub const FAILURE: Self = Self(4);
    /// That it takes long.
    pub const DELAY: Self = Self(8);

    /// Whether all of `other` is in it.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What may be queued for other servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// Nothing: the box does not send.
    Nothing,
    /// What an alias of ours leads to: whoever sent the letter may not use the box for other domains.
    Aliases,
    /// Any address: the client may send.
    Anywhere,
}

/// An envelope as it was kept with its letter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Posting {
    /// What MAIL said.
    pub envelope: Envelope,
    /// The recipients outside, each in the place that its message in [`OUTBOUND`] names.
    pub recipients: Vec<Recipient>,
}

/// What the flags of a message in [`OUTBOUND`] mean: which recipient of the letter it is, and how far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outbound {
    /// Place of the recipient in the envelope, below [`RECIPIENTS_MAX`](crate::limits::RECIPIENTS_MAX).
    pub recipient: u16,
    /// It has been delivered here, and only that is to be reported.
    pub report_only: bool,
    /// Nobody tries it until the administrator says so.
    pub held: bool,
    /// The sender has been told that it takes long, for the first and for the second time.
    pub told: [bool; 2],
    /// The administrator wants it tried now: what comes of that does not count as an attempt.
    pub forced: bool,
    /// The administrator ended its delivery: it is to go back to its sender.
    pub cancelled: bool,
    /// How often it has been tried, at most 63.
    pub attempts: u8,
    /// Which of the remembered replies the last attempt got; 0 for none.
    pub words: u8,
    /// When it is to be tried next, in seconds of whoever's clock it is that sends.
    pub due_s: u32,
}

impl Outbound {
    const RECIPIENT_BITS: u32 = 10;
    const REPORT: u64 = 1 << 10;
    const HELD: u64 = 1 << 11;
    const TOLD: [u64; 2] = [1 << 12, 1 << 13];
    const FORCED: u64 = 1 << 14;
    const CANCELLED: u64 = 1 << 15;
    const ATTEMPTS_SHIFT: u32 = 16;
    const ATTEMPTS_MAX: u8 = 63;
    const WORDS_SHIFT: u32 = 24;
    const DUE_SHIFT: u32 = 32;

    /// The flags that say which recipient it is; all others change as it goes on.
    pub const RECIPIENT: Flags = Flags((1 << Self::RECIPIENT_BITS) - 1);

    /// As flags.
    #[must_use]
    pub fn to_flags(self) -> Flags {
        let bit = |on: bool, bit: u64| if on { bit } else { 0 };
        let recipient = u64::from(self.recipient) & ((1 << Self::RECIPIENT_BITS) - 1);
        Flags(
            recipient
                | bit(self.report_only, Self::REPORT)
                | bit(self.held, Self::HELD)
                | bit(self.told[0], Self::TOLD[0])
                | bit(self.told[1], Self::TOLD[1])
                | bit(self.forced, Self::FORCED)
                | bit(self.cancelled, Self::CANCELLED)
                | (u64::from(self.attempts.min(Self::ATTEMPTS_MAX)) << Self::ATTEMPTS_SHIFT)
                | (u64::from(self.words) << Self::WORDS_SHIFT)
                | (u64::from(self.due_s) << Self::DUE_SHIFT),
        )
    }

    /// What flags mean.
    #[must_use]
    pub const fn from_flags(flags: Flags) -> Self {
        let bits = flags.0;
        Self {
            recipient: (bits & ((1 << Self::RECIPIENT_BITS) - 1)) as u16,
            report_only: bits & Self::REPORT != 0,
            held: bits & Self::HELD != 0,
            told: [bits & Self::TOLD[0] != 0, bits & Self::TOLD[1] != 0],
            forced: bits & Self::FORCED != 0,
            cancelled: bits & Self::CANCELLED != 0,
            attempts: (bits >> Self::ATTEMPTS_SHIFT) as u8 & Self::ATTEMPTS_MAX,
            words: (bits >> Self::WORDS_SHIFT) as u8,
            due_s: (bits >> Self::DUE_SHIFT) as u32,
        }
    }
}

const _: () = assert!(crate::limits::RECIPIENTS_MAX <= 1 << Outbound::RECIPIENT_BITS);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_say_how_far_a_recipient_is() {
        for outbound in [
            Outbound::default(),
            Outbound { recipient: 999, ..Outbound::default() },
            Outbound { report_only: true, held: true, told: [true, false], ..Outbound::default() },
            Outbound { forced: true, ..Outbound::default() },
            Outbound { cancelled: true, ..Outbound::default() },
            Outbound {
                told: [false, true],
                attempts: 63,
                words: 255,
                due_s: u32::MAX,
                ..Outbound::default()
            },
        ] {
            assert_eq!(Outbound::from_flags(outbound.to_flags()), outbound);
        }
        let often = Outbound { attempts: 200, ..Outbound::default() };
        assert_eq!(Outbound::from_flags(often.to_flags()).attempts, 63);
    }

    #[test]
    fn a_set_of_wishes_has_its_members() {
        let both = Notify::FAILURE.with(Notify::DELAY);
        assert!(both.contains(Notify::DELAY) && !both.contains(Notify::SUCCESS));
        assert!(!Notify::UNSAID.contains(Notify::NEVER));
    }
}

//! Replies: how a command ended, with its response code (RFC 3501 §7.1, RFC 5530) and a sentence; and the one table that
//! turns refusals of the store into them.

use alloc::{borrow::Cow, vec::Vec};

use mail::{NameError, Receipt, Refusal, Uid, UidValidity};

use super::emit;

/// `response tagged`, its tag aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) status: Status,
    pub(super) code: Option<Code>,
    pub(super) text: Cow<'static, str>,
}

/// `resp-cond-state`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Ok,
    No,
    Bad,
}

/// `resp-text-code`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Code {
    /// One without arguments, or with ready ones.
    Plain(Cow<'static, str>),
    /// RFC 4315 §3.
    AppendUid(UidValidity, Uid),
    /// RFC 4315 §3.
    CopyUid(Receipt),
}

impl Reply {
    pub(super) const fn ok(text: &'static str) -> Self {
        Self { status: Status::Ok, code: None, text: Cow::Borrowed(text) }
    }

    pub(super) const fn no(code: &'static str, text: &'static str) -> Self {
        Self { status: Status::No, code: Some(Code::Plain(Cow::Borrowed(code))), text: Cow::Borrowed(text) }
    }

    pub(super) const fn bad(text: &'static str) -> Self {
        Self { status: Status::Bad, code: None, text: Cow::Borrowed(text) }
    }

    pub(super) fn with(self, code: Code) -> Self {
        Self { code: Some(code), ..self }
    }

    /// Appends it behind a tag, or `*`.
    pub(super) fn write(&self, tag: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(tag.as_bytes());
        out.extend_from_slice(match self.status {
            Status::Ok => b" OK ",
            Status::No => b" NO ",
            Status::Bad => b" BAD ",
        });
        if let Some(code) = &self.code {
            out.push(b'[');
            code.write(out);
            out.extend_from_slice(b"] ");
        }
        out.extend_from_slice(self.text.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

impl Code {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Plain(text) => out.extend_from_slice(text.as_bytes()),
            Self::AppendUid(validity, uid) => {
                out.extend_from_slice(b"APPENDUID ");
                emit::number(u64::from(validity.0), out);
                out.push(b' ');
                emit::number(u64::from(uid.0), out);
            }
            Self::CopyUid(receipt) => {
                out.extend_from_slice(b"COPYUID ");
                emit::number(u64::from(receipt.uid_validity.0), out);
                for set in [&receipt.source, &receipt.destination] {
                    out.push(b' ');
                    emit::uid_set(set, out);
                }
            }
        }
    }
}

/// What a mailbox that does not exist was wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Itself.
    Subject,
    /// To put messages into: creating it would help (RFC 3501 §7.1 TRYCREATE).
    Destination,
}

/// The reply to what the store refuses. No refusal is answered `[SERVERBUG]`.
pub(super) const fn refused(refusal: Refusal, role: Role) -> Reply {
    use Refusal::{
        Cannot, ForwardsOutside, InUse, LargerThanQuota, Limit, MailboxExists, NoSuchMailbox, NoSuchUser,
        NotDurable, NotLocal, OverQuota, QueueFull, ReadOnly, StoreFull, TooBusy, TooLarge, TooManyMessages,
        TooManyRecipients,
    };
    match refusal {
        OverQuota => Reply::no("OVERQUOTA", "The mailbox quota does not allow this"),
        LargerThanQuota => Reply::no("OVERQUOTA", "The message is larger than the whole mailbox quota"),
        TooLarge => Reply::no("TOOBIG", "The message is larger than this server takes"),
        StoreFull => Reply::no("OVERQUOTA", "The flash of this server is full"),
        TooManyMessages => Reply::no(
            "OVERQUOTA",
            "This server keeps as many messages as its memory allows; delete some first",
        ),
        ReadOnly => Reply::no("UNAVAILABLE", "The flash of this server takes no changes at present"),
        NotDurable => Reply::no("UNAVAILABLE", "The change could not be written to flash; it was not made"),
        TooBusy => Reply::no("UNAVAILABLE", "The server is busy; try again in a moment"),
        NoSuchMailbox => match role {
            Role::Subject => Reply::no("NONEXISTENT", "There is no such mailbox"),
            Role::Destination => Reply::no("TRYCREATE", "There is no such mailbox; create it first"),
        },
        MailboxExists => Reply::no("ALREADYEXISTS", "There is such a mailbox already"),
        Cannot => Reply::no("CANNOT", "This cannot be done with that mailbox"),
        Limit => Reply::no("LIMIT", "A limit on mailboxes, keywords or names does not allow this"),
        InUse => Reply::no("INUSE", "Another session holds this mailbox"),
        // These are answers to SMTP; nothing that IMAP asks for has them.
        NoSuchUser | NotLocal | ForwardsOutside | TooManyRecipients | QueueFull => {
            Reply::no("CANNOT", "This cannot be done here")
        }
    }
}

/// The reply to a text that cannot name a mailbox.
pub(super) const fn misnamed(error: NameError) -> Reply {
    match error {
        NameError::TooLong => Reply::no("LIMIT", "That name is too long for a mailbox"),
        NameError::Malformed => Reply::no("CANNOT", "A mailbox cannot have that name"),
    }
}

#[cfg(test)]
mod tests {
    use mail::UidSet;

    use super::*;

    #[test]
    fn a_reply_is_one_line() {
        let written = |reply: Reply| {
            let mut out = Vec::new();
            reply.write("a1", &mut out);
            alloc::string::String::from_utf8(out).unwrap()
        };
        assert_eq!(written(Reply::ok("Done")), "a1 OK Done\r\n");
        assert_eq!(written(Reply::no("LIMIT", "Too many")), "a1 NO [LIMIT] Too many\r\n");
        let receipt = Receipt {
            uid_validity: UidValidity(7),
            source: UidSet::range(Uid(3), Uid(5)),
            destination: UidSet::range(Uid(10), Uid(12)),
        };
        assert_eq!(
            written(Reply::ok("Copied").with(Code::CopyUid(receipt))),
            "a1 OK [COPYUID 7 3:5 10:12] Copied\r\n"
        );
        assert_eq!(
            written(Reply::ok("Saved").with(Code::AppendUid(UidValidity(7), Uid(9)))),
            "a1 OK [APPENDUID 7 9] Saved\r\n"
        );
    }
}

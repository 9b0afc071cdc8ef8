//! Replies: a code, an enhanced status code and one sentence; and which refusal of the mail becomes which reply.

use alloc::{borrow::Cow, string::String};

use mail::Refusal;

use super::guard::Later;
use crate::{Output, session::Seconds};

/// What is said to a command (RFC 5321 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    code: u16,
    /// Enhanced status code (RFC 3463); empty where RFC 2034 §4 wants none.
    status: &'static str,
    /// Lines divided by LF.
    text: Cow<'static, str>,
}

impl Reply {
    pub(super) const fn new(code: u16, status: &'static str, text: &'static str) -> Self {
        Self { code, status, text: Cow::Borrowed(text) }
    }

    pub(super) const fn owned(code: u16, status: &'static str, text: String) -> Self {
        Self { code, status, text: Cow::Owned(text) }
    }

    /// Whether it is a permanent refusal.
    pub(super) const fn is_error(&self) -> bool {
        self.code >= 500
    }

    /// RFC 5321 §4.2.1: every line begins with the code, all but the last with a hyphen behind it. RFC 2034 §4: the
    /// enhanced code stands on every line.
    pub(super) fn write(&self, output: &mut Output) {
        let mut lines = self.text.split('\n').peekable();
        while let Some(line) = lines.next() {
            let digit = |value: u16| b'0' + (value % 10) as u8;
            output.push(&[digit(self.code / 100), digit(self.code / 10), digit(self.code)]);
            output.push(if lines.peek().is_some() { b"-" } else { b" " });
            if !self.status.is_empty() {
                output.push(self.status.as_bytes());
                output.push(b" ");
            }
            output.push(line.as_bytes());
            output.push(b"\r\n");
        }
    }
}

/// A challenge of AUTH (RFC 4954 §4), which is base64 already.
pub(super) const fn challenge(base64: Cow<'static, str>) -> Reply {
    Reply { code: 334, status: "", text: base64 }
}

/// What a refusal of the mail is in SMTP. [`Refusal::NotLocal`] is the caller's, who knows what the client may do.
pub(super) const fn refused(refusal: Refusal) -> Reply {
    match refusal {
        Refusal::NoSuchUser => NO_SUCH_USER,
        Refusal::NotLocal => NO_RELAY,
        Refusal::ForwardsOutside => Reply::new(
            451,
            "4.3.2",
            "This address leads to another server, and nothing is sent there just now; try again later",
        ),
        Refusal::TooManyRecipients => Reply::new(
            452,
            "4.5.3",
            "That is as many recipients as one letter can have; send another for the rest",
        ),
        Refusal::OverQuota => Reply::new(452, "4.2.2", "The mailbox has no room for this letter"),
        Refusal::LargerThanQuota => {
            Reply::new(552, "5.2.2", "The letter is larger than all that this mailbox may keep")
        }
        Refusal::TooLarge => TOO_LARGE,
        Refusal::StoreFull => Reply::new(452, "4.3.1", "The storage of this box is full; try again later"),
        Refusal::TooManyMessages => Reply::new(
            452,
            "4.3.1",
            "This box keeps as many messages as its memory allows; delete some first",
        ),
        Refusal::QueueFull => Reply::new(
            452,
            "4.3.1",
            "As many letters as this box keeps wait for other servers already; try again later",
        ),
        Refusal::TooBusy => {
            Reply::new(452, "4.3.1", "Too many letters are coming in at once; try again later")
        }
        Refusal::ReadOnly => Reply::new(
            452,
            "4.3.2",
            "The flash of this box takes no more writes; keep the letter until its owner has exchanged it",
        ),
        Refusal::NotDurable => {
            Reply::new(451, "4.3.0", "The letter could not be stored safely; try again later")
        }
        // These are answers to requests that SMTP does not make.
        Refusal::NoSuchMailbox
        | Refusal::MailboxExists
        | Refusal::Cannot
        | Refusal::Limit
        | Refusal::InUse => {
            Reply::new(451, "4.3.0", "The letter could not be delivered just now; try again later")
        }
    }
}

/// RFC 3463 §3.8: a matter of policy; 450 is what RFC 5321 §4.2.2 has for it.
pub(super) fn too_many_letters(Later(seconds): Later) -> Reply {
    let text = alloc::format!("Too many letters come from you; go on in {}", Seconds(seconds));
    Reply::owned(450, "4.7.1", text)
}

/// The same for recipients.
pub(super) fn too_many_recipients(Later(seconds): Later) -> Reply {
    let text = alloc::format!("You write to too many people at other servers; go on in {}", Seconds(seconds));
    Reply::owned(450, "4.7.1", text)
}

pub(super) const OK: Reply = Reply::new(250, "2.0.0", "Ok");
pub(super) const SENDER_OK: Reply = Reply::new(250, "2.1.0", "Sender ok");
pub(super) const RECIPIENT_OK: Reply = Reply::new(250, "2.1.5", "Recipient ok");
pub(super) const BYE: Reply = Reply::new(221, "2.0.0", "Bye");
pub(super) const NO_VERIFY: Reply =
    Reply::new(252, "2.5.0", "Addresses are not looked up; send a letter and see");
pub(super) const HELP: Reply = Reply::new(
    214,
    "2.0.0",
    "This is the mail server Tegami; it knows\n\
     HELO EHLO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT STARTTLS",
);
pub(super) const HELP_SUBMISSION: Reply = Reply::new(
    214,
    "2.0.0",
    "This is the mail server Tegami; it knows\n\
     HELO EHLO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT STARTTLS AUTH",
);
pub(super) const READY_FOR_TLS: Reply = Reply::new(220, "2.0.0", "Ready to start TLS");
pub(super) const GO_AHEAD: Reply = Reply::new(354, "", "Go ahead; end with a line of a single dot");
pub(super) const CHUNK_OK: Reply = Reply::new(250, "2.0.0", "Ok; go on with the next chunk");

pub(super) const UNKNOWN: Reply = Reply::new(500, "5.5.2", "This command is not known here");
pub(super) const LINE_TOO_LONG: Reply = Reply::new(500, "5.5.2", "The line is too long");
pub(super) const LINE_MALFORMED: Reply =
    Reply::new(500, "5.5.2", "A line must end with CR LF and hold no other CR, LF or NUL");
pub(super) const NOT_IMPLEMENTED: Reply = Reply::new(502, "5.5.1", "This command is not implemented here");
pub(super) const NO_ARGUMENT: Reply = Reply::new(501, "5.5.4", "This command has no argument");
pub(super) const NAME_MISSING: Reply = Reply::new(501, "5.5.4", "Say who you are: EHLO your.host.name");
pub(super) const MAIL_SYNTAX: Reply = Reply::new(501, "5.5.4", "Syntax: MAIL FROM:<address> [parameters]");
pub(super) const RCPT_SYNTAX: Reply = Reply::new(501, "5.5.4", "Syntax: RCPT TO:<address> [parameters]");
pub(super) const SENDER_SYNTAX: Reply = Reply::new(501, "5.1.7", "The sender is not a mail address");
pub(super) const RECIPIENT_SYNTAX: Reply = Reply::new(501, "5.1.3", "The recipient is not a mail address");
pub(super) const NOT_UTF8: Reply = Reply::new(501, "5.5.4", "The address is not UTF-8");
pub(super) const NEEDS_SMTPUTF8: Reply =
    Reply::new(553, "5.6.7", "An address beyond ASCII needs the parameter SMTPUTF8 of MAIL");
pub(super) const PARAMETER_UNKNOWN: Reply = Reply::new(555, "5.5.4", "A parameter is not known here");
pub(super) const PARAMETER_MALFORMED: Reply =
    Reply::new(501, "5.5.4", "A parameter is malformed or given twice");
/// RFC 8689 §5 has codes for those who send on; this is what RFC 5248 §2.4 has for want of TLS.
pub(super) const REQUIRETLS_NEEDS_TLS: Reply =
    Reply::new(530, "5.7.10", "REQUIRETLS is for connections with TLS; begin it first (STARTTLS)");
pub(super) const HELD_TOO_LONG: Reply =
    Reply::new(501, "5.5.4", "A letter is not held for so long; EHLO says how long it can be");
pub(super) const HELD_HERE: Reply = Reply::new(
    550,
    "5.3.3",
    "A letter to somebody here cannot be held back; send this one without HOLDFOR and HOLDUNTIL",
);
pub(super) const CLOCK_UNKNOWN: Reply = Reply::new(
    451,
    "4.3.2",
    "This box does not know the time yet, so it cannot hold a letter until later; try again in some minutes",
);

pub(super) const HELLO_FIRST: Reply = Reply::new(503, "5.5.1", "Say EHLO first");
pub(super) const MAIL_FIRST: Reply = Reply::new(503, "5.5.1", "Say MAIL first");
pub(super) const MAIL_GIVEN: Reply = Reply::new(503, "5.5.1", "A letter has been begun already");
pub(super) const NO_RECIPIENTS: Reply = Reply::new(554, "5.5.1", "No recipient was accepted");
pub(super) const BETWEEN_CHUNKS: Reply =
    Reply::new(503, "5.5.1", "A letter is coming in chunks: go on with BDAT, or drop it with RSET");
pub(super) const BINARY_BY_DATA: Reply =
    Reply::new(503, "5.5.1", "A letter with BODY=BINARYMIME cannot come by DATA, only by BDAT");
pub(super) const CHUNK_SYNTAX: Reply = Reply::new(501, "5.5.4", "Syntax: BDAT size [LAST]");
pub(super) const CHUNK_SIZE: Reply = Reply::new(
    501,
    "5.5.4",
    "Syntax: BDAT size [LAST]; nobody can tell where this chunk ends, so the connection does",
);

pub(super) const NO_SUCH_USER: Reply = Reply::new(550, "5.1.1", "There is no mailbox of this name here");
pub(super) const NOT_FOR_DEVICE: Reply =
    Reply::new(550, "5.7.1", "This device may write to people here, and to those whom its settings name");
pub(super) const NO_RELAY: Reply =
    Reply::new(550, "5.7.1", "Relaying denied: this box takes letters for its own domains only");
pub(super) const NOT_YOUR_ADDRESS: Reply =
    Reply::new(553, "5.7.1", "The account that you logged in with may not send as this address");
pub(super) const LOGIN_FIRST: Reply = Reply::new(530, "5.7.0", "Log in first (AUTH)");
pub(super) const TLS_FIRST: Reply = Reply::new(530, "5.7.0", "Begin TLS first (STARTTLS)");
pub(super) const TLS_ALREADY: Reply = Reply::new(503, "5.5.1", "TLS is running already");

pub(super) const AUTH_NOT_HERE: Reply =
    Reply::new(502, "5.5.1", "There is no log-in on this port; mail programs send through port 465 or 587");
pub(super) const AUTH_NEEDS_TLS: Reply =
    Reply::new(538, "5.7.11", "No password is taken without TLS; begin it first (STARTTLS)");
pub(super) const AUTH_ALREADY: Reply = Reply::new(503, "5.5.1", "You are logged in already");
pub(super) const AUTH_IN_LETTER: Reply = Reply::new(503, "5.5.1", "Not while a letter is being sent");
pub(super) const AUTH_UNKNOWN: Reply =
    Reply::new(504, "5.5.4", "There is no such mechanism here; EHLO says which there are");
pub(super) const AUTH_SYNTAX: Reply = Reply::new(501, "5.5.4", "Syntax: AUTH mechanism [initial response]");
pub(super) const AUTH_CANCELLED: Reply = Reply::new(501, "5.7.0", "Log-in cancelled");
pub(super) const AUTH_NOT_BASE64: Reply = Reply::new(501, "5.5.2", "The response is not base64");
pub(super) const AUTH_MALFORMED: Reply =
    Reply::new(501, "5.5.2", "The response is not what the mechanism asks for");
pub(super) const AUTH_TOO_LONG: Reply = Reply::new(500, "5.5.6", "The response is too long");
pub(super) const AUTH_OK: Reply = Reply::new(235, "2.7.0", "Welcome");
pub(super) const AUTH_WRONG: Reply = Reply::new(535, "5.7.8", "Name or password is wrong");
pub(super) const AUTH_NOT_BOUND: Reply = Reply::new(
    535,
    "5.7.8",
    "The log-in is not bound to this connection; somebody may be listening in between",
);
pub(super) const AUTH_BINDING_TYPE: Reply =
    Reply::new(504, "5.5.4", "The only channel binding here is tls-exporter; SCRAM-SHA-256 needs none");
pub(super) const AUTH_UNAVAILABLE: Reply =
    Reply::new(454, "4.7.0", "Passwords cannot be checked just now; try again later");

pub(super) const TOO_LARGE: Reply = Reply::new(552, "5.3.4", "The letter is larger than this box takes");
pub(super) const LOOP: Reply =
    Reply::new(554, "5.4.6", "The letter goes round in circles: it has passed too many servers");
pub(super) const BARE_CR: Reply = Reply::new(
    550,
    "5.6.0",
    "The letter has a CR without LF; lines must end with CR LF (RFC 5321 section 2.3.8)",
);
pub(super) const BARE_LF: Reply = Reply::new(
    550,
    "5.6.0",
    "The letter has an LF without CR; lines must end with CR LF (RFC 5321 section 2.3.8)",
);

/// Replies that end the connection name the host (RFC 5321 §4.2.2, code 421).
pub(super) fn closing(status: &'static str, hostname: &str, sentence: &str) -> Reply {
    Reply::owned(421, status, alloc::format!("{hostname} {sentence}"))
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn every_line_has_code_and_status() {
        let mut output = Output::new();
        HELP.write(&mut output);
        GO_AHEAD.write(&mut output);
        let text = core::str::from_utf8(output.pending()).unwrap().to_string();
        assert_eq!(
            text,
            "214-2.0.0 This is the mail server Tegami; it knows\r\n\
             214 2.0.0 HELO EHLO MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT STARTTLS\r\n\
             354 Go ahead; end with a line of a single dot\r\n"
        );
    }

    #[test]
    fn the_class_of_a_status_is_the_class_of_its_code() {
        for refusal in [
            Refusal::NoSuchUser,
            Refusal::NotLocal,
            Refusal::ForwardsOutside,
            Refusal::TooManyRecipients,
            Refusal::OverQuota,
            Refusal::LargerThanQuota,
            Refusal::QueueFull,
            Refusal::TooLarge,
            Refusal::StoreFull,
            Refusal::TooManyMessages,
            Refusal::ReadOnly,
            Refusal::NotDurable,
            Refusal::TooBusy,
            Refusal::Cannot,
        ] {
            let reply = refused(refusal);
            assert_eq!(reply.status.as_bytes()[0], b'0' + (reply.code / 100) as u8, "{refusal:?}");
        }
    }
}

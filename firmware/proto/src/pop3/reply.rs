//! What the server says: `+OK` and `-ERR` lines (RFC 1939 §3), with response codes (RFC 2449 §8, RFC 3206).

use alloc::borrow::Cow;

use crate::Output;

/// One reply of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    kind: Kind,
    text: Cow<'static, str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ok,
    No,
    /// The client did something wrong: counted.
    Mistake,
}

/// A `+OK`.
pub(super) fn ok(text: impl Into<Cow<'static, str>>) -> Reply {
    Reply { kind: Kind::Ok, text: text.into() }
}

/// A `-ERR` for which the client's program is not to blame.
pub(super) fn no(text: impl Into<Cow<'static, str>>) -> Reply {
    Reply { kind: Kind::No, text: text.into() }
}

/// The same of a sentence that never changes.
const fn refusal(text: &'static str) -> Reply {
    Reply { kind: Kind::No, text: Cow::Borrowed(text) }
}

/// A `-ERR` for what no client should say.
pub(super) const fn mistake(text: &'static str) -> Reply {
    Reply { kind: Kind::Mistake, text: Cow::Borrowed(text) }
}

impl Reply {
    /// Appends the line.
    pub(super) fn write(&self, output: &mut Output) {
        output.push(if self.kind == Kind::Ok { b"+OK " } else { b"-ERR " });
        output.push(self.text.as_bytes());
        output.push(b"\r\n");
    }

    /// Whether it counts as a mistake of the client.
    pub(super) fn is_mistake(&self) -> bool {
        self.kind == Kind::Mistake
    }
}

pub(super) const UNKNOWN_COMMAND: Reply = mistake("Unknown command");
pub(super) const LINE_TOO_LONG: Reply = mistake("The line is too long");
pub(super) const LOG_IN_FIRST: Reply = mistake("Log in first");
pub(super) const LOGGED_IN_ALREADY: Reply = mistake("You are logged in already");
pub(super) const NO_ARGUMENT: Reply = mistake("This command takes no argument");
pub(super) const NUMBER_NEEDED: Reply = mistake("This command takes the number of a message");
pub(super) const TOP_SYNTAX: Reply = mistake("TOP takes the number of a message and a number of lines");
pub(super) const USER_SYNTAX: Reply = mistake("USER takes a name");
pub(super) const USER_FIRST: Reply = mistake("Say USER first");
pub(super) const AUTH_SYNTAX: Reply = mistake("AUTH takes a mechanism: see CAPA");
pub(super) const AUTH_UNKNOWN: Reply = mistake("No such mechanism: see CAPA");
pub(super) const AUTH_NOT_BASE64: Reply = mistake("That is not base64");
pub(super) const AUTH_MALFORMED: Reply = mistake("That is not what this mechanism sends");
pub(super) const AUTH_BINDING_TYPE: Reply =
    mistake("The only channel binding here is tls-exporter; SCRAM-SHA-256 needs none");
/// RFC 3206 §4: the credentials were the trouble.
pub(super) const AUTH_WRONG: Reply = refusal("[AUTH] Wrong name or password");
pub(super) const AUTH_NOT_BOUND: Reply =
    refusal("[AUTH] The log-in is not bound to this connection; somebody may be listening in between");
pub(super) const TLS_ALREADY: Reply = mistake("TLS is running already");

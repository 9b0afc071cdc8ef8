//! Why a recipient has not got its letter: one cause that people are told, the server, and its own words.

use std::{fmt, net::IpAddr};

use proto::{
    report::{Cause, Side},
    smtp::client::{Ending, Own, Reason, Reply, Stage},
};

use crate::{
    link::{Closed, Trouble as NoLink},
    routing::{NoRoute, Server},
};

/// What stands in the way of a letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// What people are told, and which code it has.
    pub(crate) cause: Cause,
    /// The server that was asked; empty if none was.
    pub(crate) server: String,
    /// Its reply with its codes; empty if there was none.
    pub(crate) reply: String,
    /// What the log says where there is no reply, in English.
    pub(crate) note: String,
}

impl Trouble {
    /// Something that was found out here.
    pub(crate) fn own(cause: Cause, note: impl Into<String>) -> Self {
        Self { cause, server: String::new(), reply: String::new(), note: note.into() }
    }

    /// Whether it could have passed: what came of it is that the letter's time was over.
    pub(crate) fn passes(&self) -> bool {
        match self.reply.as_bytes().first() {
            Some(class) => *class == b'4' || matches!(self.cause, Cause::LogInRefused | Cause::NoTls),
            None => !matches!(
                self.cause,
                Cause::NoSuchDomain
                    | Cause::TakesNoMail
                    | Cause::Loop
                    | Cause::AddressScript
                    | Cause::BodyForm
                    | Cause::NoRequireTls
                    | Cause::TooLarge { .. }
            ),
        }
    }

    /// Why there is no server; says whether that is for good.
    pub(crate) fn of_route(no_route: &NoRoute) -> (Self, bool) {
        match no_route {
            NoRoute::NoSuchDomain => (Self::own(Cause::NoSuchDomain, "there is no such domain"), true),
            NoRoute::TakesNoMail => (Self::own(Cause::TakesNoMail, "the domain takes no mail"), true),
            NoRoute::Loop => (Self::own(Cause::Loop, "the domain's mail server is this box"), true),
            NoRoute::NameTrouble(text) => (Self::own(Cause::NameTrouble, text.as_str()), false),
        }
    }

    /// Why a connection came to nothing, or to its end with letters left.
    pub(crate) fn of_connection(closed: &Closed, server: &Server) -> Self {
        let named = |cause, reply: Option<&Reply>, note: &str| Self {
            cause,
            server: name_of(server, closed.reached.map(|reached| reached.address)),
            reply: reply.map(Reply::to_string).unwrap_or_default(),
            note: note.to_owned(),
        };
        match &closed.ending {
            Err(no_link) => {
                let cause = match no_link {
                    NoLink::Certificate(_) => Cause::WrongCertificate,
                    NoLink::Tls(_) => Cause::NoTls,
                    NoLink::NoConnection(_) | NoLink::Leaving => Cause::NoConnection,
                };
                named(cause, None, &no_link.to_string())
            }
            Ok(Ending::Refused { stage: Stage::Auth, reply }) => named(Cause::LogInRefused, Some(reply), ""),
            Ok(Ending::Refused { stage: Stage::Tls, reply }) => named(Cause::NoTls, Some(reply), ""),
            Ok(Ending::Refused { reply, .. }) => {
                named(Cause::of_reply(reply.to_string().as_bytes()), Some(reply), "")
            }
            Ok(Ending::NoTls) => named(Cause::NoTls, None, "it offers no TLS"),
            Ok(Ending::NoLogin) => {
                named(Cause::LogInRefused, None, "it offers no way to log in that keeps the password safe")
            }
            Ok(ending) => named(Cause::NoAnswer, None, &note_of(ending)),
        }
    }

    /// Why one recipient was refused or put off by a server. `size` is the letter's in bytes.
    pub(crate) fn of_reason(reason: &Reason, server: &str, size: u64, is_relay: bool) -> Self {
        let (cause, reply, note) = match reason {
            Reason::Remote { stage, reply } => {
                let text = reply.to_string();
                let cause = match Cause::of_reply(text.as_bytes()) {
                    // A smarthost speaks to us, not to the recipient: it does not let us send this.
                    Cause::Unwanted if is_relay && matches!(stage, Stage::Mail | Stage::Recipient) => {
                        Cause::RelayRefused
                    }
                    Cause::TooLarge { side, limit, .. } => Cause::TooLarge { side, size: Some(size), limit },
                    cause => cause,
                };
                (cause, text, "")
            }
            Reason::Own(own) => (cause_of(*own, size), String::new(), note_of_own(*own)),
            Reason::Ended(_) => (Cause::NoAnswer, String::new(), "the connection ended"),
            Reason::Unknown => {
                (Cause::NoAnswer, String::new(), "no answer came to the whole letter: it may have arrived")
            }
        };
        Self { cause, server: server.to_owned(), reply, note: note.to_owned() }
    }
}

impl fmt::Display for Trouble {
    /// For log and lists: `mx.peer.test said: 450 4.2.0 later`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.server.as_str(), self.reply.as_str()) {
            ("", _) => f.write_str(&self.note),
            (server, "") => write!(f, "{server}: {}", self.note),
            (server, reply) => write!(f, "{server} said: {reply}"),
        }
    }
}

/// How a server is called in log and reports.
pub(crate) fn name_of(server: &Server, address: Option<IpAddr>) -> String {
    match address {
        Some(address) if !server.name.starts_with('[') => format!("{} ({address})", server.name),
        _ => server.name.to_string(),
    }
}

fn cause_of(own: Own, size: u64) -> Cause {
    match own {
        Own::NeedsUtf8 => Cause::AddressScript,
        Own::NeedsEightBit | Own::NeedsBinary | Own::LineEnds => Cause::BodyForm,
        Own::TooLarge => Cause::TooLarge { side: Side::Theirs, size: Some(size), limit: None },
        Own::NeedsRequireTls => Cause::NoRequireTls,
        Own::Unreadable => Cause::Damaged,
    }
}

const fn note_of_own(own: Own) -> &'static str {
    match own {
        Own::NeedsUtf8 => "it has no SMTPUTF8, which the letter needs",
        Own::NeedsEightBit => "it has no 8BITMIME, which the letter needs",
        Own::NeedsBinary => "it has no BINARYMIME, which the letter needs",
        Own::TooLarge => "the letter is larger than it says it takes",
        Own::NeedsRequireTls => "the letter asks for REQUIRETLS, which is not to be had on this way",
        Own::LineEnds => "the letter has line ends that are none",
        Own::Unreadable => "the letter cannot be read from the flash",
    }
}

fn note_of(ending: &Ending) -> String {
    match ending {
        Ending::Breach { stage, breach } => format!("it broke the protocol at {stage:?}: {breach:?}"),
        Ending::Silence(stage) => format!("it was silent for too long at {stage:?}"),
        Ending::Lost { stage, text } => format!("the connection was lost at {stage:?}: {text}"),
        Ending::BrokenOff(own) => note_of_own(*own).to_owned(),
        _ => "the connection ended".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_have_passed_is_told_from_what_could_not() {
        let said = |cause, reply: &str| Trouble { reply: reply.into(), ..Trouble::own(cause, "") };
        for (trouble, passes) in [
            (said(Cause::Greylisted, "450 4.2.0 later"), true),
            (said(Cause::NoSuchUser, "550 5.1.1 who?"), false),
            (said(Cause::LogInRefused, "535 5.7.8 no"), true),
            (said(Cause::NoConnection, ""), true),
            (said(Cause::Damaged, ""), true),
            (said(Cause::TakesNoMail, ""), false),
            (said(Cause::TooLarge { side: Side::Theirs, size: None, limit: None }, ""), false),
        ] {
            assert_eq!(trouble.passes(), passes, "{trouble:?}");
        }
    }
}

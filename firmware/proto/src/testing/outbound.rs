//! What the fake mail queues for other servers, and how a transcript says it.

use alloc::string::{String, ToString};
use core::fmt;

use mail::{BodyKind, Envelope, Notify, Recipient, Returns};

/// A recipient in the outbound queue.
///
/// Written as `<sender> to address` and what was said beside: `7bit`, `8bit` or `binary`, `utf8`, `tls`, `ret=full`,
/// `ret=hdrs`, `envid=…`, `hold=…` (Unix time), `notify=…`, `orcpt=…`, `report` for one that was delivered here.
#[derive(Clone, Debug)]
pub(crate) struct Queued {
    pub(crate) envelope: Envelope,
    pub(crate) recipient: Recipient,
    /// It was delivered here, and only that is to be reported.
    pub(crate) report_only: bool,
}

impl fmt::Display for Queued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Envelope { sender, body, utf8, requires_tls, returns, id, not_before, .. } = &self.envelope;
        let sender = sender.as_ref().map_or_else(String::new, ToString::to_string);
        let body = match body {
            BodyKind::SevenBit => "7bit",
            BodyKind::EightBit => "8bit",
            BodyKind::Binary => "binary",
        };
        write!(f, "<{sender}> to {} {body}", self.recipient.address)?;
        f.write_str(if *utf8 { " utf8" } else { "" })?;
        f.write_str(if *requires_tls { " tls" } else { "" })?;
        f.write_str(match returns {
            None => "",
            Some(Returns::Full) => " ret=full",
            Some(Returns::Headers) => " ret=hdrs",
        })?;
        if !id.is_empty() {
            write!(f, " envid={id}")?;
        }
        if let Some(time) = not_before {
            write!(f, " hold={}", time.0)?;
        }
        let wishes = [
            (Notify::NEVER, "never"),
            (Notify::SUCCESS, "success"),
            (Notify::FAILURE, "failure"),
            (Notify::DELAY, "delay"),
        ];
        for (_, name) in wishes.iter().filter(|(wish, _)| self.recipient.notify.contains(*wish)) {
            write!(f, " notify={name}")?;
        }
        if !self.recipient.original.is_empty() {
            write!(f, " orcpt={}", self.recipient.original)?;
        }
        f.write_str(if self.report_only { " report" } else { "" })
    }
}

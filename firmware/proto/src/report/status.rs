//! The part for mail programs (RFC 3464 §2; RFC 6533 §4 where an address is in UTF-8).

use alloc::{format, string::String, vec::Vec};

use mail::UnixTime;

use super::{
    Outcome, Recipient, Remote, Report,
    limits::SERVER_NAME_CHARS_MAX,
    part, safe,
    xtext::{OriginalRecipient, envelope_id},
};
use crate::mime::{Date, encode};

/// How the part is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct StatusPart {
    /// In UTF-8, because an address is not ASCII. It is encoded then, as RFC 6533 §6 allows, so that the report stays
    /// 7-bit.
    global: bool,
}

impl StatusPart {
    pub(super) fn of(report: &Report<'_>) -> Self {
        let is_wide = |recipient: &Recipient<'_>| {
            let original = original(recipient).is_some_and(|original| !original.address().is_ascii());
            original || !recipient.address.as_str().is_ascii()
        };
        Self { global: report.recipients().iter().any(is_wide) }
    }

    /// The part's header, and the fields about the whole letter (RFC 3464 §2.2).
    pub(super) fn begin(self, report: &Report<'_>, out: &mut Vec<u8>) {
        let kind = if self.global { "message/global-delivery-status" } else { "message/delivery-status" };
        part::begin(kind, self.global, out);
        let mut fields = String::new();
        if let Some(id) = report.letter.envid.and_then(envelope_id) {
            fields.push_str(&format!("Original-Envelope-Id: {id}\r\n"));
        }
        fields.push_str(&format!("Reporting-MTA: dns; {}\r\n", report.hostname));
        fields.push_str(&date("Arrival-Date", report, report.letter.arrived));
        self.write(&fields, out);
    }

    /// The fields about one recipient (RFC 3464 §2.3), behind an empty line.
    pub(super) fn recipient(self, report: &Report<'_>, recipient: &Recipient<'_>) -> Vec<u8> {
        let mut fields = String::from("\r\n");
        if let Some(original) = original(recipient) {
            fields.push_str(&format!("Original-Recipient: {}\r\n", original.field(self.global)));
        }
        let address = recipient.address;
        let address_type = if address.as_str().is_ascii() { "rfc822" } else { "utf-8" };
        fields.push_str(&format!("Final-Recipient: {address_type}; {address}\r\n"));
        fields.push_str(&format!("Action: {}\r\n", recipient.outcome.action()));
        fields.push_str(&format!("Status: {}\r\n", recipient.code()));
        if let Some(remote) = &recipient.remote {
            self.remote(remote, &mut fields);
        }
        if let Some(time) = recipient.last_attempt {
            fields.push_str(&date("Last-Attempt-Date", report, time));
        }
        if let Outcome::Delayed { until, .. } = recipient.outcome {
            fields.push_str(&date("Will-Retry-Until", report, until));
        }
        let mut out = Vec::new();
        self.write(&fields, &mut out);
        out
    }

    fn remote(self, remote: &Remote<'_>, fields: &mut String) {
        let safe = |words: String| if self.global { words } else { safe::ascii(&words) };
        let name = safe(safe::line(remote.name, SERVER_NAME_CHARS_MAX));
        fields.push_str(&safe::folded("Remote-MTA", &format!("dns; {name}")));
        let words = safe(safe::remote_words(remote.reply));
        if !words.is_empty() {
            fields.push_str(&safe::folded("Diagnostic-Code", &format!("smtp; {words}")));
        }
    }

    fn write(self, fields: &str, out: &mut Vec<u8>) {
        if self.global {
            encode::quoted_printable(fields.as_bytes(), out);
        } else {
            out.extend_from_slice(fields.as_bytes());
        }
    }
}

fn original(recipient: &Recipient<'_>) -> Option<OriginalRecipient> {
    recipient.orcpt.and_then(OriginalRecipient::parse)
}

fn date(name: &str, report: &Report<'_>, time: UnixTime) -> String {
    format!("{name}: {}\r\n", Date { time, ..report.date })
}

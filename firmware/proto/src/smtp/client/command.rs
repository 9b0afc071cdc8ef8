//! The commands of a transaction as they are written (RFC 5321 §4.1.1), with the parameters that the server knows.
//! Nothing in them can end a line: addresses and parameters were checked when they were made.

use core::fmt::Write;

use super::{
    extensions::Extensions,
    job::{Body, Job, Notify, Recipient, Ret},
};
use crate::Output;

/// `MAIL FROM:<reverse-path> parameters`. Writing to an [`Output`] does not fail.
pub(super) fn mail(job: &Job, extensions: &Extensions, output: &mut Output) {
    let path = job.reverse_path.as_ref().map_or("", |address| address.as_str());
    let _ = write!(output, "MAIL FROM:<{path}>");
    // RFC 1870 §6.
    if extensions.size.is_some() {
        let _ = write!(output, " SIZE={}", job.size());
    }
    // RFC 6152 §3, RFC 3030 §3. Seven bits need no word.
    output.push(match job.body {
        Body::SevenBit => b"",
        Body::EightBit => b" BODY=8BITMIME",
        Body::Binary => b" BODY=BINARYMIME",
    });
    // RFC 6531 §3.4.
    if job.needs_utf8() {
        output.push(b" SMTPUTF8");
    }
    // RFC 8689 §4.2.1; of reports, where it is known.
    if job.require_tls && extensions.require_tls {
        output.push(b" REQUIRETLS");
    }
    if extensions.dsn {
        // RFC 3461 §4.3, §4.4.
        output.push(match job.ret {
            Some(Ret::Full) => b" RET=FULL",
            Some(Ret::Headers) => b" RET=HDRS",
            None => b"",
        });
        if let Some(envid) = &job.envid {
            let _ = write!(output, " ENVID={}", envid.as_str());
        }
    }
    output.push(b"\r\n");
}

/// `RCPT TO:<forward-path> parameters`.
pub(super) fn rcpt(recipient: &Recipient, extensions: &Extensions, output: &mut Output) {
    let _ = write!(output, "RCPT TO:<{}>", recipient.address);
    if extensions.dsn {
        if let Some(notify) = recipient.notify {
            write_notify(notify, output);
        }
        // RFC 3461 §4.2.
        if let Some(orcpt) = &recipient.orcpt {
            let _ = write!(output, " ORCPT={}", orcpt.as_str());
        }
    }
    output.push(b"\r\n");
}

/// RFC 3461 §4.1: a list, or NEVER alone.
fn write_notify(notify: Notify, output: &mut Output) {
    let words = [(notify.success, "SUCCESS"), (notify.failure, "FAILURE"), (notify.delay, "DELAY")];
    let mut divider = " NOTIFY=";
    for (_, word) in words.iter().filter(|(wanted, _)| *wanted) {
        let _ = write!(output, "{divider}{word}");
        divider = ",";
    }
    if notify == Notify::default() {
        output.push(b" NOTIFY=NEVER");
    }
}

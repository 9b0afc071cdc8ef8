//! A delivery report as another's mail parser reads it.

use crate::packages;
use crate::process::run_with_input;
use crate::tidy::tree::repository;
use serde_json::Value;
use std::process::Command;
use std::time::Duration;

/// Parsing one letter.
const READ_MAX: Duration = Duration::from_secs(20);

/// What a report says (RFC 3462, RFC 3464).
#[derive(Debug, Clone)]
pub struct Report {
    /// Its Subject, decoded.
    pub subject: String,
    /// The part for people.
    pub text: String,
    /// Original-Envelope-Id, where it is said.
    pub envelope_id: Option<String>,
    /// What it says of each recipient.
    pub recipients: Vec<Recipient>,
    /// The letter, or its header.
    pub returned: String,
}

/// What a report says of one recipient.
#[derive(Debug, Clone)]
pub struct Recipient {
    /// Final-Recipient without its type.
    pub address: String,
    /// Original-Recipient, where it is said.
    pub original: Option<String>,
    /// `failed`, `delayed`, `relayed`, `delivered`.
    pub action: String,
    /// The enhanced code.
    pub status: String,
    /// What the other server said; empty where none said anything.
    pub diagnostic: String,
}

impl Report {
    /// Reads one; every report is from MAILER-DAEMON with the null reverse-path, and says that nobody wrote it.
    ///
    /// # Panics
    /// When the letter is none.
    #[track_caller]
    pub fn read(letter: &[u8]) -> Self {
        packages::ensure();
        let mut python = Command::new("python3");
        python.arg(repository().join("tests/python/read_report.py"));
        let read = run_with_input(&mut python, letter.to_vec(), READ_MAX).success().stdout;
        let read: Value = serde_json::from_slice(&read).expect("the script prints JSON");
        assert_eq!(text(&read["return_path"]), "<>", "the null reverse-path (RFC 3461 §6.1)");
        assert_eq!(text(&read["report_type"]), "delivery-status");
        assert!(text(&read["from"]).to_ascii_lowercase().contains("mailer-daemon@"), "{}", read["from"]);
        assert!(
            text(&read["auto_submitted"]).starts_with("auto-"),
            "RFC 3834 §5: {}",
            read["auto_submitted"]
        );
        let recipients = read["recipients"].as_array().expect("groups of fields").iter().map(Recipient::of);
        Self {
            subject: text(&read["subject"]),
            text: text(&read["text"]),
            envelope_id: read["letter"]["Original-Envelope-Id"].as_str().map(str::to_owned),
            recipients: recipients.collect(),
            returned: text(&read["returned"]),
        }
    }

    /// The only recipient that it is about.
    ///
    /// # Panics
    /// When there are more.
    #[track_caller]
    pub fn only(&self) -> &Recipient {
        assert_eq!(self.recipients.len(), 1, "{self:?}");
        &self.recipients[0]
    }

    /// Fails unless it is a failure of this recipient that says so in Japanese first and then in English, in these words.
    ///
    /// # Panics
    /// With the report.
    #[track_caller]
    pub fn assert_failed(&self, address: &str, status: &str, japanese: &str, english: &str) {
        let of = self.recipients.iter().find(|of| of.address == address);
        let of = of.unwrap_or_else(|| panic!("not about {address}: {self:?}"));
        assert_eq!((of.action.as_str(), of.status.as_str()), ("failed", status), "{self:?}");
        assert!(self.subject.contains("メールをお届けできませんでした"), "{}", self.subject);
        let places = [japanese, english].map(|words| self.text.find(words));
        let [Some(japanese), Some(english)] = places else { panic!("not said:\n{}", self.text) };
        assert!(japanese < english, "the owner's language comes first:\n{}", self.text);
    }
}

impl Recipient {
    fn of(group: &Value) -> Self {
        let field = |name: &str| group[name].as_str().map(str::to_owned);
        let address = field("Final-Recipient").unwrap_or_default();
        Self {
            address: address
                .split_once(';')
                .map(|(_, address)| address.trim().to_owned())
                .unwrap_or_default(),
            original: field("Original-Recipient"),
            action: field("Action").unwrap_or_default(),
            status: field("Status").unwrap_or_default(),
            diagnostic: field("Diagnostic-Code").unwrap_or_default(),
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::Report;

    #[test]
    fn a_report_is_read_as_another_parser_reads_it() {
        let letter = "Return-Path: <>\r\nFrom: Mail <MAILER-DAEMON@mail.test>\r\nTo: a@b.test\r\n\
            Subject: =?utf-8?B?44Oh44O844Or?=\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
            Content-Type: multipart/report; report-type=delivery-status; boundary=x\r\n\r\n\
            --x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
            =E3=83=A1=E3=83=BC=E3=83=AB\r\n--x\r\nContent-Type: message/delivery-status\r\n\r\n\
            Reporting-MTA: dns; mail.test\r\nOriginal-Envelope-Id: id\r\n\r\n\
            Final-Recipient: rfc822; c@d.test\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n\
            --x\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <1@b.test>\r\n\r\n--x--\r\n";
        let report = Report::read(letter.as_bytes());
        assert_eq!((report.subject.as_str(), report.text.trim()), ("メール", "メール"));
        assert_eq!(report.envelope_id.as_deref(), Some("id"));
        assert_eq!((report.only().address.as_str(), report.only().status.as_str()), ("c@d.test", "5.1.1"));
        assert!(report.returned.contains("<1@b.test>"));
    }
}

//! Ports 587 and 465: mail from the people of this house, who prove who they are.

use super::inbox;
use crate::clients::smtp::auth_plain;
use crate::clients::{Pop3, Smtp};
use crate::letters::short;
use crate::process::run_with_input;
use crate::programs::{client, msmtp, python, swaks, swaks_trust, url};
use crate::provision;
use crate::site::{Account, Service, Site};

/// swaks with STARTTLS on 587 and with TLS from the start on 465, by both mechanisms that it and the box know.
pub fn swaks_submits_with_plain_and_login(site: &Site) {
    let (from, to) = (site.account(), site.account());
    let [verify, path, authority] = swaks_trust(site);
    for (service, tls) in [(Service::Submission, "--tls"), (Service::Submissions, "--tls-on-connect")] {
        for mechanism in ["PLAIN", "LOGIN"] {
            let words = ["--to", &to.address, "--from", &from.address, tls, &verify, &path, &authority];
            let login =
                ["--auth", mechanism, "--auth-user", &from.address, "--auth-password", &from.password];
            let test = format!("swaks-{}-{mechanism}", service as u16);
            let said = swaks(site, service, &test, &[words.as_slice(), &login].concat()).success();
            assert!(said.text().contains("<~  235"), "{}", said.all());
        }
    }
    let received = inbox(site, &to, 4);
    let trace = String::from_utf8_lossy(&received[0]).into_owned();
    assert!(trace.contains("with ESMTPSA"), "RFC 3848: {trace}");
}

/// msmtp, both ports; the letter arrives as it left.
pub fn msmtp_submits_on_both_ports(site: &Site) {
    let (from, to) = (site.account(), site.account());
    let letter = b"From: Bob <bob@example.test>\nSubject: by msmtp\n\nHello.\n.\n.. dots\n";
    for service in [Service::Submission, Service::Submissions] {
        msmtp(site, service, &from, "on", &to.address, &format!("msmtp-{}", service as u16), letter)
            .success();
    }
    for received in inbox(site, &to, 2) {
        let text = String::from_utf8_lossy(&received).into_owned();
        assert!(text.ends_with("Subject: by msmtp\r\n\r\nHello.\r\n.\r\n.. dots\r\n"), "{text}");
    }
}

/// curl, both ports.
pub fn curl_submits_on_both_ports(site: &Site) {
    let (from, to) = (site.account(), site.account());
    let folder = site.folder_for("curl-smtp");
    for (scheme, service) in [("smtp", Service::Submission), ("smtps", Service::Submissions)] {
        let mut command = client(site, "/usr/bin/curl", &folder);
        command
            .args(["--silent", "--show-error", "--disable", "--ssl-reqd", "--cacert"])
            .arg(&site.authority)
            .args(["--user", &format!("{}:{}", from.address, from.password)])
            .args(["--mail-from", &from.address, "--mail-rcpt", &to.address, "--upload-file", "-"])
            .arg(url(site, scheme, service, "client.test"));
        run_with_input(&mut command, short("by curl", "Hello.").to_vec(), site.patient(30)).success();
    }
    for received in inbox(site, &to, 2) {
        assert!(received.ends_with(&short("by curl", "Hello.")));
    }
}

/// Python's smtplib: features, STARTTLS, log-in, refused recipients by name, a letter in Japanese. It comes without a
/// date and an identifier, and gets them (RFC 6409 §8).
pub fn smtplib_keeps_a_whole_dialogue(site: &Site) {
    let account = site.account();
    python(site, "smtp_dialogue.py", &account).success();
    for received in inbox(site, &account, 2) {
        let text = String::from_utf8_lossy(&received).into_owned();
        let header = text.split("\r\n\r\n").next().unwrap_or_default();
        let added: Vec<&str> = header.lines().rev().take(2).collect();
        assert!(added[1].starts_with("Date: ") && added[1].ends_with(" +0900"), "{header}");
        assert!(added[0].starts_with("Message-ID: <"), "{header}");
        assert!(added[0].ends_with(&format!("@{}>", site.hostname)), "{header}");
        assert_eq!(header.matches("\r\nDate: ").count(), 1, "{header}");
    }
}

/// No log-in, no letter: not even for a local recipient, not even from a local sender.
pub fn nobody_submits_without_a_password(site: &Site) {
    let account = site.account();
    for service in [Service::Submission, Service::Submissions] {
        let mut smtp = match service {
            Service::Submission => Smtp::connect_tls(site, service),
            _ => Smtp::connect(site, service),
        };
        let mail = smtp.command(&format!("MAIL FROM:<{}>", account.address));
        let rcpt = smtp.command(&format!("RCPT TO:<{}>", account.address));
        assert!(mail.code == 530 || rcpt.code == 530, "{service:?}: {} {}", mail.text(), rcpt.text());
        assert!(rcpt.code / 100 == 5, "{service:?}: {}", rcpt.text());
        smtp.expect(250, "NOOP");
    }
    inbox(site, &account, 0);
}

/// A wrong password, an unknown name, nonsense: 535 or 501, and the right password works afterwards.
pub fn wrong_passwords_are_refused(site: &Site) {
    let account = site.account();
    let wrong = Account { password: "not this one".to_owned(), ..account.clone() };
    let unknown = Account { address: format!("nobody@{}", provision::DOMAIN), ..account.clone() };
    let mut smtp = Smtp::connect(site, Service::Submissions);
    smtp.expect(535, &auth_plain(&wrong));
    smtp.expect(535, &auth_plain(&unknown));
    let nonsense = smtp.command("AUTH PLAIN not-base64!");
    assert!([501, 535].contains(&nonsense.code), "{}", nonsense.text());
    smtp.expect(504, "AUTH CRAM-MD5");
    let mut smtp = Smtp::connect(site, Service::Submissions);
    smtp.expect(235, &auth_plain(&account));
    smtp.expect(503, &auth_plain(&account));
}

/// Recipients elsewhere are taken from who has logged in; nothing is sent here, the letter is given up.
pub fn mail_for_elsewhere_is_taken_after_log_in(site: &Site) {
    let account = site.account();
    let mut smtp = Smtp::log_in(site, &account);
    smtp.expect(250, &format!("MAIL FROM:<{}> RET=HDRS ENVID=QQ314159 REQUIRETLS", account.address));
    smtp.expect(
        250,
        "RCPT TO:<friend@elsewhere.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;friend@elsewhere.test",
    );
    smtp.expect(250, "RCPT TO:<a..b.@carrier.test>");
    smtp.expect(250, "RSET");
    smtp.expect(221, "QUIT");
}

/// A password given in clear in the provision file, with the characters that people use.
pub fn a_password_in_clear_in_the_file_works(site: &Site) {
    let account = Account {
        address: provision::CLEAR_ACCOUNT.to_owned(),
        password: provision::CLEAR_PASSWORD.to_owned(),
    };
    let mut smtp = Smtp::log_in(site, &account);
    smtp.letter(&account.address, &[&account.address], &short("to myself", "Hello."));
    // IMAP takes 8-bit passwords by SASL only; POP3's PASS is bytes.
    let mut pop3 = Pop3::log_in(site, &account);
    assert_eq!(pop3.numbers(), [1]);
}

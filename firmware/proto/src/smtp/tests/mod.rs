//! Tests of the SMTP session. Conversations are in `../transcripts`, one behaviour each; what a transcript cannot say is
//! here: which bytes are kept, when they are seen, and what hostile input does to memory and time.

mod attacks;
mod chunks;
mod letters;
mod submission;

use alloc::{borrow::ToOwned, boxed::Box, rc::Rc, vec::Vec};
use core::{cell::Cell, fmt, net::IpAddr};

use mail::{Address, Ticks, UnixTime};
use ring::digest::{Context, SHA256};

use super::{Client, Config, Device, Guard, Later, Mode, Rewritten, SmtpSession, Target, Unguarded, refuse};
use crate::{
    Output, Peer, Reason,
    dkim::Digest,
    testing::{Driver, FakeMail, NOW, PEER, Settings, TLS_PEER, peer, play_all},
};

pub(super) fn config() -> Config {
    Config {
        hostname: "mail.example.test".to_owned(),
        postmaster_domain: "example.test".to_owned(),
        message_bytes_max: mail::limits::MESSAGE_BYTES_DEFAULT,
        scram: false,
        clock_is_known: true,
        guard: Rc::new(Unguarded),
        sha256: || Box::new(Sha256(Context::new(&SHA256))),
        rewritten: Some(Rc::new(Forwarded)),
    }
}

struct Sha256(Context);

impl Digest for Sha256 {
    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(self: Box<Self>) -> [u8; 32] {
        self.0.finish().as_ref().try_into().unwrap()
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a SHA-256")
    }
}

/// Has sent on what `carol@elsewhere.test` wrote, as `SRS0=good`.
#[derive(Debug)]
struct Forwarded;

impl Rewritten for Forwarded {
    fn sender(&self, rewritten: &Address, _: UnixTime) -> Option<Address> {
        (rewritten.local() == "SRS0=good").then(|| Address::parse("carol@elsewhere.test").unwrap())
    }
}

fn session(mode: Mode, peer: Peer, config: Config) -> SmtpSession {
    SmtpSession::new(Rc::new(config), mode, peer, NOW)
}

fn open(settings: &Settings) -> (SmtpSession, FakeMail) {
    let mode = if settings.has("submission") { Mode::Submission } else { Mode::Mx };
    let peer = peer(|word| settings.has(word));
    let mut config = Config { scram: settings.has("scram"), ..config() };
    if settings.has("small") {
        config.message_bytes_max = 200;
    }
    config.clock_is_known = !settings.has("no clock");
    if settings.has("guards") {
        config.guard = Rc::new(Strict::default());
    }
    let device = settings.has("device").then(|| Rc::new(device()));
    (session(mode, peer, config).of_device(device), FakeMail::new())
}

/// Lets a client do everything twice, and says 90 seconds then; delays what is said of an unknown name by 2 seconds.
#[derive(Debug, Default)]
struct Strict {
    letters: Cell<u32>,
    outside: Cell<u32>,
}

impl Strict {
    fn ask(count: &Cell<u32>) -> Result<(), Later> {
        count.set(count.get() + 1);
        if count.get() > 2 { Err(Later(90)) } else { Ok(()) }
    }
}

impl Guard for Strict {
    fn letter(&self, _: Client, _: Option<&Address>, _: Ticks) -> Result<(), Later> {
        Self::ask(&self.letters)
    }

    fn outside(&self, _: Client, _: Option<&Address>, _: Ticks) -> Result<(), Later> {
        Self::ask(&self.outside)
    }

    fn unknown(&self, _: Client, _: Ticks) -> u64 {
        2_000
    }

    fn device_sent(&self, ip: IpAddr, device: &Device, recipients: u32, bytes: u64) {
        let seen = (ip, device.sender.as_str(), recipients, bytes);
        assert_eq!(seen, (PEER.ip, "printer@example.test", 2, 16));
    }
}

/// It may write to `scans@archive.test` and to everybody at `peer.test`.
fn device() -> Device {
    let parse = |text| Address::parse(text).unwrap();
    let to = [Target::Address(Box::new(parse("scans@archive.test"))), Target::Domain("peer.test".to_owned())];
    Device { sender: parse("printer@example.test"), to: to.into() }
}

/// A connection to port 25, greeted.
fn port_25() -> Driver<SmtpSession> {
    let mut driver = Driver::new(session(Mode::Mx, PEER, config()), FakeMail::new());
    driver.received();
    driver
}

/// A connection to port 465, logged in as alice.
fn port_465() -> Driver<SmtpSession> {
    logged_in(config())
}

fn logged_in(config: Config) -> Driver<SmtpSession> {
    let mut driver = Driver::new(session(Mode::Submission, TLS_PEER, config), FakeMail::new());
    driver.send(b"EHLO [192.0.2.7]\r\nAUTH PLAIN AGFsaWNlAHNlY3JldCBvZiBhbGljZQ==\r\n");
    assert!(driver.received().ends_with(b"235 2.7.0 Welcome\r\n"));
    driver
}

/// Says who a letter is for, up to DATA.
fn address(driver: &mut Driver<SmtpSession>, to: &[&str]) {
    envelope(driver, "", to);
    driver.send(b"DATA\r\n");
    assert_eq!(driver.received(), b"354 Go ahead; end with a line of a single dot\r\n");
}

/// Says who a letter is for.
fn envelope(driver: &mut Driver<SmtpSession>, parameters: &str, to: &[&str]) {
    driver.send(b"EHLO client.test\r\n");
    driver.send(alloc::format!("MAIL FROM:<carol@elsewhere.test>{parameters}\r\n").as_bytes());
    for recipient in to {
        driver.send(alloc::format!("RCPT TO:<{recipient}>\r\n").as_bytes());
    }
    assert!(driver.received().ends_with(b"\r\n250 2.1.5 Recipient ok\r\n"));
}

/// A letter of whole lines as DATA sends it, the command included (RFC 5321 §4.5.2).
fn by_data(letter: &[u8]) -> Vec<u8> {
    let mut bytes = b"DATA\r\n".to_vec();
    for line in letter.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            bytes.push(b'.');
        }
        bytes.extend_from_slice(line);
    }
    bytes.extend_from_slice(b".\r\n");
    bytes
}

/// A letter as BDAT sends it in chunks of `size` bytes, of which the last is empty.
fn by_bdat(letter: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in letter.chunks(size) {
        bytes.extend_from_slice(alloc::format!("BDAT {}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
    }
    bytes.extend_from_slice(b"BDAT 0 LAST\r\n");
    bytes
}

/// The only letter of alice, without the lines that were put before it.
fn kept(driver: &Driver<SmtpSession>) -> Vec<u8> {
    let messages = driver.mail.messages("alice@example.test", "INBOX");
    assert_eq!(messages.len(), 1);
    let bytes = &messages[0].bytes;
    let date = bytes.windows(3).position(|three| three == b";\r\n").unwrap();
    let end = bytes[date + 3..].windows(2).position(|two| two == b"\r\n").unwrap();
    bytes[date + 3 + end + 2..].to_vec()
}

#[test]
fn transcripts() {
    play_all("src/smtp/transcripts", open);
}

#[test]
fn a_connection_is_turned_away_with_a_reason() {
    for (reason, text) in [
        (
            Reason::Unclaimed,
            "421 4.3.2 mail.example.test This box is not set up yet: open its page in a web browser and claim it\r\n",
        ),
        (
            Reason::TooManyConnections,
            "421 4.3.2 mail.example.test Too many connections are open; try again later\r\n",
        ),
        (
            Reason::ShuttingDown,
            "421 4.3.2 mail.example.test This box is being switched off; try again later\r\n",
        ),
    ] {
        let mut output = Output::new();
        refuse(&mut output, &config(), reason);
        assert_eq!(output.pending(), text.as_bytes());
    }
}

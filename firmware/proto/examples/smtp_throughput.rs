//! How long an SMTP session takes for a letter when storing costs nothing: `cargo run --release -p proto --example
//! smtp_throughput`. It may use the public interface of `proto` and `mail` alone.

use std::{hint::black_box, net::Ipv4Addr, rc::Rc, time::Instant};

use mail::{
    AccountId, Address, Content, Draft, Envelope, Flags, Letter, Mail, MailboxId, MailboxInfo, MailboxName,
    Message, Modseq, Now, Outside, Quota, Recipient, Record, Refusal, SpecialUse, Status, Stop, Ticket,
    Ticks, Uid, UidSet, UnixTime, Unready,
};
use proto::{
    Input, Io, Output, Peer, Session, Want,
    dkim::Digest,
    limits::INPUT_BYTES_MAX,
    mime::Scanner,
    smtp::{Config, Mode, SmtpSession, Unguarded},
};

const NOW: Now = Now { ticks: Ticks(0), unix: UnixTime(1_794_637_381), utc_offset_s: 32_400 };

fn main() {
    for (name, bytes, letters) in
        [("8 KiB", 8 << 10, 20_000), ("1 MiB", 1 << 20, 500), ("50 MiB", 50 << 20, 10)]
    {
        let letter = letter(bytes);
        let session = time(letters, || deliver(&letter));
        let scanner = time(letters, || {
            let mut scanner = Scanner::new();
            letter.chunks(INPUT_BYTES_MAX).for_each(|chunk| scanner.feed(chunk));
            black_box(scanner.finish());
        });
        println!("{name}: {session:.1} us for a letter, of which the MIME scanner {scanner:.1} us");
    }
}

/// Microseconds that one call takes.
fn time(count: u32, mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    (0..count).for_each(|_| work());
    start.elapsed().as_secs_f64() * 1e6 / f64::from(count)
}

/// A letter of lines as text and base64 have them, some of which begin with a dot.
fn letter(bytes: usize) -> Vec<u8> {
    let mut letter =
        b"From: carol@elsewhere.test\r\nTo: alice@example.test\r\nSubject: hello\r\n\r\n".to_vec();
    let line = [&[b'x'; 74][..], b"\r\n"].concat();
    while letter.len() < bytes {
        let dotted = letter.len().is_multiple_of(40);
        letter.extend_from_slice(if dotted { b".x\r\n" } else { &line });
    }
    letter
}

/// A whole connection with one letter, the pieces as large as a driver reads them.
fn deliver(letter: &[u8]) {
    let config = Rc::new(Config {
        hostname: "mail.example.test".into(),
        postmaster_domain: "example.test".into(),
        message_bytes_max: 1 << 30,
        scram: false,
        clock_is_known: true,
        guard: Rc::new(Unguarded),
        sha256: || Box::new(Unused),
        rewritten: None,
    });
    let peer =
        Peer { ip: Ipv4Addr::LOCALHOST.into(), tls: false, channel_binding: None, trusted_path: false };
    let mut session = SmtpSession::new(config, Mode::Mx, peer, NOW);
    let mut output = Output::new();
    feed(
        &mut session,
        &mut output,
        b"EHLO client.test\r\nMAIL FROM:<carol@elsewhere.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\n",
    );
    letter.chunks(INPUT_BYTES_MAX).for_each(|chunk| feed(&mut session, &mut output, chunk));
    feed(&mut session, &mut output, b".\r\nQUIT\r\n");
    assert!(output.pending().ends_with(b"221 2.0.0 Bye\r\n"));
}

fn feed(session: &mut SmtpSession, output: &mut Output, bytes: &[u8]) {
    let mut input = Input::new(bytes);
    loop {
        let mut io = Io { input: &mut input, output, answer: None, now: NOW };
        if matches!(session.step(&mut io, &mut Sink), Want::Input | Want::Close) {
            return;
        }
    }
}

/// Letters from other servers are not hashed.
#[derive(Debug)]
struct Unused;

impl Digest for Unused {
    fn update(&mut self, _: &[u8]) {}
    fn finish(self: Box<Self>) -> [u8; 32] {
        [0; 32]
    }
}

/// Mail that accepts every letter and keeps none.
struct Sink;

impl Mail for Sink {
    fn is_read_only(&self) -> bool {
        false
    }
    fn draft(&mut self, _: Option<u64>) -> Result<Draft, Refusal> {
        Ok(Draft::new(1, Rc::new(())))
    }
    fn set_envelope(&mut self, _: &Draft, _: Envelope) -> Result<(), Refusal> {
        Ok(())
    }
    fn add_recipient(&mut self, _: &Draft, _: &Recipient, _: Outside) -> Result<(), Refusal> {
        Ok(())
    }
    fn append(&mut self, _: &Draft, bytes: &[u8]) -> Result<usize, Stop> {
        Ok(black_box(bytes).len())
    }
    fn deposit(&mut self, _: &Draft, letter: &Letter<'_>) -> Result<Ticket, Stop> {
        black_box(letter.summary);
        Ok(Ticket::durable())
    }
    fn add_mailbox(&mut self, _: &Draft, _: MailboxId, _: Flags) -> Result<(), Refusal> {
        Err(Refusal::NoSuchMailbox)
    }
    fn is_local(&self, _: &Address) -> bool {
        true
    }
    fn may_send_as(&self, _: AccountId, _: &Address) -> bool {
        true
    }
    fn inbox(&self, _: AccountId) -> Option<MailboxId> {
        None
    }
    fn quota(&self, _: AccountId) -> Quota {
        Quota::default()
    }
    fn lock_inbox(&mut self, _: AccountId) -> Result<Rc<()>, Refusal> {
        Err(Refusal::InUse)
    }
    fn mailbox(&self, _: AccountId, _: &MailboxName) -> Option<MailboxId> {
        None
    }
    fn next_mailbox(&self, _: AccountId, _: Option<&MailboxName>) -> Option<MailboxInfo> {
        None
    }
    fn next_subscription(&self, _: AccountId, _: Option<&MailboxName>) -> Option<MailboxName> {
        None
    }
    fn status(&self, _: MailboxId) -> Option<Status> {
        None
    }
    fn create_mailbox(
        &mut self,
        _: AccountId,
        _: &MailboxName,
        _: Option<SpecialUse>,
    ) -> Result<Ticket, Stop> {
        Err(Refusal::Cannot.into())
    }
    fn delete_mailbox(&mut self, _: AccountId, _: &MailboxName) -> Result<Ticket, Stop> {
        Err(Refusal::Cannot.into())
    }
    fn rename_mailbox(&mut self, _: AccountId, _: &MailboxName, _: &MailboxName) -> Result<Ticket, Stop> {
        Err(Refusal::Cannot.into())
    }
    fn subscribe(&mut self, _: AccountId, _: &MailboxName, _: bool) -> Result<Ticket, Stop> {
        Err(Refusal::Cannot.into())
    }
    fn uids_from(&self, _: MailboxId, _: Uid) -> UidSet {
        UidSet::new()
    }
    fn message(&self, _: MailboxId, _: Uid) -> Option<Message> {
        None
    }
    fn next_message(&self, _: MailboxId, _: Uid) -> Option<Message> {
        None
    }
    fn next_changed(&self, _: MailboxId, _: Modseq, _: Uid) -> Option<Message> {
        None
    }
    fn keywords(&self, _: AccountId) -> &[String] {
        &[]
    }
    fn keyword(&mut self, _: AccountId, _: &str) -> Result<Flags, Stop> {
        Err(Refusal::Cannot.into())
    }
    fn set_flags(&mut self, _: MailboxId, _: &UidSet, _: Flags, _: Flags) -> Result<Ticket, Stop> {
        Err(Refusal::Cannot.into())
    }
    fn set_seen_soon(&mut self, _: MailboxId, _: &UidSet) -> Result<(), Stop> {
        Err(Refusal::Cannot.into())
    }
    fn claim_recent(&mut self, _: MailboxId) -> Uid {
        Uid(1)
    }
    fn expunge(&mut self, _: MailboxId, _: &UidSet) -> Result<Ticket, Stop> {
        Err(Refusal::Cannot.into())
    }
    fn copy(&mut self, _: MailboxId, _: &UidSet, _: MailboxId) -> Result<Ticket, Stop> {
        Err(Refusal::Cannot.into())
    }
    fn move_messages(&mut self, _: MailboxId, _: &UidSet, _: MailboxId) -> Result<Ticket, Stop> {
        Err(Refusal::Cannot.into())
    }
    fn record(&mut self, _: MailboxId, _: Uid) -> Result<Record<'_>, Unready> {
        Err(Unready::Gone)
    }
    fn open(&mut self, _: MailboxId, _: Uid) -> Result<Content, Unready> {
        Err(Unready::Gone)
    }
    fn read(&mut self, _: &Content, _: u64, _: usize, _: &mut Vec<u8>) -> Result<usize, Unready> {
        Err(Unready::Gone)
    }
}

//! Those who send letters to both recipients while the writes are recorded, and one who reads along.

use super::accounts::{RECIPIENTS, account};
use super::journal::{Letter, Position, Sight};
use super::recording::Scribe;
use crate::clients::smtp::stuffed;
use crate::clients::{Imap, Smtp};
use crate::letters;
use crate::site::{Service, Site};
use std::io;
use std::sync::atomic::Ordering;

/// Sends letters until told to stop, over one connection unless it is refused.
///
/// # Panics
/// When the box goes away, or refuses a letter for good.
pub(super) fn deliver(scribe: &Scribe, site: &Site, sizes: &[usize]) {
    while !scribe.stops() {
        let mut smtp = Smtp::connect(site, Service::Smtp);
        while !scribe.stops() {
            let number = scribe.next_letter();
            let size = sizes[number as usize % sizes.len()];
            let sent = one(scribe, &mut smtp, number, size);
            if !sent.unwrap_or_else(|error| panic!("letter {number}: {error}\n{}", smtp.wire.dialogue())) {
                // A box that is full takes letters again when room was made; it bears no long line of refusals.
                scribe.rest();
                break;
            }
        }
        // The farewell of a client that may have been sent away.
        smtp.try_command("QUIT").ok();
    }
}

/// One letter in two round trips (RFC 2920); false when it was refused for want of room, which leaves it in doubt, like
/// one that was never answered.
fn one(scribe: &Scribe, smtp: &mut Smtp, number: u64, size: usize) -> io::Result<bool> {
    let [first, second] = RECIPIENTS;
    let envelope =
        format!("MAIL FROM:<load@client.test>\r\nRCPT TO:<{first}>\r\nRCPT TO:<{second}>\r\nDATA\r\n");
    smtp.wire.send(envelope.as_bytes())?;
    let replies = (0..RECIPIENTS.len() + 2).map(|_| smtp.reply()).collect::<io::Result<Vec<_>>>()?;
    let mut reply = replies.into_iter().find(|reply| reply.code != 250).expect("DATA is not answered so");
    if reply.code == 354 {
        let begun = scribe.now();
        scribe.note(|journal| journal.letters.insert(number, Letter { begun, confirmed: None }));
        smtp.wire.send(&stuffed(&letters::numbered(number, size)))?;
        reply = smtp.reply()?;
    }
    if reply.code == 250 {
        let confirmed = Some(scribe.now());
        scribe
            .note(|journal| journal.letters.insert(number, Letter { confirmed, ..journal.letters[&number] }));
        return Ok(true);
    }
    assert!(reply.code == 452, "{} {}\n{}", reply.code, reply.text(), smtp.wire.dialogue());
    scribe.refused.fetch_add(1, Ordering::Relaxed);
    Ok(false)
}

/// Reads the first recipient's INBOX over and over, as a mail program that is left open, until told to stop.
///
/// # Panics
/// When the box goes away or does not answer as it should.
pub(super) fn watch(scribe: &Scribe, site: &Site) {
    let recipient = account(RECIPIENTS[0]);
    let mut imap = Imap::log_in(site, &recipient);
    let validity = select(&mut imap, "INBOX");
    scribe
        .note(|journal| journal.validities.insert((recipient.address.clone(), "INBOX".to_owned()), validity));
    let mut next = 1;
    while !scribe.stops() {
        let what = format!("UID FETCH {next}:* (UID BODY.PEEK[HEADER.FIELDS ({})])", letters::ID_HEADER);
        let seen = imap.ok(&what);
        let at: Position = scribe.now();
        for response in seen.iter().filter(|response| !response.literals.is_empty()) {
            let uid = uid_in(&response.text);
            let (number, _) = letters::id_in(&String::from_utf8_lossy(&response.literals[0]))
                .expect("only numbered letters were sent");
            // `next:*` names the last letter even where all are older (RFC 3501 §9, sequence sets).
            if uid >= next {
                scribe.note(|journal| journal.sights.push(Sight { recipient: 0, uid, number, at }));
                next = uid + 1;
            }
        }
        scribe.rest();
    }
}

/// Selects a mailbox and gives its UIDVALIDITY.
pub(super) fn select(imap: &mut Imap, mailbox: &str) -> u32 {
    let responses = imap.ok(&format!("SELECT {mailbox}"));
    let validity = responses.iter().find_map(|response| number_behind(&response.text, "[UIDVALIDITY "));
    validity.expect("SELECT tells UIDVALIDITY")
}

/// The UID in a FETCH response.
pub(super) fn uid_in(fetch: &str) -> u32 {
    number_behind(fetch, "UID ").expect("FETCH gives the UID that it was asked for")
}

/// The number that follows these words.
pub(super) fn number_behind(text: &str, words: &str) -> Option<u32> {
    let (_, rest) = text.split_once(words)?;
    rest.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

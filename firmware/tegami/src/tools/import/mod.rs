//! `tegami import`: mail from mbox files or a Maildir into an account, through the same port as mail from the network.
//!
//! **Every letter once, whenever the import is interrupted.** The store keeps a [`Mark`] in a setting: the source, how
//! many letters of it are in, and the UID that the next one gets. Letters are handed in by the batch, the mark first:
//!
//! 1. A batch is begun only when all of the last one is durable. So when its mark says that `n` letters are in, they are.
//! 2. What a cut leaves of the log is a prefix of the changes in their order. So behind the newest mark there is a
//!    prefix of its batch: its letters in the order of the source, under UIDs that follow one another from the mark's.
//! 3. Which prefix, is found by looking: a message under the UID that the mark gives to the next letter, and with the size
//!    and CRC of that letter, is that letter. Other mail that came after the interruption has greater UIDs than the
//!    prefix and is not what the source says. A letter of the batch that was removed meanwhile is taken as having been
//!    in if one behind it is found; the last ones come again, which is better than not coming at all.
//! 4. If the mark of a batch was lost, all its letters were (they stand behind it), and the last mark is one whole batch
//!    old: rule 3 finds all of that.

mod crlf;
mod folder;
mod keywords;
mod mark;
mod mbox;
mod source;

use std::{io, path::Path};

use mail::{AccountId, Draft, Flags, Letter, Mail as _, MailboxId, MailboxName, Refusal, Stop, Ticket, Uid};
use proto::mime::{Scanner, Summary};
use store::Fingerprint;

use self::{
    keywords::Keywords,
    mark::Mark,
    source::{Batch, Folder, Letters, Source, Stamp},
};
use super::{
    Outcome, Problem, accounts,
    flash::Writing,
    limits::{BATCH_BYTES_MAX, BATCH_LETTERS_MAX},
    output::{failed, say, warn},
    progress::Progress,
    wording::{count, reason},
};

/// An import under way.
struct Import<'a> {
    writing: Writing,
    account: AccountId,
    source: &'a Source,
    key: String,
    mark: Mark,
    keywords: Keywords,
    progress: Progress,
    /// Letters that came in during this run.
    letters: u64,
    /// What could not be kept, and has been said.
    left_out: u64,
}

/// Why an import does not go on.
enum Stopped {
    /// The store takes no more.
    Refused(Refusal),
    /// The source cannot be read.
    Source(io::Error),
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<io::Error> for Stopped {
    fn from(error: io::Error) -> Self {
        Self::Source(error)
    }
}

/// What became of a letter.
enum Taken {
    /// It is on its way; so many bytes of it.
    Handed(Ticket, u64),
    /// It cannot be stored, now or later.
    LeftOut(&'static str),
}

/// Imports, and says what it did.
///
/// # Errors
/// A sentence.
pub(super) fn run(flash: &Path, account: &str, from: &Path) -> Result<Outcome, Problem> {
    let source = Source::look(from)?;
    let mut writing = Writing::open(flash)?;
    // The limit is for what comes from the network; here is mail that somebody has already.
    writing.store.set_message_limit(u64::MAX);
    let known = writing.store.accounts().map(|account| (account.id, account.address));
    let (account, address) = accounts::find(known, account)?;
    let key = mark::key(account, from)?;
    let mark = match mark::read(&writing.store, &key) {
        Some(mark) => mark.go_on(&source, from)?,
        None => Mark::new(&source),
    };
    for left_out in &source.left_out {
        warn(format_args!("left out: {left_out}"));
    }
    if mark.is_complete(&source) {
        writing.close();
        say(format_args!(
            "all of {} is in {address} already; to import it once more, give it under another name",
            from.display()
        ));
        return Ok(Outcome::Good);
    }
    let before = source.parts_before(mark.folders, mark.position);
    let mut import = Import {
        writing,
        account,
        source: &source,
        key,
        mark,
        keywords: Keywords::default(),
        progress: Progress::new(source.parts(), before),
        letters: 0,
        left_out: source.left_out.len() as u64,
    };
    let ended = import.all();
    import.progress.clear();
    let (letters, left_out) = (import.letters, import.left_out + import.keywords.left_out());
    import.writing.close();
    conclude(ended, &address, from, letters, left_out)
}

fn conclude(
    ended: Result<(), Stopped>,
    address: &str,
    from: &Path,
    letters: u64,
    left_out: u64,
) -> Result<Outcome, Problem> {
    let taken = count(letters, "letter", "letters");
    let again = "the same command goes on from there";
    match ended {
        Err(Stopped::Refused(refusal)) => {
            Err(format!("{taken} imported into {address}, then it stopped: {}; {again}", reason(refusal)))
        }
        Err(Stopped::Source(error)) => {
            Err(format!("{taken} imported into {address}; {}; {again}", failed("read", from, &error)))
        }
        Ok(()) if left_out > 0 => {
            say(format_args!("{taken} imported into {address}; not everything could be kept: see above"));
            Ok(Outcome::Flawed)
        }
        Ok(()) => {
            say(format_args!("{taken} imported into {address}"));
            Ok(Outcome::Good)
        }
    }
}

impl Import<'_> {
    fn all(&mut self) -> Result<(), Stopped> {
        let source = self.source;
        while let Some(folder) = source.folders.get(self.mark.folders as usize) {
            self.folder(folder)?;
            self.mark.next_folder();
        }
        self.remember().map_err(Stopped::Refused)
    }

    /// Makes the mark durable: all that came before it is.
    fn remember(&mut self) -> Result<(), Refusal> {
        let value = self.mark.to_bytes();
        let key = self.key.clone();
        self.writing.make(|store| store.put_setting(&key, &value))
    }

    fn folder(&mut self, folder: &Folder) -> Result<(), Stopped> {
        let mailbox = self.mailbox(&folder.name)?;
        let mut letters = if self.mark.mailbox == Some(mailbox.0) {
            self.find_end(folder, mailbox)?
        } else {
            self.mark.begin(mailbox.0);
            folder.open(0)?
        };
        while self.batch(letters.as_mut(), mailbox, folder)? {}
        Ok(())
    }

    /// The mailbox of that name; made, and shown to clients, if there is none.
    fn mailbox(&mut self, name: &MailboxName) -> Result<MailboxId, Refusal> {
        if let Some(known) = self.writing.store.mailbox(self.account, name) {
            return Ok(known);
        }
        let account = self.account;
        self.writing.make(|store| store.create_mailbox(account, name, None))?;
        self.writing.make(|store| store.subscribe(account, name, true))?;
        self.writing.store.mailbox(account, name).ok_or(Refusal::NoSuchMailbox)
    }

    /// Finds how many letters of the batch behind the mark are in, and moves the mark there.
    fn find_end(&mut self, folder: &Folder, mailbox: MailboxId) -> Result<Box<dyn Letters>, Stopped> {
        let mut letters = folder.open(self.mark.position)?;
        let next = self.writing.store.status(mailbox).map_or(0, |status| status.uid_next.0);
        let mut found = (self.mark.letters, self.mark.position);
        for number in 0..BATCH_LETTERS_MAX {
            let uid = Uid(self.mark.uid.saturating_add(number));
            if uid.0 >= next || letters.next()?.is_none() {
                break;
            }
            let letter = fingerprint(letters.as_mut())?;
            if self.writing.read(|store| store.fingerprint(mailbox, uid)) == Ok(letter) {
                found = (self.mark.letters + u64::from(number) + 1, letters.position());
            }
        }
        (self.mark.letters, self.mark.position) = found;
        Ok(folder.open(found.1)?)
    }

    /// Imports some letters and waits until they are durable. Says whether there may be more.
    fn batch(
        &mut self,
        letters: &mut dyn Letters,
        mailbox: MailboxId,
        folder: &Folder,
    ) -> Result<bool, Stopped> {
        let status = self.writing.store.status(mailbox).ok_or(Refusal::NoSuchMailbox)?;
        self.mark.uid = status.uid_next.0;
        let value = self.mark.to_bytes();
        let key = self.key.clone();
        let mark = self.writing.ask(|store| store.put_setting(&key, &value))?;
        let mut batch = Batch::new(mark);
        let ended = self.fill(&mut batch, letters, mailbox, folder);
        // Whatever stopped it: what was handed in before is to be kept.
        self.writing.durable(&batch.tickets)?;
        self.letters += batch.letters;
        self.mark.letters += batch.letters;
        self.mark.position = batch.position.unwrap_or(self.mark.position);
        self.progress.at(self.source.parts_before(self.mark.folders, self.mark.position));
        ended
    }

    fn fill(
        &mut self,
        batch: &mut Batch,
        letters: &mut dyn Letters,
        mailbox: MailboxId,
        folder: &Folder,
    ) -> Result<bool, Stopped> {
        while batch.letters < u64::from(BATCH_LETTERS_MAX) && batch.bytes < BATCH_BYTES_MAX {
            let Some(stamp) = letters.next()? else { return Ok(false) };
            let taken = self.letter(&stamp, letters, mailbox)?;
            batch.position = Some(letters.position());
            match taken {
                Taken::Handed(ticket, bytes) => {
                    batch.take(ticket, bytes);
                    self.progress.letter(0);
                }
                Taken::LeftOut(why) => {
                    self.left_out += 1;
                    self.progress.clear();
                    warn(format_args!("left out: {} for mailbox {}: {why}", stamp.place, folder.name));
                    // The UIDs of a batch follow its letters without gaps: the next letter begins another one.
                    return Ok(true);
                }
            }
        }
        Ok(true)
    }

    fn letter(
        &mut self,
        stamp: &Stamp,
        letters: &mut dyn Letters,
        mailbox: MailboxId,
    ) -> Result<Taken, Stopped> {
        let keywords = self.keywords.flags(&mut self.writing, self.account, &stamp.keywords)?;
        let streamed = self.stream(stamp.size, stamp.flags.with(keywords), letters, mailbox)?;
        let (draft, bytes, summary) = match streamed {
            Ok(streamed) => streamed,
            Err(Refusal::TooLarge | Refusal::TooBusy) => {
                letters.skip()?;
                return Ok(Taken::LeftOut(reason(Refusal::TooLarge)));
            }
            Err(refusal) => return Err(refusal.into()),
        };
        if bytes == 0 {
            return Ok(Taken::LeftOut("it is empty"));
        }
        let sent = || Summary::read(&summary).and_then(|summary| summary.sent()).unwrap_or_default();
        let (received, zone_minutes) = stamp.received.map_or_else(sent, |time| (time, stamp.zone_minutes));
        let letter = Letter { received, zone_minutes, summary: &summary };
        let ticket = self.writing.ask(|store| store.deposit(&draft, &letter))?;
        Ok(Taken::Handed(ticket, bytes))
    }

    /// Streams a letter into a draft; its size and summary. The store's refusal stands inside.
    #[expect(clippy::type_complexity, reason = "two ways to fail that the one caller tells apart at once")]
    fn stream(
        &mut self,
        size: Option<u64>,
        flags: Flags,
        letters: &mut dyn Letters,
        mailbox: MailboxId,
    ) -> io::Result<Result<(Draft, u64, Vec<u8>), Refusal>> {
        let writing = &mut self.writing;
        let begun = writing.ask(|store| {
            let draft = store.draft(size)?;
            store.add_mailbox(&draft, mailbox, flags)?;
            Ok(draft)
        });
        let draft = match begun {
            Ok(draft) => draft,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let (mut scanner, mut piece, mut bytes) = (Scanner::new(), Vec::new(), 0);
        while letters.read(&mut piece)? {
            let mut rest = piece.as_slice();
            while !rest.is_empty() {
                let appended = writing.ask(|store| match store.append(&draft, rest) {
                    Ok(0) => Err(Stop::Busy),
                    appended => appended,
                });
                let taken = match appended {
                    Ok(taken) => taken,
                    Err(refusal) => return Ok(Err(refusal)),
                };
                scanner.feed(rest.get(..taken).unwrap_or(rest));
                rest = rest.get(taken..).unwrap_or_default();
                bytes += taken as u64;
            }
        }
        Ok(Ok((draft, bytes, scanner.finish())))
    }
}

/// Size and CRC of the letter that comes next.
fn fingerprint(letters: &mut dyn Letters) -> io::Result<Fingerprint> {
    let (mut found, mut piece) = (Fingerprint { size: 0, crc: 0 }, Vec::new());
    while letters.read(&mut piece)? {
        found.crc = crc32c::crc32c_append(found.crc, &piece);
        found.size += piece.len() as u64;
    }
    Ok(found)
}

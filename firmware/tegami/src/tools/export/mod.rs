//! `tegami export`: an account's mail into files that any mail program reads, letter by letter, byte for byte.

mod maildir;
mod mbox;

use std::{io, path::Path};

use mail::{AccountId, Mail as _, MailboxInfo, Message};

use super::{
    Outcome, Problem, accounts,
    arguments::Target,
    flash::{Looked, look, read_letter},
    names::{Form, LongNames},
    output::{failed, fresh_folder, make_file, say, sync, warn},
    progress::Progress,
    wording::{count, size},
};

/// An export under way.
struct Export {
    store: Looked,
    account: AccountId,
    address: String,
    progress: Progress,
    letters: u64,
    bytes: u64,
    left_out: u64,
}

/// A mailbox of files that letters are put into.
trait Sink {
    /// Puts a message in; the mailbox is as it was if the letter cannot be read.
    fn put(&mut self, export: &mut Export, mailbox: &MailboxInfo, message: &Message) -> io::Result<Put>;

    /// All messages are in.
    fn finish(&mut self) -> io::Result<()>;
}

/// What became of a letter.
enum Put {
    Whole,
    /// It cannot be read from this byte on.
    Unreadable(u64),
}

/// Exports, and says what it did.
///
/// # Errors
/// A sentence.
pub(super) fn run(flash: &Path, account: &str, target: &Target) -> Result<Outcome, Problem> {
    let (folder, form) = match target {
        Target::Mbox(folder) => (folder, Form::Mbox),
        Target::Maildir(folder) => (folder, Form::Maildir),
    };
    let store = look(flash)?;
    let known = store.accounts().map(|account| (account.id, account.address));
    let (account, address) = accounts::find(known, account)?;
    fresh_folder(folder)?;
    let boxes = accounts::mailboxes(&store, account);
    let messages = boxes.iter().filter_map(|mailbox| store.status(mailbox.id));
    let total = messages.map(|status| u64::from(status.messages)).sum();
    let progress = Progress::new(total, 0);
    let mut export = Export { store, account, address, progress, letters: 0, bytes: 0, left_out: 0 };
    let mut long = LongNames::default();
    for mailbox in &boxes {
        let path = folder.join(super::names::path(&mailbox.name, form, &mut long));
        export.mailbox(mailbox, &path, form).map_err(|error| failed("write to", &path, &error))?;
    }
    if let Some(text) = long.text() {
        let path = folder.join(form.list());
        let written = make_file(&path).and_then(|mut file| io::Write::write_all(&mut file, text.as_bytes()));
        written.map_err(|error| failed("write", &path, &error))?;
    }
    sync(folder)?;
    Ok(export.conclude(boxes.len() as u64, folder))
}

impl Export {
    fn mailbox(&mut self, mailbox: &MailboxInfo, path: &Path, form: Form) -> io::Result<()> {
        let mut sink: Box<dyn Sink> = match form {
            Form::Mbox => Box::new(mbox::File::make(path)?),
            Form::Maildir => Box::new(maildir::Folder::make(path, self.keywords(mailbox))?),
        };
        let mut last = None;
        while let Some(message) = accounts::next_message(&self.store, mailbox.id, last) {
            last = Some(message.uid);
            match sink.put(self, mailbox, &message)? {
                Put::Whole => (self.letters, self.bytes) = (self.letters + 1, self.bytes + message.size),
                Put::Unreadable(from) => {
                    self.left_out += 1;
                    self.progress.clear();
                    warn(format_args!(
                        "left out: {}, mailbox {}, UID {}: it cannot be read from byte {from} on",
                        self.address, mailbox.name, message.uid.0
                    ));
                }
            }
            self.progress.letter(1);
        }
        sink.finish()
    }

    /// The keywords that messages of a mailbox have, as bits of their flags.
    fn keywords(&self, mailbox: &MailboxInfo) -> Vec<(mail::Flags, String)> {
        let (mut used, mut last) = (mail::Flags::NONE, None);
        while let Some(message) = accounts::next_message(&self.store, mailbox.id, last) {
            last = Some(message.uid);
            used = used.with(message.flags);
        }
        let all = (0..).zip(self.store.keywords(self.account));
        let flags = all.map(|(number, name)| (mail::Flags::keyword(number), name.clone()));
        flags.filter(|(flag, _)| used.contains(*flag)).collect()
    }

    /// Reads a letter into `take`.
    fn read(
        &mut self,
        mailbox: &MailboxInfo,
        message: &Message,
        take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<Put> {
        let Ok(content) = self.store.open(mailbox.id, message.uid) else { return Ok(Put::Unreadable(0)) };
        Ok(match read_letter(&mut self.store, &content, take)? {
            Ok(()) => Put::Whole,
            Err(from) => Put::Unreadable(from),
        })
    }

    fn conclude(mut self, mailboxes: u64, folder: &Path) -> Outcome {
        self.progress.clear();
        say(format_args!(
            "{} ({}) in {} of {} are in {}",
            count(self.letters, "letter", "letters"),
            size(self.bytes),
            count(mailboxes, "mailbox", "mailboxes"),
            self.address,
            folder.display()
        ));
        if self.left_out == 0 {
            return Outcome::Good;
        }
        say(format_args!("{} damaged and left out", count(self.left_out, "letter is", "letters are")));
        Outcome::Flawed
    }
}

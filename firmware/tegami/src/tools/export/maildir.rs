//! A mailbox as a folder of a Maildir++: `tmp` until a letter is whole, `cur` from then on.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use mail::{Flags, Mail as _, MailboxInfo, Message, UnixTime};

use super::{Export, Put, Sink};
use crate::tools::{
    limits::KEYWORD_LETTERS,
    maildir::{KEYWORDS_FILE, MORE_KEYWORDS_FILE, Named, Origin, file_name},
    output::{make_file, make_folder},
};

/// One folder.
pub(super) struct Folder {
    path: PathBuf,
    /// Keywords in the order of their numbers here.
    keywords: Vec<(Flags, String)>,
}

impl Folder {
    /// Makes it, with the lists of the keywords that its messages have.
    pub(super) fn make(path: &Path, keywords: Vec<(Flags, String)>) -> io::Result<Self> {
        for part in ["cur", "new", "tmp"] {
            make_folder(&path.join(part))?;
        }
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')) {
            // Maildir++ tells by it that this is a folder of another Maildir.
            make_file(&path.join("maildirfolder"))?;
        }
        let (first, more) = keywords.split_at(keywords.len().min(KEYWORD_LETTERS as usize));
        for (list, keywords, from) in [(KEYWORDS_FILE, first, 0), (MORE_KEYWORDS_FILE, more, KEYWORD_LETTERS)]
        {
            if keywords.is_empty() {
                continue;
            }
            let lines = (from..).zip(keywords).map(|(number, (_, name))| format!("{number} {name}\n"));
            make_file(&path.join(list))?.write_all(lines.collect::<String>().as_bytes())?;
        }
        Ok(Self { path: path.to_owned(), keywords })
    }

    fn named(&self, message: &Message) -> Named {
        let set = (0_u32..).zip(&self.keywords).filter(|(_, (flag, _))| message.flags.contains(*flag));
        Named {
            flags: message.flags,
            keywords: set.fold(0, |bits, (number, _)| bits | 1 << number),
            zone_minutes: message.zone_minutes,
            own_size: Some(message.size),
            order: message.uid.0.into(),
        }
    }
}

impl Sink for Folder {
    fn put(&mut self, export: &mut Export, mailbox: &MailboxInfo, message: &Message) -> io::Result<Put> {
        let uid_validity = export.store.status(mailbox.id).map_or(0, |status| status.uid_validity.0);
        let origin = Origin { received: message.received.0, uid: message.uid.0, uid_validity };
        let name = file_name(origin, &self.named(message));
        let unfinished = self.path.join("tmp").join(&name);
        let mut file = make_file(&unfinished)?;
        let put = export.read(mailbox, message, |piece| file.write_all(piece))?;
        match put {
            Put::Whole => {
                set_date(&file, message.received)?;
                fs::rename(unfinished, self.path.join("cur").join(name))?;
            }
            Put::Unreadable(_) => fs::remove_file(unfinished)?,
        }
        Ok(put)
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Gives a file the date of its letter. File systems take what they can of dates far from ours.
fn set_date(file: &fs::File, received: UnixTime) -> io::Result<()> {
    let distance = Duration::from_secs(received.0.unsigned_abs());
    let epoch = SystemTime::UNIX_EPOCH;
    let time = if received.0 < 0 { epoch.checked_sub(distance) } else { epoch.checked_add(distance) };
    file.set_modified(time.unwrap_or(epoch))
}

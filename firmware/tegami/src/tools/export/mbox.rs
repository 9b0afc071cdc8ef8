//! A mailbox as a file in the mboxrd form.

use std::{
    fs,
    io::{self, BufWriter, Seek as _, SeekFrom, Write as _},
    path::Path,
};

use mail::{Mail as _, MailboxInfo, Message};

use super::{Export, Put, Sink};
use crate::tools::{
    limits::PIECE_BYTES,
    mbox::{Marks, Quoter, sender, separator, status},
    output::{make_file, make_folder},
};

/// One file.
pub(super) struct File {
    to: BufWriter<fs::File>,
    /// Bytes written, those that wait included.
    len: u64,
}

impl io::Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.to.write(bytes)?;
        self.len += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl File {
    /// Makes it, and the folders above it.
    pub(super) fn make(path: &Path) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            make_folder(folder)?;
        }
        Ok(Self { to: BufWriter::with_capacity(PIECE_BYTES, make_file(path)?), len: 0 })
    }
}

impl Sink for File {
    fn put(&mut self, export: &mut Export, mailbox: &MailboxInfo, message: &Message) -> io::Result<Put> {
        let Ok(record) = export.store.record(mailbox.id, message.uid) else {
            return Ok(Put::Unreadable(0));
        };
        let line = separator(sender(record.head), message.received);
        let begun = self.len;
        self.write_all(line.as_bytes())?;
        self.write_all(status(&marks(export, message)).as_bytes())?;
        let mut quoter = Quoter::new(&mut *self);
        let put = export.read(mailbox, message, |piece| quoter.write(piece))?;
        quoter.finish()?;
        match put {
            Put::Whole => self.write_all(b"\n")?,
            Put::Unreadable(_) => {
                self.len = self.to.seek(SeekFrom::Start(begun))?;
                self.to.get_ref().set_len(begun)?;
            }
        }
        Ok(put)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.flush()
    }
}

fn marks(export: &Export, message: &Message) -> Marks {
    let all = (0..).zip(export.store.keywords(export.account));
    let set = all.filter(|(number, _)| message.flags.contains(mail::Flags::keyword(*number)));
    Marks { flags: message.flags, keywords: set.map(|(_, name)| name.clone()).collect() }
}

//! Opening a flash for a tool: looked at, or written to by this program alone, waiting where a session would not.

use std::{
    path::Path,
    sync::mpsc::{Receiver, sync_channel},
};

use board::{
    devices::{self, ReadOnly, Settings},
    layout::{Disk, Partition},
    threaded::{Options, Threaded, Warmer},
};
use mail::{Mail, Receipt, Refusal, Stop, Ticket, UnixTime, Unready};
use store::{MountError, MountOptions, Store};

use super::{
    Problem,
    limits::{BELL_MAX, ROOM_MAX},
};
use crate::office::MailStore;

/// A store that is looked at. Its reads wait for the medium, so nothing in it is ever cold.
pub(super) type Looked = Store<ReadOnly>;

/// Opens a flash to look at it.
///
/// # Errors
/// A sentence.
pub(super) fn look(path: &Path) -> Result<Looked, Problem> {
    let device = ReadOnly::open(path, &Settings::default()).map_err(|error| error.to_string())?;
    device.forget();
    let mounted = Store::mount(device, MountOptions { read_only: true });
    mounted.map_err(|error| refusal(path, error))
}

/// What to say of a flash that has no store on it that can be used.
fn refusal(path: &Path, error: MountError) -> Problem {
    if error == MountError::NotAStore
        && let Some(sentence) = whole_disk(path)
    {
        return sentence;
    }
    format!("{}: {error}", path.display())
}

/// What to say if it is not the flash but the whole card that it is on.
fn whole_disk(path: &Path) -> Option<Problem> {
    use std::os::unix::fs::FileExt as _;
    let file = std::fs::File::open(path).ok()?;
    let len = std::io::Seek::seek(&mut &file, std::io::SeekFrom::End(0)).ok()?;
    let read = |sector: u64| {
        let mut bytes = [0; board::layout::SECTOR_BYTES as usize];
        file.read_exact_at(&mut bytes, sector * board::layout::SECTOR_BYTES).ok()?;
        Some(bytes)
    };
    Disk::parse(len, read).ok()?;
    let number = Partition::Flash.number();
    Some(format!(
        "{} is a whole card; the mail is on its partition {number}. Give that one: /dev/sdX{number} of a card in a \
         reader, or of an image what `losetup --find --show --partscan` makes of it",
        path.display()
    ))
}

/// A store that this tool writes to.
pub(super) struct Writing {
    pub(super) store: MailStore,
    warmer: Warmer,
    bell: Receiver<()>,
}

impl Writing {
    /// Opens a flash that exists, and waits until all that was found on it is known to be durable.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn open(path: &Path) -> Result<Self, Problem> {
        if !path.exists() {
            return Err(format!("there is no {}; `tegami host --flash` makes a flash", path.display()));
        }
        let device = devices::open(path, 0, &Settings::default()).map_err(|error| error.to_string())?;
        let (ring, bell) = sync_channel(1);
        let wake = Box::new(move || {
            // A bell that has been rung need not be rung again.
            let _ = ring.try_send(());
        });
        let queue = Threaded::new(device, Options::default(), wake)
            .map_err(|error| format!("cannot start the thread that writes the flash: {error}"))?;
        let warmer = queue.warmer();
        let store = Store::mount(queue, MountOptions::default()).map_err(|error| refusal(path, error))?;
        let mut writing = Self { store, warmer, bell };
        while !writing.store.is_ready() && !writing.store.is_read_only() {
            writing.turn();
        }
        Ok(writing)
    }

    /// Goes on with whatever is under way, and waits for the flash where that is all there is to do.
    fn turn(&mut self) {
        self.store.set_now(now());
        self.store.flush();
        if let Some(cold) = self.store.take_cold() {
            // What cannot be read is met again by the read that follows, which says so.
            let _ = self.warmer.warm(cold.offset, cold.len.into());
            self.store.warmed();
        }
        if self.store.settle().barrier_ended {
            return;
        }
        // Without a barrier it can only be room in the write queue that is missing.
        let wait = if self.store.barrier_in_flight() { BELL_MAX } else { ROOM_MAX };
        let _ = self.bell.recv_timeout(wait);
        self.store.settle();
    }

    /// Asks for a change until there is room for it.
    ///
    /// # Errors
    /// Why it will not be made.
    pub(super) fn ask<T>(
        &mut self,
        mut change: impl FnMut(&mut MailStore) -> Result<T, Stop>,
    ) -> Result<T, Refusal> {
        loop {
            match change(&mut self.store) {
                Ok(made) => return Ok(made),
                Err(Stop::Busy) => self.turn(),
                Err(Stop::Refused(refusal)) => return Err(refusal),
            }
        }
    }

    /// Reads something, wherever it is.
    ///
    /// # Errors
    /// [`Unready::Gone`], [`Unready::Damaged`].
    pub(super) fn read<T>(
        &mut self,
        mut read: impl FnMut(&mut MailStore) -> Result<T, Unready>,
    ) -> Result<T, Unready> {
        loop {
            match read(&mut self.store) {
                Err(Unready::Cold(cold)) => {
                    let warmed = self.warmer.warm(cold.offset, cold.len.into());
                    warmed.map_err(|_| Unready::Damaged)?;
                }
                other => return other,
            }
        }
    }

    /// Waits until these changes are durable.
    ///
    /// # Errors
    /// Why the first of them is not.
    pub(super) fn durable(&mut self, tickets: &[Ticket]) -> Result<Vec<Receipt>, Refusal> {
        while !tickets.iter().all(Ticket::is_settled) {
            self.turn();
        }
        let results = tickets.iter().map(|ticket| ticket.result().unwrap_or(Err(Refusal::NotDurable)));
        results.collect()
    }

    /// Makes a change and waits until it is durable.
    ///
    /// # Errors
    /// Why it was not made.
    pub(super) fn make(
        &mut self,
        change: impl FnMut(&mut MailStore) -> Result<Ticket, Stop>,
    ) -> Result<(), Refusal> {
        let ticket = self.ask(change)?;
        self.durable(&[ticket]).map(|_| ())
    }

    /// Closes the store: the next mount finds that it ended cleanly.
    pub(super) fn close(mut self) {
        self.store.unmount();
        while !self.store.is_unmounted() {
            self.turn();
        }
    }
}

/// The time, as this computer knows it.
pub(super) fn now() -> UnixTime {
    UnixTime(jiff::Timestamp::now().as_second())
}

/// Everything of a letter, piece by piece, in the order of its bytes.
///
/// # Errors
/// From which byte on it cannot be read; whatever `take` says.
pub(super) fn read_letter<E>(
    store: &mut Looked,
    content: &mail::Content,
    mut take: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<Result<(), u64>, E> {
    let (mut offset, mut piece) = (0, Vec::new());
    while offset < content.size() {
        piece.clear();
        if store.read(content, offset, super::limits::PIECE_BYTES, &mut piece).is_err() || piece.is_empty() {
            return Ok(Err(offset));
        }
        take(&piece)?;
        offset += piece.len() as u64;
    }
    Ok(Ok(()))
}

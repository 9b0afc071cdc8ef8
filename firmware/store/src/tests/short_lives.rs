//! A full store that loses its power again and again, most of the times within seconds: it loses no mail, takes more as
//! soon as some is deleted, and never comes to where it has no segment left to write to.

use alloc::collections::BTreeSet;

use flash::simulator::{Cut, Simulator};
use flash::{Direct, Geometry};
use mail::{Flags, Mail, MailboxId, Refusal, Stop, Ticket, Uid, UidSet};

use crate::format::header::{Head, Stream};

use super::rig::*;
use crate::{FormatOptions, Store};

/// Who sends, reads and deletes, from life to life.
struct Office {
    random: u64,
    /// Operations that lives have at most, one kind of life as often as the other.
    lives: &'static [u64],
    number: u64,
    /// Messages whose delivery was acknowledged, and that nobody has asked to delete.
    kept: BTreeSet<u32>,
    /// Letters taken in all.
    taken: u64,
    /// Segments that were free at a mount, at least.
    least: u32,
}

/// The power is gone.
struct Gone;

impl Office {
    const fn new(random: u64, lives: &'static [u64]) -> Self {
        Self { random, lives, number: 0, kept: BTreeSet::new(), taken: 0, least: u32::MAX }
    }

    /// Sends letters until no more are taken.
    fn fill(&mut self, mut store: SimStore) -> Simulator {
        while matches!(self.deliver(&mut store), Ok(true)) {}
        self.taken = 0;
        store.into_queue().into_device()
    }

    fn pick(&mut self, below: u64) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below
    }

    /// How many operations a life has: most end soon, some in the midst of work.
    fn life(&mut self) -> u64 {
        let most = self.lives[self.pick(self.lives.len() as u64) as usize];
        self.pick(most)
    }

    /// Waits for a change. `None` where there is no room for it.
    fn wait(
        &self,
        store: &mut SimStore,
        mut change: impl FnMut(&mut SimStore) -> Result<Ticket, Stop>,
    ) -> Result<Option<Ticket>, Gone> {
        let ticket = match ask(store, &mut change) {
            Ok(ticket) => ticket,
            Err(Stop::Refused(Refusal::StoreFull)) => return self.powered(store).map(|()| None),
            Err(_) => return Err(Gone),
        };
        settle(store, core::slice::from_ref(&ticket));
        match ticket.result() {
            Some(Ok(_)) => Ok(Some(ticket)),
            Some(Err(Refusal::StoreFull)) => self.powered(store).map(|()| None),
            _ => Err(Gone),
        }
    }

    fn powered(&self, store: &mut SimStore) -> Result<(), Gone> {
        if store.queue().device().is_powered() { Ok(()) } else { Err(Gone) }
    }

    fn deliver(&mut self, store: &mut SimStore) -> Result<bool, Gone> {
        self.number += 1;
        let size = [400, 3_000, 9_000, 30_000][self.pick(4) as usize] + self.pick(300) as usize;
        let letter = text(self.number, size);
        match send(store, &["alice@example.test"], &letter) {
            Ok(ticket) => {
                settle(store, core::slice::from_ref(&ticket));
                match ticket.result() {
                    Some(Ok(receipt)) => {
                        self.kept.extend(receipt.destination.first().map(|uid| uid.0));
                        self.taken += 1;
                        Ok(true)
                    }
                    Some(Err(Refusal::StoreFull)) => self.powered(store).map(|()| false),
                    _ => Err(Gone),
                }
            }
            Err(Refusal::StoreFull) => self.powered(store).map(|()| false),
            Err(_) => Err(Gone),
        }
    }

    fn delete(&mut self, store: &mut SimStore, mailbox: MailboxId, count: usize) -> Result<(), Gone> {
        let all: alloc::vec::Vec<u32> = self.kept.iter().copied().collect();
        let mut set = UidSet::new();
        let some: BTreeSet<u32> =
            (0..count.min(all.len())).map(|_| all[self.pick(all.len() as u64) as usize]).collect();
        for uid in some {
            self.kept.remove(&uid);
            set.push_range(Uid(uid), Uid(uid));
        }
        self.wait(store, |store| store.expunge(mailbox, &set)).map(|_| ())
    }

    fn flag(&mut self, store: &mut SimStore, mailbox: MailboxId) -> Result<(), Gone> {
        let all: alloc::vec::Vec<u32> = self.kept.iter().copied().collect();
        if all.is_empty() {
            return Ok(());
        }
        let uid = all[self.pick(all.len() as u64) as usize];
        let (set, clear) = [(Flags::SEEN, Flags::NONE), (Flags::NONE, Flags::SEEN)][self.pick(2) as usize];
        self.wait(store, |store| store.set_flags(mailbox, &uid_set(&[uid]), set, clear)).map(|_| ())
    }

    /// One thing that somebody does.
    fn act(&mut self, store: &mut SimStore) -> Result<(), Gone> {
        let mailbox = inbox(store, ALICE);
        match self.pick(8) {
            0..=3 => {
                if !self.deliver(store)? {
                    let count = 1 + self.pick(8) as usize;
                    self.delete(store, mailbox, count)?;
                }
            }
            4 | 5 => self.flag(store, mailbox)?,
            6 => self.delete(store, mailbox, 1)?,
            _ => {
                store.flush();
                store.settle();
            }
        }
        self.powered(store)
    }

    /// A life of some operations, until the power is cut.
    fn live(&mut self, mut device: Simulator, seed: u64) -> Simulator {
        let operations = self.life();
        device.cut_after(operations);
        let mut store = mount(device).expect("a store");
        assert_eq!(store.statistics().damage, 0, "a cut is no damage");
        let mailbox = inbox(&store, ALICE);
        let there: BTreeSet<u32> =
            store.uids(mailbox).ranges().flat_map(|(first, last)| first.0..=last.0).collect();
        assert!(self.kept.iter().all(|uid| there.contains(uid)), "acknowledged mail is lost");
        // What was taken, or deleted, without an answer; nobody is shown it before the mount's barrier has ended.
        if self.powered(&mut store).is_ok() {
            self.kept = there;
        }
        self.least = self.least.min(store.segments.free());
        // Some are closed, unless the power goes meanwhile.
        let mut left = [u64::MAX, u64::MAX, u64::MAX, 6][self.pick(4) as usize];
        while left > 0 && self.act(&mut store).is_ok() {
            left -= 1;
        }
        store.unmount();
        for _ in 0..10 {
            store.flush();
            store.settle();
        }
        let mut device = store.into_queue().into_device();
        device.cut();
        device.power_on(Cut::ALL[self.pick(Cut::ALL.len() as u64) as usize], seed);
        device
    }
}

/// A store in which so little is free, after many cuts, that a mount begins with a checkpoint alone, and compaction with a
/// batch. Half of the mail has just been deleted.
pub(super) fn tight() -> Simulator {
    let mut office = Office::new(5, &[30, 60]);
    let mut device = office.fill(super::rig::office(24));
    for life in 0..1_000 {
        device = office.live(device, life);
        let mut store = mount(device.clone()).unwrap();
        let (mailbox, half) = (inbox(&store, ALICE), office.kept.len() / 2);
        let kept = office.kept.clone();
        if store.has_batch() && office.delete(&mut store, mailbox, half).is_ok() {
            let mut device = store.into_queue().into_device();
            device.cut();
            device.power_on(Cut::AllKept, life);
            if mount(device.clone()).unwrap().has_batch() {
                return device;
            }
        }
        office.kept = kept;
    }
    panic!("never tight");
}

/// Segments and units as most cards have them.
pub(super) fn large(segments: u64) -> SimStore {
    let geometry = Geometry { capacity: segments * (256 << 10), write_size: 4096, erase_size: 4096 };
    let options = FormatOptions { uuid: UUID, segment_bytes: None };
    let mut store = Store::format(Direct::new(Simulator::new(geometry)), &options).unwrap();
    pump(&mut store);
    let ticket = store.put_domain("example.test");
    wait(&mut store, ticket).unwrap();
    account(&mut store, "alice@example.test", None);
    store
}

fn run(seed: u64, segments: u64, lives: &'static [u64]) -> (Office, SimStore) {
    let mut store = if seed % 4 == 3 { large(segments) } else { office(segments) };
    let mut office = Office::new(seed, lives);
    // What each checkpoint has to write again, twice.
    let setting = alloc::vec![7; [0, 3_000, 12_000][seed as usize / 3 % 3]];
    let ticket = store.put_setting("s", &setting);
    wait(&mut store, ticket).unwrap();
    let mut device = office.fill(store);
    for life in 0..1_000 {
        device = office.live(device, life);
    }
    (office, mount(device).unwrap())
}

/// What operations lives have at most, and how many letters are taken in a thousand of them at least. Where none lives
/// long enough for a checkpoint there may be none.
const KINDS: [(&[u64], u64); 3] =
    [(&[6, 12, 25, 50, 120, 300], 200), (&[30, 60], 0), (&[25, 25, 25, 1_000], 2_000)];

/// Segments and seeds differ; more when `PROPTEST_CASES` says so.
#[test]
fn a_full_store_outlives_a_thousand_short_lives() {
    for seed in 0..u64::from(cases(6).cases) {
        let segments = [30, 40, 64, 100, 200][seed as usize % 5];
        let (lives, floor) = KINDS[seed as usize % KINDS.len()];
        let (mut office, mut store) = run(seed, segments, lives);
        // Larger segments are compacted in longer steps.
        let floor = if seed % 4 == 3 { floor / 4 } else { floor };
        assert!(office.taken >= floor, "seed {seed}: only {} letters were taken", office.taken);
        assert!(office.least > 0, "seed {seed}: a mount found no free segment");
        let mailbox = inbox(&store, ALICE);
        let kept = office.kept.len();
        assert!(office.delete(&mut store, mailbox, kept / 3).is_ok());
        pump(&mut store);
        for _ in 0..10 {
            assert!(matches!(office.deliver(&mut store), Ok(true)), "seed {seed}: mail is taken again");
        }
    }
}

#[test]
fn where_hardly_a_segment_is_left_a_batch_gains_some() {
    let mut store = mount(tight()).unwrap();
    let mailbox = inbox(&store, ALICE);
    let before = store.available();
    let uid = store.uids(mailbox).ranges().next().unwrap().0;
    let ticket =
        ask(&mut store, |store| store.set_flags(mailbox, &uid_set(&[uid.0]), Flags::SEEN, Flags::NONE));
    wait(&mut store, ticket).unwrap();
    pump(&mut store);
    assert!(store.segments.of(Head::Body(Stream::Cold)).count() > 0, "something was moved");
    assert!(store.available() > before, "{before} were free, and now {}", store.available());
}

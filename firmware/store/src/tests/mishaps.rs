//! What happens to cards and clocks: a card that has less room than it says, pieces of another box's card, a clock that
//! jumps. Nothing wrong is ever shown; what is lost is found and said.

use alloc::vec::Vec;
use core::time::Duration;

use flash::simulator::Simulator;
use flash::{Direct, Fault, Flash, Geometry};
use mail::{Flags, Mail, Uid, UidSet, UnixTime, Unready};

use super::rig::*;
use super::world::dump;
use crate::limits::SEGMENT_BYTES_MIN;
use crate::{FormatOptions, MountError, MountOptions, Store};

const ALICE_TO: &str = "alice@example.test";
const SEGMENT: u64 = SEGMENT_BYTES_MIN as u64;

/// A counterfeit: half of what it says is there.
#[derive(Clone)]
struct Counterfeit {
    device: Simulator,
    /// What lies beyond comes to lie at the beginning again; otherwise it is lost.
    wraps: bool,
}

impl Counterfeit {
    fn real(&self) -> u64 {
        self.device.geometry().capacity
    }
}

impl Flash for Counterfeit {
    fn geometry(&self) -> Geometry {
        Geometry { capacity: 2 * self.real(), ..self.device.geometry() }
    }
    fn read(&mut self, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        if offset >= self.real() && !self.wraps {
            out.fill(0);
            return Ok(());
        }
        self.device.read(offset % self.real(), out)
    }
    fn program(&mut self, offset: u64, units: &[u8]) -> Result<(), Fault> {
        if offset >= self.real() && !self.wraps {
            return Ok(());
        }
        self.device.program(offset % self.real(), units)
    }
    fn erase(&mut self, offset: u64, len: u64) -> Result<(), Fault> {
        if offset >= self.real() && !self.wraps {
            return Ok(());
        }
        self.device.erase(offset % self.real(), len)
    }
    fn barrier(&mut self) -> Result<(), Fault> {
        self.device.barrier()
    }
}

/// It takes mail that it cannot keep: nobody can know that from it. But no letter is ever shown that is not the one that
/// came in, what is lost is found by a scrub, and a mount ends in a store or in a sentence.
#[test]
fn a_card_that_has_less_room_than_it_says_never_shows_a_wrong_letter() {
    for wraps in [true, false] {
        let queue = Direct::new(Counterfeit { device: Simulator::new(geometry(16)), wraps });
        let mut store = Store::format(queue, &OPTIONS).unwrap();
        pump(&mut store);
        let ticket = store.put_domain("example.test").unwrap();
        wait(&mut store, Ok(ticket)).unwrap();
        account(&mut store, ALICE_TO, None);
        for number in 1..40 {
            if deliver(&mut store, &[ALICE_TO], &text(number, 40_000)).is_err() {
                break;
            }
        }
        let lost = shown_or_damaged(&mut store);
        assert!(lost > 0, "it went beyond what is there");
        while !store.scrub().unwrap().round_ended {}
        assert!(store.statistics().damaged_letters >= lost, "wraps {wraps}");
        let device = store.into_queue().into_device();
        match Store::mount(Direct::new(device), MountOptions { read_only: true }) {
            Ok(mut store) => drop(shown_or_damaged(&mut store)),
            Err(error) => assert!(matches!(error, MountError::NotAStore), "{error}"),
        }
    }
}

/// Reads all of Alice's letters; returns how many of them are damaged.
fn shown_or_damaged<Q: flash::FlashQueue>(store: &mut Store<Q>) -> u64 {
    let Some(mailbox) = store.inbox(ALICE) else { return 0 };
    let mut lost = 0;
    let uids: Vec<Uid> = store.uids(mailbox).iter().collect();
    for uid in uids {
        match read(store, mailbox, uid) {
            Ok(bytes) => assert!((1..40).any(|number| bytes == text(number, 40_000)), "{uid:?}"),
            Err(Unready::Damaged | Unready::Gone) => lost += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    lost
}

fn copy_segment(from: &mut Simulator, to: &mut Simulator, segment: u64) {
    let mut bytes = alloc::vec![0; SEGMENT_BYTES_MIN as usize];
    from.read(segment * SEGMENT, &mut bytes).unwrap();
    to.erase(segment * SEGMENT, SEGMENT).unwrap();
    for (number, block) in (0..).zip(bytes.chunks(4096)) {
        to.program(segment * SEGMENT + number * 4096, block).unwrap();
    }
    to.barrier().unwrap();
}

/// Two cards of one make, and a copy that was made of both: a store takes nothing for its own that another one wrote,
/// though it stands in the right places.
#[test]
fn pieces_of_another_store_are_never_taken_for_ones_own() {
    let mut stores = [OPTIONS, FormatOptions { uuid: *b"another identity", ..OPTIONS }].map(|options| {
        let mut store = Store::format(Direct::new(Simulator::new(geometry(24))), &options).unwrap();
        pump(&mut store);
        let ticket = store.put_domain("example.test");
        wait(&mut store, ticket).unwrap();
        account(&mut store, ALICE_TO, None);
        store
    });
    let [ours, theirs] = &mut stores;
    for number in 1..4 {
        deliver(ours, &[ALICE_TO], &text(number, 20_000)).unwrap();
    }
    for number in 101..120 {
        deliver(theirs, &[ALICE_TO], &text(number, 30_000)).unwrap();
    }
    let state = dump(ours);
    let used: Vec<u32> = ours.segments.in_use().iter().map(|(_, index)| *index).collect();
    let [ours, theirs] = stores;
    let (mut ours, mut theirs) = (close(ours), close(theirs));
    let whole = ours.clone();
    for segment in (2..24).filter(|segment| !used.contains(segment)) {
        copy_segment(&mut theirs, &mut ours, segment.into());
    }
    let mut store = mount(ours).unwrap();
    assert_eq!(store.statistics().damage, 0);
    assert!(dump(&mut store) == state, "what is free holds nothing");
    deliver(&mut store, &[ALICE_TO], &text(4, 60_000)).unwrap();
    // In the place of what is ours it is damage, and nothing else.
    for segment in used {
        let mut mixed = whole.clone();
        copy_segment(&mut theirs, &mut mixed, segment.into());
        let mut store = mount(mixed).unwrap();
        let mailbox = store.inbox(ALICE);
        for uid in mailbox.map(|mailbox| store.uids(mailbox)).unwrap_or_default().iter() {
            if let Ok(bytes) = read(&mut store, mailbox.unwrap(), uid) {
                assert!((1..4).any(|number| bytes == text(number, 20_000)), "segment {segment}");
            }
        }
    }
    // The whole card is another box's: that box's mail is served.
    let mut other = mount(theirs).unwrap();
    let mailbox = inbox(&other, ALICE);
    assert!(read(&mut other, mailbox, Uid(1)) == Ok(text(101, 30_000)));
    let validity = other.status(mailbox).unwrap().uid_validity;
    assert_ne!(
        mount(whole).unwrap().status(mailbox).unwrap().uid_validity,
        validity,
        "clients see that it is another"
    );
}

/// What a box does in its life, with mounts and housekeeping, at the times that `clock` says.
fn life(clock: &mut dyn FnMut() -> UnixTime) -> (alloc::string::String, Vec<UnixTime>) {
    let mut store = blank(32);
    let mut newest = Vec::new();
    store.set_now(clock());
    let ticket = store.put_domain("example.test");
    wait(&mut store, ticket).unwrap();
    account(&mut store, ALICE_TO, None);
    let mailbox = inbox(&store, ALICE);
    for round in 0..8_u64 {
        for number in 0..12 {
            store.set_now(clock());
            deliver(&mut store, &[ALICE_TO], &text(round * 100 + number, 15_000)).unwrap();
        }
        store.set_now(clock());
        let first = store.uids(mailbox).first().unwrap();
        let ticket = store.expunge(mailbox, &UidSet::range(first, Uid(first.0 + 9)));
        wait(&mut store, ticket).unwrap();
        let ticket = store.create_mailbox(ALICE, &name(&alloc::format!("F{round}")), None);
        wait(&mut store, ticket).unwrap();
        store.set_now(clock());
        let ticket = store.set_flags(mailbox, &store.uids(mailbox), Flags::SEEN, Flags::NONE);
        wait(&mut store, ticket).unwrap();
        store.checkpoints.wanted = round % 3 == 0;
        store.empty_some(round as usize);
        pump(&mut store);
        store.scrub().unwrap();
        store = mount(close(store)).unwrap();
        newest.extend(store.mount_report().newest);
        assert!(store.mount_report().clean && store.statistics().damage == 0);
    }
    (dump(&mut store), newest)
}

/// UIDs, UIDVALIDITYs, MODSEQs, dates of arrival, checkpoints and housekeeping are the same, whatever the clock does:
/// backwards to 1970, ten years ahead, while it runs and between mounts.
#[test]
fn a_clock_that_jumps_changes_nothing_but_the_times_in_records() {
    const YEARS: i64 = 10 * 365 * 86_400;
    let mut steady = 1_795_000_000;
    let (state, times) = life(&mut || {
        steady += 60;
        UnixTime(steady)
    });
    assert!(times.is_sorted(), "{times:?}");
    let jumps = [1_795_000_000, 0, 1_795_000_000 + YEARS, 7, -5, i64::MAX, 1_795_000_001, i64::MIN];
    let mut at = 0;
    let (jumped, _) = life(&mut || {
        at += 1;
        UnixTime(jumps[at % jumps.len()])
    });
    assert!(jumped == state, "{jumped}\n----\n{state}");
}

/// The scrub goes by the time that the driver waits, and asks for the same wait in any year.
#[test]
fn the_pace_of_a_scrub_knows_no_date() {
    let mut store = office(32);
    deliver(&mut store, &[ALICE_TO], &text(1, 60_000)).unwrap();
    store.set_scrub(Some(Duration::from_secs(86_400)));
    store.scrub().unwrap();
    let pause = store.scrub_pause();
    for now in [0, 4_000_000_000, i64::MIN] {
        store.set_now(UnixTime(now));
        assert_eq!(store.scrub_pause(), pause);
    }
}

//! Any bytes on flash: mounting never panics, and a flipped bit costs at most the records that it touches.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use flash::simulator::Simulator;
use flash::{Direct, Flash, Geometry};
use mail::{AccountId, Flags, Mail, MailboxId, Uid, Unready};
use proptest::prelude::*;

use super::rig::*;
use crate::{MountOptions, Store};

/// A plain device whose bytes a test may change.
#[derive(Clone)]
struct Plain {
    geometry: Geometry,
    bytes: Vec<u8>,
}

impl Plain {
    fn of(mut device: Simulator) -> Self {
        let geometry = device.geometry();
        let mut bytes = alloc::vec![0; geometry.capacity as usize];
        device.read(0, &mut bytes).unwrap();
        Self { geometry, bytes }
    }
}

impl Flash for Plain {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&mut self, offset: u64, out: &mut [u8]) -> Result<(), flash::Fault> {
        self.geometry.check_read(offset, out.len() as u64)?;
        out.copy_from_slice(&self.bytes[offset as usize..offset as usize + out.len()]);
        Ok(())
    }

    fn program(&mut self, offset: u64, units: &[u8]) -> Result<(), flash::Fault> {
        self.geometry.check_program(offset, units.len() as u64)?;
        self.bytes[offset as usize..offset as usize + units.len()].copy_from_slice(units);
        Ok(())
    }

    fn erase(&mut self, offset: u64, len: u64) -> Result<(), flash::Fault> {
        self.geometry.check_erase(offset, len)
    }

    fn barrier(&mut self) -> Result<(), flash::Fault> {
        Ok(())
    }
}

type PlainStore = Store<Direct<Plain>>;

fn mount_plain(device: Plain) -> Result<PlainStore, crate::MountError> {
    let mut store = Store::mount(Direct::new(device), MountOptions::default())?;
    pump(&mut store);
    Ok(store)
}

/// A store with some of everything, cleanly closed, and the texts of Alice's letters by UID.
fn furnished() -> (Plain, Vec<Vec<u8>>) {
    furnish(false)
}

/// The same, with a checkpoint in the midst of it, or at its end where nothing but it has most of the letters.
fn checkpointed() -> (Plain, Vec<Vec<u8>>) {
    furnish(true)
}

fn furnish(checkpoint: bool) -> (Plain, Vec<Vec<u8>>) {
    let mut store = office(16);
    let texts: Vec<Vec<u8>> = (0..24).map(|number| text(number, 200 + number as usize % 5 * 900)).collect();
    for bytes in &texts {
        deliver(&mut store, &["alice@example.test"], bytes).unwrap();
    }
    deliver(&mut store, &["bob@example.test"], &text(77, 30_000)).unwrap();
    let mailbox = inbox(&store, ALICE);
    let ticket = store.set_flags(mailbox, &uid_set(&[3, 4]), Flags::SEEN, Flags::NONE);
    wait(&mut store, ticket).unwrap();
    let ticket = store.create_mailbox(ALICE, &name("Work/Deep"), None);
    wait(&mut store, ticket).unwrap();
    if checkpoint {
        store.checkpoints.wanted = true;
        pump(&mut store);
    }
    (Plain::of(close(store)), texts)
}

/// Reads everything that is visible; says how many of Alice's letters in INBOX are whole.
fn survivors(store: &mut PlainStore, texts: &[Vec<u8>]) -> usize {
    let accounts: Vec<AccountId> = store.accounts().map(|info| info.id).collect();
    let mut whole = BTreeSet::new();
    for account in accounts {
        let mut after = None;
        while let Some(info) = store.next_mailbox(account, after.as_ref()) {
            let uids: Vec<Uid> = store.uids(info.id).iter().collect();
            for uid in uids {
                match read(store, info.id, uid) {
                    Ok(bytes) => {
                        whole.extend(texts.iter().position(|text| *text == bytes));
                    }
                    Err(error) => assert_eq!(error, Unready::Damaged),
                }
                let _ = store.record(info.id, uid).map(|record| record.head.len());
            }
            after = Some(info.name);
        }
    }
    whole.len()
}

#[test]
fn a_flipped_bit_costs_at_most_one_record() {
    flip_bits(&furnished());
}

#[test]
fn a_flipped_bit_in_or_before_a_checkpoint_costs_at_most_one_record() {
    flip_bits(&checkpointed());
}

fn flip_bits((device, texts): &(Plain, Vec<Vec<u8>>)) {
    let used: Vec<usize> = (0..device.bytes.len()).filter(|at| device.bytes[*at] != 0).collect();
    let mut costs = [0_u32; 3];
    for (round, at) in used.iter().step_by(37).enumerate() {
        let mut device = device.clone();
        device.bytes[*at] ^= 1 << (round % 8);
        let mut store = mount_plain(device).unwrap_or_else(|error| panic!("byte {at}: {error}"));
        let lost = texts.len() - survivors(&mut store, texts);
        assert!(lost <= 1, "a bit in byte {at} costs {lost} letters");
        costs[lost] += 1;
        // What was lost may have been seen: its mailbox begins a new UIDVALIDITY or loses nothing.
        let damage = store.statistics().damage;
        assert!(lost == 0 || damage > 0, "byte {at}: a loss is reported");
        go_on(&mut store);
    }
    assert!(costs[0] > 0 && costs[1] > 100, "{costs:?}");
}

/// The store takes mail again, and a later mount finds it.
fn go_on(store: &mut PlainStore) {
    let mailbox = inbox(store, AccountId(1));
    let bytes = text(500, 700);
    let receipt = append(store, mailbox, Flags::NONE, &bytes).unwrap();
    let uid = receipt.destination.first().unwrap();
    assert_eq!(read(store, mailbox, uid), Ok(bytes));
}

#[test]
fn damage_gives_the_mailbox_a_new_uidvalidity_once() {
    let (device, _) = furnished();
    let before = mount_plain(device.clone()).unwrap().status(MailboxId(1)).unwrap();
    // A byte of the summary in the commit of one letter in the middle.
    let at =
        (0..device.bytes.len() - 7).filter(|at| &device.bytes[*at..at + 7] == b"summary").nth(12).unwrap();
    let mut device = device;
    device.bytes[at] ^= 1;
    let mut store = mount_plain(device).unwrap();
    let status = store.status(MailboxId(1)).unwrap();
    assert_eq!(status.messages, before.messages - 1);
    assert!(status.uid_validity > before.uid_validity);
    assert_eq!((status.uid_next, store.statistics().damage), (before.uid_next, 1));
    assert_eq!(store.damaged_places().count(), 1);
    let others = store.status(MailboxId(7)).unwrap().uid_validity;
    assert!(others < status.uid_validity, "Bob's are as they were");
    go_on(&mut store);
    let store = mount_plain(store.into_queue().into_device()).unwrap();
    assert_eq!(
        store.status(MailboxId(1)).unwrap().uid_validity,
        status.uid_validity,
        "and not at every mount"
    );
}

/// Rule 11, whatever was lost: what a mount has shown of MODSEQs, the next one does not take back.
#[test]
fn modseqs_do_not_go_back_after_damage() {
    let (device, _) = furnished();
    let marks = (0..device.bytes.len() - 7).filter(|at| &device.bytes[*at..at + 7] == b"summary");
    for at in marks {
        let mut device = device.clone();
        device.bytes[at] ^= 1;
        let store = mount_plain(device).unwrap();
        let shown = |store: &PlainStore| {
            let all = store.state.mailboxes.values();
            all.map(|mailbox| (mailbox.uid_validity, mailbox.highest_modseq)).collect::<Vec<_>>()
        };
        let (before, next) = (shown(&store), store.state.next.modseq);
        let again = mount_plain(store.into_queue().into_device()).unwrap();
        assert_eq!(shown(&again), before, "byte {at}");
        assert!(again.state.next.modseq >= next, "byte {at}");
    }
}

#[test]
fn letters_outlive_the_loss_of_their_mailbox_and_account() {
    let (device, texts) = furnished();
    let address = b"alice@example.test";
    let at = (0..device.bytes.len() - 18).find(|at| &device.bytes[*at..at + 18] == address).unwrap();
    let mut device = device;
    device.bytes[at + 2] ^= 4;
    let mut store = mount_plain(device).unwrap();
    assert_eq!(survivors(&mut store, &texts), texts.len());
    let found: Vec<_> = store.accounts().map(|info| alloc::string::String::from(info.address)).collect();
    assert_eq!(found, ["recovered-1@example.test", "bob@example.test"]);
    assert_eq!(names(&store, AccountId(1)), ["INBOX", "Work", "Work/Deep"]);
    let before = store.status(MailboxId(1));
    deliver(&mut store, &["recovered-1@example.test"], &text(90, 500)).unwrap();
    let store = mount_plain(store.into_queue().into_device()).unwrap();
    assert_eq!(names(&store, AccountId(1)), ["INBOX", "Work", "Work/Deep"]);
    assert_eq!(store.status(MailboxId(1)).unwrap().messages, before.unwrap().messages + 1);
}

#[test]
fn an_unreadable_sector_costs_what_it_holds() {
    let mut store = office(16);
    for number in 0..20 {
        deliver(&mut store, &["alice@example.test"], &text(number, 600)).unwrap();
    }
    let mailbox = inbox(&store, ALICE);
    let place = store.state.letters.get(9).unwrap().place;
    let address = store.layout.address(place);
    let mut device = close(store);
    device.spoil(address..address + 1);
    let mut store = mount(device).unwrap();
    let found = store.uids(mailbox).len();
    assert!((18..20).contains(&found), "{found}");
    for uid in store.uids(mailbox).iter() {
        assert!(read(&mut store, mailbox, uid).is_ok());
    }
}

/// A life that begins behind a clean end is torn in its first group, and its anchor is damaged as well: the anchor
/// before it says that the log ended cleanly there, and must not be believed.
#[test]
fn a_damaged_anchor_is_survived_without_programming_anything_twice() {
    for point in 1..8 {
        let mut store = mount(close(office(16))).unwrap();
        let slot = (store.life.anchor.life + 1) % 2;
        let base = store.layout.base(slot as u32);
        let uids = store.uids(inbox(&store, ALICE));
        store.queue().device().cut_after(point);
        let _ = store.create_mailbox(ALICE, &name("Torn"), None);
        pump(&mut store);
        let mut device = store.into_queue().into_device();
        if device.is_powered() {
            device.cut();
        }
        device.power_on(flash::simulator::Cut::TornSector, point);
        device.spoil(base..base + 512);
        let misuses = device.counts().misuses;
        let mut store = mount(device).unwrap();
        assert_eq!(store.uids(inbox(&store, ALICE)), uids);
        deliver(&mut store, &["alice@example.test"], &text(3, 600)).unwrap();
        assert_eq!(store.queue().device().counts().misuses, misuses, "cut at {point}");
    }
}

/// A store with 24 letters of Alice's and a checkpoint of them, and their texts.
fn lettered() -> (SimStore, Vec<Vec<u8>>) {
    let mut store = office(16);
    let texts: Vec<Vec<u8>> = (0..24).map(|number| text(number, 300)).collect();
    for bytes in &texts {
        deliver(&mut store, &["alice@example.test"], bytes).unwrap();
    }
    store.checkpoints.wanted = true;
    pump(&mut store);
    (store, texts)
}

/// The page of a mailbox is lost: its letters are there all the same, under a new UIDVALIDITY, and the next checkpoint
/// ends the damage.
#[test]
fn letters_outlive_the_loss_of_the_page_that_lists_them() {
    let (store, texts) = lettered();
    let mailbox = inbox(&store, ALICE);
    let home = store.state.mailboxes[&mailbox.0].entries.pages()[0].home().unwrap();
    let before = store.status(mailbox).unwrap();
    let at = store.layout.base(home.segment) + u64::from(home.offset);
    let mut device = Plain::of(close(store));
    device.bytes[at as usize + 20..at as usize + 60].fill(0xA5);
    let mut store = mount_plain(device).unwrap();
    assert_eq!((survivors(&mut store, &texts), store.statistics().damage), (24, 1));
    assert!(store.status(mailbox).unwrap().uid_validity > before.uid_validity);
    deliver(&mut store, &["alice@example.test"], &text(99, 300)).unwrap();
    pump(&mut store);
    let uids = store.uids(mailbox);
    let mut again = mount_plain(store.into_queue().into_device()).unwrap();
    assert_eq!((again.statistics().damage, again.uids(mailbox)), (0, uids));
    assert_eq!(survivors(&mut again, &texts), 24);
}

/// A whole unit under a table, or under the root, is lost: the other copy serves, and nothing is missing.
#[test]
fn a_checkpoint_outlives_the_loss_of_its_root_and_of_any_table() {
    let (store, texts) = lettered();
    let homes: Vec<_> = store.checkpoints.all_tables().collect();
    let places = homes.iter().map(|home| store.layout.base(home.segment) + u64::from(home.offset));
    let units: BTreeSet<usize> = places.map(|place| place as usize / 512 * 512).collect();
    assert!(homes.len() >= 4 && units.len() >= 4, "two of each, in units of their own: {homes:?}");
    let mailbox = inbox(&store, ALICE);
    let of = |status: mail::Status| (status.messages, status.uid_next, status.unseen, status.bytes);
    let before = of(store.status(mailbox).unwrap());
    let whole = Plain::of(close(store));
    for unit in units {
        let mut device = whole.clone();
        device.bytes[unit..unit + 512].fill(0xA5);
        let mut store = mount_plain(device).unwrap();
        assert_eq!(survivors(&mut store, &texts), 24, "unit at {unit}");
        assert_eq!(of(store.status(mailbox).unwrap()), before, "unit at {unit}");
        assert!(store.statistics().damage > 0, "it is told");
    }
}

/// The groups that name the newest root are lost, and so is the root that the others name.
#[test]
fn a_root_that_nothing_names_any_more_is_found_all_the_same() {
    let mut store = office(16);
    let texts: Vec<Vec<u8>> = (0..24).map(|number| text(number, 300)).collect();
    let mut roots = Vec::new();
    for letters in texts.chunks(12) {
        for bytes in letters {
            deliver(&mut store, &["alice@example.test"], bytes).unwrap();
        }
        store.checkpoints.wanted = true;
        pump(&mut store);
        let root = store.checkpoints.root();
        let segment = store.segments.find(root.seq).unwrap();
        roots.push((store.layout.base(segment) as usize, root.offset as usize));
    }
    let mut device = Plain::of(close(store));
    let (segment, root) = roots[1];
    // Behind the unit in which the newer root ends nothing is left of that segment; of the older root neither.
    let behind = segment + (root + 64).next_multiple_of(512);
    device.bytes[behind..segment + 65_536].fill(0xA5);
    let (segment, root) = roots[0];
    device.bytes[segment + root..segment + root + 24].fill(0xA5);
    let mut store = mount_plain(device).unwrap();
    assert!(store.statistics().damage > 0);
    assert_eq!(survivors(&mut store, &texts), 24);
    go_on(&mut store);
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn mounting_survives_any_bytes(
        seed in any::<u64>(), checkpoint in any::<bool>(),
        patches in prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 1..200)), 1..12),
        moves in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1..70_000_usize), 0..4),
    ) {
        static FURNISHED: [std::sync::OnceLock<Vec<u8>>; 2] = [const { std::sync::OnceLock::new() }; 2];
        let bytes = FURNISHED[usize::from(checkpoint)].get_or_init(|| furnish(checkpoint).0.bytes).clone();
        let mut device = Plain { geometry: geometry(16), bytes };
        let len = device.bytes.len();
        for (from, to, count) in moves {
            // Whole stretches turn up elsewhere: misdirected writes.
            let (from, to) = (from.index(len) & !511, to.index(len) & !511);
            let count = count.min(len - from).min(len - to);
            device.bytes.copy_within(from..from + count, to);
        }
        for (at, patch) in patches {
            let at = at.index(len / 4);
            device.bytes[at..at + patch.len()].copy_from_slice(&patch);
        }
        if seed % 5 == 0 {
            device.bytes[..512].fill(seed as u8);
        }
        if let Ok(mut store) = mount_plain(device) {
            survivors(&mut store, &[]);
            let first = store.accounts().map(|info| info.id).next();
            if let Some(mailbox) = first.and_then(|account| store.inbox(account)) {
                let _ = append(&mut store, mailbox, Flags::NONE, &text(1, 5000));
            }
            if let Ok(mut again) = mount_plain(store.into_queue().into_device()) {
                survivors(&mut again, &[]);
            }
        }
    }
}

//! Random operations against a plain model: what everyone sees must be what a few maps would say.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use flash::simulator::Cut;
use mail::{AccountId, Flags, Mail, MailboxId, Modseq, Refusal, Uid, UidSet, UnixTime};
use proptest::prelude::*;

use super::recount::recount;
use super::rig::*;
use crate::limits::DELETIONS_KEPT_S;

/// One message of the model: number and size that its text was made from, flags.
type Known = (u64, usize, u64);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Folder {
    id: u32,
    next: u32,
    messages: BTreeMap<u32, Known>,
}

/// A message that was expunged.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Lost {
    who: usize,
    folder: u32,
    /// Name of the folder, if it is gone.
    gone: Option<String>,
    known: Known,
    day: i64,
}

#[derive(Clone, Debug, Default)]
struct Model {
    folders: [BTreeMap<String, Folder>; 2],
    /// The oldest one first.
    lost: Vec<Lost>,
    day: i64,
    number: u64,
    modseq: u64,
}

#[derive(Clone, Debug)]
enum Op {
    Deliver {
        alice: bool,
        bob: bool,
        size: usize,
    },
    Append {
        who: usize,
        folder: usize,
        size: usize,
        flags: u64,
    },
    Flags {
        who: usize,
        folder: usize,
        range: (u32, u32),
        add: u64,
        remove: u64,
    },
    Expunge {
        who: usize,
        folder: usize,
        range: (u32, u32),
    },
    Copy {
        who: usize,
        from: usize,
        to: usize,
        range: (u32, u32),
    },
    Move {
        who: usize,
        from: usize,
        to: usize,
        range: (u32, u32),
    },
    Create {
        who: usize,
        name: usize,
    },
    Delete {
        who: usize,
        folder: usize,
    },
    Rename {
        who: usize,
        folder: usize,
        name: usize,
    },
    /// With `drop` the mailbox is deleted in the same group, after that.
    Undelete {
        who: usize,
        first: usize,
        count: usize,
        to: usize,
        drop: bool,
    },
    ForGood {
        who: usize,
        first: usize,
        count: usize,
    },
    Later(i64),
    Checkpoint,
    Compact(usize),
    /// Goes on with what comes next.
    CompactMeanwhile(usize),
    Retire(usize),
    Scrub(usize),
    Remount,
    Crash(u64),
}

/// So many segments are retired at most: the others have to hold all that is delivered.
const RETIRED: u32 = 6;

const NAMES: [&str; 7] = ["A", "A/B", "A/B/C", "B", "INBOX/X", "Trash", "C/D"];

fn op() -> impl Strategy<Value = Op> {
    let who = 0..2_usize;
    let folder = 0..8_usize;
    let range = (1..30_u32, 0..12_u32).prop_map(|(first, more)| (first, first + more));
    let size = prop_oneof![4 => 1..900_usize, 2 => 900..9000_usize, 1 => 9000..70_000_usize];
    prop_oneof![
        6 => (any::<bool>(), any::<bool>(), size.clone()).prop_map(|(alice, bob, size)| Op::Deliver { alice, bob, size }),
        4 => (who.clone(), folder.clone(), size, 0..32_u64)
            .prop_map(|(who, folder, size, flags)| Op::Append { who, folder, size, flags }),
        5 => (who.clone(), folder.clone(), range.clone(), any::<u64>(), any::<u64>())
            .prop_map(|(who, folder, range, add, remove)| Op::Flags { who, folder, range, add: add & 0xFF1F, remove: remove & 0xF_FFFF }),
        3 => (who.clone(), folder.clone(), range.clone()).prop_map(|(who, folder, range)| Op::Expunge { who, folder, range }),
        3 => (who.clone(), folder.clone(), folder.clone(), range.clone())
            .prop_map(|(who, from, to, range)| Op::Copy { who, from, to, range }),
        3 => (who.clone(), folder.clone(), folder.clone(), range)
            .prop_map(|(who, from, to, range)| Op::Move { who, from, to, range }),
        2 => (who.clone(), 0..NAMES.len()).prop_map(|(who, name)| Op::Create { who, name }),
        1 => (who.clone(), folder.clone()).prop_map(|(who, folder)| Op::Delete { who, folder }),
        1 => (who.clone(), folder.clone(), 0..NAMES.len()).prop_map(|(who, folder, name)| Op::Rename { who, folder, name }),
        3 => (who.clone(), 0..9_usize, 1..20_usize, folder.clone(), prop::bool::weighted(0.2))
            .prop_map(|(who, first, count, to, drop)| Op::Undelete { who, first, count, to, drop }),
        1 => (who.clone(), 0..9_usize, 1..5_usize).prop_map(|(who, first, count)| Op::ForGood { who, first, count }),
        1 => (0..9_i64).prop_map(Op::Later),
        2 => Just(Op::Checkpoint),
        2 => any::<usize>().prop_map(Op::Compact),
        2 => any::<usize>().prop_map(Op::CompactMeanwhile),
        1 => any::<usize>().prop_map(Op::Retire),
        2 => (1..8_usize).prop_map(Op::Scrub),
        1 => Just(Op::Remount),
        1 => any::<u64>().prop_map(Op::Crash),
    ]
}

impl Model {
    fn of(store: &SimStore) -> Self {
        let mut model = Self::default();
        for who in 0..2 {
            for text in names(store, AccountId(who as u32 + 1)) {
                let id = folder(store, AccountId(who as u32 + 1), &text).0;
                model.folders[who].insert(text, Folder { id, next: 1, messages: BTreeMap::new() });
            }
        }
        model
    }

    /// Name of the folder that an operation means.
    fn pick(&self, who: usize, index: usize) -> String {
        let names: Vec<&String> = self.folders[who].keys().collect();
        names[index % names.len()].clone()
    }

    fn add(&mut self, who: usize, folder: &str, known: Known) {
        let folder = self.folders[who].get_mut(folder).unwrap();
        folder.messages.insert(folder.next, known);
        folder.next += 1;
    }

    fn in_range(&self, who: usize, folder: &str, (first, last): (u32, u32)) -> Vec<(u32, Known)> {
        self.folders[who][folder].messages.range(first..=last).map(|(uid, known)| (*uid, *known)).collect()
    }

    /// Notes what is about to be removed.
    fn lose(&mut self, who: usize, folder: &str, range: (u32, u32)) {
        let (id, day) = (self.folders[who][folder].id, self.day);
        let lost = self.in_range(who, folder, range);
        self.lost.extend(lost.into_iter().map(|(_, known)| Lost { who, folder: id, gone: None, known, day }));
    }

    fn remove(&mut self, who: usize, folder: &str, (first, last): (u32, u32)) {
        self.folders[who].get_mut(folder).unwrap().messages.retain(|uid, _| *uid < first || *uid > last);
    }
}

/// Runs one operation on both; the store's part is durable afterwards.
fn run(store: &mut SimStore, model: &mut Model, op: &Op) {
    let set = |(first, last): (u32, u32)| UidSet::range(Uid(first), Uid(last));
    match op {
        Op::Deliver { alice, bob, size } => {
            model.number += 1;
            let to: Vec<&str> = [(*alice, "alice@example.test"), (*bob, "bob@example.test")]
                .iter()
                .filter_map(|(wanted, to)| wanted.then_some(*to))
                .collect();
            let result = deliver(store, &to, &text(model.number, *size));
            if to.is_empty() {
                assert_eq!(result.map(|_| ()), Err(Refusal::NoSuchMailbox));
            } else if result.is_ok() {
                let known = (model.number, *size, 0);
                [*alice, *bob].iter().enumerate().filter(|(_, wanted)| **wanted).for_each(|(who, _)| {
                    model.add(who, "INBOX", known);
                });
            } else {
                assert_eq!(result.map(|_| ()), Err(Refusal::StoreFull));
            }
        }
        Op::Append { who, folder: index, size, flags } => {
            model.number += 1;
            let text_name = model.pick(*who, *index);
            let mailbox = MailboxId(model.folders[*who][&text_name].id);
            let bytes = text(model.number, *size);
            match append(store, mailbox, Flags(*flags), &bytes) {
                Ok(receipt) => {
                    let next = model.folders[*who][&text_name].next;
                    assert_eq!(receipt.destination, set((next, next)));
                    model.add(*who, &text_name, (model.number, *size, *flags));
                }
                Err(refusal) => assert_eq!(refusal, Refusal::StoreFull),
            }
        }
        Op::Flags { who, folder, range, add, remove } => {
            let name = model.pick(*who, *folder);
            let mailbox = MailboxId(model.folders[*who][&name].id);
            let ticket = store.set_flags(mailbox, &set(*range), Flags(*add), Flags(*remove));
            wait(store, ticket).unwrap();
            let folder = model.folders[*who].get_mut(&name).unwrap();
            for (_, known) in folder.messages.range_mut(range.0..=range.1) {
                known.2 = known.2 & !remove | add;
            }
        }
        Op::Expunge { who, folder, range } => {
            let name = model.pick(*who, *folder);
            let ticket = store.expunge(MailboxId(model.folders[*who][&name].id), &set(*range));
            wait(store, ticket).unwrap();
            model.lose(*who, &name, *range);
            model.remove(*who, &name, *range);
        }
        Op::Copy { who, from, to, range } => transfer(store, model, (*who, *from, *to, *range), true),
        Op::Move { who, from, to, range } => transfer(store, model, (*who, *from, *to, *range), false),
        Op::Create { .. } | Op::Delete { .. } | Op::Rename { .. } => rename(store, model, op),
        Op::Checkpoint | Op::Compact(_) | Op::Retire(_) | Op::Scrub(_) => look_after(store, op),
        Op::CompactMeanwhile(which) => store.empty_some(*which),
        Op::Undelete { .. } | Op::ForGood { .. } => undelete(store, model, op),
        Op::Later(days) => wait_days(store, model, *days),
        Op::Remount | Op::Crash(_) => {}
    }
}

/// Housekeeping: nobody sees any of it.
fn look_after(store: &mut SimStore, op: &Op) {
    match op {
        Op::Checkpoint => store.checkpoints.wanted = true,
        Op::Compact(which) => store.empty_some(*which),
        Op::Retire(which) if store.segments.retired_count() < RETIRED => store.retire_some(*which),
        Op::Scrub(steps) => {
            for _ in 0..*steps {
                store.scrub().expect("nothing is cold");
            }
            assert_eq!(store.statistics().damage, 0);
        }
        _ => {}
    }
    pump(store);
}

fn transfer(
    store: &mut SimStore,
    model: &mut Model,
    (who, from, to, range): (usize, usize, usize, (u32, u32)),
    copy: bool,
) {
    let (from, to) = (model.pick(who, from), model.pick(who, to));
    let ids = (MailboxId(model.folders[who][&from].id), MailboxId(model.folders[who][&to].id));
    let set = UidSet::range(Uid(range.0), Uid(range.1));
    let ticket = if copy { store.copy(ids.0, &set, ids.1) } else { store.move_messages(ids.0, &set, ids.1) };
    let receipt = match wait(store, ticket) {
        Ok(receipt) => receipt,
        Err(refusal) => {
            assert_eq!(refusal, Refusal::StoreFull);
            return;
        }
    };
    let taken = model.in_range(who, &from, range);
    assert_eq!(receipt.source, taken.iter().map(|(uid, _)| Uid(*uid)).collect());
    let next = model.folders[who][&to].next;
    if !taken.is_empty() {
        assert_eq!(receipt.destination, UidSet::range(Uid(next), Uid(next + taken.len() as u32 - 1)));
    }
    if !copy {
        model.remove(who, &from, range);
    }
    taken.iter().for_each(|(_, known)| model.add(who, &to, *known));
}

/// Lets days pass, and what is old be forgotten.
fn wait_days(store: &mut SimStore, model: &mut Model, days: i64) {
    model.day += days;
    pump(store);
    tell_day(store, model);
    // Whatever waits for a group of its own.
    let ticket = store.put_setting("day", &model.day.to_le_bytes());
    let taken = wait(store, ticket).is_ok();
    pump(store);
    let old = UnixTime((100 + model.day) * 24 * 3600 - DELETIONS_KEPT_S as i64);
    let young = |(_, deletion): (u64, crate::index::Deletion)| deletion.time > Some(old);
    assert!(!taken || days == 0 || store.state.deletions.iter().all(young));
}

fn tell_day(store: &mut SimStore, model: &Model) {
    store.set_now(UnixTime((100 + model.day) * 24 * 3600));
    store.trust_clock(true);
}

fn undelete(store: &mut SimStore, model: &mut Model, op: &Op) {
    let (Op::Undelete { who, first, count, .. } | Op::ForGood { who, first, count }) = *op else { return };
    let account = AccountId(who as u32 + 1);
    let places: Vec<usize> = (0..model.lost.len()).filter(|at| model.lost[*at].who == who).collect();
    let numbers: Vec<u64> =
        store.deletions(account, None, 1000).found.iter().map(|found| found.number).collect();
    assert_eq!(numbers.len(), places.len());
    let chosen: Vec<u64> = numbers.iter().rev().skip(first).take(count).copied().collect();
    let back: Vec<Lost> =
        places.iter().skip(first).take(count).rev().map(|at| model.lost.remove(*at)).collect();
    let Op::Undelete { to: index, drop, .. } = *op else {
        let ticket = store.delete_for_good(account, &chosen);
        wait(store, ticket).unwrap();
        return;
    };
    let to = model.pick(who, index);
    let folder = &model.folders[who][&to];
    let (id, next) = (MailboxId(folder.id), folder.next);
    let ticket = store.undelete(account, &chosen, id);
    back.iter().rev().for_each(|lost| model.add(who, &to, lost.known));
    if drop {
        rename(store, model, &Op::Delete { who, folder: index });
    }
    let receipt = wait(store, ticket).unwrap();
    assert_eq!(receipt.destination, (next..next + back.len() as u32).map(Uid).collect());
}

/// What is listed as deleted is what the model lost last: what is old has gone, and more only where space is short.
fn compare_lost(store: &mut SimStore, model: &mut Model) {
    let mut found: Vec<(u64, usize, crate::Deletion)> = Vec::new();
    for who in 0..2 {
        let listed = store.deletions(AccountId(who as u32 + 1), None, 1000).found;
        found.extend(listed.into_iter().map(|deletion| (deletion.number, who, deletion)));
    }
    found.sort_by_key(|(number, _, _)| *number);
    let mut gone = model.lost.len() - found.len();
    let kept = DELETIONS_KEPT_S as i64 / (24 * 3600);
    assert!(
        model.lost.iter().take(gone).all(|lost| lost.day + kept <= model.day)
            || store.segments.free() < store.free_wanted()
    );
    while gone > 0 {
        model.lost.remove(0);
        gone -= 1;
    }
    for (lost, (number, who, deletion)) in model.lost.iter().zip(&found) {
        let folder = model.folders[lost.who].iter().find(|(_, folder)| folder.id == lost.folder);
        let name = folder.map(|(name, _)| name).or(lost.gone.as_ref()).unwrap();
        let (text_number, size, flags) = lost.known;
        assert_eq!((*who, deletion.gone), (lost.who, folder.is_none()));
        assert_eq!(deletion.mailbox.as_ref().unwrap().as_str(), name);
        assert_eq!((deletion.flags.0, deletion.size), (flags, text(text_number, size).len() as u64));
        assert_eq!(deletion.time, Some(UnixTime((100 + lost.day) * 24 * 3600)));
        let record = store.deletion_record(AccountId(*who as u32 + 1), *number).unwrap();
        assert!(text(text_number, size).starts_with(record.head));
    }
}

fn rename(store: &mut SimStore, model: &mut Model, op: &Op) {
    let (who, ticket) = match op {
        Op::Create { who, name: index } => {
            (*who, store.create_mailbox(AccountId(*who as u32 + 1), &name(NAMES[*index]), None))
        }
        Op::Delete { who, folder } => {
            let text = model.pick(*who, *folder);
            (*who, store.delete_mailbox(AccountId(*who as u32 + 1), &name(&text)))
        }
        Op::Rename { who, folder, name: index } => {
            let text = model.pick(*who, *folder);
            (*who, store.rename_mailbox(AccountId(*who as u32 + 1), &name(&text), &name(NAMES[*index])))
        }
        _ => return,
    };
    if let Err(refusal) = wait(store, ticket) {
        let fits = matches!(refusal, Refusal::MailboxExists | Refusal::Cannot | Refusal::StoreFull);
        assert!(fits, "{refusal:?}");
        return;
    }
    if let Op::Delete { folder, .. } = op {
        let text = model.pick(who, *folder);
        let id = model.folders[who][&text].id;
        model.lose(who, &text, (0, u32::MAX));
        model
            .lost
            .iter_mut()
            .filter(|lost| lost.folder == id)
            .for_each(|lost| lost.gone = Some(text.clone()));
    }
    // The names are the store's; the messages must be those that the model knows under each id.
    let mut known: BTreeMap<u32, Folder> =
        model.folders[who].values().map(|folder| (folder.id, folder.clone())).collect();
    let inbox_moved = matches!(op, Op::Rename { folder, .. } if model.pick(who, *folder) == "INBOX");
    let account = AccountId(who as u32 + 1);
    let before: Vec<String> = model.folders[who].keys().cloned().collect();
    model.folders[who].clear();
    for text in names(store, account) {
        let id = folder(store, account, &text).0;
        let folder = known.remove(&id).unwrap_or(Folder { id, next: 1, messages: BTreeMap::new() });
        model.folders[who].insert(text, folder);
    }
    if let (true, Op::Rename { name: index, .. }) = (inbox_moved, op) {
        let inbox = model.folders[who].get_mut("INBOX").unwrap();
        let (messages, next) = (core::mem::take(&mut inbox.messages), inbox.next);
        let heir = model.folders[who].get_mut(NAMES[*index]).unwrap();
        (heir.messages, heir.next) = (messages, next);
    }
    if matches!(op, Op::Create { .. }) {
        assert!(before.iter().all(|name| model.folders[who].contains_key(name)));
    }
}

/// Everything that is visible is what the model says.
fn compare(store: &mut SimStore, model: &mut Model) {
    compare_lost(store, model);
    for who in 0..2 {
        let account = AccountId(who as u32 + 1);
        let known: Vec<String> = model.folders[who].keys().map(ToString::to_string).collect();
        assert_eq!(names(store, account), known);
        let mut used = 0;
        for folder in model.folders[who].values() {
            used += compare_folder(store, folder, &mut model.modseq);
        }
        assert_eq!(store.quota(account).used, used);
    }
    let live: u64 =
        store.segments.in_use().iter().map(|(_, index)| u64::from(store.segments.live(*index))).sum();
    assert!(live >= store.statistics().letters as u64);
    assert!(store.state.accounts.values().all(|account| account.reserved == 0));
}

fn compare_folder(store: &mut SimStore, folder: &Folder, modseq: &mut u64) -> u64 {
    let id = MailboxId(folder.id);
    let status = store.status(id).unwrap();
    assert_eq!(store.uids(id), folder.messages.keys().copied().map(Uid).collect());
    assert_eq!((status.messages as usize, status.uid_next.0), (folder.messages.len(), folder.next));
    let (mut bytes, mut unseen, mut deleted) = (0, 0, 0);
    for (uid, (number, size, flags)) in &folder.messages {
        let message = store.message(id, Uid(*uid)).unwrap();
        let expected = text(*number, *size);
        assert_eq!((message.flags.0, message.size), (*flags, expected.len() as u64));
        assert!(message.modseq <= status.highest_modseq);
        assert_eq!(read(store, id, Uid(*uid)).unwrap(), expected);
        bytes += message.size;
        unseen += u32::from(flags & 1 == 0);
        deleted += u32::from(flags & 8 != 0);
    }
    assert_eq!((status.bytes, status.unseen, status.deleted), (bytes, unseen, deleted));
    assert!(status.removed_modseq <= status.highest_modseq);
    assert_eq!(store.next_changed(id, status.highest_modseq, Uid(0)), None);
    assert_eq!(store.next_changed(id, Modseq(0), Uid(0)), store.next_message(id, Uid(0)));
    *modseq = (*modseq).max(status.highest_modseq.0);
    bytes
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn the_store_does_what_a_few_maps_do(ops in prop::collection::vec(op(), 1..80)) {
        let mut store = office(64);
        let mut model = Model::of(&store);
        for op in &ops {
            tell_day(&mut store, &model);
            match op {
                Op::Remount => store = mount(close(store)).unwrap(),
                Op::Crash(seed) => {
                    let mut device = store.into_queue().into_device();
                    device.cut();
                    device.power_on(Cut::OutOfOrder, *seed);
                    store = mount(device).unwrap();
                }
                op => run(&mut store, &mut model, op),
            }
            recount(&store);
            compare(&mut store, &mut model);
        }
        assert_eq!(store.statistics().damage, 0);
        let mut store = mount(close(store)).unwrap();
        compare(&mut store, &mut model);
        let ticket = store.create_mailbox(AccountId(1), &name("Last"), None);
        if let Ok(receipt) = wait(&mut store, ticket) {
            assert!(receipt.destination.is_empty());
            let last = folder(&store, AccountId(1), "Last");
            assert!(store.status(last).unwrap().highest_modseq > Modseq(model.modseq));
        }
    }
}

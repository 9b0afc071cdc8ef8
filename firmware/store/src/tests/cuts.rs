//! The power is cut at every program, erase and barrier of every scenario, and again at every one of the recovery.
//!
//! A failure prints an id; `STORE_CUT=<id> cargo test -p store cuts` runs that case alone.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU64, Ordering};
use std::io::Write;

use flash::simulator::{Cut, Simulator};
use mail::Mail;

use super::rig::{self, ALICE, SimStore, close, folder, inbox, mount, name, text};
use super::scenarios::{SCENARIOS, Scenario};
use super::world::{Shown, World, dump, see};

/// Cuts tried, and in how many seeds each where chance plays a part.
const MODES: [(Cut, u64); 6] = [
    (Cut::TornWord, 1),
    (Cut::TornSector, 1),
    (Cut::OutOfOrder, 3),
    (Cut::AllLost, 1),
    (Cut::AllKept, 1),
    (Cut::Process, 1),
];

/// Cuts during the recovery.
const SECOND_MODES: [(Cut, u64); 3] = [(Cut::TornWord, 1), (Cut::TornSector, 1), (Cut::OutOfOrder, 2)];

/// Cuts during the recovery that a scenario gets, about. Where that is less than all of them, the recovery is cut behind
/// one first cut in several: at each of its operations all the same.
const SECOND_CUTS_MAX: u64 = 50_000;

static RUN: AtomicU64 = AtomicU64::new(0);

/// One case.
#[derive(Clone, Copy)]
struct Case {
    scenario: &'static Scenario,
    point: u64,
    mode: Cut,
    seed: u64,
    second: Option<(u64, Cut, u64)>,
}

impl Case {
    fn id(&self) -> String {
        let second =
            self.second.map(|(point, mode, seed)| format!("/{point}/{mode:?}/{seed}")).unwrap_or_default();
        format!("{}/{}/{:?}/{}{second}", self.scenario.name, self.point, self.mode, self.seed)
    }

    fn parse(id: &str) -> Option<Self> {
        let mut parts = id.split('/');
        let scenario = SCENARIOS.iter().find(|scenario| Some(scenario.name) == id.split('/').next())?;
        parts.next();
        let mode = |name: &str| Cut::ALL.into_iter().find(|mode| format!("{mode:?}") == name);
        let mut triple =
            || Some((parts.next()?.parse().ok()?, mode(parts.next()?)?, parts.next()?.parse().ok()?));
        let (point, first_mode, seed) = triple()?;
        Some(Self { scenario, point, mode: first_mode, seed, second: triple() })
    }
}

/// The states that the scenario may ever show.
fn reference(scenario: &Scenario) -> Vec<String> {
    let mut world = World::new((scenario.device)(), true);
    (scenario.run)(&mut world).expect("no cut");
    world.states
}

/// Programs, erases and barriers of the scenario.
fn operations(scenario: &Scenario) -> u64 {
    let device = (scenario.device)();
    let before = device.operations();
    let mut world = World::new(device, false);
    (scenario.run)(&mut world).expect("no cut");
    world.into_device().operations() - before
}

/// What is left after the cut, and what was promised until then.
pub(super) struct Aftermath {
    pub(super) device: Simulator,
    pub(super) acknowledged: usize,
    pub(super) issued: usize,
    pub(super) shown: Shown,
    /// The scenario makes the store: until something is acknowledged there may be none.
    pub(super) formats: bool,
    /// Housekeeping forgets deletions meanwhile, in groups that are not the scenario's.
    pub(super) forgets: bool,
}

fn cut(case: &Case) -> Aftermath {
    let mut device = (case.scenario.device)();
    device.reseed(case.seed);
    device.cut_after(case.point);
    let mut world = World::new(device, false);
    let ended = (case.scenario.run)(&mut world);
    assert!(ended.is_err(), "the scenario ends before the cut");
    let (acknowledged, issued, shown) = (world.acknowledged, world.issued, world.shown());
    let mut device = world.into_device();
    device.power_on(case.mode, case.seed);
    let forgets = case.scenario.name.starts_with("forgetting");
    Aftermath { device, acknowledged, issued, shown, formats: case.scenario.formats, forgets }
}

/// Mounts what a cut left, and checks that it is one of the states that may be seen.
pub(super) fn check(states: &[String], after: &Aftermath) -> Option<SimStore> {
    let mut store = match mount(after.device.clone()) {
        Ok(store) => store,
        // Before the first anchor is durable there is no store; formatting begins again.
        Err(crate::MountError::NotAStore) if after.formats && after.issued == 0 => return None,
        Err(error) => panic!("{error}"),
    };
    assert!(!store.is_read_only(), "the store is writable again");
    assert_eq!(store.statistics().damage, 0, "a cut is no damage");
    let found = dump(&mut store);
    let last = after.issued.min(states.len().saturating_sub(1));
    let allowed = states.get(after.acknowledged..=last).unwrap_or_default();
    let forgets = after.forgets || store.segments.free() < store.free_wanted();
    if !allowed.iter().any(|state| *state == found || forgets && same_but_forgotten(state, &found)) {
        let known = states.iter().position(|state| *state == found);
        let nearest = states.get(after.acknowledged).cloned().unwrap_or_default();
        panic!(
            "the store is in state {known:?}, not in {}..={last}:\n{found}\n---- acknowledged:\n{nearest}",
            after.acknowledged
        );
    }
    Some(store)
}

/// Delivers a letter, whatever blocks are in the way.
fn deliver_again(store: &mut SimStore, bytes: &[u8]) -> Result<mail::Receipt, mail::Refusal> {
    rig::insist(store, |store| Ok(rig::send(store, &["alice@example.test"], bytes)?))
}

/// Whether two states differ only in how many of the oldest deletions of each account have been forgotten.
fn same_but_forgotten(a: &str, b: &str) -> bool {
    let deleted = |line: &&str| line.starts_with("  deleted ");
    let rest =
        |text: &str| text.lines().filter(|line| !deleted(line)).map(ToString::to_string).collect::<Vec<_>>();
    // Each account's, the newest first, behind its last mailbox.
    let lists = |text: &str| {
        let mut lists: Vec<Vec<String>> = Vec::new();
        for line in text.lines() {
            match lists.last_mut() {
                Some(list) if deleted(&line) => list.push(line.to_string()),
                _ if !line.starts_with(' ') => lists.push(Vec::new()),
                _ => {}
            }
        }
        lists
    };
    let shorter = |a: &[String], b: &[String]| a.iter().zip(b).all(|(a, b)| a == b);
    rest(a) == rest(b) && lists(a).iter().zip(&lists(b)).all(|(a, b)| shorter(a, b))
}

/// The recovered store goes on working, with numbers that nobody has seen.
pub(super) fn go_on(mut store: SimStore, shown: &Shown, misuses: u64) {
    let mut shown = shown.clone();
    see(&store, &mut shown);
    // A segment's frames are told from those of a lost one by its number alone (rule 6).
    assert!(store.log.next_seq >= shown.next_seq, "sequence numbers go up");
    if store.account(ALICE).is_none() {
        store.put_domain("example.test").unwrap();
        rig::account(&mut store, "alice@example.test", None);
    }
    let receipt = deliver_again(&mut store, &text(77, 3000)).expect("delivers again");
    let mailbox = inbox(&store, ALICE);
    let status = store.status(mailbox).unwrap();
    let uid = receipt.destination.first().unwrap();
    let before = shown.uids.get(&(mailbox.0, status.uid_validity.0)).copied().unwrap_or(0);
    assert!(uid.0 > before, "UIDs go up");
    assert!(store.message(mailbox, uid).unwrap().modseq.0 > shown.modseq, "MODSEQs go up");
    rig::insist(&mut store, |store| store.create_mailbox(ALICE, &name("After/The/Cut"), None)).unwrap();
    let new = folder(&store, ALICE, "After");
    assert!(new.0 > shown.mailbox, "mailboxes get new numbers");
    assert!(store.status(new).unwrap().uid_validity.0 > shown.uid_validity, "UIDVALIDITYs go up");
    let state = dump(&mut store);
    assert_eq!(store.queue().device().counts().misuses, misuses, "no unit is programmed twice");
    let mut again = mount(close(store)).unwrap();
    assert!(again.mount_report().clean);
    assert_eq!(dump(&mut again), state, "a clean mount finds what was there");
}

/// Runs one case with everything that follows it.
fn run(case: &Case, states: &[String]) {
    let after = cut(case);
    RUN.fetch_add(1, Ordering::Relaxed);
    match case.second {
        None => {
            if let Some(store) = check(states, &after) {
                go_on(store, &after.shown, after.device.counts().misuses);
            }
        }
        Some(second) => {
            run_second(case, states, &after, second);
        }
    }
}

/// Cuts the recovery: the mount and the first change after it. Says whether it came to the cut.
fn run_second(
    case: &Case,
    states: &[String],
    after: &Aftermath,
    (point, mode, seed): (u64, Cut, u64),
) -> bool {
    let mut device = after.device.clone();
    device.reseed(seed);
    device.cut_after(point);
    let spare = device.clone();
    let mut issued = after.issued;
    let mut device = match mount(device) {
        Ok(mut store) => {
            if store.account(ALICE).is_some() {
                issued += usize::from(deliver_again(&mut store, &text(88, 2000)).is_err());
                if issued == after.issued {
                    return false;
                }
            }
            store.into_queue().into_device()
        }
        Err(_) => spare,
    };
    if device.is_powered() {
        return false;
    }
    device.power_on(mode, seed);
    let misuses = device.counts().misuses;
    RUN.fetch_add(1, Ordering::Relaxed);
    let Ok(mut store) = mount(device.clone()) else {
        assert!(case.scenario.formats && after.issued == 0, "the second cut lost the store");
        return true;
    };
    assert!(!store.is_read_only());
    assert_eq!(store.statistics().damage, 0, "a cut is no damage");
    let found = strip_extra(&mut store);
    let last = after.issued.min(states.len().saturating_sub(1));
    let allowed = states.get(after.acknowledged..=last).unwrap_or_default();
    let fine = allowed.iter().any(|state| same_mail(state, &found)) || states.is_empty();
    assert!(fine, "after the second cut:\n{found}\n---- acknowledged:\n{}", allowed[0]);
    go_on(store, &after.shown, misuses);
    true
}

/// The state without the letter of the recovery, which may or may not be there.
fn strip_extra(store: &mut SimStore) -> String {
    let crc = format!("{:08x}", crc32c::crc32c(&text(88, 2000)));
    let lines: Vec<String> =
        dump(store).lines().filter(|line| !line.contains(&crc)).map(ToString::to_string).collect();
    lines.join("\n")
}

/// Whether the same messages are there: counters that count the letter of the recovery are left out.
fn same_mail(a: &str, b: &str) -> bool {
    let mail = |text: &str| -> Vec<String> {
        text.lines().filter(|line| line.contains("Message {")).map(ToString::to_string).collect()
    };
    mail(a) == mail(b)
}

fn with_id(case: &Case, action: impl FnOnce()) {
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(action));
    if let Err(cause) = result {
        let _ = writeln!(std::io::stderr(), "failing case: STORE_CUT={}", case.id());
        std::panic::resume_unwind(cause);
    }
}

/// All cuts of a scenario.
pub(super) fn exhaust(scenario: &'static Scenario) {
    if std::env::var("STORE_CUT").is_ok() {
        return;
    }
    let states = reference(scenario);
    let total = operations(scenario);
    assert!(total > 0);
    let mut step = 1;
    for point in 0..total {
        let mut second = 0;
        for (mode, seeds) in MODES {
            for seed in 0..seeds {
                let case = Case { scenario, point, mode, seed: seed * 1000 + point, second: None };
                with_id(&case, || run(&case, &states));
                if seed == 0 && point % step == 0 && matches!(mode, Cut::TornSector | Cut::OutOfOrder) {
                    second += exhaust_second(case, &states);
                }
            }
        }
        step = step.max((second * total).div_ceil(SECOND_CUTS_MAX));
    }
    let _ = writeln!(
        std::io::stderr(),
        "cut points run: {} (so far, with {}: {total} operations)",
        RUN.load(Ordering::Relaxed),
        scenario.name
    );
}

/// Gives the number of cuts.
fn exhaust_second(case: Case, states: &[String]) -> u64 {
    let after = cut(&case);
    let mut cuts = 0;
    for (mode, seeds) in SECOND_MODES {
        for seed in 0..seeds {
            for point in 0.. {
                let second = (point, mode, seed * 77 + point);
                let case = Case { second: Some(second), ..case };
                let mut reached = false;
                with_id(&case, || reached = run_second(&case, states, &after, second));
                if !reached {
                    break;
                }
                cuts += 1;
            }
        }
    }
    cuts
}

#[test]
fn the_case_that_was_asked_for() {
    let Ok(id) = std::env::var("STORE_CUT") else { return };
    let case = Case::parse(&id).expect("an id as it was printed");
    run(&case, &reference(case.scenario));
}

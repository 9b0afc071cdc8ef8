//! Random operations, cut at a random place: what `cuts.rs` does for scenarios that someone thought of.

use alloc::vec;
use alloc::vec::Vec;

use flash::simulator::{Cut, Simulator};
use mail::{Flags, Mail};
use proptest::prelude::*;

use super::cuts::{Aftermath, check, go_on};
use super::rig::{ALICE, BOB, cases, name};
use super::world::{Stopped, World, furnished};

#[derive(Clone, Debug)]
enum Step {
    Deliver { both: bool, size: usize },
    Append { size: usize },
    Flag { uid: u32, add: u64, remove: u64 },
    Expunge { uid: u32 },
    Undelete { at: usize, count: usize },
    ForGood { at: usize },
    Drop,
    Later { days: i64 },
    Copy { uid: u32 },
    Move { uid: u32 },
    Create { number: u32 },
    Setting { size: usize },
    Checkpoint,
    Compact { which: usize },
    Retire { which: usize },
    Sync,
    Remount,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let uid = 1..16_u32;
    let size = prop_oneof![5 => 1..600_usize, 3 => 600..6000_usize, 1 => 6000..90_000_usize];
    prop_oneof![
        8 => (any::<bool>(), size.clone()).prop_map(|(both, size)| Step::Deliver { both, size }),
        4 => size.prop_map(|size| Step::Append { size }),
        3 => (uid.clone(), 1..32_u64, 0..32_u64).prop_map(|(uid, add, remove)| Step::Flag { uid, add, remove }),
        2 => uid.clone().prop_map(|uid| Step::Expunge { uid }),
        2 => (0..6_usize, 1..6_usize).prop_map(|(at, count)| Step::Undelete { at, count }),
        1 => Just(Step::Drop),
        1 => (1..9_i64).prop_map(|days| Step::Later { days }),
        1 => (0..6_usize).prop_map(|at| Step::ForGood { at }),
        2 => uid.clone().prop_map(|uid| Step::Copy { uid }),
        2 => uid.prop_map(|uid| Step::Move { uid }),
        1 => (0..1000_u32).prop_map(|number| Step::Create { number }),
        1 => (0..25_000_usize).prop_map(|size| Step::Setting { size }),
        2 => Just(Step::Checkpoint),
        2 => any::<usize>().prop_map(|which| Step::Compact { which }),
        1 => any::<usize>().prop_map(|which| Step::Retire { which }),
        4 => Just(Step::Sync),
        1 => Just(Step::Remount),
        1 => Just(Step::Crash),
    ]
}

/// A mailbox goes with what was moved there, and may be made again under the same name.
fn drop_mailbox(world: &mut World) -> Result<(), Stopped> {
    world.create("Dropped")?;
    world.sync()?;
    world.shift(&[2, 3, 5], "Dropped")?;
    world.sync()?;
    world.change(|store| store.delete_mailbox(ALICE, &name("Dropped")))?;
    world.sync()
}

/// What is old enough by now is forgotten.
fn begin_day(world: &mut World, day: i64) -> Result<(), Stopped> {
    world.sync()?;
    world.day(day);
    world.change(|store| store.put_setting("day", &day.to_le_bytes()))?;
    world.rest()
}

/// Changes that go by what is visible come first in their group, so that they mean the same however it is cut.
fn run(world: &mut World, steps: &[Step]) -> Result<(), Stopped> {
    world.mount()?;
    let (mut made, mut day) = (Vec::new(), 100);
    for step in steps {
        match *step {
            Step::Deliver { both: true, size } => {
                world.deliver(&["alice@example.test", "bob@example.test"], size)?
            }
            Step::Deliver { both: false, size } => world.deliver(&["alice@example.test"], size)?,
            Step::Append { size } => world.append(BOB, "Drafts", size)?,
            Step::Flag { uid, add, remove } => {
                world.sync()?;
                world.flag(&[uid, uid + 2], Flags(add), Flags(remove))?;
            }
            Step::Expunge { uid } => {
                world.sync()?;
                world.expunge(&[uid, uid + 1])?;
            }
            Step::Undelete { at, count } => {
                world.sync()?;
                let which: Vec<usize> = (at..at + count).collect();
                world.undelete(&which, "INBOX")?;
            }
            Step::Drop => drop_mailbox(world)?,
            Step::Later { days } => {
                day += days;
                begin_day(world, day)?;
            }
            Step::ForGood { at } => {
                world.sync()?;
                world.delete_for_good(&[at])?;
            }
            Step::Copy { uid } => {
                world.sync()?;
                world.copy(&[uid, uid + 1, uid + 4], "Archive")?;
            }
            Step::Move { uid } => {
                world.sync()?;
                world.shift(&[uid, uid + 3], "Trash")?;
            }
            Step::Create { number } if !made.contains(&number) => {
                made.push(number);
                let text = alloc::format!("F{}/{number}", number % 3);
                world.sync()?;
                world.change(|store| store.create_mailbox(ALICE, &name(&text), None))?;
            }
            Step::Create { .. } => {}
            Step::Setting { size } => world.change(|store| store.put_setting("s", &vec![1; size]))?,
            Step::Checkpoint => world.checkpoint(),
            Step::Compact { which } => {
                world.sync()?;
                world.compact(which);
            }
            Step::Retire { which } => {
                world.sync()?;
                world.retire(which);
            }
            Step::Sync => world.sync()?,
            Step::Remount => world.remount()?,
            Step::Crash => world.crash()?,
        }
    }
    world.sync()
}

fn device() -> Simulator {
    static DEVICE: std::sync::OnceLock<Simulator> = std::sync::OnceLock::new();
    DEVICE.get_or_init(|| furnished(5)).clone()
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_cut_anywhere_leaves_a_state_that_was_promised(
        steps in prop::collection::vec(step(), 1..30), place in any::<prop::sample::Index>(),
        mode in prop::sample::select(&Cut::ALL[..]), seed in any::<u64>(),
    ) {
        let mut reference = World::new(device(), true);
        prop_assume!(run(&mut reference, &steps).is_ok());
        let mut whole = World::new(device(), false);
        run(&mut whole, &steps).expect("no cut");
        let operations = whole.into_device().operations() - device().operations();
        let mut device = device();
        device.reseed(seed);
        device.cut_after(place.index(operations.max(1) as usize) as u64);
        let mut world = World::new(device, false);
        prop_assert!(operations == 0 || run(&mut world, &steps).is_err());
        let (acknowledged, issued, shown) = (world.acknowledged, world.issued, world.shown());
        let mut device = world.into_device();
        if device.is_powered() {
            device.cut();
        }
        device.power_on(mode, seed);
        let forgets = steps.iter().any(|step| matches!(step, Step::Later { .. }));
        let after = Aftermath { device, acknowledged, issued, shown, formats: false, forgets };
        if let Some(store) = check(&reference.states, &after) {
            go_on(store, &after.shown, after.device.counts().misuses);
        }
    }
}

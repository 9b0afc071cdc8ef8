//! Cuts of the power, at random moments, while eight clients deliver, one reads and one files: what was acknowledged
//! is there afterwards, once, whole, and in its place.

use crate::letters::Random;
use crate::load::{Ledger, Load};
use crate::machine::Machine;
use crate::organiser::Organiser;
use crate::site::Account;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

/// Clients that deliver at once.
const CLIENTS: usize = 8;

/// Sizes of the letters, in bytes: within one unit of flash, of the usual size, and of several extents.
const SIZES: [usize; 7] = [700, 2_000, 8_192, 700, 8_192, 2_000, 100_000];

/// How the power is cut.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How often.
    pub cuts: usize,
    /// When, after load began.
    pub moment: Range<Duration>,
    /// When, after a start that is cut off as well; one round in three has one.
    pub stumble: Range<Duration>,
    /// Decides the moments: printed with every round, so that a failure can be tried again.
    pub seed: u64,
}

/// What was survived.
#[derive(Debug, Default)]
pub struct Survived {
    /// Letters that got their 250.
    pub letters: usize,
    /// Changes by IMAP that got their OK.
    pub changes: usize,
}

/// Cuts the power as planned and checks after each start.
///
/// # Panics
/// With what was lost, doubled, damaged or given another UID.
pub fn cut_and_check(machine: &mut dyn Machine, plan: &Plan) -> Survived {
    let site = machine.site();
    let recipients = [site.account(), site.account()];
    let mut organiser = Organiser::new(site.account(), plan.seed);
    let ledger = Ledger::default();
    let load = Load {
        clients: CLIENTS,
        sizes: SIZES.to_vec(),
        to: recipients.iter().map(|account| account.address.clone()).collect(),
        letters: None,
        time: Duration::from_secs(600),
    };
    let mut random = Random::new(plan.seed);
    for round in 0..plan.cuts {
        let moment = between(&mut random, &plan.moment);
        eprintln!("cut {} of {} (seed {}): {moment:?} after load began", round + 1, plan.cuts, plan.seed);
        one_cut(machine, &ledger, &load, &recipients[0], &mut organiser, moment);
        if random.below(3) == 0 {
            machine.stumble(between(&mut random, &plan.stumble));
        }
        machine.start();
        // Bodies are compared once in a while and at the end: what is old is read again and again otherwise.
        let whole = round % 8 == 7 || round + 1 == plan.cuts;
        for account in &recipients {
            ledger.verify(&site, account, whole);
        }
        organiser.verify(&site);
    }
    Survived { letters: ledger.acknowledged(), changes: organiser.steps() }
}

fn one_cut(
    machine: &mut dyn Machine,
    ledger: &Ledger,
    load: &Load,
    read: &Account,
    organiser: &mut Organiser,
    moment: Duration,
) {
    let site = machine.site();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| ledger.deliver_until(&site, load, &stop));
        scope.spawn(|| ledger.watch(&site, read, &stop));
        scope.spawn(|| organiser.work(&site, &stop));
        thread::sleep(moment);
        machine.cut();
        stop.store(true, Ordering::Relaxed);
    });
}

fn between(random: &mut Random, range: &Range<Duration>) -> Duration {
    let span = (range.end - range.start).as_micros().max(1) as u64;
    range.start + Duration::from_micros(random.below(span))
}

//! Cuts of the power, at random moments, while eight clients deliver, one reads and others file: what was acknowledged
//! is there afterwards, once, whole, and in its place. On a flash that is nearly full others make room as well, so that
//! compaction is at work whenever the power is cut.

use crate::clearer::Clearer;
use crate::full::Full;
use crate::ledger::Ledger;
use crate::letters::Random;
use crate::load::Load;
use crate::machine::Machine;
use crate::organiser::Organiser;
use crate::outside::{Outside, Sent};
use crate::site::{Account, Site};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Clients that deliver at once.
const CLIENTS: usize = 8;

/// Sizes of the letters, in bytes: within one unit of flash, of the usual size, and of several extents.
const SIZES: [usize; 7] = [700, 2_000, 8_192, 700, 8_192, 2_000, 100_000];

/// The same on a flash that is to be turned over.
const FULL_SIZES: [usize; 7] = [700, 8_192, 16_000, 60_000, 8_192, 2_000, 100_000];

/// The smallest segment of flash: what compaction empties at once.
const SEGMENT_BYTES: u64 = 256 << 10;

/// How long it may take until compaction has to be at work.
const RUN_UP_MAX: Duration = Duration::from_secs(240);

/// How often it is looked whether it has.
const POLL: Duration = Duration::from_millis(100);

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
    /// Letters that got their 250 under load.
    pub letters: usize,
    /// Letters and appends that were refused for want of room.
    pub refused: usize,
    /// Changes by IMAP that got their OK, other than those of whole batches.
    pub changes: usize,
    /// Letters whose expunging, in batches, got its OK.
    pub expunged: usize,
    /// Segments that compaction had emptied before the first cut, at least: none on a flash that was not full.
    pub emptied: u64,
    /// Letters for elsewhere.
    pub sent: Sent,
}

/// Cuts the power as planned and checks after each start.
///
/// # Panics
/// With what was lost, doubled, damaged or given another UID.
pub fn cut_and_check(machine: &mut dyn Machine, plan: &Plan, outside: Outside) -> Survived {
    let site = machine.site();
    let recipients = [site.account(), site.account()];
    let organisers = vec![Organiser::new(site.account(), plan.seed)];
    let mut office = Office::new(Ledger::default(), recipients, organisers, outside, &SIZES);
    office.survive(machine, plan)
}

/// The same on a machine with a flash that was prepared, with more who file, and with those who make room.
///
/// # Panics
/// As [`cut_and_check`], and when compaction does not run.
pub fn cut_and_check_full(machine: &mut dyn Machine, plan: &Plan, full: Full, outside: Outside) -> Survived {
    let filers = Full::filers().into_iter().zip(plan.seed..);
    let organisers = filers.map(|(account, seed)| Organiser::new(account, seed).on_full()).collect();
    let mut office = Office::new(full.ledger, Full::recipients(), organisers, outside, &FULL_SIZES);
    office.load.may_be_full = true;
    office.clearers = Full::recipients().map(|account| Clearer::new(account, plan.seed, full.bytes)).into();
    office.run_up(&machine.site(), full.rest);
    let emptied = office.emptied(full.rest);
    office.clearers.iter_mut().for_each(Clearer::spare_nothing);
    Survived { emptied, ..office.survive(machine, plan) }
}

/// All who use a machine.
struct Office {
    ledger: Ledger,
    /// The first number under load.
    first: u64,
    recipients: [Account; 2],
    organisers: Vec<Organiser>,
    clearers: Vec<Clearer>,
    outside: Outside,
    load: Load,
}

impl Office {
    fn new(
        ledger: Ledger,
        recipients: [Account; 2],
        organisers: Vec<Organiser>,
        outside: Outside,
        sizes: &[usize],
    ) -> Self {
        let load = Load {
            clients: CLIENTS,
            sizes: sizes.to_vec(),
            to: recipients.iter().map(|account| account.address.clone()).collect(),
            logins: Vec::new(),
            letters: None,
            time: Duration::from_secs(600),
            may_be_full: false,
        };
        let first = ledger.numbers();
        Self { ledger, first, recipients, organisers, clearers: Vec::new(), outside, load }
    }

    fn survive(&mut self, machine: &mut dyn Machine, plan: &Plan) -> Survived {
        let site = machine.site();
        let before = self.ledger.acknowledged();
        let mut random = Random::new(plan.seed);
        for round in 0..plan.cuts {
            let moment = between(&mut random, &plan.moment);
            eprintln!("cut {} of {} (seed {}): {moment:?} after load began", round + 1, plan.cuts, plan.seed);
            self.work(&site, |_| {
                thread::sleep(moment);
                machine.cut();
            });
            self.outside.note_cut();
            if random.below(3) == 0 {
                machine.stumble(between(&mut random, &plan.stumble));
                self.outside.note_cut();
            }
            machine.start();
            // Bodies are compared once in a while and at the end: what is old is read again and again otherwise. Both
            // recipients show the same ones: one at a time.
            let whole = round % 8 == 7 || round + 1 == plan.cuts;
            self.verify(&site, whole.then_some(round / 8 % self.recipients.len()));
        }
        let sent = self.outside.settle(machine);
        let organisers = || self.organisers.iter();
        Survived {
            letters: self.ledger.acknowledged() - before,
            refused: self.ledger.times_full() + organisers().map(Organiser::refused).sum::<usize>(),
            changes: organisers().map(Organiser::steps).sum(),
            expunged: self.ledger.removed(),
            emptied: 0,
            sent,
        }
    }

    /// Lets everybody work until `end` has returned.
    fn work(&mut self, site: &Site, end: impl FnOnce(&Ledger)) {
        let Self { ledger, recipients, organisers, clearers, outside, load, .. } = self;
        let (ledger, load, stop) = (&*ledger, &*load, &AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| ledger.deliver_until(site, load, stop));
            scope.spawn(|| ledger.watch(site, &recipients[0], stop));
            for organiser in organisers {
                scope.spawn(|| organiser.work(site, stop));
            }
            for clearer in clearers {
                scope.spawn(|| clearer.work(ledger, site, stop));
            }
            scope.spawn(|| outside.work(site, stop));
            end(ledger);
            stop.store(true, Ordering::Relaxed);
        });
    }

    /// Whole letters of one recipient, if any.
    fn verify(&mut self, site: &Site, whole: Option<usize>) {
        for (number, account) in self.recipients.iter().enumerate() {
            self.ledger.verify(site, account, whole == Some(number));
        }
        for organiser in &mut self.organisers {
            organiser.verify(site);
        }
    }

    /// Lets everybody work until more has come, and stays, than the flash had room for. Every segment that held letters
    /// before still holds some that stay, so what has come stands in segments that compaction has emptied, and it goes
    /// on doing so for all that comes later.
    fn run_up(&mut self, site: &Site, rest: u64) {
        let (start, first) = (Instant::now(), self.first);
        self.work(site, |ledger| {
            while ledger.bytes_alive(first) <= rest + SEGMENT_BYTES && start.elapsed() < RUN_UP_MAX {
                thread::sleep(POLL);
            }
        });
        let came = self.ledger.bytes_alive(first);
        eprintln!(
            "after {:.0} s of load: {:.1} MB have come and stay, where there was room for {:.1} MB; {} letters refused",
            start.elapsed().as_secs_f64(),
            came as f64 / 1e6,
            rest as f64 / 1e6,
            self.ledger.times_full()
        );
        assert!(
            self.emptied(rest) > 0,
            "compaction makes no room: {} letters were refused",
            self.ledger.times_full()
        );
    }

    /// Segments that compaction has emptied, at least, so that what has come and stays has room.
    fn emptied(&self, rest: u64) -> u64 {
        self.ledger.bytes_alive(self.first).saturating_sub(rest) / SEGMENT_BYTES
    }
}

fn between(random: &mut Random, range: &Range<Duration>) -> Duration {
    let span = (range.end - range.start).as_micros().max(1) as u64;
    range.start + Duration::from_micros(random.below(span))
}

//! The simulated device: its medium, its books and its failures.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use super::cut::{Cut, Fate, fate, tear, tear_somehow};
use super::random::Random;
use crate::{Fault, Flash, Geometry};

/// The bytes of a unit; `None` is a unit of zeros that nobody programmed.
type Content = Option<Arc<[u8]>>;

#[derive(Clone, Debug, Default)]
struct Unit {
    content: Content,
    /// Programmed since it was last erased.
    used: bool,
}

/// One unit changed, so that it can be undone and done again.
#[derive(Clone, Debug)]
struct Change {
    unit: usize,
    before: Content,
    after: Content,
    /// Whether the unit was in use before.
    used: bool,
}

/// What happened to a device, for tests and measures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls of `read`.
    pub reads: u64,
    /// Calls of `program` that were carried out.
    pub programs: u64,
    /// Calls of `erase` that were carried out.
    pub erases: u64,
    /// Barriers that were good.
    pub barriers: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// Bytes programmed.
    pub bytes_programmed: u64,
    /// Calls that broke the contract; all were refused.
    pub misuses: u64,
}

/// As what an erased unit reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Erased {
    /// As before the erase: cards and files do not really erase.
    #[default]
    Stale,
    /// As `0xFF`.
    Ones,
    /// As noise.
    Noise,
}

/// Keeps what a cut leaves independent of what failures did before it under the same seed.
const POWER: u64 = 0x706F_7765_7200_0000;

/// How an operation goes on.
enum Step {
    Do,
    Fail,
    /// The power goes while it is under way.
    Cut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Program,
    Erase,
    Barrier,
}

/// A flash device in memory. See the module.
#[derive(Clone, Debug)]
pub struct Simulator {
    geometry: Geometry,
    units: Vec<Unit>,
    /// Changes since the last good barrier, in order.
    pending: Vec<Change>,
    /// Index in `pending` at which the operation that the cut interrupted begins.
    in_flight: Option<usize>,
    /// Changes that a failed barrier put in doubt: they read well and may be gone after the next cut.
    doubtful: Vec<Change>,
    wear: Vec<u32>,
    counts: Counts,
    operations: u64,
    cut_in: Option<u64>,
    fail_in: [Option<u64>; 3],
    unreadable: Vec<Range<u64>>,
    /// Places that take no programs, and whether they take no erases either.
    worn_out: Vec<(Range<u64>, bool)>,
    erased: Erased,
    read_only: bool,
    powered: bool,
    random: Random,
}

impl Simulator {
    /// A device with every block erased, reading as zeros. `geometry` must be sound: sizes that divide one another.
    #[must_use]
    pub fn new(geometry: Geometry) -> Self {
        let units = geometry.capacity / u64::from(geometry.write_size.max(1));
        let blocks = geometry.capacity / u64::from(geometry.erase_size.max(1));
        Self {
            geometry,
            units: vec![Unit::default(); units as usize],
            pending: Vec::new(),
            in_flight: None,
            doubtful: Vec::new(),
            wear: vec![0; blocks as usize],
            counts: Counts::default(),
            operations: 0,
            cut_in: None,
            fail_in: [None; 3],
            unreadable: Vec::new(),
            worn_out: Vec::new(),
            erased: Erased::Stale,
            read_only: false,
            powered: true,
            random: Random::new(0),
        }
    }

    /// A device full of noise, no block of it erased: what a card holds that was used for something else.
    #[must_use]
    pub fn noise(geometry: Geometry, seed: u64) -> Self {
        let mut device = Self::new(geometry);
        let mut random = Random::new(seed);
        for unit in &mut device.units {
            let mut bytes = vec![0; geometry.write_size as usize];
            random.fill(&mut bytes);
            *unit = Unit { content: Some(bytes.into()), used: true };
        }
        device
    }

    /// Sets the seed of everything random before the next [`power_on`](Self::power_on).
    pub const fn reseed(&mut self, seed: u64) {
        self.random = Random::new(seed);
    }

    /// Sets as what erased blocks read from now on.
    pub const fn set_erased(&mut self, erased: Erased) {
        self.erased = erased;
    }

    /// Makes the device refuse every program and erase ([`Fault::ReadOnly`]), or stop doing so.
    pub const fn set_read_only(&mut self, read_only: bool) {
        self.read_only = read_only;
    }

    /// Programs, erases and barriers asked for so far: the points at which a cut can be tried.
    #[must_use]
    pub const fn operations(&self) -> u64 {
        self.operations
    }

    /// The counters.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// How often each block was erased.
    #[must_use]
    pub fn wear(&self) -> &[u32] {
        &self.wear
    }

    /// Lets `operations` more programs, erases and barriers pass and cuts the power inside the one after.
    pub const fn cut_after(&mut self, operations: u64) {
        self.cut_in = Some(operations);
    }

    /// Cuts the power now, between two operations.
    pub const fn cut(&mut self) {
        self.powered = false;
    }

    /// Makes the program fail that comes after `skip` others; its units then hold anything.
    pub const fn fail_program(&mut self, skip: u64) {
        self.fail_in[Kind::Program as usize] = Some(skip);
    }

    /// Makes the erase fail that comes after `skip` others.
    pub const fn fail_erase(&mut self, skip: u64) {
        self.fail_in[Kind::Erase as usize] = Some(skip);
    }

    /// Makes the barrier fail that comes after `skip` others. What it should have covered is partly lost at once,
    /// and partly only at the next cut, whatever later barriers say.
    pub const fn fail_barrier(&mut self, skip: u64) {
        self.fail_in[Kind::Barrier as usize] = Some(skip);
    }

    /// Makes every program that touches `range` fail from now on, for good, and with `erases` every erase as well:
    /// blocks at the end of their life.
    pub fn wear_out(&mut self, range: Range<u64>, erases: bool) {
        self.worn_out.push((range, erases));
    }

    /// Whether some blocks are at the end of their life.
    #[must_use]
    pub fn is_worn_out(&self) -> bool {
        !self.worn_out.is_empty()
    }

    /// Makes reads that touch `range` fail from now on, until its block is erased.
    pub fn spoil(&mut self, range: Range<u64>) {
        self.unreadable.push(range);
    }

    /// Turns bits over in `range`, behind everyone's back: damage that a barrier does not protect from.
    ///
    /// # Errors
    /// [`Fault::Misuse`] outside the device.
    pub fn damage(&mut self, range: Range<u64>) -> Result<(), Fault> {
        self.geometry.check_read(range.start, range.end.saturating_sub(range.start))?;
        for at in range {
            let size = u64::from(self.geometry.write_size);
            let unit = (at / size) as usize;
            let mut bytes = self.bytes(&self.units[unit].content).to_vec();
            bytes[(at % size) as usize] ^= 0x5A;
            self.units[unit].content = Some(bytes.into());
        }
        Ok(())
    }

    /// Whether the power is on.
    #[must_use]
    pub const fn is_powered(&self) -> bool {
        self.powered
    }

    /// Gives the device power again, in the state that `cut` and `seed` choose; requested failures are forgotten.
    pub fn power_on(&mut self, cut: Cut, seed: u64) {
        self.random = Random::new(seed.rotate_left(32) ^ POWER);
        self.powered = true;
        self.cut_in = None;
        self.fail_in = [None; 3];
        let pending = core::mem::take(&mut self.pending);
        let in_flight = self.in_flight.take().unwrap_or(pending.len());
        for change in pending.iter().rev() {
            self.units[change.unit].content = change.before.clone();
            self.units[change.unit].used |= change.used;
        }
        if cut != Cut::Process {
            self.lose_doubtful();
        }
        let (completed, torn) = pending.split_at(in_flight);
        for change in completed {
            self.redo(change, cut);
        }
        match cut {
            Cut::TornWord | Cut::TornSector => self.tear_last(torn, cut == Cut::TornWord),
            Cut::OutOfOrder => torn.iter().for_each(|change| self.redo(change, cut)),
            Cut::AllLost | Cut::AllKept => {}
            Cut::Process => self.pending = completed.to_vec(),
        }
    }

    /// Does a change again as far as `cut` let it arrive.
    fn redo(&mut self, change: &Change, cut: Cut) {
        let fate = match cut {
            Cut::OutOfOrder => fate(&mut self.random),
            Cut::AllLost => Fate::Old,
            _ => Fate::New,
        };
        match fate {
            Fate::Old => {}
            Fate::New => self.units[change.unit].content = change.after.clone(),
            Fate::Torn => self.tear_unit(change),
        }
    }

    fn tear_unit(&mut self, change: &Change) {
        let old = self.bytes(&self.units[change.unit].content);
        let new = self.bytes(&change.after);
        let torn = tear_somehow(&old, &new, &mut self.random);
        self.units[change.unit].content = Some(torn.into());
    }

    /// The operation in flight wrote some of its units, broke one and left the rest.
    fn tear_last(&mut self, changes: &[Change], by_word: bool) {
        let broken = self.random.below(changes.len().max(1));
        for change in changes.iter().take(broken) {
            self.units[change.unit].content = change.after.clone();
        }
        if let Some(change) = changes.get(broken) {
            let old = self.bytes(&self.units[change.unit].content);
            let torn = tear(&old, &self.bytes(&change.after), by_word, &mut self.random);
            self.units[change.unit].content = Some(torn.into());
        }
    }

    /// Decides at last what became of the changes that a failed barrier left in doubt.
    fn lose_doubtful(&mut self) {
        for change in core::mem::take(&mut self.doubtful) {
            match fate(&mut self.random) {
                Fate::Old => self.units[change.unit].content = change.before,
                Fate::New => {}
                Fate::Torn => {
                    self.units[change.unit].content = change.before.clone();
                    self.tear_unit(&change);
                }
            }
        }
    }

    fn bytes(&self, content: &Content) -> Arc<[u8]> {
        match content {
            Some(bytes) => Arc::clone(bytes),
            None => vec![0; self.geometry.write_size as usize].into(),
        }
    }

    /// What is in store for an operation on `range`.
    fn step_at(&mut self, kind: Kind, range: &Range<u64>) -> Result<Step, Fault> {
        let step = self.step(kind)?;
        let mut touched =
            self.worn_out.iter().filter(|(worn, _)| worn.start < range.end && range.start < worn.end);
        let fails = touched.any(|(_, erases)| *erases || kind == Kind::Program);
        Ok(if fails && matches!(step, Step::Do) { Step::Fail } else { step })
    }

    /// What is in store for the next operation.
    const fn step(&mut self, kind: Kind) -> Result<Step, Fault> {
        if !self.powered {
            return Err(Fault::Io);
        }
        self.operations += 1;
        if count_down(&mut self.cut_in) {
            self.powered = false;
            self.in_flight = Some(self.pending.len());
            return Ok(Step::Cut);
        }
        if count_down(&mut self.fail_in[kind as usize]) {
            return Ok(Step::Fail);
        }
        Ok(Step::Do)
    }

    /// Notes a call against the contract.
    fn checked(&mut self, result: Result<(), Fault>) -> Result<(), Fault> {
        self.counts.misuses += u64::from(result == Err(Fault::Misuse));
        result
    }

    fn change(&mut self, unit: usize, after: Content, used: bool) {
        let slot = &mut self.units[unit];
        let before = core::mem::replace(&mut slot.content, after.clone());
        self.pending.push(Change { unit, before, after, used: slot.used || used });
        slot.used = used;
    }

    fn check_program(&self, offset: u64, units: &[u8]) -> Result<Range<usize>, Fault> {
        self.geometry.check_program(offset, units.len() as u64)?;
        let size = u64::from(self.geometry.write_size);
        let first = (offset / size) as usize;
        let range = first..first + units.len() / size as usize;
        if self.units[range.clone()].iter().any(|unit| unit.used) { Err(Fault::Misuse) } else { Ok(range) }
    }

    fn erase_unit(&mut self, unit: usize) {
        let after = match self.erased {
            Erased::Stale => self.units[unit].content.clone(),
            Erased::Ones => Some(vec![0xFF; self.geometry.write_size as usize].into()),
            Erased::Noise => {
                let mut noise = vec![0; self.geometry.write_size as usize];
                self.random.fill(&mut noise);
                Some(noise.into())
            }
        };
        self.change(unit, after, false);
    }

    /// A barrier fails: each change is lost, torn, or in doubt.
    fn fail_pending(&mut self) {
        for change in core::mem::take(&mut self.pending) {
            match fate(&mut self.random) {
                Fate::Old => self.units[change.unit].content = change.before,
                Fate::Torn => self.tear_unit(&change),
                Fate::New => self.doubtful.push(change),
            }
        }
    }
}

/// Whether the event that `counter` counts down to is now.
const fn count_down(counter: &mut Option<u64>) -> bool {
    match counter {
        Some(0) => {
            *counter = None;
            true
        }
        Some(left) => {
            *left -= 1;
            false
        }
        None => false,
    }
}

impl Flash for Simulator {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&mut self, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        if !self.powered {
            return Err(Fault::Io);
        }
        self.checked(self.geometry.check_read(offset, out.len() as u64))?;
        self.counts.reads += 1;
        self.counts.bytes_read += out.len() as u64;
        let end = offset + out.len() as u64;
        if self.unreadable.iter().any(|bad| bad.start < end && offset < bad.end) {
            return Err(Fault::Io);
        }
        let size = self.geometry.write_size as usize;
        let (mut at, mut skip) = (offset as usize / size, offset as usize % size);
        let mut rest = out;
        while !rest.is_empty() {
            let (piece, left) = rest.split_at_mut(rest.len().min(size - skip));
            match &self.units[at].content {
                Some(bytes) => piece.copy_from_slice(&bytes[skip..skip + piece.len()]),
                None => piece.fill(0),
            }
            (at, skip, rest) = (at + 1, 0, left);
        }
        Ok(())
    }

    fn program(&mut self, offset: u64, units: &[u8]) -> Result<(), Fault> {
        let checked = self.check_program(offset, units);
        self.checked(checked.clone().map(|_| ()))?;
        let range = checked?;
        if self.read_only {
            return Err(Fault::ReadOnly);
        }
        let step = self.step_at(Kind::Program, &(offset..offset + units.len() as u64))?;
        for (unit, bytes) in range.zip(units.chunks(self.geometry.write_size as usize)) {
            let after: Arc<[u8]> = if matches!(step, Step::Fail) {
                tear_somehow(&self.bytes(&self.units[unit].content), bytes, &mut self.random).into()
            } else {
                bytes.into()
            };
            self.change(unit, Some(after), true);
        }
        if !matches!(step, Step::Do) {
            return Err(Fault::Io);
        }
        self.counts.programs += 1;
        self.counts.bytes_programmed += units.len() as u64;
        Ok(())
    }

    fn erase(&mut self, offset: u64, len: u64) -> Result<(), Fault> {
        self.checked(self.geometry.check_erase(offset, len))?;
        if self.read_only {
            return Err(Fault::ReadOnly);
        }
        let step = self.step_at(Kind::Erase, &(offset..offset + len))?;
        if matches!(step, Step::Fail) {
            return Err(Fault::Io);
        }
        let unit = u64::from(self.geometry.write_size);
        let units = (offset / unit) as usize..((offset + len) / unit) as usize;
        self.doubtful.retain(|change| !units.contains(&change.unit));
        self.unreadable.retain(|bad| bad.end <= offset || offset + len <= bad.start);
        units.for_each(|unit| self.erase_unit(unit));
        if matches!(step, Step::Cut) {
            return Err(Fault::Io);
        }
        let block = u64::from(self.geometry.erase_size);
        let blocks = (offset / block) as usize..((offset + len) / block) as usize;
        self.wear[blocks].iter_mut().for_each(|wear| *wear += 1);
        self.counts.erases += 1;
        Ok(())
    }

    fn barrier(&mut self) -> Result<(), Fault> {
        match self.step(Kind::Barrier)? {
            Step::Do => {
                self.pending.clear();
                self.counts.barriers += 1;
                Ok(())
            }
            Step::Fail => {
                self.fail_pending();
                Err(Fault::Io)
            }
            Step::Cut => Err(Fault::Io),
        }
    }
}

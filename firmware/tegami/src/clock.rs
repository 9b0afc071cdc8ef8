//! The time of day as the box knows it: never before its newest record, in the owner's time zone.

use std::{
    cell::{Cell, RefCell},
    time::{SystemTime, UNIX_EPOCH},
};

use jiff::{Timestamp, tz::TimeZone};
use mail::UnixTime;

/// The system's clock with a floor and a time zone.
pub(crate) struct Clock {
    /// Nothing is dated before this: the newest record on flash, or when the program was built.
    floor: Cell<i64>,
    /// Whether the system's clock has been set from somewhere that can know.
    known: Cell<bool>,
    zone: RefCell<TimeZone>,
}

impl Clock {
    /// A clock that is never before `floor`.
    pub(crate) const fn new(floor: UnixTime, known: bool) -> Self {
        Self { floor: Cell::new(floor.0), known: Cell::new(known), zone: RefCell::new(TimeZone::UTC) }
    }

    /// Seconds since 1970, and seconds east of UTC at that time.
    pub(crate) fn read(&self) -> (UnixTime, i32) {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let unix = i64::try_from(since).unwrap_or(i64::MAX).max(self.floor.get());
        let offset = Timestamp::from_second(unix)
            .map_or(0, |timestamp| self.zone.borrow().to_offset(timestamp).seconds());
        (UnixTime(unix), offset)
    }

    /// Whether decisions that need the time may be made.
    pub(crate) const fn is_known(&self) -> bool {
        self.known.get()
    }

    /// The system's clock has been set.
    pub(crate) fn set_known(&self) {
        self.known.set(true);
    }

    /// Changes the time zone to one of the tz database's names.
    ///
    /// # Errors
    /// The name is not in it.
    pub(crate) fn set_zone(&self, name: &str) -> Result<(), jiff::Error> {
        *self.zone.borrow_mut() = TimeZone::get(name)?;
        Ok(())
    }
}

//! The time of day as the box knows it, in the owner's time zone.

use std::{
    cell::RefCell,
    time::{SystemTime, UNIX_EPOCH},
};

use board::clock::{Clock as Knowledge, Verdict};
use jiff::{Timestamp, tz::TimeZone};
use mail::UnixTime;

/// The system's clock, what the box knows of it, and the time zone in which people read it.
pub(crate) struct Clock {
    knowledge: RefCell<Knowledge>,
    zone: RefCell<TimeZone>,
}

impl Clock {
    /// A clock that is never before `newest`, the newest record on flash. `is_known` says that the system's clock can
    /// be trusted from the start.
    pub(crate) fn new(newest: UnixTime, is_known: bool) -> Self {
        let newest = u64::try_from(newest.0).unwrap_or(0);
        Self { knowledge: RefCell::new(Knowledge::new(newest, is_known)), zone: RefCell::new(TimeZone::UTC) }
    }

    /// Seconds since 1970, and seconds east of UTC at that time.
    pub(crate) fn read(&self) -> (UnixTime, i32) {
        let unix = self.unix();
        let offset =
            Timestamp::from_second(unix.0).map_or(0, |time| self.zone.borrow().to_offset(time).seconds());
        (unix, offset)
    }

    /// Seconds since 1970.
    pub(crate) fn unix(&self) -> UnixTime {
        let unix = self.knowledge.borrow().date(system_time().as_secs());
        UnixTime(i64::try_from(unix).unwrap_or(i64::MAX))
    }

    /// Whether decisions that need the time may be made.
    pub(crate) fn is_known(&self) -> bool {
        self.knowledge.borrow().is_known()
    }

    /// What to do about the time that a server gave, in nanoseconds since 1970.
    pub(crate) fn judge(&self, server_ns: u64) -> Verdict {
        let system_ns = u64::try_from(system_time().as_nanos()).unwrap_or(u64::MAX);
        self.knowledge.borrow_mut().judge(server_ns, system_ns)
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

fn system_time() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

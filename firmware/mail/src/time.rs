//! Time as an argument: sessions and store own no clock.

/// Seconds since 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnixTime(pub i64);

/// Milliseconds of a clock that never goes back; its zero means nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticks(pub u64);

impl Ticks {
    /// The moment `ms` milliseconds later.
    #[must_use]
    pub const fn after_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// What a session is told about time at every step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// For deadlines.
    pub ticks: Ticks,
    /// For dates that people read; the best the box knows, never before its newest record.
    pub unix: UnixTime,
    /// The box's time zone at that moment: seconds east of UTC.
    pub utc_offset_s: i32,
}

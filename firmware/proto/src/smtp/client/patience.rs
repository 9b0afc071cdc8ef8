//! How long the remote is waited for. Only time that is spent waiting for it counts: what the box needs itself (cold
//! flash, a next job) is not the remote's fault.

use mail::Ticks;

/// The clock of one session.
#[derive(Debug)]
pub(super) struct Patience {
    /// Since when the present wait lasts; `None` while it is not the remote that is waited for.
    waiting_since: Option<Ticks>,
    /// What is left, in milliseconds, for what is being waited for.
    left_ms: u64,
}

impl Patience {
    /// At the beginning of a connection, for `ms`.
    pub(super) const fn new(now: Ticks, ms: u64) -> Self {
        Self { waiting_since: Some(now), left_ms: ms }
    }

    /// Something else is waited for, for `ms`: single bytes of a reply do not begin it anew.
    pub(super) const fn expect(&mut self, ms: u64) {
        self.left_ms = ms;
    }

    /// The remote is waited for from now on.
    pub(super) const fn wait(&mut self, now: Ticks) {
        self.waiting_since = Some(now);
    }

    /// It is no longer.
    pub(super) const fn resume(&mut self, now: Ticks) {
        if let Some(since) = self.waiting_since.take() {
            self.left_ms = self.left_ms.saturating_sub(now.0.saturating_sub(since.0));
        }
    }

    /// When patience ends if nothing comes. Never while it is not the remote that is waited for.
    pub(super) const fn deadline(&self) -> Ticks {
        match self.waiting_since {
            None => Ticks(u64::MAX),
            Some(since) => since.after_ms(self.left_ms),
        }
    }
}

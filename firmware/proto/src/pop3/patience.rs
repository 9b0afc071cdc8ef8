//! How long a client is waited for. What the box needs itself (passwords, flash) is not the client's fault.

use mail::Ticks;

use super::limits::{IDLE_MS_MAX, TRANSFER_BYTES_PER_S_MIN, UNPRODUCTIVE_MS_MAX};

/// Milliseconds for which a byte of a letter is waited for.
const MS_PER_BYTE: u64 = 1000 / TRANSFER_BYTES_PER_S_MIN;
const _: () = assert!(MS_PER_BYTE > 0);

/// The clock of one session.
#[derive(Debug)]
pub(super) struct Patience {
    /// Whether it is the client who is waited for.
    waiting: bool,
    /// Until when the next line, or room for more output, must have come.
    idle_until: Ticks,
    /// Until when somebody must have logged in, or fetched something again.
    unproductive_until: Ticks,
    /// Until when the letter that is being sent must have been read.
    transfer_until: Option<Ticks>,
}

impl Patience {
    /// At the beginning of a connection.
    pub(super) const fn new(now: Ticks) -> Self {
        Self {
            waiting: true,
            idle_until: now.after_ms(IDLE_MS_MAX),
            unproductive_until: now.after_ms(UNPRODUCTIVE_MS_MAX),
            transfer_until: None,
        }
    }

    /// Whether the client is waited for from now on.
    pub(super) const fn wait(&mut self, waiting: bool) {
        self.waiting = waiting;
    }

    /// A whole line has come, there is room for output again, or the box has done its own part.
    pub(super) const fn progress(&mut self, now: Ticks) {
        self.idle_until = now.after_ms(IDLE_MS_MAX);
    }

    /// A log-in, or a letter that was sent whole.
    pub(super) const fn productive(&mut self, now: Ticks) {
        self.unproductive_until = now.after_ms(UNPRODUCTIVE_MS_MAX);
    }

    /// A letter of `bytes` begins.
    pub(super) const fn begin_transfer(&mut self, now: Ticks, bytes: u64) {
        let ms = IDLE_MS_MAX.saturating_add(bytes.saturating_mul(MS_PER_BYTE));
        self.transfer_until = Some(now.after_ms(ms));
    }

    /// The letter has ended.
    pub(super) const fn end_transfer(&mut self) {
        self.transfer_until = None;
    }

    /// When patience ends if nothing comes. Never while it is not the client who is waited for.
    pub(super) fn deadline(&self) -> Ticks {
        if self.waiting {
            self.idle_until.min(self.transfer_until.unwrap_or(self.unproductive_until))
        } else {
            Ticks(u64::MAX)
        }
    }
}

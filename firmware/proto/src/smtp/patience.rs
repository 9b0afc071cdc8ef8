//! How long a client is waited for. Only time that is spent waiting for the client counts: what the box needs itself
//! (passwords, flash) is not the client's fault.

use mail::Ticks;

use super::limits::{IDLE_MS_MAX, TRANSFER_BYTES_PER_S_MIN, TRANSFER_MS_MAX, UNPRODUCTIVE_MS_MAX};

/// Milliseconds of patience that a byte of a letter earns.
const MS_PER_BYTE: u64 = 1000 / TRANSFER_BYTES_PER_S_MIN;
const _: () = assert!(MS_PER_BYTE > 0);

/// The clock of one session.
#[derive(Debug)]
pub(super) struct Patience {
    /// Since when the present wait for input lasts; `None` while it is not the client who is waited for.
    waiting_since: Option<Ticks>,
    /// What is left for the line that is being waited for, or until the next byte of a letter.
    idle_ms: u64,
    /// What is left until the next letter or log-in must have come.
    unproductive_ms: u64,
    /// What is left of the present letter's time, from its first byte to its last; `None` between letters.
    transfer_ms: Option<u64>,
}

impl Patience {
    /// At the beginning of a connection.
    pub(super) const fn new(now: Ticks) -> Self {
        Self {
            waiting_since: Some(now),
            idle_ms: IDLE_MS_MAX,
            unproductive_ms: UNPRODUCTIVE_MS_MAX,
            transfer_ms: None,
        }
    }

    /// The client is waited for from now on.
    pub(super) const fn wait(&mut self, now: Ticks) {
        self.waiting_since = Some(now);
    }

    /// It is no longer.
    pub(super) fn resume(&mut self, now: Ticks) {
        let Some(since) = self.waiting_since.take() else { return };
        let waited = now.0.saturating_sub(since.0);
        self.idle_ms = self.idle_ms.saturating_sub(waited);
        match &mut self.transfer_ms {
            Some(left) => *left = left.saturating_sub(waited),
            None => self.unproductive_ms = self.unproductive_ms.saturating_sub(waited),
        }
    }

    /// A whole line has come.
    pub(super) const fn line(&mut self) {
        self.idle_ms = IDLE_MS_MAX;
    }

    /// A letter begins, or goes on with another chunk: that is no new beginning, and buys no time.
    pub(super) fn begin_transfer(&mut self) {
        self.idle_ms = IDLE_MS_MAX;
        self.transfer_ms.get_or_insert(TRANSFER_MS_MAX);
    }

    /// Bytes of a letter have come. They earn time, but never more than the letter began with: a fast beginning buys
    /// no slow end.
    pub(super) fn transferred(&mut self, bytes: usize) {
        let earned = MS_PER_BYTE.saturating_mul(bytes as u64);
        if let (Some(left), true) = (&mut self.transfer_ms, bytes > 0) {
            *left = left.saturating_add(earned).min(TRANSFER_MS_MAX);
            self.idle_ms = IDLE_MS_MAX;
        }
    }

    /// The letter has ended, well or not.
    pub(super) const fn end_transfer(&mut self) {
        self.transfer_ms = None;
        self.line();
    }

    /// A letter was accepted, or somebody logged in.
    pub(super) const fn productive(&mut self) {
        self.unproductive_ms = UNPRODUCTIVE_MS_MAX;
    }

    /// When patience ends if nothing comes. Never while it is not the client who is waited for.
    pub(super) fn deadline(&self) -> Ticks {
        match self.waiting_since {
            None => Ticks(u64::MAX),
            Some(since) => since.after_ms(self.idle_ms.min(self.transfer_ms.unwrap_or(self.unproductive_ms))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets `ms` pass in waiting.
    fn pass(patience: &mut Patience, now: &mut Ticks, ms: u64) {
        *now = now.after_ms(ms);
        patience.resume(*now);
        patience.wait(*now);
    }

    #[test]
    fn only_whole_lines_start_the_wait_anew() {
        let (mut patience, mut now) = (Patience::new(Ticks(0)), Ticks(0));
        pass(&mut patience, &mut now, IDLE_MS_MAX - 1);
        assert_eq!(patience.deadline(), Ticks(IDLE_MS_MAX));
        patience.line();
        assert_eq!(patience.deadline(), now.after_ms(IDLE_MS_MAX));
    }

    #[test]
    fn a_connection_that_only_talks_ends() {
        let (mut patience, mut now) = (Patience::new(Ticks(0)), Ticks(0));
        while patience.deadline() > now {
            let step = (patience.deadline().0 - now.0).min(60_000);
            pass(&mut patience, &mut now, step);
            patience.line();
        }
        assert_eq!(now, Ticks(UNPRODUCTIVE_MS_MAX));
        patience.productive();
        assert_eq!(patience.deadline(), now.after_ms(IDLE_MS_MAX));
    }

    #[test]
    fn one_byte_a_minute_ends() {
        let (mut patience, mut now) = (Patience::new(Ticks(0)), Ticks(0));
        patience.begin_transfer();
        // A fast beginning does not help.
        patience.transferred(50_000_000);
        while patience.deadline() > now.after_ms(60_000) {
            pass(&mut patience, &mut now, 60_000);
            patience.transferred(1);
            assert!(now < Ticks(2 * TRANSFER_MS_MAX));
        }
    }

    #[test]
    fn chunks_buy_no_time() {
        let (mut patience, mut now) = (Patience::new(Ticks(0)), Ticks(0));
        while patience.deadline() > now {
            patience.begin_transfer();
            let step = (patience.deadline().0 - now.0).min(60_000);
            pass(&mut patience, &mut now, step);
            patience.line();
            assert!(now < Ticks(2 * TRANSFER_MS_MAX));
        }
    }

    #[test]
    fn a_slow_line_may_take_hours_for_a_large_letter() {
        let (mut patience, mut now) = (Patience::new(Ticks(0)), Ticks(0));
        patience.begin_transfer();
        for _ in 0..10_000 {
            pass(&mut patience, &mut now, 2_000);
            assert!(patience.deadline() > now);
            patience.transferred(4_096);
        }
        patience.end_transfer();
        assert_eq!(patience.deadline(), now.after_ms(IDLE_MS_MAX));
    }

    #[test]
    fn the_box_does_not_count_its_own_time() {
        let mut patience = Patience::new(Ticks(0));
        patience.resume(Ticks(1000));
        assert_eq!(patience.deadline(), Ticks(u64::MAX));
        patience.wait(Ticks(900_000));
        assert_eq!(patience.deadline(), Ticks(900_000 + IDLE_MS_MAX - 1000));
    }
}

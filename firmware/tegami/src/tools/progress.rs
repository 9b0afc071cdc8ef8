//! How far a tool is: one line on a terminal that writes itself anew, nothing where nobody looks.

use std::{
    io::{IsTerminal as _, Write as _, stderr},
    time::{Duration, Instant},
};

use super::{limits::PROGRESS_EVERY, wording::number};

/// Width of the bar.
const BAR: usize = 24;

/// The line.
pub(super) struct Progress {
    is_shown: bool,
    begun: Instant,
    next: Instant,
    /// Parts of the work in all: letters or bytes.
    total: u64,
    /// Parts done before this run.
    before: u64,
    done: u64,
    letters: u64,
}

impl Progress {
    /// For so many parts of work, of which `before` are done already.
    pub(super) fn new(total: u64, before: u64) -> Self {
        let now = Instant::now();
        Self {
            is_shown: stderr().is_terminal(),
            begun: now,
            next: now,
            total,
            before,
            done: before,
            letters: 0,
        }
    }

    /// So many parts are done now, since the very beginning.
    pub(super) fn at(&mut self, done: u64) {
        self.done = done;
        self.show();
    }

    /// One more letter, and so many parts more.
    pub(super) fn letter(&mut self, parts: u64) {
        self.letters += 1;
        self.done += parts;
        self.show();
    }

    fn show(&mut self) {
        if !self.is_shown {
            return;
        }
        let now = Instant::now();
        if now < self.next {
            return;
        }
        self.next = now + PROGRESS_EVERY;
        // A terminal that takes nothing is not worth failing for.
        let _ = write!(stderr(), "\r\x1b[K{}", self.line(now - self.begun));
    }

    fn line(&self, elapsed: Duration) -> String {
        let done = self.done.min(self.total);
        let part = if self.total == 0 { 1.0 } else { done as f64 / self.total as f64 };
        let filled = (part * BAR as f64) as usize;
        let rate = self.letters as f64 / elapsed.as_secs_f64().max(0.001);
        let mut line = format!(
            "[{}{}] {:>3.0} %  {} letters, {} a second",
            "#".repeat(filled),
            "-".repeat(BAR - filled.min(BAR)),
            part * 100.0,
            number(self.letters),
            number(rate as u64)
        );
        let now = done.saturating_sub(self.before);
        if now > 0 && elapsed >= Duration::from_secs(1) {
            let left = elapsed.as_secs_f64() * (self.total - done) as f64 / now as f64;
            line.push_str(&format!(", {} left", time(left as u64)));
        }
        line
    }

    /// Takes the line away, for something else to be said.
    pub(super) fn clear(&mut self) {
        if self.is_shown {
            let _ = write!(stderr(), "\r\x1b[K");
            self.next = Instant::now();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn time(seconds: u64) -> String {
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes}:{seconds:02} min"),
        (hours, minutes, _) => format!("{hours}:{minutes:02} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_how_fast_and_how_long() {
        let mut progress = Progress::new(4_000, 1_000);
        (0..1_000).for_each(|_| progress.letter(1));
        assert_eq!(
            progress.line(Duration::from_secs(10)),
            "[############------------]  50 %  1,000 letters, 100 a second, 20 s left"
        );
        progress.at(9_999);
        assert!(progress.line(Duration::from_secs(10)).starts_with("[########################] 100 %"));
        assert!(Progress::new(0, 0).line(Duration::ZERO).contains("100 %"));
        assert_eq!((time(59), time(61), time(7_260)), ("59 s".into(), "1:01 min".into(), "2:01 h".into()));
    }
}

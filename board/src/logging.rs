//! Where log lines go: PID 1's into the kernel's log, the mail process' to PID 1, which passes them on.
//!
//! A line begins with `<` level `>` as the kernel wants it; nothing else is added, the kernel knows the time.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::sync::OnceLock;

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::control::printable;
use crate::limits::LOG_LINE_BYTES_MAX;

/// The kernel's log.
const KMSG: &str = "/dev/kmsg";

struct Sink {
    /// Absent: standard error, as in the mail process.
    kmsg: Option<File>,
    /// Who speaks.
    name: &'static str,
}

static SINK: OnceLock<Sink> = OnceLock::new();

/// Sends every log line of this process to the kernel's log, under `name`. For PID 1.
pub(crate) fn start_in_kernel_log(name: &'static str) {
    let kmsg = OpenOptions::new().write(true).open(KMSG).ok();
    start(Sink { kmsg, name });
}

/// Sends every log line of this process to standard error in the form that PID 1 passes on. For the mail process.
pub fn start_for_init() {
    start(Sink { kmsg: None, name: "" });
}

fn start(sink: Sink) {
    if log::set_logger(SINK.get_or_init(|| sink)).is_ok() {
        log::set_max_level(LevelFilter::Info);
    }
}

/// Passes a line of the mail process on to the kernel's log.
pub(crate) fn pass_on(line: &str) {
    if let Some(sink) = SINK.get() {
        let (level, text) = split_level(line);
        sink.write(level, "mail", text);
    }
}

/// The level that a line names, 4 (a warning) when it names none: what the log did not write is a panic or worse.
fn split_level(line: &str) -> (u8, &str) {
    match line.as_bytes() {
        [b'<', digit @ b'0'..=b'7', b'>', ..] => (digit - b'0', line.get(3..).unwrap_or_default()),
        _ => (4, line),
    }
}

/// The kernel's number for a level (syslog(3)).
const fn kernel_level(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

impl Sink {
    /// Writes one record. The kernel takes a write as a record, whole or not at all.
    fn write(&self, level: u8, name: &str, text: &str) {
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let record = record(level, name, line);
            // Nobody is left to tell when the log cannot be written.
            let _ = match &self.kmsg {
                Some(kmsg) => { kmsg }.write_all(record.as_bytes()),
                None => std::io::stderr().write_all(record.as_bytes()),
            };
        }
    }
}

/// A record of one line. Without what would move a console's cursor: the line may quote somebody in the network.
fn record(level: u8, name: &str, line: &str) -> String {
    let colon = if name.is_empty() { "" } else { ": " };
    format!("<{level}>{name}{colon}{}\n", printable(shortened(line)))
}

/// As much of `line` as a record may hold.
fn shortened(line: &str) -> &str {
    line.get(..line.floor_char_boundary(LOG_LINE_BYTES_MAX)).unwrap_or_default()
}

impl Log for Sink {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.write(kernel_level(record.level()), self.name, &record.args().to_string());
        }
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_its_level_or_is_a_warning() {
        assert_eq!(split_level("<6>ready"), (6, "ready"));
        assert_eq!(split_level("<9>odd"), (4, "<9>odd"));
        assert_eq!(split_level("<3"), (4, "<3"));
        assert_eq!(split_level("thread 'main' panicked"), (4, "thread 'main' panicked"));
    }

    #[test]
    fn a_record_is_text_alone() {
        assert_eq!(record(4, "mail", "EHLO \x1b[2Jpost\x07\tx"), "<4>mail: EHLO [2Jpost\tx\n");
        assert_eq!(record(6, "", "ready"), "<6>ready\n");
    }

    #[test]
    fn long_lines_are_cut_between_characters() {
        let line = "手".repeat(LOG_LINE_BYTES_MAX);
        let cut = shortened(&line);
        assert!(cut.len() <= LOG_LINE_BYTES_MAX && cut.len() > LOG_LINE_BYTES_MAX - 3);
        assert_eq!(shortened("short"), "short");
    }
}

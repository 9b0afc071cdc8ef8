//! The log of a hosted process: one line each on the standard error.

use log::{LevelFilter, Log, Metadata, Record};

struct StandardError;

impl Log for StandardError {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        eprintln!("{}: {}", record.level().as_str().to_ascii_lowercase(), record.args());
    }

    fn flush(&self) {}
}

/// Starts it. Debug lines, one and more for every connection, come with `TEGAMI_DEBUG` in the environment.
pub(crate) fn start() {
    let debug = std::env::var_os("TEGAMI_DEBUG").is_some();
    log::set_max_level(if debug { LevelFilter::Debug } else { LevelFilter::Info });
    // A second start changes nothing.
    let _ = log::set_logger(&StandardError);
}

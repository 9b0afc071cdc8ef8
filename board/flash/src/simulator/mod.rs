//! A flash device in memory that behaves as badly as its contract allows.
//!
//! [`Simulator`] keeps a medium and the list of what was done to it since the last good barrier. It refuses what the
//! contract forbids, fails when told to, and cuts the power between or inside any two operations; [`Cut`] says what
//! is then found. [`Deferred`] puts any device behind a queue that moves only when a test says so. A clone is a
//! snapshot and cheap: units are shared until they are programmed.

mod cut;
mod deferred;
mod device;
mod random;
#[cfg(test)]
mod tests;

pub use cut::Cut;
pub use deferred::Deferred;
pub use device::{Counts, Erased, Simulator};

//! The machine: flash devices, PID 1, the network's configuration, the clock.
//!
//! Everything that knows it runs on Linux is here. No protocol, no mail, no async runtime: what waits is either a
//! thread of its own ([`threaded`]), the poll loop of PID 1 ([`init`]), or a state machine that its caller drives.

pub mod clock;
pub mod control;
pub mod devices;
pub mod handover;
pub mod init;
pub mod layout;
pub mod limits;
pub mod listener;
pub mod logging;
pub mod net;
mod sys;
#[cfg(test)]
mod testing;
pub mod threaded;

//! PID 1: the root of the box, small and single-threaded.
//!
//! It brings the machine up (file systems, modules, disk, network interface, ports), starts the mail process without
//! privileges, and from then on sits in one poll loop: it does what it is asked over the control socket, restarts the
//! mail process when that dies, feeds the watchdog while it lives, and switches the box off in order. It parses nothing
//! that comes from the network.
//!
//! Everything that decides is a pure function or a state machine with its own tests (`lifeline`, `links`,
//! `modules`, ...); everything that touches the kernel is a few lines beside it.

mod boot;
mod boot_files;
mod buttons;
mod child;
mod console;
mod disk;
mod lifeline;
mod links;
mod modprobe;
mod modules;
mod mounts;
mod netlink;
mod serve;
mod time;
mod watch;

use std::time::{Duration, Instant};

use crate::logging;

pub use modprobe::answer_kernel;

/// The argument with which PID 1 starts its own binary as the mail process.
pub const MAIL_ARGUMENT: &str = "mail";

/// Whether this process is to call [`run`]: it is the first of its system.
#[must_use]
pub fn is_init() -> bool {
    rustix::process::getpid().is_init()
}

/// Brings the box up and keeps it up. Only for PID 1; ends with the box.
pub fn run() -> ! {
    let started = Instant::now();
    mounts::mount_system();
    logging::start_in_kernel_log("init");
    modprobe::offer();
    log::info!("Tegami {} starts", env!("CARGO_PKG_VERSION"));
    match boot::boot(started) {
        Ok(machine) => serve::serve(machine),
        Err(error) => {
            log::error!("the box cannot start: {error}");
            console::show(&format!("\nTegami cannot start: {error}\n"));
            // Nothing is left to serve with. Without a watchdog the message stays; with one the box tries again.
            loop {
                std::thread::sleep(Duration::from_secs(60));
            }
        }
    }
}

//! Host tool and library: boots an image in QEMU and does to it what the world does to a box on a shelf. It
//! knows the image's disk layout and what it builds; of the firmware, only what any client sees.
//!
//! ```no_run
//! # use std::time::Duration;
//! # fn main() -> anyhow::Result<()> {
//! let mut machine = qemu::Machine::builder().start()?;
//! machine.wait_ready(Duration::from_secs(60))?;
//! machine.cut_power();
//! machine.power_on()?;
//! machine.wait_ready(Duration::from_secs(60))?;
//! assert!(qemu::serial_problems(&machine.serial()).is_empty());
//! machine.shutdown()?;
//! # Ok(())
//! # }
//! ```

mod backlog;
mod command;
mod disk;
pub mod limits;
mod machine;
mod process;
mod qmp;
mod ready;
mod serial;
mod services;
mod size;

pub use command::{Board, RAM_MIB};
pub use image::{Profile, Program};
pub use machine::{Builder, Machine};
pub use serial::serial_problems;
pub use services::{PortOffset, SERVICES, address, ready_line};
pub use size::parse as parse_size;

/// Size of a new disk's flash partition when nothing is said, in bytes.
pub const FLASH_BYTES: u64 = 256 << 20;

/// Says on standard error what this tool does.
pub fn say(text: &str) {
    eprintln!("qemu: {text}");
}

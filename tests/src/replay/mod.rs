//! Every write that the real image makes, recorded by QEMU while clients deliver, and the flash as a power cut would
//! have left it at many moments, made again from that record: the hosted program must bring up each with everything
//! that was acknowledged by then, once.
//!
//! A killed QEMU leaves what was not flushed in the host's memory, so it proves little. Here what no flush had covered
//! is dropped, torn or kept, write by write.
//!
//! **Time is measured in bytes of the record.** QEMU carries a request out, appends its entry to the record, and only
//! then tells the guest; so when the guest knows, the file is as long as the end of that entry. A client that notes the
//! length *after* an acknowledgement came notes at least the end of the flush that this acknowledgement waited for;
//! one that notes it *before* it begins notes no more than the beginning of the first write that follows from it,
//! because places in the record are given in order and the file never reaches beyond the last one given. The number of
//! entries in the record's first sector would not do: it is renewed now and then, and entries that are being written
//! beside one another may leave a gap below it.
//!
//! **What the record cannot tell**: a write that was under way when a flush began, and ended before that flush did,
//! stands before it as if it had been covered. Then the disk is kinder here than a real one might be. The program has
//! one thread that writes and flushes its flash, so that this happens only beside a flush of another partition.

mod accounts;
mod check;
mod deliver;
mod file;
mod journal;
mod rebuild;
mod recording;
mod text;
mod write_log;

#[cfg(test)]
mod tests;

pub use check::{Checker, Failure, Verdict};
pub use journal::{Filed, Found, FoundLetter, Journal};
pub use rebuild::{Cut, Rebuilder, Tally, choose};
pub use recording::{Plan, Recording};
pub use write_log::WriteLog;

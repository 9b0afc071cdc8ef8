//! Processor time of this thread: the machine may be busy with other things.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds for which this thread has had a processor.
pub(crate) fn processor_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

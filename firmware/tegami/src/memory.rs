//! Memory: what the machine has, what of it is free, and what this program uses.

use std::fs;

/// Memory at one moment, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    /// What the kernel has to give.
    pub total: u64,
    /// What it could give now, its caches included.
    pub free: u64,
    /// What this program uses, on the box with PID 1.
    pub own: u64,
}

impl Memory {
    /// Of this machine; `None` where the kernel does not say. PID 1 is counted where it is this program too: with
    /// everything that it has in memory, since the share of it is for root to know. What both have counts twice so.
    pub(crate) fn now(pid_1_is_ours: bool) -> Option<Self> {
        let read = |path: &str| fs::read_to_string(path).ok();
        let machine = read("/proc/meminfo")?;
        let own = field(&read("/proc/self/smaps_rollup")?, "Pss:")?;
        let first = if pid_1_is_ours { field(&read("/proc/1/status")?, "VmRSS:")? } else { 0 };
        Some(Self { total: total(&machine)?, free: field(&machine, "MemAvailable:")?, own: own + first })
    }
}

/// `MemTotal` of /proc/meminfo, in bytes.
pub(crate) fn total(meminfo: &str) -> Option<u64> {
    field(meminfo, "MemTotal:")
}

/// A size in bytes from one of the kernel's lists, `Name:  123 kB` on a line (proc(5)).
fn field(list: &str, name: &str) -> Option<u64> {
    let kib = list.lines().find_map(|line| line.strip_prefix(name))?.trim().strip_suffix(" kB")?;
    kib.parse::<u64>().ok()?.checked_mul(1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lists_are_read() {
        let list = "MemTotal:         101376 kB\nMemFree:  1 kB\n";
        assert_eq!(total(list), Some(99 << 20));
        assert_eq!(total("MemFree:  1 kB\n"), None);
        assert_eq!(field("Pss_Dirty:  7 kB\nPss:       4 kB\n", "Pss:"), Some(4_096));
    }

    #[test]
    fn this_machine_has_some_and_this_program_uses_some() {
        let [alone, both] = [false, true].map(|both| Memory::now(both).unwrap());
        assert!(alone.own > 1 << 16 && alone.own < alone.total && alone.free < alone.total, "{alone:?}");
        assert!(both.own > alone.own, "{both:?}");
    }
}

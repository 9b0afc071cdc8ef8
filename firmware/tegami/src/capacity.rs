//! How many connections and messages this machine can bear, from its memory and its descriptors.
//!
//! All connections together may take a third of the memory, the index of messages a quarter. What is left holds the kernel's own, the program at rest,
//! a password being hashed, the write queue, and the pages of flash that make reading fast.

use std::fs;

use crate::{
    limits::{
        CONNECTION_BYTES, CONNECTIONS_MAX, CONNECTIONS_MIN, DESCRIPTORS_KEPT, DESCRIPTORS_UNKNOWN,
        INDEX_DIVISOR, MEMORY_UNKNOWN,
    },
    memory,
    service::Service,
};

/// What the machine can bear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capacity {
    /// Connections at once, of all services together.
    connections: u64,
    /// Memory for the index of messages, in bytes.
    index: u64,
}

impl Default for Capacity {
    /// The smallest machine's.
    fn default() -> Self {
        Self::new(MEMORY_UNKNOWN, DESCRIPTORS_UNKNOWN)
    }
}

impl Capacity {
    /// Of a machine with so many bytes of memory, where the process may open so many descriptors.
    ///
    /// A box of 128 MiB (92 of them are the kernel's to give) bears 872 connections, one of 1 GiB as many as there may
    /// be anywhere.
    pub(crate) fn new(memory: u64, descriptors: u64) -> Self {
        let fit = memory / 3 / CONNECTION_BYTES;
        let most = CONNECTIONS_MAX.min(descriptors.saturating_sub(DESCRIPTORS_KEPT)).max(CONNECTIONS_MIN);
        Self { connections: fit.clamp(CONNECTIONS_MIN, most), index: memory / INDEX_DIVISOR }
    }

    /// Of this machine, or of what the cgroup of this process gets of it.
    pub(crate) fn of_this_machine() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let machine = memory::total(&read("/proc/meminfo"));
        let group = cgroup(&read("/proc/self/cgroup"))
            .and_then(|path| read(&format!("/sys/fs/cgroup{path}/memory.max")).trim().parse().ok());
        let memory = machine.into_iter().chain(group).min().unwrap_or(MEMORY_UNKNOWN);
        Self::new(memory, open_files(&read("/proc/self/limits")).unwrap_or(DESCRIPTORS_UNKNOWN))
    }

    /// Memory for the index of messages, in bytes.
    pub(crate) const fn index(self) -> u64 {
        self.index
    }

    /// Connections of one service.
    pub(crate) fn of(self, service: Service) -> usize {
        let all: u64 = Service::ALL.into_iter().map(weight).sum();
        usize::try_from(self.connections * weight(service) / all).unwrap_or(usize::MAX).max(1)
    }

    /// Connections of one service from one address: an office behind one address still gets most of them, and whoever
    /// opens a thousand does not shut the others out.
    pub(crate) fn per_peer(self, service: Service) -> usize {
        (self.of(service) * 3 / 4).max(1)
    }
}

/// What a service gets beside the others. Twenty people with five devices each that hold two IMAP connections make 200.
const fn weight(service: Service) -> u64 {
    match service {
        Service::Smtp => 100,
        Service::Imap | Service::Imaps => 250,
        Service::Submission | Service::Submissions | Service::Pop3 | Service::Pop3s => 50,
        Service::Http | Service::Https => 24,
    }
}

/// The path of the process in the one hierarchy of cgroups, version 2.
fn cgroup(own: &str) -> Option<&str> {
    own.lines().find_map(|line| line.strip_prefix("0::"))
}

/// The soft limit on open files, of /proc/self/limits.
fn open_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    /// What PID 1 gives the mail process.
    const BOX: u64 = board::limits::OPEN_FILES_MAX;

    #[test]
    fn memory_decides_up_to_what_descriptors_allow() {
        for (memory, descriptors, connections) in [
            (92 * MIB, BOX, 872),
            (440 * MIB, BOX, 3_584),
            (950 * MIB, BOX, 3_584),
            (20 << 30, 1 << 20, 3_584),
            (20 << 30, 1_024, 896),
            (20 << 30, 64, CONNECTIONS_MIN),
            (0, BOX, CONNECTIONS_MIN),
        ] {
            assert_eq!(Capacity::new(memory, descriptors).connections, connections, "{} MiB", memory / MIB);
        }
    }

    #[test]
    fn whatever_there_is_fits_into_a_third_of_the_memory() {
        for mib in [64, 92, 128, 256, 440] {
            let capacity = Capacity::new(mib * MIB, BOX);
            let all: usize = Service::ALL.into_iter().map(|service| capacity.of(service)).sum();
            assert!(all as u64 * CONNECTION_BYTES <= mib * MIB / 3, "{mib} MiB: {all}");
            assert!(Service::ALL.into_iter().all(|service| capacity.per_peer(service) >= 1));
        }
    }

    #[test]
    fn a_small_office_fits_the_smallest_box() {
        let capacity = Capacity::default();
        let message = store::limits::INDEX_MESSAGE_BYTES + store::limits::INDEX_LETTER_BYTES;
        assert!(capacity.index() / message > 500_000, "messages");
        assert!(capacity.of(Service::Imaps) >= 250 && capacity.of(Service::Smtp) >= 100, "{capacity:?}");
    }

    #[test]
    fn the_kernels_files_are_read() {
        assert_eq!(
            cgroup("1:name=systemd:/x\n0::/system.slice/tegami.service\n"),
            Some("/system.slice/tegami.service")
        );
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max open files            1024                 524288               files     \n";
        assert_eq!(open_files(limits), Some(1_024));
        assert_eq!(
            open_files("Max open files            unlimited            unlimited            files\n"),
            None
        );
        assert!(Capacity::of_this_machine().connections >= CONNECTIONS_MIN);
    }
}

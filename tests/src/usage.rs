//! What a server of several processes uses: processor time and memory of a process and all that descend from it.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

/// Clock ticks per second of `/proc/PID/stat` (USER_HZ, the same on every Linux).
const TICKS_PER_S: f64 = 100.0;

/// Processor time of these processes and their descendants, with what those used that have ended: the kernel adds that
/// to the one that waited for them (`cutime` and `cstime` of proc(5)), and each here waits for its own.
pub fn cpu(pids: &[u32]) -> Duration {
    let ticks: f64 = tree(pids).iter().map(|process| process.ticks).sum();
    Duration::from_secs_f64(ticks / TICKS_PER_S)
}

/// Memory of these processes and their descendants in KiB: proportional set size, so that what they share counts once.
///
/// # Panics
/// When that of another user's process cannot be read: for that it must be root who asks.
pub fn pss_kib(pids: &[u32]) -> u64 {
    tree(pids).iter().filter_map(|process| pss_of(process.pid)).sum()
}

/// How many they are.
pub fn processes(pids: &[u32]) -> usize {
    tree(pids).len()
}

struct Process {
    pid: u32,
    parent: u32,
    ticks: f64,
}

/// `None` for one that has just ended.
fn pss_of(pid: u32) -> Option<u64> {
    let text = match fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            panic!("memory of processes of other users: only root can read it")
        }
        text => text.ok()?,
    };
    let line = text.lines().find(|line| line.starts_with("Pss:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn tree(roots: &[u32]) -> Vec<Process> {
    let mut others = all();
    let mut known: BTreeSet<u32> = BTreeSet::new();
    let mut found = Vec::new();
    loop {
        let (new, rest): (Vec<_>, Vec<_>) = others
            .into_iter()
            .partition(|process| roots.contains(&process.pid) || known.contains(&process.parent));
        if new.is_empty() {
            return found;
        }
        known.extend(new.iter().map(|process| process.pid));
        found.extend(new);
        others = rest;
    }
}

fn all() -> Vec<Process> {
    let entries = fs::read_dir("/proc").expect("a Linux has /proc");
    entries.filter_map(|entry| stat(entry.ok()?.file_name().to_str()?.parse().ok()?)).collect()
}

fn stat(pid: u32) -> Option<Process> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, which may hold spaces, ends with the last parenthesis; field 3 of proc(5) follows.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11..15)?.iter().filter_map(|field| field.parse::<f64>().ok()).sum();
    Some(Process { pid, parent: fields.get(1)?.parse().ok()?, ticks })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// A shell whose child computes and ends, and whose second child stays.
    #[test]
    fn children_count_while_they_run_and_afterwards() {
        let script = "sh -c 'n=0; while test $n -lt 300000; do n=$((n+1)); done'; echo; sleep 60 & wait";
        let mut shell = Command::new("sh");
        let mut shell = shell.args(["-c", script]).stdout(Stdio::piped()).spawn().expect("sh starts");
        let mut line = [0];
        let stdout = shell.stdout.as_mut().expect("a pipe");
        std::io::Read::read_exact(stdout, &mut line).expect("the first child ends");
        let pids = [shell.id()];
        while processes(&pids) < 2 {}
        assert!(cpu(&pids) > Duration::from_millis(10), "{:?}", cpu(&pids));
        assert!(pss_kib(&pids) > pss_of(shell.id()).expect("it runs"));
        for process in tree(&pids) {
            crate::process::signal(process.pid, "KILL");
        }
        shell.wait().expect("it ends");
    }
}

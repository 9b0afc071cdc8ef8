//! Servers of others that must be started as root, because they change to users of their own: each belongs to a small
//! shell that ends it, and removes its folder, when the pipe to the tests closes, in whatever way the tests end.

use crate::process::{Console, run, wait};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// From the start of the shell to the start of the server.
const START_MAX: Duration = Duration::from_secs(20);

/// From SIGTERM to the end of the server and its helpers.
const STOP_MAX: Duration = Duration::from_secs(20);

/// What the shell does: starts the server and waits for its word. `$0` is the folder. What it says afterwards has no
/// reader where the tests were killed, and would be its end. Files that helpers of the server still write while they end
/// may be in the way of the first removal.
const SHELL: &str = "\"$@\" & daemon=$!\n\
    echo \"daemon $daemon\"\n\
    read -r word\n\
    exec > /dev/null 2>&1\n\
    kill -s TERM $daemon\n\
    wait $daemon\n\
    test \"$word\" = keep || rm -rf \"$0\" || { sleep 1; rm -rf \"$0\"; }\n";

/// A server that runs as root.
#[derive(Debug)]
pub struct Daemon {
    shell: Child,
    console: Console,
    pid: u32,
}

impl Daemon {
    /// Runs the lines of `prepare`, then the command, which must stay in the foreground. `folder` is `$0` in both, and
    /// goes when the server has ended.
    ///
    /// # Panics
    /// With what was printed, when it does not come so far.
    pub fn start(folder: &Path, prepare: &str, command: &[&str]) -> Self {
        let mut shell = as_root();
        shell.args(["sh", "-c", &format!("set -e\n{prepare}\nset +e\n{SHELL}")]).arg(folder).args(command);
        // A signal that ends the tests as a group must leave the shell to do its work.
        shell.process_group(0);
        let console = Console::of(&mut shell);
        let mut shell = shell.stdin(Stdio::piped()).spawn().expect("sh can be started");
        let deadline = Instant::now() + START_MAX;
        let pid = loop {
            let text = console.text();
            let line = text.lines().find_map(|line| line.strip_prefix("daemon "));
            if let Some(pid) = line.and_then(|pid| pid.parse().ok()) {
                break pid;
            }
            let ended = shell.try_wait().expect("an own child can be waited for");
            assert!(ended.is_none() && Instant::now() < deadline, "no daemon: {}", console.whole());
            thread::sleep(Duration::from_millis(2));
        };
        Self { shell, console, pid }
    }

    /// The number of its first process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What it has printed.
    pub fn console(&self) -> String {
        self.console.text()
    }
}

impl Drop for Daemon {
    /// After a failure its folder stays, for whoever looks into it.
    fn drop(&mut self) {
        if let Some(mut stdin) = self.shell.stdin.take() {
            let word = if thread::panicking() { "keep\n" } else { "go\n" };
            stdin.write_all(word.as_bytes()).ok();
        }
        wait(&mut self.shell, STOP_MAX);
    }
}

/// The beginning of a command line that runs as root, by way of sudo where that asks nothing.
pub fn as_root() -> Command {
    if user_id() == 0 {
        return Command::new("env");
    }
    let mut command = Command::new("sudo");
    command.args(["--non-interactive", "env"]);
    command
}

/// The number of the user who runs the tests.
pub fn user_id() -> u32 {
    let said = run(Command::new("id").arg("-u"), Duration::from_secs(5)).success();
    said.text().trim().parse().expect("id prints a number")
}

/// A new folder in a place that users of the server's own reach; its path is short, as those of sockets must be.
///
/// # Panics
/// When it cannot be made.
pub fn open_folder(place: &Path, name: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let folder = place.join(format!("tegami-{name}-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder can be made");
    folder
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_daemon_ends_with_its_holder_and_leaves_nothing() {
        let folder = open_folder(&std::env::temp_dir(), "daemon");
        let daemon = Daemon::start(&folder, "touch \"$0/file\"", &["sleep", "600"]);
        let process = PathBuf::from(format!("/proc/{}", daemon.pid()));
        assert!(folder.join("file").exists() && process.exists());
        drop(daemon);
        assert!(!process.exists() && !folder.exists());
    }

    /// All its pipes close at once then.
    #[test]
    fn it_does_so_when_the_holder_is_killed() {
        let folder = open_folder(&std::env::temp_dir(), "daemon");
        let (mut reader, out) = std::io::pipe().expect("a pipe can be made");
        let errors = out.try_clone().expect("a pipe has room for two");
        let mut shell = Command::new("sh");
        shell.args(["-c", SHELL]).arg(&folder).args(["sleep", "600"]);
        let mut shell = shell.stdin(Stdio::piped()).stdout(out).stderr(errors).spawn().expect("sh starts");
        reader.read_exact(&mut [0; 7]).expect("it says which daemon");
        drop((reader, shell.stdin.take()));
        assert_eq!(wait(&mut shell, STOP_MAX), Some(0));
        assert!(!folder.exists());
    }
}

//! Child processes: client programs run to their end within a time limit, servers that never outlive the tests.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// How often a child is asked whether it has ended.
const POLL: Duration = Duration::from_millis(5);

/// How long the last words of an ended process may take to be read.
const WHOLE_MAX: Duration = Duration::from_secs(5);

/// A program that ran to its end.
#[derive(Debug)]
pub struct Finished {
    /// Exit status; -1 where a signal ended it.
    pub status: i32,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: String,
    /// What was run, for the messages of failed tests.
    pub command: String,
}

impl Finished {
    /// Standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Everything that it wrote, for messages and for searching.
    pub fn all(&self) -> String {
        format!("{}{}", self.text(), self.stderr)
    }

    /// Fails the test, with everything that the program wrote, unless it ended with status 0.
    pub fn success(self) -> Self {
        assert!(self.status == 0, "`{}` ended with {}:\n{}", self.command, self.status, self.all());
        self
    }
}

/// Runs a program to its end, with nothing on its standard input.
///
/// # Panics
/// When it cannot be started, or is not done by the limit (it is killed then).
pub fn run(command: &mut Command, limit: Duration) -> Finished {
    run_with_input(command, Vec::new(), limit)
}

/// Runs a program to its end and gives it these bytes on its standard input.
///
/// # Panics
/// As [`run`].
pub fn run_with_input(command: &mut Command, input: Vec<u8>, limit: Duration) -> Finished {
    let shown = show(command);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("`{shown}` cannot be started: {error}"));
    if let Some(mut stdin) = child.stdin.take() {
        // A program that does not read all of it may end first: that shows in its status.
        thread::spawn(move || stdin.write_all(&input).ok());
    }
    let stdout = collect(child.stdout.take());
    let stderr = collect(child.stderr.take());
    let status = wait(&mut child, limit);
    // A grandchild may hold the pipes open: what is not there soon after the end is not waited for.
    let rest = Duration::from_secs(2);
    let stdout = stdout.recv_timeout(rest).unwrap_or_default();
    let stderr = String::from_utf8_lossy(&stderr.recv_timeout(rest).unwrap_or_default()).into_owned();
    let Some(status) = status else {
        panic!("`{shown}` was not done after {limit:?}:\n{}{stderr}", String::from_utf8_lossy(&stdout));
    };
    Finished { status, stdout, stderr, command: shown }
}

/// Waits for a child; kills it when the limit is over and says so with `None`.
pub fn wait(child: &mut Child, limit: Duration) -> Option<i32> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child.try_wait().expect("an own child can be waited for") {
            return Some(status.code().unwrap_or(-1));
        }
        if Instant::now() > deadline {
            // Failing to kill means that it has just ended.
            child.kill().ok();
            child.wait().ok();
            return None;
        }
        thread::sleep(POLL);
    }
}

/// Sends a signal by the name that kill(1) knows, to one process. The shell's own kill: the smallest Debian has no other.
pub fn signal(pid: u32, name: &str) {
    let words = ["-c", "kill -s \"$1\" \"$2\"", "kill", name, &pid.to_string()];
    run(Command::new("sh").args(words), Duration::from_secs(5)).success();
}

/// Lets this process, and what it starts, open as many files and connections as the system permits.
pub fn raise_file_limit() {
    let pid = std::process::id().to_string();
    let hard = run(
        Command::new("prlimit").args([
            "--pid",
            &pid,
            "--nofile",
            "--raw",
            "--noheadings",
            "--output",
            "HARD",
        ]),
        Duration::from_secs(5),
    );
    let soft = format!("--nofile={}:", hard.success().text().trim());
    run(Command::new("prlimit").args(["--pid", &pid, &soft]), Duration::from_secs(5)).success();
}

fn collect(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            pipe.read_to_end(&mut bytes).ok();
        }
        sender.send(bytes).ok();
    });
    receiver
}

fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// What a server has printed so far, on both its outputs.
#[derive(Debug, Clone, Default)]
pub struct Console {
    text: Arc<Mutex<String>>,
    ended: Arc<AtomicBool>,
}

impl Console {
    /// Reads what a command will print. Both its outputs go into one pipe: what it said before its last words is there
    /// when those are.
    ///
    /// # Panics
    /// When there is no pipe to be had.
    pub fn of(command: &mut Command) -> Self {
        let (reader, out) = std::io::pipe().expect("a pipe can be made");
        let errors = out.try_clone().expect("a pipe has room for two");
        command.stdout(out).stderr(errors);
        let console = Self::default();
        console.read(reader);
        console
    }

    /// Everything so far.
    pub fn text(&self) -> String {
        self.text.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Everything, of a process that has ended; what it has so far, if somebody else holds its outputs.
    pub fn whole(&self) -> String {
        let deadline = Instant::now() + WHOLE_MAX;
        while !self.ended.load(Ordering::Acquire) && Instant::now() < deadline {
            thread::sleep(POLL);
        }
        self.text()
    }

    /// True once a line begins with this word.
    pub fn has_line(&self, start: &str) -> bool {
        self.text().lines().any(|line| line.starts_with(start))
    }

    fn read(&self, pipe: impl Read + Send + 'static) {
        let console = self.clone();
        thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                let mut text = console.text.lock().unwrap_or_else(PoisonError::into_inner);
                text.push_str(&String::from_utf8_lossy(&line));
                text.push('\n');
            }
            console.ended.store(true, Ordering::Release);
        });
    }
}

/// A program that runs until it is told to end, and what it prints. Dropped, however that comes about, it is killed.
pub struct Server {
    child: Child,
    console: Console,
    /// Let go after the end: fields are dropped when `drop` is done.
    _leash: Leash,
}

impl Server {
    /// Starts a program with nothing on its standard input.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(command: &mut Command) -> Self {
        let console = Console::of(command);
        let shown = show(command);
        let child = command.stdin(Stdio::null()).spawn();
        let child = child.unwrap_or_else(|error| panic!("`{shown}` cannot be started: {error}"));
        let leash = Leash::new(child.id());
        Self { child, console, _leash: leash }
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed.
    pub fn console(&self) -> &Console {
        &self.console
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&mut self) -> Option<i32> {
        let status = self.child.try_wait().expect("an own child can be waited for");
        status.map(|status| status.code().unwrap_or(-1))
    }

    /// Waits for its end as [`wait`] does.
    pub fn wait(&mut self, limit: Duration) -> Option<i32> {
        wait(&mut self.child, limit)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Failing to kill means that it has ended.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Ends one process when the tests end, in whatever way: a small shell waits on a pipe that the system closes with
/// us. Test runners drop no statics, and a killed one drops nothing at all.
#[derive(Debug)]
pub struct Leash(Child);

impl Leash {
    /// Holds the process with this number.
    pub fn new(pid: u32) -> Self {
        let shell = Command::new("sh")
            .args(["-c", "read -r word; test \"$word\" = released || kill -s KILL \"$0\"", &pid.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sh can be started");
        Self(shell)
    }
}

impl Drop for Leash {
    /// The process has ended and been waited for: its number may soon be another's, so nothing is killed any more.
    fn drop(&mut self) {
        if let Some(mut stdin) = self.0.stdin.take() {
            stdin.write_all(b"released\n").ok();
        }
        self.0.wait().ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_hangs_is_ended_at_the_limit() {
        let mut child = Command::new("sleep").arg("60").spawn().expect("sleep starts");
        let start = Instant::now();
        assert_eq!(wait(&mut child, Duration::from_millis(50)), None);
        assert!(start.elapsed() < Duration::from_secs(5));
    }

    #[test]
    fn input_and_output_pass_through() {
        let cat =
            run_with_input(&mut Command::new("cat"), vec![7; 300_000], Duration::from_secs(10)).success();
        assert_eq!(cat.stdout, vec![7; 300_000]);
    }

    #[test]
    fn what_was_said_first_is_there_first() {
        for _ in 0..20 {
            let mut command = Command::new("sh");
            let server = Server::start(command.args(["-c", "echo warning >&2; echo ready; exec sleep 60"]));
            let deadline = Instant::now() + Duration::from_secs(5);
            while !server.console().has_line("ready") && Instant::now() < deadline {}
            assert_eq!(server.console().text(), "warning\nready\n");
        }
    }

    /// A test that fails between start and end leaves nothing running.
    #[test]
    fn a_server_that_is_dropped_is_gone() {
        let mut command = Command::new("sh");
        let server = Server::start(command.args(["-c", "trap '' TERM; echo ready; sleep 60"]));
        let deadline = Instant::now() + Duration::from_secs(5);
        while !server.console().has_line("ready") && Instant::now() < deadline {}
        let pid = server.pid();
        signal(pid, "TERM");
        drop(server);
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    }

    #[test]
    fn a_leash_that_loses_its_holder_kills() {
        let mut child = Command::new("sleep").arg("60").spawn().expect("sleep starts");
        let mut leash = Leash::new(child.id());
        drop(leash.0.stdin.take());
        assert_eq!(wait(&mut child, Duration::from_secs(5)), Some(-1));
    }

    #[test]
    fn a_leash_that_is_let_go_kills_nothing() {
        let mut child = Command::new("sleep").arg("60").spawn().expect("sleep starts");
        drop(Leash::new(child.id()));
        assert_eq!(child.try_wait().expect("can be asked"), None);
        child.kill().expect("still there");
        child.wait().expect("it ends");
    }
}

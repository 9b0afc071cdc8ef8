//! The program as an ordinary process on this machine: built, started on a flash in a file, killed, started again.

use crate::built::program;
use crate::clean;
use crate::machine::Machine;
use crate::page;
use crate::process::{Server, signal};
use crate::provision;
use crate::site::{Service, Site};
use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// From the start of the program to its `ready` line, with a busy machine.
const READY_MAX: Duration = Duration::from_secs(30);

/// From SIGTERM to the end.
const STOP_MAX: Duration = Duration::from_secs(15);

/// Port offsets to choose from: with them every port stays below those of [`crate::ports`].
pub(crate) const OFFSETS: std::ops::Range<u16> = 10_000..25_000;

/// How often memory is looked at where its highest is wanted.
const MEMORY_POLL: Duration = Duration::from_millis(20);

/// Clock ticks per second of `/proc/PID/stat` (USER_HZ, the same on every Linux).
const TICKS_PER_S: f64 = 100.0;

/// How to start the program.
#[derive(Debug, Clone)]
pub struct Options {
    /// Text of the provision file; without it the box waits to be claimed.
    pub provision: Option<String>,
    /// Size of the flash, as the program takes it.
    pub flash_size: String,
    /// More words for its command line.
    pub words: Vec<String>,
    /// How many files and connections it may have open; as many as this process if not said.
    pub open_files: Option<u32>,
    /// Its folder takes no writes while it runs, as a card at the end of its life.
    pub read_only: bool,
    /// Where its folder is made; below cargo's target folder if not said.
    pub place: Option<PathBuf>,
}

impl Default for Options {
    /// The tests' own provision file on a flash of 1 GiB.
    fn default() -> Self {
        Self {
            provision: Some(provision::file()),
            flash_size: "1GiB".to_owned(),
            words: Vec::new(),
            open_files: None,
            read_only: false,
            place: None,
        }
    }
}

/// The program, running or not, with its flash.
pub struct Hosted {
    /// Where its clients find it.
    pub site: Arc<Site>,
    /// Its flash.
    pub flash: PathBuf,
    options: Options,
    running: Option<Server>,
    is_damaged: bool,
}

impl Hosted {
    /// The program on an empty flash, ready, with the tests' provision file.
    ///
    /// # Panics
    /// When it does not become ready.
    pub fn start_new(name: &str) -> Self {
        let mut hosted = Self::new(name, Options::default());
        hosted.start();
        hosted
    }

    /// The program on an empty flash, not started yet. The name is that of its folder.
    pub fn new(name: &str, options: Options) -> Self {
        let folder = options.place.clone().unwrap_or_else(scratch).join(name);
        std::fs::remove_dir_all(&folder).ok();
        std::fs::create_dir_all(&folder).expect("a folder for the flash can be made");
        let mut site = Site::new(free_offset(), &folder);
        site.plain_passwords = true;
        Self {
            site: Arc::new(site),
            flash: folder.join("tegami.flash"),
            options,
            running: None,
            is_damaged: false,
        }
    }

    /// Starts it where it should refuse: gives the exit status and what it printed.
    ///
    /// # Panics
    /// When it has not ended after some seconds.
    pub fn start_in_vain(&mut self) -> (i32, String) {
        let mut running = self.spawn();
        let status = running.wait(READY_MAX);
        let printed = running.console().whole();
        (status.unwrap_or_else(|| panic!("it goes on:\n{printed}")), printed)
    }

    /// Has its folder take writes or not, from the next start on.
    pub fn set_read_only(&mut self, read_only: bool) {
        self.options.read_only = read_only;
    }

    /// Changes the provision file; it counts from the next start on.
    pub fn provision(&mut self, text: &str) {
        self.options.provision = Some(text.to_owned());
    }

    /// The test damages its flash: nobody expects it to be clean from now on.
    pub fn damages_its_flash(&mut self) {
        self.is_damaged = true;
    }

    /// Ends it with SIGTERM; gives what it printed. What it leaves on its flash must be clean.
    ///
    /// # Panics
    /// When it does not end cleanly in time, or leaves a flash that is not clean.
    pub fn stop(&mut self) -> String {
        let Some(mut running) = self.running.take() else { return String::new() };
        signal(running.pid(), "TERM");
        let status = running.wait(STOP_MAX);
        let printed = running.console().whole();
        assert!(status == Some(0), "SIGTERM: ended with {status:?}:\n{printed}");
        self.is_clean();
        printed
    }

    /// Kills it, and leaves it to others to look at its flash.
    pub fn kill(&mut self) {
        self.running = None;
    }

    fn is_clean(&self) {
        if !self.is_damaged {
            clean::is_clean(&self.flash);
        }
    }

    /// The number of its process.
    ///
    /// # Panics
    /// When it does not run.
    pub fn pid(&self) -> u32 {
        self.running.as_ref().expect("it runs").pid()
    }

    /// Memory that it alone is the cause of, in KiB: proportional set size of all its mappings.
    ///
    /// # Panics
    /// When it does not run.
    pub fn pss_kib(&self) -> u64 {
        let text = self.proc_file("smaps_rollup");
        let line = text.lines().find(|line| line.starts_with("Pss:")).expect("the kernel counts PSS");
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("PSS is a number")
    }

    /// Runs something while the program's memory is watched; gives the most that it had, in KiB.
    ///
    /// # Panics
    /// As the work does.
    pub fn highest_pss_kib(&self, work: impl FnOnce() + Send) -> u64 {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let watch = scope.spawn(|| {
                let mut highest = 0;
                while !done.load(Ordering::Relaxed) {
                    highest = highest.max(self.pss_kib());
                    thread::sleep(MEMORY_POLL);
                }
                highest
            });
            let worked = scope.spawn(work).join();
            done.store(true, Ordering::Relaxed);
            worked.expect("the work fails with its own message");
            watch.join().expect("memory can be read")
        })
    }

    /// Processor time that all its threads have used.
    ///
    /// # Panics
    /// When it does not run.
    pub fn cpu(&self) -> Duration {
        let text = self.proc_file("stat");
        // Fields 14 and 15 of proc(5), counted behind the name, which may hold spaces.
        let behind_name = text.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
        let ticks = behind_name.split_whitespace().skip(11).take(2);
        let ticks: f64 = ticks.map(|field| field.parse::<f64>().expect("ticks are a number")).sum();
        Duration::from_secs_f64(ticks / TICKS_PER_S)
    }

    fn proc_file(&self, name: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.pid()))
            .expect("an own child's /proc can be read")
    }

    /// Its command line's beginning. prlimit becomes the program that it starts: the number of the process stays.
    fn program(&self) -> Command {
        if self.options.read_only {
            // In name spaces of its own, which end with it; `sh` becomes the program.
            let freeze = "mount --bind \"$0\" \"$0\" && mount -o remount,ro,bind \"$0\" && exec \"$@\"";
            let mut command = Command::new("unshare");
            command.args(["--map-root-user", "--mount", "sh", "-c", freeze]);
            command.arg(&self.site.folder).arg(program());
            return command;
        }
        let Some(open_files) = self.options.open_files else { return Command::new(program()) };
        let mut command = Command::new("prlimit");
        command.arg(format!("--nofile={open_files}")).arg(program());
        command
    }

    fn spawn(&self) -> Server {
        let mut command = self.program();
        command.arg("host").arg("--flash").arg(&self.flash).args(["--flash-size", &self.options.flash_size]);
        command.args(["--port-offset", &self.site.port_offset.to_string()]).args(&self.options.words);
        if let Some(text) = &self.options.provision {
            let file = self.site.folder.join("tegami.toml");
            std::fs::write(&file, text).expect("a provision file can be written");
            command.arg("--provision").arg(file);
        }
        Server::start(&mut command)
    }
}

impl Machine for Hosted {
    fn site(&self) -> Arc<Site> {
        Arc::clone(&self.site)
    }

    /// Kills it: what it has handed to the system stays, what it has not is lost. The rest must be clean.
    fn cut(&mut self) {
        if self.running.is_some() {
            self.kill();
            self.is_clean();
        }
    }

    fn start(&mut self) {
        assert!(self.running.is_none(), "it runs already");
        let mut running = self.spawn();
        let deadline = Instant::now() + READY_MAX;
        while !running.console().has_line("ready") {
            let ended = running.ended();
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "not ready ({ended:?}):\n{}",
                running.console().text()
            );
            thread::sleep(Duration::from_millis(2));
        }
        self.running = Some(running);
        if self.options.provision.is_some() && !self.site.authority.exists() {
            page::download_authority(&self.site);
        }
    }

    fn stumble(&mut self, after: Duration) {
        self.running = Some(self.spawn());
        thread::sleep(after);
        self.cut();
    }

    fn with_flash(&mut self, work: &mut dyn FnMut(&Path)) {
        assert!(self.running.is_none(), "it runs");
        work(&self.flash);
    }

    fn console(&self) -> String {
        self.running.as_ref().map(|running| running.console().text()).unwrap_or_default()
    }
}

impl Drop for Hosted {
    fn drop(&mut self) {
        if thread::panicking() {
            self.kill();
        } else {
            self.cut();
            // A flash is some hundred megabytes; after a failure it stays for whoever looks into it.
            std::fs::remove_dir_all(&self.site.folder).ok();
        }
    }
}

/// Where the tests keep what they write: in cargo's target folder, so that `cargo clean` removes it.
pub fn scratch() -> PathBuf {
    let executable = std::env::current_exe().expect("a program knows where it is");
    let target = executable.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    target.map_or_else(std::env::temp_dir, Path::to_path_buf).join("tests")
}

/// A port offset at which every service finds its port free, given to nobody else in this process.
///
/// # Panics
/// When there is none.
pub fn free_offset() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let span = OFFSETS.end - OFFSETS.start;
    let first = (std::process::id() % u32::from(span)) as u16;
    for step in 0..span {
        let offset = OFFSETS.start + (first + step) % span;
        let ports: Vec<u16> = Service::ALL.iter().map(|service| *service as u16 + offset).collect();
        let free = |port: &u16| !given.contains(port) && TcpListener::bind(("127.0.0.1", *port)).is_ok();
        if ports.iter().all(free) {
            given.extend(ports);
            return offset;
        }
    }
    panic!("no free ports on loopback");
}

//! A box in QEMU, as tests and the command line use it: power on, wait until it answers, read its console,
//! cut its power, power on again on the same disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use image::toolchain::{self, Qemu};
use image::{Build, INITRAMFS_FILE, Image, KERNEL_FILE, Profile, Program, paths};

use crate::command::{Board, Parts};
use crate::disk::{self, Disk, Flash};
use crate::limits::{CONTROL_TIMEOUT, POLL_INTERVAL, PORT_ATTEMPTS_MAX, QUOTED_LINES_MAX, SHUTDOWN_TIMEOUT};
use crate::process::Process;
use crate::qmp::Control;
use crate::ready::Probe;
use crate::serial::Log;
use crate::services::{self, PortOffset};
use crate::{backlog, say};

/// What a machine will be.
#[derive(Clone, Debug)]
pub struct Builder {
    board: Board,
    program: Program,
    build: bool,
    disk: Option<PathBuf>,
    write_log: Option<PathBuf>,
    flash: Flash,
    provision: Option<PathBuf>,
    ram_mib: Option<u32>,
    port_offset: PortOffset,
    show_console: bool,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            board: Board::Virt,
            program: Program::Firmware(Profile::Release),
            build: true,
            disk: None,
            write_log: None,
            flash: Flash::Empty(None),
            provision: None,
            ram_mib: None,
            port_offset: PortOffset::Free,
            show_console: false,
        }
    }
}

impl Builder {
    /// Which machine; `virt` if not said.
    #[must_use]
    pub fn board(mut self, board: Board) -> Self {
        self.board = board;
        self
    }

    /// What runs on it; the firmware of this checkout if not said.
    #[must_use]
    pub fn program(mut self, program: Program) -> Self {
        self.program = program;
        self
    }

    /// Boots the newest image that is there instead of building one.
    #[must_use]
    pub fn without_build(mut self) -> Self {
        self.build = false;
        self
    }

    /// Keeps the disk in this file; made if it is not there. Without it the disk goes with the machine.
    #[must_use]
    pub fn disk(mut self, path: impl Into<PathBuf>) -> Self {
        self.disk = Some(path.into());
        self
    }

    /// Records every write, discard and flush of the disk in this file, in the format of Linux's dm-log-writes;
    /// the record begins anew whenever the machine is powered on. `virt` only.
    #[must_use]
    pub fn log_writes(mut self, path: impl Into<PathBuf>) -> Self {
        self.write_log = Some(path.into());
        self
    }

    /// Size of the flash partition, in bytes: of a new disk (256 MiB if not said), or the least of a kept
    /// one.
    #[must_use]
    pub fn flash_bytes(mut self, bytes: u64) -> Self {
        self.flash = Flash::Empty(Some(bytes));
        self
    }

    /// What is on the flash partition of a new disk, instead of nothing: a flash that the program made on this
    /// machine. It is as large as this file, a multiple of 4 MiB.
    #[must_use]
    pub fn flash(mut self, file: impl Into<PathBuf>) -> Self {
        self.flash = Flash::Made(file.into());
        self
    }

    /// A provision file, put on the boot partition before the machine starts.
    #[must_use]
    pub fn provision(mut self, path: impl Into<PathBuf>) -> Self {
        self.provision = Some(path.into());
        self
    }

    /// Memory in MiB; 128 if not said. `virt` only.
    #[must_use]
    pub fn ram_mib(mut self, mib: u32) -> Self {
        self.ram_mib = Some(mib);
        self
    }

    /// What is added to the standard ports; whatever is free if not said.
    #[must_use]
    pub fn port_offset(mut self, offset: PortOffset) -> Self {
        self.port_offset = offset;
        self
    }

    /// Shows the console on standard output, indented.
    #[must_use]
    pub fn show_console(mut self) -> Self {
        self.show_console = true;
        self
    }

    /// Installs what is missing, builds, makes the disk, powers on.
    pub fn start(self) -> Result<Machine> {
        // What a person got wrong is said before the minutes of a build, not after them.
        services::choose(self.port_offset)?;
        if let Some(missing) = self.provision.as_ref().filter(|file| !file.is_file()) {
            bail!("there is no provision file {}", missing.display());
        }
        let qemu = toolchain::for_booting()?;
        let image = self.image()?;
        disk::sweep();
        let name = unique_name();
        let disk = match &self.disk {
            Some(path) => Disk::open(path, &image.path, self.board, &self.flash)?,
            None => Disk::temporary(&image.path, self.board, &self.flash, &name)?,
        };
        if let Some(provision) = &self.provision {
            disk.provision(provision)?;
        }
        let folder = std::env::temp_dir().join(format!("tegami-{name}"));
        let mut machine = Machine {
            builder: self,
            qemu,
            disk,
            folder,
            port_offset: 0,
            disk_is_read_only: false,
            running: None,
            log: Log::default(),
        };
        machine.power_on()?;
        Ok(machine)
    }

    fn image(&self) -> Result<Image> {
        let board = self.board.image_board().to_owned();
        if !self.build {
            return image::newest(&board);
        }
        Build { board, program: self.program.clone(), pinned: false, out: None }.run()
    }
}

/// A name that no other machine of this computer has; its first part is this process's number.
fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A machine, on or off. Dropped, its power is cut, and its disk deleted unless it has a path of its own.
pub struct Machine {
    builder: Builder,
    qemu: Qemu,
    disk: Disk,
    /// Control socket, kernel and initramfs.
    folder: PathBuf,
    port_offset: u16,
    disk_is_read_only: bool,
    running: Option<Running>,
    log: Log,
}

/// What there is while it is on.
struct Running {
    process: Process,
    control: Control,
    /// What QEMU itself says.
    errors: Log,
}

/// Why a start failed.
enum Failed {
    /// Something else took a port in between.
    PortTaken,
    Other(anyhow::Error),
}

impl Machine {
    /// A machine to be described.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Powers it on again on the same disk; the console starts anew.
    pub fn power_on(&mut self) -> Result<()> {
        if self.running.is_some() {
            bail!("the machine is on already");
        }
        paths::make_empty_folder(&self.folder)?;
        if let Some(log) = &self.builder.write_log {
            fs::File::create(log).with_context(|| format!("cannot make the log {}", log.display()))?;
        }
        for _ in 0..PORT_ATTEMPTS_MAX {
            let offset = services::choose(self.builder.port_offset)?;
            match self.try_power_on(offset) {
                Ok(()) => return Ok(()),
                Err(Failed::PortTaken) => {}
                Err(Failed::Other(error)) => return Err(error),
            }
        }
        bail!("something else takes the ports of the machine again and again");
    }

    /// Waits until SMTP, IMAP, POP3 and HTTP have answered. An error that quotes the console when that takes
    /// longer than `timeout` or when the machine ends before.
    pub fn wait_ready(&mut self, timeout: Duration) -> Result<()> {
        self.wait_ready_unless(timeout, &AtomicBool::new(false)).map(drop)
    }

    /// [`Machine::wait_ready`] that gives up when `stop` becomes true; false is then the answer.
    pub fn wait_ready_unless(&mut self, timeout: Duration, stop: &AtomicBool) -> Result<bool> {
        let deadline = Instant::now() + timeout;
        let mut probe = Probe::new(self.port_offset);
        while !stop.load(Ordering::Relaxed) {
            if probe.step() {
                return Ok(true);
            }
            if let Some(status) = self.ended() {
                bail!("the machine ended before it was ready ({status}):{}", self.last_lines());
            }
            if Instant::now() >= deadline {
                bail!(
                    "after {timeout:?} there is no answer from {}:{}",
                    probe.waits_for(),
                    self.last_lines()
                );
            }
        }
        Ok(false)
    }

    /// The console since it was powered on.
    pub fn serial(&self) -> String {
        self.log.text()
    }

    /// Waits until the console has shown this text.
    pub fn wait_serial(&self, text: &str, timeout: Duration) -> Result<()> {
        let deadline = Instant::now() + timeout;
        while !self.serial().contains(text) {
            if Instant::now() >= deadline {
                bail!("after {timeout:?} the console has not shown {text:?}:{}", self.last_lines());
            }
            thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    /// What is added to the standard ports.
    pub fn port_offset(&self) -> u16 {
        self.port_offset
    }

    /// The disk's file. It may be looked into while the machine is off.
    pub fn disk(&self) -> &Path {
        self.disk.path()
    }

    /// How the machine ended by itself; `None` while it is on, or after its power was cut.
    pub fn ended(&self) -> Option<ExitStatus> {
        self.running.as_ref().and_then(|running| running.process.ended())
    }

    /// From the next power-on on its disk takes no writes, as a card at the end of its life, or takes them again.
    /// `virt` only.
    pub fn set_disk_read_only(&mut self, is_read_only: bool) {
        self.disk_is_read_only = is_read_only;
    }

    /// Whether it was powered on and its power not cut since; it may have ended by itself.
    pub fn is_on(&self) -> bool {
        self.running.is_some()
    }

    /// Cuts the power: QEMU is killed. What the guest has written and not flushed may be there or not.
    pub fn cut_power(&mut self) {
        if let Some(running) = self.running.take() {
            running.process.kill();
        }
    }

    /// Presses the power key.
    pub fn press_power_key(&mut self) -> Result<()> {
        let running = self.running.as_mut().context("the machine is off")?;
        match self.builder.board {
            Board::Virt => running.control.press_power_key(),
            Board::Raspi3b => running.control.press_keyboard_power_key(),
        }
    }

    /// Stops it cleanly: presses the power key and waits until it is off. An error when it is still on after
    /// half a minute.
    pub fn shutdown(&mut self) -> Result<()> {
        self.shutdown_unless(&AtomicBool::new(false)).map(drop)
    }

    /// [`Machine::shutdown`] that gives up when `stop` becomes true; false is then the answer.
    pub fn shutdown_unless(&mut self, stop: &AtomicBool) -> Result<bool> {
        if self.ended().is_none() {
            self.press_power_key()?;
        }
        let deadline = Instant::now() + SHUTDOWN_TIMEOUT;
        while self.ended().is_none() {
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            if Instant::now() >= deadline {
                bail!(
                    "{SHUTDOWN_TIMEOUT:?} after the power key the machine is still on:{}",
                    self.last_lines()
                );
            }
            thread::sleep(POLL_INTERVAL);
        }
        self.running = None;
        Ok(true)
    }

    fn try_power_on(&mut self, port_offset: u16) -> Result<(), Failed> {
        let control = self.folder.join("control");
        let line = self.command_line(&control, port_offset).map_err(Failed::Other)?;
        let libraries = self.qemu.library_path().map(|path| ("LD_LIBRARY_PATH".into(), path.clone()));
        let (process, (out, errors)) = Process::start(&line, libraries.as_slice()).map_err(Failed::Other)?;
        self.log = Log::keep(out, self.builder.show_console);
        let errors = Log::keep(errors, false);
        let control = connect(&control, &process).map_err(|error| explain(error, &process, &errors))?;
        if let Err(error) = backlog::widen(process.pid()) {
            say(&format!(
                "many clients at once may wait in vain: QEMU's backlog cannot be widened ({error})"
            ));
        }
        self.port_offset = port_offset;
        self.running = Some(Running { process, control, errors });
        Ok(())
    }

    /// QEMU's command line, with kernel and initramfs taken off the disk's boot partition as a boot loader
    /// takes them.
    fn command_line(&self, control: &Path, port_offset: u16) -> Result<Vec<std::ffi::OsString>> {
        let board = self.builder.board;
        let device_tree = board.device_tree().map(|name| self.disk.take(name, &self.folder)).transpose()?;
        let parts = Parts {
            kernel: &self.disk.take(KERNEL_FILE, &self.folder)?,
            initramfs: &self.disk.take(INITRAMFS_FILE, &self.folder)?,
            device_tree,
            command_line: &self.disk.command_line()?,
            disk: self.disk.path(),
            write_log: self.builder.write_log.as_deref(),
            disk_is_read_only: self.disk_is_read_only,
            control,
            ram_mib: self.builder.ram_mib,
            port_offset,
        };
        let mut line = self.qemu.command_line();
        line.extend(board.arguments(&parts)?);
        Ok(line)
    }

    /// What the console and QEMU said last, for an error message.
    fn last_lines(&self) -> String {
        let errors = self.running.as_ref().map(|running| running.errors.text()).unwrap_or_default();
        let text = self.serial() + &errors;
        let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        let last = &lines[lines.len().saturating_sub(QUOTED_LINES_MAX)..];
        last.iter().map(|line| format!("\n    {line}")).collect()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.cut_power();
        // In the system's folder for such things: what stays there is harmless.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Connects to QEMU's control socket as soon as it is there.
fn connect(path: &Path, process: &Process) -> Result<Control> {
    let deadline = Instant::now() + CONTROL_TIMEOUT;
    loop {
        match Control::connect(path) {
            Ok(control) => return Ok(control),
            Err(error) if process.ended().is_some() || Instant::now() >= deadline => return Err(error),
            Err(_) => thread::sleep(POLL_INTERVAL),
        }
    }
}

/// Turns a start that failed into what the caller must do about it.
fn explain(error: anyhow::Error, process: &Process, errors: &Log) -> Failed {
    process.kill();
    let text = errors.text();
    if text.contains("Could not set up host forwarding rule") {
        return Failed::PortTaken;
    }
    let said = text.trim();
    Failed::Other(if said.is_empty() {
        error.context("QEMU did not start")
    } else {
        anyhow::anyhow!("QEMU did not start: {said}")
    })
}

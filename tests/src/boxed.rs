//! The box in QEMU: its image built, booted, its power cut, booted again on the same disk. One at a time: two share two
//! cores badly, so that each test program has one.

use crate::card;
use crate::clean;
use crate::hosted::{free_offset, scratch};
use crate::machine::Machine;
use crate::page;
use crate::provision;
use crate::site::Site;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where the box finds this machine: its loopback, by QEMU's own network.
pub const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 2, 2));

/// From the start of QEMU to the banners, on a machine that is busy with other tests.
const READY_MAX: Duration = Duration::from_secs(120);

/// How many times slower than this machine the emulated one may be.
const PATIENCE: u32 = 8;

/// The same for four emulated cores on one thread.
const RASPI_PATIENCE: u32 = 20;

/// A box, on or off.
pub struct Boxed {
    /// Where its clients find it.
    pub site: Arc<Site>,
    /// From the start of QEMU to the banners, last time.
    pub boot_time: Duration,
    machine: qemu::Machine,
    is_damaged: bool,
}

impl Boxed {
    /// Builds the image, boots it on a new disk with the tests' provision file, and waits until it is ready.
    ///
    /// # Panics
    /// With the console, when it does not become ready.
    pub fn start_new(name: &str, board: qemu::Board) -> Self {
        let builder = qemu::Machine::builder().board(board);
        Self::start_with(name, board, builder, &provision::file())
    }

    /// As [`Self::start_new`], with more said about the machine and with another provision file.
    ///
    /// # Panics
    /// As [`Self::start_new`].
    pub fn start_with(name: &str, board: qemu::Board, builder: qemu::Builder, provision: &str) -> Self {
        let folder = scratch().join(name);
        std::fs::remove_dir_all(&folder).ok();
        std::fs::create_dir_all(&folder).expect("a folder for a disk can be made");
        let file = folder.join("tegami.toml");
        std::fs::write(&file, provision).expect("a provision file can be written");
        let offset = free_offset();
        let builder = builder.provision(file).disk(folder.join("disk.img"));
        let start = Instant::now();
        let machine = builder.port_offset(qemu::PortOffset::Fixed(offset)).start();
        let machine = machine.unwrap_or_else(|error| panic!("the box does not start: {error:#}"));
        let mut site = Site::new(offset, &folder);
        site.patience = if board == qemu::Board::Virt { PATIENCE } else { RASPI_PATIENCE };
        let mut boxed = Self { site: Arc::new(site), boot_time: Duration::ZERO, machine, is_damaged: false };
        boxed.wait_ready(start);
        page::download_authority(&boxed.site);
        boxed
    }

    /// Presses the power key and waits until the box is off; gives its console. What it leaves on its flash must be
    /// clean.
    ///
    /// # Panics
    /// With the console, when it stays on; with what is found on the flash.
    pub fn shut_down(&mut self) -> String {
        self.machine.shutdown().unwrap_or_else(|error| panic!("{error:#}"));
        self.is_clean();
        self.machine.serial()
    }

    /// The test damages its flash: nobody expects it to be clean from now on.
    pub fn damages_its_flash(&mut self) {
        self.is_damaged = true;
    }

    fn is_clean(&self) {
        if !self.is_damaged {
            clean::is_clean_card(self.machine.disk());
        }
    }

    /// Its disk, which may be read while it runs and changed while it is off.
    pub fn disk(&self) -> &Path {
        self.machine.disk()
    }

    /// The emulated machine itself.
    pub fn machine(&mut self) -> &mut qemu::Machine {
        &mut self.machine
    }

    fn wait_ready(&mut self, start: Instant) {
        self.machine.wait_ready(READY_MAX).unwrap_or_else(|error| panic!("{error:#}"));
        self.boot_time = start.elapsed();
    }
}

impl Machine for Boxed {
    fn site(&self) -> Arc<Site> {
        Arc::clone(&self.site)
    }

    fn cut(&mut self) {
        if self.machine.is_on() {
            self.machine.cut_power();
            self.is_clean();
        }
    }

    fn start(&mut self) {
        let start = Instant::now();
        self.machine.power_on().unwrap_or_else(|error| panic!("{error:#}"));
        self.wait_ready(start);
    }

    fn stumble(&mut self, after: Duration) {
        self.machine.power_on().unwrap_or_else(|error| panic!("{error:#}"));
        std::thread::sleep(after);
        self.cut();
    }

    fn with_flash(&mut self, work: &mut dyn FnMut(&Path)) {
        assert!(!self.machine.is_on(), "it is on");
        card::with_flash(self.machine.disk(), work);
    }

    fn console(&self) -> String {
        self.machine.serial()
    }
}

impl Drop for Boxed {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.cut();
        }
    }
}

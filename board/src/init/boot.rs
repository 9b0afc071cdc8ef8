//! The way from a bare kernel to a machine that can serve: each step once, in order.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::system::{RebootCommand, reboot};
use rustix::thread::set_no_new_privs;

use super::boot_files::{needs_recovery, recover};
use super::buttons::Buttons;
use super::disk::{self, Disk, Flash};
use super::lifeline::Lifeline;
use super::netlink::Netlink;
use super::watch::{Light, Watchdog};
use super::{console, modules, mounts, time};
use crate::layout::Partition;
use crate::limits::OPEN_FILES_MAX;
use crate::listener;
use crate::net::PacketSocket;
use crate::sys;

/// The ports of the box's services.
const PORTS: [u16; 9] = [25, 587, 465, 143, 993, 110, 995, 80, 443];

/// Everything that PID 1 holds.
#[derive(Debug)]
pub(super) struct Machine {
    /// The start of the box; all times count from it.
    pub(super) started: Instant,
    /// Signals to us, to be read.
    pub(super) signals: OwnedFd,
    pub(super) disk: Disk,
    pub(super) flash: Flash,
    /// The boot partition is mounted.
    pub(super) has_boot: bool,
    pub(super) listeners: Vec<(u16, TcpListener)>,
    /// For DHCP and for ARP.
    pub(super) packets: Option<(PacketSocket, PacketSocket)>,
    /// Takes what DHCP servers send to our address, so that the kernel does not answer that nobody is there; what it
    /// gets is read through the packet socket.
    pub(super) _dhcp_port: Option<UdpSocket>,
    pub(super) netlink: Netlink,
    pub(super) model: String,
    pub(super) clock_is_known: bool,
    pub(super) buttons: Buttons,
    pub(super) watchdog: Watchdog,
    pub(super) light: Light,
    pub(super) lifeline: Lifeline,
}

/// Brings the machine up.
pub(super) fn boot(started: Instant) -> io::Result<Machine> {
    limit()?;
    // Ctrl-Alt-Del is then a signal to us; otherwise the kernel starts the box again at once.
    if let Err(errno) = reboot(RebootCommand::CadOff) {
        log::warn!("Ctrl-Alt-Del will not end the box in order: {errno}");
    }
    modules::load_all();
    let mut disk = wait_for_disk()?;
    let watchdog = Watchdog::open(disk.name());
    log::info!("disk {}{}", disk.name(), if disk.is_fresh() { " is fresh" } else { "" });
    let has_boot = mount_boot(&disk);
    disk.grow();
    let flash = disk.open_flash().map_err(|error| io::Error::other(error.to_string()))?;
    let netlink = Netlink::open()?;
    if let Err(error) = netlink.link_up(LOOPBACK) {
        log::warn!("the loopback interface is down: {error}");
    }
    let packets = PacketSocket::open_dhcp().and_then(|dhcp| Ok((dhcp, PacketSocket::open_arp()?)));
    if let Err(error) = &packets {
        log::error!("DHCP will not work: {error}");
    }
    Ok(Machine {
        started,
        signals: sys::signal_fd(&[libc::SIGCHLD, libc::SIGTERM, libc::SIGINT, libc::SIGPWR])?,
        disk,
        flash,
        has_boot,
        listeners: listen_all(),
        packets: packets.ok(),
        _dhcp_port: UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 68)).ok(),
        netlink,
        model: model(),
        clock_is_known: time::take_from_chip(),
        buttons: Buttons::default(),
        watchdog,
        light: Light::open(),
        lifeline: Lifeline::new(),
    })
}

/// The kernel's number for the loopback interface, in every network namespace.
const LOOPBACK: u32 = 1;

/// What children inherit: no way to gain privileges, as many descriptors as connections need, no core files.
fn limit() -> io::Result<()> {
    set_no_new_privs(true)?;
    let limit = |value| Rlimit { current: Some(value), maximum: Some(value) };
    setrlimit(Resource::Nofile, limit(OPEN_FILES_MAX))?;
    setrlimit(Resource::Core, limit(0))?;
    Ok(())
}

/// Waits until our disk is there; drivers find their hardware in their own time. Says so now and then.
fn wait_for_disk() -> io::Result<Disk> {
    /// Between two looks.
    const STEP: Duration = Duration::from_millis(20);
    /// Between two messages.
    const MESSAGE_STEPS: u32 = 500;
    let mut steps: u32 = 0;
    loop {
        match disk::find() {
            Some(Ok(disk)) => return Ok(disk),
            Some(Err(error)) => return Err(io::Error::other(error.to_string())),
            None => {}
        }
        steps = steps.wrapping_add(1);
        if steps.is_multiple_of(MESSAGE_STEPS) {
            console::show("\nTegami waits for its card or disk.\n");
        }
        std::thread::sleep(STEP);
    }
}

/// Mounts the boot partition and finishes what a power cut left half written there. A box without it serves all the
/// same.
fn mount_boot(disk: &Disk) -> bool {
    let device = disk.partition(Partition::Boot);
    if let Err(errno) = mounts::mount_boot(&device) {
        log::error!("the boot partition {} cannot be mounted: {errno}", device.display());
        return false;
    }
    let folder = Path::new(mounts::BOOT);
    if needs_recovery(folder)
        && let Err(error) = mounts::with_boot_writable(|| recover(folder))
    {
        log::error!("the settings on the boot partition are half written: {error}");
    }
    true
}

/// Opens a listener for every port, for IPv6 and IPv4 together where the kernel has both.
fn listen_all() -> Vec<(u16, TcpListener)> {
    let mut listeners = Vec::new();
    for port in PORTS {
        match listen(port) {
            Ok(listener) => listeners.push((port, listener)),
            Err(error) => log::error!("port {port}: {error}"),
        }
    }
    listeners
}

fn listen(port: u16) -> io::Result<TcpListener> {
    let both = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    listener::bind(both).or_else(|_| listener::bind((Ipv4Addr::UNSPECIFIED, port)))
}

/// What the board calls itself; the device tree's strings end with a zero.
fn model() -> String {
    let model = std::fs::read("/proc/device-tree/model").unwrap_or_default();
    String::from_utf8_lossy(&model).trim_end_matches('\0').to_owned()
}

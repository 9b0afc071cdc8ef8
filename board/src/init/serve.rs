//! The poll loop: what PID 1 does for the rest of its life.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::Signal;
use rustix::system::{RebootCommand, reboot};

use super::boot::Machine;
use super::child::{Child, reap};
use super::lifeline::Action;
use super::{boot_files, console, links, mounts, time};
use crate::control::{
    BootFile, Cause, Death, Event, FromInit, Hello, Ipv4Config, Link, Message, Refusal, Request, RequestId,
    check, printable, receive_large, send_with,
};
use crate::limits::DEATHS_MAX;

/// How the box ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Reboot,
    PowerOff,
}

/// PID 1 at work.
struct Init {
    machine: Machine,
    child: Option<Child>,
    deaths: Vec<Death>,
    link: Option<Link>,
    /// The address that we gave to which interface.
    address: Option<(u32, Ipv4Config)>,
    ending: Ending,
}

/// Longest sleep: links, buttons and signs of life are looked at every second.
const TICK: Duration = Duration::from_secs(1);
/// The same at the start, while there is no cable yet and everybody waits for that.
const TICK_AT_START: Duration = Duration::from_millis(100);
/// How long that is.
const START: Duration = Duration::from_secs(60);

/// Serves until the box ends.
pub(super) fn serve(machine: Machine) -> ! {
    let (child, deaths, link, address) = (None, Vec::new(), None, None);
    let mut init = Init { machine, child, deaths, link, address, ending: Ending::PowerOff };
    let mut ticked = Duration::ZERO;
    loop {
        if ticked.is_zero() || init.now() >= ticked + init.tick_time() {
            ticked = init.now();
            init.tick();
        }
        init.act();
        init.wait(ticked + init.tick_time());
        init.handle_signals();
        init.handle_child();
        if init.machine.buttons.was_pressed() {
            log::info!("the power key was pressed");
            init.leave(Ending::PowerOff);
        }
    }
}

impl Init {
    fn now(&self) -> Duration {
        self.machine.started.elapsed()
    }

    fn tick_time(&self) -> Duration {
        let is_connected = self.link.as_ref().is_some_and(|link| link.carrier);
        if is_connected || self.now() > START { TICK } else { TICK_AT_START }
    }

    /// What is looked at regularly.
    fn tick(&mut self) {
        self.machine.buttons.refresh();
        self.look_at_links();
        if self.machine.lifeline.shows_life(self.now()) {
            self.machine.watchdog.feed();
            self.machine.light.blink();
        }
    }

    /// Does what the lifeline says is due.
    fn act(&mut self) {
        let now = self.now();
        match self.machine.lifeline.next(now) {
            Action::Wait => {}
            Action::Start => self.start_child(),
            Action::Ask => self.signal(Signal::TERM),
            Action::Kill => self.signal(Signal::KILL),
            Action::End => self.end(),
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(child) = &self.child {
            child.signal(signal);
        }
    }

    /// Waits for something to happen, at most until `tick` or what the lifeline has due.
    fn wait(&self, tick: Duration) {
        let until = self.machine.lifeline.due().map_or(tick, |due| due.min(tick));
        let timeout = until.saturating_sub(self.now()).try_into().unwrap_or_default();
        let mut fds = vec![PollFd::new(&self.machine.signals, PollFlags::IN)];
        if let Some(child) = &self.child {
            fds.push(PollFd::from_borrowed_fd(child.socket.as_fd(), PollFlags::IN));
            fds.push(PollFd::from_borrowed_fd(child.log_fd(), PollFlags::IN));
        }
        fds.extend(self.machine.buttons.fds().map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        // An interrupted or failed wait is a short one.
        let _ = poll(&mut fds, Some(&timeout));
    }

    fn handle_signals(&mut self) {
        let mut info = [0; 128];
        while let Ok(len) = rustix::io::read(&self.machine.signals, &mut info[..]) {
            let number = info.first_chunk().filter(|_| len > 0).map_or(0, |bytes| i32::from_ne_bytes(*bytes));
            match number {
                libc::SIGCHLD => {}
                // What the kernel sends for Ctrl-Alt-Del.
                libc::SIGINT => self.leave(Ending::Reboot),
                0 => break,
                _ => self.leave(Ending::PowerOff),
            }
        }
        while let Some((pid, cause)) = reap() {
            if self.child.as_ref().is_some_and(|child| child.is(pid)) {
                self.bury(cause);
            }
        }
    }

    /// Reads the child's log and requests. One that closes either is ending, or should.
    fn handle_child(&mut self) {
        if let Some(child) = &mut self.child
            && !child.pass_log_on()
        {
            child.signal(Signal::KILL);
        }
        // Bounded, so that one who floods us does not keep us from the rest.
        for _ in 0..64 {
            let Some(child) = &self.child else { return };
            match receive_large(child.socket.as_fd()) {
                Ok(((id, request), _)) => self.handle(id, request),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    log::error!("a request makes no sense: {error}");
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => {
                    child.signal(Signal::KILL);
                    return;
                }
            }
        }
    }

    fn handle(&mut self, id: RequestId, request: Request) {
        if request == Request::Heartbeat {
            let now = self.now();
            self.machine.lifeline.beat(now);
            return;
        }
        let result = check(&request).and_then(|()| self.carry_out(request));
        if let Err(refusal) = &result {
            log::warn!("refused: {refusal}");
        }
        self.tell(Message::Reply { id, result });
    }

    fn carry_out(&mut self, request: Request) -> Result<(), Refusal> {
        match request {
            Request::Heartbeat => Ok(()),
            Request::SetAddress(config) => self.set_address(config),
            Request::ClearAddress => self.clear_address().map_err(failed),
            Request::SetTime { unix_s, nanos } => {
                time::set(unix_s, nanos).map_err(|errno| failed(errno.into()))?;
                self.machine.clock_is_known = true;
                Ok(())
            }
            Request::FlashReady => {
                self.machine.disk.complete().map_err(failed)?;
                self.machine.flash.part.is_fresh = false;
                Ok(())
            }
            Request::WriteBootFile { file, content } => {
                self.change_boot(|folder| boot_files::write(folder, file, &content))
            }
            Request::RemoveBootFile(_) => self.change_boot(boot_files::remove_reset),
            Request::Console(text) => {
                console::show(&printable(&text));
                Ok(())
            }
            Request::Reboot => {
                self.leave(Ending::Reboot);
                Ok(())
            }
            Request::PowerOff => {
                self.leave(Ending::PowerOff);
                Ok(())
            }
        }
    }

    fn change_boot(&self, work: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), Refusal> {
        if !self.machine.has_boot {
            return Err(Refusal::Missing("boot partition".into()));
        }
        mounts::with_boot_writable(|| work(Path::new(mounts::BOOT))).map_err(failed)
    }

    /// Finds the interface to use, brings interfaces up, and tells of changes.
    fn look_at_links(&mut self) {
        let links = links::scan();
        let chosen = links::choose(&links, self.link.as_ref());
        if chosen == self.link && chosen.as_ref().is_some_and(|link| link.carrier) {
            return;
        }
        for link in links.iter().filter(|link| !link.carrier) {
            if let Err(error) = self.machine.netlink.link_up(link.index) {
                log::warn!("{} stays down: {error}", link.name);
            }
        }
        if chosen == self.link {
            return;
        }
        let is_same = matches!((&chosen, &self.link), (Some(new), Some(old)) if links::is_same(new, old));
        if !is_same && let Err(error) = self.clear_address() {
            log::warn!("an address stays: {error}");
        }
        match &chosen {
            Some(Link { name, carrier, .. }) => {
                log::info!("network interface {name}, {}", if *carrier { "connected" } else { "no cable" });
            }
            None => log::info!("no network interface"),
        }
        self.link = chosen.clone();
        self.tell(Message::Event(Event::Link(chosen)));
    }

    fn set_address(&mut self, config: Ipv4Config) -> Result<(), Refusal> {
        let Some(link) = &self.link else { return Err(Refusal::Missing("network interface".into())) };
        let index = link.index;
        // What is there already is set again: it may have failed in the middle.
        if self.address != Some((index, config)) {
            self.clear_address().map_err(failed)?;
            self.address = Some((index, config));
        }
        self.machine.netlink.set_address(index, &config).map_err(failed)
    }

    fn clear_address(&mut self) -> io::Result<()> {
        if let Some((index, config)) = self.address {
            self.machine.netlink.remove_address(index, &config)?;
            self.address = None;
        }
        Ok(())
    }

    fn start_child(&mut self) {
        let now = self.now();
        match Child::start().and_then(|child| self.greet(&child).map(|()| child)) {
            Ok(child) => {
                self.machine.lifeline.started(now);
                self.child = Some(child);
            }
            Err(error) => {
                log::error!("the mail process does not start: {error}");
                self.machine.lifeline.died(now);
            }
        }
    }

    /// Hands everything over.
    fn greet(&self, child: &Child) -> io::Result<()> {
        let machine = &self.machine;
        let folder = Path::new(mounts::BOOT);
        let settings = boot_files::read(folder, BootFile::Settings).unwrap_or_else(|error| {
            log::error!("the settings are not used: {error}");
            console::show(&format!("\nThe settings are not used: {error}\n"));
            None
        });
        let hello = Hello {
            flash: machine.flash.part.clone(),
            has_packet_sockets: machine.packets.is_some(),
            ports: machine.listeners.iter().map(|(port, _)| *port).collect(),
            link: self.link.clone(),
            model: machine.model.clone(),
            settings,
            reset_password: boot_files::wants_reset(folder),
            clock_is_known: machine.clock_is_known,
            deaths: self.deaths.clone(),
        };
        let mut fds = vec![machine.flash.direct.as_fd(), machine.flash.cached.as_fd()];
        fds.extend(machine.packets.iter().flat_map(|(dhcp, arp)| [dhcp.as_fd(), arp.as_fd()]));
        fds.extend(machine.listeners.iter().map(|(_, listener)| listener.as_fd()));
        send_with(child.socket.as_fd(), &FromInit::Hello(Box::new(hello)), &fds)
    }

    fn tell(&self, message: Message) {
        if let Some(child) = &self.child
            && let Err(error) = send_with(child.socket.as_fd(), &FromInit::Message(message), &[])
        {
            log::warn!("the mail process does not listen: {error}");
        }
    }

    /// Puts the end of a mail process on record.
    fn bury(&mut self, cause: Cause) {
        let now = self.now();
        let (lived, is_killed) = self.machine.lifeline.died(now);
        let last_words = self.child.take().map(Child::last_words).unwrap_or_default();
        if self.machine.lifeline.is_leaving() {
            return;
        }
        let cause = if is_killed { Cause::Hung } else { cause };
        log::error!("the mail process died after {} s: {cause}", lived.as_secs());
        console::show(&format!(
            "\nThe mail service ended after {} s ({cause}) and is started again.\n",
            lived.as_secs()
        ));
        if self.deaths.len() >= DEATHS_MAX {
            self.deaths.remove(0);
        }
        self.deaths.push(Death { uptime_s: now.as_secs(), lived_s: lived.as_secs(), cause, last_words });
    }

    fn leave(&mut self, ending: Ending) {
        if !self.machine.lifeline.is_leaving() {
            self.ending = ending;
            let now = self.now();
            self.machine.lifeline.farewell(now);
        }
    }

    /// Ends the box.
    fn end(&mut self) {
        log::info!(
            "the box {}",
            if self.ending == Ending::Reboot { "starts again" } else { "switches itself off" }
        );
        mounts::unmount_boot();
        rustix::fs::sync();
        self.machine.light.put_out();
        let command = match self.ending {
            // The watchdog stays armed: it ends a box that cannot end itself.
            Ending::Reboot => RebootCommand::Restart,
            Ending::PowerOff => {
                self.machine.watchdog.disarm();
                RebootCommand::PowerOff
            }
        };
        if let Err(errno) = reboot(command) {
            log::error!("the box does not end: {errno}");
            std::thread::sleep(TICK);
        }
    }
}

fn failed(error: io::Error) -> Refusal {
    Refusal::Failed(error.to_string())
}

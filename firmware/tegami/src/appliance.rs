//! The mail process of the box: takes what PID 1 hands over, serves, and keeps network and clock.

use std::{fmt::Write as _, rc::Rc, sync::Arc};

use board::{
    control::{BootFile, Link, Request},
    devices::Settings as FlashSettings,
    handover::{self, FlashHandle, Handover},
    net::PacketSocket,
    threaded::{Options, Threaded},
};
use ring::rand::{SecureRandom, SystemRandom};
use store::{FormatOptions, MountError, MountOptions, Store};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::{Notify, watch},
    task::spawn_local,
};

use crate::{
    ailing::Ailing,
    ailment::Ailment,
    capacity::Capacity,
    closing::Closing,
    door::{Door, Listeners},
    house::Site,
    http::NetworkView,
    language::Language,
    limits::SHUTDOWN_GRACE,
    network::{Network, Resident},
    office::MailStore,
    provision,
    root::Root,
    service::{Census, Service},
    serving::{self, Ground, Serving},
};

/// Serves until PID 1 says that the box is to be switched off.
///
/// # Errors
/// A sentence for the console. PID 1 starts the process again.
pub(crate) fn run() -> Result<(), String> {
    board::logging::start_for_init();
    let handover = handover::take().map_err(|error| format!("this is not started by PID 1: {error}"))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(serving::WARMING_THREADS_MAX)
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    tokio::task::LocalSet::new().block_on(&runtime, serve(handover))
}

async fn serve(handover: Handover) -> Result<(), String> {
    let mut term =
        signal(SignalKind::terminate()).map_err(|error| format!("cannot wait for signals: {error}"))?;
    for death in &handover.deaths {
        log::warn!("the mail process died {} s after the start: {}", death.uptime_s, death.cause);
    }
    let root = Root::new(handover.control).map_err(|error| format!("no way to PID 1: {error}"))?;
    let (link_sender, links) = watch::channel(handover.link);
    let listening = Rc::clone(&root);
    spawn_local(async move {
        let error = listening.listen(link_sender).await;
        log::error!("PID 1 is gone: {error}");
        std::process::exit(1);
    });
    let beating = Rc::clone(&root);
    spawn_local(async move { beating.beat().await });
    let flash = Arc::new(Notify::new());
    let store = open(handover.flash, &flash, &root).await;
    let place = Place {
        root,
        links,
        packets: (handover.packet, handover.arp),
        listeners: services(handover.listeners),
        settings: handover.settings,
        clock_is_known: handover.clock_is_known,
        closing: Rc::default(),
    };
    match store {
        Ok(store) => place.serve((store, flash), handover.reset_password, &mut term).await,
        Err(ailment) => place.ail(ailment, &mut term).await,
    }
}

/// What there is to serve with, besides the store.
struct Place {
    root: Rc<Root>,
    links: watch::Receiver<Option<Link>>,
    packets: (Option<PacketSocket>, Option<PacketSocket>),
    listeners: Listeners,
    settings: Option<Vec<u8>>,
    clock_is_known: bool,
    closing: Rc<Closing>,
}

impl Place {
    async fn serve(
        self,
        (store, flash): (MailStore, Arc<Notify>),
        reset_password: bool,
        term: &mut Signal,
    ) -> Result<(), String> {
        let ground = Ground {
            store,
            flash,
            listeners: self.listeners,
            provision: self.settings.clone(),
            site: Site {
                addresses: Vec::new(),
                network: NetworkView::Waiting,
                name_servers: Vec::new(),
                trust_loopback: false,
            },
            clock_is_known: self.clock_is_known,
            closing: Rc::clone(&self.closing),
        };
        let serving = Rc::new(serving::open(ground).await?);
        if reset_password {
            forget_password(&serving, &self.root).await;
        }
        let house = Rc::clone(&serving.house);
        join_network(house, &self.root, self.links, self.packets, &self.closing).await?;
        let shown = Rc::clone(&serving);
        let changes = serving.house.changes();
        spawn_local(keep_console(Rc::clone(&self.root), changes, move || console_text(&shown)));
        if let Some(file) = self.settings {
            spawn_local(wipe_passwords(Rc::clone(&serving), self.root, file));
        }
        term.recv().await;
        log::info!("closing");
        serving.close().await;
        Ok(())
    }

    /// Serves no mail, and says why, until the box is switched off. Ending would only have PID 1 start it all again.
    async fn ail(self, ailment: Ailment, term: &mut Signal) -> Result<(), String> {
        for line in ailment.lines(Language::English) {
            log::error!("{line}");
        }
        let file = self.settings.as_deref();
        let ailing = Ailing::new(ailment, file, self.clock_is_known, Rc::clone(&self.closing));
        Door::new(Rc::clone(&ailing), Census::new(Capacity::of_this_machine()), Rc::clone(&self.closing))
            .open(self.listeners)?;
        let resident = Rc::clone(&ailing);
        join_network(resident, &self.root, self.links, self.packets, &self.closing).await?;
        let changes = ailing.changes();
        spawn_local(keep_console(self.root, changes, move || ailing.console_text()));
        term.recv().await;
        self.closing.run(SHUTDOWN_GRACE).await;
        Ok(())
    }
}

/// Has the network looked after until the box is switched off, its farewell included.
async fn join_network(
    resident: Rc<dyn Resident>,
    root: &Rc<Root>,
    links: watch::Receiver<Option<Link>>,
    (packet, arp): (Option<PacketSocket>, Option<PacketSocket>),
    closing: &Rc<Closing>,
) -> Result<(), String> {
    let network = Network::new(resident, Rc::clone(root), links, packet, arp).await;
    let network = network.map_err(|error| format!("no network: {error}"))?;
    let closing = Rc::clone(closing);
    spawn_local(async move {
        let _at_work = closing.enter();
        tokio::select! {
            () = network.run(closing.begun()) => {}
            () = closing.over() => {}
        }
    });
    Ok(())
}

fn services(listeners: Vec<(u16, std::net::TcpListener)>) -> Listeners {
    listeners.into_iter().filter_map(|(port, listener)| Some((Service::of_port(port)?, listener))).collect()
}

/// Opens the flash. Only a flash that PID 1 calls fresh is formatted; what is anything else is left as it is.
async fn open(handle: FlashHandle, flash: &Arc<Notify>, root: &Root) -> Result<MailStore, Ailment> {
    let is_fresh = handle.is_fresh;
    let disk =
        handle.open(&FlashSettings::default()).map_err(|error| Ailment::Unreadable(error.to_string()))?;
    let bell = Arc::clone(flash);
    let queue = Threaded::new(disk, Options::default(), Box::new(move || bell.notify_one()))
        .map_err(|error| Ailment::Unreadable(error.to_string()))?;
    if is_fresh {
        format(queue, flash, root).await
    } else {
        Ok(Store::mount(queue, MountOptions::default())?)
    }
}

async fn format(queue: Threaded, flash: &Notify, root: &Root) -> Result<MailStore, Ailment> {
    let not_made = |why: &str| Ailment::NotMade(why.to_owned());
    let mut uuid = [0; 16];
    SystemRandom::new().fill(&mut uuid).map_err(|_| not_made("there is no randomness"))?;
    let mut store =
        Store::format(queue, &FormatOptions { uuid, segment_bytes: None }).map_err(|error| match error {
            MountError::Device(fault) => not_made(&fault.to_string()),
            other => other.into(),
        })?;
    while store.barrier_in_flight() {
        flash.notified().await;
        store.settle();
    }
    if store.is_read_only() {
        return Err(not_made("the flash takes no writes"));
    }
    root.ask(Request::FlashReady).await.map_err(Ailment::NotMade)?;
    log::info!("the flash is formatted");
    Ok(store)
}

/// The owner put a file on the card that asks for a new administrator's password.
async fn forget_password(serving: &Serving, root: &Root) {
    match provision::forget_administrator(serving.house.office.as_ref()).await {
        Ok(()) => {
            log::warn!("the administrator's password is forgotten, as the file on the card asks");
            if let Err(problem) = root.ask(Request::RemoveBootFile(BootFile::ResetPassword)).await {
                log::error!("the file that asked for it could not be removed: {problem}");
            }
        }
        Err(refusal) => log::error!("the administrator's password could not be forgotten: {refusal:?}"),
    }
}

/// Replaces clear passwords on the card by their hashes, once they are made.
async fn wipe_passwords(serving: Rc<Serving>, root: Rc<Root>, file: Vec<u8>) {
    serving.house.passwords_hashed().await;
    let Ok(text) = String::from_utf8(file) else { return };
    let Some(hashed) = provision::hashed_text(&text, serving.house.office.as_ref()) else { return };
    let request = Request::WriteBootFile { file: BootFile::Settings, content: hashed.into_bytes() };
    match root.ask(request).await {
        Ok(()) => log::info!("the passwords in tegami.toml are replaced by their hashes"),
        Err(problem) => log::error!("the passwords in tegami.toml are still there: {problem}"),
    }
}

/// Shows on the console, and in a file on the card, what `text` says, whenever that changes.
async fn keep_console(root: Rc<Root>, mut changes: watch::Receiver<()>, text: impl Fn() -> String) {
    let mut shown = String::new();
    loop {
        let text = text();
        if text != shown {
            for request in [
                Request::Console(text.clone()),
                Request::WriteBootFile { file: BootFile::Info, content: text.clone().into_bytes() },
            ] {
                if let Err(problem) = root.ask(request).await {
                    log::warn!("console: {problem}");
                }
            }
            shown = text;
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Where the box is and how it is claimed.
fn console_text(serving: &Serving) -> String {
    let addresses = serving.house.addresses();
    let mut text = format!("\nTegami {}\n", env!("CARGO_PKG_VERSION"));
    // Writing to a String cannot fail.
    let _ = match addresses.first() {
        Some(address) => writeln!(text, "Page: http://{address}/"),
        None => writeln!(text, "No address yet: is the network cable in?"),
    };
    if let Some(code) = serving.front.claim_code() {
        let _ = writeln!(text, "Claim code: {code}");
    }
    let _ =
        writeln!(text, "CA fingerprint (SHA-256): {}", serving.house.certificates.authority().fingerprint);
    text
}

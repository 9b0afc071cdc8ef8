//! The mail process of the box: takes what PID 1 hands over, serves, and keeps network and clock.

use std::{fmt::Write as _, rc::Rc, sync::Arc};

use board::{
    control::{BootFile, Request},
    devices::Settings as FlashSettings,
    handover::{self, FlashHandle, Handover},
    threaded::{Options, Threaded},
};
use ring::rand::{SecureRandom, SystemRandom};
use store::{FormatOptions, MountOptions, Store};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{Notify, watch},
    task::spawn_local,
};

use crate::{
    house::Site,
    http::NetworkView,
    network::Network,
    office::MailStore,
    provision,
    root::Root,
    service::Service,
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
    let store = open(handover.flash, &flash, &root).await?;
    let ground = Ground {
        store,
        flash,
        listeners: services(handover.listeners),
        provision: handover.settings,
        site: Site { addresses: Vec::new(), network: NetworkView::Waiting, trust_loopback: false },
        clock_is_known: handover.clock_is_known,
    };
    let provision = ground.provision.clone();
    let serving = Rc::new(serving::open(ground).await?);
    if handover.reset_password {
        forget_password(&serving, &root).await;
    }
    let house = Rc::clone(&serving.house);
    let network = Network::new(house, Rc::clone(&root), links, handover.packet, handover.arp).await;
    spawn_local(network.map_err(|error| format!("no network: {error}"))?.run());
    spawn_local(keep_console(Rc::clone(&serving), Rc::clone(&root)));
    if let Some(file) = provision {
        spawn_local(wipe_passwords(Rc::clone(&serving), Rc::clone(&root), file));
    }
    term.recv().await;
    log::info!("closing");
    serving.close().await;
    Ok(())
}

fn services(listeners: Vec<(u16, std::net::TcpListener)>) -> Vec<(Service, std::net::TcpListener)> {
    listeners.into_iter().filter_map(|(port, listener)| Some((Service::of_port(port)?, listener))).collect()
}

/// Opens the flash. Only a flash that PID 1 calls fresh is formatted; what is anything else is left as it is.
async fn open(handle: FlashHandle, flash: &Arc<Notify>, root: &Root) -> Result<MailStore, String> {
    let is_fresh = handle.is_fresh;
    let disk = handle.open(&FlashSettings::default()).map_err(|error| error.to_string())?;
    let bell = Arc::clone(flash);
    let queue = Threaded::new(disk, Options::default(), Box::new(move || bell.notify_one()))
        .map_err(|error| format!("cannot start the thread that writes the flash: {error}"))?;
    if !is_fresh {
        return Store::mount(queue, MountOptions::default()).map_err(|error| error.to_string());
    }
    let mut uuid = [0; 16];
    SystemRandom::new().fill(&mut uuid).map_err(|_| "there is no randomness")?;
    let mut store = Store::format(queue, &FormatOptions { uuid, segment_bytes: None })
        .map_err(|error| error.to_string())?;
    while store.barrier_in_flight() {
        flash.notified().await;
        store.settle();
    }
    root.ask(Request::FlashReady).await?;
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

/// Shows on the console, and in a file on the card, where the box is and how it is claimed, whenever that changes.
async fn keep_console(serving: Rc<Serving>, root: Rc<Root>) {
    let mut shown = String::new();
    loop {
        let text = console_text(&serving);
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
        serving.house.changes().await;
    }
}

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

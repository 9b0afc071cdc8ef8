//! Hosted: the same program as an ordinary process, on a flash in a file.

use std::{
    fs, io,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
};

use board::{
    devices::{self, Settings},
    listener,
    threaded::{Options, Threaded},
};
use ring::rand::{SecureRandom, SystemRandom};
use store::{FormatOptions, MountError, MountOptions, Store};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Notify,
};

use crate::{
    cli::Host,
    house::Site,
    http::NetworkView,
    office::MailStore,
    service::Service,
    serving::{self, Ground},
};

/// Serves until SIGTERM or Ctrl-C.
///
/// # Errors
/// A sentence for the person who started it.
pub(crate) fn run(options: &Host) -> Result<(), String> {
    let provision = match &options.provision {
        Some(path) => {
            Some(fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?)
        }
        None => None,
    };
    let listeners = listen(options)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(serving::WARMING_THREADS_MAX)
        .build()
        .map_err(|error| format!("cannot start: {error}"))?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let flash = Arc::new(Notify::new());
        let store = open(options, &flash)?;
        let site = Site {
            addresses: vec![options.listen],
            network: NetworkView::Hosted,
            name_servers: vec![],
            trust_loopback: true,
        };
        // A computer's own clock is right as a rule, and nobody but its owner can set it.
        let ground =
            Ground { store, flash, listeners, provision, site, clock_is_known: true, closing: Rc::default() };
        let serving = serving::open(ground).await?;
        if let Some(code) = serving.front.claim_code() {
            let fingerprint = serving.house.certificates.authority().fingerprint;
            log::info!("nobody has claimed this box yet; the claim code for its page is {code}");
            log::info!("fingerprint of its CA (SHA-256): {fingerprint}");
        }
        println!("{}", ready_line(options));
        wait_for_the_end().await?;
        log::info!("closing");
        serving.close().await;
        Ok(())
    })
}

fn listen(options: &Host) -> Result<Vec<(Service, TcpListener)>, String> {
    let bind = |service: Service| {
        let address = SocketAddr::new(options.listen, service.port() + options.port_offset);
        let bound = listener::bind(address);
        bound.map(|listener| (service, listener)).map_err(|error| {
            format!(
                "cannot listen on {address} for {}: {error}; --port-offset chooses other ports",
                service.name()
            )
        })
    };
    Service::ALL.into_iter().map(bind).collect()
}

fn ready_line(options: &Host) -> String {
    let mut line = "ready".to_owned();
    for service in Service::ALL {
        let address = SocketAddr::new(options.listen, service.port() + options.port_offset);
        line.push_str(&format!(" {}={address}", service.name()));
    }
    line
}

/// Opens the flash, and makes it if there is none. A new one gets its name only when it is formatted: what has the
/// name is a store, and nothing that is not one is ever written to.
pub(crate) fn open(options: &Host, flash: &Arc<Notify>) -> Result<MailStore, String> {
    let path = &options.flash;
    if path.exists() {
        // As long as it is: a flash that lost its end is to be refused, not made whole with zeros.
        let queue = queue(path, 0, options, flash)?;
        return Store::mount(queue, MountOptions::default()).map_err(|error| refusal(path, error));
    }
    let unfinished = unfinished(path);
    let store = Store::format(
        queue(&unfinished, options.flash_size, options, flash)?,
        &FormatOptions { uuid: uuid()?, segment_bytes: None },
    );
    let mut store = store.map_err(|error| refusal(path, error))?;
    while store.barrier_in_flight() {
        store.settle();
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    if store.is_read_only() {
        return Err(format!("{} could not be written", unfinished.display()));
    }
    name(&unfinished, path).map_err(|error| format!("cannot make {}: {error}", path.display()))?;
    log::info!("made a new flash: {}", path.display());
    Ok(store)
}

/// Gives a finished flash its name, for good: what is acknowledged from now on must be found under it.
fn name(unfinished: &Path, path: &Path) -> io::Result<()> {
    fs::rename(unfinished, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".unfinished");
    path.with_file_name(name)
}

fn queue(path: &Path, size: u64, options: &Host, flash: &Arc<Notify>) -> Result<Threaded, String> {
    let device = devices::open(path, size, &Settings::default()).map_err(|error| error.to_string())?;
    let bell = Arc::clone(flash);
    let settings = Options { barrier_delay: options.barrier_delay, ..Options::default() };
    Threaded::new(device, settings, Box::new(move || bell.notify_one()))
        .map_err(|error| format!("cannot start the thread that writes the flash: {error}"))
}

fn refusal(path: &Path, error: MountError) -> String {
    let advice = match error {
        MountError::NotAStore => {
            "; it is left as it is: give another --flash, or remove the file to begin anew"
        }
        _ => "",
    };
    format!("{}: {error}{advice}", path.display())
}

fn uuid() -> Result<[u8; 16], String> {
    let mut uuid = [0; 16];
    SystemRandom::new().fill(&mut uuid).map_err(|_| "there is no randomness")?;
    Ok(uuid)
}

async fn wait_for_the_end() -> Result<(), String> {
    let wait = |kind| signal(kind).map_err(|error| format!("cannot wait for signals: {error}"));
    let (mut term, mut int) = (wait(SignalKind::terminate())?, wait(SignalKind::interrupt())?);
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    Ok(())
}

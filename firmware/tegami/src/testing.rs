//! What tests of several modules share.

pub(crate) mod dkim;
pub(crate) mod scram;

use std::{future::Future, net::SocketAddr, path::PathBuf, rc::Rc, sync::Arc, time::Duration};

use mail::{Mail as _, Unready};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
};

use crate::{
    cli::Host,
    host,
    house::Site,
    http::NetworkView,
    service::{LOOPBACK, Service},
    serving::{self, Ground, Serving},
};

/// Runs a future as the program runs everything: on one thread, with local tasks, sockets and time.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, future)
}

/// A hosted program in this process: the whole of it but for the command line, on a flash in a file.
pub(crate) struct Rig {
    pub serving: Serving,
    pub flash: Flash,
    addresses: Vec<(Service, SocketAddr)>,
}

/// A flash in a file that is removed in the end.
pub(crate) struct Flash(Host);

impl Drop for Flash {
    fn drop(&mut self) {
        // What is not there need not be removed.
        let _ = std::fs::remove_file(&self.0.flash);
    }
}

impl Flash {
    /// At a path that is there, or not, with what is on it.
    pub(crate) fn at(flash: PathBuf) -> Self {
        let barrier_delay = Duration::ZERO;
        Self(Host {
            flash,
            flash_size: 64 << 20,
            provision: None,
            listen: LOOPBACK,
            port_offset: 0,
            barrier_delay,
        })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &std::path::Path {
        &self.0.flash
    }

    pub(crate) fn new(name: &str, barrier_delay: Duration) -> Self {
        let name = format!("tegami-{}-{name}.flash", std::process::id());
        let flash: PathBuf = std::env::temp_dir().join(name);
        let _ = std::fs::remove_file(&flash);
        Self(Host {
            flash,
            flash_size: 64 << 20,
            provision: None,
            listen: LOOPBACK,
            port_offset: 0,
            barrier_delay,
        })
    }
}

/// alice's password is `pencil pencil`.
pub(crate) const PROVISION: &[u8] =
    b"version = 1\nhostname = 'mail.example.test'\n[[domain]]\nname = 'example.test'\n\
    [[account]]\naddress = 'alice@example.test'\npassword = 'pencil pencil'\n";

impl Rig {
    pub(crate) async fn start(flash: Flash) -> Self {
        Self::start_with(flash, PROVISION).await
    }

    /// With another provision file.
    pub(crate) async fn start_with(flash: Flash, provision: &[u8]) -> Self {
        let bell = Arc::new(Notify::new());
        let store = host::open(&flash.0, &bell).unwrap();
        let listen = |service| {
            let listener = std::net::TcpListener::bind((LOOPBACK, 0)).unwrap();
            listener.set_nonblocking(true).unwrap();
            (service, listener)
        };
        let listeners = Service::ALL.map(listen);
        let addresses =
            listeners.iter().map(|(service, listener)| (*service, listener.local_addr().unwrap()));
        let addresses = addresses.collect();
        let site = Site {
            addresses: vec![LOOPBACK],
            network: NetworkView::Hosted,
            name_servers: vec![],
            trust_loopback: true,
        };
        let ground = Ground {
            store,
            flash: bell,
            listeners: listeners.into(),
            provision: Some(provision.to_vec()),
            site,
            clock_is_known: true,
            closing: Rc::default(),
        };
        Self { serving: serving::open(ground).await.unwrap(), flash, addresses }
    }

    /// A connection to a service.
    pub(crate) async fn connect(&self, service: Service) -> TcpStream {
        TcpStream::connect(self.address(service)).await.unwrap()
    }

    /// Where a service is.
    pub(crate) fn address(&self, service: Service) -> SocketAddr {
        let (_, address) = self.addresses.iter().find(|(known, _)| *known == service).unwrap();
        *address
    }

    /// Where a service listens on loopback.
    pub(crate) fn port(&self, service: Service) -> u16 {
        self.address(service).port()
    }

    /// The header blocks of the letters in the INBOX of an address.
    pub(crate) async fn headers(&self, address: &str) -> Vec<String> {
        let office = &self.serving.house.office;
        let account = office.store().find_login(address).unwrap();
        let inbox = office.store().inbox(account).unwrap();
        let uids: Vec<_> = office.store().uids(inbox).iter().collect();
        let mut headers = Vec::new();
        for uid in uids {
            loop {
                let head = office.store_mut().record(inbox, uid).map(|record| record.head.to_vec());
                match head {
                    Ok(head) => break headers.push(String::from_utf8(head).unwrap()),
                    Err(Unready::Cold(cold)) => office.warm(cold).await,
                    Err(error) => panic!("{error:?}"),
                }
            }
        }
        headers
    }
}

/// Reads until `what` has come.
pub(crate) async fn until(stream: &mut TcpStream, what: &str) -> String {
    let mut heard = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let text = String::from_utf8_lossy(&heard).into_owned();
        if text.contains(what) {
            return text;
        }
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut buffer)).await;
        let count = read.unwrap_or_else(|_| panic!("no {what:?} in {text:?}")).unwrap();
        assert!(count > 0, "no {what:?} in {text:?}, and then the end");
        heard.extend_from_slice(&buffer[..count]);
    }
}

/// Says something and reads until `what` has come.
pub(crate) async fn say(stream: &mut TcpStream, line: &str, what: &str) -> String {
    stream.write_all(line.as_bytes()).await.unwrap();
    until(stream, what).await
}

/// Reads to the end.
pub(crate) async fn rest(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    stream.read_to_end(&mut heard).await.unwrap();
    String::from_utf8(heard).unwrap()
}

//! From a mounted flash and open ports to a box that serves, and back down again.

use std::{net::TcpListener, rc::Rc, sync::Arc};

use tokio::{sync::Notify, task::spawn_local};

use crate::{
    clock::Clock,
    house::{House, Site},
    http::Front,
    limits::SHUTDOWN_GRACE,
    office::{MailStore, Office},
    serve::{Closing, Reception},
    service::{Census, Service},
};

/// Threads that bring cold flash into memory. A card serves one read at a time; a second one keeps it busy.
pub(crate) const WARMING_THREADS_MAX: usize = 2;

/// What serving stands on.
pub(crate) struct Ground {
    /// The store, mounted.
    pub store: MailStore,
    /// Rung by the thread that writes the flash.
    pub flash: Arc<Notify>,
    /// Open ports, non-blocking.
    pub listeners: Vec<(Service, TcpListener)>,
    /// Content of the provision file.
    pub provision: Option<Vec<u8>>,
    /// Where this is.
    pub site: Site,
    /// Whether the system's clock can be trusted.
    pub clock_is_known: bool,
}

/// A box that serves.
pub(crate) struct Serving {
    pub house: Rc<House>,
    pub front: Rc<Front>,
    closing: Rc<Closing>,
}

/// Opens everything; returns once every service answers.
///
/// # Errors
/// A sentence for whoever looks at the console.
pub(crate) async fn open(ground: Ground) -> Result<Serving, String> {
    let Ground { mut store, flash, listeners, provision, site, clock_is_known } = ground;
    let report = *store.mount_report();
    if report.records > 0 {
        let end = if report.clean { "the last run ended in order" } else { "the last run was cut off" };
        log::info!("mounted: {} records; {end}", report.records);
    }
    if report.damage > 0 {
        log::error!("{} damaged places were found on the flash", report.damage);
    }
    let clock = Rc::new(Clock::new(report.newest.unwrap_or_default(), clock_is_known));
    let warmer = store.queue().warmer();
    let office = Office::new(store, warmer, clock);
    spawn_local(Rc::clone(&office).pump(flash));
    office.ready().await;
    let (house, passwords) = House::open(office, site, provision.as_deref()).await?;
    let front = Front::new(Rc::clone(&house) as Rc<dyn crate::http::Desk>).ok_or("there is no randomness")?;
    let closing = Rc::new(Closing::default());
    let reception = Rc::new(Reception {
        house: Rc::clone(&house),
        front: Rc::clone(&front),
        census: Rc::new(Census::default()),
        closing: Rc::clone(&closing),
    });
    for (service, listener) in listeners {
        let listener = tokio::net::TcpListener::from_std(listener)
            .map_err(|error| format!("cannot listen for {}: {error}", service.name()))?;
        spawn_local(Rc::clone(&reception).listen(service, listener));
    }
    spawn_local(Rc::clone(&house).keep_in_step());
    let hashing = Rc::clone(&house);
    spawn_local(async move { hashing.hash_passwords(passwords).await });
    Ok(Serving { house, front, closing })
}

impl Serving {
    /// Ends every connection and closes the store.
    pub(crate) async fn close(&self) {
        self.closing.begin();
        self.closing.wait_until_empty(SHUTDOWN_GRACE).await;
        self.house.office.close().await;
    }
}

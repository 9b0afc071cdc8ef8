//! From a mounted flash and open ports to a box that serves, and back down again.

use std::{rc::Rc, sync::Arc};

use tokio::{
    sync::Notify,
    task::spawn_local,
    time::{Instant, timeout_at},
};

use crate::{
    capacity::Capacity,
    clock::Clock,
    closing::Closing,
    dkim,
    door::{Door, Listeners},
    health,
    house::{House, Site},
    http::Front,
    limits::{SHUTDOWN_GRACE, SHUTDOWN_MAX},
    link::Desk,
    office::{MailStore, Office},
    queue::{self, Queue},
    quota, scrub,
    serve::Serve,
    service::Census,
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
    pub listeners: Listeners,
    /// Content of the provision file.
    pub provision: Option<Vec<u8>>,
    /// Where this is.
    pub site: Site,
    /// Whether the system's clock can be trusted.
    pub clock_is_known: bool,
    /// How all of it ends.
    pub closing: Rc<Closing>,
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
    let Ground { mut store, flash, listeners, provision, site, clock_is_known, closing } = ground;
    let report = *store.mount_report();
    if report.records > 0 {
        let end = if report.clean { "the last run ended in order" } else { "the last run was cut off" };
        log::info!("mounted: {} records; {end}", report.records);
    }
    if report.damage > 0 {
        log::error!("{} damaged places were found on the flash", report.damage);
    }
    let capacity = Capacity::of_this_machine();
    store.set_index_limit(capacity.index());
    let clock = Rc::new(Clock::new(report.newest.unwrap_or_default(), clock_is_known));
    let warmer = store.queue().warmer();
    let office = Office::new(store, warmer, clock);
    spawn_local(Rc::clone(&office).pump(flash));
    office.ready().await;
    let (house, passwords) = House::open(office, site, provision.as_deref()).await?;
    let front = Front::new(Rc::clone(&house) as Rc<dyn crate::http::Desk>).ok_or("there is no randomness")?;
    let serve = Serve { house: Rc::clone(&house), front: Rc::clone(&front), closing: Rc::clone(&closing) };
    Door::new(serve, Census::new(capacity), Rc::clone(&closing)).open(listeners)?;
    spawn_local(Rc::clone(&house).keep_in_step());
    spawn_local(dkim::keep(Rc::clone(&house.office), house.changes()));
    spawn_local(scrub::run(Rc::clone(&house.office)));
    spawn_local(health::watch(Rc::clone(&house)));
    spawn_local(quota::watch(Rc::clone(&house)));
    let desk = Desk::new(Rc::clone(&house), Rc::clone(&closing))?;
    spawn_local(queue::run(Queue::new(Rc::clone(&house), Rc::clone(&closing), desk)));
    if let Some(passwords) = passwords {
        let hashing = Rc::clone(&house);
        spawn_local(async move { hashing.hash_passwords(passwords).await });
    }
    Ok(Serving { house, front, closing })
}

impl Serving {
    /// Ends every connection and closes the store. What was acknowledged is durable already: if the store takes too long,
    /// the next start has to read more, and nothing is lost.
    pub(crate) async fn close(&self) {
        let end = Instant::now() + SHUTDOWN_MAX;
        self.closing.run(SHUTDOWN_GRACE).await;
        if timeout_at(end, self.house.office.close()).await.is_err() {
            log::warn!("the flash takes too long: the store was not closed");
        }
    }
}

#[cfg(test)]
#[path = "serving_tests.rs"]
mod tests;

//! Makes the keys of domains that have none, while the box serves: one pair after the other, on a thread of its own.

use std::{rc::Rc, thread};

use tokio::sync::{oneshot, watch};

use super::{
    keys::{DomainKeys, new_name},
    limits::DOMAINS_MAX,
    pair::{CannotMake, Pair},
};
use crate::{
    office::Office,
    provision::{Change, Keeper as _, key},
};

/// Looks for domains without keys now and after every change, for as long as it runs.
pub(crate) async fn keep(office: Rc<Office>, mut changes: watch::Receiver<()>) {
    loop {
        make_missing(&office).await;
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// Makes what is missing. What cannot be made or stored is tried again after the next change.
async fn make_missing(office: &Office) {
    // A name says when its keys were made: a box that does not know the time waits until it does.
    while let Some(domain) = first_without_keys(office).filter(|_| office.clock().is_known()) {
        let pair = match make_on_a_thread(new_name(office.now().unix, &[])).await {
            Ok(pair) => pair,
            Err(error) => return log::error!("no DKIM keys for {domain}: {error}"),
        };
        let keys = DomainKeys::first(pair);
        let change = Change::set(key::dkim(&domain), keys.store().to_vec());
        if let Err(refusal) = office.carry_out(vec![change]).await {
            return log::error!("the DKIM keys of {domain} could not be stored: {refusal:?}");
        }
        let name = keys.current().name();
        log::info!("{domain} has new DKIM keys, {name}; `tegami dkim` shows the records to publish");
    }
}

/// The first domain that has none. What is stored is left alone, also where another version of the program stored it: its
/// records may be published.
fn first_without_keys(office: &Office) -> Option<String> {
    let store = office.store();
    if store.is_read_only() || store.settings(key::DKIM_PREFIX).count() >= DOMAINS_MAX {
        return None;
    }
    store.domains().find(|domain| store.setting(&key::dkim(domain)).is_none()).map(str::to_owned)
}

/// Makes a pair where nobody waits for it. The thread runs when no other wants to.
async fn make_on_a_thread(name: String) -> Result<Pair, CannotMake> {
    let (done, made) = oneshot::channel();
    let work = move || {
        // With Linux this is the priority of the one thread. Without it the keys are made all the same.
        let _ = rustix::process::setpriority_process(None, LEAST_PRIORITY);
        // Nobody may be waiting any more: then the box is being switched off.
        let _ = done.send(Pair::make(name));
    };
    thread::Builder::new().name("dkim-keys".to_owned()).spawn(work).map_err(|_| CannotMake)?;
    made.await.map_err(|_| CannotMake)?
}

/// The nice value of a thread that gives way to all others (setpriority(2)).
const LEAST_PRIORITY: i32 = 19;

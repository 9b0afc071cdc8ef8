//! Keeps misuse within limits: what one account, one device and one address may send, whatever number of connections they
//! use, and how long those have to wait who try names. Each episode is one line in the log, however long it lasts.

mod bucket;
mod ledger;
mod limits;

#[cfg(test)]
mod open_relay_tests;

use std::{cell::RefCell, net::IpAddr};

use mail::{Address, Ticks};
use proto::smtp::{Client, Device, Guard, Later};

use ledger::{Ledger, Verdict, What};

/// The guards of a box.
#[derive(Debug)]
pub(crate) struct Guards(RefCell<Ledger>);

impl Guards {
    /// Nobody has sent anything yet.
    pub(crate) const fn new() -> Self {
        Self(RefCell::new(Ledger::new()))
    }

    fn ask(&self, client: Client, what: What, sender: Option<&Address>, now: Ticks) -> Result<(), Later> {
        let verdict = self.0.borrow_mut().ask(client, what, now);
        let Verdict::Refused { wait_s, is_news } = verdict else { return Ok(()) };
        if is_news {
            let sender = sender.map_or_else(|| "<>".to_owned(), ToString::to_string);
            let what = match what {
                What::Letter => "more letters than anybody needs to",
                What::Outside => "to more people at other servers than anybody needs to",
            };
            log::warn!(
                "{} sends {what}, now as {sender}: the rest is refused until it has slowed down",
                name(client)
            );
        }
        Err(Later(wait_s))
    }
}

impl Guard for Guards {
    fn letter(&self, client: Client, sender: Option<&Address>, now: Ticks) -> Result<(), Later> {
        self.ask(client, What::Letter, sender, now)
    }

    fn outside(&self, client: Client, sender: Option<&Address>, now: Ticks) -> Result<(), Later> {
        self.ask(client, What::Outside, sender, now)
    }

    fn unknown(&self, client: Client, now: Ticks) -> u64 {
        let (delay_ms, is_news) = self.0.borrow_mut().unknown(client, now);
        if is_news {
            log::warn!("{} tries names that nobody here has: it has to wait for each reply", name(client));
        }
        delay_ms
    }

    fn device_sent(&self, ip: IpAddr, device: &Device, recipients: u32, bytes: u64) {
        log::info!("device {ip}: a letter from {} to {recipients} recipients, {bytes} bytes", device.sender);
    }
}

fn name(client: Client) -> String {
    match client {
        Client::Account(account) => format!("account {}", account.0),
        Client::Device(ip) => format!("device {ip}"),
        Client::Stranger(ip) => ip.to_string(),
    }
}

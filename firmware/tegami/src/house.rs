//! The box once its flash is mounted: settings, certificates, passwords and page, tied together.

use std::{
    cell::{Cell, RefCell},
    net::{IpAddr, SocketAddr},
    rc::Rc,
    time::Duration,
};

use proto::{imap, pop3, smtp};
use ring::rand::SystemRandom;
use tokio::{
    sync::{Notify, watch},
    time::sleep,
};

use crate::{
    certs::{AuthorityView, Certificates, Moment, Names},
    clock::Clock,
    devices::Devices,
    dkim,
    guards::Guards,
    health::{Health, READ_ONLY_ALERT},
    http::{ClockView, Desk, FlashView, NetworkView, ProvisionView, StateView},
    limits::CERTIFICATE_CHECK,
    memory::Memory,
    network::Resident,
    office::Office,
    passwords::{Authenticator, CannotHash, Decoys, Hasher},
    provision::{self, FileError, Keeper, PasswordTask, SCRUB_DAYS_DEFAULT, Settings, key},
    queue::Rewriter,
    routing::{self, Router},
    service::Service,
};

/// What differs between a box and a program on somebody's computer.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// Addresses under which the box is reached.
    pub addresses: Vec<IpAddr>,
    /// How it is on the network.
    pub network: NetworkView,
    /// Name servers of the network.
    pub name_servers: Vec<SocketAddr>,
    /// Whether a password is taken without TLS from loopback: hosted mode only.
    pub trust_loopback: bool,
}

/// What sessions are told.
#[derive(Clone)]
pub(crate) struct Configs {
    pub smtp: Rc<smtp::Config>,
    pub imap: Rc<imap::Config>,
    pub pop3: Rc<pop3::Config>,
    pub devices: Rc<Devices>,
}

impl Configs {
    /// For a box of that name, with the domain of `<postmaster>` if it has one, its largest message in bytes, and whether
    /// everybody can log in with SCRAM.
    pub(crate) fn new(
        hostname: String,
        postmaster_domain: Option<String>,
        message_bytes_max: u64,
        scram: bool,
    ) -> Self {
        let postmaster_domain = postmaster_domain.unwrap_or_else(|| hostname.clone());
        Self {
            smtp: Rc::new(smtp::Config {
                hostname: hostname.clone(),
                postmaster_domain,
                message_bytes_max,
                scram,
                clock_is_known: false,
                guard: Rc::new(smtp::Unguarded),
                sha256: dkim::sha256,
                rewritten: None,
            }),
            imap: Rc::new(imap::Config { hostname: hostname.clone(), alert: None, scram }),
            pop3: Rc::new(pop3::Config { hostname, scram }),
            devices: Rc::default(),
        }
    }
}

impl Configs {
    /// The same, with something that everybody is told who logs in.
    fn with_alert(self, alert: &'static str) -> Self {
        let imap = imap::Config { alert: Some(alert), ..(*self.imap).clone() };
        Self { imap: Rc::new(imap), ..self }
    }

    /// The same for a box that serves: with its devices and its guard, whom it has forwarded letters for, and whether it
    /// knows the time of day.
    fn of_office(self, office: &Office, guards: &Rc<Guards>, rewriter: &Rc<Rewriter>) -> Self {
        let guard = Rc::clone(guards) as Rc<dyn smtp::Guard>;
        let rewritten = Some(Rc::clone(rewriter) as Rc<dyn smtp::Rewritten>);
        let clock_is_known = office.clock().is_known();
        let smtp = Rc::new(smtp::Config { clock_is_known, guard, rewritten, ..(*self.smtp).clone() });
        let devices = Rc::new(Devices::load(office.store().settings(key::DEVICE_PREFIX)));
        Self { smtp, devices, ..self }
    }
}

/// The box.
pub(crate) struct House {
    pub office: Rc<Office>,
    pub authenticator: Rc<Authenticator>,
    pub certificates: Certificates,
    guards: Rc<Guards>,
    pub rewriter: Rc<Rewriter>,
    configs: RefCell<Configs>,
    site: RefCell<Site>,
    provision: RefCell<Option<ProvisionView>>,
    services: Cell<&'static [Service]>,
    renew: Notify,
    /// Has a new version whenever something changed that people are shown.
    shown: watch::Sender<()>,
    hashed: Cell<bool>,
}

/// Host name of a box that has been given none.
pub(crate) const HOSTNAME_DEFAULT: &str = "tegami.local";

/// Why the house could not be opened.
type Problem = String;

impl House {
    /// Applies the provision file if there is one, and makes ready what serving needs. Passwords that are still to be
    /// hashed come back; `None` if no file is in force.
    ///
    /// # Errors
    /// No randomness, no thread, or a store that takes nothing: a sentence.
    pub(crate) async fn open(
        office: Rc<Office>,
        site: Site,
        provision: Option<&[u8]>,
    ) -> Result<(Rc<Self>, Option<Vec<PasswordTask>>), Problem> {
        let hasher = Hasher::start().map_err(|error| format!("no thread for passwords: {error}"))?;
        let (decoys, new_decoys) =
            Decoys::open(office.as_ref(), &SystemRandom::new()).map_err(no_randomness)?;
        let (rewriter, new_key) = Rewriter::open(office.as_ref(), &SystemRandom::new())
            .map_err(|_| "there is no randomness".to_owned())?;
        let authenticator = Rc::new(Authenticator::new(hasher, decoys).map_err(no_randomness)?);
        let (view, tasks) = apply(&office, &authenticator, provision).await;
        let settings = Settings::load(office.as_ref());
        set_clock_and_limits(&office, &settings);
        let names = names(&office, &settings, &site);
        let opened = Certificates::open(office.as_ref(), &names, moment(&office));
        let (certificates, mut changes) = opened.map_err(|error| format!("no certificate: {error}"))?;
        changes.extend(new_decoys);
        changes.extend(new_key);
        // A store that takes no more writes still serves what it has; its keys then last until the box is restarted.
        if let Err(refusal) = office.carry_out(changes).await {
            log::error!("the new keys could not be stored: {refusal:?}");
        }
        let (guards, rewriter) = (Rc::new(Guards::new()), Rc::new(rewriter));
        let house = Self {
            configs: RefCell::new(configs(&office, &settings, &guards, &rewriter)),
            guards,
            office,
            authenticator,
            certificates,
            rewriter,
            site: RefCell::new(site),
            provision: RefCell::new(view),
            services: Cell::new(&Service::ALL),
            renew: Notify::new(),
            shown: watch::Sender::new(()),
            hashed: Cell::new(false),
        };
        Ok((Rc::new(house), tasks))
    }

    /// What new sessions are told.
    pub(crate) fn configs(&self) -> Configs {
        let configs = self.configs.borrow().clone();
        if self.office.store().is_read_only() { configs.with_alert(READ_ONLY_ALERT) } else { configs }
    }

    /// The box's name.
    pub(crate) fn hostname(&self) -> String {
        self.configs.borrow().imap.hostname.clone()
    }

    /// Something that people are shown has changed.
    pub(crate) fn show_again(&self) {
        self.shown.send_replace(());
    }

    /// Whether a password is taken without TLS from loopback.
    pub(crate) fn trusts_loopback(&self) -> bool {
        self.site.borrow().trust_loopback
    }

    /// Hashes the passwords of a provision file, while the box serves already.
    pub(crate) async fn hash_passwords(&self, tasks: Vec<PasswordTask>) {
        let count = tasks.len();
        match provision::set_passwords(tasks, self.office.as_ref(), &self.authenticator).await {
            Ok(()) if count > 0 => log::info!("{count} passwords of the provision file are in force"),
            Ok(()) => {}
            Err(problem) => {
                return log::error!("a password of the provision file could not be set: {problem:?}");
            }
        }
        // Those who connect from now on can log in with SCRAM.
        let settings = Settings::load(self.office.as_ref());
        *self.configs.borrow_mut() = configs(&self.office, &settings, &self.guards, &self.rewriter);
        self.hashed.set(true);
        self.shown.send_replace(());
    }

    /// Returns once the provision file is in force with all its passwords: only then may they be replaced in it. In a file
    /// that was not applied stand passwords that the box does not have.
    pub(crate) async fn passwords_hashed(&self) {
        let mut changes = self.changes();
        while !self.hashed.get() && changes.changed().await.is_ok() {}
    }

    /// Changes, from now on, of what people are shown. None is missed by somebody who is busy when it comes.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.shown.subscribe()
    }

    /// Addresses under which the box is reached.
    pub(crate) fn addresses(&self) -> Vec<IpAddr> {
        self.site.borrow().addresses.clone()
    }

    /// How the box is on the network.
    pub(crate) fn network(&self) -> NetworkView {
        self.site.borrow().network
    }

    /// What finds the way of letters, as settings and network are now: another one is needed after each of
    /// [`Self::changes`].
    pub(crate) fn router(&self) -> Router {
        Router::new(&self.hostname(), &self.addresses(), &self.name_servers())
    }

    /// The name servers to be asked: the settings', otherwise the network's or those of the computer.
    fn name_servers(&self) -> Vec<SocketAddr> {
        let settings = Settings::load(self.office.as_ref());
        if !settings.dns.is_empty() {
            return settings.dns;
        }
        let site = self.site.borrow();
        match site.network {
            NetworkView::Hosted => routing::system_servers(),
            _ => site.name_servers.clone(),
        }
    }

    /// Keeps names, certificates and limits in step with settings, network and clock, for as long as it runs.
    pub(crate) async fn keep_in_step(self: Rc<Self>) {
        loop {
            tokio::select! {
                () = self.renew.notified() => {}
                () = sleep(CERTIFICATE_CHECK) => {}
            }
            let settings = Settings::load(self.office.as_ref());
            set_clock_and_limits(&self.office, &settings);
            let names = names(&self.office, &settings, &self.site.borrow());
            *self.configs.borrow_mut() = configs(&self.office, &settings, &self.guards, &self.rewriter);
            let before = self.certificates.authority().fingerprint;
            match self.certificates.refresh(&names, moment(&self.office)) {
                Ok(changes) => {
                    if let Err(refusal) = self.office.carry_out(changes).await {
                        log::error!("the new certificate could not be stored: {refusal:?}");
                    }
                }
                Err(error) => log::error!("no new certificate: {error}"),
            }
            let fingerprint = self.certificates.authority().fingerprint;
            if fingerprint != before {
                log::info!("there is a new CA; its fingerprint (SHA-256) is {fingerprint}");
            }
            self.shown.send_replace(());
        }
    }
}

impl Resident for House {
    fn settings(&self) -> Settings {
        Settings::load(self.office.as_ref())
    }

    fn clock(&self) -> &Clock {
        self.office.clock()
    }

    fn changes(&self) -> watch::Receiver<()> {
        Self::changes(self)
    }

    fn moved(&self, addresses: Vec<IpAddr>, network: NetworkView, name_servers: Vec<SocketAddr>) {
        let mut site = self.site.borrow_mut();
        (site.addresses, site.network, site.name_servers) = (addresses, network, name_servers);
        self.renew.notify_one();
    }

    fn clock_changed(&self) {
        self.renew.notify_one();
    }
}

impl Desk for House {
    fn state(&self) -> StateView {
        let settings = Settings::load(self.office.as_ref());
        let now = self.office.now();
        let store = self.office.store();
        let figures = store.statistics();
        let site = self.site.borrow();
        StateView {
            hostname: settings.hostname.unwrap_or_else(|| HOSTNAME_DEFAULT.into()),
            domains: store.domains().map(str::to_owned).collect(),
            version: env!("CARGO_PKG_VERSION"),
            up_s: self.office.uptime().as_secs(),
            addresses: site.addresses.clone(),
            network: site.network,
            services: self.services.get().iter().map(|service| (*service, true)).collect(),
            flash: FlashView {
                capacity: figures.capacity,
                used: figures.capacity.saturating_sub(figures.free),
                messages: figures.letters as u64,
                health: Health::of(&figures),
            },
            memory: Memory::now(site.network != NetworkView::Hosted),
            clock: ClockView {
                unix_s: now.unix.0,
                utc_offset_s: now.utc_offset_s,
                zone: settings.timezone.unwrap_or_else(|| "UTC".into()),
                is_known: self.office.clock().is_known(),
            },
            provision: self.provision.borrow().clone(),
        }
    }

    fn authority(&self) -> AuthorityView {
        self.certificates.authority()
    }

    fn keeper(&self) -> &dyn Keeper {
        self.office.as_ref()
    }

    fn authenticator(&self) -> &Authenticator {
        &self.authenticator
    }

    fn changed(&self) {
        self.renew.notify_one();
    }
}

fn no_randomness(_: CannotHash) -> Problem {
    "there is no randomness".to_owned()
}

/// Applies the provision file; on an error nothing is applied and the box serves as before.
async fn apply(
    office: &Rc<Office>,
    authenticator: &Authenticator,
    file: Option<&[u8]>,
) -> (Option<ProvisionView>, Option<Vec<PasswordTask>>) {
    let Some(file) = file else { return (None, None) };
    let planned = provision::read(file).and_then(|wanted| provision::plan(wanted, office.as_ref()));
    let plan = match planned {
        Ok(plan) => plan,
        Err(error) => {
            say_wrong(&error);
            return (Some(ProvisionView::Wrong(error)), None);
        }
    };
    let notes = plan.notes.clone();
    match provision::carry_out(plan, office.as_ref(), authenticator).await {
        Ok(tasks) => {
            for note in &notes {
                log::info!("{}", note.sentence(crate::language::Language::English));
            }
            (Some(ProvisionView::Applied(notes)), Some(tasks))
        }
        Err(refusal) => {
            log::error!("the provision file could not be applied: {refusal:?}");
            (None, None)
        }
    }
}

fn say_wrong(error: &FileError) {
    log::error!(
        "nothing of the provision file is applied: {}",
        error.sentence(crate::language::Language::English)
    );
}

fn set_clock_and_limits(office: &Office, settings: &Settings) {
    let zone = settings.timezone.as_deref().unwrap_or("UTC");
    if let Err(error) = office.clock().set_zone(zone) {
        log::error!("the time zone {zone} is not known: {error}");
    }
    let limit = message_limit(settings) + smtp::limits::TRACE_BYTES_MAX as u64;
    office.store_mut().set_message_limit(limit);
    office.store_mut().set_compact(settings.compact.unwrap_or(true));
    let days = settings.scrub_days.unwrap_or(SCRUB_DAYS_DEFAULT.into());
    office.store_mut().set_scrub((days > 0).then(|| Duration::from_secs(days.saturating_mul(86_400))));
}

fn message_limit(settings: &Settings) -> u64 {
    settings.message_bytes_max.unwrap_or(mail::limits::MESSAGE_BYTES_DEFAULT)
}

fn names(office: &Office, settings: &Settings, site: &Site) -> Names {
    Names {
        hostname: settings.hostname.clone().unwrap_or_else(|| HOSTNAME_DEFAULT.into()),
        domains: office.store().domains().map(str::to_owned).collect(),
        addresses: site.addresses.clone(),
    }
}

fn configs(office: &Office, settings: &Settings, guards: &Rc<Guards>, rewriter: &Rc<Rewriter>) -> Configs {
    let hostname = settings.hostname.clone().unwrap_or_else(|| HOSTNAME_DEFAULT.into());
    let postmaster_domain = office.store().domains().next().map(str::to_owned);
    Configs::new(hostname, postmaster_domain, message_limit(settings), office.everybody_has_scram())
        .of_office(office, guards, rewriter)
}

fn moment(office: &Office) -> Moment {
    Moment { unix_s: office.now().unix.0, is_known: office.clock().is_known() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        routing::{Destination, NoRoute, Routes},
        testing::{Flash, PROVISION, Rig, block_on},
    };

    #[test]
    fn letters_find_their_way_by_the_settings_name_servers_or_the_networks() {
        let lent: SocketAddr = "192.0.2.53:53".parse().unwrap();
        block_on(async {
            let rig = Rig::start(Flash::new("name-servers", Duration::ZERO)).await;
            let house = &rig.serving.house;
            assert_eq!(house.name_servers(), routing::system_servers());
            house.moved(vec!["192.0.2.7".parse().unwrap()], NetworkView::Dhcp(None), vec![lent]);
            assert_eq!(house.name_servers(), [lent]);
            let destination = Destination::Domain("[192.0.2.7]".into());
            let found = house.router().servers(&Routes::default(), &destination).await;
            assert_eq!(found.unwrap_err(), NoRoute::Loop);
        });
        block_on(async {
            let file = [PROVISION, b"[dns]\nservers = ['192.0.2.1:5353']\n"].concat();
            let rig = Rig::start_with(Flash::new("own-name-servers", Duration::ZERO), &file).await;
            let house = &rig.serving.house;
            house.moved(vec![], NetworkView::Dhcp(None), vec![lent]);
            assert_eq!(house.name_servers(), ["192.0.2.1:5353".parse().unwrap()]);
        });
    }
}

//! A box whose flash cannot be used: it is on the network, serves no mail, and says on its page and its console what is
//! wrong and what to do. It touches neither the flash nor the clock of the store that may be on it.

use std::{
    cell::RefCell,
    fmt::Write as _,
    net::{IpAddr, SocketAddr},
    rc::Rc,
};

use mail::UnixTime;
use proto::{Output, Reason};
use tokio::{net::TcpStream, sync::watch, time::Instant};

use crate::{
    ailment::Ailment,
    clock::Clock,
    closing::Closing,
    door::{Reception, say_and_close},
    house::{Configs, HOSTNAME_DEFAULT},
    http::{self, AilingView, ClockView, FlashView, NetworkView, StateView},
    language::Language,
    memory::Memory,
    network::Resident,
    provision::{self, Settings},
    service::Service,
    wire::Wire,
};

/// The box.
pub(crate) struct Ailing {
    ailment: Ailment,
    /// Of the file on the card: those of the store cannot be had.
    settings: Settings,
    clock: Clock,
    started: Instant,
    place: RefCell<(Vec<IpAddr>, NetworkView)>,
    shown: watch::Sender<()>,
    closing: Rc<Closing>,
}

impl Ailing {
    /// A box with this ailment, and the provision file of its card.
    pub(crate) fn new(
        ailment: Ailment,
        file: Option<&[u8]>,
        clock_is_known: bool,
        closing: Rc<Closing>,
    ) -> Rc<Self> {
        let wanted = file.and_then(|file| provision::read(file).ok());
        Rc::new(Self {
            ailment,
            settings: wanted.map(Settings::from).unwrap_or_default(),
            clock: Clock::new(UnixTime::default(), clock_is_known),
            started: Instant::now(),
            place: RefCell::new((Vec::new(), NetworkView::Waiting)),
            shown: watch::Sender::new(()),
            closing,
        })
    }

    /// For the console: in the owner's language, in both where that is not known. What a console cannot show of Japanese
    /// it can of English.
    pub(crate) fn console_text(&self) -> String {
        let languages: &[Language] = match self.settings.language {
            Some(Language::English) => &[Language::English],
            Some(Language::Japanese) => &[Language::Japanese, Language::English],
            None => &Language::ALL,
        };
        let mut text = format!("\nTegami {}\n", env!("CARGO_PKG_VERSION"));
        if let Some(address) = self.place.borrow().0.first() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "Page: http://{address}/");
        }
        for language in languages {
            let _ = writeln!(text, "\n{}", self.ailment.lines(*language).join("\n"));
        }
        text
    }

    fn view(&self) -> AilingView {
        let (addresses, network) = self.place.borrow().clone();
        let (now, utc_offset_s) = self.clock.read();
        let state = StateView {
            hostname: self.hostname(),
            domains: Vec::new(),
            version: env!("CARGO_PKG_VERSION"),
            up_s: self.started.elapsed().as_secs(),
            addresses,
            network,
            services: Service::ALL.map(|service| (service, service == Service::Http)).into(),
            flash: FlashView::default(),
            memory: Memory::now(true),
            clock: ClockView {
                unix_s: now.0,
                utc_offset_s,
                zone: "UTC".to_owned(),
                is_known: self.clock.is_known(),
            },
            provision: None,
        };
        AilingView { state, ailment: self.ailment.clone(), language: self.settings.language }
    }

    fn hostname(&self) -> String {
        self.settings.hostname.clone().unwrap_or_else(|| HOSTNAME_DEFAULT.to_owned())
    }
}

impl Resident for Ailing {
    fn settings(&self) -> Settings {
        self.settings.clone()
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn changes(&self) -> watch::Receiver<()> {
        self.shown.subscribe()
    }

    fn moved(&self, addresses: Vec<IpAddr>, network: NetworkView, _: Vec<SocketAddr>) {
        self.place.replace((addresses, network));
        self.shown.send_replace(());
    }

    fn clock_changed(&self) {}
}

impl Reception for Rc<Ailing> {
    async fn receive(&self, service: Service, stream: TcpStream, from: SocketAddr) {
        if service == Service::Http {
            let ip = from.ip().to_canonical();
            http::serve_ailing(|| self.view(), stream, ip, self.closing.begun()).await;
        } else if !service.is_tls() {
            // The keys for TLS are on the flash: those ports close without a word.
            say_and_close(Wire::Plain(stream), &self.refusal(service, Reason::NoStore)).await;
        }
    }

    fn refusal(&self, service: Service, reason: Reason) -> Output {
        Configs::new(self.hostname(), None, 0, false).refusal(service, reason)
    }
}

#[cfg(test)]
#[path = "ailing_tests.rs"]
mod tests;

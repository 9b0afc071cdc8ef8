//! The first page: what the box is, how it is, what to do next.

use jiff::Timestamp;
use jiff::tz::Offset;
use maud::{Markup, html};

use super::{Reader, Weight, fingerprint, notice, page};
use crate::certs::AuthorityView;
use crate::http::guard::Found;
use crate::http::limits::LISTED_MAX;
use crate::http::path::Path;
use crate::http::view::{ClockView, FlashView, Missing, NetworkView, ProvisionView, StateView};
use crate::language::{Language, Text};
use crate::memory::Memory;
use crate::service::Service;

/// Part of the flash, in percent, from which on the page says that it is filling up.
const FILLING_PERCENT: u64 = 90;

/// The page.
pub(in crate::http) fn render(
    reader: &Reader,
    state: &StateView,
    authority: &AuthorityView,
    missing: Missing,
    found: &Found,
) -> String {
    let body = html! {
        (next_step(reader, state, missing, found))
        @for (weight, sentence) in remarks(reader, state) { (notice(weight, &sentence)) }
        (services(reader, state, missing, found))
        (storage(reader, &state.flash))
        (network(reader, state))
        (about(reader, state))
        (trust(reader, authority))
    };
    page(reader, reader.say(Text::StateTitle), &body)
}

fn next_step(reader: &Reader, state: &StateView, missing: Missing, found: &Found) -> Markup {
    let (title, more, link) = match missing {
        _ if missing.is_nothing() => (Text::StateClaimed, Text::StateClaimedMore, Text::StateMailLink),
        Missing { domain: false, account: false, .. } => {
            (Text::StateNoAdministrator, Text::StateNoAdministratorMore, Text::StateAdministratorLink)
        }
        _ => (Text::StateUnclaimed, Text::StateUnclaimedMore, Text::StateClaimLink),
    };
    let mail = Path::Mail.text();
    html! {
        section.hero {
            p.eyebrow { (state.hostname) }
            h1 { (reader.say(title)) }
            p { (reader.say(more)) }
            @if missing.is_nothing() {
                p { a.button href=(mail) { (reader.say(link)) } }
            } @else {
                p.links {
                    a.button href=(found.https(Path::Claim.text())) { (reader.say(link)) }
                    @if !missing.account { a.button.quiet href=(mail) { (reader.say(Text::StateMailLink)) } }
                }
                @if !found.tls { p.hint { (reader.say(Text::StateWarningAhead)) } }
            }
        }
    }
}

/// What is wrong or worth knowing, the worst first.
fn remarks(reader: &Reader, state: &StateView) -> Vec<(Weight, String)> {
    let mut remarks = Vec::new();
    let flash = &state.flash;
    let complaints = flash.health.complaints().into_iter();
    remarks.extend(
        complaints.map(|complaint| (Weight::Alarm, flash.health.sentence(complaint, reader.language))),
    );
    if percent(flash) >= FILLING_PERCENT {
        remarks.push((Weight::Alarm, reader.say(Text::StateFilling).to_owned()));
    }
    if state.network == NetworkView::Waiting {
        remarks.push((Weight::Alarm, reader.say(Text::StateNoAddress).to_owned()));
    }
    if !state.clock.is_known {
        remarks.push((Weight::Note, reader.say(Text::StateClockUnknown).to_owned()));
    }
    match &state.provision {
        Some(ProvisionView::Wrong(error)) => {
            let sentence = error.sentence(reader.language);
            remarks.push((Weight::Alarm, reader.fill(Text::StateProvisionWrong, &[&sentence])));
        }
        Some(ProvisionView::Applied(notes)) => {
            remarks.extend(notes.iter().map(|note| (Weight::Note, note.sentence(reader.language))));
        }
        None => {}
    }
    remarks
}

pub(super) fn services(reader: &Reader, state: &StateView, missing: Missing, found: &Found) -> Markup {
    html! {
        section {
            h2 { (reader.say(Text::StateServices)) }
            table {
                thead { tr {
                    th scope="col" { (reader.say(Text::StateService)) }
                    th.number scope="col" { (reader.say(Text::StatePort)) }
                    th scope="col" { (reader.say(Text::StateHow)) }
                } }
                tbody {
                    @for (service, listens) in &state.services {
                        @let (text, class) = service_state(*service, *listens, missing);
                        tr {
                            th scope="row" {
                                (reader.say(service_name(*service))) " "
                                span.hint { (if service.is_tls() { "TLS" } else { reader.say(plain(*service)) }) }
                            }
                            td.number { (service.port().saturating_add(found.port_offset())) }
                            td { span class=(class) { (reader.say(text)) } }
                        }
                    }
                }
            }
        }
    }
}

const fn service_state(service: Service, listens: bool, missing: Missing) -> (Text, &'static str) {
    let is_page = matches!(service, Service::Http | Service::Https);
    if !listens {
        (Text::StateStopped, "dot bad")
    } else if missing.account && !is_page {
        (Text::StateWaits, "dot wait")
    } else {
        (Text::StateRuns, "dot ok")
    }
}

const fn service_name(service: Service) -> Text {
    match service {
        Service::Smtp => Text::ServiceReceiving,
        Service::Submission | Service::Submissions => Text::ServiceSending,
        Service::Imap | Service::Imaps => Text::ServiceImap,
        Service::Pop3 | Service::Pop3s => Text::ServicePop3,
        Service::Http | Service::Https => Text::ServicePage,
    }
}

/// What is said of a service that does not begin with TLS.
const fn plain(service: Service) -> Text {
    match service {
        Service::Http => Text::ServiceNoTls,
        _ => Text::ServiceStartTls,
    }
}

fn storage(reader: &Reader, flash: &FlashView) -> Markup {
    let used = reader.fill(Text::StateUsed, &[&reader.size(flash.used), &reader.size(flash.capacity)]);
    html! {
        section {
            h2 { (reader.say(Text::StateStorage)) }
            progress max=(flash.capacity.max(1)) value=(flash.used.min(flash.capacity)) aria-label=(used) {}
            p { (used) }
            p.hint { (reader.fill(Text::StateMessages, &[&flash.messages.to_string()])) }
        }
    }
}

/// Percent of the flash in use, rounded down; 0 while there is none.
const fn percent(flash: &FlashView) -> u64 {
    match flash.used.saturating_mul(100).checked_div(flash.capacity) {
        Some(percent) => percent,
        None => 0,
    }
}

pub(super) fn network(reader: &Reader, state: &StateView) -> Markup {
    let (how, gateway) = match state.network {
        NetworkView::Hosted => (Text::NetworkHosted, None),
        NetworkView::Waiting => (Text::NetworkWaiting, None),
        NetworkView::Dhcp(gateway) => (Text::NetworkDhcp, gateway),
        NetworkView::Fixed(gateway) => (Text::NetworkFixed, gateway),
    };
    html! {
        section {
            h2 { (reader.say(Text::StateNetwork)) }
            dl {
                dt { (reader.say(Text::NetworkName)) }
                dd { (state.hostname) }
                dt { (reader.say(Text::NetworkAddresses)) }
                dd {
                    @for address in state.addresses.iter().take(LISTED_MAX) { span.line { (address) } }
                    @if state.addresses.is_empty() { "–" }
                }
                dt { (reader.say(Text::NetworkHow)) }
                dd { (reader.say(how)) }
                @if let Some(gateway) = gateway {
                    dt { (reader.say(Text::NetworkGateway)) }
                    dd { (gateway) }
                }
                @if !state.domains.is_empty() {
                    dt { (reader.say(Text::NetworkDomains)) }
                    dd { @for domain in state.domains.iter().take(LISTED_MAX) { span.line { (domain) } } }
                }
            }
        }
    }
}

fn about(reader: &Reader, state: &StateView) -> Markup {
    html! {
        section {
            h2 { (reader.say(Text::StateAbout)) }
            dl {
                dt { (reader.say(Text::StateClock)) }
                dd {
                    (clock(reader, &state.clock))
                    @if !state.clock.is_known { " " span.hint { (reader.say(Text::StateClockGuess)) } }
                }
                @if let Some(Memory { total, free, own }) = state.memory {
                    @let sizes = [free, total, own].map(|bytes| reader.size(bytes));
                    dt { (reader.say(Text::StateMemory)) }
                    dd { (reader.fill(Text::StateMemoryFree, &sizes.each_ref().map(String::as_str))) }
                }
                dt { (reader.say(Text::StateUp)) }
                dd { (up(reader, state.up_s)) }
                dt { (reader.say(Text::StateVersion)) }
                dd { "Tegami " (state.version) }
            }
        }
    }
}

fn trust(reader: &Reader, authority: &AuthorityView) -> Markup {
    html! {
        section {
            h2 { (reader.say(Text::StateTrust)) }
            p { (reader.say(Text::StateTrustWhy)) }
            p.label { (reader.say(Text::StateFingerprint)) }
            (fingerprint(&authority.fingerprint))
            p.links {
                a.button.quiet href=(Path::AuthorityDer.text()) { (reader.say(Text::StateDownloadCrt)) }
                a.button.quiet href=(Path::AuthorityPem.text()) { (reader.say(Text::StateDownloadPem)) }
            }
        }
    }
}

/// Date and time in the box's time zone, to the minute.
fn clock(reader: &Reader, clock: &ClockView) -> String {
    let offset = Offset::from_seconds(clock.utc_offset_s).unwrap_or(Offset::UTC);
    let time = Timestamp::from_second(clock.unix_s).unwrap_or_default();
    let time = time.to_zoned(offset.to_time_zone());
    let format = match reader.language {
        Language::English => "%-d %B %Y, %H:%M",
        Language::Japanese => "%Y年%-m月%-d日 %H:%M",
    };
    reader.fill(Text::StateTime, &[&time.strftime(format).to_string(), &clock.zone])
}

/// How long it has been running, in the largest unit that makes at least two.
fn up(reader: &Reader, seconds: u64) -> String {
    let (text, count) = match seconds {
        0..120 => (Text::StateUpSeconds, seconds),
        120..7_200 => (Text::StateUpMinutes, seconds / 60),
        7_200..172_800 => (Text::StateUpHours, seconds / 3_600),
        _ => (Text::StateUpDays, seconds / 86_400),
    };
    reader.fill(text, &[&count.to_string()])
}

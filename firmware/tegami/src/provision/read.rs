//! From the document to what is wanted: every value read, everything checked that the file alone can tell.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;

use mail::Address;
use proto::Secret;
use toml::Spanned;

use super::document::{self, At, Document, File};
use super::limits::{
    ACCOUNTS_MAX, ENTRIES_MAX, FILE_BYTES_MAX, MESSAGE_BYTES_MAX, MESSAGE_BYTES_MIN, QUOTA_BYTES_MIN,
    RELAY_TEXT_BYTES_MAX, SCRUB_DAYS_MAX, SERVERS_MAX, TARGETS_MAX,
};
use super::problem::{FileError, Place, Problem};
use super::values::{self, Cidr, DNS_PORT, NTP_PORT};
use super::wanted::{
    Account, Alias, AliasName, Device, Domain, Network, NextHop, Password, Route, Tls, Wanted,
};
use super::{card, duplicates};
use crate::language::Language;
use crate::passwords::{PASSWORD_BYTES_MAX, PhcProblem, check_phc};

/// Reads a provision file.
///
/// # Errors
/// The first thing that is wrong with it.
pub(crate) fn read(bytes: &[u8]) -> Result<Wanted, FileError> {
    if bytes.len() > FILE_BYTES_MAX {
        return Err(FileError { place: Place { line: 1, key: String::new() }, problem: Problem::TooLarge });
    }
    let text = str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        FileError { place: Place { line, key: String::new() }, problem: Problem::NotUtf8 }
    })?;
    let document = Document::parse(text)?;
    let file = document.file()?;
    let outline = card::outline(text, &document);
    let wanted = Reader { document: &document }.wanted(file, outline)?;
    duplicates::check(&wanted)?;
    Ok(wanted)
}

struct Reader<'d> {
    document: &'d Document<'d>,
}

type Read<T> = Result<T, FileError>;

impl Reader<'_> {
    fn wanted(&self, file: File, outline: [u8; 32]) -> Read<Wanted> {
        self.version(file.version)?;
        let storage = file.storage.as_ref().map(Spanned::get_ref);
        Ok(Wanted {
            hostname: self.maybe(file.hostname, values::domain_name)?,
            language: self.maybe(file.language, |code| Language::from_code(code).ok_or(Problem::Language))?,
            timezone: self.maybe(file.timezone, time_zone)?,
            administrator: self.password(file.admin_password, file.admin_password_hash)?,
            network: file.network.map_or_else(|| Ok(Network::default()), |table| self.network(table))?,
            dns: match file.dns {
                Some(dns) => {
                    self.list(dns.into_inner().servers, SERVERS_MAX, |text| values::server(text, DNS_PORT))?
                }
                None => Vec::new(),
            },
            domains: self.tables(file.domain, ENTRIES_MAX, Self::domain)?,
            accounts: self.tables(file.account, ACCOUNTS_MAX, Self::account)?,
            aliases: self.tables(file.alias, ACCOUNTS_MAX, Self::alias)?,
            message_bytes_max: match file.limits {
                Some(limits) => self.maybe(limits.into_inner().message_size, message_size)?,
                None => None,
            },
            compact: storage.and_then(|storage| storage.compact.as_ref()).map(|on| *on.get_ref()),
            scrub_days: self.scrub_days(storage.and_then(|storage| storage.scrub_days.as_ref()))?,
            relay: file.relay.map(|table| self.relay(table)).transpose()?,
            routes: self.tables(file.route, ENTRIES_MAX, Self::route)?,
            devices: self.tables(file.device, ENTRIES_MAX, Self::device)?,
            outline,
        })
    }

    fn version(&self, version: At<i64>) -> Read<()> {
        let version = version.ok_or_else(|| FileError {
            place: Place { line: 1, key: "version".to_owned() },
            problem: Problem::Missing,
        })?;
        if *version.get_ref() == 1 { Ok(()) } else { Err(self.error(&version.span(), Problem::Version)) }
    }

    fn scrub_days(&self, days: Option<&Spanned<i64>>) -> Read<Option<u16>> {
        let Some(days) = days else { return Ok(None) };
        let fits = u16::try_from(*days.get_ref()).ok().filter(|days| *days <= SCRUB_DAYS_MAX);
        fits.map(Some).ok_or_else(|| self.error(&days.span(), Problem::NumberRange(0, SCRUB_DAYS_MAX.into())))
    }

    fn network(&self, table: Spanned<document::Network>) -> Read<Network> {
        let span = table.span();
        let table = table.into_inner();
        let gateway_span = table.gateway.as_ref().map(Spanned::span);
        let address = self.maybe(table.address, Cidr::parse)?;
        let gateway = self.maybe(table.gateway, |text| text.parse().map_err(|_| Problem::IpAddress))?;
        let ntp = self.list(table.ntp, SERVERS_MAX, |text| values::server(text, NTP_PORT))?;
        let problem = match (address, gateway) {
            (None, Some(_)) => Some(Problem::GatewayAlone),
            (Some(cidr), Some(gateway)) if !reachable(cidr, gateway) => Some(Problem::Gateway),
            _ => None,
        };
        match problem {
            Some(problem) => Err(self.error(&gateway_span.unwrap_or(span), problem)),
            None => Ok(Network { fixed: address.map(|cidr| (cidr, gateway)), ntp }),
        }
    }

    fn domain(&self, table: document::Domain, span: &Range<usize>) -> Read<Domain> {
        let (name, place) = self.need(table.name, "name", span, values::domain_name)?;
        Ok(Domain { name, place })
    }

    fn account(&self, table: document::Account, span: &Range<usize>) -> Read<Account> {
        let (address, place) = self.need(table.address, "address", span, own_address)?;
        let password = self.password(table.password, table.password_hash)?;
        let quota = self.maybe(table.quota, |text| {
            let bytes = values::size(text)?;
            if bytes < QUOTA_BYTES_MIN { Err(Problem::SizeRange("1MiB", "16777215TiB")) } else { Ok(bytes) }
        })?;
        Ok(Account { address, password, quota, place })
    }

    fn alias(&self, table: document::Alias, span: &Range<usize>) -> Read<Alias> {
        let (name, place) = self.need(table.address, "address", span, alias_name)?;
        let targets = table.to.ok_or_else(|| self.missing(span, "to"))?;
        let to = self.some(targets, |text| Address::parse(text).map_err(Problem::Address))?;
        Ok(Alias { name, to, place })
    }

    fn relay(&self, table: Spanned<document::NextHop>) -> Read<NextHop> {
        let span = table.span();
        self.next_hop(table.into_inner(), &span)
    }

    fn route(&self, table: document::Route, span: &Range<usize>) -> Read<Route> {
        let (domain, place) = self.need(table.domain, "domain", span, values::domain_name)?;
        let document::Route { host, port, tls, user, password, ca, .. } = table;
        let hop = self.next_hop(document::NextHop { host, port, tls, user, password, ca }, span)?;
        Ok(Route { domain, hop, place })
    }

    fn next_hop(&self, table: document::NextHop, span: &Range<usize>) -> Read<NextHop> {
        let (host, _) = self.need(table.host, "host", span, values::host)?;
        let tls = self.maybe(table.tls, tls)?;
        let port = match table.port {
            Some(port) => Some(
                u16::try_from(*port.get_ref())
                    .ok()
                    .filter(|port| *port != 0)
                    .ok_or_else(|| self.error(&port.span(), Problem::Port))?,
            ),
            None => None,
        };
        let user = self.maybe(table.user, relay_text)?;
        let password = self.maybe(table.password, relay_text)?;
        let login = match (user, password) {
            (None, None) => None,
            (Some(user), Some(password)) => Some((user, Secret::new(password))),
            _ => return Err(self.error(span, Problem::HalfLogin)),
        };
        let tls = tls.unwrap_or_else(|| Tls::usual(port, login.is_some()));
        let is_here = host.parse().is_ok_and(|ip: IpAddr| ip.to_canonical().is_loopback());
        if login.is_some() && tls == Tls::None && !is_here {
            return Err(self.error(span, Problem::ClearPassword));
        }
        let ca = self.maybe(table.ca, values::certificates)?.unwrap_or_default();
        Ok(NextHop { host, port: port.unwrap_or_else(|| tls.port()), tls, login, ca })
    }

    fn device(&self, table: document::Device, span: &Range<usize>) -> Read<Device> {
        let device_ip = |text: &str| text.parse::<IpAddr>().map_err(|_| Problem::IpAddress);
        let (ip, place) = self.need(table.ip, "ip", span, device_ip)?;
        let (from, _) =
            self.need(table.from, "from", span, |text| Address::parse(text).map_err(Problem::Address))?;
        let targets = table.to.ok_or_else(|| self.missing(span, "to"))?;
        let to = self.some(targets, alias_name)?.into_iter().map(|(name, _)| name).collect();
        Ok(Device { ip, from, to, place })
    }

    fn password(&self, clear: At<String>, hash: At<String>) -> Read<Option<Password>> {
        if let (Some(_), Some(hash)) = (&clear, &hash) {
            return Err(self.error(&hash.span(), Problem::PasswordTwice));
        }
        let clear = self.maybe(clear, password_text)?.map(|text| Password::Clear(Secret::new(text)));
        Ok(clear.or(self.maybe(hash, password_hash)?.map(Password::Hash)))
    }

    // ---- Helpers -----------------------------------------------------------------------------------------------

    fn error(&self, span: &Range<usize>, problem: Problem) -> FileError {
        FileError { place: self.document.place(span), problem }
    }

    /// A key that must be there: the line is its table's.
    fn missing(&self, table: &Range<usize>, name: &str) -> FileError {
        let Place { line, key } = self.document.place(table);
        FileError { place: Place { line, key: format!("{key}.{name}") }, problem: Problem::Missing }
    }

    fn value<T>(&self, value: &Spanned<String>, parse: impl Fn(&str) -> Result<T, Problem>) -> Read<T> {
        parse(value.get_ref()).map_err(|problem| self.error(&value.span(), problem))
    }

    /// A key that may be absent.
    fn maybe<T>(&self, value: At<String>, parse: impl Fn(&str) -> Result<T, Problem>) -> Read<Option<T>> {
        value.map(|value| self.value(&value, parse)).transpose()
    }

    /// A key that must be there, with its place.
    fn need<T>(
        &self,
        value: At<String>,
        name: &str,
        table: &Range<usize>,
        parse: impl Fn(&str) -> Result<T, Problem>,
    ) -> Read<(T, Place)> {
        let value = value.ok_or_else(|| self.missing(table, name))?;
        Ok((self.value(&value, parse)?, self.document.place(&value.span())))
    }

    fn list<T>(
        &self,
        values: Vec<Spanned<String>>,
        max: usize,
        parse: impl Fn(&str) -> Result<T, Problem>,
    ) -> Read<Vec<T>> {
        if let Some(beyond) = values.get(max) {
            return Err(self.error(&beyond.span(), Problem::TooMany(max)));
        }
        values.iter().map(|value| self.value(value, &parse)).collect()
    }

    /// A list that must not be empty, each value with its place.
    fn some<T>(
        &self,
        values: Spanned<Vec<Spanned<String>>>,
        parse: impl Fn(&str) -> Result<T, Problem>,
    ) -> Read<Vec<(T, Place)>> {
        if values.get_ref().is_empty() {
            return Err(self.error(&values.span(), Problem::Empty));
        }
        let values = values.into_inner();
        let places: Vec<_> = values.iter().map(|value| self.document.place(&value.span())).collect();
        Ok(self.list(values, TARGETS_MAX, parse)?.into_iter().zip(places).collect())
    }

    fn tables<T, U>(
        &self,
        tables: Vec<Spanned<T>>,
        max: usize,
        read: impl Fn(&Self, T, &Range<usize>) -> Read<U>,
    ) -> Read<Vec<U>> {
        if let Some(beyond) = tables.get(max) {
            return Err(self.error(&beyond.span(), Problem::TooMany(max)));
        }
        tables
            .into_iter()
            .map(|table| {
                let span = table.span();
                read(self, table.into_inner(), &span)
            })
            .collect()
    }
}

impl Tls {
    /// What is meant where nothing is said: never a password in clear because somebody took STARTTLS away.
    const fn usual(port: Option<u16>, login: bool) -> Self {
        match port {
            Some(465) => Self::Implicit,
            Some(587) => Self::Required,
            _ if login => Self::Required,
            _ => Self::Opportunistic,
        }
    }

    /// The port that goes with it: 587 and 465 are for submission (RFC 8314 §3), 25 for relaying.
    const fn port(self) -> u16 {
        match self {
            Self::Required => 587,
            Self::Implicit => 465,
            Self::Opportunistic | Self::None => 25,
        }
    }
}

fn tls(text: &str) -> Result<Tls, Problem> {
    match text {
        "starttls" => Ok(Tls::Required),
        "implicit" => Ok(Tls::Implicit),
        "opportunistic" => Ok(Tls::Opportunistic),
        "none" => Ok(Tls::None),
        _ => Err(Problem::Tls),
    }
}

fn reachable(cidr: Cidr, gateway: Ipv4Addr) -> bool {
    values::is_host(gateway) && cidr.reaches(gateway)
}

/// The zone's own spelling of its name.
fn time_zone(name: &str) -> Result<String, Problem> {
    let zone = jiff::tz::TimeZone::get(name).map_err(|_| Problem::TimeZone)?;
    zone.iana_name().map(str::to_owned).ok_or(Problem::TimeZone)
}

fn message_size(text: &str) -> Result<u64, Problem> {
    let bytes = values::size(text)?;
    let fits = (MESSAGE_BYTES_MIN..=MESSAGE_BYTES_MAX).contains(&bytes);
    if fits { Ok(bytes) } else { Err(Problem::SizeRange("64KiB", "256MiB")) }
}

/// An address that a mailbox here can have.
fn own_address(text: &str) -> Result<Address, Problem> {
    let address = Address::parse(text).map_err(Problem::Address)?;
    values::domain_name(address.domain())?;
    Ok(address)
}

fn alias_name(text: &str) -> Result<AliasName, Problem> {
    match text.strip_prefix('@') {
        Some(domain) => values::domain_name(domain).map(AliasName::CatchAll),
        None => own_address(text).map(|address| AliasName::Address(Box::new(address))),
    }
}

/// A text that a person can type as a password.
fn password_text(text: &str) -> Result<String, Problem> {
    let fits = !text.is_empty() && text.len() <= PASSWORD_BYTES_MAX && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(Problem::PasswordText) }
}

fn relay_text(text: &str) -> Result<String, Problem> {
    let fits = !text.is_empty() && text.len() <= RELAY_TEXT_BYTES_MAX && !text.chars().any(char::is_control);
    if fits { Ok(text.to_owned()) } else { Err(Problem::PasswordText) }
}

fn password_hash(text: &str) -> Result<String, Problem> {
    match check_phc(text) {
        Ok(()) => Ok(text.to_owned()),
        Err(PhcProblem::Form) => Err(Problem::PasswordHash),
        Err(PhcProblem::Cost) => Err(Problem::PasswordHashCost),
    }
}

#[cfg(test)]
pub(super) mod tests;

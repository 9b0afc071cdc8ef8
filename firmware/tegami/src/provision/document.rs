//! The provision file as TOML: its shape in serde structures, and which key and line a stretch of it is.
//!
//! Every key is optional here, so that a missing one is reported in our own words by `read`; a key that is not here
//! is an error.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{FileError, Place, Problem};

/// A value with where it stands.
pub(super) type At<T> = Option<Spanned<T>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) version: At<i64>,
    pub(super) hostname: At<String>,
    pub(super) language: At<String>,
    pub(super) timezone: At<String>,
    pub(super) admin_password: At<String>,
    pub(super) admin_password_hash: At<String>,
    pub(super) network: At<Network>,
    pub(super) dns: At<Dns>,
    pub(super) limits: At<Limits>,
    pub(super) storage: At<Storage>,
    pub(super) relay: At<NextHop>,
    #[serde(default)]
    pub(super) domain: Vec<Spanned<Domain>>,
    #[serde(default)]
    pub(super) account: Vec<Spanned<Account>>,
    #[serde(default)]
    pub(super) alias: Vec<Spanned<Alias>>,
    #[serde(default)]
    pub(super) route: Vec<Spanned<Route>>,
    #[serde(default)]
    pub(super) device: Vec<Spanned<Device>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Network {
    pub(super) address: At<String>,
    pub(super) gateway: At<String>,
    #[serde(default)]
    pub(super) ntp: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dns {
    #[serde(default)]
    pub(super) servers: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) message_size: At<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Storage {
    pub(super) compact: At<bool>,
    pub(super) scrub_days: At<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Domain {
    pub(super) name: At<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Account {
    pub(super) address: At<String>,
    pub(super) password: At<String>,
    pub(super) password_hash: At<String>,
    pub(super) quota: At<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Alias {
    pub(super) address: At<String>,
    pub(super) to: At<Vec<Spanned<String>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NextHop {
    pub(super) host: At<String>,
    pub(super) port: At<i64>,
    pub(super) tls: At<String>,
    pub(super) user: At<String>,
    pub(super) password: At<String>,
    pub(super) ca: At<String>,
}

/// `[relay]` with a domain. Written out, because serde cannot flatten and refuse unknown keys at once.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Route {
    pub(super) domain: At<String>,
    pub(super) host: At<String>,
    pub(super) port: At<i64>,
    pub(super) tls: At<String>,
    pub(super) user: At<String>,
    pub(super) password: At<String>,
    pub(super) ca: At<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Device {
    pub(super) ip: At<String>,
    pub(super) from: At<String>,
    pub(super) to: At<Vec<Spanned<String>>>,
}

/// A text that is TOML, with the places of its keys.
pub(super) struct Document<'t> {
    text: &'t str,
    /// Key path and spans of key and value, parents before children.
    entries: Vec<Entry>,
}

/// One key of the file.
pub(super) struct Entry {
    /// Names from the top, joined by dots: `account.password`.
    pub(super) path: String,
    pub(super) key: Range<usize>,
    pub(super) value: Range<usize>,
    /// The table that it stands in, counted through the file: two keys with one number are neighbours.
    pub(super) table: usize,
    /// The value, where it is a text.
    pub(super) text: Option<String>,
}

impl<'t> Document<'t> {
    /// Reads TOML.
    ///
    /// # Errors
    /// The first place that is not TOML.
    pub(super) fn parse(text: &'t str) -> Result<Self, FileError> {
        let table = DeTable::parse(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            let place = Place { line: line_of(text, at), key: key_on_line(text, at) };
            FileError { place, problem: Problem::Syntax(error.message().to_owned()) }
        })?;
        let mut entries = Vec::new();
        let mut tables = 0;
        walk(table.get_ref(), "", &mut tables, &mut entries);
        Ok(Self { text, entries })
    }

    /// Reads the keys into their structures.
    ///
    /// # Errors
    /// The first key that does not exist or whose value has the wrong type.
    pub(super) fn file(&self) -> Result<File, FileError> {
        toml::from_str(self.text).map_err(|error| {
            let span = error.span().unwrap_or_default();
            let unknown = self.entries.iter().any(|entry| entry.key == span);
            let problem =
                if unknown { Problem::UnknownKey } else { Problem::Type(error.message().to_owned()) };
            FileError { place: self.place(&span), problem }
        })
    }

    /// What stands at `span`: its line, and the innermost key that it is or belongs to.
    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        let holds = |outer: &Range<usize>| outer.start <= span.start && span.end <= outer.end;
        let entry = self.entries.iter().rev().find(|entry| holds(&entry.key) || holds(&entry.value));
        let key = entry.map(|entry| entry.path.clone()).unwrap_or_default();
        Place { line: line_of(self.text, span.start), key }
    }

    /// Every key of the file.
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }
}

/// Collects the keys of a table and of what lies below it.
fn walk(table: &DeTable<'_>, above: &str, tables: &mut usize, out: &mut Vec<Entry>) {
    *tables += 1;
    let this = *tables;
    for (key, value) in table {
        let name = key.get_ref();
        let path = if above.is_empty() { name.to_string() } else { format!("{above}.{name}") };
        let text = value.get_ref().as_str().map(str::to_owned);
        out.push(Entry { path: path.clone(), key: key.span(), value: value.span(), table: this, text });
        walk_value(value.get_ref(), &path, tables, out);
    }
}

fn walk_value(value: &DeValue<'_>, path: &str, tables: &mut usize, out: &mut Vec<Entry>) {
    match value {
        DeValue::Table(table) => walk(table, path, tables, out),
        DeValue::Array(array) => array.iter().for_each(|item| walk_value(item.get_ref(), path, tables, out)),
        _ => {}
    }
}

/// The line of byte `at`, counted from 1.
fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

/// Names of keys, for files that are not even TOML.
const KEYS: [&str; 25] = [
    "address",
    "admin_password",
    "admin_password_hash",
    "ca",
    "compact",
    "domain",
    "from",
    "gateway",
    "host",
    "hostname",
    "ip",
    "language",
    "message_size",
    "name",
    "ntp",
    "password",
    "password_hash",
    "port",
    "quota",
    "scrub_days",
    "servers",
    "timezone",
    "tls",
    "to",
    "user",
];

/// The key that the line of byte `at` begins with, where TOML itself is broken and no key is known. Only a word that
/// is one of ours: the line may as well begin with a password.
fn key_on_line(text: &str, at: usize) -> String {
    let line = text.lines().nth(line_of(text, at) - 1).unwrap_or_default().trim_start();
    let word = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
    if KEYS.contains(&word) { word.to_owned() } else { String::new() }
}

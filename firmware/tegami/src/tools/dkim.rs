//! `tegami dkim`: the DNS records with which others verify the letters of a flash's domains, and changes of keys; see
//! [`crate::dkim`] for the steps of a rotation.

use std::path::Path;

use jiff::{Timestamp, tz::TimeZone};
use mail::UnixTime;

use super::{
    Outcome, Problem,
    arguments::Dkim,
    deleted::zone,
    flash::{Writing, look, now},
    output::{say, warn},
    wording::reason,
};
use crate::{
    dkim::{DOMAINS_MAX, DomainKeys, FORMER_DAYS, Former, Pair, Record, new_name, records},
    provision::key,
};

/// Shows records, or changes keys and shows the records then.
///
/// # Errors
/// A sentence.
pub(super) fn run(flash: &Path, what: &Dkim) -> Result<Outcome, Problem> {
    match what {
        Dkim::Show(domain) => show(flash, domain.as_deref()),
        Dkim::Rotate(domain) => change(flash, domain, &rotate),
        Dkim::Use { domain, name } => change(flash, domain, &|keys, domain| use_next(keys, domain, name)),
    }
}

fn show(flash: &Path, domain: Option<&str>) -> Result<Outcome, Problem> {
    let store = look(flash)?;
    let domains: Vec<&str> = store.domains().collect();
    if domains.is_empty() {
        return Err("there is no domain on this flash".into());
    }
    let shown = match domain {
        Some(name) => vec![find(&domains, name)?],
        None => domains,
    };
    let zone = zone(store.setting(key::TIMEZONE));
    let mut outcome = Outcome::Good;
    for domain in shown {
        match store.setting(&key::dkim(domain)) {
            None => say(none_yet(domain)),
            Some(value) => match DomainKeys::load(value).and_then(|keys| report(domain, &keys, &zone)) {
                Some(lines) => lines.iter().for_each(say),
                None => {
                    warn(unusable(domain));
                    outcome = Outcome::Flawed;
                }
            },
        }
    }
    Ok(outcome)
}

/// A step of a rotation: what it did, for people, or why it is not taken.
type Step<'a> = dyn Fn(&mut DomainKeys, &str) -> Result<String, Problem> + 'a;

/// Changes the keys of a domain and shows what is to be done now.
fn change(flash: &Path, domain: &str, step: &Step<'_>) -> Result<Outcome, Problem> {
    let mut writing = Writing::open(flash)?;
    let changed = take_step(&mut writing, domain, step);
    writing.close();
    changed?.iter().for_each(say);
    Ok(Outcome::Good)
}

fn take_step(writing: &mut Writing, domain: &str, step: &Step<'_>) -> Result<Vec<String>, Problem> {
    let domains: Vec<&str> = writing.store.domains().collect();
    let domain = find(&domains, domain)?.to_owned();
    let key = key::dkim(&domain);
    let stored = writing.store.setting(&key).ok_or_else(|| none_yet(&domain))?;
    let mut keys = DomainKeys::load(stored).ok_or_else(|| unusable(&domain))?;
    let mut lines = vec![step(&mut keys, &domain)?];
    let zone = zone(writing.store.setting(key::TIMEZONE));
    lines.extend(report(&domain, &keys, &zone).ok_or_else(|| unusable(&domain))?);
    let value = keys.store();
    let made = writing.make(|store| store.put_setting(&key, &value));
    made.map_err(|refusal| format!("the keys of {domain} are as they were: {}", reason(refusal)))?;
    Ok(lines)
}

fn rotate(keys: &mut DomainKeys, domain: &str) -> Result<String, Problem> {
    let pair = Pair::make(new_name(now(), &keys.names())).map_err(|error| error.to_string())?;
    let done = format!("{domain} has new keys, {}", pair.name());
    keys.announce(pair).map_err(|_| {
        let name = keys.next().map_or("", Pair::name);
        format!("{domain} has new keys already, {name}: `--use {name}` signs with them")
    })?;
    Ok(done)
}

fn use_next(keys: &mut DomainKeys, domain: &str, name: &str) -> Result<String, Problem> {
    keys.use_next(name, now()).map_err(|_| match keys.next() {
        Some(next) => format!("the new keys of {domain} are called {}, not {name}", next.name()),
        None => format!("{domain} has no new keys: `--rotate` makes some"),
    })?;
    Ok(format!("{domain} signs with {name} from now on"))
}

fn find<'a>(domains: &[&'a str], name: &str) -> Result<&'a str, Problem> {
    let found = domains.iter().copied().find(|domain| domain.eq_ignore_ascii_case(name));
    found.ok_or_else(|| match domains {
        [] => format!("there is no domain `{name}` on this flash; there is none at all"),
        _ => format!("there is no domain `{name}` on this flash; there are: {}", domains.join(", ")),
    })
}

fn none_yet(domain: &str) -> String {
    format!("{domain} has no keys yet: a box that serves makes them, for {DOMAINS_MAX} domains at most")
}

fn unusable(domain: &str) -> String {
    format!("the keys of {domain} cannot be used: they are damaged, or another version of Tegami made them")
}

/// What to publish for a domain; `None` if its keys cannot be used.
fn report(domain: &str, keys: &DomainKeys, zone: &TimeZone) -> Option<Vec<String>> {
    let current = keys.current();
    let mut lines = vec![
        domain.to_owned(),
        format!(
            "  Its letters are to be signed with {}: these two records have to be in its DNS.",
            current.name()
        ),
    ];
    lines.extend(publication(domain, &records(current)?));
    if let Some(next) = keys.next() {
        let name = next.name();
        lines.push(format!("  {name} is to replace it. Publish these two records beside the others:"));
        lines.extend(publication(domain, &records(next)?));
        lines.push("  When others can see them, a day later as a rule, sign with them:".to_owned());
        lines.push(format!("  tegami dkim FLASH --domain {domain} --use {name}\n"));
    }
    lines.extend(keys.former().map(|former| farewell(former, zone)));
    Some(lines)
}

/// Records in the two forms in which they are asked for. They begin at the margin: people copy them.
fn publication(domain: &str, records: &[Record]) -> Vec<String> {
    let mut lines = vec!["\n  in a zone file\n".to_owned()];
    lines.extend(records.iter().map(|record| record.zone_entry(domain)));
    lines.push("\n  or in a provider's form: type TXT, name, value\n".to_owned());
    lines.extend(records.iter().map(|record| format!("{}\n{}\n", record.name, record.value)));
    lines
}

fn farewell(former: &Former, zone: &TimeZone) -> String {
    let Former { name, .. } = former;
    format!(
        "  {name} signs no more. Leave its records, {name}r and {name}e, until {}: letters may be under way for \
         {FORMER_DAYS} days.\n",
        date(former.gone(), zone)
    )
}

fn date(time: UnixTime, zone: &TimeZone) -> String {
    let time = Timestamp::from_second(time.0).unwrap_or_default();
    time.to_zoned(zone.clone()).strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
#[path = "dkim_tests.rs"]
mod tests;

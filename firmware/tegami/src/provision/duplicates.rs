//! What contradicts itself within one file: the same thing twice, an alias that is an account, a route to ourselves.

use std::collections::HashMap;

use super::problem::{FileError, Place, Problem};
use super::wanted::{AliasName, Wanted};

/// Checks a file against itself.
///
/// # Errors
/// The first contradiction.
pub(super) fn check(wanted: &Wanted) -> Result<(), FileError> {
    once(wanted.domains.iter().map(|domain| (domain.name.clone(), &domain.place)))?;
    let accounts = once(wanted.accounts.iter().map(|account| (lower(&account.address), &account.place)))?;
    once(wanted.aliases.iter().map(|alias| (lower(&alias.name), &alias.place)))?;
    once(wanted.routes.iter().map(|route| (route.domain.clone(), &route.place)))?;
    once(wanted.devices.iter().map(|device| (device.ip.to_canonical().to_string(), &device.place)))?;
    for alias in &wanted.aliases {
        if accounts.contains_key(&lower(&alias.name)) {
            return Err(error(&alias.place, Problem::AlsoAccount));
        }
        let AliasName::Address(name) = &alias.name else { continue };
        if let Some((_, place)) = alias.to.iter().find(|(target, _)| target.same_as(name)) {
            return Err(error(place, Problem::TargetItself));
        }
    }
    for route in &wanted.routes {
        if wanted.domains.iter().any(|domain| domain.name == route.domain) {
            return Err(error(&route.place, Problem::RouteToItself));
        }
    }
    Ok(())
}

/// Checks that nothing comes twice; gives the lines by name.
fn once<'p>(entries: impl Iterator<Item = (String, &'p Place)>) -> Result<HashMap<String, usize>, FileError> {
    let mut lines = HashMap::new();
    for (name, place) in entries {
        if let Some(first) = lines.insert(name, place.line) {
            return Err(error(place, Problem::Duplicate(first)));
        }
    }
    Ok(lines)
}

fn lower(name: &impl ToString) -> String {
    name.to_string().to_ascii_lowercase()
}

fn error(place: &Place, problem: Problem) -> FileError {
    FileError { place: place.clone(), problem }
}

//! Printers and scanners that send without TLS and without a password: the allowances that the settings keep, by address.

use std::{collections::BTreeMap, net::IpAddr, rc::Rc};

use mail::Address;
use proto::smtp::{Device, Target};

use crate::{
    provision::{key::DEVICE_PREFIX, read_device},
    service::Service,
};

/// All of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Devices(BTreeMap<IpAddr, Rc<Device>>);

impl Devices {
    /// Those among settings. What cannot be read lets nobody in.
    pub(crate) fn load<'a>(settings: impl Iterator<Item = (&'a str, &'a [u8])>) -> Self {
        Self(settings.filter_map(|(key, value)| Some((address(key)?, Rc::new(device(value)?)))).collect())
    }

    /// What whoever connects from `ip` may do at a service: those that begin in clear are for devices.
    pub(crate) fn at(&self, service: Service, ip: IpAddr) -> Option<Rc<Device>> {
        let is_theirs = matches!(service, Service::Smtp | Service::Submission);
        self.0.get(&ip).filter(|_| is_theirs).cloned()
    }
}

fn address(key: &str) -> Option<IpAddr> {
    let ip: IpAddr = key.strip_prefix(DEVICE_PREFIX)?.parse().ok()?;
    Some(ip.to_canonical())
}

fn device(value: &[u8]) -> Option<Device> {
    let (sender, to) = read_device(value)?;
    let to: Option<Vec<_>> = to.iter().map(|target| read_target(target)).collect();
    Some(Device { sender: Address::parse(&sender).ok()?, to: to? })
}

fn read_target(text: &str) -> Option<Target> {
    match text.strip_prefix('@') {
        Some(domain) => Some(Target::Domain(domain.to_owned())),
        None => Address::parse(text).ok().map(Box::new).map(Target::Address),
    }
}

#[cfg(test)]
#[path = "devices_tests.rs"]
mod tests;

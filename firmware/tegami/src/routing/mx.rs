//! From the MX records of a domain to the hosts that are tried, in their order (RFC 5321 §5.1). No question is asked
//! here: records, names of this box and randomness come in.

use std::collections::BTreeSet;

use super::NoRoute;
use super::limits::HOSTS_MAX;
use super::names::is_host_name;

/// An MX record: a host and how much it is preferred.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mx {
    /// The lower, the better.
    pub(super) preference: u16,
    /// In lower case and without the final dot: empty for the root.
    pub(super) host: Box<str>,
}

/// The hosts to be tried for a domain, the best first and equal ones in an order of chance. `records` are what DNS has
/// for it, none included.
pub(super) fn order(
    domain: &str,
    mut records: Vec<Mx>,
    own_name: &str,
    random: impl FnMut() -> u64,
) -> Result<Vec<Mx>, NoRoute> {
    if records.is_empty() {
        // Without MX the domain is its own server, and the only one.
        records.push(Mx { preference: 0, host: domain.into() });
    }
    // RFC 7505 §3. Beside other records it means nothing (§4.1 has it alone) and is passed over as a bad name is.
    if records.iter().all(|record| record.host.is_empty()) {
        return Err(NoRoute::TakesNoMail);
    }
    records.retain(|record| is_host_name(&record.host));
    if records.is_empty() {
        return Err(NoRoute::NameTrouble(format!("the MX records of {domain} name no servers")));
    }
    records.sort_by_key(|record| record.preference);
    let mut seen = BTreeSet::new();
    records.retain(|record| seen.insert(record.host.clone()));
    let mut hosts = better_than_own(records, |record| &*record.host == own_name)?;
    shuffle_equals(&mut hosts, random);
    hosts.truncate(HOSTS_MAX);
    Ok(hosts)
}

/// Only the hosts that are better than this box, which would only pass a letter round to itself otherwise (RFC 5321
/// §5.1).
pub(super) fn better_than_own(mut hosts: Vec<Mx>, is_own: impl Fn(&Mx) -> bool) -> Result<Vec<Mx>, NoRoute> {
    if let Some(own) = hosts.iter().filter(|host| is_own(host)).map(|host| host.preference).min() {
        hosts.retain(|host| host.preference < own);
    }
    if hosts.is_empty() { Err(NoRoute::Loop) } else { Ok(hosts) }
}

/// RFC 5321 §5.1: among equals, chance spreads the load. Fisher and Yates'.
fn shuffle_equals(hosts: &mut [Mx], mut random: impl FnMut() -> u64) {
    for equals in hosts.chunk_by_mut(|one, next| one.preference == next.preference) {
        for last in (1..equals.len()).rev() {
            let chosen = random() % (last as u64 + 1);
            equals.swap(last, usize::try_from(chosen).unwrap_or(last));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn records(text: &str) -> Vec<Mx> {
        let record = |text: &str| {
            let (preference, host) = text.split_once(':').unwrap();
            Mx { preference: preference.parse().unwrap(), host: host.into() }
        };
        text.split_whitespace().map(record).collect()
    }

    /// With a chance that leaves everything where it is.
    fn ordered(text: &str) -> Result<String, NoRoute> {
        let hosts = order("d.test", records(text), "box.test", || u64::MAX)?;
        Ok(hosts.iter().map(|host| &*host.host).collect::<Vec<_>>().join(" "))
    }

    /// `u64::MAX % n` is not `n - 1`: a chance that gives back what Fisher and Yates' would leave.
    fn unmoved(len: usize) -> impl FnMut() -> u64 {
        let mut last = len as u64;
        move || {
            last -= 1;
            last
        }
    }

    #[test]
    fn preference_decides_and_chance_among_equals() {
        let list = records("20:c.test 10:a.test 10:b.test 30:d.test");
        let with = |chance: u64| -> Vec<String> {
            let hosts = order("d.test", list.clone(), "box.test", || chance).unwrap();
            hosts.iter().map(|host| host.host.to_string()).collect()
        };
        assert_eq!(with(1), ["a.test", "b.test", "c.test", "d.test"]);
        assert_eq!(with(0), ["b.test", "a.test", "c.test", "d.test"]);
        let three = records("5:a.test 5:b.test 5:c.test");
        let hosts = order("d.test", three.clone(), "box.test", unmoved(3)).unwrap();
        assert_eq!(hosts, three);
        // Every order of three is as likely as any other.
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for chance in 0..6 {
            let mut chances = [chance % 3, chance / 3].into_iter();
            let hosts = order("d.test", three.clone(), "box.test", || chances.next().unwrap()).unwrap();
            *seen.entry(hosts.iter().map(|host| &*host.host).collect()).or_default() += 1;
        }
        assert!(seen.len() == 6 && seen.values().all(|times| *times == 1), "{seen:?}");
    }

    #[test]
    fn a_domain_without_mx_is_its_own_server() {
        assert_eq!(ordered("").unwrap(), "d.test");
        assert_eq!(order("box.test", vec![], "box.test", || 0), Err(NoRoute::Loop));
    }

    #[test]
    fn null_mx_takes_no_mail_unless_there_are_others() {
        assert_eq!(ordered("0:"), Err(NoRoute::TakesNoMail));
        assert_eq!(ordered("10: 20:"), Err(NoRoute::TakesNoMail));
        assert_eq!(ordered("0: 10:a.test").unwrap(), "a.test");
    }

    #[test]
    fn what_is_no_host_name_is_passed_over() {
        assert_eq!(ordered("5:192.0.2.1 6:[192.0.2.1] 7:a..b 10:a.test").unwrap(), "a.test");
        assert!(matches!(ordered("5:192.0.2.1 0:"), Err(NoRoute::NameTrouble(_))));
    }

    #[test]
    fn this_box_and_what_is_no_better_are_left_out() {
        assert_eq!(ordered("10:a.test 20:box.test 20:b.test 30:c.test").unwrap(), "a.test");
        assert_eq!(ordered("10:box.test 20:a.test"), Err(NoRoute::Loop));
        assert_eq!(ordered("10:box.test"), Err(NoRoute::Loop));
    }

    #[test]
    fn a_host_counts_once_and_many_are_cut() {
        assert_eq!(ordered("30:a.test 10:a.test 20:b.test").unwrap(), "a.test b.test");
        let many: String = (0..500).map(|i| format!("{i}:h{i}.test ")).collect();
        let kept = ordered(&many).unwrap();
        assert_eq!(kept.split(' ').count(), HOSTS_MAX);
        assert!(kept.starts_with("h0.test h1.test"));
    }

    /// The rules once more, as one would follow them with pencil and paper: the hosts of each preference, best first,
    /// up to the first preference at which this box stands.
    fn model(records: &[Mx]) -> Vec<BTreeSet<Box<str>>> {
        let mut levels = Vec::new();
        let mut used = BTreeSet::new();
        for preference in 0..=u16::MAX {
            if !records.iter().any(|record| record.preference >= preference) {
                break;
            }
            let level: BTreeSet<Box<str>> = records
                .iter()
                .filter(|record| record.preference == preference && is_host_name(&record.host))
                .map(|record| record.host.clone())
                .filter(|host| !used.contains(host))
                .collect();
            if level.contains("box.test") {
                break;
            }
            used.extend(level.iter().cloned());
            if !level.is_empty() {
                levels.push(level);
            }
        }
        levels
    }

    fn some_record() -> impl Strategy<Value = Mx> {
        let host = prop_oneof![
            8 => "[a-f]\\.test",
            1 => Just("box.test".to_owned()),
            1 => Just(String::new()),
            1 => Just("192.0.2.1".to_owned()),
        ];
        (0_u16..6, host).prop_map(|(preference, host)| Mx { preference, host: host.into() })
    }

    proptest! {
        #[test]
        fn the_order_is_the_models(records in proptest::collection::vec(some_record(), 1..9), seed: u64) {
            let mut state = seed;
            let chance = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                state >> 33
            };
            let levels = model(&records);
            match order("d.test", records.clone(), "box.test", chance) {
                Ok(hosts) => {
                    let mut hosts = hosts.into_iter().map(|host| host.host);
                    for level in levels {
                        let found: BTreeSet<_> = hosts.by_ref().take(level.len()).collect();
                        prop_assert_eq!(found, level);
                    }
                    prop_assert_eq!(hosts.next(), None);
                }
                Err(why) => {
                    prop_assert!(levels.is_empty());
                    let expected = if records.iter().all(|record| record.host.is_empty()) {
                        NoRoute::TakesNoMail
                    } else if records.iter().any(|record| is_host_name(&record.host)) {
                        NoRoute::Loop
                    } else {
                        NoRoute::NameTrouble("the MX records of d.test name no servers".to_owned())
                    };
                    prop_assert_eq!(why, expected);
                }
            }
        }
    }
}

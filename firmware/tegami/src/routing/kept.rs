//! What name servers said, kept for as long as they said, and no more of it than there is room for. Pure: time comes in.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Instant;

use super::limits::NAMES_KEPT_MAX;

/// What there is of one kind under a name.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<T> {
    /// These.
    Records(Rc<[T]>),
    /// The name is there, and has none.
    Nothing,
    /// There is no such name (NXDOMAIN).
    NoName,
}

/// Shared, whatever it is of.
impl<T> Clone for Found<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Records(records) => Self::Records(Rc::clone(records)),
            Self::Nothing => Self::Nothing,
            Self::NoName => Self::NoName,
        }
    }
}

/// Answers by name.
pub(super) struct Kept<T>(BTreeMap<Box<str>, (Instant, Found<T>)>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T> Kept<T> {
    /// What is known about a name.
    pub(super) fn get(&self, name: &str, now: Instant) -> Option<Found<T>> {
        self.0.get(name).filter(|(until, _)| *until > now).map(|(_, found)| found.clone())
    }

    /// Keeps what was found until then. When there is no room, what has the least time left goes.
    pub(super) fn keep(&mut self, name: &str, found: Found<T>, until: Instant, now: Instant) {
        if until <= now {
            return;
        }
        self.0.insert(name.into(), (until, found));
        if self.0.len() > NAMES_KEPT_MAX {
            let first = self.0.iter().min_by_key(|(_, (until, _))| *until).map(|(name, _)| name.clone());
            first.and_then(|name| self.0.remove(&name));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_kept_ends_at_its_time() {
        let now = Instant::now();
        let later = |s| now + Duration::from_secs(s);
        let mut kept = Kept::default();
        kept.keep("a.test", Found::Records(Rc::from([1])), later(10), now);
        kept.keep("b.test", Found::NoName, now, now);
        assert_eq!(kept.get("a.test", later(9)), Some(Found::Records(Rc::from([1]))));
        assert_eq!(kept.get("a.test", later(10)), None);
        assert_eq!(kept.get("b.test", now), None);
        kept.keep("a.test", Found::Nothing, later(20), later(9));
        assert_eq!(kept.get("a.test", later(10)), Some(Found::Nothing));
    }

    #[test]
    fn what_has_least_time_left_makes_room() {
        let now = Instant::now();
        let mut kept: Kept<u8> = Kept::default();
        for i in 0..1_000 {
            let until = now + Duration::from_secs(10 + (i * 7) % 1_000);
            kept.keep(&format!("{i}.test"), Found::Nothing, until, now);
            assert!(kept.0.len() <= NAMES_KEPT_MAX);
        }
        let longest: Vec<u64> =
            (0..1_000).filter(|i| (i * 7) % 1_000 >= 1_000 - NAMES_KEPT_MAX as u64).collect();
        assert!(longest.iter().all(|i| kept.get(&format!("{i}.test"), now).is_some()));
    }
}

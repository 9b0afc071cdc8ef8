//! The keys of one domain: which pair signs, which one waits for its records to be published, which one did sign before.

use mail::{
    UnixTime,
    calendar::{DAY_S, Day},
};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use super::{limits::FORMER_DAYS, pair::Pair};
use crate::stored;

/// What a domain has of keys.
#[derive(Debug)]
pub(crate) struct DomainKeys {
    current: Pair,
    next: Option<Pair>,
    former: Option<Former>,
}

/// A pair that signs no more. Its private keys are gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Former {
    /// What it was called.
    pub(crate) name: String,
    /// When it signed for the last time.
    pub(crate) until: UnixTime,
}

impl Former {
    /// From when on nobody needs its records any more.
    pub(crate) const fn gone(&self) -> UnixTime {
        UnixTime(self.until.0.saturating_add(FORMER_DAYS * DAY_S))
    }
}

/// A rotation that is not in the state for that step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutOfTurn;

/// At rest.
#[derive(Serialize, Deserialize)]
struct KeysV1 {
    current: PairV1,
    next: Option<PairV1>,
    /// Name, and Unix seconds.
    former: Option<(String, i64)>,
}

#[derive(Serialize, Deserialize)]
struct PairV1 {
    name: String,
    rsa_pkcs1: Vec<u8>,
    ed25519_pkcs8: Vec<u8>,
}

impl Drop for PairV1 {
    fn drop(&mut self) {
        self.rsa_pkcs1.zeroize();
        self.ed25519_pkcs8.zeroize();
    }
}

impl DomainKeys {
    /// The first pair of a domain.
    pub(crate) const fn first(pair: Pair) -> Self {
        Self { current: pair, next: None, former: None }
    }

    /// Reads what [`store`](Self::store) wrote; `None` if it is of another version, or damaged.
    pub(crate) fn load(value: &[u8]) -> Option<Self> {
        let form: KeysV1 = stored::decode(value)?;
        let former = form.former.map(|(name, until)| Former { name, until: UnixTime(until) });
        Some(Self { current: form.current.into(), next: form.next.map(Pair::from), former })
    }

    /// The bytes for the store.
    pub(crate) fn store(&self) -> Zeroizing<Vec<u8>> {
        stored::encode(&KeysV1 {
            current: PairV1::of(&self.current),
            next: self.next.as_ref().map(PairV1::of),
            former: self.former.as_ref().map(|former| (former.name.clone(), former.until.0)),
        })
    }

    /// The pair that signs.
    pub(crate) const fn current(&self) -> &Pair {
        &self.current
    }

    /// The pair whose records are to be published.
    pub(crate) const fn next(&self) -> Option<&Pair> {
        self.next.as_ref()
    }

    /// The pair that signed before.
    pub(crate) const fn former(&self) -> Option<&Former> {
        self.former.as_ref()
    }

    /// What all of them are called, for [`new_name`].
    pub(crate) fn names(&self) -> Vec<&str> {
        let former = self.former.as_ref().map(|former| former.name.as_str());
        let next = self.next.as_ref().map(Pair::name);
        [Some(self.current.name()), next, former].into_iter().flatten().collect()
    }

    /// Takes a pair that signs once its records are published.
    ///
    /// # Errors
    /// There is one already.
    pub(crate) fn announce(&mut self, pair: Pair) -> Result<(), OutOfTurn> {
        if self.next.is_some() {
            return Err(OutOfTurn);
        }
        self.next = Some(pair);
        Ok(())
    }

    /// Signs with the pair that was announced from now on. The one that signed is forgotten but for its name.
    ///
    /// # Errors
    /// None was announced, or one of another name.
    pub(crate) fn use_next(&mut self, name: &str, now: UnixTime) -> Result<(), OutOfTurn> {
        let next = self.next.take_if(|next| next.name() == name).ok_or(OutOfTurn)?;
        let former = std::mem::replace(&mut self.current, next);
        self.former = Some(Former { name: former.name, until: now });
        Ok(())
    }
}

impl PairV1 {
    fn of(pair: &Pair) -> Self {
        Self {
            name: pair.name.clone(),
            rsa_pkcs1: pair.rsa_pkcs1.to_vec(),
            ed25519_pkcs8: pair.ed25519_pkcs8.to_vec(),
        }
    }
}

impl From<PairV1> for Pair {
    fn from(mut form: PairV1) -> Self {
        Self {
            name: std::mem::take(&mut form.name),
            rsa_pkcs1: Zeroizing::new(std::mem::take(&mut form.rsa_pkcs1)),
            ed25519_pkcs8: Zeroizing::new(std::mem::take(&mut form.ed25519_pkcs8)),
        }
    }
}

/// What a pair that is made now is called: `t` with year and month, and a number if that is the name of another one.
pub(crate) fn new_name(now: UnixTime, known: &[&str]) -> String {
    let (year, month, _) = Day::of(now, 0).civil();
    let name = format!("t{year:04}{month:02}");
    let number = |rest: &str| rest.strip_prefix('-').and_then(|number| number.parse().ok()).unwrap_or(1_u32);
    let numbers = known.iter().filter_map(|known| known.strip_prefix(name.as_str())).map(number);
    match numbers.max() {
        None => name,
        Some(last) => format!("{name}-{}", last.saturating_add(1)),
    }
}

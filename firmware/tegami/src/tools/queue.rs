//! `tegami queue`: the letters on a flash that wait for other servers, and what is to be done with them; see
//! [`crate::queue`].

use std::path::Path;

use mail::{Mail as _, Message, OUTBOUND, Outbound, Posting, Uid, UidSet, UnixTime};

use super::{
    Outcome, Problem,
    arguments::Queued,
    deleted::{harmless, when, zone},
    flash::{Looked, Writing, look},
    output::say,
    wording::{count, reason, size},
};
use crate::{
    provision::key,
    queue::{Words, kept_clock},
};

/// Lists the queue, or gives an order about letters in it.
///
/// # Errors
/// A sentence.
pub(super) fn run(flash: &Path, what: &Queued) -> Result<Outcome, Problem> {
    let Queued { order, which } = what;
    let Some(order) = order else { return list(flash, which) };
    let mut writing = Writing::open(flash)?;
    let chosen = choose(&mut writing, which);
    let result = chosen.and_then(|uids| {
        writing
            .make(|store| order.give(store, &uids))
            .map_err(|refusal| format!("the queue is as it was: {}", reason(refusal)))?;
        Ok(uids.len())
    });
    writing.close();
    let changed = count(result?.into(), "letter", "letters");
    say(format_args!("{changed}: done; it counts from the box's next start on"));
    Ok(Outcome::Good)
}

/// Whom letters are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// All.
    All,
    /// Those with these numbers.
    Numbers(Vec<u32>),
    /// Those for this address, or for all addresses of a domain if it begins with `@`.
    To(String),
}

impl Whose {
    fn is(&self, uid: Uid, address: &str) -> bool {
        match self {
            Self::All => true,
            Self::Numbers(numbers) => numbers.contains(&uid.0),
            Self::To(to) if to.starts_with('@') => {
                address.len() > to.len()
                    && address.get(address.len() - to.len()..).is_some_and(|end| end.eq_ignore_ascii_case(to))
            }
            Self::To(to) => address.eq_ignore_ascii_case(to),
        }
    }
}

fn choose(writing: &mut Writing, which: &Whose) -> Result<UidSet, Problem> {
    let (mut uids, mut from) = (UidSet::new(), Uid(0));
    while let Some(message) = writing.store.next_message(OUTBOUND, from) {
        let place = Outbound::from_flags(message.flags).recipient;
        // A damaged envelope names nobody; its number still does.
        let address = match writing.read(|store| store.posting(message.uid)) {
            Ok(posting) => {
                posting.recipients.get(usize::from(place)).map(|to| to.address.as_str().to_owned())
            }
            Err(_) => None,
        };
        if which.is(message.uid, address.as_deref().unwrap_or_default()) {
            uids.push(message.uid);
        }
        from = Uid(message.uid.0.saturating_add(1));
    }
    if uids.is_empty() {
        return Err(
            "there is no such letter in the queue; `tegami queue FLASH` lists those that are there".into()
        );
    }
    Ok(uids)
}

fn list(flash: &Path, which: &Whose) -> Result<Outcome, Problem> {
    let mut store = look(flash)?;
    let zone = zone(store.setting(key::TIMEZONE));
    let words = Words::load(|key| store.setting(key).map(<[u8]>::to_vec));
    let now_s = store.setting(key::QUEUE_CLOCK).map_or(0, kept_clock);
    let (mut found, mut bytes, mut from) = (0, 0, Uid(0));
    while let Some(message) = store.next_message(OUTBOUND, from) {
        from = Uid(message.uid.0.saturating_add(1));
        let Addressed { sender, to, not_before } = envelope(&mut store, &message);
        if !which.is(message.uid, &to) {
            continue;
        }
        (found, bytes) = (found + 1, bytes + message.size);
        let outbound = Outbound::from_flags(message.flags);
        say(format_args!(
            "{:>8}  {}  {:>9}  {} -> {}  {}",
            message.uid.0,
            when(Some(message.received), &zone),
            size(message.size),
            harmless(&sender),
            harmless(&to),
            match not_before.filter(|_| outbound.attempts == 0 && !outbound.forced) {
                Some(time) => format!("not before {}", when(Some(time), &zone)),
                None => state(&outbound, now_s),
            },
        ));
        if let Some(trouble) = words.get(outbound.words) {
            say(format_args!("          {}", harmless(&trouble.to_string())));
        }
    }
    say(format_args!("{} ({}) in the queue", count(found, "letter waits", "letters wait"), size(bytes)));
    Ok(Outcome::Good)
}

/// What the envelope says of a message.
struct Addressed {
    sender: String,
    to: String,
    not_before: Option<UnixTime>,
}

fn envelope(store: &mut Looked, message: &Message) -> Addressed {
    let place = usize::from(Outbound::from_flags(message.flags).recipient);
    let Ok(Posting { envelope, recipients }) = store.posting(message.uid) else {
        return Addressed { sender: "damaged".into(), to: String::new(), not_before: None };
    };
    Addressed {
        sender: envelope.sender.as_ref().map_or("<>", mail::Address::as_str).to_owned(),
        to: recipients.get(place).map(|to| to.address.as_str().to_owned()).unwrap_or_default(),
        not_before: envelope.not_before,
    }
}

fn state(outbound: &Outbound, now_s: u32) -> String {
    if outbound.cancelled {
        return "cancelled: goes back at the next start".into();
    }
    if outbound.held {
        return "held".into();
    }
    let tried = count(outbound.attempts.into(), "attempt", "attempts");
    match outbound.due_s.saturating_sub(now_s).div_ceil(60) {
        0 => format!("{tried}, to be tried now"),
        minutes => format!("{tried}, again after {minutes} min of being online"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_chosen_by_number_address_and_domain() {
        let to = |text: &str| Whose::To(text.into());
        for (which, address, is) in [
            (Whose::All, "a@b.test", true),
            (Whose::Numbers(vec![3, 7]), "a@b.test", true),
            (Whose::Numbers(vec![8]), "a@b.test", false),
            (to("A@B.test"), "a@b.test", true),
            (to("@b.test"), "a@B.TEST", true),
            (to("@b.test"), "a@sub.b.test", false),
            (to("@b.test"), "b.test", false),
            (to("a@b.test"), "", false),
        ] {
            assert_eq!(which.is(Uid(7), address), is, "{which:?} {address}");
        }
    }

    #[test]
    fn how_far_a_letter_is_is_said() {
        let outbound = Outbound { attempts: 2, due_s: 1_000, ..Outbound::default() };
        assert_eq!(state(&outbound, 0), "2 attempts, again after 17 min of being online");
        assert_eq!(state(&outbound, 1_000), "2 attempts, to be tried now");
        assert_eq!(state(&Outbound { held: true, ..outbound }, 0), "held");
    }
}

//! Which destinations had TLS: where it was offered once and is not any more, somebody may be in between. Letters go all
//! the same, since that is what most of the world does (RFC 7435); the owner of the box is told.

use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::{
    Queue,
    limits::{TLS_BYTES_MAX, TLS_DOMAINS_MAX},
};
use crate::{
    health,
    language::{Language, Text, fill},
    notice::{self, Notice},
    provision::{Change, Keeper as _, Records as _, key},
    routing::Destination,
    stored,
};

/// Destinations that had TLS, the newest last.
#[derive(Debug, Default)]
pub(super) struct TlsKnown(Vec<Known>);

/// One of them; its fields in this order are on flash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    domain: String,
    /// It has none any more, and the owner has been told.
    is_lost: bool,
}

/// What an observation leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    /// Nothing.
    None,
    /// To be kept.
    Keep,
    /// To be kept, and the owner is to be told.
    Lost,
}

impl TlsKnown {
    pub(super) fn load(setting: Option<&[u8]>) -> Self {
        Self(setting.and_then(stored::decode).unwrap_or_default())
    }

    fn observe(&mut self, domain: &str, has_tls: bool) -> News {
        match self.0.iter_mut().find(|known| known.domain == domain) {
            Some(known) if known.is_lost == has_tls => {
                known.is_lost = !has_tls;
                if has_tls { News::Keep } else { News::Lost }
            }
            Some(_) => News::None,
            None if has_tls => {
                self.0.push(Known { domain: domain.to_owned(), is_lost: false });
                self.make_room();
                News::Keep
            }
            None => News::None,
        }
    }

    /// The oldest go first.
    fn make_room(&mut self) {
        let bytes = |known: &[Known]| known.iter().map(|known| known.domain.len() + 4).sum::<usize>();
        while self.0.len() > TLS_DOMAINS_MAX || bytes(&self.0) > TLS_BYTES_MAX {
            self.0.remove(0);
        }
    }
}

/// What the letter is made of.
struct Lost<'a> {
    hostname: &'a str,
    domain: &'a str,
}

impl Notice for Lost<'_> {
    const TOPIC: &'static str = "tls";

    fn subject(&self, language: Language) -> String {
        fill(Text::TlsLostSubject.say(language), &[self.domain])
    }

    fn lines(&self, language: Language) -> Vec<String> {
        vec![
            fill(Text::TlsLostIntro.say(language), &[self.hostname, self.domain]),
            String::new(),
            Text::TlsLostThen.say(language).to_owned(),
            fill(Text::TlsLostNext.say(language), &[self.domain]),
        ]
    }
}

impl Queue {
    /// A letter goes to a destination, with TLS or without.
    pub(super) fn observe_tls(self: &Rc<Self>, destination: &Destination, has_tls: bool) {
        // Where settings name the server they also say what TLS must be.
        let Destination::Domain(domain) = destination else { return };
        let news = self.tls.borrow_mut().observe(domain, has_tls);
        if news == News::None {
            return;
        }
        let value = stored::encode(&self.tls.borrow().0).to_vec();
        let (queue, domain) = (Rc::clone(self), domain.to_string());
        tokio::task::spawn_local(async move {
            let _at_work = queue.closing().enter();
            if news == News::Lost {
                queue.tell_of_lost_tls(&domain).await;
            }
            if let Err(refusal) = queue.office().carry_out(vec![Change::set(key::QUEUE_TLS, value)]).await {
                log::warn!("that {domain} has TLS, or has none any more, could not be kept: {refusal:?}");
            }
        });
    }

    async fn tell_of_lost_tls(&self, domain: &str) {
        log::warn!("{domain}: letters went there under TLS, and go without it now: its server offers none");
        let owner = health::owner(&self.office().store());
        let Some((mailbox, to)) = owner else { return };
        let hostname = self.house().hostname();
        let lost = Lost { hostname: &hostname, domain };
        if let Err(refusal) = notice::deliver(self.house(), &lost, (mailbox, &to)).await {
            log::warn!("the owner of the box could not be told: {refusal:?}");
        }
    }

    /// What is kept of destinations that had TLS.
    pub(super) fn kept_tls(office: &crate::office::Office) -> TlsKnown {
        TlsKnown::load(office.setting(key::QUEUE_TLS).as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_news_once_until_it_comes_back() {
        let mut known = TlsKnown::default();
        for (has_tls, news) in [
            (false, News::None),
            (true, News::Keep),
            (true, News::None),
            (false, News::Lost),
            (false, News::None),
            (true, News::Keep),
            (false, News::Lost),
        ] {
            assert_eq!(known.observe("b.test", has_tls), news);
        }
        let kept = stored::encode(&known.0);
        assert_eq!(TlsKnown::load(Some(&kept)).0, known.0);
    }

    #[test]
    fn few_are_known_and_the_newest_stay() {
        let mut known = TlsKnown::default();
        for number in 0..2 * TLS_DOMAINS_MAX {
            known.observe(&format!("{number}.test"), true);
        }
        assert_eq!(known.0.len(), TLS_DOMAINS_MAX);
        assert_eq!(known.observe("0.test", false), News::None);
        let long = "x".repeat(250);
        for number in 0..100 {
            known.observe(&format!("{number}{long}"), true);
        }
        assert!(stored::encode(&known.0).len() <= TLS_BYTES_MAX);
    }

    #[test]
    fn the_letter_says_what_happened_in_both_languages() {
        let lost = Lost { hostname: "mail.a.test", domain: "b.test" };
        for language in Language::ALL {
            assert!(lost.subject(language).contains("b.test"));
            let text = lost.lines(language).join("\n");
            assert!(text.contains("mail.a.test") && text.contains("b.test") && !text.contains('{'), "{text}");
        }
    }
}

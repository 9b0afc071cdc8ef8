//! A search as a question about one message: a tree that is judged with what is known so far, so that a message is read
//! no further than the answer needs.

use alloc::{boxed::Box, string::String, vec::Vec};
use core::cmp::Ordering;

use mail::{Flags, Message, UidSet, calendar::Day};

use super::needle::{Needle, Place};
use crate::imap::{
    ast::{DayOf, DayOrder, SearchKey},
    limits::{KEYS_PER_WORK, SEARCH_TEXTS_MAX, WORK_MESSAGE},
    reply::Reply,
    view::View,
};
use crate::mime::{charset, fold::Matcher};

/// What is asked.
#[derive(Debug)]
pub(super) struct Query {
    root: Node,
    /// Work of judging one message.
    pub(super) work: u32,
    pub(super) needles: Vec<Needle>,
}

#[derive(Debug)]
enum Node {
    Always(bool),
    And(Vec<Node>),
    Or(Box<[Node; 2]>),
    Not(Box<Node>),
    Flag(Flags),
    Recent,
    Received(DayOrder, Day),
    Sent(DayOrder, Day),
    Larger(u64),
    Smaller(u64),
    Among(UidSet),
    /// Whether this needle has been found.
    Found(usize),
}

/// What is known of a message.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) message: &'a Message,
    pub(super) recent: bool,
    /// The day in the Date field, if there is one; `None` while nobody has looked.
    pub(super) sent: Option<Option<Day>>,
}

impl Query {
    /// Makes a key a question; sets of messages are those of `view`, flags those of `keywords`.
    ///
    /// # Errors
    /// The reply to a charset that is unknown, or to more than can be looked for.
    pub(super) fn new(
        key: SearchKey,
        charset: Option<&[u8]>,
        view: &View,
        keywords: &[String],
    ) -> Result<Self, Reply> {
        let charset = match charset.map(core::str::from_utf8) {
            None => None,
            Some(Ok(label)) if charset::is_known(label) => Some(label),
            Some(_) => return Err(BAD_CHARSET),
        };
        let mut builder = Builder { charset, view, keywords, needles: Vec::new(), nodes: 0 };
        let root = builder.node(key);
        let work = WORK_MESSAGE + builder.nodes / KEYS_PER_WORK;
        let needles = builder.needles;
        if needles.iter().filter(|needle| needle.place != Place::Field).count() > SEARCH_TEXTS_MAX {
            return Err(Reply::no("LIMIT", "This looks for too many texts at once"));
        }
        Ok(Self { root, work, needles })
    }

    /// The messages of `all` that could match, as far as the question names them.
    pub(super) fn candidates(&self, all: &UidSet) -> UidSet {
        let narrow = |among: UidSet, node: &Node| match node {
            Node::Among(set) => among.intersection(set),
            _ => among,
        };
        match &self.root {
            Node::And(nodes) => nodes.iter().fold(all.clone(), narrow),
            node => narrow(all.clone(), node),
        }
    }

    /// The answer for a message, if what is known suffices.
    pub(super) fn judge(&self, facts: &Facts<'_>) -> Option<bool> {
        self.root.judge(facts, &self.needles)
    }

    /// Forgets what was found in the last message.
    pub(super) fn reset(&mut self) {
        for needle in &mut self.needles {
            needle.found = None;
            // Ready for another text, wherever in one it was left.
            needle.matcher.finish();
        }
    }
}

/// RFC 3501 §6.4.4: "a tagged NO response [...] contain[ing] the BADCHARSET response code". Others are known as well.
const BAD_CHARSET: Reply =
    Reply::no("BADCHARSET (US-ASCII UTF-8 ISO-2022-JP SHIFT_JIS EUC-JP)", "That charset is not known here");

struct Builder<'a> {
    charset: Option<&'a str>,
    view: &'a View,
    keywords: &'a [String],
    needles: Vec<Needle>,
    nodes: u32,
}

impl Builder<'_> {
    fn node(&mut self, key: SearchKey) -> Node {
        self.nodes += 1;
        match key {
            SearchKey::All => Node::Always(true),
            SearchKey::And(keys) => Node::And(keys.into_iter().map(|key| self.node(key)).collect()),
            SearchKey::Or(keys) => {
                let [left, right] = *keys;
                Node::Or(Box::new([self.node(left), self.node(right)]))
            }
            SearchKey::Not(key) => Node::Not(Box::new(self.node(*key))),
            SearchKey::Flag(flag) => Node::Flag(flag),
            SearchKey::Keyword(name) => self.keyword(&name),
            SearchKey::Recent => Node::Recent,
            SearchKey::Day { of: DayOf::Received, order, day } => Node::Received(order, day),
            SearchKey::Day { of: DayOf::Sent, order, day } => Node::Sent(order, day),
            SearchKey::Larger(size) => Node::Larger(u64::from(size)),
            SearchKey::Smaller(size) => Node::Smaller(u64::from(size)),
            SearchKey::Uid(set) => Node::Among(set.uids(&self.view.uids)),
            // A number that no message has matches none. BAD, as RFC 3501 §9 has it for commands that do something to
            // the message, would break the clients that search 1:* in an empty mailbox.
            SearchKey::Sequence(set) => Node::Among(set.messages_within(&self.view.uids)),
            SearchKey::Header { field, text } => self.needle(Place::Field, field, &text),
            // Every message has the empty text in it.
            SearchKey::Body(text) | SearchKey::Text(text) if text.is_empty() => Node::Always(true),
            SearchKey::Body(text) => self.needle(Place::Body, Box::default(), &text),
            SearchKey::Text(text) => self.needle(Place::Anywhere, Box::default(), &text),
        }
    }

    fn keyword(&self, name: &[u8]) -> Node {
        let known = self.keywords.iter().position(|known| known.as_bytes().eq_ignore_ascii_case(name));
        let flag = known.and_then(|index| u32::try_from(index).ok()).map(Flags::keyword);
        flag.map_or(Node::Always(false), Node::Flag)
    }

    fn needle(&mut self, place: Place, field: Box<[u8]>, text: &[u8]) -> Node {
        let text = match (self.charset, core::str::from_utf8(text)) {
            (Some(label), _) => charset::decode_all(label, text),
            // Without CHARSET bytes of eight bits are not allowed, and sent all the same.
            (None, Ok(text)) => String::from(text),
            (None, Err(_)) => charset::decode_all("", text),
        };
        self.needles.push(Needle { place, field, matcher: Matcher::new(&text), found: None });
        Node::Found(self.needles.len() - 1)
    }
}

impl Node {
    /// Three-valued logic: `None` is "not known yet".
    fn judge(&self, facts: &Facts<'_>, needles: &[Needle]) -> Option<bool> {
        let message = facts.message;
        match self {
            Self::Always(answer) => Some(*answer),
            Self::And(nodes) => decide(nodes, false, facts, needles),
            Self::Or(nodes) => decide(nodes.as_slice(), true, facts, needles),
            Self::Not(node) => node.judge(facts, needles).map(|answer| !answer),
            Self::Flag(flag) => Some(message.flags.contains(*flag)),
            Self::Recent => Some(facts.recent),
            Self::Received(order, day) => {
                Some(is_in_order(Day::of(message.received, message.zone_minutes), *order, *day))
            }
            // A letter without a date was sent on no day.
            Self::Sent(order, day) => {
                facts.sent.map(|sent| sent.is_some_and(|sent| is_in_order(sent, *order, *day)))
            }
            Self::Larger(size) => Some(message.size > *size),
            Self::Smaller(size) => Some(message.size < *size),
            Self::Among(set) => Some(set.contains(message.uid)),
            Self::Found(index) => needles.get(*index).and_then(|needle| needle.found),
        }
    }
}

/// Whether any node answers `decisive`, which decides for all.
fn decide(nodes: &[Node], decisive: bool, facts: &Facts<'_>, needles: &[Needle]) -> Option<bool> {
    let mut answer = Some(!decisive);
    for node in nodes {
        match node.judge(facts, needles) {
            Some(one) if one == decisive => return Some(decisive),
            Some(_) => {}
            None => answer = None,
        }
    }
    answer
}

fn is_in_order(day: Day, order: DayOrder, other: Day) -> bool {
    match order {
        DayOrder::Before => day.cmp(&other) == Ordering::Less,
        DayOrder::On => day == other,
        DayOrder::Since => day >= other,
    }
}

#[cfg(test)]
#[path = "query_tests.rs"]
mod tests;

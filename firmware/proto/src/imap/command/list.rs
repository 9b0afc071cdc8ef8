//! LIST and LSUB (RFC 3501 §6.3.8, §6.3.9; RFC 3348 for children, RFC 6154 for uses).

use alloc::{string::String, vec::Vec};

use mail::{AccountId, MailboxInfo, MailboxName, SpecialUse};

use super::{Begun, pattern::Pattern};
use crate::{
    Want,
    imap::{
        emit,
        reply::Reply,
        turn::{End, Run, Step, Turn},
        utf7,
    },
};

pub(super) fn list(reference: &[u8], pattern: &[u8], subscribed: bool, turn: &mut Turn<'_, '_>) -> Begun {
    const DONE: Reply = Reply::ok("That is all");
    let Some(account) = turn.state.account else { return DONE.into() };
    if pattern.is_empty() && !subscribed {
        // "An empty ("" string) mailbox name argument is a special request to return the hierarchy delimiter and the
        // root name of the name given in the reference." No name here has a root.
        turn.output.push(b"* LIST (\\Noselect) \"/\" \"\"\r\n");
        return DONE.into();
    }
    // Reference and pattern together are the pattern: names have no other structure here.
    let text = utf7::decode(&[reference, pattern].concat());
    let Some(pattern) = text.as_deref().and_then(Pattern::new) else {
        // What is no name in modified UTF-7 matches none.
        return DONE.into();
    };
    List { account, pattern, subscribed, after: None, above: Vec::new() }.into()
}

/// Goes through all names.
struct List {
    account: AccountId,
    pattern: Pattern,
    /// LSUB.
    subscribed: bool,
    after: Option<MailboxName>,
    /// Names already seen that the next name may lie below.
    above: Vec<String>,
}

/// A name in a listing.
struct Entry {
    name: MailboxName,
    info: Option<MailboxInfo>,
}

impl Run for List {
    fn step(&mut self, turn: &mut Turn<'_, '_>) -> Step {
        loop {
            if turn.output.is_full() {
                return Step::Wait(Want::Room);
            }
            if turn.work.is_spent() {
                return Step::Wait(Want::Turn);
            }
            turn.work.spend(self.pattern.work());
            let Some(entry) = self.next(turn) else { return End::new(Reply::ok("That is all")).into() };
            self.tell(&entry, turn);
            self.after = Some(entry.name);
        }
    }
}

impl List {
    fn next(&self, turn: &Turn<'_, '_>) -> Option<Entry> {
        let after = self.after.as_ref();
        if self.subscribed {
            let name = turn.mail.next_subscription(self.account, after)?;
            return Some(Entry { name, info: None });
        }
        let info = turn.mail.next_mailbox(self.account, after)?;
        Some(Entry { name: info.name.clone(), info: Some(info) })
    }

    fn tell(&mut self, entry: &Entry, turn: &mut Turn<'_, '_>) {
        let name = entry.name.as_str();
        let is_wanted = self.pattern.matches(name);
        // Names come in order, so a name lies below one that was seen, or below none that is still to come.
        self.above.retain(|seen| name.starts_with(seen.as_str()));
        for (at, _) in name.match_indices(MailboxName::SEPARATOR) {
            let level = name.get(..at).unwrap_or_default();
            if self.above.iter().any(|seen| seen == level) {
                continue;
            }
            // "If these levels of hierarchy are not also selectable mailboxes, they are returned with the \Noselect
            // mailbox name attribute." In LSUB only where the name below does not show itself (§6.3.9).
            if !(self.subscribed && is_wanted) && self.pattern.matches(level) {
                let attributes = if self.subscribed { "\\Noselect" } else { "\\Noselect \\HasChildren" };
                self.line(attributes, level, turn);
            }
            self.above.push(level.into());
        }
        if is_wanted {
            let attributes = entry.info.as_ref().map_or("", attributes);
            self.line(attributes, name, turn);
        }
        self.above.push(name.into());
    }

    fn line(&self, attributes: &str, name: &str, turn: &mut Turn<'_, '_>) {
        turn.output.push(if self.subscribed { b"* LSUB (" } else { b"* LIST (" });
        turn.output.push(attributes.as_bytes());
        turn.output.push(b") \"/\" ");
        emit::mailbox(name, turn.output.buffer());
        turn.output.push(b"\r\n");
    }
}

/// `mbx-list-flags` with RFC 3348 and RFC 6154 §2.
const fn attributes(info: &MailboxInfo) -> &'static str {
    match (info.has_children, info.special_use) {
        (false, None) => "\\HasNoChildren",
        (false, Some(SpecialUse::Archive)) => "\\HasNoChildren \\Archive",
        (false, Some(SpecialUse::Drafts)) => "\\HasNoChildren \\Drafts",
        (false, Some(SpecialUse::Junk)) => "\\HasNoChildren \\Junk",
        (false, Some(SpecialUse::Sent)) => "\\HasNoChildren \\Sent",
        (false, Some(SpecialUse::Trash)) => "\\HasNoChildren \\Trash",
        (true, None) => "\\HasChildren",
        (true, Some(SpecialUse::Archive)) => "\\HasChildren \\Archive",
        (true, Some(SpecialUse::Drafts)) => "\\HasChildren \\Drafts",
        (true, Some(SpecialUse::Junk)) => "\\HasChildren \\Junk",
        (true, Some(SpecialUse::Sent)) => "\\HasChildren \\Sent",
        (true, Some(SpecialUse::Trash)) => "\\HasChildren \\Trash",
    }
}

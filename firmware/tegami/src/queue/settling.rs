//! What came of letters, made durable: delivered, to be tried again, or back to the sender.

use std::rc::Rc;

use mail::{
    Flags, Mail as _, Notify, OUTBOUND, Outbound, Posting, Refusal, Stop, Ticket, Uid, UidSet, UnixTime,
};
use proto::{
    report::Outcome as Verdict,
    smtp::client::{Fate, Outcome, Reason},
};

use tokio::time::sleep;

use super::{
    Queue,
    limits::{DEPARTURES_AGAIN, DEPARTURES_GATHER, DEPARTURES_MAX, REPORT_AGAIN_S, REPORTS_MAX, WORDS_MAX},
    reports::{NotTold, Told},
    schedule::{after_failure, left_s, next_turn},
    sending::Line,
    trouble::Trouble,
};
use crate::{office::MailStore, provision::Keeper as _};

/// A letter on its way, as far as it matters once it has arrived or not.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(super) posting: Posting,
    /// Its messages, each with the place of its recipient.
    pub(super) messages: Vec<(Uid, u16)>,
    /// Bytes.
    pub(super) size: u64,
}

impl Sent {
    fn recipient(&self, uid: Uid) -> Option<u16> {
        self.messages.iter().find(|(known, _)| *known == uid).map(|(_, recipient)| *recipient)
    }

    fn address(&self, recipient: u16) -> &str {
        self.posting
            .recipients
            .get(usize::from(recipient))
            .map_or("?", |recipient| recipient.address.as_str())
    }
}

impl Queue {
    /// Makes what came of a letter durable. Returns once it is on its way there.
    pub(super) async fn settle(self: &Rc<Self>, sent: Sent, outcome: Outcome, server: &str, is_relay: bool) {
        let (mut delivered, mut told) = (UidSet::new(), Vec::new());
        for (number, fate) in &outcome.fates {
            let uid = Uid(*number);
            let Some(recipient) = sent.recipient(uid) else { continue };
            let to = sent.address(recipient);
            let trouble = |reason: &Reason| Trouble::of_reason(reason, server, sent.size, is_relay);
            match fate {
                Fate::Delivered(reply) => {
                    log::info!("{to}: {server} has taken the letter: {reply}");
                    let notify =
                        sent.posting.recipients.get(usize::from(recipient)).map(|known| known.notify);
                    // RFC 3461 §5.2.2: whoever wants to hear of success hears it from the last server that can say it.
                    if !outcome.dsn && notify.is_some_and(|notify| notify.contains(Notify::SUCCESS)) {
                        told.push(Told { uid, recipient, outcome: Verdict::Relayed, trouble: None });
                    } else {
                        delivered.insert(uid);
                    }
                }
                Fate::Refused(reason) => {
                    let trouble = trouble(reason);
                    log::info!("{to}: refused; {trouble}");
                    told.push(Told {
                        uid,
                        recipient,
                        outcome: Verdict::Failed(trouble.cause),
                        trouble: Some(trouble),
                    });
                }
                // Their turn comes with the next connection.
                Fate::Left | Fate::Deferred(Reason::Ended(_)) => {}
                Fate::Deferred(reason) => {
                    let trouble = trouble(reason);
                    told.extend(self.defer(uid, recipient, to, &trouble).await);
                }
            }
        }
        if !delivered.is_empty() {
            self.depart(delivered).await;
        }
        self.report(&sent.posting, told).await;
    }

    /// A whole line came to nothing: each message is tried again when its time comes, or has failed for good.
    pub(super) async fn fail(self: &Rc<Self>, line: &Line, trouble: &Trouble, is_final: bool) {
        log::info!("{} letters wait: {trouble}", line.waiting.borrow().len());
        loop {
            let Some(first) = line.waiting.borrow_mut().pop_front() else { return };
            let Some((posting, messages)) = self.group(first, line, usize::MAX).await else { continue };
            let mut told = Vec::new();
            for (uid, recipient) in messages {
                let to = posting
                    .recipients
                    .get(usize::from(recipient))
                    .map_or("?", |known| known.address.as_str());
                if is_final {
                    let outcome = Verdict::Failed(trouble.cause);
                    told.push(Told { uid, recipient, outcome, trouble: Some(trouble.clone()) });
                } else {
                    told.extend(self.defer(uid, recipient, to, trouble).await);
                }
            }
            self.report(&posting, told).await;
        }
    }

    /// Puts a message off to its next turn; gives back what its sender is to be told when that was the last one.
    async fn defer(&self, uid: Uid, recipient: u16, to: &str, trouble: &Trouble) -> Option<Told> {
        let Some(outbound) = self.outbound(uid) else {
            self.rows().borrow_mut().forget(uid);
            return None;
        };
        let words = self.number(trouble).await;
        let now_s = self.now_s();
        let Some(next) = after_failure(&outbound, uid, now_s, words) else {
            log::info!("{to}: given up after {} attempts; {trouble}", outbound.attempts);
            let outcome = Verdict::Expired(trouble.cause);
            return Some(Told { uid, recipient, outcome, trouble: Some(trouble.clone()) });
        };
        log::info!("{to}: again in {} min; {trouble}", next.due_s.saturating_sub(now_s) / 60);
        self.put(uid, &next).await;
        None
    }

    /// Tells the sender, and tries that again later when it cannot be told now.
    pub(super) async fn report(self: &Rc<Self>, posting: &Posting, told: Vec<Told>) {
        if told.is_empty() {
            return;
        }
        let result = self.tell(posting, &told).await;
        let sender = posting.envelope.sender.as_ref().map_or("<>", mail::Address::as_str);
        match result {
            Ok(()) => {}
            // Nobody is there to be told.
            Err(NotTold::Refused(Refusal::NoSuchUser | Refusal::NotLocal)) => {
                log::warn!("{sender}: nobody is there to be told what becomes of a letter");
                self.give_up(&told).await;
                return self.say_no_more(&told).await;
            }
            Err(NotTold::Unreadable) => {
                // What a server has taken is never to go to it again, whoever releases it.
                let (taken, others): (Vec<_>, Vec<_>) = told.into_iter().partition(Told::is_taken);
                self.give_up(&taken).await;
                for told in others {
                    self.hold_damaged(told.uid).await;
                }
                return;
            }
            Err(NotTold::Refused(refusal)) => {
                log::warn!("{sender}: the report cannot be delivered now: {refusal:?}");
                return self.tell_later(told).await;
            }
        }
        let done = told.iter().filter(|told| told.is_final());
        done.for_each(|told| self.rows().borrow_mut().forget(told.uid));
        self.say_no_more(&told).await;
    }

    /// Those whose outcome is final are done with, told or not.
    async fn give_up(self: &Rc<Self>, told: &[Told]) {
        let done = told.iter().filter(|told| told.is_final());
        let done = done.fold(UidSet::new(), |mut done, told| {
            done.insert(told.uid);
            done
        });
        if !done.is_empty() {
            self.depart(done).await;
        }
    }

    /// Those that are tried on are not spoken of again before their next notice.
    async fn say_no_more(&self, told: &[Told]) {
        for told in told.iter().filter(|told| !told.is_final()) {
            if let Some(outbound) = self.outbound(told.uid) {
                self.put(told.uid, &after_notice(outbound)).await;
            }
        }
    }

    /// The sender's mailbox may be full, or the flash: what is left to do for these is the report, some time later. That it
    /// takes long is said once or not at all.
    async fn tell_later(self: &Rc<Self>, told: Vec<Told>) {
        self.say_no_more(&told).await;
        for told in told.into_iter().filter(Told::is_final) {
            let Some(outbound) = self.outbound(told.uid) else { continue };
            let (attempts, due_s) = (outbound.attempts + 1, self.now_s().saturating_add(REPORT_AGAIN_S));
            if attempts > REPORTS_MAX {
                log::warn!("a letter that came to nothing is given up, and its sender could not be told");
                self.give_up(&[told]).await;
                continue;
            }
            // What a server has taken must never go to it again.
            let is_taken = told.is_taken();
            let words = match &told.trouble {
                _ if is_taken => 0,
                Some(trouble) => self.number(trouble).await,
                None => outbound.words,
            };
            let report_only = outbound.report_only || is_taken || words > 0;
            let later = Outbound { attempts, due_s, words, report_only, forced: true, ..outbound };
            if is_taken {
                self.make_durable(told.uid, &later).await;
            }
            self.put(told.uid, &later).await;
        }
    }

    /// Tells senders that it takes long. All messages are of one letter.
    pub(super) async fn say_late(self: &Rc<Self>, posting: &Posting, messages: &[(Uid, u16)]) {
        let now_s = self.now_s();
        let told = messages.iter().filter_map(|(uid, recipient)| {
            let outbound = self.outbound(*uid)?;
            let trouble = self.words().borrow().get(outbound.words).cloned();
            let cause = trouble.as_ref().map_or(proto::report::Cause::Deferred, |trouble| trouble.cause);
            let until = self.office().now().unix.0.saturating_add(left_s(&outbound, now_s).into());
            let outcome = Verdict::Delayed { cause, until: UnixTime(until) };
            Some(Told { uid: *uid, recipient: *recipient, outcome, trouble })
        });
        self.report(posting, told.collect()).await;
    }

    /// These are done with. Those that are soon after one another are one change: a barrier for each would be as many as
    /// the letters had that came in.
    pub(super) async fn depart(self: &Rc<Self>, uids: UidSet) {
        let is_first = self.departing.borrow().is_empty();
        uids.iter().for_each(|uid| self.departing.borrow_mut().insert(uid));
        let is_full = self.departing.borrow().run_count() >= DEPARTURES_MAX;
        if is_full {
            return self.depart_now().await;
        }
        if !is_first {
            return;
        }
        let queue = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let _at_work = queue.closing().enter();
            tokio::select! {
                () = sleep(DEPARTURES_GATHER) => {}
                () = queue.closing().begun() => {}
            }
            queue.depart_now().await;
        });
    }

    /// Takes those from the queue that are done with, and forgets them once that is durable: until then they are seen, and
    /// must not be taken for new ones.
    async fn depart_now(&self) {
        let uids = std::mem::take(&mut *self.departing.borrow_mut());
        if !uids.is_empty() && self.insist("letters are sent", |store| store.depart(&uids)).await {
            uids.iter().for_each(|uid| self.rows().borrow_mut().forget(uid));
        }
    }

    /// As it says, from now on and whatever comes: what a message was like before would have it sent once more.
    async fn make_durable(&self, uid: Uid, outbound: &Outbound) {
        let mut uids = UidSet::new();
        uids.push(uid);
        let (add, remove) = replacing(outbound);
        self.insist("a letter is sent", |store| store.set_flags(OUTBOUND, &uids, add, remove)).await;
    }

    /// Makes a change and waits until it is durable; where the flash does not take it, again and again until the box is
    /// switched off or writes nothing any more. Says whether it is durable.
    async fn insist(&self, what: &str, mut make: impl FnMut(&mut MailStore) -> Result<Ticket, Stop>) -> bool {
        loop {
            let result = match self.change(&mut make).await {
                Ok(ticket) => {
                    self.office().durable(&ticket).await;
                    ticket.result().unwrap_or(Err(Refusal::NotDurable)).map(|_| ())
                }
                Err(refusal) => Err(refusal),
            };
            let Err(refusal) = result else { return true };
            log::error!("{what}, and that could not be kept: {refusal:?}");
            if self.closing().has_begun() || self.office().store().is_read_only() {
                return false;
            }
            tokio::select! {
                () = sleep(DEPARTURES_AGAIN) => {}
                () = self.closing().begun() => {}
            }
        }
    }

    /// A message is as it says from now on, and has its next turn then.
    pub(super) async fn put(&self, uid: Uid, outbound: &Outbound) {
        let mut uids = UidSet::new();
        uids.push(uid);
        let (add, remove) = replacing(outbound);
        if let Err(refusal) = self.change(|store| store.set_flags(OUTBOUND, &uids, add, remove)).await {
            log::error!("how far a letter of the queue is could not be kept: {refusal:?}");
        }
        self.rows().borrow_mut().put_back(uid, next_turn(outbound).map(|(turn, _)| turn));
        self.wake();
    }

    /// The number of what stands in the way, kept from now on.
    async fn number(&self, trouble: &Trouble) -> u8 {
        let (number, change) = self.words().borrow_mut().number(trouble, || self.words_in_use());
        if let Some(change) = change
            && let Err(refusal) = self.office().carry_out(vec![change]).await
        {
            log::error!("what a server said could not be kept: {refusal:?}");
        }
        number
    }

    fn words_in_use(&self) -> [bool; WORDS_MAX + 1] {
        let mut used = [false; WORDS_MAX + 1];
        let store = self.office().store();
        let mut next = store.next_message(OUTBOUND, Uid(0));
        while let Some(message) = next {
            if let Some(used) = used.get_mut(usize::from(Outbound::from_flags(message.flags).words)) {
                *used = true;
            }
            next = message.uid.0.checked_add(1).and_then(|from| store.next_message(OUTBOUND, Uid(from)));
        }
        used
    }

    /// How far a message is; `None` once it is gone.
    pub(super) fn outbound(&self, uid: Uid) -> Option<Outbound> {
        self.office().store().message(OUTBOUND, uid).map(|message| Outbound::from_flags(message.flags))
    }

    /// Makes a change as soon as there is room for it.
    pub(super) async fn change(
        &self,
        mut make: impl FnMut(&mut MailStore) -> Result<Ticket, Stop>,
    ) -> Result<Ticket, Refusal> {
        loop {
            let made = make(&mut self.office().store_mut());
            self.office().after_step();
            match made {
                Ok(ticket) => return Ok(ticket),
                Err(Stop::Refused(refusal)) => return Err(refusal),
                Err(Stop::Busy) => self.office().flash_room().changed().await,
            }
        }
    }
}

/// The change of flags that makes a message be so: added, removed.
fn replacing(outbound: &Outbound) -> (Flags, Flags) {
    let all = Flags(u64::MAX).without(Outbound::RECIPIENT);
    (outbound.to_flags().without(Outbound::RECIPIENT), all)
}

/// A message whose sender has been told once more.
fn after_notice(outbound: Outbound) -> Outbound {
    let told = match outbound.told {
        [false, _] => [true, outbound.told[1]],
        [true, _] => [true, true],
    };
    Outbound { told, ..outbound }
}

//! The queue's loop: new messages, messages whose turn has come, the network, the clock that is kept.

use std::{rc::Rc, time::Instant};

use mail::{Mail as _, Modseq, OUTBOUND, Outbound, Posting, Uid, Unready};
use proto::report::{Cause, Outcome};
use tokio::time::{sleep, sleep_until};

use super::{
    Queue,
    limits::{CLOCK_KEEP, EMBARGO_LOOK_S, OFFLINE_LOOK, ROWS_PER_TURN},
    reading,
    reports::Told,
    schedule::{Turn, next_turn},
    trouble::Trouble,
};
use crate::{
    provision::{Change, Keeper as _, Records as _, key},
    routing::Routes,
    stored,
};

/// What is to be done for messages of one letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    /// The sender hears that it takes long.
    Late,
    /// The sender hears that it was delivered here.
    Delivered,
    /// The sender could not be told yet that it failed for this reason.
    Failed(u8),
    /// The administrator ended it.
    Cancelled,
}

/// Messages of one letter for which the same is to be done.
struct Batch {
    letter: Option<u32>,
    task: Task,
    posting: Rc<Posting>,
    messages: Vec<(Uid, u16)>,
}

/// Serves the queue for as long as it runs.
pub(crate) async fn run(queue: Rc<Queue>) {
    // The clock is kept in the end, before the store is closed.
    let _at_work = queue.closing().enter();
    let mut changes = queue.house().changes();
    let mut seen = Modseq(0);
    let mut kept = Instant::now();
    loop {
        let watch = queue.office().watch(OUTBOUND);
        queue.look_at_clock();
        if queue.closing().has_begun() {
            return queue.keep_clock().await;
        }
        queue.take_changes(&mut seen).await;
        if queue.can_send() && !queue.rests() {
            queue.take_due().await;
            queue.send();
            if queue.lines().borrow().is_empty() {
                // Nothing is there to find out with whether somebody can be reached: the next letter does.
                queue.unreachable.set(None);
            }
        }
        if queue.rows().borrow().len() > 0 && kept.elapsed() >= CLOCK_KEEP {
            queue.keep_clock().await;
            kept = Instant::now();
        }
        tokio::select! {
            () = watch.changed() => {}
            () = queue.wake.notified() => {}
            () = queue.next_turn() => {}
            () = sleep(CLOCK_KEEP), if queue.rows().borrow().len() > 0 => {}
            changed = changes.changed() => if changed.is_ok() { queue.settings_changed() },
            () = queue.closing().begun() => {}
        }
    }
}

/// What the queue's clock showed when it was kept last, in seconds, from its setting.
pub(crate) fn kept_clock(setting: &[u8]) -> u32 {
    stored::decode(setting).unwrap_or_default()
}

impl Queue {
    async fn keep_clock(&self) {
        let now_s = self.now_s();
        let value = stored::encode(&now_s);
        if self.office().setting(key::QUEUE_CLOCK).as_ref() == Some(&value) {
            return;
        }
        let change = Change::set(key::QUEUE_CLOCK, value.to_vec());
        if let Err(refusal) = self.office().carry_out(vec![change]).await {
            log::warn!("the queue's clock could not be kept: {refusal:?}");
        }
    }

    /// The clock goes while letters could go.
    fn look_at_clock(&self) {
        let goes = self.can_send() && self.is_reaching();
        self.clock.borrow_mut().set(goes, Instant::now());
    }

    /// Returns when a message has its turn; while the clock stands, when it is to be tried again whether anybody can be
    /// reached.
    async fn next_turn(&self) {
        match self.unreachable.get() {
            Some(again) if self.can_send() && self.rests() => return sleep_until(again.into()).await,
            None if self.clock.borrow().goes() => {}
            // Or when the connection that tries it has ended, or the network has changed, which wakes the queue.
            _ => return sleep(OFFLINE_LOOK).await,
        }
        let next = self.rows().borrow().next();
        match next.and_then(|turn| self.clock.borrow().when(turn)) {
            Some(due) => sleep_until(due.into()).await,
            None => std::future::pending().await,
        }
    }

    /// Whether nobody could be reached a moment ago: who tries again at once only keeps the processor busy.
    fn rests(&self) -> bool {
        self.unreachable.get().is_some_and(|again| Instant::now() < again)
    }

    /// Settings or network are others: what is known of routes is read anew, and the network looked for.
    fn settings_changed(&self) {
        if self.unreachable.get().is_some() {
            self.unreachable.set(Some(Instant::now()));
        }
        *self.router.borrow_mut() = Rc::new(self.house().router());
        *self.routes.borrow_mut() = Rc::new(Routes::load(self.office()));
        self.signers().forget();
    }

    /// Takes up messages that are new or were changed since the last time.
    async fn take_changes(&self, seen: &mut Modseq) {
        let Some(status) = self.office().store().status(OUTBOUND) else { return };
        let mut from = Some(Uid(0));
        while let Some(next) = from {
            from = self.take_some_changes(*seen, next);
            tokio::task::yield_now().await;
        }
        *seen = status.highest_modseq;
    }

    fn take_some_changes(&self, since: Modseq, mut from: Uid) -> Option<Uid> {
        let store = self.office().store();
        for _ in 0..ROWS_PER_TURN {
            let message = store.next_changed(OUTBOUND, since, from)?;
            let turn = next_turn(&Outbound::from_flags(message.flags)).map(|(turn, _)| turn);
            self.rows().borrow_mut().changed(message.uid, turn);
            from = Uid(message.uid.0.checked_add(1)?);
        }
        Some(from)
    }

    /// Takes messages whose turn has come to where they belong.
    async fn take_due(self: &Rc<Self>) {
        let now_s = self.now_s();
        let mut due = self.rows().borrow_mut().take_due(now_s, ROWS_PER_TURN);
        if due.len() == ROWS_PER_TURN {
            self.wake();
        }
        let (mut last, mut batch): (Option<(u32, Rc<Posting>)>, Option<Batch>) = (None, None);
        while let Some(uid) = due.pop_front() {
            let letter = self.office().store().queued_letter(uid);
            let known = last.take().filter(|(known, _)| Some(*known) == letter);
            let posting = match known {
                Some((_, posting)) => posting,
                None => match self.posting(uid).await {
                    Some(posting) => posting,
                    None => continue,
                },
            };
            last = letter.map(|letter| (letter, Rc::clone(&posting)));
            if let Some((task, recipient)) = self.begin(uid, &posting).await {
                let same = |batch: &Batch| batch.letter == letter && batch.task == task;
                match batch.as_mut().filter(|batch| same(batch)) {
                    Some(batch) => batch.messages.push((uid, recipient)),
                    None => {
                        let new = Batch { letter, task, posting, messages: vec![(uid, recipient)] };
                        self.do_batch(batch.replace(new)).await;
                    }
                }
            }
        }
        self.do_batch(batch).await;
    }

    async fn posting(self: &Rc<Self>, uid: Uid) -> Option<Rc<Posting>> {
        match reading::posting(self.office(), uid).await {
            Ok(posting) => return Some(Rc::new(posting)),
            Err(Unready::Gone) => self.rows().borrow_mut().forget(uid),
            Err(Unready::Cold(_) | Unready::Damaged) => self.hold_damaged(uid).await,
        }
        None
    }

    /// Begins a message's turn: puts it into its line, or says what else is to be done for it.
    async fn begin(self: &Rc<Self>, uid: Uid, posting: &Posting) -> Option<(Task, u16)> {
        let Some(outbound) = self.outbound(uid) else {
            self.rows().borrow_mut().forget(uid);
            return None;
        };
        let Some(recipient) = posting.recipients.get(usize::from(outbound.recipient)) else {
            self.hold_damaged(uid).await;
            return None;
        };
        let turn = next_turn(&outbound);
        match turn {
            _ if outbound.cancelled => return Some((Task::Cancelled, outbound.recipient)),
            None => self.rows().borrow_mut().put_back(uid, None),
            Some(_) if outbound.report_only => {
                let task = if outbound.words == 0 { Task::Delivered } else { Task::Failed(outbound.words) };
                return Some((task, outbound.recipient));
            }
            Some((_, Turn::Tell(_))) => return Some((Task::Late, outbound.recipient)),
            Some((_, Turn::Try)) => {
                if let Some(look_s) = self.embargo(posting, &outbound) {
                    self.rows().borrow_mut().put_back(uid, Some(look_s));
                    return None;
                }
                let destination = self.routes().destination(&recipient.address);
                let mut lines = self.lines().borrow_mut();
                lines.entry(destination).or_default().waiting.borrow_mut().push_back(uid);
            }
        }
        None
    }

    /// When to look again at a letter that is not to go yet (RFC 4865), on the queue's clock: that stands while the box is
    /// off, and the time that the letter was given does not.
    fn embargo(&self, posting: &Posting, outbound: &Outbound) -> Option<u32> {
        let not_before = posting.envelope.not_before.filter(|_| !outbound.forced)?;
        let left = not_before.0.saturating_sub(self.office().now().unix.0);
        let look = u32::try_from(left).ok()?.min(EMBARGO_LOOK_S);
        (look > 0).then(|| self.now_s().saturating_add(look))
    }

    async fn do_batch(self: &Rc<Self>, batch: Option<Batch>) {
        let Some(Batch { task, posting, messages, .. }) = batch else { return };
        let (outcome, trouble) = match task {
            Task::Late => return self.say_late(&posting, &messages).await,
            Task::Delivered => (Outcome::Delivered, None),
            Task::Cancelled => (Outcome::Failed(Cause::Cancelled), None),
            Task::Failed(words) => {
                let trouble = self.words().borrow().get(words).cloned();
                let cause = trouble.as_ref().map_or(Cause::Refused, |trouble| trouble.cause);
                let passes = trouble.as_ref().is_some_and(Trouble::passes);
                (if passes { Outcome::Expired(cause) } else { Outcome::Failed(cause) }, trouble)
            }
        };
        let told = messages.iter().map(|(uid, recipient)| {
            let to = posting.recipients.get(usize::from(*recipient));
            let is_here = to.is_none_or(|to| self.office().store().is_local(&to.address));
            let outcome = match outcome {
                // Another server has taken it: there was no room for saying so then.
                Outcome::Delivered if !is_here => Outcome::Relayed,
                outcome => outcome,
            };
            Told { uid: *uid, recipient: *recipient, outcome, trouble: trouble.clone() }
        });
        self.report(&posting, told.collect()).await;
    }
}

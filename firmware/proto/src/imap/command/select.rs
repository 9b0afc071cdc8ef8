//! SELECT and EXAMINE (RFC 3501 §6.3.1, §6.3.2).

use alloc::borrow::Cow;

use mail::{Flags, Status, Uid, UidSet};

use super::{Begun, mailbox_name};
use crate::{
    Want,
    imap::{
        emit,
        limits::WORK_MESSAGE,
        reply::{Code, Reply, Role, refused},
        turn::{End, Run, Step, Turn, flag_lines},
        view::View,
    },
};

/// `examine`: the client does not want to change anything.
pub(super) fn select(mailbox: &[u8], examine: bool, turn: &mut Turn<'_, '_>) -> Begun {
    // "The SELECT command automatically deselects any currently selected mailbox before attempting the new selection.
    // Consequently, if a mailbox is selected and a SELECT command fails, no mailbox is selected."
    turn.state.view = None;
    let found = mailbox_name(mailbox).and_then(|name| {
        let mailbox = turn.state.account.and_then(|account| turn.mail.mailbox(account, &name));
        mailbox.and_then(|mailbox| Some((mailbox, turn.mail.status(mailbox)?))).ok_or(NO_SUCH_MAILBOX)
    });
    let (mailbox, status) = match found {
        Ok(found) => found,
        Err(reply) => return reply.into(),
    };
    let mut view = View {
        mailbox,
        // RFC 3501 §6.3.1: "If the client is not permitted to modify the mailbox but is permitted read access", SELECT
        // opens it read-only and says so.
        read_only: examine || turn.mail.is_read_only(),
        uids: UidSet::new(),
        recent: UidSet::new(),
        synced: status.highest_modseq,
        checked: status.removed_modseq,
        keywords: turn.keywords().len(),
    };
    let uids = turn.uids(mailbox, Uid(0));
    view.take_in(&uids, turn.mail);
    Select { view: Some(view), status, next: Uid(0) }.into()
}

const NO_SUCH_MAILBOX: Reply = refused(mail::Refusal::NoSuchMailbox, Role::Subject);

/// Looks for the first message that is not `\Seen`, then says it all.
struct Select {
    view: Option<View>,
    status: Status,
    next: Uid,
}

impl Run for Select {
    fn step(&mut self, turn: &mut Turn<'_, '_>) -> Step {
        let Some(view) = &self.view else { return End::plain(NO_SUCH_MAILBOX).into() };
        let mut unseen = None;
        while self.status.unseen > 0 && unseen.is_none() {
            if turn.work.is_spent() {
                return Step::Wait(Want::Turn);
            }
            turn.work.spend(WORK_MESSAGE);
            let Some(message) = turn.mail.next_message(view.mailbox, self.next) else { break };
            self.next = Uid(message.uid.0.saturating_add(1));
            if !message.flags.contains(Flags::SEEN) {
                unseen = view.uids.position(message.uid);
            }
        }
        self.tell(view, unseen, turn);
        let (code, text) = if view.read_only {
            ("READ-ONLY", "Opened, nothing can be changed")
        } else {
            ("READ-WRITE", "Opened")
        };
        turn.state.view = self.view.take();
        End::plain(Reply::ok(text).with(Code::Plain(Cow::Borrowed(code)))).into()
    }
}

impl Select {
    fn tell(&self, view: &View, unseen: Option<u32>, turn: &mut Turn<'_, '_>) {
        let keywords = turn.state.account.map_or(&[][..], |account| turn.mail.keywords(account));
        let out = turn.output.buffer();
        flag_lines(keywords, view.read_only, out);
        let mut line = |before: &str, number: u32, after: &str| {
            out.extend_from_slice(before.as_bytes());
            emit::number(u64::from(number), out);
            out.extend_from_slice(after.as_bytes());
        };
        line("* ", view.uids.len(), " EXISTS\r\n");
        line("* ", view.recent_count(), " RECENT\r\n");
        if let Some(unseen) = unseen {
            line("* OK [UNSEEN ", unseen, "] The first message that has not been read\r\n");
        }
        line("* OK [UIDVALIDITY ", self.status.uid_validity.0, "] UIDs are valid\r\n");
        line("* OK [UIDNEXT ", self.status.uid_next.0, "] The next UID\r\n");
    }
}

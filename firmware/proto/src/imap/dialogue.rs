//! The dialogue: takes commands one after the other, runs each to its end, answers it, and loses patience with clients
//! that are silent or talk nonsense.

use alloc::boxed::Box;

use mail::Ticks;

use super::{
    ast::{Append, Command, Literal, Needs, Tag},
    command::{self, Begun},
    gather::{Gather, Gathered},
    limits::{
        BAD_BEFORE_LOGIN_MAX, BAD_MAX, COMMAND_MS_MAX, IDLE_LINE_MS, INACTIVE_MS_MAX, SKIP_BYTES_MAX,
        SKIP_MESSAGE_BYTES_MAX, WORK_COMMAND,
    },
    parse::{self, Fault},
    reply::{Reply, Status},
    sync::{Sync, Synced},
    turn::{End, Patience, Run, State, Step, Then, Turn},
};
use crate::{Answer, Output, Want};

/// Where a session is in its dialogue.
pub(super) struct Dialogue {
    gather: Gather,
    running: Option<Running>,
    /// The reply to a command whose rest is being thrown away.
    refused: Option<(Option<Tag>, Reply)>,
    /// BAD replies in a row.
    bads: u32,
    /// STARTTLS was answered: the next thing is TLS.
    awaits_tls: bool,
    closing: bool,
    /// When the first byte of a command came that has not come whole.
    command_since: Option<Ticks>,
    /// When the last command ended.
    quiet_since: Ticks,
    /// When an idling client is sent a line.
    idle_line_at: Option<Ticks>,
}

/// A command that has come whole (APPEND: up to its message) and has not been answered.
struct Running {
    tag: Tag,
    stage: Stage,
}

enum Stage {
    /// The client is told what is new, so that the command works on that as well.
    Before(Sync, Box<Command>),
    Work(Box<dyn Run>),
    /// The client is told what is new before the reply.
    After(Box<Sync>, Reply, Then),
}

impl Dialogue {
    pub(super) fn new(now: Ticks) -> Self {
        Self {
            gather: Gather::default(),
            running: None,
            refused: None,
            bads: 0,
            awaits_tls: false,
            closing: false,
            command_since: None,
            quiet_since: now,
            idle_line_at: None,
        }
    }

    /// Goes on as far as it can.
    pub(super) fn step(&mut self, turn: &mut Turn<'_, '_>) -> Want {
        if core::mem::take(&mut self.awaits_tls) && !matches!(turn.answer.take(), Some(Answer::Tls(_))) {
            self.closing = true;
        }
        loop {
            if self.closing {
                self.running = None;
                return Want::Close;
            }
            if self.awaits_tls {
                return Want::StartTls;
            }
            if turn.output.is_full() {
                return Want::Room;
            }
            if turn.work.is_spent() {
                return Want::Turn;
            }
            let want = match self.running.take() {
                Some(running) => self.go_on(running, turn),
                None => self.take_command(turn),
            };
            if let Some(want) = want {
                return want;
            }
        }
    }

    /// Until when the client may be silent.
    pub(super) fn patience(&mut self, state: &State, now: Ticks) -> Ticks {
        let running = match &self.running {
            Some(Running { stage: Stage::Work(job), .. }) => Some(job.patience()),
            _ => None,
        };
        if running != Some(Patience::Idle) {
            self.idle_line_at = None;
        }
        let limit = match running {
            Some(Patience::Idle) => *self.idle_line_at.get_or_insert(now.after_ms(IDLE_LINE_MS)),
            Some(Patience::Message(until)) => until,
            _ => match self.command_since {
                Some(since) => since.after_ms(COMMAND_MS_MAX),
                None => self.quiet_since.after_ms(INACTIVE_MS_MAX),
            },
        };
        if state.account.is_none() { limit.min(state.login_by) } else { limit }
    }

    /// The client has been silent for too long, or is idling and to be sent a line.
    pub(super) fn expire(&mut self, state: &State, output: &mut Output) -> Want {
        if let Some(at) = &mut self.idle_line_at {
            *at = at.after_ms(IDLE_LINE_MS);
            output.push(b"* OK Still here\r\n");
            return state.view.as_ref().map_or(Want::Input, |view| Want::Change(view.mailbox));
        }
        let is_mid_command = self.command_since.is_some() || self.running.is_some();
        output.push(match (state.account, is_mid_command) {
            (None, _) => b"* BYE No log-in in time\r\n" as &[u8],
            (_, true) => b"* BYE The rest of the command did not come in time\r\n",
            (_, false) => b"* BYE Logged out after half an hour without a command\r\n",
        });
        self.closing = true;
        self.running = None;
        Want::Close
    }

    /// Takes the next command from the input.
    fn take_command(&mut self, turn: &mut Turn<'_, '_>) -> Option<Want> {
        turn.work.spend(WORK_COMMAND);
        match self.gather.next(turn.input) {
            Gathered::Partial => {
                let is_mid_command = self.gather.is_mid_command();
                let since = self.command_since.get_or_insert(turn.now.ticks);
                self.command_since = is_mid_command.then_some(*since);
                return Some(Want::Input);
            }
            Gathered::Command(bytes) => {
                let (tag, parsed) = parse::command(bytes);
                self.gather.forget();
                self.command_since = None;
                match parsed {
                    Ok(command) => self.start(tag.unwrap_or_default(), command, turn),
                    Err(Fault::Bad(why)) => self.reply(tag.as_ref(), &Reply::bad(why), turn),
                    // A command that ends has all its literals.
                    Err(Fault::Missing) => {
                        self.reply(tag.as_ref(), &Reply::bad("A literal is missing"), turn)
                    }
                }
            }
            Gathered::Announced(bytes, literal) => {
                let (tag, parsed) = parse::command(bytes);
                self.announced(tag, parsed, literal, turn);
            }
            Gathered::TooLong(bytes) => {
                let (tag, _) = parse::command(bytes);
                self.refuse(tag, Reply::bad("The command is too long"), None, SKIP_BYTES_MAX, turn);
            }
            Gathered::Skipped => {
                if let Some((tag, reply)) = self.refused.take() {
                    self.reply(tag.as_ref(), &reply, turn);
                }
            }
            Gathered::Flood => {
                if let Some((tag, reply)) = self.refused.take() {
                    self.reply(tag.as_ref(), &reply, turn);
                }
                // RFC 7888 §4: a literal that nobody wants to read to its end is answered BYE.
                self.say_goodbye("That is too much to throw away", turn);
            }
        }
        None
    }

    /// A literal is announced; `parsed` is the command up to it.
    fn announced(
        &mut self,
        tag: Option<Tag>,
        parsed: Result<Command, Fault>,
        literal: Literal,
        turn: &mut Turn<'_, '_>,
    ) {
        let reply = match parsed {
            Ok(command @ Command::Append(_)) => {
                self.gather.forget();
                self.command_since = None;
                return self.start(tag.unwrap_or_default(), command, turn);
            }
            Ok(_) => Reply::bad("There is too much in this command"),
            Err(Fault::Bad(why)) => Reply::bad(why),
            Err(Fault::Missing) => {
                if self.gather.accept(literal) {
                    if literal.waits {
                        turn.output.push(b"+ go ahead\r\n");
                    }
                    return;
                }
                Reply::no("TOOBIG", "The literal is larger than this server takes in a command")
            }
        };
        self.refuse(tag, reply, Some(literal), SKIP_BYTES_MAX, turn);
    }

    /// Answers a command whose rest is not wanted: at once if nothing more comes, else behind it.
    fn refuse(
        &mut self,
        tag: Option<Tag>,
        reply: Reply,
        literal: Option<Literal>,
        budget: u64,
        turn: &mut Turn<'_, '_>,
    ) {
        if self.gather.skip(literal, budget) {
            self.refused = Some((tag, reply));
        } else {
            self.reply(tag.as_ref(), &reply, turn);
        }
    }

    /// Begins a command if it may be given now (RFC 3501 §3).
    fn start(&mut self, tag: Tag, command: Command, turn: &mut Turn<'_, '_>) {
        let wrong = match command.needs() {
            Needs::NotAuthenticated if turn.state.account.is_some() => Some("You are logged in already"),
            Needs::Authenticated | Needs::Selected if turn.state.account.is_none() => Some("Log in first"),
            Needs::Selected if turn.state.view.is_none() => Some("Select a mailbox first"),
            _ => None,
        };
        if let Some(why) = wrong {
            let then = match command {
                Command::Append(Append { literal, .. }) => Then::Skip(Some(literal)),
                _ => Then::Go,
            };
            return self.answer(tag, Reply::bad(why), then, turn);
        }
        let stage = match command {
            // They work on messages: the client is told of new ones first, and never of lost ones, which would change
            // the numbers that it has just sent.
            Command::Search { .. } | Command::Fetch { .. } | Command::Copy { .. } => {
                Stage::Before(Sync::without_expunges(), Box::new(command))
            }
            Command::Store { .. } => Stage::Before(Sync::of_arrivals(), Box::new(command)),
            command => match command::begin(command, turn) {
                Begun::Job(job) => Stage::Work(job),
                Begun::End(end) => return self.end(tag, end, turn),
            },
        };
        self.running = Some(Running { tag, stage });
    }

    /// Goes on with the command in progress.
    fn go_on(&mut self, running: Running, turn: &mut Turn<'_, '_>) -> Option<Want> {
        let Running { tag, stage } = running;
        let (stage, want) = match stage {
            Stage::Before(mut sync, command) => match sync.step(turn) {
                Synced::Wait(want) => (Stage::Before(sync, command), Some(want)),
                Synced::Done => match command::begin(*command, turn) {
                    Begun::Job(job) => (Stage::Work(job), None),
                    Begun::End(end) => {
                        self.end(tag, end, turn);
                        return None;
                    }
                },
                Synced::Deleted => {
                    let reply = Reply::no("NONEXISTENT", "The selected mailbox has been deleted");
                    self.answer_deleted(tag, reply, turn);
                    return None;
                }
            },
            Stage::Work(mut job) => match job.step(turn) {
                Step::Wait(want) => (Stage::Work(job), Some(want)),
                Step::End(end) => {
                    self.end(tag, end, turn);
                    return None;
                }
                Step::Drop => {
                    self.closing = true;
                    return None;
                }
            },
            Stage::After(mut sync, reply, then) => match sync.step(turn) {
                Synced::Wait(want) => (Stage::After(sync, reply, then), Some(want)),
                Synced::Done => {
                    self.answer(tag, reply, then, turn);
                    return None;
                }
                Synced::Deleted => {
                    self.answer_deleted(tag, reply, turn);
                    return None;
                }
            },
        };
        self.running = Some(Running { tag, stage });
        want
    }

    /// A command has done its work.
    fn end(&mut self, tag: Tag, end: End, turn: &mut Turn<'_, '_>) {
        match end.sync {
            Some(sync) => {
                let stage = Stage::After(Box::new(sync), end.reply, end.then);
                self.running = Some(Running { tag, stage });
            }
            None => self.answer(tag, end.reply, end.then, turn),
        }
    }

    fn answer(&mut self, tag: Tag, reply: Reply, then: Then, turn: &mut Turn<'_, '_>) {
        if let Then::Skip(literal) = then {
            return self.refuse(Some(tag), reply, literal, SKIP_MESSAGE_BYTES_MAX, turn);
        }
        self.reply(Some(&tag), &reply, turn);
        match then {
            Then::Close => self.closing = true,
            Then::StartTls => {
                // What came in clear behind the command may have been put there by somebody else.
                turn.input.take(usize::MAX);
                self.awaits_tls = true;
            }
            Then::Go | Then::Skip(_) => {}
        }
    }

    /// RFC 2180 §3: of the ways to tell that the selected mailbox was deleted by another session, the one that no client
    /// misunderstands.
    fn answer_deleted(&mut self, tag: Tag, reply: Reply, turn: &mut Turn<'_, '_>) {
        self.reply(Some(&tag), &reply, turn);
        self.say_goodbye("The selected mailbox has been deleted", turn);
    }

    fn say_goodbye(&mut self, why: &str, turn: &mut Turn<'_, '_>) {
        turn.output.push(b"* BYE ");
        turn.output.push(why.as_bytes());
        turn.output.push(b"\r\n");
        self.closing = true;
    }

    /// Writes a reply; counts those that say BAD.
    fn reply(&mut self, tag: Option<&Tag>, reply: &Reply, turn: &mut Turn<'_, '_>) {
        reply.write(tag.map_or("*", Tag::as_str), turn.output.buffer());
        self.quiet_since = turn.now.ticks;
        self.command_since = None;
        self.idle_line_at = None;
        let is_logged_in = turn.state.account.is_some();
        if reply.status == Status::Bad {
            self.bads += 1;
        } else if is_logged_in {
            self.bads = 0;
        }
        if self.bads >= if is_logged_in { BAD_MAX } else { BAD_BEFORE_LOGIN_MAX } {
            self.say_goodbye("This does not look like IMAP", turn);
        }
    }
}

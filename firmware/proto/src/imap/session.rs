//! The session as its driver sees it: greeting, steps, deadlines.

use alloc::rc::Rc;

use mail::{Mail, Now, Ticks};

use super::{
    Config, capability,
    dialogue::Dialogue,
    limits::BEFORE_LOGIN_MS_MAX,
    turn::{State, Turn, Work},
};
use crate::{Answer, Io, Output, Peer, Reason, Session, Want};

/// An IMAP session.
pub struct ImapSession {
    state: State,
    dialogue: Dialogue,
    greeted: bool,
    deadline: Ticks,
}

impl ImapSession {
    /// A session with `peer` that begins now.
    #[must_use]
    pub fn new(config: Rc<Config>, peer: Peer, now: Now) -> Self {
        let login_by = now.ticks.after_ms(BEFORE_LOGIN_MS_MAX);
        let state =
            State { config, peer, secure: peer.tls, account: None, view: None, login_by, login_failures: 0 };
        Self { state, dialogue: Dialogue::new(now.ticks), greeted: false, deadline: login_by }
    }
}

impl Session for ImapSession {
    fn step(&mut self, io: &mut Io<'_, '_>, mail: &mut dyn Mail) -> Want {
        if !core::mem::replace(&mut self.greeted, true) {
            greet(&self.state, io.output);
        }
        let mut turn = Turn {
            state: &mut self.state,
            mail,
            input: io.input,
            output: io.output,
            answer: io.answer.take(),
            now: io.now,
            work: Work::new(),
        };
        if let Some(Answer::Tls(channel_binding)) = turn.answer {
            turn.state.secure = true;
            turn.state.peer.channel_binding = channel_binding;
            turn.state.login_by = turn.now.ticks.after_ms(BEFORE_LOGIN_MS_MAX);
        }
        let want = self.dialogue.step(&mut turn);
        self.deadline = match want {
            Want::Input | Want::Change(_) => self.dialogue.patience(&self.state, io.now.ticks),
            _ => Ticks(u64::MAX),
        };
        want
    }

    fn deadline(&self) -> Ticks {
        self.deadline
    }

    fn expire(&mut self, now: Now, output: &mut Output) -> Want {
        let want = self.dialogue.expire(&self.state, output);
        self.deadline = self.dialogue.patience(&self.state, now.ticks);
        want
    }

    /// RFC 3501 §7.1.5: BYE may come at any time.
    fn farewell(&mut self, output: &mut Output) {
        refuse(output, &self.state.config.hostname, Reason::ShuttingDown);
    }
}

/// RFC 3501 §7.1: the greeting, with the capabilities that a client would ask for next.
fn greet(state: &State, output: &mut Output) {
    output.push(b"* OK [CAPABILITY ");
    capability::write(state, output.buffer());
    output.push(b"] ");
    output.push(state.config.hostname.as_bytes());
    output.push(b" Tegami is ready\r\n");
}

/// Turns a connection away at its greeting (RFC 3501 §7.1.5).
pub fn refuse(output: &mut Output, hostname: &str, reason: Reason) {
    output.push(b"* BYE [UNAVAILABLE] ");
    output.push(hostname.as_bytes());
    output.push(match reason {
        Reason::Unclaimed => b" has not been set up yet: open its page in a browser\r\n" as &[u8],
        Reason::TooManyConnections => b" has too many connections; try again later\r\n",
        Reason::ShuttingDown => b" is being switched off\r\n",
        Reason::NoStore => b" cannot use its flash: its page in a browser says what to do\r\n",
    });
}

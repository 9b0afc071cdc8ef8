//! The loop that the program runs around a session, without sockets: a test calls it and looks at what came out.

use alloc::vec::Vec;

use mail::{MailboxId, Now, UnixTime};

use super::{BINDING, FakeMail, NOW, scram::prove};
use crate::{Answer, Input, Io, Output, Session, Want};

/// Turns that a session may take in a row. Far more than any test needs; a session that spins gets there at once.
const TURNS_MAX: usize = 100_000;

/// What a session waits for when the driver can do no more for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    Input,
    Change(MailboxId),
    /// A job of the test's own.
    Work,
    /// Its deadline, whatever comes.
    Pause,
    /// Only while [`Driver::hold_commits`] is set.
    Durable,
    Closed,
}

/// A session with everything that it is connected to.
pub(crate) struct Driver<S> {
    pub(crate) session: S,
    pub(crate) mail: FakeMail,
    pub(crate) now: Now,
    /// What it waits for.
    pub(crate) waiting: Waiting,
    /// TLS handshakes so far.
    pub(crate) tls_started: usize,
    /// Proofs made so far.
    pub(crate) proofs_made: usize,
    /// Leaves the session waiting for its barrier until [`Driver::commit`].
    pub(crate) hold_commits: bool,
    /// The most output that was ever pending.
    pub(crate) pending_output_max: usize,
    output: Output,
    input: Vec<u8>,
    sent: Vec<u8>,
    answer: Option<Answer>,
}

impl<S: Session> Driver<S> {
    /// Connects a session and takes it to its greeting.
    pub(crate) fn new(session: S, mail: FakeMail) -> Self {
        let mut driver = Self {
            session,
            mail,
            now: NOW,
            waiting: Waiting::Input,
            tls_started: 0,
            proofs_made: 0,
            hold_commits: false,
            pending_output_max: 0,
            output: Output::new(),
            input: Vec::new(),
            sent: Vec::new(),
            answer: None,
        };
        driver.run();
        driver
    }

    /// Sends bytes in one piece.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        self.run();
    }

    /// What the session said since this was last called.
    pub(crate) fn received(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.sent)
    }

    /// Whether the session has closed the connection.
    pub(crate) fn is_closed(&self) -> bool {
        self.waiting == Waiting::Closed
    }

    /// Lets the barrier end that the session waits for.
    pub(crate) fn commit(&mut self) {
        self.mail.commit();
        self.waiting = Waiting::Input;
        self.run();
    }

    /// Lets time pass, with every deadline on the way.
    pub(crate) fn wait(&mut self, ms: u64) {
        let end = self.now.ticks.after_ms(ms);
        while !self.is_closed() && self.session.deadline() <= end {
            let before = self.session.deadline();
            self.set_ticks(before.0.max(self.now.ticks.0));
            let want = self.session.expire(self.now, &mut self.output);
            self.flush();
            assert!(
                matches!(want, Want::Close) || self.session.deadline() > before,
                "a deadline that stays where it is"
            );
            if !self.satisfy(want) {
                self.waiting = Waiting::Input;
                self.run();
            }
        }
        self.set_ticks(end.0);
    }

    /// Calls the session until it waits for something that the driver cannot give.
    pub(crate) fn run(&mut self) {
        for _ in 0..TURNS_MAX {
            if matches!(self.waiting, Waiting::Closed | Waiting::Durable | Waiting::Pause) {
                return;
            }
            let mut input = Input::new(&self.input);
            let mut io =
                Io { input: &mut input, output: &mut self.output, answer: self.answer.take(), now: self.now };
            let want = self.session.step(&mut io, &mut self.mail);
            let taken = input.taken();
            self.input.drain(..taken);
            self.pending_output_max = self.pending_output_max.max(self.output.pending().len());
            if !matches!(want, Want::Turn) {
                self.flush();
            }
            if self.satisfy(want) {
                return;
            }
        }
        panic!("the session spins");
    }

    /// Does what is wanted; says whether the session must wait for the test.
    fn satisfy(&mut self, want: Want) -> bool {
        match want {
            Want::Turn | Want::Room => return false,
            Want::Login(login) => self.answer = Some(Answer::Login(self.mail.login(&login))),
            Want::ScramChallenge(name) => {
                self.answer = Some(Answer::ScramChallenge(self.mail.scram_challenge(&name)));
            }
            Want::ScramProof(proof) => self.answer = Some(Answer::ScramProof(self.mail.scram_proof(&proof))),
            Want::MakeProof(task) => {
                self.proofs_made += 1;
                self.answer = Some(Answer::ScramProven(prove(&task)));
            }
            Want::Durable(ticket) if self.hold_commits && !ticket.is_settled() => {
                self.waiting = Waiting::Durable;
                return true;
            }
            Want::Durable(_) => self.mail.commit(),
            Want::Warm(cold) => self.mail.warm(cold),
            Want::Flash => self.mail.make_room(),
            Want::StartTls => {
                self.input.clear();
                self.tls_started += 1;
                self.answer = Some(Answer::Tls(Some(BINDING)));
            }
            Want::Input => {
                self.waiting = Waiting::Input;
                return true;
            }
            Want::Pause => {
                self.waiting = Waiting::Pause;
                return true;
            }
            Want::Change(mailbox) => {
                self.waiting = Waiting::Change(mailbox);
                return true;
            }
            Want::Work => {
                self.waiting = Waiting::Work;
                return true;
            }
            Want::Close => {
                self.waiting = Waiting::Closed;
                return true;
            }
        }
        false
    }

    fn flush(&mut self) {
        self.sent.extend_from_slice(self.output.pending());
        self.output.sent(self.output.pending().len());
    }

    fn set_ticks(&mut self, ticks: u64) {
        self.now.ticks.0 = ticks;
        self.now.unix = UnixTime(NOW.unix.0 + (ticks.saturating_sub(NOW.ticks.0) / 1000) as i64);
    }
}

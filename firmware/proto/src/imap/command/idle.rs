//! IDLE (RFC 2177).

use super::Begun;
use crate::{
    Want,
    imap::{
        limits::RESPONSE_LINE_BYTES_MAX,
        parse::without_line_end,
        reply::Reply,
        sync::{Sync, Synced},
        turn::{End, Patience, Run, Step, Turn},
    },
    line::{Line, Lines},
};

pub(super) fn idle(turn: &mut Turn<'_, '_>) -> Begun {
    turn.output.push(b"+ idling\r\n");
    Idle { sync: Sync::all(), lines: Lines::new(RESPONSE_LINE_BYTES_MAX) }.into()
}

/// Tells what happens until the client says DONE.
struct Idle {
    sync: Sync,
    lines: Lines,
}

impl Run for Idle {
    fn step(&mut self, turn: &mut Turn<'_, '_>) -> Step {
        match self.sync.step(turn) {
            Synced::Done => self.sync = Sync::all(),
            Synced::Wait(want) => return Step::Wait(want),
            // The report before the reply will say so.
            Synced::Deleted => return End::new(Reply::ok("Done idling")).into(),
        }
        match self.lines.next(turn.input) {
            Line::Partial => Step::Wait(turn.mailbox().map_or(Want::Input, Want::Change)),
            Line::Whole(line) if without_line_end(line).eq_ignore_ascii_case(b"DONE") => {
                End::new(Reply::ok("Done idling")).into()
            }
            Line::Whole(_) | Line::TooLong => End::new(Reply::bad("IDLE ends with DONE")).into(),
        }
    }

    fn patience(&self) -> Patience {
        Patience::Idle
    }
}

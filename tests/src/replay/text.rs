//! The journal as text, a line for each thing that happened, so that a recorded run can be looked at and checked again.

use super::journal::{Change, Filed, Journal, Letter, Sight};
use std::fmt::Write;
use std::ops::Range;

/// What stands for a moment that never came, and for a letter that is gone.
const NONE: &str = "-";

/// The text of a journal, and of where the flash lies on the disk.
pub(super) fn print(flash: &Range<u64>, journal: &Journal) -> String {
    let mut text = format!("flash {} {}\n", flash.start, flash.end);
    let moment = |moment: Option<u64>| moment.map_or(NONE.to_owned(), |at| at.to_string());
    let mut line = |line: String| writeln!(text, "{line}").expect("a string takes all");
    for ((address, mailbox), validity) in &journal.validities {
        line(format!("validity {address} {mailbox} {validity}"));
    }
    for (number, Letter { begun, confirmed }) in &journal.letters {
        line(format!("letter {number} {begun} {}", moment(*confirmed)));
    }
    for Sight { recipient, uid, number, at } in &journal.sights {
        line(format!("sight {recipient} {uid} {number} {at}"));
    }
    for Change { begun, confirmed, number, after } in &journal.changes {
        let after =
            after.map_or(NONE.to_owned(), |Filed { mailbox, uid, flags }| format!("{mailbox} {uid} {flags}"));
        line(format!("change {number} {begun} {} {after}", moment(*confirmed)));
    }
    text
}

/// The journal of such a text, and where the flash lies; `None` for another text.
pub(super) fn parse(text: &str) -> Option<(Range<u64>, Journal)> {
    let mut flash = None;
    let mut journal = Journal::default();
    for line in text.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["flash", start, end] => flash = Some(start.parse().ok()?..end.parse().ok()?),
            ["validity", address, mailbox, validity] => {
                let mailbox = ((*address).to_owned(), (*mailbox).to_owned());
                journal.validities.insert(mailbox, validity.parse().ok()?);
            }
            ["letter", number, begun, confirmed] => {
                let letter = Letter { begun: begun.parse().ok()?, confirmed: moment(confirmed)? };
                journal.letters.insert(number.parse().ok()?, letter);
            }
            ["sight", recipient, uid, number, at] => journal.sights.push(Sight {
                recipient: recipient.parse().ok()?,
                uid: uid.parse().ok()?,
                number: number.parse().ok()?,
                at: at.parse().ok()?,
            }),
            ["change", number, begun, confirmed, after @ ..] => journal.changes.push(Change {
                begun: begun.parse().ok()?,
                confirmed: moment(confirmed)?,
                number: number.parse().ok()?,
                after: filed(after)?,
            }),
            _ => return None,
        }
    }
    Some((flash?, journal))
}

/// The outer `None` is for what is no moment.
fn moment(word: &str) -> Option<Option<u64>> {
    if word == NONE { Some(None) } else { word.parse().ok().map(Some) }
}

fn filed(words: &[&str]) -> Option<Option<Filed>> {
    match words {
        [NONE] => Some(None),
        [mailbox, uid, flags] => Some(Some(Filed {
            mailbox: mailbox.parse().ok()?,
            uid: uid.parse().ok()?,
            flags: flags.parse().ok()?,
        })),
        _ => None,
    }
}

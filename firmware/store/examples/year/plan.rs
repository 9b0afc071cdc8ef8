//! What the model gives, before any store has seen it: sizes, and what happens how often.

use std::collections::BTreeMap;

use crate::office::calendar::{DAY, HOUR, YEAR_DAYS, is_workday};
use crate::office::mix::Kind;
use crate::office::people::{PEOPLE, POP3_PEOPLE};
use crate::office::{Action, Folder, Mark, Office};

const LETTERS: usize = 200_000;

/// Prints the mix, and a year for a flash of `capacity` bytes.
pub(crate) fn print(capacity: u64) {
    let mut office = Office::new(capacity / 5 * 4, super::SEED);
    let letters: Vec<_> = (0..LETTERS).map(|_| office.any_letter()).collect();
    let mut sizes: Vec<u32> = letters.iter().map(|letter| letter.size).collect();
    sizes.sort_unstable();
    let total: u64 = sizes.iter().map(|size| u64::from(*size)).sum();
    println!("size of {LETTERS} letters of the mix: mean {}", total / LETTERS as u64);
    for part in [5, 10, 25, 50, 75, 90, 95, 99] {
        println!("  {part:>3} % below {:>8}", sizes[LETTERS * part / 100]);
    }
    let head: u64 = letters.iter().map(|letter| u64::from(letter.head)).sum();
    let summary: u64 = letters.iter().map(|letter| u64::from(letter.summary)).sum();
    println!("  header blocks: mean {}, summaries: {}", head / LETTERS as u64, summary / LETTERS as u64);
    for kind in [Kind::Note, Kind::Notice, Kind::Newsletter, Kind::Junk, Kind::File] {
        let these: Vec<u64> =
            letters.iter().filter(|letter| letter.kind == kind).map(|letter| letter.size.into()).collect();
        let bytes: u64 = these.iter().sum();
        println!(
            "  {:<12} {:>5.1} % of letters, mean {:>7}, {:>5.1} % of bytes",
            format!("{kind:?}"),
            these.len() as f64 / LETTERS as f64 * 100.0,
            bytes / these.len().max(1) as u64,
            bytes as f64 / total as f64 * 100.0
        );
    }
    year(Office::new(capacity / 5 * 4, super::SEED), capacity);
}

fn year(mut office: Office, capacity: u64) {
    let older = office.older();
    let bytes: u64 = older.iter().map(|(letter, _, _)| u64::from(letter.size)).sum();
    println!("older mail: {} letters, {:.1} % of the flash", older.len(), percent(bytes, capacity));
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let (mut coming, mut at_night, mut all) = (0, 0, 0_u64);
    let mut busiest = vec![0_u64; PEOPLE];
    for (time, action) in office {
        if time >= YEAR_DAYS * DAY {
            break;
        }
        all += 1;
        let clock = time % DAY;
        at_night += u64::from(!is_workday(time / DAY) || !(8 * HOUR..19 * HOUR).contains(&clock));
        if let Some(person) = person(&action) {
            busiest[person] += 1;
        }
        let (name, letters) = name(&action);
        let count = counts.entry(name).or_default();
        (count.0, count.1) = (count.0 + 1, count.1 + letters);
        if let Action::Deliver { letter, .. } | Action::Append { letter, .. } = &action {
            coming += u64::from(letter.size);
        }
    }
    println!("the year brings {:.1} % of the flash; {all} actions:", percent(coming, capacity));
    println!("  {:.1} % outside of working hours", percent(at_night, all));
    println!("  of one person: {:?} (the last {POP3_PEOPLE} use POP3)", busiest);
    for (name, (actions, letters)) in counts {
        println!("  {name:<28} {actions:>7}, {:>6.1} letters each", letters as f64 / actions as f64);
    }
}

fn person(action: &Action) -> Option<usize> {
    match action {
        Action::Deliver { .. } | Action::Restart { .. } => None,
        Action::Append { by: person, .. }
        | Action::Mark { person, .. }
        | Action::Move { person, .. }
        | Action::Expunge { person, .. } => Some(*person),
    }
}

fn name(action: &Action) -> (&'static str, u64) {
    match action {
        Action::Deliver { to, .. } => ("deliver (recipients)", to.len() as u64),
        Action::Append { folder: Folder::Drafts, .. } => ("append to Drafts", 1),
        Action::Append { .. } => ("append to Sent", 1),
        Action::Mark { letters, mark, .. } => {
            let name = match mark {
                Mark::Seen => "flag \\Seen",
                Mark::SeenByFetch => "flag \\Seen by FETCH",
                Mark::Answered => "flag \\Answered",
                Mark::Flagged => "flag \\Flagged",
                Mark::Deleted => "flag \\Deleted",
            };
            (name, letters.len() as u64)
        }
        Action::Move { letters, to: Folder::Trash, .. } => ("move to Trash", letters.len() as u64),
        Action::Move { letters, .. } => ("move to a folder", letters.len() as u64),
        Action::Expunge { letters, .. } => ("expunge", letters.len() as u64),
        Action::Restart { clean: true } => ("restart", 0),
        Action::Restart { clean: false } => ("power cut", 0),
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64 * 100.0
}

//! `tegami stat`: how full and how worn a flash is.

use std::path::Path;

use mail::Mail as _;
use store::{Statistics, Wear};

use super::{
    Outcome, Problem,
    accounts::mailboxes,
    flash::{Looked, look},
    limits::DAY_BYTES,
    output::say,
    wording::{count, number, size},
};

/// Days of a year.
const YEAR_DAYS: f64 = 365.25;

/// Shows the figures.
///
/// # Errors
/// A sentence, when there is no store to be read.
pub(super) fn run(flash: &Path, endurance: u32) -> Result<Outcome, Problem> {
    report(&look(flash)?, endurance).iter().for_each(say);
    Ok(Outcome::Good)
}

/// The lines that show them.
pub(super) fn report(store: &Looked, endurance: u32) -> Vec<String> {
    let figures = store.statistics();
    let mut lines = vec!["Room".to_owned()];
    lines.extend(room(&figures));
    lines.extend(accounts(store));
    lines.push("\nWear".to_owned());
    lines.extend(wear(&figures, endurance));
    if figures.damage > 0 {
        let places = count(figures.damage, "damaged place", "damaged places");
        lines.push(format!("\nThe mount found {places}: `tegami check` says what they cost"));
    }
    lines
}

fn line(name: &str, value: &str) -> String {
    format!("  {name:<28} {value}")
}

fn room(figures: &Statistics) -> Vec<String> {
    let used = figures.capacity.saturating_sub(figures.free);
    let percent = used.saturating_mul(100) / figures.capacity.max(1);
    let deleted = count(figures.deleted.count, "message", "messages");
    vec![
        line("capacity", &size(figures.capacity)),
        line("used", &format!("{} ({percent} %)", size(used))),
        line("free for mail, about", &size(figures.free)),
        line("letters stored", &number(figures.letters as u64)),
        line("deleted, can be brought back", &format!("{deleted}, {}", size(figures.deleted.bytes))),
    ]
}

fn accounts(store: &Looked) -> Vec<String> {
    let mut messages = 0;
    let mut lines = Vec::new();
    for account in store.accounts() {
        let boxes = mailboxes(store, account.id);
        let statuses = boxes.iter().filter_map(|mailbox| store.status(mailbox.id));
        let of_account: u64 = statuses.map(|status| u64::from(status.messages)).sum();
        messages += of_account;
        let quota = store.quota(account.id);
        let limit = quota.limit.map_or("no quota".into(), |limit| format!("quota {}", size(limit)));
        let text = format!(
            "{} of {} in {}, {limit}",
            size(quota.used),
            count(of_account, "message", "messages"),
            count(boxes.len() as u64, "mailbox", "mailboxes")
        );
        lines.push(line(account.address, &text));
    }
    if lines.is_empty() {
        lines.push("  none".to_owned());
    }
    let heads = [line("messages shown", &number(messages)), "\nAccounts".to_owned()];
    heads.into_iter().chain(lines).collect()
}

fn wear(figures: &Statistics, endurance: u32) -> Vec<String> {
    let wear = &figures.wear;
    let mean = mean(wear);
    let factor = amplification(figures).map_or("no mail yet".into(), |factor| format!("{factor:.2} bytes"));
    let erases =
        format!("{} least, {mean:.1} mean, {} most", number(wear.least.into()), number(wear.most.into()));
    let segments = format!("{} of {}", number(wear.segments.into()), size(wear.segment_bytes.into()));
    let mut lines = vec![
        line("mail ever taken", &size(figures.mail)),
        line("ever written to the flash", &size(figures.programmed)),
        line("written for a byte of mail", &factor),
        line("erases of a segment", &erases),
        line("segments", &segments),
    ];
    if wear.retired > 0 {
        let retired = count(wear.retired.into(), "segment: it failed", "segments: they failed");
        lines.push(line("not used any more", &retired));
    }
    let used = f64::from(wear.most) * 100.0 / f64::from(endurance);
    let used = format!("{used:.2} % at {} erases a block (--endurance)", number(endurance.into()));
    let left = mail_left(figures, endurance);
    let years = left / DAY_BYTES as f64 / YEAR_DAYS;
    let left = format!("about {}: {years:.0} years of {} a day", size(left as u64), size(DAY_BYTES));
    lines.extend([line("life used, about", &used), line("mail that it can still take", &left)]);
    lines
}

fn mean(wear: &Wear) -> f64 {
    wear.total as f64 / f64::from(wear.segments.max(1))
}

/// Bytes programmed for each byte of mail; `None` before the first letter.
fn amplification(figures: &Statistics) -> Option<f64> {
    (figures.mail > 0).then(|| figures.programmed as f64 / figures.mail as f64)
}

/// Mail that can be taken, and removed again, before blocks wear out: the erases that are left, on all segments alike,
/// at what a byte of mail has cost so far. What the card's own controller writes in addition is not known here.
fn mail_left(figures: &Statistics, endurance: u32) -> f64 {
    let erases = (f64::from(endurance) - mean(&figures.wear)).max(0.0);
    let programs = erases * f64::from(figures.wear.segments) * f64::from(figures.wear.segment_bytes);
    programs / amplification(figures).unwrap_or(1.0).max(1.0)
}

#[cfg(test)]
mod tests {
    use store::Deleted;

    use super::*;

    #[test]
    fn what_is_left_follows_from_erases_and_amplification() {
        let wear = Wear { segments: 100, segment_bytes: 1_000, least: 0, most: 20, total: 1_000, retired: 0 };
        let figures = Statistics { mail: 50, programmed: 100, wear, ..Statistics::default() };
        assert_eq!(amplification(&figures), Some(2.0));
        assert_eq!(mail_left(&figures, 110), 100.0 * 100.0 * 1_000.0 / 2.0);
        assert_eq!(mail_left(&figures, 5), 0.0);
        let new = Statistics { mail: 0, programmed: 8_192, ..figures };
        assert_eq!((amplification(&new), mail_left(&new, 110)), (None, 10_000_000.0));
    }

    /// Each figure is another one, so that none can stand in the place of its neighbour.
    #[test]
    fn every_figure_stands_behind_its_name() {
        let wear_figures = Wear {
            segments: 1_234,
            segment_bytes: 3 << 20,
            least: 17,
            most: 1_900,
            total: 123_400,
            retired: 3,
        };
        let figures = Statistics {
            capacity: 900 << 20,
            free: 600 << 20,
            mail: 40 << 30,
            programmed: 50 << 30,
            letters: 56_789,
            deleted: Deleted { count: 2_345, bytes: 70 << 20, oldest: None },
            wear: wear_figures,
            ..Statistics::default()
        };
        let expected = [
            "  capacity                     900 MiB",
            "  used                         300 MiB (33 %)",
            "  free for mail, about         600 MiB",
            "  letters stored               56,789",
            "  deleted, can be brought back 2,345 messages, 70.0 MiB",
        ];
        assert_eq!(room(&figures), expected);
        // 2,900 erases left of 1,234 segments of 3 MiB, 1.25 bytes written for each of mail.
        let expected = [
            "  mail ever taken              40.0 GiB",
            "  ever written to the flash    50.0 GiB",
            "  written for a byte of mail   1.25 bytes",
            "  erases of a segment          17 least, 100.0 mean, 1,900 most",
            "  segments                     1,234 of 3.00 MiB",
            "  not used any more            3 segments: they failed",
            "  life used, about             63.33 % at 3,000 erases a block (--endurance)",
        ];
        let said = wear(&figures, 3_000);
        assert_eq!(said[..7], expected);
        let left = 2_900 * 1_234 * (3_u64 << 20) / 5 * 4;
        let years = left as f64 / DAY_BYTES as f64 / 365.25;
        let last = format!("about {}: {years:.0} years of {} a day", size(left), size(DAY_BYTES));
        assert_eq!(said[7..], [line("mail that it can still take", &last)]);
        let one = Statistics { wear: Wear { retired: 1, ..wear_figures }, ..figures };
        assert_eq!(wear(&one, 3_000)[5], "  not used any more            1 segment: it failed");
        let whole = Statistics { wear: Wear { retired: 0, ..wear_figures }, ..figures };
        assert!(!wear(&whole, 3_000).iter().any(|line| line.contains("not used any more")));
    }
}

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
    let store = look(flash)?;
    let figures = store.statistics();
    say("Room");
    say_room(&figures);
    say_accounts(&store);
    say("\nWear");
    say_wear(&figures, endurance);
    if figures.damage > 0 {
        let places = count(figures.damage, "damaged place", "damaged places");
        say(format_args!("\nThe mount found {places}: `tegami check` says what they cost"));
    }
    Ok(Outcome::Good)
}

fn line(name: &str, value: &str) {
    say(format_args!("  {name:<28} {value}"));
}

fn say_room(figures: &Statistics) {
    let used = figures.capacity.saturating_sub(figures.free);
    let percent = used.saturating_mul(100) / figures.capacity.max(1);
    line("capacity", &size(figures.capacity));
    line("used", &format!("{} ({percent} %)", size(used)));
    line("free for mail, about", &size(figures.free));
    line("letters stored", &number(figures.letters as u64));
    let deleted = count(figures.deleted.count, "message", "messages");
    line("deleted, can be brought back", &format!("{deleted}, {}", size(figures.deleted.bytes)));
}

fn say_accounts(store: &Looked) {
    let mut messages = 0;
    let mut lines = Vec::new();
    for account in store.accounts() {
        let boxes = mailboxes(store, account.id);
        let statuses = boxes.iter().filter_map(|mailbox| store.status(mailbox.id));
        let of_account: u64 = statuses.map(|status| u64::from(status.messages)).sum();
        messages += of_account;
        let quota = store.quota(account.id);
        let limit = quota.limit.map_or("no quota".into(), |limit| format!("quota {}", size(limit)));
        lines.push((
            account.address.to_owned(),
            format!(
                "{} of {} in {}, {limit}",
                size(quota.used),
                count(of_account, "message", "messages"),
                count(boxes.len() as u64, "mailbox", "mailboxes")
            ),
        ));
    }
    line("messages shown", &number(messages));
    say("\nAccounts");
    if lines.is_empty() {
        say("  none");
    }
    lines.iter().for_each(|(address, text)| line(address, text));
}

fn say_wear(figures: &Statistics, endurance: u32) {
    let wear = &figures.wear;
    let mean = mean(wear);
    line("mail ever taken", &size(figures.mail));
    line("ever written to the flash", &size(figures.programmed));
    match amplification(figures) {
        Some(factor) => line("written for a byte of mail", &format!("{factor:.2} bytes")),
        None => line("written for a byte of mail", "no mail yet"),
    }
    line(
        "erases of a segment",
        &format!("{} least, {mean:.1} mean, {} most", number(wear.least.into()), number(wear.most.into())),
    );
    line("segments", &format!("{} of {}", number(wear.segments.into()), size(wear.segment_bytes.into())));
    if wear.retired > 0 {
        line("not used any more", &count(wear.retired.into(), "segment: it failed", "segments: they failed"));
    }
    let used = f64::from(wear.most) * 100.0 / f64::from(endurance);
    line(
        "life used, about",
        &format!("{used:.2} % at {} erases a block (--endurance)", number(endurance.into())),
    );
    let left = mail_left(figures, endurance);
    let years = left / DAY_BYTES as f64 / YEAR_DAYS;
    line(
        "mail that it can still take",
        &format!("about {}: {years:.0} years of {} a day", size(left as u64), size(DAY_BYTES)),
    );
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
}

//! The part for people: which letter, to whom, what happened, what to do. Codes come at the end, for whoever helps.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use mail::{
    Language,
    calendar::{DAY_S, Day},
    fill,
};

use super::{
    Cause, Outcome, Rank, Recipient, Remote, Report,
    limits::{RECIPIENTS_LISTED_MAX, SERVER_NAME_CHARS_MAX, SUBJECT_CHARS_MAX},
    safe,
    texts::{
        DATE, DELAYED, DELIVERED, DONE, FAILED, FOR_HELPERS, FROM, INTRODUCTION, LETTER_SIZE, MORE,
        NO_SUBJECT, NOT_NAMED, NOTHING_TO_DO, OWNER_ACTS, RELAYED, SERVER, SERVER_SAID, SIZE_LIMIT, SUBJECT,
        TO, TRIED_SINCE, TRIED_UNTIL, Text,
    },
};
use crate::mime::{Date, date, header, words};

/// Stands between the languages.
const BETWEEN: &str = "\r\n----------\r\n\r\n";

/// Before what belongs to the line above.
const INDENT: &str = "    ";

/// The whole text.
pub(super) fn text(report: &Report<'_>) -> String {
    let listed = listed(report);
    let languages = report.language.then_english();
    let said: Vec<_> = languages
        .iter()
        .map(|language| Words { report, listed: &listed, language: *language }.text())
        .collect();
    let headings: Vec<_> = languages.iter().map(|language| FOR_HELPERS.say(*language)).collect();
    let codes: String = listed.iter().map(|recipient| code(recipient)).collect();
    format!("{}{BETWEEN}{}:\r\n{codes}", said.join(BETWEEN), headings.join(" / "))
}

/// The recipients who are named: the worst off first, otherwise in order.
fn listed<'a>(report: &Report<'a>) -> Vec<&'a Recipient<'a>> {
    let all = report.recipients();
    let ranked = Rank::ALL
        .into_iter()
        .flat_map(|rank| all.iter().filter(move |recipient| recipient.outcome.rank() == rank));
    ranked.take(RECIPIENTS_LISTED_MAX).collect()
}

fn code(recipient: &Recipient<'_>) -> String {
    format!("{INDENT}{}: {}, {}\r\n", shown(recipient), recipient.outcome.action(), recipient.code())
}

fn shown(recipient: &Recipient<'_>) -> String {
    safe::line(recipient.address.as_str(), mail::limits::ADDRESS_BYTES_MAX)
}

/// The text in one language.
struct Words<'a> {
    report: &'a Report<'a>,
    listed: &'a [&'a Recipient<'a>],
    language: Language,
}

impl Words<'_> {
    fn text(&self) -> String {
        let first = match self.report.rank() {
            Rank::Failed => FAILED,
            Rank::Delayed => DELAYED,
            Rank::Done => DONE,
        };
        let mut lines = Vec::from([self.fill(INTRODUCTION, &[self.report.hostname]), self.say(first)]);
        lines.push(String::new());
        lines.extend(self.letter().into_iter().map(|line| format!("{INDENT}{line}")));
        for group in self.groups() {
            lines.push(String::new());
            for recipient in &group {
                lines.push(self.fill(TO, &[&shown(recipient)]));
                lines.extend(recipient.remote.map(|remote| format!("{INDENT}{}", self.remote(&remote))));
            }
            if let Some(recipient) = group.first() {
                self.outcome(recipient.outcome, &mut lines);
            }
        }
        lines.push(String::new());
        lines.push(match self.report.recipients().len() - self.listed.len() {
            0 => self.say(NOT_NAMED),
            more => self.fill(MORE, &[&more.to_string()]),
        });
        lines.iter().flat_map(|line| [line.as_str(), "\r\n"]).collect()
    }

    /// Which letter it was.
    fn letter(&self) -> Vec<String> {
        let Report { to, sender, letter, .. } = self.report;
        let mut lines = Vec::new();
        if !to.same_as(sender) {
            lines.push(self.fill(FROM, &[&safe::line(sender.as_str(), mail::limits::ADDRESS_BYTES_MAX)]));
        }
        let subject = header::find(letter.header, b"Subject").map(|field| words::decode(field.value));
        let subject = safe::line(&subject.unwrap_or_default(), SUBJECT_CHARS_MAX);
        let subject = if subject.is_empty() { self.say(NO_SUBJECT) } else { subject };
        lines.push(self.fill(SUBJECT, &[&subject]));
        let sent = header::find(letter.header, b"Date").and_then(|field| date::parse(&field.unfolded()));
        let sent = match sent {
            Some((time, zone_minutes)) => Date { time, zone_minutes },
            None => self.here(letter.arrived),
        };
        lines.push(self.fill(DATE, &[&self.moment(sent)]));
        lines
    }

    /// Recipients of whom the same is to be said, in the order in which they are listed.
    fn groups(&self) -> Vec<Vec<&Recipient<'_>>> {
        let mut groups: Vec<Vec<&Recipient<'_>>> = Vec::new();
        for recipient in self.listed {
            let same = |group: &&mut Vec<&Recipient<'_>>| {
                group.first().is_some_and(|first| first.outcome == recipient.outcome)
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.push(recipient),
                None => groups.push(Vec::from([*recipient])),
            }
        }
        groups
    }

    fn remote(&self, remote: &Remote<'_>) -> String {
        let name = safe::line(remote.name, SERVER_NAME_CHARS_MAX);
        let words = safe::remote_words(remote.reply);
        if words.is_empty() { self.fill(SERVER, &[&name]) } else { self.fill(SERVER_SAID, &[&name, &words]) }
    }

    /// What happened, and what to do.
    fn outcome(&self, outcome: Outcome, lines: &mut Vec<String>) {
        match outcome {
            Outcome::Failed(cause) => lines.extend([self.reason(cause), self.say(cause.sentences().advice)]),
            Outcome::Expired(cause) => {
                let since = self.moment(self.here(self.report.letter.arrived));
                lines.push(self.fill(TRIED_SINCE, &[&since]));
                lines.extend([self.reason(cause), self.say(cause.sentences().advice)]);
            }
            Outcome::Delayed { cause, until } => {
                let until = self.moment(self.here(until));
                lines.extend([self.reason(cause), self.fill(TRIED_UNTIL, &[&until])]);
                lines.push(self.say(if cause.concerns_owner() { OWNER_ACTS } else { NOTHING_TO_DO }));
            }
            Outcome::Delivered => lines.push(self.say(DELIVERED)),
            Outcome::Relayed => lines.push(self.say(RELAYED)),
        }
    }

    fn reason(&self, cause: Cause) -> String {
        let mut sentences = Vec::from([self.say(cause.sentences().reason)]);
        if let Cause::TooLarge { size, limit, .. } = cause {
            sentences.extend(size.map(|size| self.fill(LETTER_SIZE, &[&safe::size(size, true)])));
            sentences.extend(limit.map(|limit| self.fill(SIZE_LIMIT, &[&safe::size(limit, false)])));
        }
        sentences.join(match self.language {
            Language::English => " ",
            Language::Japanese => "",
        })
    }

    /// A moment in the zone of the report.
    const fn here(&self, time: mail::UnixTime) -> Date {
        Date { time, zone_minutes: self.report.date.zone_minutes }
    }

    fn moment(&self, date: Date) -> String {
        match self.language {
            Language::English => date.to_string(),
            Language::Japanese => japanese(date),
        }
    }

    fn say(&self, text: Text) -> String {
        text.say(self.language).into()
    }

    fn fill(&self, text: Text, values: &[&str]) -> String {
        fill(text.say(self.language), values)
    }
}

/// `2026年11月14日（土）15:23（日本時間）`.
fn japanese(date: Date) -> String {
    const WEEKDAYS: [&str; 7] = ["木", "金", "土", "日", "月", "火", "水"];
    /// Japan's zone, in minutes east of UTC.
    const JAPAN: i16 = 540;
    let day_of = Day::of(date.time, date.zone_minutes);
    let (year, month, day) = day_of.civil();
    // 1970-01-01 was a Thursday.
    let weekday = usize::try_from(day_of.0.rem_euclid(7)).ok().and_then(|at| WEEKDAYS.get(at)).unwrap_or(&"");
    let second = date.time.local_s(date.zone_minutes).rem_euclid(DAY_S);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    let zone = match date.zone_minutes {
        JAPAN => "日本時間".into(),
        minutes => {
            let (sign, minutes) = (if minutes < 0 { '-' } else { '+' }, minutes.unsigned_abs());
            format!("UTC{sign}{:02}:{:02}", minutes / 60, minutes % 60)
        }
    };
    format!("{year}年{month}月{day}日（{weekday}）{hour}:{minute:02}（{zone}）")
}

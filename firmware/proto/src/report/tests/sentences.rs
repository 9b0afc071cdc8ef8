//! What reports say to people.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use super::{
    Address, CAUSES, Cause, GIVEN_UP, Language, Outcome, Recipient, UnixTime, address, compose, read,
    recipient, report, text,
};
use crate::report::limits::RECIPIENTS_LISTED_MAX;

/// Every outcome of every cause.
fn outcomes() -> Vec<Outcome> {
    let until = UnixTime(GIVEN_UP.0 + 86_400);
    let of = |cause| [Outcome::Failed(cause), Outcome::Expired(cause), Outcome::Delayed { cause, until }];
    let mut all: Vec<_> = CAUSES.into_iter().flat_map(of).collect();
    all.extend([Outcome::Delivered, Outcome::Relayed]);
    all
}

fn is_japanese(c: char) -> bool {
    ('\u{3040}'..='\u{30ff}').contains(&c) || ('\u{4e00}'..='\u{9fff}').contains(&c)
}

/// Prints all of them, to be read by a person: `cargo test -p proto printed -- --ignored --nocapture`.
#[test]
#[ignore = "for reading"]
fn all_reports_are_printed() {
    extern crate std;
    for outcome in outcomes() {
        std::println!("======== {outcome:?}\n{}", text(Language::Japanese, outcome));
    }
}

#[test]
fn every_cause_has_sentences_in_both_languages() {
    for cause in CAUSES {
        let sentences = cause.sentences();
        for said in [sentences.reason, sentences.advice] {
            let [english, japanese] = Language::ALL.map(|language| said.say(language));
            assert!(english.is_ascii() && english.ends_with('.'), "{english}");
            assert!(japanese.chars().any(is_japanese) && japanese.ends_with('。'), "{japanese}");
            assert!(![english, japanese].iter().any(|text| text.contains(['{', '}'])), "{english}");
        }
    }
}

#[test]
fn no_two_causes_say_the_same() {
    let mut said: Vec<_> =
        CAUSES.iter().map(|cause| text(Language::Japanese, Outcome::Failed(*cause))).collect();
    said.sort_unstable();
    said.dedup();
    assert_eq!(said.len(), CAUSES.len());
    let mut reasons: Vec<_> =
        CAUSES.iter().map(|cause| cause.sentences().reason.say(Language::English)).collect();
    reasons.sort_unstable();
    reasons.dedup();
    // That a letter is too large is among the causes twice more, with sizes.
    assert_eq!(reasons.len(), CAUSES.len() - 1);
}

#[test]
fn texts_are_whole_whatever_became_of_a_letter() {
    for outcome in outcomes() {
        for language in Language::ALL {
            let said = text(language, outcome);
            assert!(!said.contains(['{', '}', '\u{fffd}']) && !said.contains("  \""), "{said}");
            let parts: Vec<_> = said.split("----------").collect();
            assert_eq!(parts.len(), language.then_english().len() + 1, "{said}");
            for part in &parts[..parts.len() - 1] {
                assert!(part.contains("bob@peer.test") && part.contains("mx.peer.test"), "{part}");
                assert!(part.contains("550 5.1.1 <bob@peer.test>: no such user here"), "{part}");
                assert!(part.contains("打ち合わせの件"), "{part}");
            }
            let english = parts[parts.len() - 2];
            assert!(english.contains("Date: Sat, 14 Nov 2026 15:22:58 +0900"), "{english}");
            if language == Language::Japanese {
                assert!(parts[0].contains("日時：2026年11月14日（土）15:22（日本時間）"), "{}", parts[0]);
            }
        }
    }
}

#[test]
fn a_delay_says_until_when_it_is_tried() {
    let until = UnixTime(GIVEN_UP.0);
    let said = text(Language::Japanese, Outcome::Delayed { cause: Cause::NoConnection, until });
    assert!(said.contains("2026年11月19日（木）15:23（日本時間）まで"), "{said}");
    assert!(said.contains("until Thu, 19 Nov 2026 15:23:01 +0900."), "{said}");
    assert!(!said.contains("管理者に調べて"));
    let said = text(Language::Japanese, Outcome::Delayed { cause: Cause::LogInRefused, until });
    assert!(said.contains("管理者に調べて"), "{said}");
}

#[test]
fn codes_stand_at_the_end() {
    let said = text(Language::English, Outcome::Expired(Cause::NoConnection));
    assert!(said.ends_with("For whoever helps with mail:\r\n    bob@peer.test: failed, 4.4.7\r\n"), "{said}");
}

#[test]
fn the_owner_is_told_whose_letter_it_was() {
    let (sender, owner, bob) = ("hanako@example.test", "postmaster@example.test", "bob@peer.test");
    let [sender, owner, bob] = [sender, owner, bob].map(address);
    let recipients = [recipient(&bob, Outcome::Failed(Cause::LogInRefused))];
    let mut report = report(&sender, Language::English, &recipients);
    assert!(!read(&compose(&report, b"")).text.contains("From: "));
    report.to = &owner;
    let bytes = compose(&report, b"");
    assert!(read(&bytes).text.contains("    From: hanako@example.test\r\n"));
    assert!(String::from_utf8(bytes).unwrap().contains("\r\nTo: <postmaster@example.test>\r\n"));
}

/// Of 1,000 recipients the worst off are named, and the others counted.
#[test]
fn many_recipients_are_named_only_in_part() {
    let sender = address("hanako@example.test");
    let all: Vec<Address> = (0..1_000).map(|number| address(&format!("r{number}@peer.test"))).collect();
    let outcome = |number| match number {
        999 => Outcome::Failed(Cause::MailboxFull),
        number if number % 2 == 0 => Outcome::Delivered,
        _ => Outcome::Relayed,
    };
    let recipients: Vec<Recipient<'_>> =
        all.iter().enumerate().map(|(number, address)| recipient(address, outcome(number))).collect();
    let read = read(&compose(&report(&sender, Language::English, &recipients), b""));
    let named: Vec<_> = read.text.lines().filter_map(|line| line.strip_prefix("To: ")).collect();
    assert_eq!(named.len(), RECIPIENTS_LISTED_MAX);
    assert_eq!(named[..3], ["r999@peer.test", "r0@peer.test", "r2@peer.test"]);
    assert!(
        read.text.contains(&format!("Further recipients: {}. ", 1_000 - RECIPIENTS_LISTED_MAX)),
        "{}",
        read.text
    );
    assert_eq!(read.text.matches("The recipient's mailbox is full.").count(), 1);
    assert_eq!(read.text.matches("in this recipient's mailbox").count(), 1);
    assert_eq!(read.status.matches("Final-Recipient: ").count(), 1_000);
    let finals: Vec<_> =
        read.status.lines().filter_map(|line| line.strip_prefix("Final-Recipient: rfc822; ")).collect();
    let expected: Vec<_> = all.iter().map(ToString::to_string).collect();
    assert_eq!(finals, expected);
}

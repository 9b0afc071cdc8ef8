//! How tools say things: sizes, numbers, and refusals of the store.

use mail::Refusal;

/// A size for people: three digits and a unit.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1_000.0 && unit + 1 < UNITS.len() {
        value /= 1_024.0;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 || value >= 100.0 {
        format!("{value:.0} {name}")
    } else if value >= 10.0 {
        format!("{value:.1} {name}")
    } else {
        format!("{value:.2} {name}")
    }
}

/// A number for people: its digits in threes.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// So many of something: `1 letter`, `2 letters`.
pub(super) fn count(of: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(of), if of == 1 { one } else { many })
}

/// Why the store refuses, as the reason in a sentence.
pub(super) const fn reason(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::OverQuota => "the account's quota is used up: raise it, or remove mail",
        Refusal::LargerThanQuota => "it is larger than the account's whole quota: raise that",
        Refusal::StoreFull => "the flash is full: remove mail, or use a larger one",
        Refusal::TooManyMessages => "there are as many messages as memory can list: remove some",
        Refusal::ReadOnly => "the flash takes no more writes",
        Refusal::NotDurable => "writing to the flash failed",
        Refusal::TooLarge => "it is larger than any letter that can be stored",
        Refusal::Limit => "there are too many mailboxes or keywords, or one of their names is too long",
        Refusal::TooBusy => "it takes more memory or pieces than there are",
        Refusal::NoSuchMailbox => "its mailbox is gone",
        Refusal::MailboxExists => "there is such a mailbox already",
        Refusal::NoSuchUser
        | Refusal::NotLocal
        | Refusal::ForwardsOutside
        | Refusal::TooManyRecipients
        | Refusal::QueueFull
        | Refusal::Cannot
        | Refusal::InUse => "the store does not permit it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1_023, "1.00 KiB"),
            (1_536, "1.50 KiB"),
            (50 << 20, "50.0 MiB"),
            (300 << 30, "300 GiB"),
            (u64::MAX, "16384 PiB"),
        ] {
            assert_eq!(size(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!((number(0), number(999), number(1_000)), ("0".into(), "999".into(), "1,000".into()));
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(
            (count(1, "letter", "letters"), count(0, "letter", "letters")),
            ("1 letter".into(), "0 letters".into())
        );
    }
}

//! Simulated time: milliseconds from the first midnight of a year that begins on a Monday.

use super::dice::Dice;

pub(crate) const SECOND: u64 = 1_000;
pub(crate) const MINUTE: u64 = 60 * SECOND;
pub(crate) const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * HOUR;
pub(crate) const YEAR_DAYS: u64 = 365;

/// Days on which the office is closed, besides weekends: New Year, Golden Week, Obon, and single holidays. Japan has
/// 16 public ones, a quarter of which fall on weekends; most offices close for some days in August and at New Year.
const HOLIDAYS: [u64; 21] =
    [0, 1, 2, 10, 42, 79, 119, 120, 121, 122, 123, 199, 224, 225, 226, 259, 266, 287, 308, 326, 364];

pub(crate) fn is_workday(day: u64) -> bool {
    day % 7 < 5 && !HOLIDAYS.contains(&(day % YEAR_DAYS))
}

/// The first working day from `day` on.
pub(crate) fn workday_from(day: u64) -> u64 {
    (day..).find(|day| is_workday(*day)).unwrap_or(day)
}

/// A moment at which a person outside writes to the office: in office hours, least around noon. The weights are those of
/// business mail: a peak at ten, one at two, little after six.
pub(crate) fn hour_of_people(dice: &mut Dice) -> u64 {
    let hour = dice.choose(&[
        (1.0, 7),
        (4.0, 8),
        (10.0, 9),
        (13.0, 10),
        (12.0, 11),
        (6.0, 12),
        (11.0, 13),
        (12.0, 14),
        (11.0, 15),
        (10.0, 16),
        (8.0, 17),
        (4.0, 18),
        (2.0, 20),
        (1.0, 22),
    ]);
    within_hour(hour, dice)
}

/// A moment at which a machine writes: newsletters go out before people come to work, reports and backups run at night
/// on the hour, junk comes at any time.
pub(crate) fn hour_of_machines(dice: &mut Dice) -> u64 {
    if dice.chance(0.4) {
        return within_hour(dice.choose(&[(1.0, 5), (2.0, 6), (3.0, 7), (3.0, 8), (2.0, 9)]), dice);
    }
    if dice.chance(0.15) {
        // Jobs by the clock come within some seconds of the full hour, several at once.
        return dice.below(24) as u64 * HOUR + (dice.unit() * 8.0 * SECOND as f64) as u64;
    }
    within_hour(dice.below(24) as u64, dice)
}

fn within_hour(hour: u64, dice: &mut Dice) -> u64 {
    hour * HOUR + (dice.unit() * HOUR as f64) as u64
}

//! Who works in the office, and what each does with mail.

use super::calendar::{DAY, HOUR, MINUTE, SECOND, workday_from};
use super::dice::Dice;
use super::mix::Kind;

/// People. The rates below are low for an office with ten of them: the box is scaled down with its flash, so that a year
/// brings what a year should bring for the flash's size. Low rates are the harder case: letters seldom share a group.
pub(crate) const PEOPLE: usize = 10;

/// The last ones use POP3: common where a mail client was set up by a provider's leaflet, and in Japan to this day.
pub(crate) const POP3_PEOPLE: usize = 2;

/// Letters a day from outside for one person on a working day, in the mean; and what part of that on other days, when
/// machines write and few people do.
pub(crate) const ARRIVALS: f64 = 6.5;
pub(crate) const ARRIVALS_ON_HOLIDAYS: f64 = 0.3;

/// Letters to several people of the office: to info@, or with a colleague in Cc.
pub(crate) const SHARED: f64 = 0.08;

/// Letters a day that one person begins, besides answers.
pub(crate) const LETTERS_BEGUN: f64 = 1.3;

/// What people answer of what other people wrote. The answer comes some minutes after reading.
pub(crate) const ANSWERED: f64 = 0.28;
pub(crate) const ANSWER_MINUTES: f64 = 12.0;

/// Written letters that go to colleagues, alone or besides others, and to how many.
pub(crate) const TO_COLLEAGUES: f64 = 0.4;
pub(crate) const COLLEAGUES: &[(f64, usize)] = &[(0.6, 1), (0.25, 2), (0.1, 4), (0.05, PEOPLE - 1)];

/// Letters whose writing takes long enough that the client saves a draft on the server, and how often it does.
pub(crate) const DRAFTED: f64 = 0.35;
pub(crate) const DRAFTS: usize = 2;

/// Letters that somebody marks with a star.
pub(crate) const FLAGGED: f64 = 0.04;

/// Clients that let FETCH set `\Seen`; most of today's fetch with PEEK and then store the flag.
pub(crate) const SEEN_BY_FETCH: f64 = 0.25;

/// Minutes until somebody at work looks at what has come.
pub(crate) const LOOK_MINUTES: f64 = 25.0;

/// Letters that come after work and are read on a telephone the same evening.
pub(crate) const READ_IN_THE_EVENING: f64 = 0.25;

/// Letters that are moved out of INBOX together when somebody selects several.
pub(crate) const TOGETHER_MAX: usize = 40;

/// Days after which a provider's leaflet says that a POP3 client should delete from the server.
pub(crate) const POP3_KEEP_DAYS: u64 = 14;
/// How often such a client asks. That alone writes nothing.
pub(crate) const POP3_MINUTES: u64 = 15;

/// Days after which clients empty Trash where nobody does it before.
pub(crate) const TRASH_DAYS: u64 = 30;

/// Part of a mailbox's quota that a clearing-out brings it below. People delete until the warning is gone, and some more.
pub(crate) const CLEAR_TO: f64 = 0.95;
/// Clearings-out that go by size, the largest first, as clients suggest; the others go by age.
pub(crate) const CLEAR_BY_SIZE: f64 = 0.35;
/// Nothing younger is cleared out: it may still be needed.
pub(crate) const CLEAR_DAYS: u64 = 120;

/// Restarts in a year: updates and moves of the box, and power failures.
pub(crate) const RESTARTS: usize = 8;
pub(crate) const POWER_CUTS: usize = 6;

/// Days that the older mail goes back: what is kept of four years fills the box.
pub(crate) const OLDER_DAYS: u64 = 1_400;

/// Where the older mail lies: three in ten letters are copies of sent ones, some were filed, most were left in INBOX until
/// a client archived them.
pub(crate) const OLDER_SENT: f64 = 0.25;
pub(crate) const OLDER_FILED: f64 = 0.35;
pub(crate) const OLDER_ARCHIVED: f64 = 0.25;

/// Project folders that one person uses at a time.
pub(crate) const PROJECTS: usize = 6;

/// What becomes of a letter, as its reader decides when reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Stays in INBOX.
    Left,
    /// Goes to Trash at once, by itself.
    Deleted,
    /// Goes to Trash with others when the reader tidies up.
    DeletedLater,
    /// Goes to a project folder at once, by itself.
    Filed,
    /// Goes there with others when the reader tidies up.
    FiledLater,
}

/// What readers do with each kind. Letters of people are kept or filed by most; bulk is deleted by most, half of it on
/// the spot; a file is kept because it may be needed.
pub(crate) fn fate(kind: Kind, dice: &mut Dice) -> Fate {
    use Fate::{Deleted, DeletedLater, Filed, FiledLater, Left};
    dice.choose(match kind {
        Kind::Note => {
            &[(0.12, Deleted), (0.08, DeletedLater), (0.15, Filed), (0.2, FiledLater), (0.45, Left)]
        }
        Kind::Notice => {
            &[(0.4, Deleted), (0.25, DeletedLater), (0.05, Filed), (0.1, FiledLater), (0.2, Left)]
        }
        Kind::Newsletter => {
            &[(0.45, Deleted), (0.35, DeletedLater), (0.02, Filed), (0.18, Left), (0.0, Filed)]
        }
        Kind::Junk => &[(0.6, Deleted), (0.38, DeletedLater), (0.02, Left), (0.0, Left), (0.0, Left)],
        Kind::File => &[(0.08, Deleted), (0.07, DeletedLater), (0.2, Filed), (0.25, FiledLater), (0.4, Left)],
    })
}

/// When a person empties Trash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Emptying {
    /// The client does it when it is closed in the evening.
    Daily,
    /// By hand, when tidying up.
    Weekly,
    /// The client removes what is older than [`TRASH_DAYS`].
    ByAge,
}

/// One person's habits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person {
    pub(crate) pop3: bool,
    pub(crate) emptying: Emptying,
    /// Milliseconds after midnight between which the person is at work.
    pub(crate) comes: u64,
    pub(crate) goes: u64,
    /// Day of the week on which the person tidies up.
    pub(crate) tidies_on: u64,
}

impl Person {
    pub(crate) fn new(number: usize, dice: &mut Dice) -> Self {
        let emptying = [Emptying::Daily, Emptying::ByAge, Emptying::Weekly, Emptying::ByAge];
        Self {
            pop3: number >= PEOPLE - POP3_PEOPLE,
            emptying: emptying[number % emptying.len()],
            comes: dice.between(8.0, 9.75) as u64 * HOUR + dice.below(60) as u64 * MINUTE,
            goes: dice.between(17.0, 19.5) as u64 * HOUR + dice.below(60) as u64 * MINUTE,
            tidies_on: dice.below(5) as u64,
        }
    }

    /// When a letter that comes at `time` is read.
    pub(crate) fn reads(&self, time: u64, dice: &mut Dice) -> u64 {
        let (day, clock) = (time / DAY, time % DAY);
        let look = time + (dice.wait(LOOK_MINUTES) * MINUTE as f64) as u64 + 5 * SECOND;
        let at_work = workday_from(day) == day && clock >= self.comes && look < day * DAY + self.goes;
        if at_work {
            return look;
        }
        if clock < 22 * HOUR && clock > self.comes && dice.chance(READ_IN_THE_EVENING) {
            return (look + dice.below(60) as u64 * MINUTE)
                .min(day * DAY + 23 * HOUR + 30 * MINUTE)
                .max(time + SECOND);
        }
        // What has gathered is read one by one in the first three quarters of an hour.
        let next = workday_from(if clock < self.comes { day } else { day + 1 });
        next * DAY + self.comes + (dice.unit() * 45.0 * MINUTE as f64) as u64
    }

    /// A moment at work on `day`.
    pub(crate) fn at_work(&self, day: u64, dice: &mut Dice) -> u64 {
        day * DAY + dice.between(self.comes as f64, self.goes as f64) as u64
    }
}

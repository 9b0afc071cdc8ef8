//! The year: everybody's letters and habits, in the order of time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use super::calendar::{DAY, MINUTE, SECOND, YEAR_DAYS, hour_of_machines, hour_of_people, is_workday};
use super::dice::Dice;
use super::mix::{Kind, Letter, Mix};
use super::people::{
    ANSWER_MINUTES, ANSWERED, ARRIVALS, ARRIVALS_ON_HOLIDAYS, CLEAR_BY_SIZE, CLEAR_DAYS, CLEAR_TO,
    COLLEAGUES, DRAFTED, DRAFTS, Emptying, FLAGGED, Fate, LETTERS_BEGUN, OLDER_ARCHIVED, OLDER_DAYS,
    OLDER_FILED, OLDER_SENT, PEOPLE, POP3_KEEP_DAYS, POP3_MINUTES, POWER_CUTS, PROJECTS, Person, RESTARTS,
    SEEN_BY_FETCH, SHARED, TO_COLLEAGUES, TOGETHER_MAX, TRASH_DAYS, fate,
};
use super::{Action, Folder, Mark};

/// Time between what a client asks for and what it asks for next, once it has its answer.
const CLIENT_MS: u64 = 80;

/// A letter that a person has.
#[derive(Clone, Copy, Debug)]
struct Held {
    size: u32,
    kind: Kind,
    folder: Folder,
    /// When it came, in milliseconds; before 0 for older mail.
    came: i64,
    /// When it came into this folder.
    moved: i64,
    read: bool,
    /// What is to become of it when its reader tidies up.
    later: Option<Fate>,
}

#[derive(Clone, Debug)]
enum Event {
    Day,
    Arrives(Kind, usize),
    Reads(usize, u64),
    Writes(usize),
    Answers(usize, u64),
    Tidies(usize),
    Empties(usize),
    Polls(usize),
    Clears(usize),
    /// The writing of a letter goes on: what is in Drafts, how often it was saved, what it answers.
    Drafted(usize, Option<u64>, usize),
    Sends(usize, Option<u64>),
    Then(Action),
}

/// The office. As an iterator it gives, forever, what happens next and when, in milliseconds.
#[derive(Debug)]
pub(crate) struct Office {
    dice: Dice,
    mix: Mix,
    people: Vec<Person>,
    held: Vec<BTreeMap<u64, Held>>,
    bytes: Vec<u64>,
    quota: u64,
    events: BinaryHeap<Reverse<(u64, u64)>>,
    pending: BTreeMap<u64, Event>,
    next_event: u64,
    out: VecDeque<(u64, Action)>,
}

impl Office {
    /// An office whose people together keep at most `bytes` of mail.
    pub(crate) fn new(bytes: u64, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let people: Vec<Person> = (0..PEOPLE).map(|number| Person::new(number, &mut dice)).collect();
        let keepers = people.iter().filter(|person| !person.pop3).count();
        let mut office = Self {
            dice,
            mix: Mix::default(),
            held: vec![BTreeMap::new(); people.len()],
            bytes: vec![0; people.len()],
            quota: bytes / keepers as u64,
            people,
            events: BinaryHeap::new(),
            pending: BTreeMap::new(),
            next_event: 0,
            out: VecDeque::new(),
        };
        office.at(0, Event::Day);
        office
    }

    /// The older mail, oldest first: each person's letter with its folder and whether it has been read. Fills everybody's
    /// quota; those who use POP3 keep nothing older.
    pub(crate) fn older(&mut self) -> Vec<(Letter, usize, Folder)> {
        let mut letters = Vec::new();
        let keepers: Vec<usize> = (0..PEOPLE).filter(|person| !self.people[*person].pop3).collect();
        while let Some(person) = keepers.iter().copied().min_by_key(|person| self.bytes[*person]) {
            if self.bytes[person] >= self.quota {
                break;
            }
            let letter = self.any_letter();
            let folder = self.older_folder();
            self.bytes[person] += u64::from(letter.size);
            letters.push((letter, person, folder));
        }
        let span = (OLDER_DAYS * DAY) as f64 / letters.len() as f64;
        for (order, (letter, person, folder)) in letters.iter().enumerate() {
            let came = -((letters.len() - order) as f64 * span) as i64;
            let held = Held {
                size: letter.size,
                kind: letter.kind,
                folder: *folder,
                came,
                moved: came,
                read: true,
                later: None,
            };
            self.held[*person].insert(letter.number, held);
        }
        letters
    }

    /// A letter of the whole mix: what comes in, and what is written.
    pub(crate) fn any_letter(&mut self) -> Letter {
        if self.dice.chance(0.35) {
            return self.mix.written(&mut self.dice);
        }
        let kind = Mix::kind_from_outside(&mut self.dice);
        self.mix.incoming(kind, &mut self.dice)
    }

    fn older_folder(&mut self) -> Folder {
        let project = Folder::Project(self.dice.below(PROJECTS) as u8);
        let inbox = 1.0 - OLDER_SENT - OLDER_FILED - OLDER_ARCHIVED;
        self.dice.choose(&[
            (OLDER_SENT, Folder::Sent),
            (OLDER_FILED, project),
            (OLDER_ARCHIVED, Folder::Archive),
            (inbox, Folder::Inbox),
        ])
    }

    // ---- Time --------------------------------------------------------------------------------------------------

    fn at(&mut self, time: u64, event: Event) {
        self.events.push(Reverse((time, self.next_event)));
        self.pending.insert(self.next_event, event);
        self.next_event += 1;
    }

    fn give(&mut self, time: u64, action: Action) {
        self.out.push_back((time, action));
    }

    fn happen(&mut self, now: u64, event: Event) {
        match event {
            Event::Day => self.day(now),
            Event::Arrives(kind, person) => self.arrives(now, kind, person),
            Event::Reads(person, letter) => self.reads(now, person, letter),
            Event::Writes(person) => self.writes(now, person, None),
            Event::Answers(person, letter) => self.writes(now, person, Some(letter)),
            Event::Drafted(person, draft, saves) => self.drafted(now, person, draft, saves),
            Event::Sends(person, answers) => self.sends(now, person, answers),
            Event::Tidies(person) => self.tidies(now, person),
            Event::Empties(person) => self.empties(now, person),
            Event::Polls(person) => self.polls(now, person),
            Event::Clears(person) => self.clears(now, person),
            Event::Then(action) => self.give(now, action),
        }
    }

    /// Plans a day: what comes, what is written, who tidies up.
    fn day(&mut self, now: u64) {
        let day = now / DAY;
        self.at(now + DAY, Event::Day);
        let work = is_workday(day);
        for number in 0..PEOPLE {
            let person = self.people[number];
            let mean = if work { ARRIVALS } else { ARRIVALS * ARRIVALS_ON_HOLIDAYS };
            for _ in 0..self.dice.times(mean) {
                let kind = Mix::kind_from_outside(&mut self.dice);
                let human = matches!(kind, Kind::Note | Kind::File);
                let clock =
                    if human { hour_of_people(&mut self.dice) } else { hour_of_machines(&mut self.dice) };
                self.at(now + clock, Event::Arrives(kind, number));
            }
            if !work {
                continue;
            }
            for _ in 0..self.dice.times(LETTERS_BEGUN) {
                let time = person.at_work(day, &mut self.dice);
                self.at(time, Event::Writes(number));
            }
            self.at(now + person.goes, Event::Empties(number));
            if person.pop3 {
                self.at(now + person.comes, Event::Polls(number));
            } else {
                if day % 7 == person.tidies_on {
                    let time = person.at_work(day, &mut self.dice);
                    self.at(time, Event::Tidies(number));
                }
                let time = person.at_work(day, &mut self.dice);
                self.at(time, Event::Clears(number));
            }
        }
        self.plan_restarts(now);
    }

    fn plan_restarts(&mut self, now: u64) {
        let days = YEAR_DAYS as f64;
        for (clean, count) in [(true, RESTARTS), (false, POWER_CUTS)] {
            if self.dice.chance(count as f64 / days) {
                let time = now + (self.dice.unit() * DAY as f64) as u64;
                self.at(time, Event::Then(Action::Restart { clean }));
            }
        }
    }

    // ---- Letters -----------------------------------------------------------------------------------------------

    fn hold(&mut self, person: usize, letter: &Letter, folder: Folder, now: u64) {
        let held = Held {
            size: letter.size,
            kind: letter.kind,
            folder,
            came: now as i64,
            moved: now as i64,
            read: folder != Folder::Inbox,
            later: None,
        };
        self.held[person].insert(letter.number, held);
        self.bytes[person] += u64::from(letter.size);
    }

    fn deliver(&mut self, now: u64, letter: Letter, to: Vec<usize>) {
        for person in &to {
            self.hold(*person, &letter, Folder::Inbox, now);
            if !self.people[*person].pop3 {
                let time = self.people[*person].reads(now, &mut self.dice);
                self.at(time, Event::Reads(*person, letter.number));
            }
        }
        self.give(now, Action::Deliver { letter, to });
    }

    fn arrives(&mut self, now: u64, kind: Kind, person: usize) {
        let letter = self.mix.incoming(kind, &mut self.dice);
        let mut to = vec![person];
        if matches!(kind, Kind::Note | Kind::File | Kind::Notice) && self.dice.chance(SHARED) {
            for _ in 0..self.dice.choose(&[(0.7, 1), (0.3, 3)]) {
                let other = self.dice.below(PEOPLE);
                if !to.contains(&other) {
                    to.push(other);
                }
            }
        }
        self.deliver(now, letter, to);
    }

    /// A person reads a letter in INBOX and decides what becomes of it.
    fn reads(&mut self, now: u64, person: usize, letter: u64) {
        let Some(held) = self.held[person].get(&letter).copied() else { return };
        if held.folder != Folder::Inbox || held.read {
            return;
        }
        let fate = fate(held.kind, &mut self.dice);
        // Junk and bulk is known by its subject: half of what goes unread goes with others.
        let unread = matches!(held.kind, Kind::Junk | Kind::Newsletter) && fate == Fate::DeletedLater;
        if !unread {
            let soon = self.dice.chance(SEEN_BY_FETCH);
            let mark = if soon { Mark::SeenByFetch } else { Mark::Seen };
            self.give(now, marks(person, vec![letter], mark));
        }
        let human = matches!(held.kind, Kind::Note | Kind::File);
        if human && self.dice.chance(ANSWERED) {
            let wait = self.dice.wait(ANSWER_MINUTES) * MINUTE as f64;
            let time = now + 30 * SECOND + wait as u64;
            self.at(time, Event::Answers(person, letter));
        }
        if self.dice.chance(FLAGGED) {
            let time = now + 20 * SECOND;
            let action = marks(person, vec![letter], Mark::Flagged);
            self.at(time, Event::Then(action));
        }
        if let Some(held) = self.held[person].get_mut(&letter) {
            held.read |= !unread;
            held.later = matches!(fate, Fate::DeletedLater | Fate::FiledLater).then_some(fate);
        }
        let pause = (self.dice.between(3.0, 40.0) * SECOND as f64) as u64;
        match fate {
            Fate::Deleted => self.moves(now + pause, person, &[letter], Folder::Trash),
            Fate::Filed => {
                let project = Folder::Project(self.dice.below(PROJECTS) as u8);
                self.moves(now + pause + 2 * MINUTE, person, &[letter], project);
            }
            _ => {}
        }
    }

    /// Moves letters. What is moved is moved from now on, as far as the model knows; the store is told at `time`.
    fn moves(&mut self, time: u64, person: usize, letters: &[u64], to: Folder) {
        for letter in letters {
            if let Some(held) = self.held[person].get_mut(letter) {
                (held.folder, held.moved, held.later) = (to, time as i64, None);
            }
        }
        for (step, letters) in letters.chunks(TOGETHER_MAX).enumerate() {
            let action = Action::Move { person, letters: letters.to_vec(), to };
            self.at(time + step as u64 * 10 * SECOND, Event::Then(action));
        }
    }

    /// Removes letters for good, as IMAP does it: marks them, then expunges.
    fn expunges(&mut self, time: u64, person: usize, letters: Vec<u64>) {
        if letters.is_empty() {
            return;
        }
        for letter in &letters {
            if let Some(held) = self.held[person].remove(letter) {
                self.bytes[person] -= u64::from(held.size);
            }
        }
        self.at(time, Event::Then(marks(person, letters.clone(), Mark::Deleted)));
        self.at(time + CLIENT_MS, Event::Then(Action::Expunge { person, letters }));
    }

    // ---- Writing -----------------------------------------------------------------------------------------------

    fn writes(&mut self, now: u64, person: usize, answers: Option<u64>) {
        let minutes = self.dice.lognormal_within(4.0, 0.8, (0.5, 60.0));
        let ends = now + (minutes * MINUTE as f64) as u64;
        if !self.people[person].pop3 && self.dice.chance(DRAFTED) {
            self.at(now + (ends - now) / 3, Event::Drafted(person, None, DRAFTS));
        }
        self.at(ends, Event::Sends(person, answers));
    }

    /// The client saves what is written so far, and removes what it has saved before.
    fn drafted(&mut self, now: u64, person: usize, draft: Option<u64>, saves: usize) {
        if let Some(draft) = draft {
            self.expunges(now, person, vec![draft]);
        }
        if saves == 0 {
            return;
        }
        let mut letter = self.mix.written(&mut self.dice);
        letter.size = letter.size.min(8 << 10);
        self.hold(person, &letter, Folder::Drafts, now);
        self.give(now, Action::Append { letter, by: person, folder: Folder::Drafts });
        self.at(now + 70 * SECOND, Event::Drafted(person, Some(letter.number), saves - 1));
    }

    /// A letter goes out; the client files it in Sent, and marks what it answers.
    fn sends(&mut self, now: u64, person: usize, answers: Option<u64>) {
        let letter = self.mix.written(&mut self.dice);
        if self.dice.chance(TO_COLLEAGUES) {
            let count = self.dice.choose(COLLEAGUES);
            let first = 1 + self.dice.below(PEOPLE - 1);
            let to = (0..count).map(|step| (person + 1 + (first + step) % (PEOPLE - 1)) % PEOPLE).collect();
            self.deliver(now, letter, to);
        }
        if !self.people[person].pop3 {
            let copy = self.mix.again(&letter);
            self.hold(person, &copy, Folder::Sent, now);
            let action = Action::Append { letter: copy, by: person, folder: Folder::Sent };
            self.at(now + 5 * CLIENT_MS, Event::Then(action));
            if let Some(answered) = answers.filter(|answered| self.held[person].contains_key(answered)) {
                self.at(now + 10 * CLIENT_MS, Event::Then(marks(person, vec![answered], Mark::Answered)));
            }
        }
    }

    // ---- Keeping order -----------------------------------------------------------------------------------------

    fn chosen(&self, person: usize, folder: Folder, wanted: impl Fn(&Held) -> bool) -> Vec<u64> {
        let held = self.held[person].iter();
        held.filter(|(_, held)| held.folder == folder && wanted(held)).map(|(letter, _)| *letter).collect()
    }

    /// Once a week a person goes through INBOX: some letters go to Trash, some to a folder, the rest is marked as read.
    fn tidies(&mut self, now: u64, person: usize) {
        let unread = self.chosen(person, Folder::Inbox, |held| !held.read && held.later.is_none());
        let gone = self.chosen(person, Folder::Inbox, |held| held.later == Some(Fate::DeletedLater));
        let filed = self.chosen(person, Folder::Inbox, |held| held.later == Some(Fate::FiledLater));
        if !unread.is_empty() {
            for letter in &unread {
                if let Some(held) = self.held[person].get_mut(letter) {
                    held.read = true;
                }
            }
            self.give(now, marks(person, unread, Mark::Seen));
        }
        self.moves(now + 20 * SECOND, person, &gone, Folder::Trash);
        // A handful at a time, each to its folder.
        for (step, letters) in filed.chunks(5).enumerate() {
            let project = Folder::Project(self.dice.below(PROJECTS) as u8);
            self.moves(now + (1 + step as u64) * 40 * SECOND, person, letters, project);
        }
        if self.people[person].emptying == Emptying::Weekly {
            let trash = self.chosen(person, Folder::Trash, |held| held.moved < now as i64);
            self.expunges(now, person, trash);
        }
    }

    fn empties(&mut self, now: u64, person: usize) {
        let until = match self.people[person].emptying {
            Emptying::Daily => now as i64,
            Emptying::ByAge => now as i64 - (TRASH_DAYS * DAY) as i64,
            Emptying::Weekly => return,
        };
        let trash = self.chosen(person, Folder::Trash, |held| held.moved < until);
        self.expunges(now, person, trash);
    }

    /// A POP3 client deletes what it has had for long enough.
    fn polls(&mut self, now: u64, person: usize) {
        let until = now as i64 - (POP3_KEEP_DAYS * DAY) as i64;
        let old = self.chosen(person, Folder::Inbox, |held| held.came < until);
        for letter in &old {
            if let Some(held) = self.held[person].remove(letter) {
                self.bytes[person] -= u64::from(held.size);
            }
        }
        if !old.is_empty() {
            self.give(now, Action::Expunge { person, letters: old });
        }
        let next = now + POP3_MINUTES * MINUTE;
        if next % DAY < self.people[person].goes && next / DAY == now / DAY {
            self.at(next, Event::Polls(person));
        }
    }

    /// Whoever has used up the quota clears out: the oldest letters, or the largest of those that are old enough.
    fn clears(&mut self, now: u64, person: usize) {
        if self.bytes[person] <= self.quota {
            return;
        }
        let mut over = self.bytes[person] - (self.quota as f64 * CLEAR_TO) as u64;
        let until = now as i64 - (CLEAR_DAYS * DAY) as i64;
        let mut old: Vec<(u64, Held)> =
            self.held[person].iter().filter(|(_, held)| held.came < until).map(|(l, h)| (*l, *h)).collect();
        if self.dice.chance(CLEAR_BY_SIZE) {
            old.sort_by_key(|(letter, held)| (Reverse(held.size), *letter));
        } else {
            old.sort_by_key(|(letter, held)| (held.came, *letter));
        }
        let mut gone: BTreeMap<Folder, Vec<u64>> = BTreeMap::new();
        for (letter, held) in old {
            if over == 0 {
                break;
            }
            over = over.saturating_sub(held.size.into());
            gone.entry(held.folder).or_default().push(letter);
        }
        for (order, mut letters) in gone.into_values().enumerate() {
            letters.sort_unstable();
            self.expunges(now + order as u64 * 30 * SECOND, person, letters);
        }
    }
}

const fn marks(person: usize, letters: Vec<u64>, mark: Mark) -> Action {
    Action::Mark { person, letters, mark }
}

impl Iterator for Office {
    type Item = (u64, Action);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(next) = self.out.pop_front() {
                return Some(next);
            }
            let Reverse((now, id)) = self.events.pop()?;
            let event = self.pending.remove(&id)?;
            self.happen(now, event);
        }
    }
}

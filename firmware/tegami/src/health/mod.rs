//! How the flash is, and who is told: damage, blocks that are not used any more, wear, and a flash that takes no more
//! writes. Each kind goes into the log once while the program runs, and into one letter to the box's owner ever; the page
//! and the tools show all of it at any time.
//!
//! A flash that takes no writes cannot keep a letter: then whoever logs in with IMAP is told.

mod letter;

pub(crate) use letter::owner;

use std::rc::Rc;

use store::{Statistics, Wear};
use tokio::time::{Instant, sleep};

use crate::{
    house::House,
    language::{Language, Text, fill},
    limits::{HEALTH_CHECK, HEALTH_LETTER_PAUSE, LIFE_LEFT_PERCENT_MIN},
    notice,
    office::Office,
    provision::{Change, Keeper, Records, key},
    tools::ENDURANCE_DEFAULT,
};

/// What everybody who logs in is told when the flash takes no more writes.
pub(crate) const READ_ONLY_ALERT: &str = "The storage of this mail server takes no more writes: mail can be read, but \
    nothing is received, moved or deleted. Tell whoever looks after it to copy the mail and exchange the card";

/// Something that the owner should know. What it is called at rest is its bit: never to be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Complaint {
    /// No change is taken any more.
    ReadOnly,
    /// Places could not be read, or do not verify.
    Damage,
    /// Segments are not used any more.
    Retired,
    /// Most of the flash's life is used up.
    Worn,
}

/// What is known of the flash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Health {
    /// It takes no more writes.
    pub(crate) is_read_only: bool,
    /// Places that could not be read since the start.
    pub(crate) damaged: u64,
    /// Letters among what the scrub found damaged since the start.
    pub(crate) damaged_letters: u64,
    /// Segments that are not used any more.
    pub(crate) retired: u32,
    /// Part of its life that is used, about, in percent.
    pub(crate) life_used_percent: u32,
}

impl Health {
    /// As the store's figures say.
    pub(crate) fn of(figures: &Statistics) -> Self {
        Self {
            is_read_only: figures.read_only,
            damaged: figures.damage,
            damaged_letters: figures.damaged_letters,
            retired: figures.wear.retired,
            life_used_percent: life_used_percent(&figures.wear),
        }
    }

    /// What is wrong, the worst first.
    pub(crate) fn complaints(&self) -> Vec<Complaint> {
        let all = [
            (self.is_read_only, Complaint::ReadOnly),
            (self.damaged > 0, Complaint::Damage),
            (self.retired > 0, Complaint::Retired),
            (self.life_used_percent > 100 - LIFE_LEFT_PERCENT_MIN, Complaint::Worn),
        ];
        all.into_iter().filter_map(|(is_so, complaint)| is_so.then_some(complaint)).collect()
    }

    /// A complaint in one sentence.
    pub(crate) fn sentence(&self, complaint: Complaint, language: Language) -> String {
        let say = |text: Text, value: u64| fill(text.say(language), &[&value.to_string()]);
        match complaint {
            Complaint::ReadOnly => Text::StateReadOnly.say(language).to_owned(),
            Complaint::Damage if self.damaged_letters > 0 => fill(
                Text::StateDamagedLetters.say(language),
                &[&self.damaged.to_string(), &self.damaged_letters.to_string()],
            ),
            Complaint::Damage => say(Text::StateDamaged, self.damaged),
            Complaint::Retired => say(Text::StateRetired, self.retired.into()),
            Complaint::Worn => say(Text::StateWorn, self.life_used_percent.into()),
        }
    }
}

impl Complaint {
    /// Its bit in the setting that says which have been told.
    const fn bit(self) -> u8 {
        match self {
            Self::ReadOnly => 1,
            Self::Damage => 2,
            Self::Retired => 4,
            Self::Worn => 8,
        }
    }
}

/// How much of its life the most worn part of the flash has behind it, by what makers say of most cards.
fn life_used_percent(wear: &Wear) -> u32 {
    let percent = u64::from(wear.most) * 100 / u64::from(ENDURANCE_DEFAULT);
    u32::try_from(percent).unwrap_or(u32::MAX)
}

/// Looks after the flash's health for as long as it runs.
pub(crate) async fn watch(house: Rc<House>) {
    let office = &house.office;
    let mut logged = 0;
    let mut written: Option<Instant> = None;
    loop {
        let health = Health::of(&office.store().statistics());
        let complaints = health.complaints();
        for complaint in complaints.iter().filter(|complaint| logged & complaint.bit() == 0) {
            log::error!("{}", health.sentence(*complaint, Language::English));
        }
        let all = complaints.iter().fold(0, |all, complaint| all | complaint.bit());
        if all & !logged != 0 {
            logged |= all;
            house.show_again();
        }
        let paused = written.is_some_and(|written| written.elapsed() < HEALTH_LETTER_PAUSE);
        let told = told(office);
        if all & !told != 0
            && !health.is_read_only
            && !paused
            && tell(&house, &health, &complaints, told).await
        {
            written = Some(Instant::now());
        }
        sleep(HEALTH_CHECK).await;
    }
}

/// Which complaints have been in a letter.
fn told(office: &Office) -> u8 {
    office.setting(key::HEALTH_TOLD).and_then(|value| value.first().copied()).unwrap_or(0)
}

/// Writes the owner a letter about what has not been told, and remembers that. Says whether it was tried: a mailbox that
/// takes no letter today is tried again another day.
///
/// A cut between the letter and what is remembered of it makes a second one: better than none.
async fn tell(house: &House, health: &Health, complaints: &[Complaint], told: u8) -> bool {
    let office = house.office.as_ref();
    let new: Vec<Complaint> =
        complaints.iter().copied().filter(|complaint| told & complaint.bit() == 0).collect();
    let Some((mailbox, to)) = owner(&office.store()) else { return false };
    let letters: Vec<_> = office.store().damaged_letters().cloned().collect();
    let hostname = house.hostname();
    let facts = letter::Facts { hostname: &hostname, health, complaints: &new, letters: &letters };
    if let Err(refusal) = notice::deliver(house, &facts, (mailbox, &to)).await {
        log::error!("the letter to the owner about the flash could not be delivered: {refusal:?}");
        return true;
    }
    let all = new.iter().fold(told, |all, complaint| all | complaint.bit());
    if let Err(refusal) = office.carry_out(vec![Change::set(key::HEALTH_TOLD, vec![all])]).await {
        log::error!("that the owner has been told could not be kept: {refusal:?}");
    }
    true
}

#[cfg(test)]
mod tests;

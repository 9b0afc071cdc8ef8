//! Drives the store's scrub: has everything on the flash read and verified within the days that were set, evenly, and
//! says which letters are damaged.
//!
//! Time is counted while the program runs, so a clock that jumps changes nothing. Where a round stands is kept in a
//! setting now and then: a box that is switched off every night goes on the next morning.

use std::{rc::Rc, time::Duration};

use store::{DamagedLetter, ScrubPlace};
use tokio::time::{Instant, sleep};

use crate::{
    limits::{SCRUB_KEEP, SCRUB_PAUSE_MAX, SCRUB_PAUSE_MIN, SCRUB_WARMINGS_MAX},
    office::Office,
    provision::{Change, Keeper, Records, key},
};

/// Scrubs for as long as it runs.
pub(crate) async fn run(office: Rc<Office>) {
    if let Some(place) = office.setting(key::SCRUB_PLACE) {
        office.store_mut().set_scrub_place(ScrubPlace::from_bytes(&place));
    }
    let mut kept = (office.store().scrub_place(), Instant::now());
    loop {
        let pause = office.store().scrub_pause();
        sleep(between_steps(pause)).await;
        // It may have been turned off meanwhile.
        if pause.is_none() || office.store().scrub_pause().is_none() {
            continue;
        }
        step(&office).await;
        let place = office.store().scrub_place();
        if place != kept.0 && kept.1.elapsed() >= SCRUB_KEEP {
            keep(&office, place).await;
            kept = (place, Instant::now());
        }
    }
}

/// The time to the next step: what the store asks for, within limits. While nothing is to be scrubbed, the time until it
/// is asked again.
fn between_steps(asked: Option<Duration>) -> Duration {
    asked.map_or(SCRUB_PAUSE_MAX, |pause| pause.clamp(SCRUB_PAUSE_MIN, SCRUB_PAUSE_MAX))
}

/// One step, with what it needs warmed first. Memory that is so short that nothing stays warm has better uses: then the
/// step waits for its next turn.
async fn step(office: &Office) {
    for _ in 0..SCRUB_WARMINGS_MAX {
        let step = office.store_mut().scrub();
        match step {
            Ok(_) => break,
            Err(cold) => office.warm(cold).await,
        }
    }
    let found = office.store_mut().take_damaged_letters();
    found.iter().for_each(say);
    // What was found may be answered by a change: a checkpoint, a segment that is retired.
    office.after_step();
}

fn say(letter: &DamagedLetter) {
    let DamagedLetter { account, mailbox, uid, fault } = letter;
    match account {
        Some(account) => {
            log::error!("a letter is damaged: {account}, mailbox {mailbox}, UID {}: {fault}", uid.0);
        }
        None => log::error!("a letter is damaged: number {} of those to be sent: {fault}", uid.0),
    }
}

/// Keeps where the round stands. A full or read-only store does without: the next start begins where the last one did.
async fn keep(office: &Office, place: ScrubPlace) {
    let change = Change::set(key::SCRUB_PLACE, place.to_bytes().to_vec());
    if let Err(refusal) = office.carry_out(vec![change]).await {
        log::debug!("where the scrub stands could not be kept: {refusal:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Flash, Rig, block_on};

    #[test]
    fn steps_are_neither_hasty_nor_so_rare_that_a_restart_loses_them() {
        assert_eq!(between_steps(None), SCRUB_PAUSE_MAX);
        assert_eq!(between_steps(Some(Duration::ZERO)), SCRUB_PAUSE_MIN);
        assert_eq!(between_steps(Some(Duration::from_secs(86_400))), SCRUB_PAUSE_MAX);
        assert_eq!(between_steps(Some(Duration::from_secs(2))), Duration::from_secs(2));
    }

    #[test]
    fn it_reads_what_is_there_and_keeps_its_place() {
        block_on(async {
            let rig = Rig::start(Flash::new("scrub", Duration::ZERO)).await;
            let office = &rig.serving.house.office;
            assert!(office.store().scrub_pause().is_some(), "on unless it is turned off");
            for _ in 0..10 {
                step(office).await;
            }
            assert_eq!(office.store().statistics().damage, 0);
            let place = ScrubPlace::from_bytes(&[1, 7, 0, 0, 0, 0, 0, 0, 0]);
            keep(office, place).await;
            assert_eq!(office.setting(key::SCRUB_PLACE).as_deref(), Some(&place.to_bytes()[..]));
        });
    }
}

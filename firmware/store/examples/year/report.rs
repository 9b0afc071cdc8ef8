//! Says what a year took.

use crate::play::Player;
use crate::rig::profile::{Profile, name};

/// What counted before a year, to be taken off what counts after it.
#[derive(Clone, Debug)]
pub(crate) struct Before {
    profile: Profile,
    barriers: u64,
    letters: u64,
    mail: u64,
    restarts: u64,
}

impl Before {
    pub(crate) fn of(player: &mut Player) -> Self {
        let (letters, mail, restarts) = (player.letters, player.mail, player.restarts);
        let flash = player.flash();
        Self { profile: flash.watcher.profile.clone(), barriers: flash.barriers, letters, mail, restarts }
    }
}

/// Prints what has happened since `before`. The first `anchors` erase blocks are those of the anchors.
pub(crate) fn print(title: &str, before: &Before, player: &mut Player, anchors: usize) {
    let now = Before::of(player);
    let profile = now.profile.since(&before.profile);
    let (letters, mail) = (now.letters - before.letters, now.mail - before.mail);
    let statistics = player.statistics();
    println!("{title}");
    println!(
        "  {letters} letters, {:.1} MB, mean {} bytes; {} groups; {} restarts; {} letters kept; full {:.1} %; {} refused",
        mail as f64 / 1e6,
        mail / letters.max(1),
        now.barriers - before.barriers,
        now.restarts - before.restarts,
        statistics.letters,
        100.0 - percent(statistics.free, statistics.capacity),
        player.refused,
    );
    let all = profile.all();
    println!(
        "  programmed for each byte of mail: {:.3}; segments opened: {:?}",
        all as f64 / mail as f64,
        profile.opened
    );
    println!(
        "  {} deletions kept, {:.2} % of the flash, the oldest one for {} days",
        statistics.deleted.count,
        percent(statistics.deleted.bytes, statistics.capacity),
        statistics.deleted.oldest.map_or(0, |oldest| player.days_since(oldest))
    );
    bodies(&profile, mail);
    metadata(&profile, mail);
    println!(
        "  checkpoints {:.2} % of all; compaction {:.1} %; group records and padding {:.1} %",
        percent(profile.checkpoints(), all),
        percent(profile.compaction(), all),
        percent(profile.overhead(), all)
    );
    erases(player, anchors);
}

/// What does not stand in groups.
fn bodies(profile: &Profile, mail: u64) {
    let all = profile.all();
    let rows = [
        ("bodies", profile.fresh.payload),
        ("bodies: frames", profile.fresh.frames),
        ("bodies: padding", profile.fresh.padding),
        ("compaction: bodies", profile.cold.payload),
        ("  frames and padding", profile.cold.frames + profile.cold.padding),
        ("compaction: commits", profile.commits.payload),
        ("  frames and padding", profile.commits.frames + profile.commits.padding),
        ("anchors", profile.anchors),
        ("headers of segments", profile.headers),
    ];
    for (what, bytes) in rows {
        println!("    {what:<32} {:>6.3}  {:>5.1} %", bytes as f64 / mail as f64, percent(bytes, all));
    }
}

fn metadata(profile: &Profile, mail: u64) {
    let all = profile.all();
    println!(
        "    {:<32} {:>6}  {:>7}  {:>8} {:>8} {:>8}",
        "metadata", "", "", "records", "groups", "overhead"
    );
    for (kind, records) in profile.kinds.iter().filter(|(_, records)| records.bytes + records.overhead > 0) {
        let bytes = records.bytes + records.overhead;
        println!(
            "    {:<32} {:>6.3}  {:>5.1} %  {:>8} {:>8} {:>8.3}",
            name(*kind),
            bytes as f64 / mail as f64,
            percent(bytes, all),
            records.records,
            records.groups,
            records.overhead as f64 / mail as f64
        );
    }
}

/// The spread of erases, as the device counted them.
fn erases(player: &mut Player, anchors: usize) {
    let counts = &player.flash().erases;
    let (anchors, logs) = counts.split_at(anchors);
    println!("  erases of a block since the format: {}", spread(counts));
    println!("    without the anchors: {}; anchors: {}", spread(logs), anchors.iter().max().unwrap_or(&0));
}

fn spread(counts: &[u32]) -> String {
    let mean = counts.iter().map(|count| f64::from(*count)).sum::<f64>() / counts.len() as f64;
    let (least, most) = (counts.iter().min().unwrap_or(&0), counts.iter().max().unwrap_or(&0));
    format!("min {least} mean {mean:.2} max {most}, max over mean {:.2}", f64::from(*most) / mean)
}

/// Prints how long calls took.
pub(crate) fn times(player: &Player) {
    println!("processor time, what the device's own copying takes included:");
    println!("{}", player.took.calls.line("a call of a session, settling"));
    println!("{}", player.took.flushes.line("a flush that somebody asked for"));
    println!("{}", player.took.chores.line("a flush for housekeeping"));
    println!("{}", player.took.mounts.line("a mount"));
}

fn percent(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64 * 100.0
}

//! What the power is cut in: each scenario is written once.

use flash::simulator::Simulator;
use mail::{Flags, Mail, Uid, UidSet};

use super::cuts::exhaust;
use super::rig::{
    ALICE, BOB, close, deliver, deposit, geometry, inbox, name, office, pump, stream, text, uid_set, wait,
};
use super::world::{Stopped, World, furnished};
use super::{short_lives, tight as few};

/// A scenario: the device that it begins with, and what happens.
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) device: fn() -> Simulator,
    pub(super) run: fn(&mut World) -> Result<(), Stopped>,
    /// It makes the store; before that there is none.
    pub(super) formats: bool,
}

const ALICE_TO: &str = "alice@example.test";
const BOB_TO: &str = "bob@example.test";

macro_rules! scenarios {
    ($($name:ident, $device:expr, $formats:expr, $run:expr;)*) => {
        pub(super) static SCENARIOS: &[Scenario] = &[
            $(Scenario { name: stringify!($name), device: $device, run: $run, formats: $formats },)*
        ];
        $(
            #[test]
            fn $name() {
                let scenario = SCENARIOS.iter().find(|scenario| scenario.name == stringify!($name));
                exhaust(scenario.expect("in the table"));
            }
        )*
    };
}

fn empty() -> Simulator {
    Simulator::new(geometry(24))
}

fn noise() -> Simulator {
    Simulator::noise(geometry(12), 7)
}

fn five() -> Simulator {
    furnished(5)
}

/// The segments that are opened next have blocks that take no writes, or not all of them.
fn worn_out() -> Simulator {
    let mut device = furnished(5);
    let segment = u64::from(crate::limits::SEGMENT_BYTES_MIN);
    device.wear_out(4 * segment..5 * segment, true);
    device.wear_out(5 * segment + 20_480..5 * segment + 24_576, false);
    device.wear_out(7 * segment + 4_096..7 * segment + 8_192, false);
    device.wear_out(9 * segment..9 * segment + 4_096, false);
    device
}

/// A store whose body segments are all used and all dead: the next letters go where old ones stood.
fn worn() -> Simulator {
    static WORN: std::sync::OnceLock<Simulator> = std::sync::OnceLock::new();
    let make = || {
        let mut store = office(24);
        let mailbox = inbox(&store, ALICE);
        while store.statistics().free >= 70_000 {
            deliver(&mut store, &[ALICE_TO], &text(1, 500)).unwrap();
        }
        // Then letters through the segments that were not used yet: the least worn ones are taken first.
        for _ in 0..6 {
            let ticket = store.expunge(mailbox, &UidSet::range(Uid(1), Uid(10_000)));
            wait(&mut store, ticket).unwrap();
            let deleted = store.deletions(ALICE, None, usize::MAX).found;
            let numbers: alloc::vec::Vec<u64> = deleted.iter().map(|deletion| deletion.number).collect();
            let ticket = store.delete_for_good(ALICE, &numbers);
            wait(&mut store, ticket).unwrap();
            deliver(&mut store, &[ALICE_TO], &text(1, 60_000)).unwrap();
        }
        close(store)
    };
    WORN.get_or_init(make).clone()
}

fn tight() -> Simulator {
    static TIGHT: std::sync::OnceLock<Simulator> = std::sync::OnceLock::new();
    TIGHT.get_or_init(short_lives::tight).clone()
}

/// Two letters that grew side by side, a part of each in every segment, and hardly a segment left. The longer one has been
/// deleted: what is left of the other one fills four segments.
fn long_and_tight() -> Simulator {
    static LONG: std::sync::OnceLock<Simulator> = std::sync::OnceLock::new();
    let make = || {
        let mut store = short_lives::large(24);
        let mailbox = inbox(&store, ALICE);
        let drafts = [store.draft(None).unwrap(), store.draft(None).unwrap()];
        drafts.iter().for_each(|draft| store.add_mailbox(draft, mailbox, Flags::NONE).unwrap());
        for part in 0..18 {
            for (draft, len) in drafts.iter().zip([50_000, 150_000]) {
                stream(&mut store, draft, &text(part, len)).unwrap();
            }
            pump(&mut store);
        }
        for draft in &drafts {
            let ticket = deposit(&mut store, draft).unwrap();
            wait(&mut store, Ok(ticket)).unwrap();
        }
        few::leave(&mut store, 4);
        store.checkpoints.wanted = true;
        pump(&mut store);
        let ticket = store.expunge(mailbox, &uid_set(&[2]));
        wait(&mut store, ticket).unwrap();
        close(store)
    };
    LONG.get_or_init(make).clone()
}

/// A store that has no room for another letter; then all are deleted.
fn full_of_deletions() -> Simulator {
    static FULL: std::sync::OnceLock<Simulator> = std::sync::OnceLock::new();
    let make = || {
        let mut store = office(16);
        for number in 0.. {
            if deliver(&mut store, &[ALICE_TO], &text(number, 20_000)).is_err() {
                break;
            }
        }
        let mailbox = inbox(&store, ALICE);
        let ticket = store.expunge(mailbox, &UidSet::range(Uid(1), Uid(10_000)));
        wait(&mut store, ticket).unwrap();
        close(store)
    };
    FULL.get_or_init(make).clone()
}

scenarios! {
    first_format, empty, true, |world| {
        world.format()?;
        world.change(|store| store.put_domain("example.test"))?;
        world.put_account(ALICE_TO)?;
        world.sync()?;
        world.deliver(&[ALICE_TO], 900)?;
        world.sync()
    };
    format_over_noise, noise, true, |world| {
        world.format()?;
        world.change(|store| store.put_domain("example.test"))?;
        world.put_account(ALICE_TO)?;
        world.sync()
    };
    deliver_to_one, five, false, |world| {
        world.mount()?;
        for size in [300, 5000, 20_000] {
            world.deliver(&[ALICE_TO], size)?;
            world.sync()?;
        }
        Ok(())
    };
    deliver_many_in_one_group, five, false, |world| {
        world.mount()?;
        for size in [300, 5000, 100, 9000] {
            world.deliver(&[ALICE_TO], size)?;
        }
        world.sync()?;
        world.deliver(&[BOB_TO], 700)?;
        world.deliver(&[ALICE_TO], 800)?;
        world.sync()
    };
    deliver_to_both, five, false, |world| {
        world.mount()?;
        for size in [2000, 400] {
            world.deliver(&[ALICE_TO, BOB_TO], size)?;
            world.sync()?;
        }
        Ok(())
    };
    large_letters_over_segments, five, false, |world| {
        world.mount()?;
        world.deliver(&[ALICE_TO], 150_000)?;
        world.sync()?;
        world.deliver(&[ALICE_TO], 70_000)?;
        world.deliver(&[BOB_TO], 1000)?;
        world.sync()
    };
    two_drafts_interleaved, five, false, |world| {
        world.mount()?;
        let (one, two) = (world.begin(ALICE, "Drafts")?, world.begin(BOB, "Sent")?);
        let (first, second) = (text(501, 80_000), text(502, 70_000));
        for piece in 0..4 {
            world.stream(&one, &first[piece * 20_000..(piece + 1) * 20_000])?;
            world.stream(&two, &second[piece * 17_500..(piece + 1) * 17_500])?;
        }
        world.deposit(&two)?;
        world.sync()?;
        world.deposit(&one)?;
        world.sync()
    };
    a_draft_that_is_dropped, five, false, |world| {
        world.mount()?;
        let dropped = world.begin(ALICE, "Drafts")?;
        world.stream(&dropped, &text(503, 50_000))?;
        world.deliver(&[ALICE_TO], 3000)?;
        drop(dropped);
        world.sync()?;
        world.deliver(&[ALICE_TO], 3000)?;
        world.sync()
    };
    flags, five, false, |world| {
        world.mount()?;
        world.flag(&[1, 2, 3], Flags::SEEN, Flags::NONE)?;
        world.flag(&[2], Flags::DELETED, Flags::SEEN)?;
        world.sync()?;
        world.see(&[4, 5])?;
        world.flag(&[1], Flags::FLAGGED, Flags::NONE)?;
        world.sync()
    };
    keywords, five, false, |world| {
        world.mount()?;
        for word in ["$Forwarded", "work", "$Junk"] {
            let flag = world.store().keyword(ALICE, word).map_err(|_| Stopped)?;
            // The definition takes effect on its own, before what uses it.
            world.see(&[1])?;
            world.flag(&[1, 4], flag, Flags::NONE)?;
        }
        world.sync()
    };
    expunge, five, false, |world| {
        world.mount()?;
        world.expunge(&[2, 4])?;
        world.sync()?;
        world.deliver(&[ALICE_TO], 500)?;
        world.expunge(&[5])?;
        world.sync()?;
        world.expunge(&[1, 3, 6])?;
        world.sync()
    };
    copy, five, false, |world| {
        world.mount()?;
        world.copy(&[1, 3, 5], "Archive")?;
        world.sync()?;
        world.copy(&[1], "Archive")?;
        world.expunge(&[1])?;
        world.copy(&[2], "INBOX")?;
        world.sync()
    };
    move_messages, five, false, |world| {
        world.mount()?;
        world.shift(&[1, 2], "Trash")?;
        world.sync()?;
        world.shift(&[3], "INBOX")?;
        world.flag(&[4], Flags::SEEN, Flags::NONE)?;
        world.shift(&[4, 5], "Archive")?;
        world.sync()
    };
    mailboxes, five, false, |world| {
        world.mount()?;
        world.create("Work/2026/Offers")?;
        world.create("Play")?;
        world.sync()?;
        world.append(ALICE, "Play", 900)?;
        world.change(|store| store.rename_mailbox(ALICE, &name("Work/2026"), &name("Old/Work")))?;
        world.change(|store| store.subscribe(ALICE, &name("Play"), true))?;
        world.sync()?;
        world.change(|store| store.rename_mailbox(ALICE, &name("INBOX"), &name("Before")))?;
        world.sync()?;
        world.change(|store| store.delete_mailbox(ALICE, &name("Play")))?;
        world.deliver(&[ALICE_TO], 300)?;
        world.sync()
    };
    directory_and_settings, five, false, |world| {
        world.mount()?;
        world.put_account("carol@example.test")?;
        world.change(|store| store.put_alias("info@example.test", &[ALICE_TO, BOB_TO]))?;
        world.change(|store| store.put_setting("tls/key", &[7; 5000]))?;
        world.sync()?;
        world.deliver(&["info@example.test", "carol@example.test"], 600)?;
        world.sync()?;
        world.change(|store| store.remove_account(BOB))?;
        world.change(|store| store.put_setting("tls/key", b"another"))?;
        world.change(|store| store.remove_alias("info@example.test"))?;
        world.sync()
    };
    clean_mounts, five, false, |world| {
        world.mount()?;
        world.remount()?;
        world.deliver(&[ALICE_TO], 5000)?;
        world.remount()?;
        world.remount()?;
        world.deliver(&[ALICE_TO], 600)?;
        world.flag(&[1], Flags::SEEN, Flags::NONE)?;
        world.sync()
    };
    unclean_mounts, five, false, |world| {
        world.mount()?;
        world.deliver(&[ALICE_TO], 5000)?;
        world.crash()?;
        world.crash()?;
        world.deliver(&[ALICE_TO], 600)?;
        world.crash()?;
        world.flag(&[1], Flags::SEEN, Flags::NONE)?;
        world.sync()?;
        world.remount()?;
        world.deliver(&[BOB_TO], 700)?;
        world.sync()
    };
    metadata_over_segments, five, false, |world| {
        world.mount()?;
        for _ in 0..3 {
            world.change(|store| store.put_setting("big", &[9; 20_000]))?;
            world.deliver(&[ALICE_TO], 300)?;
            world.change(|store| store.put_setting("small", b"x"))?;
            world.sync()?;
        }
        Ok(())
    };
    // One unit each, in the places and of the lengths of letters that stood there before.
    segments_that_were_used_before, worn, false, |world| {
        world.mount()?;
        world.deliver(&[ALICE_TO], 70_000)?;
        world.sync()?;
        for _ in 0..6 {
            world.deliver(&[ALICE_TO], 500)?;
            world.sync()?;
        }
        Ok(())
    };
    checkpoint_while_delivering, five, false, |world| {
        world.mount()?;
        world.deliver(&[ALICE_TO], 3000)?;
        world.checkpoint();
        world.deliver(&[ALICE_TO, BOB_TO], 5000)?;
        world.sync()?;
        world.deliver(&[ALICE_TO], 700)?;
        world.rest()
    };
    checkpoints_and_changes, five, false, |world| {
        world.mount()?;
        world.checkpoint();
        world.flag(&[1, 2], Flags::SEEN, Flags::NONE)?;
        world.shift(&[3], "Archive")?;
        world.sync()?;
        world.expunge(&[1])?;
        world.checkpoint();
        world.append(ALICE, "Archive", 400)?;
        world.change(|store| store.delete_mailbox(ALICE, &name("Trash")))?;
        world.sync()?;
        world.copy(&[2], "Archive")?;
        world.checkpoint();
        world.change(|store| store.rename_mailbox(ALICE, &name("INBOX"), &name("Before")))?;
        world.sync()?;
        world.deliver(&[ALICE_TO], 300)?;
        world.rest()
    };
    // A checkpoint copies what has not changed since the one before; then some of that changes, and some is moved.
    checkpoints_that_copy, five, false, |world| {
        world.mount()?;
        world.expunge(&[2])?;
        for value in 0..3 {
            world.checkpoint();
            world.change(|store| store.put_setting("small", &[value; 30]))?;
            world.rest()?;
        }
        let copied = world.store().state.letters.pages().iter().all(|page| page.homes().count() == 2);
        assert!(copied || !world.store().queue().device().is_powered());
        world.crash()?;
        world.flag(&[1], Flags::SEEN, Flags::NONE)?;
        world.checkpoint();
        world.sync()?;
        world.compact(0);
        world.compact(0);
        world.deliver(&[ALICE_TO], 700)?;
        world.rest()?;
        world.checkpoint();
        world.deliver(&[BOB_TO], 300)?;
        world.rest()
    };
    checkpoints_and_lives, five, false, |world| {
        world.mount()?;
        world.deliver(&[ALICE_TO], 500)?;
        world.checkpoint();
        world.sync()?;
        world.remount()?;
        world.deliver(&[ALICE_TO], 5000)?;
        world.checkpoint();
        world.sync()?;
        world.crash()?;
        world.flag(&[1], Flags::SEEN, Flags::NONE)?;
        world.sync()?;
        world.crash()?;
        world.remount()?;
        world.checkpoint();
        world.expunge(&[2])?;
        world.sync()?;
        world.deliver(&[BOB_TO], 700)?;
        world.rest()
    };
    // Two mailboxes below one that is not there yet: the second one is given a number for that as well, and needs none.
    mailboxes_over_lives, five, false, |world| {
        world.mount()?;
        for path in ["Top/One", "Top/Two"] {
            world.change(|store| store.create_mailbox(ALICE, &name(path), None))?;
        }
        world.checkpoint();
        world.remount()?;
        world.change(|store| store.create_mailbox(ALICE, &name("Top/Three"), None))?;
        world.deliver(&[ALICE_TO], 100)?;
        world.checkpoint();
        world.sync()?;
        world.crash()?;
        world.change(|store| store.create_mailbox(ALICE, &name("Top/Four"), None))?;
        world.rest()
    };
    checkpoint_in_a_full_segment, five, false, |world| {
        world.mount()?;
        for _ in 0..3 {
            world.change(|store| store.put_setting("big", &[9; 20_000]))?;
            world.checkpoint();
            world.deliver(&[ALICE_TO], 300)?;
            world.rest()?;
        }
        Ok(())
    };
    // Letters in several body segments, behind a checkpoint, then moved while others come and go.
    append_while_compacting, five, false, |world| {
        world.mount()?;
        for size in [60_000, 9000, 70_000] {
            world.deliver(&[ALICE_TO], size)?;
        }
        world.checkpoint();
        world.sync()?;
        for which in [0, 1, 2, 0] {
            world.compact(which);
            world.deliver(&[BOB_TO], 2000)?;
            world.sync()?;
        }
        world.expunge(&[1, 6])?;
        world.compact(1);
        world.rest()
    };
    compaction_and_checkpoint, five, false, |world| {
        world.mount()?;
        world.deliver(&[ALICE_TO], 90_000)?;
        world.checkpoint();
        world.sync()?;
        world.compact(0);
        world.flag(&[2], Flags::SEEN, Flags::NONE)?;
        world.sync()?;
        world.checkpoint();
        world.shift(&[1], "Archive")?;
        world.sync()?;
        world.crash()?;
        world.deliver(&[ALICE_TO], 300)?;
        world.compact(1);
        world.rest()
    };
    expunge_what_is_being_moved, five, false, |world| {
        world.mount()?;
        world.deliver(&[ALICE_TO], 60_000)?;
        world.deliver(&[ALICE_TO], 60_000)?;
        world.sync()?;
        world.expunge(&[6])?;
        world.compact(0);
        world.sync()?;
        world.compact(1);
        world.expunge(&[1, 7])?;
        world.sync()?;
        world.deliver(&[ALICE_TO], 60_000)?;
        world.rest()
    };
    retire_while_metadata_is_written, worn_out, false, |world| {
        world.mount()?;
        for round in 0..5 {
            world.insist(|store| store.put_setting("big", &[round; 16_000]))?;
            world.insist(|store| store.put_setting("small", b"x"))?;
        }
        world.checkpoint();
        world.insist(|store| store.put_setting("small", b"y"))?;
        world.rest()?;
        world.crash()?;
        world.insist(|store| store.put_setting("small", b"z"))
    };
    retire_while_delivering, worn_out, false, |world| {
        world.mount()?;
        for size in [60_000, 30_000, 500, 60_000] {
            world.insist_letter(&[ALICE_TO], size)?;
        }
        world.checkpoint();
        world.insist_letter(&[BOB_TO], 40_000)?;
        world.rest()?;
        world.remount()?;
        world.insist_letter(&[ALICE_TO, BOB_TO], 40_000)
    };
    // What lives in a segment that is retired moves, while others come and go.
    retire_what_is_in_use, five, false, |world| {
        world.mount()?;
        for size in [50_000, 9000] {
            world.deliver(&[ALICE_TO], size)?;
        }
        world.checkpoint();
        world.sync()?;
        for which in [0, 1, 0] {
            world.retire(which);
            world.deliver(&[BOB_TO], 2000)?;
            world.sync()?;
        }
        world.expunge(&[1, 6])?;
        world.checkpoint();
        world.rest()
    };
    undelete, five, false, |world| {
        world.mount()?;
        world.day(100);
        world.flag(&[2, 4], Flags::FLAGGED, Flags::NONE)?;
        world.expunge(&[2, 4])?;
        world.sync()?;
        world.undelete(&[0], "INBOX")?;
        world.deliver(&[ALICE_TO], 700)?;
        world.sync()?;
        world.expunge(&[1, 5])?;
        world.checkpoint();
        world.sync()?;
        world.undelete(&[2, 0], "Archive")?;
        world.sync()?;
        world.delete_for_good(&[0])?;
        world.deliver(&[ALICE_TO], 300)?;
        world.rest()
    };
    undelete_over_lives, five, false, |world| {
        world.mount()?;
        world.create("Work")?;
        world.sync()?;
        world.shift(&[1, 2, 3], "Work")?;
        world.expunge(&[4])?;
        world.change(|store| store.delete_mailbox(ALICE, &name("Work")))?;
        world.sync()?;
        world.crash()?;
        world.create("Work")?;
        world.sync()?;
        world.undelete(&[0, 1], "Work")?;
        world.checkpoint();
        world.deliver(&[ALICE_TO, BOB_TO], 4000)?;
        world.remount()?;
        world.expunge(&[5, 6])?;
        world.sync()?;
        world.undelete(&[0], "INBOX")?;
        world.crash()?;
        world.undelete(&[0, 1, 2], "Trash")?;
        world.rest()
    };
    // Many at once, from a mailbox that is gone, with a delivery to where they go, and while what they name is moved.
    undelete_many_of_a_mailbox_that_is_gone, five, false, |world| {
        world.mount()?;
        world.day(100);
        for size in [30_000, 900, 40_000] {
            world.deliver(&[ALICE_TO, BOB_TO], size)?;
        }
        world.create("Work")?;
        world.sync()?;
        world.shift(&[2, 3, 5, 6, 7, 8], "Work")?;
        world.sync()?;
        world.change(|store| store.delete_mailbox(ALICE, &name("Work")))?;
        world.sync()?;
        world.checkpoint();
        world.compact(0);
        world.undelete(&[0, 2, 3, 5], "INBOX")?;
        world.deliver(&[ALICE_TO], 700)?;
        world.sync()?;
        world.create("Work")?;
        world.expunge(&[1])?;
        world.sync()?;
        world.undelete(&[0, 1, 2], "Work")?;
        world.change(|store| store.rename_mailbox(ALICE, &name("Work"), &name("Old/Work")))?;
        world.rest()
    };
    // What is deleted is moved like everything else, and is forgotten or brought back while it is.
    deletions_and_compaction, five, false, |world| {
        world.mount()?;
        for size in [60_000, 9000, 70_000] {
            world.deliver(&[ALICE_TO], size)?;
        }
        world.checkpoint();
        world.sync()?;
        world.expunge(&[6, 7, 8])?;
        world.sync()?;
        world.compact(0);
        world.undelete(&[2], "INBOX")?;
        world.sync()?;
        world.compact(1);
        world.delete_for_good(&[0])?;
        world.sync()?;
        world.compact(0);
        world.undelete(&[0], "Archive")?;
        world.rest()
    };
    an_account_goes_with_its_deletions, five, false, |world| {
        world.mount()?;
        world.deliver(&[ALICE_TO, BOB_TO], 900)?;
        world.sync()?;
        world.expunge(&[6])?;
        world.change(|store| store.expunge(inbox(store, BOB), &UidSet::range(Uid(1), Uid(1))))?;
        world.deliver(&[BOB_TO], 800)?;
        world.sync()?;
        world.change(|store| store.remove_account(BOB))?;
        world.change(|store| store.put_setting("small", b"x"))?;
        world.undelete(&[0], "INBOX")?;
        world.rest()
    };
    // Those of the first day are old on the last one.
    forgetting_what_is_old, five, false, |world| {
        world.mount()?;
        world.day(100);
        world.expunge(&[1, 3])?;
        world.sync()?;
        world.day(107);
        world.expunge(&[5])?;
        world.deliver(&[ALICE_TO], 300)?;
        world.sync()?;
        world.day(115);
        world.deliver(&[ALICE_TO], 5000)?;
        world.sync()?;
        world.undelete(&[0], "INBOX")?;
        world.checkpoint();
        world.deliver(&[ALICE_TO], 400)?;
        world.rest()
    };
    // Those that are old go while others, and what they lie between, are moved.
    forgetting_in_the_midst_of_compaction, five, false, |world| {
        world.mount()?;
        world.day(100);
        for size in [60_000, 50_000, 70_000] {
            world.deliver(&[ALICE_TO], size)?;
        }
        world.checkpoint();
        world.sync()?;
        world.expunge(&[1, 6])?;
        world.sync()?;
        world.day(108);
        world.expunge(&[7])?;
        world.sync()?;
        world.compact(0);
        world.deliver(&[ALICE_TO], 300)?;
        world.sync()?;
        world.day(115);
        world.deliver(&[ALICE_TO], 400)?;
        world.sync()?;
        world.undelete(&[0], "Archive")?;
        world.sync()?;
        world.compact(1);
        world.expunge(&[8])?;
        world.sync()?;
        world.day(130);
        world.deliver(&[ALICE_TO, BOB_TO], 500)?;
        world.checkpoint();
        world.rest()
    };
    // What comes next takes the place of what was deleted.
    forgetting_where_space_is_short, full_of_deletions, false, |world| {
        world.mount()?;
        for _ in 0..4 {
            world.deliver(&[ALICE_TO, BOB_TO], 60_000)?;
            world.sync()?;
        }
        world.rest()
    };
    // After many cuts hardly a segment is left: a checkpoint comes before everything else, and compaction moves in batches.
    forgetting_where_hardly_a_segment_is_left, tight, false, |world| {
        world.mount()?;
        let uids = world.first_uids(3);
        world.change(|store| store.set_flags(inbox(store, ALICE), &uid_set(&uids), Flags::FLAGGED, Flags::NONE))?;
        world.rest()?;
        world.change(|store| store.expunge(inbox(store, ALICE), &uid_set(&uids[..1])))?;
        world.deliver(&[ALICE_TO], 3_000)?;
        world.rest()
    };
    // A letter that lies in many segments is moved by a batch over many groups, into several that are opened meanwhile.
    forgetting_what_a_long_letter_lies_between, long_and_tight, false, |world| {
        world.mount()?;
        world.delete_for_good(&[0])?;
        world.rest()?;
        world.deliver(&[ALICE_TO], 3_000)?;
        world.rest()
    };
    queue_to_many_and_done_one_by_one, five, false, |world| {
        world.mount()?;
        world.post(&["x@elsewhere.test", "y@elsewhere.test", ALICE_TO], 900)?;
        world.post(&["z@elsewhere.test"], 20_000)?;
        world.sync()?;
        world.tried(&[1, 3], 1)?;
        world.depart(&[2])?;
        world.sync()?;
        world.depart(&[1])?;
        world.post(&["x@elsewhere.test"], 300)?;
        world.depart(&[3])?;
        world.sync()
    };
    // A bounce and what it is about are one change.
    queue_and_bounces, five, false, |world| {
        world.mount()?;
        world.post(&["x@elsewhere.test", "y@elsewhere.test"], 700)?;
        world.sync()?;
        world.bounce(&[1])?;
        world.sync()?;
        world.tried(&[2], 4)?;
        world.bounce(&[2])?;
        world.deliver(&[ALICE_TO], 300)?;
        world.sync()
    };
    // Many are done with in one change, runs of several letters among them; one bounce is about several; reports of success.
    queue_and_many_done_at_once, five, false, |world| {
        world.mount()?;
        world.post_and_hear(&["x@elsewhere.test", ALICE_TO, BOB_TO], 900)?;
        world.post(&["x@elsewhere.test", "y@elsewhere.test", "z@elsewhere.test"], 20_000)?;
        world.post(&["y@elsewhere.test", ALICE_TO], 300)?;
        world.sync()?;
        world.tried(&[1, 4, 6], 2)?;
        world.depart(&[1, 4, 5, 7])?;
        world.bounce(&[2, 3])?;
        world.sync()?;
        world.post_and_hear(&[BOB_TO, "z@elsewhere.test"], 3_000)?;
        world.checkpoint();
        world.sync()?;
        // Some are not there any more.
        world.depart(&[4, 6, 8])?;
        world.bounce(&[3, 9])?;
        world.rest()?;
        world.crash()?;
        world.post(&["x@elsewhere.test"], 300)?;
        world.sync()
    };
    queue_over_lives_checkpoints_and_compaction, five, false, |world| {
        world.mount()?;
        world.post(&["x@elsewhere.test", BOB_TO], 60_000)?;
        world.post(&["y@elsewhere.test", "z@elsewhere.test"], 9000)?;
        world.checkpoint();
        world.sync()?;
        world.tried(&[1, 2], 1)?;
        world.compact(0);
        world.sync()?;
        world.crash()?;
        world.depart(&[1])?;
        world.checkpoint();
        world.compact(1);
        world.sync()?;
        world.bounce(&[3])?;
        world.remount()?;
        world.post(&["x@elsewhere.test"], 300)?;
        world.rest()
    };
    // The segments that a checkpoint frees are the next ones to be used: a root must be named before they are.
    checkpoints_where_space_is_short, worn, false, |world| {
        world.mount()?;
        for round in 0..16 {
            if round % 3 == 0 {
                world.checkpoint();
            }
            world.change(|store| store.put_setting("big", &[round; 24_000]))?;
            world.sync()?;
        }
        world.rest()
    };
}

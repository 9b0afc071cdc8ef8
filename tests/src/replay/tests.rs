//! The replay against records that were made up: what was flushed is always there, what was not is in doubt, and a disk
//! that lies is found out.

use super::journal::{Change, Letter, Sight};
use super::{Cut, Filed, Found, FoundLetter, Journal, Rebuilder, Tally, WriteLog, choose, text};
use crate::hosted::scratch;
use std::fs;
use std::ops::Range;
use std::path::PathBuf;

/// Where the made-up flash lies on the made-up disk, and its first bytes before anything is written.
const FLASH: Range<u64> = 4096..4096 + 16 * 1024;
const BEFORE: u8 = 0xEE;

/// A request: first sector, sectors, flags, and what is written.
type Request = (u64, u64, u64, u8);

const FLUSHED: Request = (0, 0, 1, 0);

/// A sector of the record that begins with these numbers.
fn head(numbers: &[u64]) -> Vec<u8> {
    let mut sector: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    sector.resize(512, 0);
    sector
}

/// The bytes of a record.
fn record(requests: &[Request]) -> Vec<u8> {
    let mut bytes = head(&[0x006a_7366_7773_6872, 1, requests.len() as u64, 512]);
    for (sector, sectors, flags, byte) in requests {
        bytes.extend(head(&[*sector, *sectors, *flags, 0]));
        if flags & 4 == 0 {
            bytes.resize(bytes.len() + *sectors as usize * 512, *byte);
        }
    }
    bytes
}

/// A folder with a record and the flash before it.
struct Made(PathBuf);

impl Made {
    fn new(name: &str, record: &[u8]) -> Self {
        let folder = scratch().join(format!("replay-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("log"), record).unwrap();
        fs::write(folder.join("before"), vec![BEFORE; (FLASH.end - FLASH.start) as usize]).unwrap();
        Self(folder)
    }

    fn log(&self) -> std::io::Result<WriteLog> {
        WriteLog::open(&self.0.join("log"))
    }

    /// The flash of a cut, a byte for each of its sectors, all of whose bytes are the same.
    fn flash(&self, cut: Cut, forgotten: Range<usize>) -> (Vec<u8>, Tally) {
        let (log, to) = (self.log().unwrap(), self.0.join("flash"));
        let settled = self.0.join("settled");
        let mut rebuilder = Rebuilder::new(&log, FLASH, &self.0.join("before"), settled, forgotten);
        let tally = rebuilder.build(cut, &to).unwrap();
        let bytes = fs::read(to).unwrap();
        assert_eq!(bytes.len() as u64, FLASH.end - FLASH.start);
        let sectors = bytes.chunks(512).map(|sector| {
            assert!(sector.iter().all(|byte| *byte == sector[0]), "{cut}: torn inside a sector");
            sector[0]
        });
        (sectors.collect(), tally)
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn a_record_is_read_and_half_a_record_refused() {
    let bytes = record(&[(8, 2, 0, 7), FLUSHED, (16, 4, 4, 0), (8, 1, 2, 9)]);
    let made = Made::new("read", &bytes);
    let log = made.log().unwrap();
    let positions: Vec<u64> = (0..=4).map(|entry| log.position(entry)).collect();
    assert_eq!(positions, [512, 2048, 2560, 3072, 4096]);
    let [write, flush, discard, durable] = log.entries() else { panic!("{log:?}") };
    assert!(write.touches(&(4096..4097)) && write.touches(&(5119..6000)) && !write.touches(&(5120..6000)));
    assert!(flush.flushes() && !flush.changes() && discard.is_discard() && durable.is_durable());
    for (wrong, says) in [
        (bytes[..bytes.len() - 1].to_vec(), "breaks off"),
        (bytes[..3072].to_vec(), "breaks off"),
        (vec![0; 1024], "does not begin"),
        (record(&[(8, 1, 32, 0)]), "no entry"),
        (record(&[(8, u64::MAX, 4, 0)]), "no entry"),
    ] {
        fs::write(made.0.join("log"), wrong).unwrap();
        let error = made.log().unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn what_was_flushed_is_there_and_what_was_not_is_in_doubt() {
    // The second request goes to another partition, the last one to half of the flash's last sectors and beyond.
    let made =
        Made::new("flushed", &record(&[(8, 4, 0, 1), (0, 8, 0, 2), FLUSHED, (12, 4, 0, 3), (16, 1, 0, 4)]));
    let mut all = Tally::default();
    for seed in 0..60 {
        let (settled, none) = made.flash(Cut { entry: 3, seed }, 0..0);
        assert_eq!((&settled[..4], settled[4], none), ([1; 4].as_slice(), BEFORE, Tally::default()));
        let (sectors, tally) = made.flash(Cut { entry: 5, seed }, 0..0);
        assert_eq!(sectors[..4], [1; 4]);
        assert!(sectors[4..8].iter().all(|byte| [BEFORE, 3].contains(byte)) && sectors[9..] == [BEFORE; 23]);
        assert_eq!(tally.kept + tally.dropped + tally.torn, 2);
        let is_torn = sectors[4] != sectors[7];
        assert_eq!(is_torn, tally.torn == 1, "seed {seed}: {tally:?} {sectors:?}");
        assert_eq!(made.flash(Cut { entry: 5, seed }, 0..0).0, sectors, "the same id makes the same flash");
        all = Tally {
            kept: all.kept + tally.kept,
            dropped: all.dropped + tally.dropped,
            torn: all.torn + tally.torn,
        };
    }
    assert!(all.kept > 18 && all.dropped > 18 && all.torn > 6, "{all:?}");
}

#[test]
fn before_the_flush_everything_is_in_doubt_even_what_was_written_first() {
    let made = Made::new("doubt", &record(&[(8, 1, 0, 1), (9, 1, 0, 2), FLUSHED]));
    let flashes: Vec<_> =
        (0..50).map(|seed| made.flash(Cut { entry: 2, seed }, 0..0).0[..2].to_vec()).collect();
    for outcome in [[1, 2], [BEFORE, 2], [1, BEFORE], [BEFORE, BEFORE]] {
        assert!(flashes.iter().any(|flash| *flash == outcome), "{outcome:?}");
    }
}

#[test]
fn a_disk_that_forgets_what_it_flushed_is_one_that_lost_it() {
    let made = Made::new("lie", &record(&[(8, 1, 0, 1), FLUSHED, (9, 1, 0, 2), FLUSHED]));
    assert_eq!(made.flash(Cut { entry: 4, seed: 1 }, 0..0).0[..2], [1, 2]);
    assert_eq!(made.flash(Cut { entry: 4, seed: 1 }, 0..1).0[..2], [BEFORE, 2]);
}

#[test]
fn discards_and_writes_that_are_durable_by_themselves_are_replayed() {
    let made =
        Made::new("others", &record(&[(8, 4, 4, 0), FLUSHED, (8, 1, 0, 1), (8, 2, 2, 2), (39, 2, 0, 3)]));
    for seed in 0..20 {
        // Seven sectors in front of the flash belong to another partition; so does what lies behind its end.
        assert_eq!(made.flash(Cut { entry: 2, seed }, 0..0).0[..5], [0, 0, 0, 0, BEFORE]);
        let (sectors, _) = made.flash(Cut { entry: 5, seed }, 0..0);
        assert_eq!(sectors[..5], [2, 2, 0, 0, BEFORE]);
        assert!([BEFORE, 3].contains(&sectors[31]));
    }
}

#[test]
fn moments_are_spread_and_each_has_a_name_that_finds_it_again() {
    let run = [(8, 1, 0, 1), (9, 1, 0, 2), (10, 1, 0, 3), FLUSHED, (0, 1, 0, 4), FLUSHED];
    let made = Made::new("choose", &record(&run.repeat(50)));
    let log = made.log().unwrap();
    let cuts = choose(&log, &FLASH, 7, 40);
    assert_eq!((cuts.len(), &cuts), (40, &choose(&log, &FLASH, 7, 40)));
    assert!(cuts.is_sorted() && cuts[0].entry < 12 && cuts[39].entry > 285);
    let within = |kind: Range<usize>| cuts.iter().filter(|cut| kind.contains(&(cut.entry % 6))).count();
    assert!(within(3..4) > 10 && within(1..3) > 3 && within(4..5) > 0 && within(5..6) == 0, "{cuts:?}");
    assert!(cuts.iter().all(|cut| cut.to_string().parse::<Cut>().as_ref() == Ok(cut)));
    assert!("7".parse::<Cut>().is_err() && choose(&log, &(0..0), 7, 40).is_empty());
}

/// Letter 1 confirmed at 100, letter 2 begun at 150 and confirmed at 200; a filed letter, flagged at 200.
fn journal() -> Journal {
    let mut journal = Journal::default();
    journal.letters.insert(1, Letter { begun: 50, confirmed: Some(100) });
    journal.letters.insert(2, Letter { begun: 150, confirmed: Some(200) });
    let filed = |flags| Some(Filed { mailbox: 0, uid: 5, flags });
    journal.changes.push(Change { begun: 10, confirmed: Some(100), number: 9, after: filed(0) });
    journal.changes.push(Change { begun: 150, confirmed: Some(200), number: 9, after: filed(4) });
    journal.sights.push(Sight { recipient: 0, uid: 1, number: 1, at: 120 });
    journal.validities.insert(("one@example.test".to_owned(), "INBOX".to_owned()), 77);
    journal
}

/// A flash with these letters, and the filed one with these flags.
fn found(letters: &[u64], flags: u8) -> Found {
    let inbox =
        || letters.iter().zip(1..).map(|(&number, uid)| FoundLetter { uid, number, intact: true }).collect();
    Found {
        inboxes: [inbox(), inbox()],
        filed: vec![(9, Filed { mailbox: 0, uid: 5, flags }, true)],
        validities: journal().validities,
    }
}

#[test]
fn what_was_acknowledged_by_then_must_be_there_and_what_was_in_doubt_may_be() {
    let (journal, nothing) = (journal(), Vec::<String>::new());
    for (letters, flags, at) in
        [(&[1][..], 0, 120), (&[1], 0, 160), (&[1, 2], 4, 160), (&[1, 2], 0, 160), (&[1, 2], 4, 200)]
    {
        assert_eq!(journal.check(&found(letters, flags), at), nothing, "{letters:?} {flags} {at}");
    }
    assert_eq!(journal.last_confirmed(), Some((150, 200)));
}

#[test]
fn a_flash_that_lost_doubled_or_changed_anything_is_found_wrong() {
    let changed = |change: fn(&mut Found)| {
        let mut flash = found(&[1, 2], 4);
        change(&mut flash);
        flash
    };
    for (flash, at, says) in [
        (found(&[], 0), 100, "letter 1 got its 250 and one@example.test lost it"),
        (found(&[1], 4), 200, "letter 2 got its 250"),
        (found(&[1, 2], 0), 200, "9 was Some"),
        (found(&[1, 2], 4), 150, "letter 2 of one@example.test was not sent yet"),
        (found(&[1, 1], 4), 160, "letter 1 is there 2 times"),
        (found(&[2, 1], 4), 200, "was seen, and now"),
        (found(&[1, 2, 3], 4), 200, "letter 3 of two@example.test was not sent"),
        (changed(|flash| flash.inboxes[1].truncate(1)), 160, "letter 2 is in one of its two mailboxes"),
        (changed(|flash| flash.inboxes[1][0].intact = false), 200, "is damaged"),
        (changed(|flash| flash.filed.push(flash.filed[0])), 200, "filed letter 9 is there twice"),
        (changed(|flash| flash.filed[0].1.uid = 6), 200, "filed letters"),
        (changed(|flash| flash.filed[0].2 = false), 200, "filed letter 9 is damaged"),
        (changed(|flash| flash.validities.clear()), 200, "UIDVALIDITY"),
    ] {
        let wrong = journal().check(&flash, at).join("\n");
        assert!(wrong.contains(says), "{says}: {wrong:?}");
    }
}

#[test]
fn a_journal_is_kept_as_text() {
    let mut journal = journal();
    journal.letters.insert(3, Letter { begun: 300, confirmed: None });
    journal.changes.push(Change { begun: 300, confirmed: None, number: 9, after: None });
    let printed = text::print(&FLASH, &journal);
    assert_eq!(text::parse(&printed), Some((FLASH, journal.clone())));
    assert_eq!(text::parse(&printed.replace("letter", "lettre")), None);
    journal.becomes_the_past();
    assert_eq!(journal.check(&found(&[1, 2], 4), 0), Vec::<String>::new());
}

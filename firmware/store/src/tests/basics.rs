//! Letters and their reading, one behaviour each, on a device that does what it should.

use alloc::vec::Vec;

use flash::Direct;
use flash::simulator::{Deferred, Simulator};
use mail::limits::HEAD_BYTES_MAX;
use mail::{Draft, Flags, Letter, Mail, MailboxId, Modseq, Refusal, Stop, Uid, UidSet, UnixTime, Unready};

use super::rig::*;
use super::world::dump;
use crate::format::header::{Head, Stream};
use crate::{FormatOptions, MountError, MountOptions, Store};

const SIZES: [(u64, usize); 5] = [(1, 100), (2, 600), (3, 20_000), (4, 200_000), (5, 60)];

#[test]
fn a_letter_comes_back_byte_for_byte() {
    let mut store = office(32);
    for (number, size) in SIZES {
        let bytes = text(number, size);
        let receipt = deliver(&mut store, &["alice@example.test"], &bytes).unwrap();
        let mailbox = inbox(&store, ALICE);
        let uid = receipt.destination.first().unwrap();
        assert_eq!(uid, Uid(number as u32));
        assert_eq!(receipt.uid_validity, store.status(mailbox).unwrap().uid_validity);
        assert_eq!(read(&mut store, mailbox, uid), Ok(bytes.clone()));
        let record = store.record(mailbox, uid).unwrap();
        assert!(bytes.starts_with(record.head) && record.head.ends_with(b"\r\n\r\n"));
        assert_eq!(record.summary, b"summary");
        let message = store.message(mailbox, uid).unwrap();
        assert_eq!((message.size, message.received), (bytes.len() as u64, UnixTime(1_234_567_890)));
        assert_eq!((message.zone_minutes, message.flags), (540, Flags::NONE));
        assert!(message.modseq > Modseq(0));
    }
}

#[test]
fn everything_is_there_after_a_clean_end_and_after_a_crash() {
    let mut store = office(32);
    for (number, size) in SIZES {
        deliver(&mut store, &["alice@example.test", "bob@example.test"], &text(number, size)).unwrap();
    }
    let state = dump(&mut store);
    let mut store = mount(close(store)).unwrap();
    assert!(store.mount_report().clean);
    assert_eq!(store.mount_report().newest, Some(UnixTime(1_000_000_000)));
    assert_eq!(dump(&mut store), state);
    let mut store = mount(store.into_queue().into_device()).unwrap();
    assert!(store.mount_report().clean, "nothing was programmed since");
    deliver(&mut store, &["alice@example.test"], &text(6, 500)).unwrap();
    let state = dump(&mut store);
    let before = store.status(inbox(&store, ALICE)).unwrap().highest_modseq;
    let mut store = mount(store.into_queue().into_device()).unwrap();
    assert!(!store.mount_report().clean);
    assert_eq!(dump(&mut store), state);
    deliver(&mut store, &["alice@example.test"], &text(7, 500)).unwrap();
    let after = store.status(inbox(&store, ALICE)).unwrap().highest_modseq;
    assert!(after.0 >= before.0 + (1 << 20), "MODSEQ jumps at an unclean mount");
}

#[test]
fn a_letter_is_read_from_any_place() {
    let mut store = office(32);
    let bytes = text(9, 150_000);
    deliver(&mut store, &["alice@example.test"], &bytes).unwrap();
    let mailbox = inbox(&store, ALICE);
    let content = store.open(mailbox, Uid(1)).unwrap();
    assert_eq!(content.size(), 150_000);
    for offset in [0, 10, 40, 30_000, 65_000, 149_999] {
        for max in [1, 7, 70_000, 1 << 20] {
            let mut out = b"before".to_vec();
            let count = store.read(&content, offset, max, &mut out).unwrap();
            assert!(count >= 1 && count <= max);
            let at = offset as usize;
            assert_eq!(&out[6..], &bytes[at..at + count]);
        }
    }
    let mut out = Vec::new();
    assert_eq!(store.read(&content, 150_000, 10, &mut out), Ok(0));
    assert_eq!(store.read(&content, 0, 0, &mut out), Ok(0));
    assert_eq!(store.read(&content, u64::MAX, 10, &mut out), Ok(0));
}

/// (letter, where its head ends)
fn heads() -> Vec<(Vec<u8>, usize)> {
    let long = [b"X: ".to_vec(), [b'x'; 20_000].to_vec(), b"\r\n\r\nbody".to_vec()].concat();
    let exact = [b"X: ".to_vec(), [b'x'; HEAD_BYTES_MAX - 7].to_vec(), b"\r\n\r\nbody".to_vec()].concat();
    alloc::vec![
        (b"A: b\r\n\r\nbody".to_vec(), 8),
        (b"A: b\n\nbody".to_vec(), 6),
        (b"A: b\r\n\nbody".to_vec(), 7),
        (b"\r\nbody".to_vec(), 2),
        (b"\nbody".to_vec(), 1),
        (b"A: b\r\n\r\n".to_vec(), 8),
        (b"A: b\r\n".to_vec(), 6),
        (b"A: b".to_vec(), 4),
        (b"A: b\r\n\r\r\nstill head\r\n\r\n".to_vec(), 23),
        (long, HEAD_BYTES_MAX),
        (exact, HEAD_BYTES_MAX),
    ]
}

#[test]
fn the_header_block_ends_with_the_empty_line_however_it_is_cut() {
    let mut store = office(32);
    let mailbox = inbox(&store, ALICE);
    for (bytes, head) in heads() {
        for step in [1, 3, bytes.len()] {
            let draft = store.draft(None).unwrap();
            store.add_mailbox(&draft, mailbox, Flags::NONE).unwrap();
            for piece in bytes.chunks(step) {
                stream(&mut store, &draft, piece).unwrap();
            }
            let ticket = deposit(&mut store, &draft).unwrap();
            let uid = wait(&mut store, Ok(ticket)).unwrap().destination.first().unwrap();
            assert_eq!(store.record(mailbox, uid).unwrap().head, &bytes[..head]);
            assert_eq!(read(&mut store, mailbox, uid).as_ref(), Ok(&bytes));
        }
    }
}

#[test]
fn an_empty_letter_is_a_letter() {
    let mut store = office(32);
    let mailbox = inbox(&store, ALICE);
    append(&mut store, mailbox, Flags::DRAFT, b"").unwrap();
    assert_eq!(read(&mut store, mailbox, Uid(1)), Ok(Vec::new()));
    assert_eq!(store.message(mailbox, Uid(1)).unwrap().flags, Flags::DRAFT);
}

#[test]
fn dates_and_zones_of_any_kind_are_kept() {
    let mut store = office(32);
    let mailbox = inbox(&store, ALICE);
    let dates = [
        (i64::MIN, -720),
        (-1, 840),
        (0, 0),
        (u32::MAX.into(), 1),
        (253_402_300_799, i16::MAX),
        (1, i16::MIN),
    ];
    for (received, zone_minutes) in dates {
        let draft = store.draft(None).unwrap();
        store.add_mailbox(&draft, mailbox, Flags::NONE).unwrap();
        let letter = Letter { received: UnixTime(received), zone_minutes, summary: b"" };
        let ticket = store.deposit(&draft, &letter);
        wait(&mut store, ticket).unwrap();
    }
    let again = mount(close(store)).unwrap();
    for (uid, (received, zone_minutes)) in (1..).zip(dates) {
        let message = again.message(mailbox, Uid(uid)).unwrap();
        assert_eq!((message.received, message.zone_minutes), (UnixTime(received), zone_minutes));
    }
}

#[test]
fn what_is_held_open_can_be_read_after_it_is_expunged() {
    let mut store = office(32);
    let mailbox = inbox(&store, ALICE);
    let bytes = text(1, 90_000);
    deliver(&mut store, &["alice@example.test"], &bytes).unwrap();
    let content = store.open(mailbox, Uid(1)).unwrap();
    let ticket = store.expunge(mailbox, &uid_set(&[1]));
    wait(&mut store, ticket).unwrap();
    assert_eq!(store.open(mailbox, Uid(1)).err(), Some(Unready::Gone));
    assert_eq!(store.record(mailbox, Uid(1)).err(), Some(Unready::Gone));
    let mut out = Vec::new();
    while out.len() < bytes.len() {
        store.read(&content, out.len() as u64, 1 << 20, &mut out).unwrap();
    }
    assert_eq!(out, bytes);
}

#[test]
fn nothing_is_visible_before_its_barrier_has_ended() {
    let queue = Deferred::new(office(32).into_queue().into_device(), 1 << 20);
    let mut store = Store::mount(queue, MountOptions::default()).unwrap();
    assert!(!store.is_ready());
    store.queue().run_all();
    store.settle();
    assert!(store.is_ready());
    let mailbox = inbox(&store, ALICE);
    let ticket = send(&mut store, &["alice@example.test"], b"A: b\r\n\r\n").unwrap();
    let soon = store.create_mailbox(ALICE, &name("New"), None).unwrap();
    // The life's anchor, then the group.
    for _ in 0..2 {
        assert!(store.waiting() > 0);
        store.flush();
        store.settle();
        assert!(store.barrier_in_flight());
        assert_eq!((ticket.is_settled(), soon.is_settled()), (false, false));
        assert_eq!(store.status(mailbox).unwrap().messages, 0);
        assert_eq!(store.mailbox(ALICE, &name("New")), None);
        store.queue().run_all();
        if !ticket.is_settled() {
            assert_eq!(store.status(mailbox).unwrap().messages, 0);
        }
        let settled = store.settle();
        assert!(settled.barrier_ended);
        assert_eq!(settled.changed.contains(&mailbox), ticket.is_settled());
    }
    assert!(ticket.is_settled() && soon.is_settled());
    assert_eq!(store.status(mailbox).unwrap().messages, 1);
    assert!(store.mailbox(ALICE, &name("New")).is_some());
    assert!(!store.needs_flush());
}

#[test]
fn all_who_wait_share_one_barrier() {
    let mut store = office(32);
    let before = store.queue().device().counts().barriers;
    let tickets: Vec<_> = (0..20)
        .map(|number| send(&mut store, &["alice@example.test"], &text(number, 700)).unwrap())
        .collect();
    assert_eq!(store.waiting(), 20);
    assert_eq!(store.flush(), 20);
    store.settle();
    assert!(tickets.iter().all(mail::Ticket::is_settled));
    assert_eq!(store.queue().device().counts().barriers - before, 1);
}

#[test]
fn what_is_cold_is_said_and_read_once_it_is_warm() {
    let mut device = office(32);
    let bytes = text(3, 100_000);
    deliver(&mut device, &["alice@example.test"], &bytes).unwrap();
    let mut queue = Deferred::new(close(device), 1 << 20);
    queue.chill();
    let mut store = Store::mount(queue, MountOptions::default()).unwrap();
    store.queue().run_all();
    store.settle();
    let mailbox = inbox(&store, ALICE);
    let mut rounds = 0;
    let content = loop {
        match store.open(mailbox, Uid(1)) {
            Ok(content) => break content,
            Err(Unready::Cold(cold)) => store.queue().warm(cold.offset, cold.len.into()),
            Err(error) => panic!("{error:?}"),
        }
        rounds += 1;
        assert!(rounds < 5);
    };
    let mut out = Vec::new();
    while out.len() < bytes.len() {
        match store.read(&content, out.len() as u64, 1 << 20, &mut out) {
            Ok(count) => assert!(count > 0),
            Err(Unready::Cold(cold)) => store.queue().warm(cold.offset, cold.len.into()),
            Err(error) => panic!("{error:?}"),
        }
        rounds += 1;
        assert!(rounds < 50);
    }
    assert_eq!(out, bytes);
}

#[test]
fn listing_touches_no_body() {
    let mut store = office(32);
    for number in 0..30 {
        deliver(&mut store, &["alice@example.test"], &text(number, 20_000)).unwrap();
    }
    let mailbox = inbox(&store, ALICE);
    list(&mut store, mailbox, 30);
    // What has been moved is listed without bodies too.
    store.checkpoints.wanted = true;
    pump(&mut store);
    while store.segments.of(Head::Body(Stream::Commits)).count() == 0 {
        store.empty_some(0);
        pump(&mut store);
    }
    list(&mut store, mailbox, 30);
}

/// Lists a mailbox and counts what that reads.
fn list(store: &mut SimStore, mailbox: MailboxId, expected: u32) {
    let before = store.queue().device().counts();
    let mut next = store.next_message(mailbox, Uid(1));
    let mut count = 0;
    while let Some(message) = next {
        assert!(store.record(mailbox, message.uid).unwrap().head.starts_with(b"Subject: "));
        count += 1;
        next = store.next_message(mailbox, Uid(message.uid.0 + 1));
    }
    let after = store.queue().device().counts();
    assert_eq!(count, expected);
    assert!(after.bytes_read - before.bytes_read < 150_000, "far less than the 600,000 bytes of bodies");
    assert!(after.reads - before.reads < 20, "consecutive records share a read");
}

#[test]
fn mounting_says_what_is_wrong_with_a_device() {
    let mount = |device| Store::mount(Direct::new(device), MountOptions::default()).map(|_| ());
    assert_eq!(mount(Simulator::new(geometry(16))), Err(MountError::NotAStore));
    assert_eq!(mount(Simulator::noise(geometry(16), 3)), Err(MountError::NotAStore));
    let tiny = Direct::new(Simulator::new(geometry(4)));
    assert_eq!(Store::format(tiny, &OPTIONS).map(|_| ()).err(), Some(MountError::TooSmall));
    for error in [
        MountError::NotAStore,
        MountError::Newer { version: 9 },
        MountError::Older { version: 1 },
        MountError::CutShort { store: 2, device: 1 },
        MountError::OtherGeometry,
        MountError::TooSmall,
        MountError::Device(flash::Fault::Io),
    ] {
        assert!(alloc::format!("{error}").len() > 20);
    }
}

/// Copies a device byte for byte to one of other measures.
fn moved(mut from: Simulator, geometry: flash::Geometry) -> Simulator {
    use flash::Flash as _;
    let mut to = Simulator::new(geometry);
    let len = from.geometry().capacity.min(geometry.capacity);
    let mut bytes = alloc::vec![0; 4096];
    for offset in (0..len).step_by(4096) {
        from.read(offset, &mut bytes).unwrap();
        to.program(offset, &bytes).unwrap();
    }
    to.barrier().unwrap();
    to
}

#[test]
fn a_device_cut_short_is_refused_and_one_that_has_grown_is_used() {
    let mut store = office(32);
    deliver(&mut store, &["alice@example.test"], &text(1, 900)).unwrap();
    let capacity = store.statistics().capacity;
    let device = close(store);
    let short = moved(device.clone(), geometry(20));
    let refused = Store::mount(Direct::new(short), MountOptions::default()).map(|_| ());
    let geometry_of = |segments| geometry(segments).capacity;
    assert_eq!(refused, Err(MountError::CutShort { store: geometry_of(32), device: geometry_of(20) }));
    let mut grown = mount(moved(device.clone(), geometry(50))).unwrap();
    assert!(grown.statistics().capacity > capacity);
    let mailbox = inbox(&grown, ALICE);
    assert_eq!(read(&mut grown, mailbox, Uid(1)), Ok(text(1, 900)));
    let other = flash::Geometry { write_size: 1024, ..geometry(32) };
    let refused = Store::mount(Direct::new(moved(device, other)), MountOptions::default()).map(|_| ());
    assert_eq!(refused, Err(MountError::OtherGeometry));
}

#[test]
fn a_store_of_another_version_is_left_alone() {
    assert_eq!(refused(4), Err(MountError::Older { version: 4 }));
    assert_eq!(refused(7), Err(MountError::Newer { version: 7 }));
}

fn refused(version: u16) -> Result<(), MountError> {
    use flash::Flash as _;
    let mut device = close(office(32));
    let mut newer = Simulator::new(geometry(32));
    for place in crate::layout::Layout::anchor_places(geometry(32)) {
        let mut bytes = [0; 256];
        device.read(place, &mut bytes).unwrap();
        if bytes.starts_with(b"Tegami\r\n") {
            bytes[12..14].copy_from_slice(&version.to_le_bytes());
            bytes[8..12].fill(0);
            let crc = crc32c::crc32c(&bytes);
            bytes[8..12].copy_from_slice(&crc.to_le_bytes());
            let mut unit = [0; 512];
            unit[..256].copy_from_slice(&bytes);
            newer.program(place, &unit).unwrap();
        }
    }
    Store::mount(Direct::new(newer), MountOptions::default()).map(|_| ())
}

#[test]
fn a_new_format_hides_the_old_store_and_counts_on_from_elsewhere() {
    let mut store = office(32);
    deliver(&mut store, &["alice@example.test"], &text(1, 900)).unwrap();
    let mailbox = inbox(&store, ALICE);
    let before = store.status(mailbox).unwrap().uid_validity;
    let queue = Direct::new(close(store));
    let options = FormatOptions { uuid: *b"another identity", ..OPTIONS };
    let mut store = Store::format(queue, &options).unwrap();
    pump(&mut store);
    assert_eq!(store.accounts().count(), 0);
    let mut store = mount(store.into_queue().into_device()).unwrap();
    assert_eq!((store.accounts().count(), store.statistics().letters), (0, 0));
    let ticket = store.put_domain("example.test");
    wait(&mut store, ticket).unwrap();
    account(&mut store, "alice@example.test", None);
    assert_ne!(store.status(MailboxId(1)).unwrap().uid_validity, before);
}

#[test]
fn a_tool_that_looks_programs_nothing() {
    let mut store = office(32);
    deliver(&mut store, &["alice@example.test"], &text(1, 900)).unwrap();
    let device = store.into_queue().into_device();
    let operations = device.operations();
    let mut store = Store::mount(Direct::new(device), MountOptions { read_only: true }).unwrap();
    pump(&mut store);
    let mailbox = inbox(&store, ALICE);
    assert!(store.is_ready() && store.is_read_only());
    assert_eq!(read(&mut store, mailbox, Uid(1)), Ok(text(1, 900)));
    assert_eq!(store.draft(None).err(), Some(Refusal::ReadOnly));
    let all = UidSet::range(Uid(1), Uid(9));
    let refused = store.set_flags(mailbox, &all, Flags::SEEN, Flags::NONE).err();
    assert_eq!(refused, Some(Stop::Refused(Refusal::ReadOnly)));
    assert_eq!(store.into_queue().into_device().operations(), operations);
}

#[test]
fn closing_ends_letters_and_refuses_changes() {
    let mut store = office(32);
    let draft: Draft = store.draft(None).unwrap();
    store.unmount();
    assert_eq!(store.append(&draft, b"x"), Err(Stop::Refused(Refusal::ReadOnly)));
    assert_eq!(store.draft(None).err(), Some(Refusal::ReadOnly));
    assert_eq!(store.drafts(), 0);
    pump(&mut store);
    assert!(store.is_unmounted());
}

//! The format: what is written is read back, byte layouts are what `FORMAT.md` says, and nothing else verifies.

use alloc::borrow::Cow;
use alloc::vec;
use alloc::vec::Vec;

use mail::{Uid, UidSet};
use proptest::prelude::*;

use super::anchor::{ANCHOR_BYTES, Anchor, Found};
use super::code::{Bytes, put, put_seq, take};
use super::frame::{self, FRAME_BYTES, Frame, Seed, kind};
use super::header::{HEADER_BYTES, Head, Header, PerStream, Stream};
use super::records::{
    Clean, Commit, CommitView, Delivery, Extent, Group, Heal, put_commit, put_uids, uid_ranges,
};
use super::{Mark, Seal};

const UUID: [u8; 16] = *b"0123456789abcdef";

const SEAL: Seal = Seal { seq: 0x0102_0304, segment: 5, end: 0x600 };

const ANCHOR: Anchor = Anchor {
    uuid: UUID,
    life: 0x11,
    capacity: 0x2222_0000,
    segment_bytes: 0x10_0000,
    unit: 4096,
    seq_base: 0x33,
    resumed: true,
    meta: Some(SEAL),
    bodies: PerStream { fresh: None, cold: Some(SEAL), commits: Some(SEAL) },
    root: Mark { seq: 0x55, offset: 0x66 },
    modseq_base: 0x44,
};

#[test]
fn an_anchor_stands_as_described() {
    let bytes = ANCHOR.to_bytes();
    assert_eq!(&bytes[..8], b"Tegami\r\n");
    assert_eq!((&bytes[12..14], bytes[14], &bytes[16..32]), (&[6, 0][..], 1, &UUID[..]));
    assert_eq!(
        (bytes[32], &bytes[40..44], &bytes[48..52]),
        (0x11, &[0, 0, 0x22, 0x22][..], &[0, 0, 0x10, 0][..])
    );
    assert_eq!((&bytes[52..54], bytes[56]), (&[0, 0x10][..], 0x33));
    assert_eq!(&bytes[60..76], [1, 0, 0, 0, 4, 3, 2, 1, 5, 0, 0, 0, 0, 6, 0, 0]);
    assert_eq!((&bytes[76..92], bytes[92]), (&[0; 16][..], 0x44));
    assert_eq!((&bytes[100..116], bytes[116], bytes[120]), (&bytes[60..76], 0x55, 0x66));
    assert_eq!(&bytes[124..140], &bytes[60..76]);
    assert!(bytes[140..].iter().all(|byte| *byte == 0));
    assert_eq!(Anchor::parse(&bytes), Found::Anchor(ANCHOR));
    assert_eq!(ANCHOR.slot(), 1);
}

#[test]
fn an_anchor_with_any_bit_flipped_is_none() {
    for bit in 0..ANCHOR_BYTES * 8 {
        let mut bytes = ANCHOR.to_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Anchor::parse(&bytes), Found::Nothing, "bit {bit}");
    }
}

const HEADER: Header = Header {
    head: Head::Body(Stream::Fresh),
    seq: 7,
    erases: 3,
    life: 9,
    before: Some(SEAL),
    root: Mark { seq: 8, offset: 10 },
};

#[test]
fn a_header_stands_as_described_and_survives_a_flipped_bit() {
    let bytes = HEADER.to_bytes(&UUID, 12);
    assert_eq!((&bytes[..8], &bytes[12..16]), (&b"TgmSegm\n"[..], &[6, 0, 2, 0][..]));
    assert_eq!((&bytes[16..32], bytes[32], bytes[36], bytes[40], bytes[48]), (&UUID[..], 7, 12, 9, 3));
    assert_eq!(&bytes[52..68], [1, 0, 0, 0, 4, 3, 2, 1, 5, 0, 0, 0, 0, 6, 0, 0]);
    assert_eq!((bytes[68], bytes[72]), (8, 10));
    assert_eq!(bytes[..128], bytes[128..]);
    for bit in 0..HEADER_BYTES * 8 {
        let mut bytes = bytes;
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(Header::parse(&bytes, &UUID, 12), Some(HEADER));
        bytes[(bit / 8 + 128) % 256] ^= 1;
        assert_eq!(Header::parse(&bytes, &UUID, 12), None);
    }
    assert_eq!(Header::parse(&bytes, &UUID, 13), None, "another segment's");
    assert_eq!(Header::parse(&bytes, b"another identity", 12), None, "another store's");
    assert_eq!(Header::parse(&bytes[..100], &UUID, 12), None);
}

/// A frame of kind FLAGS around `payload`.
fn framed(seed: Seed, offset: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let start = frame::open(&mut bytes);
    bytes.extend_from_slice(payload);
    frame::close(&mut bytes, start, kind::FLAGS);
    frame::seal(seed, offset, &mut bytes[..FRAME_BYTES + payload.len()]);
    bytes
}

#[test]
fn a_frame_verifies_in_its_place_and_life_alone() {
    let seed = Seed::new(&UUID, 5);
    let bytes = framed(seed, 64, b"payload");
    assert_eq!((bytes.len(), &bytes[4..16]), (24, &[7, 0, 0, 0, kind::FLAGS, 1, 0, 0, 7, 0, 0, 0][..]));
    let frame = Frame::parse(&bytes).unwrap();
    assert_eq!((frame.len, frame.kind, frame.bytes(), frame.span()), (7, kind::FLAGS, 23, 24));
    let whole = &bytes[..23];
    assert!(frame::verifies(seed, 64, whole));
    assert!(!frame::verifies(seed, 72, whole), "another place");
    assert!(!frame::verifies(Seed::new(&UUID, 6), 64, whole), "another life of the segment");
    assert!(!frame::verifies(Seed::new(b"another identity", 5), 64, whole), "another store");
    for bit in 0..whole.len() * 8 {
        let mut flipped = whole.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(!frame::verifies(seed, 64, &flipped), "bit {bit}");
    }
    for cut in 0..23 {
        assert!(!frame::verifies(seed, 64, &whole[..cut]));
    }
}

#[test]
fn bytes_that_are_no_frame_are_not_taken_for_one() {
    let good = Frame::raw(kind::COMMIT, 5).to_bytes();
    assert!(Frame::parse(&good).is_some());
    for (at, value) in [(8, 0), (8, 200), (9, 2), (10, 1), (11, 1), (12, 6)] {
        let mut bytes = good;
        bytes[at] = value;
        assert_eq!(Frame::parse(&bytes), None, "byte {at}");
    }
    assert_eq!(Frame::parse(&good[..15]), None);
    assert_eq!(Frame::parse(&[0; 16]), None, "padding");
}

#[test]
fn records_are_read_back() {
    let group = Group {
        number: u64::MAX,
        life: 2,
        time: -3,
        meta: Mark { seq: 4, offset: 5 },
        bodies: PerStream {
            fresh: Mark { seq: u32::MAX, offset: 6 },
            cold: Mark::default(),
            commits: Mark { seq: 1, offset: 9 },
        },
        root: Mark { seq: 3, offset: 11 },
        records: 7,
        bytes: 8,
        programmed: 9,
        mail: 10,
        touched: Some(Cow::Borrowed(&[1, 300, 70_000])),
    };
    let mut bytes = Vec::new();
    put(&mut bytes, &group).unwrap();
    assert_eq!(take::<Group<'_>>(&mut &*bytes), Some(group));
    let bodies = PerStream { fresh: Some(Mark { seq: 1, offset: 2 }), cold: None, commits: None };
    let clean = Clean { life: 3, bodies };
    let heal = Heal { at: Mark::default(), uid_validity: 4, below: 5, mailboxes: Some(vec![1, 2]) };
    let mut bytes = Vec::new();
    put(&mut bytes, &clean).unwrap();
    put(&mut bytes, &heal).unwrap();
    let mut rest = &*bytes;
    assert_eq!((take::<Clean>(&mut rest), take::<Heal>(&mut rest)), (Some(clean), Some(heal)));
    assert!(rest.is_empty());
}

#[test]
fn a_commit_is_read_back_whole_and_never_in_parts() {
    let commit = Commit {
        letter: 1,
        modseq: 2,
        received: -4,
        zone: -570,
        size: 6,
        crc: 7,
        head: Bytes(b"head"),
        summary: Bytes(b"summary"),
    };
    let deliveries = [(1, 2, 3, 4), (5, 6, u32::MAX, u64::MAX)]
        .map(|(account, mailbox, uid, flags)| Delivery { account, mailbox, uid, flags });
    let extent = |seq, offset, len| Extent { seq, offset, len, original: len };
    let extents = [extent(9, 256, 1000), extent(9, 1272, 5), extent(9, 4096, 65_536), extent(12, 256, 1)];
    let mut bytes = Vec::new();
    put_commit(&mut bytes, &commit, deliveries.into_iter(), &extents).unwrap();
    let view = CommitView::parse(&bytes).unwrap();
    assert_eq!(view.commit, commit);
    assert!(view.deliveries().eq(deliveries));
    assert!(view.extents().eq(extents));
    for cut in 0..bytes.len() - 1 {
        let parsed = CommitView::parse(&bytes[..cut]);
        assert!(parsed.is_none_or(|view| view.extents().count() < 4), "cut at {cut}");
    }
}

#[test]
fn adjacent_extents_cost_few_bytes() {
    let extent =
        |number: u32| Extent { seq: 3, offset: 256 + number * 65_552, len: 65_536, original: 65_536 };
    let extents: Vec<Extent> = (0..100).map(extent).collect();
    let mut bytes = Vec::new();
    let commit = Commit {
        letter: 0,
        modseq: 0,
        received: 0,
        zone: 0,
        size: 0,
        crc: 0,
        head: Bytes(b""),
        summary: Bytes(b""),
    };
    put_commit(&mut bytes, &commit, core::iter::empty(), &extents).unwrap();
    assert!(bytes.len() < 100 * 7, "{}", bytes.len());
}

#[test]
fn sequences_end_where_their_bytes_do() {
    let mut bytes = Vec::new();
    put_seq(&mut bytes, [1_u32, 2, 3].into_iter()).unwrap();
    let items = super::code::Items::<u32>::new(&bytes).unwrap();
    assert!(items.eq([1, 2, 3]));
    let short = super::code::Items::<u32>::new(&bytes[..2]).unwrap();
    assert!(short.eq([1]));
    assert!(short.skip_all().is_none());
    let endless = [0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 1];
    assert_eq!(super::code::Items::<u32>::new(&endless).unwrap().count(), 1);
}

proptest! {
    #[test]
    fn sets_of_uids_are_read_back(members in prop::collection::btree_set(1..u32::MAX, 0..50), start in 1..1000_u32) {
        let set: UidSet = members.iter().map(|uid| Uid(*uid)).chain((0..5).map(|more| Uid(start + more))).fold(UidSet::new(), |mut set, uid| {
            set.insert(uid);
            set
        });
        let mut bytes = Vec::new();
        put_uids(&mut bytes, &set).unwrap();
        prop_assert!(uid_ranges(&bytes).eq(set.ranges()));
    }

    #[test]
    fn any_bytes_decode_or_not_but_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = CommitView::parse(&bytes).map(|view| (view.deliveries().count(), view.extents().count()));
        let _ = uid_ranges(&bytes).count();
        let _ = Frame::parse(&bytes);
        let _ = Header::parse(&bytes, &UUID, 1);
        let _ = take::<Group<'_>>(&mut &*bytes);
    }
}

//! One behaviour each, on a device that does what it should.

use alloc::vec::Vec;

use mail::{Flags, Mail, Modseq, Refusal, Stop, Uid, UnixTime};

use super::rig::*;

#[test]
fn a_letter_comes_back_byte_for_byte() {
    let mut store = office(32);
    for (number, size) in [(1, 100), (2, 600), (3, 20_000), (4, 200_000), (5, 60)] {
        let bytes = text(number, size);
        let receipt = deliver(&mut store, &["alice@example.test"], &bytes).unwrap();
        let mailbox = inbox(&store, ALICE);
        let uid = receipt.destination.first().unwrap();
        assert_eq!(uid, Uid(number as u32));
        assert_eq!(receipt.uid_validity, store.status(mailbox).unwrap().uid_validity);
        assert_eq!(read(&mut store, mailbox, uid), Ok(bytes.clone()));
        let record = store.record(mailbox, uid).unwrap();
        assert!(bytes.starts_with(record.head));
        assert!(record.head.ends_with(b"\r\n\r\n"));
        assert_eq!(record.summary, b"summary");
        let message = store.message(mailbox, uid).unwrap();
        assert_eq!((message.size, message.received), (bytes.len() as u64, UnixTime(1_234_567_890)));
        assert_eq!((message.zone_minutes, message.flags), (540, Flags::NONE));
        assert!(message.modseq > Modseq(0));
    }
    let mut store = mount(close(store)).unwrap();
    assert!(store.mount_report().clean);
    let mailbox = inbox(&store, ALICE);
    assert_eq!(store.status(mailbox).unwrap().messages, 5);
    for (number, size) in [(1, 100), (2, 600), (3, 20_000), (4, 200_000), (5, 60)] {
        assert_eq!(read(&mut store, mailbox, Uid(number as u32)), Ok(text(number, size)));
    }
}

//! Looking a store over: whole letters pass, and each kind of damage is told from the others.

use alloc::vec;

use flash::simulator::Simulator;
use flash::{Direct, Flash};
use mail::{Flags, Mail, MailboxId, Uid, Unready};

use super::rig::*;
use crate::{CheckError, Fingerprint, LetterFault, MountOptions, Store};

/// A body of several extents, so that there is a middle.
const SIZE: usize = 200_000;

fn furnished() -> Simulator {
    let mut store = office(64);
    deliver(&mut store, &["alice@example.test", "bob@example.test"], &text(1, SIZE)).unwrap();
    deliver(&mut store, &["alice@example.test"], &text(2, 900)).unwrap();
    let (from, to) = (inbox(&store, ALICE), folder(&store, ALICE, "Archive"));
    let copied = store.copy(from, &uid_set(&[1]), to);
    wait(&mut store, copied).unwrap();
    close(store)
}

/// Damages the first place of the device that reads like `bytes`.
fn spoil(device: &mut Simulator, bytes: &[u8]) {
    let mut content = vec![0; device.geometry().capacity as usize];
    device.read(0, &mut content).unwrap();
    let at = content.windows(bytes.len()).position(|window| window == bytes).unwrap() as u64;
    device.damage(at..at + 1).unwrap();
}

/// A store damaged at `bytes`, mounted to be looked at.
fn spoilt(bytes: &[u8]) -> SimStore {
    let mut device = furnished();
    spoil(&mut device, bytes);
    look_at(device)
}

fn look_at(device: Simulator) -> SimStore {
    Store::mount(Direct::new(device), MountOptions { read_only: true }).unwrap()
}

fn check(store: &mut SimStore, mailbox: MailboxId, uid: u32) -> Result<Fingerprint, CheckError> {
    store.check_letter(mailbox, Uid(uid))
}

#[test]
fn whole_letters_are_whole_and_known_by_what_they_are() {
    let mut store = look_at(furnished());
    let (alice, bob) = (inbox(&store, ALICE), inbox(&store, BOB));
    let right = Fingerprint { size: SIZE as u64, crc: crc32c::crc32c(&text(1, SIZE)) };
    assert_eq!(check(&mut store, alice, 1), Ok(right));
    assert_eq!(store.fingerprint(bob, Uid(1)), Ok(right));
    let archive = folder(&store, ALICE, "Archive");
    let one = store.stored_letter(alice, Uid(1)).unwrap();
    assert_eq!(store.stored_letter(archive, Uid(1)), Some(one));
    assert_eq!(store.stored_letter(bob, Uid(1)), Some(one));
    assert_ne!(store.stored_letter(alice, Uid(2)), Some(one));
    assert_eq!(check(&mut store, alice, 9), Err(CheckError::Unready(Unready::Gone)));
}

#[test]
fn a_damaged_body_is_told_with_the_byte_from_which_on_it_is() {
    let letter = text(1, SIZE);
    let mut store = spoilt(&letter[150_000..150_020]);
    let (alice, bob) = (inbox(&store, ALICE), inbox(&store, BOB));
    let Err(CheckError::Damaged(LetterFault::Body(from))) = check(&mut store, alice, 1) else {
        panic!("not seen");
    };
    assert!((1..=150_000).contains(&from), "{from}");
    assert_eq!(check(&mut store, bob, 1), Err(CheckError::Damaged(LetterFault::Body(from))));
    assert!(check(&mut store, alice, 2).is_ok());
    assert_eq!(store.damaged_places().count(), 1);
}

#[test]
fn a_damaged_commit_is_told_from_a_damaged_body() {
    let mut store = look_at(furnished());
    let alice = inbox(&store, ALICE);
    // Mounted while it was whole; the flash forgets afterwards.
    spoil(store.queue().device(), b"Subject: letter 2\r\n");
    assert_eq!(check(&mut store, alice, 2), Err(CheckError::Damaged(LetterFault::Commit)));
    assert!(check(&mut store, alice, 1).is_ok());
    assert_eq!(store.message(alice, Uid(2)).map(|message| message.flags), Some(Flags::NONE));
}

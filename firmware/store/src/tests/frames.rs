//! Bodies that are stored in less space than they take: read from anywhere, moved, counted as the user sees them.

use alloc::string::String;
use alloc::vec::Vec;

use mail::Mail;

use super::recount::recount;
use super::rig::*;
use super::world::dump;

/// A letter of text and an attachment in base64, about `size` bytes.
fn mixed(number: u64, size: usize) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut letter = alloc::format!("Subject: letter {number}\r\nMIME-Version: 1.0\r\n\r\n--b\r\n\r\n");
    while letter.len() < size / 3 {
        letter.push_str(
            "With kind regards, and thank you for your letter of yesterday about the delivery.\r\n",
        );
    }
    letter.push_str("--b\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    let noise = text(number, size);
    let characters = noise
        .iter()
        .enumerate()
        .map(|(at, byte)| char::from(ALPHABET[(usize::from(*byte) * 31 + at * at) % 64]));
    let characters: String = characters.take((size - letter.len().min(size)) / 4 * 4).collect();
    for line in characters.as_bytes().chunks(76) {
        letter.push_str(core::str::from_utf8(line).unwrap());
        letter.push_str("\r\n");
    }
    letter.push_str("--b--\r\n");
    letter.into_bytes()
}

fn stored(store: &SimStore) -> u64 {
    store.segments.in_use().iter().map(|(_, index)| u64::from(store.segments.live(*index))).sum()
}

#[test]
fn letters_take_less_space_than_they_have_bytes_and_come_back_as_they_were() {
    let kept = |compact: bool| {
        let mut store = office(100);
        store.set_compact(compact);
        let before = stored(&store);
        let letters: Vec<Vec<u8>> =
            (0..12).map(|number| mixed(number, 500 + 12_000 * number as usize)).collect();
        for letter in &letters {
            deliver(&mut store, &["alice@example.test", "bob@example.test"], letter).unwrap();
        }
        let bytes: u64 = letters.iter().map(|letter| letter.len() as u64).sum();
        assert_eq!(store.quota(ALICE).used, bytes, "quotas count what the user sees");
        let mailbox = inbox(&store, ALICE);
        for (uid, letter) in store.uids(mailbox).iter().collect::<Vec<_>>().into_iter().zip(&letters) {
            assert_eq!(&read(&mut store, mailbox, uid).unwrap(), letter);
            let content = store.open(mailbox, uid).unwrap();
            for at in [0, 1, letter.len() / 3, letter.len() / 2, letter.len() * 9 / 10, letter.len() - 1] {
                let mut piece = Vec::new();
                let count = store.read(&content, at as u64, 100, &mut piece).unwrap();
                assert!(count > 0 && letter[at..].starts_with(&piece), "from {at} of {}", letter.len());
            }
        }
        recount(&store);
        (stored(&store) - before, bytes, store)
    };
    let (raw, bytes, _) = kept(false);
    let (compact, _, mut store) = kept(true);
    assert!(raw >= bytes * 9 / 10, "{raw} of {bytes}");
    assert!(compact * 10 < raw * 7, "{compact} for {raw}");
    let state = dump(&mut store);
    for which in 0..12 {
        store.empty_some(which * 7);
        pump(&mut store);
        assert_eq!(dump(&mut store), state, "moved as they are stored");
        recount(&store);
    }
    let mut store = mount(close(store)).unwrap();
    assert_eq!((dump(&mut store), store.statistics().damage), (state, 0));
    recount(&store);
}

//! Counts again what lives in each segment, from everything that refers to one: the running count must be the same.

use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;

use super::rig::SimStore;

/// Panics when the running count is not what is counted now.
pub(super) fn recount(store: &SimStore) {
    let mut counted: Vec<(u32, u32)> = vec![(0, 0); store.layout.segments as usize];
    let mut keep = |segment: u32, bytes: u32| {
        counted[segment as usize].0 += 1;
        counted[segment as usize].1 += bytes;
    };
    for page in store.state.letters.pages() {
        for (_, letter) in page.get().iter() {
            keep(letter.place.segment, letter.meta_bytes);
            letter.body.parts().for_each(|(segment, bytes)| keep(segment, bytes));
        }
        page.homes().for_each(|home| keep(home.segment, home.span));
    }
    for page in store.state.deletions.pages() {
        page.homes().for_each(|home| keep(home.segment, home.span));
    }
    for mailbox in store.state.mailboxes.values() {
        mailbox.entries.homes().for_each(|home| keep(home.segment, home.span));
    }
    store.checkpoints.all_tables().for_each(|home| keep(home.segment, home.span));
    for (index, (holders, live)) in (0..).zip(counted) {
        let known = (store.segments.holders(index), store.segments.live(index));
        assert_eq!(known, (holders, live), "segment {index}: {:?}", store.segments.used(index));
    }
    let letters: usize = store.state.letters.pages().iter().map(|page| page.get().iter().count()).sum();
    assert_eq!(letters, store.state.letters.len());
    let messages = store.state.mailboxes.values().map(|mailbox| u64::from(mailbox.entries.len()));
    assert_eq!(messages.sum::<u64>(), store.state.messages);
    assert_eq!(store.state.letters.unreferred().count(), 0);
    recount_references(store);
}

/// The same for what refers to each letter, and for what nothing but deletions keeps.
fn recount_references(store: &SimStore) {
    let mut counted: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
    let messages = store.state.mailboxes.values().flat_map(|mailbox| mailbox.entries.iter());
    messages.for_each(|entry| counted.entry(entry.letter).or_default().0 += 1);
    let deletions = store.state.deletions.iter().map(|(_, deletion)| deletion);
    deletions.for_each(|deletion| counted.entry(deletion.letter).or_default().1 += 1);
    assert_eq!(store.state.deletions.iter().count() as u64, store.state.deletions.len());
    let (mut letters, mut bytes) = (0, 0);
    for (slot, (messages, deletions)) in &counted {
        let known = store.state.letters.references(*slot);
        assert_eq!((known.messages, known.deletions), (*messages, *deletions), "letter {slot}");
        if *messages == 0 {
            (letters, bytes) = (letters + 1, bytes + store.state.letters.get(*slot).unwrap().flash_bytes());
        }
    }
    let deleted = store.state.letters.deleted();
    assert_eq!((deleted.letters, deleted.bytes), (letters, bytes));
    assert_eq!(counted.len(), store.state.letters.len());
}

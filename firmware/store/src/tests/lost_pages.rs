//! Pages of a checkpoint that cannot be read any more: what nothing lists is listed again, where it was, also when the
//! power is cut in the midst of that.

use alloc::vec::Vec;

use flash::simulator::Simulator;
use mail::{AccountId, Mail, MailboxId};

use super::recount::recount;
use super::rig::*;
use crate::format::Place;
use crate::index::Home;

const ALICE_TO: &str = "alice@example.test";
const BOB_TO: &str = "bob@example.test";

fn checkpoint(store: &mut SimStore) {
    store.checkpoints.wanted = true;
    pump(store);
}

fn expunge(store: &mut SimStore, mailbox: MailboxId, uids: &[u32]) {
    let ticket = store.expunge(mailbox, &uid_set(uids));
    wait(store, ticket).unwrap();
}

/// Where the first page of a mailbox stands.
fn page_of(store: &SimStore, mailbox: MailboxId) -> Home {
    store.state.mailboxes[&mailbox.0].entries.pages()[0].home().unwrap()
}

/// Closes the store and makes pages unreadable, from their frames on.
fn lose(store: SimStore, homes: &[Home]) -> Simulator {
    let places = homes.iter().map(|home| Place { segment: home.segment, offset: home.offset });
    let addresses: Vec<u64> = places.map(|place| store.layout.address(place)).collect();
    let mut device = close(store);
    for at in addresses {
        device.damage(at..at + 20).unwrap();
    }
    device
}

fn deletions(store: &SimStore, account: AccountId) -> usize {
    store.deletions(account, None, 1_000).found.len()
}

fn messages(store: &SimStore, account: AccountId) -> u32 {
    store.status(inbox(store, account)).unwrap().messages
}

/// 24 letters in Alice's INBOX, 8 more that she deleted, in a checkpoint.
fn with_both() -> SimStore {
    let mut store = office(24);
    for number in 0..32 {
        deliver(&mut store, &[ALICE_TO], &text(number, 300)).unwrap();
    }
    let mailbox = inbox(&store, ALICE);
    expunge(&mut store, mailbox, &(9..=16).collect::<Vec<_>>());
    checkpoint(&mut store);
    store
}

/// The page stands in the stretch that is replayed, so its place is met twice: as a page, and as a gap in the log.
#[test]
fn a_page_whose_frame_is_lost_too_costs_no_letter() {
    let store = with_both();
    let before = store.status(inbox(&store, ALICE)).unwrap();
    let home = page_of(&store, inbox(&store, ALICE));
    let mut device = lose(store, &[home]);
    for round in 0..2 {
        let mut store = mount(device).unwrap();
        assert_eq!((messages(&store, ALICE), deletions(&store, ALICE)), (24, 8), "round {round}");
        assert!(store.status(inbox(&store, ALICE)).unwrap().uid_validity > before.uid_validity);
        recount(&store);
        deliver(&mut store, &[BOB_TO], &text(99, 300)).unwrap();
        device = close(store);
    }
}

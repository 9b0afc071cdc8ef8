//! Pages of a checkpoint that cannot be read any more: what nothing lists is listed again, where it was, also when the
//! power is cut in the midst of that.

use alloc::vec::Vec;

use flash::simulator::{Cut, Simulator};
use mail::{AccountId, Mail, MailboxId, Uid};

use super::recount::recount;
use super::rig::*;
use super::world::dump;
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

fn page_of_deletions(store: &SimStore) -> Home {
    store.state.deletions.pages()[0].home().unwrap()
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

/// 24 letters in Alice's INBOX, 64 more that she deleted, in a checkpoint: what lists them again takes several units.
fn with_both() -> SimStore {
    let mut store = office(24);
    for number in 0..88 {
        deliver(&mut store, &[ALICE_TO], &text(number, 300)).unwrap();
    }
    let mailbox = inbox(&store, ALICE);
    expunge(&mut store, mailbox, &(9..=72).collect::<Vec<_>>());
    checkpoint(&mut store);
    store
}

/// Where all pages stand.
fn all_homes(store: &SimStore) -> Vec<Home> {
    let letters = store.state.letters.pages().iter().flat_map(|page| page.homes());
    let deletions = store.state.deletions.pages().iter().flat_map(|page| page.homes());
    let entries = store.state.mailboxes.values().flat_map(|mailbox| mailbox.entries.homes());
    letters.chain(deletions).chain(entries).collect()
}

/// A page is lost, of letters, of a mailbox or of deletions: its copy serves, nothing is missing, and the next checkpoint
/// copies that.
#[test]
fn nothing_is_lost_with_a_page_that_has_been_copied() {
    let mut store = with_both();
    let mailbox = inbox(&store, ALICE);
    for topic in ["Lists", "Cars"] {
        let ticket = store.subscribe(ALICE, &name(topic), true);
        wait(&mut store, ticket).unwrap();
        checkpoint(&mut store);
    }
    let letters: Vec<Home> = store.state.letters.pages()[0].homes().collect();
    let entries: Vec<Home> = store.state.mailboxes[&mailbox.0].entries.pages()[0].homes().collect();
    let deletions: Vec<Home> = store.state.deletions.pages()[0].homes().collect();
    let state = dump(&mut store);
    let whole = close(store);
    for homes in [letters, entries, deletions] {
        assert_eq!(homes.len(), 2, "what has not changed is copied: {homes:?}");
        let device = lose(mount(whole.clone()).unwrap(), &homes[..1]);
        let mut store = mount(device).unwrap();
        assert!(dump(&mut store) == state && store.statistics().damage == 1, "{homes:?}");
        assert!(all_homes(&store).contains(&homes[1]), "until there is another checkpoint its segment stays");
        recount(&store);
        for topic in ["Birds", "Fish"] {
            let ticket = store.subscribe(ALICE, &name(topic), true);
            wait(&mut store, ticket).unwrap();
            checkpoint(&mut store);
        }
        let state = dump(&mut store);
        // The copy is where the page stands now, and has a copy itself.
        let mut again = mount(lose(store, &homes[1..])).unwrap();
        assert!(dump(&mut again) == state && again.statistics().damage == 1, "{homes:?}");
        recount(&again);
    }
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
        assert_eq!((messages(&store, ALICE), deletions(&store, ALICE)), (24, 64), "round {round}");
        assert!(store.status(inbox(&store, ALICE)).unwrap().uid_validity > before.uid_validity);
        recount(&store);
        deliver(&mut store, &[BOB_TO], &text(99, 300)).unwrap();
        device = close(store);
    }
}

/// The power is cut at every operation of the first change after the damage was found, and of what answers it.
fn cut_the_answer(device: &Simulator, check: impl Fn(&SimStore)) {
    let mut cuts = 0;
    for point in 0.. {
        for mode in [Cut::TornWord, Cut::TornSector, Cut::OutOfOrder, Cut::AllLost] {
            let mut cut = device.clone();
            cut.cut_after(point);
            let mut store = mount(cut).unwrap();
            check(&store);
            let _ = deliver(&mut store, &[BOB_TO], &text(99, 300));
            let mut cut = store.into_queue().into_device();
            if cut.is_powered() {
                assert!(cuts > 20, "{cuts}");
                return;
            }
            cut.power_on(mode, point);
            cuts += 1;
            let mut store = mount(cut).unwrap();
            check(&store);
            recount(&store);
            deliver(&mut store, &[BOB_TO], &text(98, 300)).unwrap();
            let store = mount(close(store)).unwrap();
            check(&store);
            recount(&store);
        }
    }
}

#[test]
fn a_cut_while_messages_are_listed_again_loses_none() {
    let store = with_both();
    let home = page_of(&store, inbox(&store, ALICE));
    cut_the_answer(&lose(store, &[home]), |store| {
        assert_eq!((messages(store, ALICE), deletions(store, ALICE)), (24, 64));
    });
}

#[test]
fn a_cut_while_deletions_are_listed_again_makes_no_messages_of_them() {
    let store = with_both();
    let home = page_of_deletions(&store);
    cut_the_answer(&lose(store, &[home]), |store| {
        assert_eq!((messages(store, ALICE), deletions(store, ALICE)), (24, 64));
    });
}

#[test]
fn a_cut_while_both_are_listed_again_loses_nothing() {
    let store = with_both();
    let homes = [page_of(&store, inbox(&store, ALICE)), page_of_deletions(&store)];
    cut_the_answer(&lose(store, &homes), |store| {
        // Which of them were deleted nobody knows then: messages are the safer mistake.
        assert_eq!((messages(store, ALICE), deletions(store, ALICE)), (88, 0));
    });
}

/// The page can be read again when its letters have been listed anew, as on a card that needs several tries: nothing is
/// there twice, and no UID that was seen is given to another letter.
#[test]
fn a_page_that_can_be_read_again_shows_nothing_twice() {
    let store = with_both();
    let (mailbox, deleted) = (page_of(&store, inbox(&store, ALICE)), page_of_deletions(&store));
    for homes in [alloc::vec![mailbox], alloc::vec![deleted], alloc::vec![mailbox, deleted]] {
        let all = mount(close(with_both())).unwrap();
        let addresses: Vec<u64> = homes
            .iter()
            .map(|home| all.layout.address(Place { segment: home.segment, offset: home.offset }))
            .collect();
        let device = lose(all, &homes);
        for point in 0.. {
            let mut cut = device.clone();
            cut.cut_after(point);
            let mut store = mount(cut).unwrap();
            let status = store.status(inbox(&store, ALICE)).unwrap();
            let _ = deliver(&mut store, &[BOB_TO], &text(99, 300));
            let mut cut = store.into_queue().into_device();
            if cut.is_powered() {
                break;
            }
            cut.power_on(Cut::AllKept, point);
            addresses.iter().for_each(|at| cut.damage(*at..*at + 20).unwrap());
            let mut store = mount(cut).unwrap();
            let known = (messages(&store, ALICE), deletions(&store, ALICE));
            assert!(known == (24, 64) || known == (88, 0) && homes.len() == 2, "{known:?} at {point}");
            recount(&store);
            let receipt = deliver(&mut store, &[ALICE_TO], &text(98, 300)).unwrap();
            if receipt.uid_validity == status.uid_validity {
                assert!(receipt.destination.first().unwrap() >= status.uid_next, "cut at {point}");
            }
        }
    }
}

/// A letter to several comes back to those who had it, not to one of them who had not.
#[test]
fn a_letter_to_several_comes_back_to_whoever_lost_the_page() {
    let mut store = office(24);
    for number in 0..6 {
        deliver(&mut store, &[ALICE_TO, BOB_TO], &text(number, 300)).unwrap();
    }
    let (alices, bobs) = (inbox(&store, ALICE), inbox(&store, BOB));
    expunge(&mut store, alices, &[1, 2, 3]);
    let numbers: Vec<u64> =
        store.deletions(ALICE, None, 9).found.iter().map(|deletion| deletion.number).collect();
    let ticket = store.delete_for_good(ALICE, &numbers);
    wait(&mut store, ticket).unwrap();
    expunge(&mut store, alices, &[4]);
    expunge(&mut store, bobs, &[4]);
    checkpoint(&mut store);
    let homes = [page_of(&store, bobs), page_of_deletions(&store)];
    let mut bob_lost = mount(lose(store, &homes[..1])).unwrap();
    // Alice has the last two, so the index knows no letter of those that is listed nowhere.
    assert_eq!((messages(&bob_lost, ALICE), messages(&bob_lost, BOB)), (2, 3));
    let back: Vec<Uid> = bob_lost.uids(bobs).iter().collect();
    assert_eq!(read(&mut bob_lost, bobs, back[0]).unwrap(), text(0, 300));
    recount(&bob_lost);
}

/// What two people deleted stays with both.
/// Nobody knows who had it already: a person decides whether it is sent (again).
#[test]
fn letters_of_a_lost_page_of_the_outbound_queue_come_back_held() {
    let mut store = office(24);
    let draft = store.draft(None).unwrap();
    for to in ["x@elsewhere.test", "y@elsewhere.test"] {
        store.add_recipient(&draft, &plain(to), mail::Outside::Anywhere).unwrap();
    }
    stream(&mut store, &draft, &text(1, 3_000)).unwrap();
    let ticket = deposit(&mut store, &draft).unwrap();
    wait(&mut store, Ok(ticket)).unwrap();
    let ticket = store.depart(&uid_set(&[1]));
    wait(&mut store, ticket).unwrap();
    checkpoint(&mut store);
    let page = page_of(&store, mail::OUTBOUND);
    let mut store = mount(lose(store, &[page])).unwrap();
    pump(&mut store);
    for _ in 0..2 {
        let uids: Vec<Uid> = store.uids(mail::OUTBOUND).iter().collect();
        let state =
            |uid: &Uid| mail::Outbound::from_flags(store.message(mail::OUTBOUND, *uid).unwrap().flags);
        let states: Vec<(bool, u16)> =
            uids.iter().map(state).map(|outbound| (outbound.held, outbound.recipient)).collect();
        assert_eq!(states, [(true, 0), (true, 1)]);
        assert!(uids.iter().all(|uid| uid.0 > 2), "numbers go up");
        let last = uids[1];
        assert_eq!(store.posting(last).unwrap().recipients.len(), 2);
        assert_eq!(read(&mut store, mail::OUTBOUND, last), Ok(text(1, 3_000)));
        store = mount(close(store)).unwrap();
    }
}

#[test]
fn a_lost_page_of_deletions_is_made_up_for_to_each_of_its_owners() {
    let mut store = office(24);
    for number in 0..6 {
        deliver(&mut store, &[ALICE_TO, BOB_TO], &text(number, 300)).unwrap();
    }
    for account in [ALICE, BOB] {
        let mailbox = inbox(&store, account);
        expunge(&mut store, mailbox, &[2, 3, 5]);
    }
    checkpoint(&mut store);
    let home = page_of_deletions(&store);
    let mut device = lose(store, &[home]);
    for _ in 0..2 {
        let mut store = mount(device).unwrap();
        for account in [ALICE, BOB] {
            assert_eq!((messages(&store, account), deletions(&store, account)), (3, 3));
        }
        recount(&store);
        pump(&mut store);
        device = close(store);
    }
}

/// Damage elsewhere in the log says nothing about what nobody lists.
#[test]
fn deleted_mail_does_not_come_back_because_something_else_is_damaged_too() {
    let mut store = with_both();
    for number in 90..94 {
        deliver(&mut store, &[ALICE_TO], &text(number, 300)).unwrap();
    }
    let place = store.state.letters.get(89).unwrap().place;
    let record = Home { segment: place.segment, offset: place.offset, span: 0 };
    let homes = [page_of_deletions(&store), record];
    let store = mount(lose(store, &homes)).unwrap();
    assert_eq!((messages(&store, ALICE), deletions(&store, ALICE)), (27, 64));
    recount(&store);
}

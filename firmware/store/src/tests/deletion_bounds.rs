//! What deletions cost: nothing is forgotten that gains nothing.

use mail::{Mail, Refusal, UidSet, UnixTime};

use super::recount::recount;
use super::rig::*;

const ALICE_TO: &str = "alice@example.test";
const BOB_TO: &str = "bob@example.test";

/// Bob keeps what Alice has deleted: a full store gains no room by forgetting that she had it.
#[test]
fn what_gains_no_space_is_not_forgotten_for_space() {
    let mut store = office(40);
    store.set_now(UnixTime(100 * 24 * 3600));
    store.trust_clock(true);
    let full = (0..1_000).find(|number| {
        let refused = deliver(&mut store, &[ALICE_TO, BOB_TO], &text(*number, 9_000)).err();
        assert!(refused.is_none_or(|refusal| refusal == Refusal::StoreFull));
        refused.is_some()
    });
    let mailbox = inbox(&store, ALICE);
    let ticket = store.expunge(mailbox, &UidSet::range(mail::Uid(1), mail::Uid(u32::MAX)));
    wait(&mut store, ticket).unwrap();
    for number in 2_000..2_003 {
        let refused = deliver(&mut store, &[BOB_TO], &text(number, 60_000));
        assert_eq!(refused.err(), Some(Refusal::StoreFull));
    }
    pump(&mut store);
    assert_eq!(store.deleted().count, full.unwrap());
    recount(&store);
}

//! Judging: what is said early stays true when more is known.

use mail::{Modseq, Uid, UnixTime};
use proptest::prelude::*;

use super::*;

const MESSAGE: Message = Message {
    uid: Uid(7),
    flags: Flags(0b01),
    modseq: Modseq(1),
    size: 100,
    received: UnixTime(0),
    zone_minutes: 0,
};

const SENT: Day = Day(10);

fn any_node() -> impl Strategy<Value = Node> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Node::Always),
        (0_u64..4).prop_map(|bits| Node::Flag(Flags(bits))),
        Just(()).prop_map(|()| Node::Recent),
        (99_u64..102).prop_map(Node::Larger),
        (99_u64..102).prop_map(Node::Smaller),
        (9_i64..12).prop_map(|day| Node::Sent(DayOrder::Since, Day(day))),
        (9_i64..12).prop_map(|day| Node::Sent(DayOrder::On, Day(day))),
        (0_usize..4).prop_map(Node::Found),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Node::And),
            (inner.clone(), inner.clone()).prop_map(|(one, two)| Node::Or(Box::new([one, two]))),
            inner.prop_map(|node| Node::Not(Box::new(node))),
        ]
    })
}

fn needles(found: [Option<bool>; 4]) -> Vec<Needle> {
    let needle =
        |found| Needle { place: Place::Body, field: Box::default(), matcher: Matcher::new("x"), found };
    found.into_iter().map(needle).collect()
}

/// The answer when everything is known, by the plain rules.
fn plainly(node: &Node, found: [bool; 4]) -> bool {
    match node {
        Node::And(nodes) => nodes.iter().all(|node| plainly(node, found)),
        Node::Or(nodes) => nodes.iter().any(|node| plainly(node, found)),
        Node::Not(node) => !plainly(node, found),
        Node::Found(index) => found[*index],
        Node::Sent(order, day) => is_in_order(SENT, *order, *day),
        Node::Always(answer) => *answer,
        Node::Flag(flag) => MESSAGE.flags.contains(*flag),
        Node::Larger(size) => MESSAGE.size > *size,
        Node::Smaller(size) => MESSAGE.size < *size,
        Node::Recent | Node::Received(..) | Node::Among(_) => true,
    }
}

proptest! {
    #[test]
    fn what_is_said_early_stays_true(
        node in any_node(),
        found in any::<[bool; 4]>(),
        known in any::<[bool; 4]>(),
        knows_date in any::<bool>(),
    ) {
        let expected = plainly(&node, found);
        let whole = needles(found.map(Some));
        let facts = Facts { message: &MESSAGE, recent: true, sent: Some(Some(SENT)) };
        prop_assert_eq!(node.judge(&facts, &whole), Some(expected));

        let mut index = 0;
        let partly = needles(found.map(|found| {
            index += 1;
            known[index - 1].then_some(found)
        }));
        let facts = Facts { sent: knows_date.then_some(Some(SENT)), ..facts };
        if let Some(early) = node.judge(&facts, &partly) {
            prop_assert_eq!(early, expected);
        }
    }
}

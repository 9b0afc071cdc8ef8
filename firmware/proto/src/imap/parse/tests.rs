//! What the grammar allows beyond what the other implementation knows, where reading is lenient, and that no bytes are
//! too strange.

use alloc::{format, vec, vec::Vec};

use proptest::prelude::*;

use super::*;
use crate::imap::{
    ast::{Append, FetchItem, Partial, SearchKey, Section, SectionText},
    limits::{FETCH_ITEMS_MAX, SEARCH_DEPTH_MAX, SEARCH_KEYS_MAX, TAG_BYTES_MAX},
};

fn parse(line: &str) -> Parse<Command> {
    command(format!("a {line}\r\n").as_bytes()).1
}

fn text(text: &str) -> Text {
    text.as_bytes().into()
}

#[test]
fn fetch_items_are_read_with_all_their_parts() {
    let Ok(Command::Fetch { uid: true, items, .. }) =
        parse("UID FETCH 1 (BODY.PEEK[1.2.HEADER.FIELDS (Subject \"X Y\")]<5.10> uid UID)")
    else {
        panic!()
    };
    let section = Section {
        part: vec![1, 2],
        text: SectionText::HeaderFields { not: false, names: vec![text("Subject"), text("X Y")] },
    };
    let partial = Some(Partial { offset: 5, len: 10 });
    assert_eq!(items, [FetchItem::BodySection { peek: true, section, partial }, FetchItem::Uid]);
}

#[test]
fn append_ends_at_the_announcement_of_its_message() {
    let (_, parsed) =
        command(b"a APPEND {5}\r\ninbox (\\Seen x) \" 1-Feb-2026 00:00:00 +0000\" {4294967296+}\r\n");
    let Ok(Command::Append(Append { mailbox, flags, date, literal })) = parsed else { panic!() };
    assert_eq!(mailbox, text("inbox"));
    assert_eq!(flags, FlagList { system: Flags::SEEN, keywords: vec![text("x")] });
    assert!(date.is_some());
    assert_eq!(literal, Literal { len: 1 << 32, waits: false });
}

#[test]
fn what_has_not_come_is_missing_and_not_wrong() {
    for line in ["LOGIN {5}", "LOGIN joe {5}", "SELECT {9+}", "SEARCH SUBJECT {3}", "APPEND {3}", "ID ({4}"] {
        assert_eq!(parse(line), Err(Fault::Missing), "{line}");
    }
    for line in ["NOOP {5}", "FETCH {5}", "SEARCH FROB {3}", "LIST {x}", "SELECT {5"] {
        assert!(matches!(parse(line), Err(Fault::Bad(_))), "{line}");
    }
}

#[test]
fn announcements_are_seen_at_the_end_of_lines() {
    for (line, expected) in [
        ("a LOGIN {5}\r\n", Some((5, true))),
        ("a LOGIN {5+}\n", Some((5, false))),
        ("a LOGIN {99999999999999999999999999}\r\n", Some((u64::MAX, true))),
        ("{0}\r\n", Some((0, true))),
        ("a LOGIN {5} \r\n", None),
        ("a LOGIN {}\r\n", None),
        ("a LOGIN {+}\r\n", None),
        ("a LOGIN {5-}\r\n", None),
        ("a LOGIN \"{5}\"\r\n", None),
        ("a LOGIN 5}\r\n", None),
    ] {
        let found = announced_literal(line.as_bytes()).map(|literal| (literal.len, literal.waits));
        assert_eq!(found, expected, "{line}");
    }
}

#[test]
fn reading_is_lenient_where_nothing_is_in_doubt() {
    for line in [
        // A bare LF ends a line: people type at servers.
        "NOOP\n",
        // Clients send text of eight bits in quotes.
        "SEARCH SUBJECT \"会議\"\r\n",
        "LOGIN \"山田\" \"パスワード\"\r\n",
        // Offsets and lengths of 63 bits (RFC 9051).
        "FETCH 1 BODY[]<0.9223372036854775807>\r\n",
        "ID (\"name\" \"x\" )\r\n",
        "CREATE x (USE (\\Sent))\r\n",
        "CREATE x (USE (\\Sent \\Trash))\r\n",
        "SEARCH 1-Jan\r\n",
    ] {
        let parsed = command(format!("a {line}").as_bytes()).1;
        assert_eq!(parsed.is_ok(), line != "SEARCH 1-Jan\r\n", "{line}: {parsed:?}");
    }
    assert!(parse("LOGIN \"a\rb\" x").is_err());
    assert!(command(b"a LOGIN {3}\r\na\0b x\r\n").1.is_err());
    assert!(command(b"a LOGIN \"\xff\" x\r\n").1.is_err());
}

#[test]
fn flags_that_are_not_kept_are_left_out() {
    let Ok(Command::Store { flags, .. }) = parse("STORE 1 FLAGS (\\recent \\SEEN Work work \\Foo)") else {
        panic!()
    };
    assert_eq!(flags, FlagList { system: Flags::SEEN, keywords: vec![text("Work")] });
}

#[test]
fn bounds_hold() {
    let nested = |depth: usize| format!("SEARCH {}SEEN{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(parse(&nested(SEARCH_DEPTH_MAX - 1)).map(|_| ()), Ok(()));
    assert!(parse(&nested(SEARCH_DEPTH_MAX)).is_err());
    assert!(parse(&nested(30_000)).is_err());
    assert!(parse(&format!("SEARCH {}SEEN", "NOT ".repeat(SEARCH_DEPTH_MAX))).is_err());
    let many = |count: usize| format!("SEARCH {}", vec!["SEEN"; count].join(" "));
    assert!(parse(&many(SEARCH_KEYS_MAX)).is_ok());
    assert!(parse(&many(SEARCH_KEYS_MAX + 1)).is_err());
    let items = |count: usize| {
        let items: Vec<_> = (0..count).map(|part| format!("BODY[{}]", part + 1)).collect();
        format!("FETCH 1 ({})", items.join(" "))
    };
    assert!(parse(&items(FETCH_ITEMS_MAX)).is_ok());
    assert!(parse(&items(FETCH_ITEMS_MAX + 1)).is_err());
    assert!(parse(&format!("FETCH 1 BODY[{}]", vec!["1"; 100].join("."))).is_err());
    let flags: Vec<_> = (0..60).map(|flag| format!("flag{flag}")).collect();
    assert!(parse(&format!("STORE 1 FLAGS ({})", flags.join(" "))).is_err());
    let tag = "t".repeat(TAG_BYTES_MAX + 1);
    assert_eq!(command(format!("{tag} NOOP\r\n").as_bytes()).0, None);
    assert!(command(format!("{} NOOP\r\n", &tag[1..]).as_bytes()).1.is_ok());
}

#[test]
fn keys_that_stand_for_others_become_those() {
    let key = |line: &str| match parse(&format!("SEARCH {line}")) {
        Ok(Command::Search { key, .. }) => key,
        other => panic!("{other:?}"),
    };
    assert_eq!(key("NEW"), key("(RECENT UNSEEN)"));
    assert_eq!(key("OLD"), key("NOT RECENT"));
    assert_eq!(key("subject x"), key("HEADER SUBJECT x"));
    assert_eq!(key("UNKEYWORD x"), SearchKey::Not(alloc::boxed::Box::new(SearchKey::Keyword(text("x")))));
}

proptest! {
    #[test]
    fn no_bytes_are_too_strange(bytes in any::<Vec<u8>>()) {
        let _ = command(&bytes);
        announced_literal(&bytes);
    }

    #[test]
    fn no_command_is_too_strange(
        verb in "(FETCH|SEARCH|STORE|LOGIN|APPEND|LIST|STATUS|ID|CREATE|UID FETCH|COPY)",
        rest in "[ ()\\[\\]{}0-9*:,.<>\"\\\\+A-Z\r\n-]{0,40}",
    ) {
        let _ = command(format!("a {verb} {rest}\r\n").as_bytes());
    }
}

//! Commands read by an independent implementation: what it writes down as the meaning of a command must mean the same
//! here as the command itself.

use alloc::{format, string::String, vec::Vec};

use imap_codec::{
    CommandCodec,
    decode::{CommandDecodeError, Decoder},
    encode::Encoder,
};
use proptest::prelude::*;

use super::*;

/// What the other implementation makes of a command, in its own spelling; `None` if it is none.
fn respelled(bytes: &[u8]) -> Option<Vec<u8>> {
    match CommandCodec::default().decode(bytes) {
        Ok((b"", command)) => Some(CommandCodec::default().encode(&command).dump()),
        // It stops at literals to ask whether they are wanted. What it is given has them already.
        Err(CommandDecodeError::LiteralFound { .. }) => panic!("a literal was not there"),
        _ => None,
    }
}

fn agree(command_line: &str) {
    let bytes = [command_line.as_bytes(), b"\r\n"].concat();
    let (tag, parsed) = command(&bytes);
    let Some(other) = respelled(&bytes) else {
        assert!(parsed.is_err(), "only the other refuses {command_line}");
        return;
    };
    assert!(parsed.is_ok(), "only the other takes {command_line}: {parsed:?}");
    let text = String::from_utf8_lossy(&other);
    assert_eq!((tag, parsed), command(&other), "{command_line}\nwas understood as {text}");
}

#[test]
fn both_understand_the_same_of_commands_as_clients_send_them() {
    for line in [
        "a CAPABILITY",
        "a noop",
        "a LOGOUT",
        "a STARTTLS",
        "a AUTHENTICATE PLAIN",
        "a AUTHENTICATE PLAIN dGVzdAB0ZXN0AHRlc3Q=",
        "a LOGIN joe password",
        "a LOGIN \"joe\" \"pass \\\"word\\\\\"",
        "a LOGIN {3}\r\njoe {8+}\r\npassword",
        "a SELECT INBOX",
        "a EXAMINE \"Sent Items\"",
        "a CREATE &ZeVnLIqe-",
        "a DELETE {4}\r\nWork",
        "a RENAME a/b \"c d\"",
        "a SUBSCRIBE a]b",
        "a UNSUBSCRIBE x",
        "a LIST \"\" *",
        "a LIST {0}\r\n %/%",
        "a LSUB \"#news.\" \"comp.*\"",
        "a STATUS INBOX (MESSAGES UNSEEN RECENT UIDNEXT UIDVALIDITY)",
        "a NAMESPACE",
        "a IDLE",
        "a CHECK",
        "a CLOSE",
        "a UNSELECT",
        "a EXPUNGE",
        "a UID EXPUNGE 3,5:9",
        "a ID NIL",
        "a ID (\"name\" \"x\" \"version\" NIL)",
        "a ENABLE CONDSTORE X-Y",
        "a COPY 2:4 MEETING",
        "a UID COPY 1:* x",
        "a MOVE 1 x",
        "a UID MOVE 1,3:7 x",
        "a STORE 2:4 +FLAGS (\\Deleted)",
        "a STORE 1 -FLAGS.SILENT (\\Seen $Label1 \\Flagged)",
        "a STORE 1 FLAGS \\Seen \\Answered",
        "a UID STORE 1:* FLAGS ()",
        "a FETCH 1:* (FLAGS BODY[HEADER.FIELDS (DATE FROM)])",
        "a FETCH 1 ALL",
        "a FETCH 1 FULL",
        "a FETCH 1 fast",
        "a FETCH 1 BODY",
        "a FETCH 1 BODYSTRUCTURE",
        "a FETCH 1 BODY[]",
        "a FETCH 1 BODY.PEEK[]<0.2048>",
        "a FETCH 1 BODY[1.2.3]",
        "a FETCH 1 BODY[1.2.MIME]",
        "a FETCH 1 BODY[4.1.HEADER]<5.6>",
        "a FETCH 1 BODY[TEXT]",
        "a FETCH 1 BODY[HEADER.FIELDS.NOT (\"X\")]",
        "a FETCH 1 (RFC822 RFC822.HEADER RFC822.SIZE RFC822.TEXT UID ENVELOPE INTERNALDATE)",
        "a SEARCH FLAGGED SINCE 1-Feb-1994 NOT FROM \"Smith\"",
        "a SEARCH CHARSET UTF-8 TEXT {6}\r\nstring",
        "a UID SEARCH 1:* (OR UNSEEN (KEYWORD x UNKEYWORD y)) LARGER 1000",
        "a SEARCH OR OR NEW OLD RECENT",
        "a SEARCH SENTON \"1-Feb-1994\" UID 5:* HEADER X-Y \"\" SMALLER 7",
        "a SEARCH BCC a CC b TO c SUBJECT d BODY e TEXT f",
        "a SEARCH UNANSWERED UNDELETED UNDRAFT UNFLAGGED ANSWERED DELETED DRAFT SEEN ALL",
        "a SEARCH SENTBEFORE 1-Feb-1994 SENTSINCE 2-Mar-1995 ON 3-Apr-1996 BEFORE 4-May-1997",
    ] {
        agree(line);
    }
}

#[test]
fn both_refuse_what_is_no_command() {
    for line in [
        "",
        "a",
        "a ",
        " a NOOP",
        "a  NOOP",
        "a NOOP ",
        "+ NOOP",
        "a+b NOOP",
        "a FROB",
        "a LOGIN joe",
        "a LOGIN joe pass word",
        "a LOGIN \"joe pass",
        "a SELECT",
        "a SELECT a b",
        "a SELECT a(b",
        "a LIST x",
        "a STATUS INBOX",
        "a STATUS INBOX (FROB)",
        "a FETCH 1",
        "a FETCH 0 FLAGS",
        "a FETCH 1: FLAGS",
        "a FETCH ,1 FLAGS",
        "a FETCH 4294967296 FLAGS",
        "a FETCH 1 (FLAGS",
        "a FETCH 1 (ALL)",
        "a FETCH 1 BODY[MIME]",
        "a FETCH 1 BODY[0]",
        "a FETCH 1 BODY[1.]",
        "a FETCH 1 BODY[HEADER.FIELDS ()]",
        "a FETCH 1 BODY[HEADER.FIELDS]",
        "a FETCH 1 BODY[]<0>",
        "a FETCH 1 BODY[]<0.0>",
        "a STORE 1 FLAGS",
        "a STORE 1 *FLAGS ()",
        "a STORE 1 FLAGS (\\Seen",
        "a COPY 1",
        "a SEARCH",
        "a SEARCH ()",
        "a SEARCH NOT",
        "a SEARCH OR SEEN",
        "a SEARCH FROB",
        "a SEARCH LARGER x",
        "a SEARCH SINCE 1-Frb-1994",
        "a SEARCH (SEEN",
        "a SEARCH SEEN)",
        "a SEARCH CHARSET UTF-8",
        "a UID NOOP",
        "a UID",
        "a IDLE now",
        "a ID",
        "a ENABLE",
    ] {
        agree(line);
    }
}

/// Commands put together from the pieces of the grammar.
fn any_command() -> impl Strategy<Value = String> {
    let set = prop_oneof!["[1-9]", "[1-4]:[5-9]", "[1-9]:\\*", "[1-3],[5-6],8:9", "\\*"];
    let astring = prop_oneof![
        "[a-z]{1,6}",
        "\"[ -!#-Z^-~]{0,6}\"",
        Just("\"\\\"\\\\\"".into()),
        "[a-c]{3}".prop_map(|text| format!("{{3}}\r\n{text}"))
    ]
    .boxed();
    let field_list = prop::collection::vec(astring.clone(), 1..4).prop_map(|names| names.join(" "));
    let text = prop_oneof![
        Just("HEADER".into()),
        Just("TEXT".into()),
        field_list.clone().prop_map(|names| format!("HEADER.FIELDS ({names})")),
        field_list.prop_map(|names| format!("HEADER.FIELDS.NOT ({names})")),
    ];
    let part = "[1-9](\\.[1-9]){0,3}";
    let section = prop_oneof![
        Just(String::new()),
        text.clone(),
        part.prop_map(|part| part),
        part.prop_map(|part| format!("{part}.MIME")),
        (part, text).prop_map(|(part, text)| format!("{part}.{text}")),
    ];
    let att = prop_oneof![
        "(FLAGS|UID|ENVELOPE|BODY|BODYSTRUCTURE|INTERNALDATE|RFC822(\\.(SIZE|HEADER|TEXT))?)",
        ("BODY(\\.PEEK)?", section, "(<[0-9]{1,3}\\.[1-9][0-9]?>)?")
            .prop_map(|(body, section, partial)| format!("{body}[{section}]{partial}")),
    ];
    let atts = prop::collection::vec(att, 1..4).prop_map(|atts| atts.join(" "));
    let fetch =
        ("(UID )?", set.clone(), atts).prop_map(|(uid, set, atts)| format!("{uid}FETCH {set} ({atts})"));
    let leaf = prop_oneof![
        "(ALL|NEW|OLD|RECENT|(UN)?(SEEN|DELETED|FLAGGED|ANSWERED|DRAFT))",
        "(SENT)?(BEFORE|ON|SINCE) [1-2]?[1-9]-(Jan|Feb|Dec)-(19|20)[0-9]{2}",
        "(LARGER|SMALLER) [0-9]{1,9}",
        "(UN)?KEYWORD [$a-z][a-z]{0,5}",
        set.clone(),
        set.clone().prop_map(|set| format!("UID {set}")),
        ("(BCC|CC|TO|FROM|SUBJECT|BODY|TEXT)", astring.clone())
            .prop_map(|(key, text)| format!("{key} {text}")),
        (astring.clone(), astring.clone()).prop_map(|(field, text)| format!("HEADER {field} {text}")),
    ];
    let key = leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|key| format!("NOT {key}")),
            (inner.clone(), inner.clone()).prop_map(|(one, two)| format!("OR {one} {two}")),
            prop::collection::vec(inner, 2..4).prop_map(|keys| format!("({})", keys.join(" "))),
        ]
    });
    let keys = prop::collection::vec(key, 1..4).prop_map(|keys| keys.join(" "));
    let search = ("(UID )?", "(CHARSET UTF-8 )?", keys)
        .prop_map(|(uid, charset, keys)| format!("{uid}SEARCH {charset}{keys}"));
    let flags = "\\(((\\\\(Seen|Deleted|Draft)|[$a-z][a-z]{0,5})( (\\\\Flagged|[$a-z][a-z]{0,5}))?)?\\)";
    let store = ("(UID )?", set.clone(), "[+-]?FLAGS(\\.SILENT)?", flags)
        .prop_map(|(uid, set, kind, flags)| format!("{uid}STORE {set} {kind} {flags}"));
    let copy = ("(UID )?(COPY|MOVE)", set, astring.clone())
        .prop_map(|(verb, set, mailbox)| format!("{verb} {set} {mailbox}"));
    let names = (astring.clone(), astring).prop_map(|(one, two)| format!("RENAME {one} {two}"));
    prop_oneof![fetch, search, store, copy, names].prop_map(|command| format!("tag {command}"))
}

proptest! {
    #[test]
    fn both_understand_the_same(line in any_command()) {
        agree(&line);
    }

    /// What the other takes is taken here too, if it is for the commands that are known here.
    #[test]
    fn one_wrong_byte_is_wrong_for_both(
        line in any_command(),
        at in any::<prop::sample::Index>(),
        byte in prop_oneof![Just(None), (0x20_u8..0x7f).prop_map(Some)],
    ) {
        let mut bytes = line.into_bytes();
        let at = at.index(bytes.len());
        match byte {
            Some(byte) => bytes[at] = byte,
            None => { bytes.remove(at); }
        }
        bytes.extend_from_slice(b"\r\n");
        if let Ok((b"", _)) = CommandCodec::default().decode(&bytes) {
            let (tag, parsed) = command(&bytes);
            prop_assert!(tag.is_some() && parsed.is_ok(), "{}", bytes.escape_ascii());
        }
    }
}

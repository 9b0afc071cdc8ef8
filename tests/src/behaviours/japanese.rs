//! Japanese mail is ordinary mail: its bytes are kept, its text is found.

use super::inbox;
use crate::clients::{Imap, Pop3, Smtp};
use crate::letters::JAPANESE;
use crate::site::{Service, Site};

/// By SMTP in, by IMAP and by POP3 out: not one byte changed.
pub fn japanese_letters_arrive_byte_for_byte(site: &Site) {
    let account = site.account();
    let mut smtp = Smtp::connect(site, Service::Smtp);
    for (_, letter) in JAPANESE {
        smtp.letter("ann@client.test", &[&account.address], letter);
    }
    let by_imap = inbox(site, &account, JAPANESE.len());
    let mut pop3 = Pop3::log_in(site, &account);
    for (number, (name, letter)) in JAPANESE.iter().enumerate() {
        assert!(by_imap[number].ends_with(letter), "{name}: {}", String::from_utf8_lossy(&by_imap[number]));
        assert!(pop3.many(&format!("RETR {}", number + 1)) == by_imap[number], "{name}, by POP3");
    }
}

/// The same by APPEND: exactly the same bytes, with what IMAP says about their structure.
pub fn japanese_letters_append_byte_for_byte(site: &Site) {
    let account = site.account();
    let mut imap = Imap::select(site, &account, "INBOX");
    for (name, letter) in JAPANESE {
        imap.append("INBOX", "", letter);
        imap.ok("NOOP");
        let uid = *imap.uids().last().expect("it is there");
        assert!(imap.letter(uid) == letter, "{name}");
    }
    let structures = imap.ok("FETCH 1:* (BODYSTRUCTURE ENVELOPE)");
    for (response, (name, letter)) in structures.iter().zip(JAPANESE) {
        let charset = String::from_utf8_lossy(letter).to_ascii_lowercase().contains("charset=");
        assert!(
            !charset || response.text.to_ascii_lowercase().contains("\"charset\""),
            "{name}: {}",
            response.text
        );
    }
}

/// SEARCH CHARSET UTF-8 finds words in headers and bodies whatever they are written in.
pub fn japanese_is_found_by_search(site: &Site) {
    let account = site.account();
    let mut imap = Imap::select(site, &account, "INBOX");
    for (_, letter) in JAPANESE {
        imap.append("INBOX", "", letter);
    }
    imap.ok("NOOP");
    for (key, word, expected) in [
        ("SUBJECT", "会議", "1"),
        ("BODY", "第二会議室", "1"),
        ("SUBJECT", "手紙", "3 7"),
        ("BODY", "能力を予約", "4 5"),
        ("TEXT", "請求書", "6"),
        ("FROM", "佐藤", "4"),
        ("SUBJECT", "どこにもない", ""),
    ] {
        let found = search(&mut imap, key, word);
        assert_eq!(found, expected, "{key} {word}");
    }
}

fn search(imap: &mut Imap, key: &str, word: &str) -> String {
    let tag = imap
        .start(&format!("SEARCH CHARSET UTF-8 {key} {{{}+}}", word.len()))
        .expect("the connection is open");
    imap.wire.send(format!("{word}\r\n").as_bytes()).expect("the connection is open");
    let answer = imap.answer(&tag).unwrap_or_else(|error| panic!("{error}\n{}", imap.wire.dialogue()));
    assert_eq!(answer.status, "OK", "{key} {word}: {}", answer.text);
    let found = answer.untagged.iter().find_map(|response| response.text.strip_prefix("SEARCH"));
    found.unwrap_or_default().trim().to_owned()
}

/// Names in modified UTF-7 (RFC 3501 §5.1.3): made, listed, renamed, used, removed.
pub fn japanese_mailbox_names_are_kept(site: &Site) {
    let account = site.account();
    let mut imap = Imap::log_in(site, &account);
    // 取引先 and 取引先 & 顧客, encoded with another implementation (Python).
    let (one, two) = ("\"&U9ZfFVFI-\"", "\"&U9ZfFVFI- &- &mGdbog-\"");
    imap.ok(&format!("CREATE {one}"));
    imap.append(one, "", JAPANESE[0].1);
    imap.ok(&format!("RENAME {one} {two}"));
    let listed = imap.ok("LIST \"\" \"*\"");
    assert!(listed.iter().any(|response| response.text.ends_with(two)), "{listed:?}");
    assert!(!listed.iter().any(|response| response.text.ends_with(one)), "{listed:?}");
    imap.ok(&format!("SELECT {two}"));
    assert_eq!(imap.uids().len(), 1);
    imap.ok("CLOSE");
    imap.ok(&format!("DELETE {two}"));
    imap.refused("NO", &format!("SELECT {two}"));
}

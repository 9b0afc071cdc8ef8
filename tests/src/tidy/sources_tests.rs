//! Each rule for sources on a small bad example, and beside it the good one that looks most like it.

use super::sources::check;
use super::tree::Tree;

const DOCS: &str = "//! Says what this file is for.\n";

/// The sentences found in one file of that name, whose module docs are given.
fn found(path: &str, code: &str) -> Vec<String> {
    let text = format!("{DOCS}{code}");
    check(&Tree::of(&[(path, &text)])).iter().map(ToString::to_string).collect()
}

fn clean(path: &str, code: &str) {
    assert_eq!(found(path, code), Vec::<String>::new(), "{code}");
}

/// Exactly one finding, at that line (the docs are line 1), with those words.
fn one(path: &str, line: usize, words: &str, code: &str) {
    let found = found(path, code);
    assert_eq!(found.len(), 1, "{code}: {found:?}");
    assert!(found[0].starts_with(&format!("{path}:{line}: ")), "{found:?}");
    assert!(found[0].contains(words), "{found:?}");
}

#[test]
fn module_docs_open_every_file() {
    for text in
        ["fn main() {}\n", "\n//! Too late to be first.\n", "//!\n", "//! (to be written)\n", "//! Short\n"]
    {
        let found = check(&Tree::of(&[("image/src/main.rs", text)]));
        assert_eq!(found.len(), 1, "{text:?}: {found:?}");
    }
    clean("image/src/main.rs", "");
}

#[test]
fn a_file_ends_at_800_lines() {
    clean("image/src/a.rs", &"// x\n".repeat(799));
    one("image/src/a.rs", 801, "801 lines", &"// x\n".repeat(800));
}

#[test]
fn a_function_ends_at_70_lines_wherever_it_stands() {
    let body = |lines: usize| "    x();\n".repeat(lines);
    clean("image/src/a.rs", &format!("fn long() {{\n{}}}\n", body(68)));
    one("image/src/a.rs", 2, "`long` has 71 lines", &format!("fn long() {{\n{}}}\n", body(69)));
    one("image/src/a.rs", 3, "71 lines", &format!("impl A {{\nfn long() {{\n{}}}\n}}\n", body(69)));
    one("image/src/a.rs", 3, "71 lines", &format!("trait A {{\nfn long() {{\n{}}}\n}}\n", body(69)));
}

#[test]
fn unsafe_lives_in_one_file() {
    one("board/src/net.rs", 2, "`unsafe` outside", "fn f() { unsafe { g() } }\n");
    one("firmware/tegami/src/a.rs", 3, "`unsafe` outside", "call!(\nunsafe { g() });\n");
    one("qemu/src/a.rs", 2, "`unsafe` outside", "unsafe impl Send for A {}\n");
    clean("board/src/sys.rs", "fn f() { unsafe { g() } }\n");
    clean("board/src/net.rs", "#![forbid(unsafe_code)]\n// unsafe\nconst A: &str = \"unsafe\";\n");
}

#[test]
fn std_stays_out_of_the_crates_without_it() {
    one("firmware/store/src/a.rs", 2, "extern crate std", "extern crate std;\n");
    one(
        "firmware/mail/src/a.rs",
        3,
        "extern crate std",
        "#[cfg(any(test, feature = \"x\"))]\nextern crate std;\n",
    );
    one("firmware/proto/src/lib.rs", 1, "no_std", "#![cfg_attr(not(test), no_std)]\n");
    clean("firmware/proto/src/lib.rs", "#![no_std]\n#[cfg(test)]\nextern crate std;\n");
    clean("firmware/tegami/src/a.rs", "extern crate std;\n");
}

#[test]
fn lints_are_expected_with_a_reason_never_allowed() {
    one("qemu/src/a.rs", 2, "`allow`", "#[allow(dead_code, reason = \"later\")]\nfn f() {}\n");
    one("qemu/src/a.rs", 2, "`allow`", "#![allow(dead_code)]\n");
    one("qemu/src/a.rs", 2, "`allow`", "#[cfg_attr(test, allow(dead_code))]\nfn f() {}\n");
    one("qemu/src/a.rs", 3, "without a reason", "\n#[expect(dead_code)]\nfn f() {}\n");
    clean("qemu/src/a.rs", "#[expect(dead_code, reason = \"x\")]\nfn f() { allow(1); expect(2); }\n");
}

#[test]
fn the_device_does_not_panic_outside_tests() {
    one("board/src/a.rs", 2, "`unwrap`", "fn f() { g().unwrap(); }\n");
    one("firmware/store/src/a.rs", 2, "`expect`", "fn f() { g().expect(\"it is there\"); }\n");
    one("firmware/mail/src/a.rs", 2, "`panic`", "fn f() { panic!(\"no\") }\n");
    one(
        "firmware/mail/src/a.rs",
        2,
        "`panic`",
        "#[cfg(any(test, feature = \"f\"))] mod m { fn f() { panic!(\"no\") } }\n",
    );
    clean("firmware/proto/src/a.rs", "fn f() { parser.expect(b\")\")?; x.unwrap_or(1); }\n");
    clean("firmware/proto/src/a.rs", "#[cfg(test)]\nmod tests {\n fn f() { g().unwrap(); }\n}\n");
    clean("firmware/proto/src/a.rs", "#[test]\nfn f() { g().unwrap(); panic!() }\n");
    clean("image/src/a.rs", "fn f() { g().unwrap(); }\n");
}

#[test]
fn files_that_only_tests_reach_are_tests() {
    let parent = format!("{DOCS}#[cfg(test)]\nmod cuts;\nmod log;\n");
    let child = format!("{DOCS}mod deeper;\nfn f() {{ g().unwrap(); }}\n");
    let tree = Tree::of(&[
        ("firmware/store/src/log.rs", &child),
        ("firmware/store/src/log/deeper.rs", &child),
        ("firmware/store/src/cuts.rs", &child),
        ("firmware/store/src/cuts/deeper.rs", &child),
        ("firmware/store/src/mod.rs", &parent),
    ]);
    let files: Vec<String> = check(&tree).into_iter().map(|finding| finding.file).collect();
    assert_eq!(files, ["firmware/store/src/log.rs", "firmware/store/src/log/deeper.rs"]);
}

#[test]
fn left_over_macros_are_found_everywhere() {
    one("tests/src/a.rs", 2, "`todo!`", "fn f() { todo!() }\n");
    one("image/src/a.rs", 2, "`dbg!`", "#[test] fn f() { dbg!(1); }\n");
    one("qemu/src/a.rs", 2, "`unimplemented!`", "fn f() { unimplemented!() }\n");
}

#[test]
fn the_rooms_of_proto_stay_apart() {
    let smtp = "firmware/proto/src/smtp/data.rs";
    one(smtp, 2, "`smtp` imports `imap`", "use crate::imap::Literal;\n");
    one(smtp, 3, "`smtp` imports `pop3`", "use crate::{line::Line,\npop3::{Session}};\n");
    one(smtp, 2, "`smtp` imports `imap`", "fn f() { super::super::imap::parse() }\n");
    one(smtp, 2, "`smtp` imports `imap`", "fn f() { call!(crate::imap::parse()) }\n");
    one("firmware/proto/src/pop3.rs", 2, "`pop3` imports `smtp`", "use super::smtp;\n");
    one("firmware/proto/src/mime/scan.rs", 2, "`mime` imports `imap`", "use crate::imap;\n");
    clean(smtp, "use crate::{line, mime::{self, imap}, sasl};\nuse super::imap_url;\nfn imap() {}\n");
    clean("firmware/proto/src/session.rs", "pub use crate::imap::Session;\n");
}

#[test]
fn what_does_not_parse_is_said() {
    one("image/src/a.rs", 1, "does not parse", "fn f( {\n");
}

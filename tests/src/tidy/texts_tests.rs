//! Each rule for texts on a small bad example, and beside it the good one that looks most like it.

use super::texts::check;
use super::tree::Tree;

const README: &str = "cargo run -p qemu\ncargo test\n`qemu` boots it\n";

fn found(extra: &[(&str, &str)]) -> Vec<String> {
    let mut files = vec![("README.md", README), ("qemu/Cargo.toml", "")];
    files.extend(extra);
    check(&Tree::of(&files)).iter().map(ToString::to_string).collect()
}

fn one(file: &str, text: &str, start: &str) {
    let found = found(&[(file, text)]);
    assert_eq!(found.len(), 1, "{text}: {found:?}");
    assert!(found[0].starts_with(start), "{found:?}");
}

fn clean(text: &str) {
    assert_eq!(found(&[("qemu/a.md", text)]), Vec::<String>::new(), "{text}");
}

#[test]
fn marks_of_unfinished_work_are_found_as_words() {
    one("qemu/a.md", concat!("a\n// TO", "DO: later"), "qemu/a.md:2: ");
    one("qemu/a.rs", concat!("FIX", "ME"), "qemu/a.rs:1: ");
    one("qemu/a.sh", concat!("(X", "XX)"), "qemu/a.sh:1: ");
    clean(concat!("mktemp -t a.X", "X", "XX, auTO", "DO_S and TO", "DOS"));
}

#[test]
fn paths_of_one_machine_are_found() {
    one("qemu/a.md", concat!("see /ho", "me/ann/x"), "qemu/a.md:1: ");
    one("qemu/a.md", concat!("(\"/wo", "rk/x\")"), "qemu/a.md:1: ");
    clean(concat!("$OUT/wo", "rk/x, a/ho", "me/b and ./ro", "ot/x"));
}

#[test]
fn registry_hosts_are_found() {
    one("qemu/a.toml", concat!("url = \"https://deb.deb", "ian.org/x\""), "qemu/a.toml:1: ");
    one("qemu/a.toml", concat!("http://crat", "es.io/"), "qemu/a.toml:1: ");
    clean("https://www.rfc-editor.org/rfc/rfc5321 and Debian and crates. https://docs.rs/x");
}

#[test]
fn the_top_holds_what_the_design_puts_there() {
    one("docs/a.md", "", "docs:0: ");
    one("notes.txt", "", "notes.txt:0: ");
    clean("");
}

#[test]
fn the_readme_shows_the_commands_and_names_every_crate() {
    let found = check(&Tree::of(&[("README.md", "cargo test"), ("board/flash/Cargo.toml", "")]));
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        ["README.md:0: does not show cargo run -p qemu", "README.md:0: does not show `board/flash`"]
    );
    assert_eq!(check(&Tree::of(&[]))[0].sentence, "is missing");
}

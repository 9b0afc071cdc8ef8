//! Rules for Rust sources: module docs, sizes, where `unsafe` and `std` may stand, what may panic, who imports whom.

use super::rust::{RustFile, parse};
use super::tree::{Finding, Tree};

/// Longest file in lines. One file that swallows the project is how mail servers of this kind grew unreadable.
const FILE_LINES_MAX: usize = 800;

/// Longest function in lines, from `fn` to the closing brace.
const FUNCTION_LINES_MAX: usize = 70;

/// The one file that may say `unsafe`: the system calls of the board.
const UNSAFE_FILE: &str = "board/src/sys.rs";

/// Crates without `std`: the wall that keeps sockets, files and clocks out of them.
const NO_STD_CRATES: [&str; 4] = ["firmware/mail", "firmware/proto", "firmware/store", "board/flash"];

/// What runs on the box: nothing there panics on what it is given.
const DEVICE_FOLDERS: [&str; 2] = ["firmware/", "board/"];

/// Rooms of `proto` and the rooms that they may not import.
const PROTO_ROOMS: [(&str, &[&str]); 8] = [
    ("smtp", &["imap", "pop3"]),
    ("imap", &["smtp", "pop3"]),
    ("pop3", &["smtp", "imap"]),
    ("report", &["smtp", "imap", "pop3"]),
    ("dkim", &["smtp", "imap", "pop3"]),
    ("mime", &["smtp", "imap", "pop3", "report", "dkim"]),
    ("sasl", &["smtp", "imap", "pop3"]),
    ("line", &["smtp", "imap", "pop3"]),
];

/// Every rule of this file.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let files = parse(tree);
    let mut found = unparsed(tree, &files);
    for file in &files {
        found.extend(module_docs(file));
        found.extend(sizes(file));
        found.extend(unsafe_code(file));
        found.extend(no_std(file));
        found.extend(attributes(file));
        found.extend(panics(file));
        found.extend(proto_rooms(file));
    }
    found.extend(long_scripts(tree));
    found
}

/// A file that the rules cannot read is a file that they do not check.
fn unparsed(tree: &Tree, files: &[RustFile<'_>]) -> Vec<Finding> {
    tree.files
        .iter()
        .filter(|file| {
            file.path.ends_with(".rs") && !files.iter().any(|known| known.source.path == file.path)
        })
        .map(|file| Finding::new(&file.path, 1, "does not parse as Rust"))
        .collect()
}

fn at(file: &RustFile<'_>, position: usize, sentence: impl Into<String>) -> Finding {
    Finding::new(&file.source.path, file.tokens[position].line, sentence)
}

fn module_docs(file: &RustFile<'_>) -> Option<Finding> {
    let first = file.source.text.lines().next().unwrap_or_default();
    let says = first.strip_prefix("//!").unwrap_or_default().trim();
    (says.len() < 10 || says.starts_with('('))
        .then(|| Finding::new(&file.source.path, 1, "opens without `//!` saying what the file is for"))
}

fn sizes(file: &RustFile<'_>) -> Vec<Finding> {
    let path = &file.source.path;
    let lines = file.source.text.lines().count();
    let mut found = Vec::new();
    if lines > FILE_LINES_MAX {
        found.push(Finding::new(
            path,
            lines,
            format!("has {lines} lines, more than {FILE_LINES_MAX}: split it"),
        ));
    }
    for (name, range) in &file.functions {
        let length = range.end() - range.start() + 1;
        if length > FUNCTION_LINES_MAX {
            let sentence = format!("function `{name}` has {length} lines, more than {FUNCTION_LINES_MAX}");
            found.push(Finding::new(path, *range.start(), sentence));
        }
    }
    found
}

/// Scripts grow as well as sources do.
fn long_scripts(tree: &Tree) -> Vec<Finding> {
    tree.files
        .iter()
        .filter(|file| file.path.ends_with(".py") || file.path.ends_with(".sh"))
        .filter(|file| file.text.lines().count() > FILE_LINES_MAX)
        .map(|file| {
            Finding::new(&file.path, FILE_LINES_MAX, format!("is longer than {FILE_LINES_MAX} lines"))
        })
        .collect()
}

fn unsafe_code(file: &RustFile<'_>) -> Vec<Finding> {
    if file.source.path == UNSAFE_FILE {
        return Vec::new();
    }
    file.find(&["unsafe"]).map(|at_| at(file, at_, format!("`unsafe` outside {UNSAFE_FILE}"))).collect()
}

fn no_std(file: &RustFile<'_>) -> Vec<Finding> {
    let path = &file.source.path;
    let Some(home) = NO_STD_CRATES.iter().find(|home| path.starts_with(&format!("{home}/"))) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    if *path == format!("{home}/src/lib.rs") && file.find(&["#", "!", "[", "no_std", "]"]).next().is_none() {
        found.push(Finding::new(path, 1, "does not say `#![no_std]`, unconditionally"));
    }
    for position in file.find(&["extern", "crate", "std"]) {
        const ONLY_FOR_TESTS: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
        let guarded = position >= ONLY_FOR_TESTS.len()
            && file.reads(position - ONLY_FOR_TESTS.len(), &ONLY_FOR_TESTS)
            || file.is_test(file.tokens[position].line);
        if !guarded {
            found.push(at(
                file,
                position,
                "`extern crate std` in a crate without std, and not `#[cfg(test)]`",
            ));
        }
    }
    found
}

/// Exceptions to lints are `#[expect(…, reason = "…")]`, so that a stale one is noticed.
fn attributes(file: &RustFile<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for start in file.find(&["#"]) {
        let open = if file.reads(start, &["#", "!", "["]) { start + 2 } else { start + 1 };
        if !file.reads(open, &["["]) {
            continue;
        }
        for position in open..file.behind_group(open) {
            if file.reads(position, &["allow", "("]) {
                found.push(at(
                    file,
                    position,
                    "`allow` hides lints for ever: use `#[expect(…, reason = \"…\")]`",
                ));
            }
            if file.reads(position, &["expect", "("]) {
                let inner = position + 1..file.behind_group(position + 1);
                if !inner.into_iter().any(|inside| file.reads(inside, &["reason", "="])) {
                    found.push(at(file, position, "`expect` of a lint without a reason"));
                }
            }
        }
    }
    found
}

fn panics(file: &RustFile<'_>) -> Vec<Finding> {
    // An example is a measurement on a host: it never comes near the device.
    let path = &file.source.path;
    let device = DEVICE_FOLDERS.iter().any(|folder| path.starts_with(folder)) && !path.contains("/examples/");
    let mut found = Vec::new();
    for position in 0..file.tokens.len() {
        for left_over in ["todo", "unimplemented", "dbg"] {
            if file.reads(position, &[left_over, "!"]) {
                found.push(at(file, position, format!("`{left_over}!` left in the code")));
            }
        }
        if device && !file.is_test(file.tokens[position].line) && panics_at(file, position) {
            let what = &file.tokens[position].text;
            found.push(at(
                file,
                position,
                format!("`{what}` on the device, outside a test: return an error"),
            ));
        }
    }
    found
}

/// `.unwrap()`, `.expect("…")` and `panic!`; a parser's own `expect(b'x')` is none of them.
fn panics_at(file: &RustFile<'_>, position: usize) -> bool {
    let after_dot = position > 0 && file.tokens[position - 1].text == ".";
    let message = file.tokens.get(position + 2).is_some_and(|token| {
        token.text.starts_with('"') || ["format", "concat", "&"].contains(&token.text.as_str())
    });
    file.reads(position, &["panic", "!"])
        || after_dot && file.reads(position, &["unwrap", "(", ")"])
        || after_dot && file.reads(position, &["expect", "("]) && message
}

/// Within proto the protocols never import one another; what they share imports none of them.
fn proto_rooms(file: &RustFile<'_>) -> Vec<Finding> {
    let Some(inside) = file.source.path.strip_prefix("firmware/proto/src/") else { return Vec::new() };
    let room = inside.split(['/', '.']).next().unwrap_or_default();
    let Some((_, banned)) = PROTO_ROOMS.iter().find(|(name, _)| *name == room) else { return Vec::new() };
    let mut found = Vec::new();
    for start in
        (0..file.tokens.len()).filter(|start| ["crate", "super"].contains(&file.tokens[*start].text.as_str()))
    {
        for position in named_after(file, start + 1) {
            if let Some(name) = banned.iter().find(|name| file.tokens[position].text == **name) {
                found.push(at(
                    file,
                    position,
                    format!("`{room}` imports `{name}`: the rooms of proto stay apart"),
                ));
            }
        }
    }
    found
}

/// Where the names directly behind a path's `::` stand: one, or each first name of a `{…}` group.
fn named_after(file: &RustFile<'_>, separator: usize) -> Vec<usize> {
    if !file.reads(separator, &[":", ":"]) {
        return Vec::new();
    }
    let next = separator + 2;
    if !file.reads(next, &["{"]) {
        return vec![next];
    }
    let end = file.behind_group(next);
    let mut depth = 0usize;
    let mut firsts = vec![next + 1];
    for position in next..end {
        match file.tokens[position].text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            "," if depth == 1 => firsts.push(position + 1),
            _ => {}
        }
    }
    firsts.retain(|first| *first < end);
    firsts
}

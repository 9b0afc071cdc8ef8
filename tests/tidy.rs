//! Reads the sources and cargo's metadata of this repository and fails with a list of what breaks the house's rules.

use tests::tidy::{Finding, Tree, manifests, sources, texts};

fn none(mut found: Vec<Finding>) {
    found.sort();
    found.dedup();
    let lines: Vec<String> = found.iter().map(Finding::to_string).collect();
    assert!(found.is_empty(), "{} places break the rules of the house:\n{}", lines.len(), lines.join("\n"));
}

#[test]
fn sources_keep_the_rules_of_the_house() {
    let tree = Tree::of_this_repository();
    assert!(tree.files.len() > 50, "the rules read the whole repository");
    none(sources::check(&tree));
}

#[test]
fn texts_hold_no_marks_hosts_or_strange_folders() {
    none(texts::check(&Tree::of_this_repository()));
}

#[test]
fn crates_import_what_the_table_says_and_come_under_permissive_licences() {
    let metadata = manifests::metadata();
    assert!(
        metadata["packages"].as_array().is_some_and(|packages| packages.len() > 50),
        "cargo says what it builds"
    );
    none(manifests::check(&metadata));
}

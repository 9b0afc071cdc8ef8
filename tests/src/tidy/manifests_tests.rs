//! Each rule for manifests on a made-up answer of `cargo metadata` with one thing wrong.

use super::manifests::check;
use serde_json::{Value, json};

/// A member of the workspace that keeps every rule, with these dependencies.
fn member(name: &str, dependencies: &[&str]) -> Value {
    let dependencies: Vec<Value> =
        dependencies.iter().map(|on| json!({ "name": on, "kind": "dev" })).collect();
    json!({
        "name": name, "id": name, "source": null, "license": "MIT OR Apache-2.0", "publish": [],
        "rust_version": "1.95", "manifest_path": "/nowhere/Cargo.toml", "targets": [],
        "dependencies": dependencies,
    })
}

fn foreign(name: &str, license: Value) -> Value {
    json!({ "name": name, "id": name, "source": "registry", "license": license })
}

fn found(packages: &[Value]) -> Vec<String> {
    let nodes: Vec<Value> = packages.iter().map(|package| json!({ "id": package["id"] })).collect();
    let metadata = json!({ "packages": packages, "resolve": { "nodes": nodes } });
    check(&metadata).into_iter().map(|finding| finding.sentence).collect()
}

#[test]
fn edges_outside_the_table_are_found_for_tests_too() {
    assert_eq!(found(&[member("proto", &["mail"])]), Vec::<String>::new());
    assert_eq!(found(&[member("proto", &["store"])]), ["`proto` may not import `store`"]);
    assert_eq!(found(&[member("tests", &["qemu", "mail"])]), ["`tests` may not import `mail`"]);
    assert_eq!(found(&[member("extra", &[])]).len(), 1);
}

#[test]
fn one_crate_drives() {
    assert_eq!(found(&[member("tegami", &["tokio", "rustls"])]), Vec::<String>::new());
    assert_eq!(found(&[member("proto", &["tokio"])]), ["`proto` may not drive: it depends on `tokio`"]);
    assert_eq!(found(&[member("board", &["rustls"])]), ["`board` may not drive: it depends on `rustls`"]);
}

#[test]
fn banned_crates_and_licences_are_found() {
    assert_eq!(found(&[foreign("ring", json!("Apache-2.0 AND ISC"))]), Vec::<String>::new());
    assert_eq!(found(&[foreign("aws-lc-sys", json!("ISC"))]).len(), 1);
    assert_eq!(found(&[foreign("sieve", json!("AGPL-3.0-only"))]).len(), 1);
    assert_eq!(found(&[foreign("unknown", Value::Null)]).len(), 1);
}

#[test]
fn every_crate_says_its_licence_and_stays_unpublished() {
    for (key, value) in [("license", Value::Null), ("publish", Value::Null), ("rust_version", json!("1.99"))]
    {
        let mut package = member("mail", &[]);
        package[key] = value;
        assert_eq!(found(&[package]).len(), 1, "{key}");
    }
}

#[test]
fn a_test_file_without_a_target_is_found() {
    let mut package = member("tests", &["qemu"]);
    package["manifest_path"] = json!(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    let sentences = found(&[package]);
    assert!(sentences.iter().any(|sentence| sentence.contains("tidy.rs: it never runs")), "{sentences:?}");
}

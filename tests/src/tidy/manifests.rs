//! Rules for Cargo.toml files, read from `cargo metadata`: edges between the rooms, drivers, bans, licences.

use super::spdx;
use super::tree::{Finding, repository};
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;

/// Which crate of this house may depend on which, for builds, tests and build scripts alike. A new edge needs its
/// line here and its reason in the README.
const EDGES: [(&str, &[&str]); 9] = [
    ("mail", &[]),
    ("proto", &["mail"]),
    ("store", &["mail", "flash"]),
    ("tegami", &["mail", "proto", "store", "board"]),
    ("board", &["flash"]),
    ("flash", &[]),
    ("image", &["board"]),
    ("qemu", &["image"]),
    // Never a crate of the firmware: a bug that the test shares with the program would hide.
    ("tests", &["qemu", "image"]),
];

/// Libraries that drive sockets and TLS, and who may use them: the program alone on the box, and the tests' clients.
const DRIVERS: [(&str, &[&str]); 4] = [
    ("tokio", &["tegami"]),
    ("tokio-rustls", &["tegami"]),
    ("hyper", &["tegami"]),
    ("rustls", &["tegami", "tests"]),
];

/// Never in the tree, directly or through another crate: second TLS stacks, C code that cross-builds badly.
const BANNED: [&str; 9] = [
    "aws-lc-fips-sys",
    "aws-lc-rs",
    "aws-lc-sys",
    "boring-sys",
    "native-tls",
    "openssl",
    "openssl-sys",
    "rustls-platform-verifier",
    "tokio-native-tls",
];

/// What the tree is resolved for: the box, and a developer's machine. Other systems' crates are never built here.
const TARGETS: [&str; 2] = ["aarch64-unknown-linux-gnu", "x86_64-unknown-linux-gnu"];

/// What cargo knows about this workspace and everything that it builds.
pub fn metadata() -> Value {
    let online = ["--locked"].as_slice();
    let offline = ["--locked", "--offline"].as_slice();
    let mut complaints = String::new();
    for network in [offline, online] {
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["metadata", "--format-version", "1"])
            .args(network)
            .args(TARGETS.iter().flat_map(|target| ["--filter-platform", target]))
            .current_dir(repository())
            .output()
            .expect("cargo can be started");
        if output.status.success() {
            return serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
        }
        complaints.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    panic!("cargo metadata fails:\n{complaints}");
}

/// Every rule of this file.
pub fn check(metadata: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    for package in members(metadata) {
        found.extend(edges(package));
        found.extend(drivers(package));
        found.extend(declarations(package));
        found.extend(targets(package));
    }
    found.extend(bans(metadata));
    found.extend(licences(metadata));
    found
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

/// The packages of this workspace: those that come from a path, not from a registry.
fn members(metadata: &Value) -> impl Iterator<Item = &Value> {
    list(metadata, "packages").filter(|package| package["source"].is_null())
}

fn manifest(package: &Value) -> String {
    let path = text(package, "manifest_path");
    let root = format!("{}/", repository().display());
    path.strip_prefix(&root).unwrap_or(path).to_owned()
}

fn edges(package: &Value) -> Vec<Finding> {
    let name = text(package, "name");
    let Some((_, permitted)) = EDGES.iter().find(|(known, _)| *known == name) else {
        let sentence =
            format!("crate `{name}` has no line in tidy's table of edges, nor a reason in the README");
        return vec![Finding::new(manifest(package), 1, sentence)];
    };
    list(package, "dependencies")
        .map(|dependency| text(dependency, "name"))
        .filter(|on| EDGES.iter().any(|(known, _)| known == on) && !permitted.contains(on))
        .map(|on| Finding::new(manifest(package), 1, format!("`{name}` may not import `{on}`")))
        .collect()
}

fn drivers(package: &Value) -> Vec<Finding> {
    let name = text(package, "name");
    list(package, "dependencies")
        .map(|dependency| text(dependency, "name"))
        .filter(|on| DRIVERS.iter().any(|(driver, who)| driver == on && !who.contains(&name)))
        .map(|on| Finding::new(manifest(package), 1, format!("`{name}` may not drive: it depends on `{on}`")))
        .collect()
}

fn declarations(package: &Value) -> Vec<Finding> {
    let mut found = Vec::new();
    if text(package, "license") != "MIT OR Apache-2.0" {
        found.push(Finding::new(manifest(package), 1, "does not say `license.workspace = true`"));
    }
    if package["publish"].as_array().is_none_or(|registries| !registries.is_empty()) {
        found.push(Finding::new(manifest(package), 1, "does not say `publish.workspace = true`"));
    }
    if text(package, "rust_version") != "1.95" {
        found.push(Finding::new(manifest(package), 1, "does not say `rust-version.workspace = true`"));
    }
    found
}

/// A test file that no target names never runs, and nothing says so.
fn targets(package: &Value) -> Vec<Finding> {
    let path = manifest(package);
    let folder = repository().join(&path).parent().map(std::path::Path::to_path_buf).unwrap_or_default();
    let known: BTreeSet<&str> = list(package, "targets").map(|target| text(target, "src_path")).collect();
    let Ok(entries) = std::fs::read_dir(&folder) else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|file| file.extension().is_some_and(|extension| extension == "rs"))
        .filter(|file| !known.contains(&*file.to_string_lossy()))
        .map(|file| Finding::new(&path, 1, format!("no target names {}: it never runs", file.display())))
        .collect()
}

/// The packages that are really part of some build, the workspace's own left out.
fn resolved(metadata: &Value) -> impl Iterator<Item = &Value> {
    let built: BTreeSet<&str> = list(&metadata["resolve"], "nodes").map(|node| text(node, "id")).collect();
    list(metadata, "packages")
        .filter(move |package| built.contains(text(package, "id")) && !package["source"].is_null())
}

fn bans(metadata: &Value) -> Vec<Finding> {
    resolved(metadata)
        .map(|package| text(package, "name"))
        .filter(|name| BANNED.contains(name))
        .map(|name| Finding::new("Cargo.lock", 0, format!("`{name}` is banned: see `cargo tree -i {name}`")))
        .collect()
}

fn licences(metadata: &Value) -> Vec<Finding> {
    resolved(metadata)
        .filter(|package| !spdx::is_permitted(text(package, "license")))
        .map(|package| {
            let (name, licence) = (text(package, "name"), text(package, "license"));
            Finding::new("Cargo.lock", 0, format!("`{name}` comes under `{licence}`, which is not permitted"))
        })
        .collect()
}

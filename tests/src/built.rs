//! The program, built by cargo for those who run it on this machine.

use crate::process::run;
use crate::tidy::tree::repository;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

/// Building the program on a machine that has not built it yet.
const BUILD_MAX: Duration = Duration::from_secs(1500);

/// The program, built once per run of the tests.
///
/// # Panics
/// With cargo's words, when it does not build.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--release", "-p", "tegami", "--message-format", "json-render-diagnostics"]);
        // What cargo tells this program about itself: build scripts that look at it would be run again, and all that
        // depends on them built again, whenever a person has built in between.
        let names = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
        for name in names.filter(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
        {
            cargo.env_remove(name);
        }
        let built = run(cargo.current_dir(repository()), BUILD_MAX).success();
        let artifacts = built.text();
        let messages =
            artifacts.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let mut executables = messages.filter_map(|message| {
            message["executable"]
                .as_str()
                .map(|path| (message["target"]["name"] == "tegami", PathBuf::from(path)))
        });
        executables
            .find(|(wanted, _)| *wanted)
            .map(|(_, path)| path)
            .expect("cargo names the program that it built")
    })
}

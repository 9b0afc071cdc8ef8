//! Care and rescue on a host: the tools that look at a flash which nobody serves, take its mail out, and put mail in.
//!
//! `check`, `stat`, `export` and `deleted` open the flash for reading alone; `import` and `undelete` write to it as the
//! box does, and so do `dkim` and `queue` where they change something. All of them take the lock that the box takes. They wait for flash
//! and files: nothing here runs while the network is served.

mod accounts;
mod arguments;
mod check;
mod deleted;
mod dkim;
mod export;
#[cfg(test)]
mod figures_tests;
mod flash;
mod import;
mod limits;
mod maildir;
mod mbox;
mod names;
mod output;
mod progress;
mod queue;
mod stat;
mod undelete;
mod wording;

use std::process::ExitCode;

use output::say;

pub(crate) use arguments::{Tool, is_tool, parse};
pub(crate) use limits::ENDURANCE_DEFAULT;
pub(crate) use wording::size;

/// A sentence for the person who started the tool.
type Problem = String;

/// How a tool ended that did its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// All went well.
    Good,
    /// Something did not, and has been said: damage, or letters that were left out.
    Flawed,
}

/// Runs a tool.
///
/// # Errors
/// A sentence for the person who started it.
pub(crate) fn run(tool: &Tool) -> Result<ExitCode, Problem> {
    let outcome = match tool {
        Tool::Help(text) => {
            say(text.trim_end());
            Ok(Outcome::Good)
        }
        Tool::Check { flash } => check::run(flash),
        Tool::Stat { flash, endurance } => stat::run(flash, *endurance),
        Tool::Export { flash, account, to } => export::run(flash, account, to),
        Tool::Import { flash, account, from } => import::run(flash, account, from),
        Tool::Deleted { flash, account } => deleted::run(flash, account),
        Tool::Undelete { flash, account, which } => undelete::run(flash, account, which),
        Tool::Dkim { flash, what } => dkim::run(flash, what),
        Tool::Queue { flash, what } => queue::run(flash, what),
    }?;
    Ok(if outcome == Outcome::Good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

//! What the black-box tests share: the program and the box as servers, clients, letters, load, and the house's rules.
//!
//! Nothing here imports a crate of the firmware, nor of the board: a bug that a test shares with the program would
//! hide. A harness fails by panicking, with a sentence; that is what the test runner catches.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking; so does what tests are made of"
)]

pub mod behaviours;
pub mod boxed;
pub mod built;
pub mod card;
pub mod certificates;
pub mod clean;
pub mod clearer;
pub mod clients;
pub mod daemon;
pub mod dns;
pub mod dovecot;
pub mod full;
pub mod hosted;
pub mod ledger;
pub mod letters;
pub mod load;
pub mod machine;
pub mod oddserver;
pub mod organiser;
pub mod outbound;
pub mod outside;
pub mod packages;
pub mod page;
pub mod ports;
pub mod postfix;
pub mod power;
pub mod process;
pub mod programs;
pub mod provision;
pub mod replay;
pub mod rescue;
pub mod scenarios;
pub mod shared;
pub mod site;
pub mod tidy;
pub mod usage;

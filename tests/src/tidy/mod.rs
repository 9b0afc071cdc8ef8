//! The rules of the house, as checks: what may import what, how long a file may grow, which licences may come in.
//!
//! Each rule is a function from a [`Tree`] (or from cargo's metadata) to a list of [`Finding`]s, so that it can be
//! tested on small bad examples; `tests/tidy.rs` runs them all on this repository. The rules themselves stand in
//! tables at the top of each file: growing the house means a line there, with its reason in the README.

pub mod manifests;
pub mod rust;
pub mod sources;
pub mod spdx;
pub mod texts;
pub mod tree;

pub use tree::{Finding, Tree};

#[cfg(test)]
mod manifests_tests;
#[cfg(test)]
mod sources_tests;
#[cfg(test)]
mod texts_tests;

//! Letters as MIME has them (RFC 5322, 2045 to 2049, 2231): scanned once while they stream in, searched later.
//!
//! [`Scanner`] takes a letter in chunks and gives a small summary, which the store keeps beside the letter; [`Summary`]
//! reads it, so that ENVELOPE, BODYSTRUCTURE and part offsets cost no look at the letter again.

pub mod charset;
pub mod decode;
pub mod encode;
pub mod fold;
pub mod header;
pub mod limits;
pub mod words;

pub(crate) mod date;

mod address;
mod body;
mod boundary;
mod content;
mod envelope;
mod fields;
mod guess;
mod jis;
mod lexer;
mod long_envelope;
mod params;
mod part;
mod preview;
mod scanner;
mod string;
mod summary;
mod tree;
mod utf7;

#[cfg(test)]
mod crosscheck_tests;
#[cfg(test)]
mod japanese_tests;
#[cfg(test)]
mod property_tests;
#[cfg(test)]
mod tests;

pub(crate) use address::first_domain;
pub use date::Date;
pub use long_envelope::{LongEnvelope, Next};
pub use part::{Encoding, Message, Part};
pub use scanner::Scanner;
pub use summary::Summary;

//! (to be written)

mod language;
mod passwords;
mod provision;

fn main() {}

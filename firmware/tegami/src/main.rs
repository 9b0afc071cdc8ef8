//! (to be written)

mod passwords;

fn main() {}

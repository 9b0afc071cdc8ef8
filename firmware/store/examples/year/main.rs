//! Plays a year of office life (`examples/office`) and says what it consists of.
//!
//! `cargo run --release -p store --example year -- --mix`

#[path = "../office/mod.rs"]
mod office;
mod plan;

/// Any year would do; this one is the same in every run.
const SEED: u64 = 0x5EED_0F0F_F1CE;

fn main() {
    plan::print(1 << 30);
}

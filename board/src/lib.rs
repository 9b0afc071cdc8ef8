//! (to be written)

pub mod layout;

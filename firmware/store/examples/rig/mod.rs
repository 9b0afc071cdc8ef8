//! What the measurements share: a flash in memory, processor time, and what is programmed for what.

pub(crate) mod clock;
pub(crate) mod memory;
pub(crate) mod profile;
pub(crate) mod times;

//! The index on its own.

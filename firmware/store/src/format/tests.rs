//! The format: what is written is read back.

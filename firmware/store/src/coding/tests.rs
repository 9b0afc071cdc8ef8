//! Tests of the coder as a whole.

//! Tests of connecting.

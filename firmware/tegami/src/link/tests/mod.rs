//! Tests of connections to other servers.

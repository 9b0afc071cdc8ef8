//! Where keys and certificates rest among the settings.

/// Setting that holds the authority.
pub(super) const AUTHORITY_KEY: &str = "certificates/authority";

/// Setting that holds the server's certificate.
pub(super) const LEAF_KEY: &str = "certificates/leaf";

pub(super) use crate::stored::{decode, encode};

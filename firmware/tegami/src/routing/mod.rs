//! Where letters for other servers go.

mod server;
mod stub;
pub(crate) use stub::*;

pub(crate) use server::Server;

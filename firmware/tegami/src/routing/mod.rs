//! Where letters for other servers go.

mod server;

pub(crate) use server::Server;

//! Plain protocol clients for what foreign programs cannot do: odd input, many connections, counting every reply.
//!
//! They block, one thread each. Every method comes in two forms where both are needed: one that returns the error,
//! for load while the server is being killed, and one that fails the test with the whole dialogue.

pub mod imap;
pub mod pop3;
pub mod smtp;
pub mod wire;

pub use imap::Imap;
pub use pop3::Pop3;
pub use smtp::Smtp;
pub use wire::Wire;

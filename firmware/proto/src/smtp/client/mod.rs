//! SMTP, the sending side (RFC 5321): letters to other servers, to their port 25 or to a smarthost's 587 and 465.
//!
//! `session` is the loop: greeting, EHLO, TLS, log-in, then job after job. `transaction` is one job, `transfer` its
//! letter. The rest are parts that know no session: `reply` and `extensions` read what the server says, `command` and
//! `auth` with `scram` write what it is told, `job` and `outcome` are what the caller gives and gets, `patience` the time limits.
//!
//! Who is connected to, whether its certificate is good, and when to try again are the caller's matter.

use alloc::string::String;

use crate::Login;

pub mod limits;

mod auth;
mod command;
mod extensions;
mod job;
mod outcome;
mod patience;
mod reply;
mod scram;
mod session;
mod transaction;
mod transfer;

#[cfg(test)]
mod tests;

pub use job::{Body, Job, Notify, Parameter, Recipient, Ret};
pub use outcome::{Ending, Fate, Outcome, Own, Reason, Stage};
pub use reply::{Breach, EnhancedStatus, Reply};
pub use session::SmtpClient;

/// How a server is to be talked to.
#[derive(Debug)]
pub struct Config {
    /// The name of this host, for EHLO: a domain or an address literal (RFC 5321 §4.1.4).
    pub hostname: String,
    /// What TLS must be.
    pub tls: Tls,
    /// Name and password, if the server is one to log in to.
    pub login: Option<Login>,
    /// New and random for every connection, printable ASCII without a comma: what a server has to be asked with so that it
    /// cannot answer with what it has heard before (RFC 5802 §5.1, `c-nonce`).
    pub nonce: String,
    /// The password may be sent without TLS: nobody can listen on the path.
    pub trusted_path: bool,
    /// The server is one that letters with REQUIRETLS may go to: its name was found in a secure way, and the driver ends
    /// the connection if the certificate does not prove it (RFC 8689 §4.2.1).
    pub require_tls: bool,
}

/// What TLS must be on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// The connection began with it (RFC 8314 §3.3).
    Implicit,
    /// STARTTLS (RFC 3207), or nothing is sent.
    Required,
    /// STARTTLS where it is announced. When the handshake fails the connection is lost; the caller may try again with
    /// [`Tls::None`].
    Opportunistic,
    /// None.
    None,
}

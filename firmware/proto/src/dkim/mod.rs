//! DKIM (RFC 6376, RFC 8463): what a letter's signature is made over, and the header field that carries it.
//!
//! Relaxed canonicalisation of header and body is all that is signed with: it survives the refolding that relays do.
//! [`BodyHash`] takes a letter while it streams by, and [`RelaxedBody`] its body; [`SignedHeader`] is made of a header block and gives one field for
//! each key, as many as there are. Digests and keys are the caller's: the body goes into a sink, which is a SHA-256 as a
//! rule, and a signature is asked for by a callback, so that nothing here knows a library for them.
//!
//! ```
//! use proto::dkim::{Algorithm, RelaxedBody, SignedHeader, Signer};
//!
//! # fn main() -> Result<(), proto::dkim::CannotSign> {
//! let mut canonical = Vec::new();
//! let mut body = RelaxedBody::new();
//! body.feed(b"Hi \r\nMom", &mut |piece| canonical.extend_from_slice(piece));
//! body.finish(&mut |piece| canonical.extend_from_slice(piece));
//! assert_eq!(canonical, b"Hi\r\nMom\r\n");
//!
//! let body_hash = [0; 32]; // SHA-256 of that
//! let header = SignedHeader::select(b"From: Ann <ann@example.test>\r\n\r\n")?;
//! let signer = Signer { domain: "example.test", selector: "t202611e", algorithm: Algorithm::Ed25519Sha256 };
//! let field = header.sign(&signer, &body_hash, None, |_data| Some(vec![0; 64]))?;
//! assert!(field.starts_with("DKIM-Signature: v=1; a=ed25519-sha256;"));
//! # Ok(())
//! # }
//! ```

pub mod limits;

mod body;
mod hash;
mod header;
mod signature;

#[cfg(test)]
mod tests;

pub use body::RelaxedBody;
pub use hash::{BodyHash, Digest};
pub use header::{SignedHeader, author_domain};
pub use signature::{Algorithm, CannotSign, Signer};

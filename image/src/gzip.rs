//! gzip without a time or a name inside, so that equal bytes become equal bytes.

use std::io::{self, Write};

use anyhow::{Context, Result};
use flate2::{Compression, GzBuilder};

/// Compresses as well as the format allows.
pub(crate) fn pack(bytes: &[u8]) -> Result<Vec<u8>> {
    let squeeze = || -> io::Result<Vec<u8>> {
        let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
        encoder.write_all(bytes)?;
        encoder.finish()
    };
    squeeze().context("cannot compress")
}

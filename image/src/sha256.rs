//! Checksums as the text that Debian and `sha256sum` write.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use ring::digest::{Context as Digest, SHA256};

/// Bytes read at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// The checksum of bytes, 64 hexadecimal digits.
pub fn of(bytes: &[u8]) -> String {
    let mut digest = Digest::new(&SHA256);
    digest.update(bytes);
    hex(digest)
}

/// The checksum of a file, 64 hexadecimal digits.
pub fn of_file(path: &Path) -> Result<String> {
    let mut digest = Digest::new(&SHA256);
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut read_all = || -> std::io::Result<()> {
        let mut file = File::open(path)?;
        loop {
            match file.read(&mut chunk)? {
                0 => return Ok(()),
                n => digest.update(&chunk[..n]),
            }
        }
    };
    read_all().with_context(|| format!("cannot read {}", path.display()))?;
    Ok(hex(digest))
}

fn hex(digest: Digest) -> String {
    digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

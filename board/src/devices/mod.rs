//! Flash devices of a Linux machine: a partition, a file, an MTD chip; and the reader beside each.
//!
//! [`open`] looks at what a path is and opens it with the lock taken; [`Disk::inherited`] takes descriptors that
//! PID 1 opened. May touch the kernel, nothing else.

mod aligned;
mod disk;
mod io;
mod lock;
mod mtd;
mod read_only;
mod reader;
#[cfg(test)]
pub(crate) mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use flash::{Fault, Flash};
use rustix::io::Errno;

pub(crate) use aligned::Aligned;
pub(crate) use disk::open_pair;
pub use disk::{Disk, Settings};
pub use lock::Holder;
pub use mtd::Mtd;
pub use read_only::ReadOnly;
pub use reader::Reader;
pub(crate) use reader::Shared;

/// A flash device that can be read while another thread writes it.
pub trait Device: Flash + Send {
    /// The way in beside the writer.
    fn reader(&self) -> Arc<dyn Reader>;
}

impl Flash for Box<dyn Device> {
    fn geometry(&self) -> flash::Geometry {
        (**self).geometry()
    }
    fn read(&mut self, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        (**self).read(offset, out)
    }
    fn program(&mut self, offset: u64, units: &[u8]) -> Result<(), Fault> {
        (**self).program(offset, units)
    }
    fn erase(&mut self, offset: u64, len: u64) -> Result<(), Fault> {
        (**self).erase(offset, len)
    }
    fn barrier(&mut self) -> Result<(), Fault> {
        (**self).barrier()
    }
}

impl Device for Box<dyn Device> {
    fn reader(&self) -> Arc<dyn Reader> {
        (**self).reader()
    }
}

/// Why a device was not opened. Every variant is a sentence for the person who named the path.
#[derive(Debug)]
pub enum OpenError {
    /// The system refused.
    Io {
        /// What was being done, as in "open".
        what: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Somebody else has it open.
    Held {
        /// The device.
        path: PathBuf,
        /// Who has it.
        holder: Holder,
    },
    /// It cannot be used as flash.
    Unfit {
        /// The device.
        path: PathBuf,
        /// Why not.
        why: String,
    },
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io { what, path, source } => write!(f, "cannot {what} {}: {source}", path.display()),
            Self::Held { path, holder } => write!(f, "{} is in use by {holder}", path.display()),
            Self::Unfit { path, why } => write!(f, "{} cannot hold the mail: {why}", path.display()),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl OpenError {
    fn io(what: &'static str, path: &Path, errno: Errno) -> Self {
        Self::Io { what, path: path.to_owned(), source: errno.into() }
    }

    fn unfit(path: &Path, why: impl Into<String>) -> Self {
        Self::Unfit { path: path.to_owned(), why: why.into() }
    }
}

/// Opens what `path` names: a block device, an MTD character device or a file, which is created when it is absent.
///
/// `size` is the least size of a file in bytes, rounded up to whole erase blocks; devices have their own.
///
/// # Errors
/// [`OpenError`], among others when somebody else has it open.
pub fn open(path: &Path, size: u64, settings: &Settings) -> Result<Box<dyn Device>, OpenError> {
    use rustix::fs::FileType;
    let kind = match rustix::fs::stat(path) {
        Ok(stat) => FileType::from_raw_mode(stat.st_mode),
        Err(Errno::NOENT) => FileType::RegularFile,
        Err(errno) => return Err(OpenError::io("look at", path, errno)),
    };
    match kind {
        FileType::RegularFile => Ok(Box::new(Disk::file(path, size, settings)?)),
        FileType::BlockDevice => Ok(Box::new(Disk::block(path, settings)?)),
        FileType::CharacterDevice => Ok(Box::new(Mtd::open(path)?)),
        _ => Err(OpenError::unfit(path, "it is neither a file nor a storage device")),
    }
}

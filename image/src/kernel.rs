//! The kernel: what the unpacked Debian package holds for us.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::modules::ModuleTree;
use crate::packages::Unpacked;
use crate::{gzip, paths};

/// An unpacked kernel package.
pub(crate) struct Kernel {
    package: Unpacked,
    /// As in `vmlinuz-6.1.0-56-arm64`.
    release: String,
}

impl Kernel {
    /// Finds the kernel in its package.
    pub(crate) fn open(package: Unpacked) -> Result<Self> {
        let modules = package.root.join("lib/modules");
        let mut entries =
            fs::read_dir(&modules).with_context(|| format!("cannot read {}", modules.display()))?;
        let entry = entries.next().with_context(|| format!("{} is empty", modules.display()))??;
        let release = entry.file_name().to_string_lossy().into_owned();
        Ok(Self { package, release })
    }

    /// Name and version of the package.
    pub(crate) fn name(&self) -> &str {
        &self.package.name
    }

    /// The kernel itself, compressed: a raw Image is three times as large. Kept, because it takes seconds.
    pub(crate) fn packed(&self) -> Result<Vec<u8>> {
        let kept = self.package.root.join("kernel.gz");
        if kept.is_file() {
            return paths::read(&kept);
        }
        let packed = gzip::pack(&paths::read(&self.boot_file("vmlinuz"))?)?;
        paths::write(&kept, &packed)?;
        Ok(packed)
    }

    /// Its modules.
    pub(crate) fn modules(&self) -> Result<ModuleTree> {
        let config = paths::read_text(&self.boot_file("config"))?;
        ModuleTree::open(&self.package.root.join("lib/modules").join(&self.release), &config)
    }

    /// A device tree, by its path below the package's folder of them.
    pub(crate) fn device_tree(&self, path: &str) -> PathBuf {
        self.package.root.join(format!("usr/lib/linux-image-{}", self.release)).join(path)
    }

    fn boot_file(&self, name: &str) -> PathBuf {
        Path::new(&self.package.root).join(format!("boot/{name}-{}", self.release))
    }
}

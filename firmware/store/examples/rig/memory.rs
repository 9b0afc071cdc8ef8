//! Flash in memory that counts erases and watches what is programmed.

use flash::{Fault, Flash, Geometry};

use super::clock::processor_ns;
use super::profile::Watcher;

/// See the module.
#[derive(Debug)]
pub(crate) struct Memory {
    bytes: Vec<u8>,
    geometry: Geometry,
    pub(crate) watcher: Watcher,
    /// By erase block.
    pub(crate) erases: Vec<u32>,
    pub(crate) barriers: u64,
    /// Processor time that watching took, in nanoseconds: not to be charged to whoever programs.
    pub(crate) watching_ns: u64,
}

impl Memory {
    /// A new flash. Its pages are touched, so that what is measured is not the kernel finding some.
    pub(crate) fn new(geometry: Geometry, segment_bytes: u32) -> Self {
        Self {
            bytes: vec![1; geometry.capacity as usize],
            watcher: Watcher::new(geometry.capacity, segment_bytes.into()),
            erases: vec![0; (geometry.capacity / u64::from(geometry.erase_size)) as usize],
            geometry,
            barriers: 0,
            watching_ns: 0,
        }
    }
}

impl Flash for Memory {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&mut self, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        let start = offset as usize;
        out.copy_from_slice(self.bytes.get(start..start + out.len()).ok_or(Fault::Misuse)?);
        Ok(())
    }

    fn program(&mut self, offset: u64, units: &[u8]) -> Result<(), Fault> {
        let start = offset as usize;
        self.bytes.get_mut(start..start + units.len()).ok_or(Fault::Misuse)?.copy_from_slice(units);
        let begun = processor_ns();
        self.watcher.program(offset, units);
        self.watching_ns += processor_ns() - begun;
        Ok(())
    }

    fn erase(&mut self, offset: u64, len: u64) -> Result<(), Fault> {
        let block = u64::from(self.geometry.erase_size);
        for block in offset / block..(offset + len) / block {
            self.erases[block as usize] += 1;
        }
        Ok(())
    }

    fn barrier(&mut self) -> Result<(), Fault> {
        let begun = processor_ns();
        self.watcher.barrier();
        self.watching_ns += processor_ns() - begun;
        self.barriers += 1;
        Ok(())
    }
}

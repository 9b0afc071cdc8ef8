//! Flash that keeps metadata and forgets bodies: a store of many gigabytes in a few.
//!
//! Nobody reads bodies when a store is mounted or listed, but those of the last group: the newest body segments are kept.

use std::collections::VecDeque;

use flash::{Fault, Flash, Geometry};

/// Body segments that are kept: more than a recovery verifies.
const BODIES_KEPT: usize = 4;
const MAGIC: &[u8] = b"TgmSegm\n";
const METADATA: u8 = 1;
/// What is kept of a forgotten segment: its header.
const HEADER_BYTES: usize = 4096;

/// What was read since it was last asked.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Read {
    pub(crate) calls: u64,
    pub(crate) bytes: u64,
    /// From body segments, their headers left out.
    pub(crate) bodies: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Forgetful {
    geometry: Geometry,
    segment_bytes: usize,
    segments: Vec<Vec<u8>>,
    bodies: VecDeque<usize>,
    pub(crate) read: Read,
    pub(crate) programmed: u64,
}

impl Forgetful {
    pub(crate) fn new(geometry: Geometry, segment_bytes: u32) -> Self {
        let segments = vec![Vec::new(); (geometry.capacity / u64::from(segment_bytes)) as usize];
        Self {
            geometry,
            segment_bytes: segment_bytes as usize,
            segments,
            bodies: VecDeque::new(),
            read: Read::default(),
            programmed: 0,
        }
    }

    const fn place(&self, offset: u64) -> (usize, usize) {
        let segment = self.segment_bytes as u64;
        ((offset / segment) as usize, (offset % segment) as usize)
    }

    /// Forgets the oldest body segment once there are too many.
    fn keep_body(&mut self, segment: usize) {
        self.bodies.push_back(segment);
        if self.bodies.len() > BODIES_KEPT
            && let Some(old) = self.bodies.pop_front()
        {
            self.segments[old].truncate(HEADER_BYTES);
            self.segments[old].shrink_to_fit();
        }
    }
}

impl Flash for Forgetful {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&mut self, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        let (segment, start) = self.place(offset);
        let bytes = self.segments.get(segment).ok_or(Fault::Misuse)?;
        self.read.calls += 1;
        self.read.bytes += out.len() as u64;
        if bytes.starts_with(MAGIC) && bytes[14] != METADATA && start + out.len() > 256 {
            self.read.bodies += out.len() as u64;
        }
        out.fill(0);
        if let Some(there) = bytes.get(start..) {
            let len = there.len().min(out.len());
            out[..len].copy_from_slice(&there[..len]);
        }
        Ok(())
    }

    fn program(&mut self, offset: u64, units: &[u8]) -> Result<(), Fault> {
        let (segment, start) = self.place(offset);
        let whole = self.segment_bytes;
        let bytes = self.segments.get_mut(segment).ok_or(Fault::Misuse)?;
        if bytes.len() < whole {
            bytes.resize(whole, 0);
        }
        bytes[start..start + units.len()].copy_from_slice(units);
        self.programmed += units.len() as u64;
        if start == 0 && units.starts_with(MAGIC) && units[14] != METADATA {
            self.keep_body(segment);
        }
        Ok(())
    }

    fn erase(&mut self, offset: u64, _len: u64) -> Result<(), Fault> {
        let (segment, start) = self.place(offset);
        if start == 0 {
            self.bodies.retain(|body| *body != segment);
            self.segments.get_mut(segment).ok_or(Fault::Misuse)?.clear();
        }
        Ok(())
    }

    fn barrier(&mut self) -> Result<(), Fault> {
        Ok(())
    }
}

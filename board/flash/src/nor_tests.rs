//! The adapter over a chip as `embedded_storage` describes them.

use std::vec;
use std::vec::Vec;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashErrorKind, ReadNorFlash, check_erase, check_read, check_write,
};

use super::Nor;
use crate::{Fault, Flash, Geometry};

/// A chip that erases to ones, clears bits, and reads whole words only.
struct Chip(Vec<u8>);

impl ErrorType for Chip {
    type Error = NorFlashErrorKind;
}

impl ReadNorFlash for Chip {
    const READ_SIZE: usize = 4;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Self::Error> {
        check_read(self, offset, bytes.len())?;
        bytes.copy_from_slice(&self.0[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for Chip {
    const WRITE_SIZE: usize = 256;
    const ERASE_SIZE: usize = 4096;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Self::Error> {
        check_erase(self, from, to)?;
        self.0[from as usize..to as usize].fill(0xFF);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Self::Error> {
        check_write(self, offset, bytes.len())?;
        let slots = &mut self.0[offset as usize..][..bytes.len()];
        slots.iter_mut().zip(bytes).for_each(|(slot, byte)| *slot &= byte);
        Ok(())
    }
}

#[test]
fn a_chip_is_a_flash() {
    let mut nor = Nor::new(Chip(vec![0; 16_384])).unwrap();
    assert_eq!(nor.geometry(), Geometry { capacity: 16_384, write_size: 256, erase_size: 4096 });
    nor.erase(4096, 8192).unwrap();
    let units: Vec<u8> = (0..1024).map(|at| (at / 3) as u8).collect();
    nor.program(4352, &units).unwrap();
    nor.barrier().unwrap();
    for (skip, len) in [(0, 1024), (1, 1), (3, 700), (255, 257), (2, 1000), (1020, 4)] {
        let mut out = vec![0; len];
        nor.read(4352 + skip as u64, &mut out).unwrap();
        assert_eq!(out, units[skip..skip + len], "{len} bytes at {skip}");
    }
    assert_eq!(nor.program(100, &units), Err(Fault::Misuse));
    assert_eq!(nor.read(16_384, &mut [0]), Err(Fault::Misuse));
    assert_eq!(nor.read(u64::from(u32::MAX) + 1, &mut [0]), Err(Fault::Misuse));
    let mut last = [0; 3];
    nor.read(16_381, &mut last).unwrap();
    assert_eq!(nor.into_chip().0[..4], [0; 4]);
}

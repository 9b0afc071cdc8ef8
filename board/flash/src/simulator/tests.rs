//! The simulator against its own promises, and the queues against each other.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::{Cut, Deferred, Erased, Simulator};
use crate::{BarrierId, Direct, Fault, Flash, FlashQueue, Geometry, QueueError, ReadError};

const GEOMETRY: Geometry = Geometry { capacity: 16 * 4096, write_size: 512, erase_size: 4096 };

fn device() -> Simulator {
    Simulator::new(GEOMETRY)
}

fn read(device: &mut impl Flash, offset: u64, len: usize) -> Vec<u8> {
    let mut out = vec![0xEE; len];
    device.read(offset, &mut out).unwrap();
    out
}

#[test]
fn reads_back_what_was_programmed_at_any_alignment() {
    let mut device = device();
    let units: Vec<u8> = (0..1024).map(|at| at as u8).collect();
    device.program(512, &units).unwrap();
    assert_eq!(read(&mut device, 512, 1024), units);
    assert_eq!(read(&mut device, 1000, 100), units[488..588]);
    assert_eq!(read(&mut device, 500, 20)[..12], [0; 12]);
}

#[test]
fn refuses_what_the_contract_forbids() {
    let mut device = device();
    device.program(0, &[1; 512]).unwrap();
    assert_eq!(device.program(0, &[1; 512]), Err(Fault::Misuse), "twice");
    assert_eq!(device.program(100, &[1; 512]), Err(Fault::Misuse), "not aligned");
    assert_eq!(device.program(512, &[1; 100]), Err(Fault::Misuse), "half a unit");
    assert_eq!(device.program(512, &[]), Err(Fault::Misuse), "nothing");
    assert_eq!(device.program(3584, &[1; 1024]), Err(Fault::Misuse), "across blocks");
    assert_eq!(device.program(65_536, &[1; 512]), Err(Fault::Misuse), "outside");
    assert_eq!(device.erase(512, 4096), Err(Fault::Misuse), "half blocks");
    assert_eq!(device.read(65_536, &mut [0]), Err(Fault::Misuse), "outside");
    assert_eq!(device.read(u64::MAX, &mut [0; 2]), Err(Fault::Misuse), "overflow");
    assert_eq!(device.counts().misuses, 9);
    device.erase(0, 4096).unwrap();
    device.program(0, &[2; 512]).unwrap();
}

#[test]
fn an_erased_block_reads_as_it_was_told() {
    let mut device = device();
    device.program(0, &[7; 512]).unwrap();
    device.erase(0, 4096).unwrap();
    assert_eq!(read(&mut device, 0, 512), [7; 512], "stale");
    device.set_erased(Erased::Ones);
    device.erase(0, 4096).unwrap();
    assert_eq!(read(&mut device, 0, 512), [0xFF; 512]);
    device.set_erased(Erased::Noise);
    device.erase(0, 4096).unwrap();
    assert_ne!(read(&mut device, 0, 512), [0xFF; 512]);
    assert_eq!(device.wear()[..2], [3, 0]);
}

#[test]
fn a_used_card_must_be_erased_first() {
    let mut device = Simulator::noise(GEOMETRY, 4);
    assert_ne!(read(&mut device, 0, 512), read(&mut device, 512, 512));
    assert_eq!(device.program(0, &[1; 512]), Err(Fault::Misuse));
    device.erase(0, 4096).unwrap();
    device.program(0, &[1; 512]).unwrap();
}

#[test]
fn what_a_barrier_covers_survives_every_cut() {
    for cut in Cut::ALL {
        for seed in 0..50 {
            let mut device = device();
            device.program(0, &[1; 512]).unwrap();
            device.barrier().unwrap();
            device.program(512, &[2; 512]).unwrap();
            device.cut_after(1);
            device.program(1024, &[3; 512]).unwrap();
            assert_eq!(device.program(1536, &[4; 1024]), Err(Fault::Io));
            assert_eq!(device.read(0, &mut [0]), Err(Fault::Io));
            device.power_on(cut, seed);
            assert_eq!(read(&mut device, 0, 512), [1; 512]);
            let later = read(&mut device, 512, 1024);
            match cut {
                Cut::AllLost => assert_eq!(later, [0; 1024]),
                Cut::OutOfOrder => {}
                _ => assert_eq!(later, [&[2; 512][..], &[3; 512]].concat()),
            }
            assert_eq!(device.program(1536, &[4; 512]), Err(Fault::Misuse), "a torn unit is used");
            assert_eq!(read(&mut device, 2560, 512), [0; 512], "nothing else was touched");
        }
    }
}

#[test]
fn out_of_order_means_every_combination() {
    let mut seen = [[false; 3]; 3];
    let kind = |unit: &[u8]| match unit {
        old if old.iter().all(|byte| *byte == 0) => 0,
        new if new.iter().all(|byte| *byte == 9) => 1,
        _ => 2,
    };
    for seed in 0..200 {
        let mut device = device();
        device.program(0, &[9; 512]).unwrap();
        device.program(512, &[9; 512]).unwrap();
        device.cut();
        device.power_on(Cut::OutOfOrder, seed);
        let both = read(&mut device, 0, 1024);
        seen[kind(&both[..512])][kind(&both[512..])] = true;
    }
    assert_eq!(seen, [[true; 3]; 3]);
}

#[test]
fn a_torn_word_is_one_word() {
    for seed in 0..100 {
        let mut device = device();
        device.cut_after(0);
        assert_eq!(device.program(0, &[0xFF; 1024]), Err(Fault::Io));
        device.power_on(Cut::TornWord, seed);
        let found = read(&mut device, 0, 1024);
        let whole = found.iter().take_while(|byte| **byte == 0xFF).count();
        let clean = found.iter().rev().take_while(|byte| **byte == 0).count();
        assert!(1024 - whole - clean <= 8, "seed {seed}: {whole} new, {clean} old");
    }
}

#[test]
fn an_erase_without_a_barrier_cannot_be_relied_on() {
    let mut device = device();
    device.program(0, &[1; 512]).unwrap();
    device.barrier().unwrap();
    device.erase(0, 4096).unwrap();
    device.cut();
    device.power_on(Cut::AllKept, 0);
    assert_eq!(device.program(0, &[2; 512]), Err(Fault::Misuse));
    device.erase(0, 4096).unwrap();
    device.barrier().unwrap();
    device.cut();
    device.power_on(Cut::AllLost, 0);
    device.program(0, &[2; 512]).unwrap();
}

#[test]
fn a_dead_process_leaves_its_programs_without_a_barrier() {
    let mut device = device();
    device.program(0, &[1; 512]).unwrap();
    device.cut();
    device.power_on(Cut::Process, 0);
    assert_eq!(read(&mut device, 0, 512), [1; 512]);
    device.cut();
    device.power_on(Cut::AllLost, 0);
    assert_eq!(read(&mut device, 0, 512), [0; 512]);
}

#[test]
fn failures_come_when_asked_for() {
    let mut device = device();
    device.fail_program(1);
    device.program(0, &[1; 512]).unwrap();
    assert_eq!(device.program(512, &[1; 512]), Err(Fault::Io));
    assert_eq!(device.program(512, &[1; 512]), Err(Fault::Misuse), "a failed program uses its units up");
    device.fail_erase(0);
    assert_eq!(device.erase(0, 4096), Err(Fault::Io));
    device.erase(0, 4096).unwrap();
    device.set_read_only(true);
    assert_eq!(device.program(0, &[1; 512]), Err(Fault::ReadOnly));
    device.set_read_only(false);
    device.spoil(100..101);
    assert_eq!(device.read(0, &mut [0; 512]), Err(Fault::Io));
    device.read(101, &mut [0; 512]).unwrap();
    device.damage(8192..8193).unwrap();
    assert_eq!(read(&mut device, 8191, 3), [0, 0x5A, 0]);
}

#[test]
fn a_failed_barrier_loses_data_that_a_later_one_does_not_save() {
    let mut lost_late = false;
    for seed in 0..100 {
        let mut device = device();
        device.reseed(seed);
        device.program(0, &[1; 512]).unwrap();
        device.fail_barrier(0);
        assert_eq!(device.barrier(), Err(Fault::Io));
        device.barrier().unwrap();
        let before = read(&mut device, 0, 512);
        device.cut();
        device.power_on(Cut::AllKept, seed);
        lost_late |= before == [1; 512] && read(&mut device, 0, 512) != [1; 512];
    }
    assert!(lost_late);
}

#[test]
fn deferred_moves_only_when_told() {
    let mut queue = Deferred::new(device(), 1024);
    queue.program(0, &[1; 512]).unwrap();
    let id = queue.barrier().unwrap();
    let mut out = [0; 600];
    queue.read(0, &mut out).unwrap();
    assert_eq!(out[..513], [&[1; 512][..], &[0]].concat(), "a read sees what is queued");
    assert_eq!(queue.device().counts().programs, 0);
    assert_eq!(queue.settled(), None);
    assert_eq!(queue.run(1), 1);
    assert_eq!(queue.device().counts().programs, 1);
    assert_eq!(queue.settled(), None);
    assert_eq!(queue.run_all(), 1);
    assert_eq!(queue.settled(), Some((id, Ok(()))));
    assert_eq!(queue.settled(), None);
}

#[test]
fn deferred_says_busy_and_cold() {
    let mut queue = Deferred::new(device(), 1024);
    queue.program(0, &[1; 1536]).unwrap();
    assert_eq!(queue.room(), 0);
    assert_eq!(queue.program(1536, &[1; 512]), Err(QueueError::Busy));
    queue.chill();
    queue.read(0, &mut [0; 1536]).unwrap();
    assert_eq!(queue.read(0, &mut [0; 1537]), Err(ReadError::Cold));
    queue.run_all();
    assert_eq!(queue.room(), 1024);
    assert_eq!(queue.read(0, &mut [0; 512]), Err(ReadError::Cold), "written past the cache");
    queue.warm(0, 4096);
    queue.read(0, &mut [0; 512]).unwrap();
}

/// What stands behind a failed barrier falls with it until the caller knows; then the queue is clean.
fn drop_behind_failure<Q: FlashQueue>(mut queue: Q, mut run: impl FnMut(&mut Q)) {
    queue.program(0, &[1; 512]).unwrap();
    let first = queue.barrier().unwrap();
    queue.program(512, &[2; 512]).unwrap();
    let second = queue.barrier().unwrap();
    run(&mut queue);
    queue.program(1024, &[3; 512]).unwrap();
    let third = queue.barrier().unwrap();
    assert_eq!(queue.settled(), Some((first, Err(Fault::Io))));
    queue.program(1536, &[4; 512]).unwrap();
    let fourth = queue.barrier().unwrap();
    assert_eq!(queue.settled(), Some((second, Err(Fault::Io))));
    run(&mut queue);
    assert_eq!(queue.settled(), Some((third, Err(Fault::Io))));
    assert_eq!(queue.settled(), Some((fourth, Ok(()))));
    let mut out = [9; 1536];
    queue.read(512, &mut out).unwrap();
    assert_eq!(out, *[&[0; 1024][..], &[4; 512]].concat());
}

#[test]
fn what_stands_behind_a_failed_barrier_is_dropped() {
    let mut failing = device();
    failing.fail_barrier(0);
    drop_behind_failure(Direct::new(failing.clone()), |_| {});
    drop_behind_failure(Deferred::new(failing, 4096), |queue| {
        queue.run_all();
    });
}

#[test]
fn a_failed_program_fails_the_next_barrier_alone() {
    let mut failing = device();
    failing.fail_program(0);
    let mut queue = Direct::new(failing);
    queue.program(0, &[1; 512]).unwrap();
    assert_eq!(queue.barrier(), Ok(BarrierId(1)));
    assert_eq!(queue.settled(), Some((BarrierId(1), Err(Fault::Io))));
    queue.barrier().unwrap();
    assert_eq!(queue.settled(), Some((BarrierId(2), Ok(()))));
}

#[test]
fn a_block_that_is_worn_out_fails_for_good() {
    let mut device = device();
    device.wear_out(4096..8192, false);
    device.wear_out(8192..8193, true);
    for _ in 0..3 {
        device.erase(4096, 4096).unwrap();
        assert_eq!(device.program(4096, &[1; 512]), Err(Fault::Io));
        assert_eq!(device.erase(4096, 8192), Err(Fault::Io), "a part of it");
        device.erase(0, 4096).unwrap();
        device.program(3584, &[1; 512]).unwrap();
        device.cut();
        device.power_on(Cut::AllKept, 0);
    }
}

/// Where a failure happened is known from its report until that of the next one.
fn failures_have_places<Q: FlashQueue>(mut queue: Q, mut run: impl FnMut(&mut Q)) {
    let mut settle = |queue: &mut Q| {
        queue.barrier().unwrap();
        run(queue);
        let result = queue.settled().unwrap().1;
        (result, queue.failed_at())
    };
    queue.program(0, &[1; 512]).unwrap();
    assert_eq!(settle(&mut queue), (Ok(()), None));
    queue.program(512, &[1; 512]).unwrap();
    queue.program(5120, &[1; 512]).unwrap();
    queue.erase(4096, 4096).unwrap();
    assert_eq!(settle(&mut queue), (Err(Fault::Io), Some(5120)), "the first of them");
    queue.program(1024, &[1; 512]).unwrap();
    assert_eq!(settle(&mut queue), (Ok(()), Some(5120)));
    queue.erase(4096, 4096).unwrap();
    assert_eq!(settle(&mut queue), (Err(Fault::Io), Some(4096)));
    assert_eq!(settle(&mut queue), (Ok(()), Some(4096)));
    assert_eq!(settle(&mut queue), (Err(Fault::Io), None), "the barrier itself");
}

#[test]
fn a_failure_can_be_told_its_place() {
    let mut failing = device();
    failing.wear_out(4096..8192, true);
    // Barriers behind a failed program do not reach the device.
    failing.fail_barrier(3);
    failures_have_places(Direct::new(failing.clone()), |_| {});
    failures_have_places(Deferred::new(failing, 4096), |queue| {
        queue.run_all();
    });
}

#[derive(Clone, Debug)]
enum Op {
    Program(u64, u64, u8),
    Erase(u64),
    Barrier,
    Read(u64, usize),
    Run(usize),
    Cut(usize, u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => (0..128_u64, 1..4_u64, any::<u8>()).prop_map(|(unit, len, fill)| Op::Program(unit, len, fill)),
        2 => (0..16_u64).prop_map(Op::Erase),
        2 => Just(Op::Barrier),
        4 => (0..65_000_u64, 1..2000_usize).prop_map(|(offset, len)| Op::Read(offset, len)),
        2 => (0..4_usize).prop_map(Op::Run),
        1 => (0..Cut::ALL.len(), any::<u64>()).prop_map(|(cut, seed)| Op::Cut(cut, seed)),
    ]
}

proptest! {
    /// Direct and Deferred show the same content at all times, and that of a plain array; after a cut, both devices
    /// hold the same when everything had reached them.
    #[test]
    fn queues_and_model_agree(ops in proptest::collection::vec(op(), 1..80)) {
        let mut direct = Direct::new(device());
        let mut deferred = Deferred::new(device(), 4096);
        let mut model = vec![0; 65_536];
        let mut used = [false; 128];
        for op in ops {
            match op {
                Op::Program(unit, len, fill) => {
                    let (at, units) = (unit * 512, vec![fill; len as usize * 512]);
                    let range = unit as usize..(unit + len) as usize;
                    if GEOMETRY.check_program(at, len * 512).is_err() {
                        let misuse = Err(QueueError::Fault(Fault::Misuse));
                        prop_assert_eq!(direct.program(at, &units), misuse);
                        prop_assert_eq!(deferred.program(at, &units), misuse);
                    } else if !used[range.clone()].contains(&true) {
                        if deferred.program(at, &units) == Err(QueueError::Busy) {
                            deferred.run_all();
                            deferred.program(at, &units).unwrap();
                        }
                        direct.program(at, &units).unwrap();
                        model[at as usize..at as usize + units.len()].copy_from_slice(&units);
                        used[range].fill(true);
                    }
                }
                Op::Erase(block) => {
                    direct.erase(block * 4096, 4096).unwrap();
                    deferred.erase(block * 4096, 4096).unwrap();
                    used[block as usize * 8..][..8].fill(false);
                }
                Op::Barrier => prop_assert_eq!(direct.barrier(), deferred.barrier()),
                Op::Read(offset, len) => {
                    let (mut a, mut b) = (vec![1; len], vec![2; len]);
                    let end = offset as usize + len;
                    if end <= model.len() {
                        direct.read(offset, &mut a).unwrap();
                        deferred.read(offset, &mut b).unwrap();
                        prop_assert_eq!(&a, &model[offset as usize..end]);
                        prop_assert_eq!(&b, &model[offset as usize..end]);
                    }
                }
                Op::Run(count) => { deferred.run(count); }
                Op::Cut(cut, seed) => {
                    deferred.run_all();
                    while let Some(settled) = direct.settled() {
                        prop_assert_eq!(Some(settled), deferred.settled());
                        prop_assert_eq!(settled.1, Ok(()));
                    }
                    for device in [direct.device(), deferred.device()] {
                        device.cut();
                        device.power_on(Cut::ALL[cut], seed);
                        device.erase(0, GEOMETRY.capacity).unwrap();
                    }
                    let found = read(direct.device(), 0, model.len());
                    prop_assert_eq!(&found, &read(deferred.device(), 0, model.len()));
                    model = found;
                    used.fill(false);
                }
            }
        }
        prop_assert_eq!(direct.device().counts().misuses + deferred.device().counts().misuses, 0);
    }
}

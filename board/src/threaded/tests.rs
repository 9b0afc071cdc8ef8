//! The writer thread: against a model, against a device that fails, on files.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use flash::simulator::Simulator;
use flash::{BarrierId, Fault, Flash, FlashQueue, Geometry, QueueError, ReadError};
use proptest::prelude::*;

use super::{Options, Threaded};
use crate::devices::{Reader, Settings, open, tests::in_memory, tests::on_disk};

const GEOMETRY: Geometry = Geometry { capacity: 1 << 20, write_size: 512, erase_size: 65_536 };

/// A queue over `device`, and what it wakes.
fn start(device: impl Flash + Send + 'static, options: Options) -> (Threaded, mpsc::Receiver<()>) {
    let (wake, woken) = mpsc::channel();
    let queue = Threaded::sharing(
        device,
        options,
        Box::new(move || {
            let _ = wake.send(());
        }),
    )
    .unwrap();
    (queue, woken)
}

fn wait(queue: &mut Threaded, woken: &mpsc::Receiver<()>) -> (BarrierId, Result<(), Fault>) {
    loop {
        if let Some(settled) = queue.settled() {
            return settled;
        }
        woken.recv_timeout(Duration::from_secs(10)).unwrap();
    }
}

/// A device that stands still at every program until told to go on.
struct Gate(Simulator, mpsc::Receiver<()>);

impl Flash for Gate {
    fn geometry(&self) -> Geometry {
        self.0.geometry()
    }
    fn read(&mut self, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.0.read(offset, out)
    }
    fn program(&mut self, offset: u64, units: &[u8]) -> Result<(), Fault> {
        let _ = self.1.recv();
        self.0.program(offset, units)
    }
    fn erase(&mut self, offset: u64, len: u64) -> Result<(), Fault> {
        self.0.erase(offset, len)
    }
    fn barrier(&mut self) -> Result<(), Fault> {
        self.0.barrier()
    }
}

#[test]
fn nobody_waits_for_a_device_that_stands_still() {
    let (go, gate) = mpsc::channel();
    let options = Options { room: 8192, ..Options::default() };
    let (mut queue, woken) = start(Gate(Simulator::new(GEOMETRY), gate), options);
    queue.program(0, &[1; 512]).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    queue.program(512, &[2; 7168]).unwrap();
    let mut out = [0; 1000];
    queue.read(100, &mut out).unwrap();
    assert_eq!(
        out[..],
        [&[1; 412][..], &[2; 588]].concat(),
        "reads see what is queued and what is being written"
    );
    assert_eq!(queue.read(60_000, &mut out), Err(ReadError::Cold), "the device is busy");
    assert_eq!(queue.room(), 512);
    assert_eq!(queue.program(65_536, &[3; 1024]), Err(QueueError::Busy));
    let id = queue.barrier().unwrap();
    assert_eq!(queue.settled(), None);
    drop(go);
    assert_eq!(wait(&mut queue, &woken), (id, Ok(())));
    assert_eq!(queue.room(), 8192);
    let measures = queue.measures();
    assert_eq!((measures.programmed_bytes, measures.writes, measures.barriers), (7680, 2, 1));
}

#[test]
fn room_wakes_who_was_refused() {
    let (go, gate) = mpsc::channel();
    let options = Options { room: 4096, ..Options::default() };
    let (mut queue, woken) = start(Gate(Simulator::new(GEOMETRY), gate), options);
    for at in 0..4 {
        queue.program(at * 65_536, &[1; 1024]).unwrap();
    }
    assert_eq!(queue.program(4 * 65_536, &[1; 1024]), Err(QueueError::Busy));
    assert!(woken.recv_timeout(Duration::from_millis(50)).is_err());
    go.send(()).unwrap();
    assert!(woken.recv_timeout(Duration::from_millis(50)).is_err(), "a quarter is not worth waking for");
    go.send(()).unwrap();
    woken.recv_timeout(Duration::from_secs(10)).unwrap();
    queue.program(4 * 65_536, &[1; 1024]).unwrap();
    drop(go);
}

#[test]
fn neighbours_share_a_write_but_not_across_erase_blocks() {
    let (go, gate) = mpsc::channel();
    let (mut queue, woken) = start(Gate(Simulator::new(GEOMETRY), gate), Options::default());
    queue.program(0, &[0; 512]).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    for at in 0..16 {
        queue.program(65_536 - 4096 + at * 512, &[at as u8; 512]).unwrap();
    }
    queue.barrier().unwrap();
    drop(go);
    assert_eq!(wait(&mut queue, &woken).1, Ok(()));
    assert_eq!(queue.measures().writes, 3);
    let mut out = [0; 8192];
    queue.read(65_536 - 4096, &mut out).unwrap();
    assert!(out.chunks(512).enumerate().all(|(at, unit)| unit == [at as u8; 512]));
}

#[test]
fn small_neighbours_make_large_writes() {
    let (go, gate) = mpsc::channel();
    let (mut queue, woken) = start(Gate(Simulator::new(GEOMETRY), gate), Options::default());
    queue.program(65_536, &[0; 512]).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    for at in 0..128 {
        queue.program(at * 512, &[at as u8; 512]).unwrap();
    }
    queue.barrier().unwrap();
    drop(go);
    assert_eq!(wait(&mut queue, &woken).1, Ok(()));
    assert_eq!(queue.measures().writes, 2);
    let mut out = [0; 65_536];
    queue.read(0, &mut out).unwrap();
    assert!(out.chunks(512).enumerate().all(|(at, unit)| unit == [at as u8; 512]));
}

#[test]
fn what_stands_behind_a_failed_barrier_is_dropped() {
    let (go, gate) = mpsc::channel();
    let mut device = Simulator::new(GEOMETRY);
    device.fail_barrier(0);
    let (mut queue, woken) = start(Gate(device, gate), Options::default());
    queue.program(0, &[1; 512]).unwrap();
    let first = queue.barrier().unwrap();
    queue.program(512, &[2; 512]).unwrap();
    let second = queue.barrier().unwrap();
    go.send(()).unwrap();
    woken.recv_timeout(Duration::from_secs(10)).unwrap();
    queue.program(1024, &[3; 512]).unwrap();
    let third = queue.barrier().unwrap();
    drop(go);
    assert_eq!(queue.settled(), Some((first, Err(Fault::Io))));
    queue.program(1536, &[4; 512]).unwrap();
    let fourth = queue.barrier().unwrap();
    assert_eq!(wait(&mut queue, &woken), (second, Err(Fault::Io)));
    assert_eq!(wait(&mut queue, &woken), (third, Err(Fault::Io)));
    assert_eq!(wait(&mut queue, &woken), (fourth, Ok(())));
    let mut out = [9; 1536];
    queue.read(512, &mut out).unwrap();
    assert_eq!(out[..], [&[0; 1024][..], &[4; 512]].concat());
    assert_eq!(queue.measures().barriers_failed, 1);
}

#[test]
fn a_failed_program_fails_its_barrier() {
    let mut device = Simulator::new(GEOMETRY);
    device.fail_program(0);
    let (mut queue, woken) = start(device, Options::default());
    queue.program(0, &[1; 512]).unwrap();
    queue.barrier().unwrap();
    assert_eq!(wait(&mut queue, &woken).1, Err(Fault::Io));
    queue.barrier().unwrap();
    assert_eq!(wait(&mut queue, &woken).1, Ok(()));
}

#[test]
fn a_barrier_takes_as_long_as_it_was_told() {
    let options = Options { barrier_delay: Duration::from_millis(20), ..Options::default() };
    let (mut queue, woken) = start(Simulator::new(GEOMETRY), options);
    let started = Instant::now();
    queue.program(0, &[1; 512]).unwrap();
    queue.barrier().unwrap();
    queue.barrier().unwrap();
    assert_eq!(wait(&mut queue, &woken).1, Ok(()));
    assert_eq!(wait(&mut queue, &woken).1, Ok(()));
    assert!(started.elapsed() >= Duration::from_millis(20));
    let measures = queue.measures();
    assert_eq!(measures.barriers, 1, "nothing lies between the two");
    assert!(measures.barrier_last >= Duration::from_millis(20));
    assert_eq!(measures.barrier_mean(), measures.barrier_last);
}

#[test]
fn stopping_finishes_what_is_queued_and_refuses_the_rest() {
    let woken = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&woken);
    let wake = Box::new(move || {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let mut queue = Threaded::sharing(Simulator::new(GEOMETRY), Options::default(), wake).unwrap();
    for at in 0..100 {
        queue.program(at * 1024, &[7; 512]).unwrap();
    }
    let id = queue.barrier().unwrap();
    queue.stop();
    assert_eq!(woken.load(Ordering::Relaxed), 1);
    assert_eq!(queue.settled(), Some((id, Ok(()))));
    assert_eq!(queue.barrier(), Err(QueueError::Fault(Fault::Io)));
    let mut out = [0; 512];
    queue.read(99 * 1024, &mut out).unwrap();
    assert_eq!(out, [7; 512]);
}

/// Fills, reads, restarts, reads again.
fn exercise(path: &Path) {
    let settings = Settings { write_size: 4096, erase_size: 1 << 20 };
    let device = open(path, 8 << 20, &settings).unwrap();
    let (wake, woken) = mpsc::channel();
    let wake = Box::new(move || {
        let _ = wake.send(());
    });
    let mut queue = Threaded::new(device, Options::default(), wake).unwrap();
    let unit = |at: u64| vec![(at / 4096 % 251) as u8; 65_536];
    let mut offset = 0;
    while offset < 8 << 20 {
        match queue.program(offset, &unit(offset)) {
            Ok(()) => offset += 65_536,
            Err(QueueError::Busy) => woken.recv_timeout(Duration::from_secs(60)).unwrap(),
            Err(fault) => panic!("{fault:?}"),
        }
        let mut out = vec![0; 65_536];
        queue.read(offset.saturating_sub(65_536), &mut out).unwrap_or_else(|error| {
            assert_eq!(error, ReadError::Cold);
            out = unit(offset.saturating_sub(65_536));
        });
        if offset > 0 {
            assert_eq!(out, unit(offset - 65_536));
        }
    }
    queue.barrier().unwrap();
    assert_eq!(wait(&mut queue, &woken).1, Ok(()));
    let warmer = queue.warmer();
    for at in (0..8 << 20).step_by(1 << 20) {
        std::thread::scope(|scope| scope.spawn(|| warmer.warm(at, 1 << 20)).join().unwrap()).unwrap();
        let mut out = vec![0; 65_536];
        queue.read(at + 65_536, &mut out).unwrap();
        assert_eq!(out, unit(at + 65_536));
        queue.read_through(at + 65_536, &mut out).unwrap();
        assert_eq!(out, unit(at + 65_536));
    }
    drop(queue);
    fs::remove_file(path).unwrap();
}

#[test]
fn a_file_on_disk() {
    exercise(&on_disk("threaded"));
}

#[test]
fn a_file_in_memory() {
    exercise(&in_memory("threaded"));
}

#[test]
fn written_directly_means_cold_until_warmed() {
    let path = on_disk("cold");
    let settings = Settings { write_size: 4096, erase_size: 1 << 20 };
    let (wake, woken) = mpsc::channel();
    let wake = Box::new(move || {
        let _ = wake.send(());
    });
    let mut queue =
        Threaded::new(open(&path, 1 << 20, &settings).unwrap(), Options::default(), wake).unwrap();
    queue.program(0, &[3; 8192]).unwrap();
    queue.barrier().unwrap();
    assert_eq!(wait(&mut queue, &woken).1, Ok(()));
    let mut out = [0; 8192];
    assert_eq!(queue.read(0, &mut out), Err(ReadError::Cold));
    queue.warmer().warm(0, 8192).unwrap();
    queue.read(0, &mut out).unwrap();
    assert_eq!(out, [3; 8192]);
    fs::remove_file(path).unwrap();
}

/// A way in beside the writer as Linux has it: a page that could not be read is not in memory, whoever asks.
struct Spoilt(Simulator, std::sync::Mutex<Vec<u64>>);

impl Reader for Spoilt {
    fn read_now(&self, offset: u64, out: &mut [u8]) -> Result<(), ReadError> {
        let warm = self.1.lock().unwrap();
        let mut pages = offset / 4096..=(offset + out.len() as u64 - 1) / 4096;
        if pages.any(|page| !warm.contains(&page)) {
            return Err(ReadError::Cold);
        }
        self.0.clone().read(offset, out).map_err(ReadError::Fault)
    }
    fn read_waiting(&self, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.0.clone().read(offset, out)?;
        self.1.lock().unwrap().extend(offset / 4096..=(offset + out.len() as u64 - 1) / 4096);
        Ok(())
    }
    fn read_medium(&self, offset: u64, out: &mut [u8]) -> Result<(), Fault> {
        self.read_waiting(offset, out)
    }
}

#[test]
fn what_cannot_be_read_is_a_fault_and_not_cold_for_ever() {
    let mut device = Simulator::new(GEOMETRY);
    device.spoil(20_000..20_001);
    let reader = Arc::new(Spoilt(device.clone(), std::sync::Mutex::default()));
    let (wake, woken) = mpsc::channel();
    let wake = Box::new(move || {
        let _ = wake.send(());
    });
    let mut queue = Threaded::start(device, reader, Options::default(), wake).unwrap();
    let mut out = vec![0; 65_536];
    assert_eq!(queue.read(0, &mut out), Err(ReadError::Cold));
    assert_eq!(queue.warmer().warm(0, 65_536), Err(Fault::Io));
    assert_eq!(queue.read(0, &mut out), Err(ReadError::Fault(Fault::Io)), "a part of it");
    queue.read(0, &mut out[..16_384]).unwrap();
    queue.read(20_480, &mut out[..45_056]).unwrap();
    assert_eq!(queue.read(16_384, &mut out[..10]), Err(ReadError::Fault(Fault::Io)));
    assert_eq!(queue.read(65_536, &mut out[..10]), Err(ReadError::Cold));
    queue.erase(0, 65_536).unwrap();
    queue.program(16_384, &[5; 4096]).unwrap();
    queue.barrier().unwrap();
    assert_eq!(wait(&mut queue, &woken).1, Ok(()));
    assert_eq!(queue.read(16_384, &mut out[..10]), Err(ReadError::Cold), "it has been written anew");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever is programmed, erased and read, at whatever moment: reads show a plain array's content.
    #[test]
    fn reads_agree_with_a_model(ops in proptest::collection::vec((0..2048_u64, 1..130_u64, any::<u8>(), 0..8_u8), 1..200)) {
        let options = Options { room: 65_536, ..Options::default() };
        let (mut queue, woken) = start(Simulator::new(GEOMETRY), options);
        let mut model = vec![0; 1 << 20];
        let mut used = vec![false; 2048];
        for (unit, len, fill, action) in ops {
            let (at, units) = (unit * 512, vec![fill; len as usize * 512]);
            let range = at as usize..at as usize + units.len();
            match action {
                0 => {
                    let block = at / 65_536;
                    queue.erase(block * 65_536, 65_536).unwrap();
                    used[block as usize * 128..][..128].fill(false);
                }
                1 => { queue.barrier().unwrap(); }
                2..=5 if GEOMETRY.check_program(at, len * 512).is_ok()
                    && !used[unit as usize..(unit + len) as usize].contains(&true) => {
                    while queue.program(at, &units) == Err(QueueError::Busy) {
                        woken.recv_timeout(Duration::from_secs(10)).unwrap();
                    }
                    model[range].fill(fill);
                    used[unit as usize..(unit + len) as usize].fill(true);
                }
                _ if range.end < model.len() => {
                    let mut out = vec![0; units.len()];
                    while queue.read(at + 3, &mut out) == Err(ReadError::Cold) {
                        queue.warmer().warm(at, len).unwrap();
                    }
                    prop_assert_eq!(&out, &model[range.start + 3..range.end + 3]);
                }
                _ => {}
            }
        }
        queue.stop();
        while let Some((_, result)) = queue.settled() {
            prop_assert_eq!(result, Ok(()));
        }
        let mut all = vec![0; model.len()];
        queue.read(0, &mut all).unwrap();
        prop_assert!(all == model);
    }
}

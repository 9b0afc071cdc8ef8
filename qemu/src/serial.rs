//! The box's console: kept from the first byte on, and shown line by line where wanted.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What stands before each of the box's lines where they are shown, so that none is taken for one of this
/// tool's.
const INDENT: &str = "    ";
/// Bytes read at a time.
const CHUNK_BYTES: usize = 4096;

/// A stream that is being kept.
#[derive(Clone, Default)]
pub(crate) struct Log {
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Log {
    /// Keeps everything that comes until the stream ends, and shows it if so wanted.
    pub(crate) fn keep(mut stream: impl Read + Send + 'static, show: bool) -> Self {
        let log = Self::default();
        let kept = log.clone();
        thread::spawn(move || {
            let mut chunk = [0; CHUNK_BYTES];
            let mut shown = Lines::default();
            while let Ok(n @ 1..) = stream.read(&mut chunk) {
                kept.bytes.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&chunk[..n]);
                if show {
                    shown.show(&chunk[..n], &mut io::stdout().lock());
                }
            }
        });
        log
    }

    /// Everything so far, without carriage returns.
    pub(crate) fn text(&self) -> String {
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).replace('\r', "")
    }
}

/// Cuts a stream into lines.
#[derive(Default)]
struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    fn show(&mut self, chunk: &[u8], to: &mut impl Write) {
        for &byte in chunk {
            match byte {
                b'\n' => {
                    // Whoever reads us may have gone: the box goes on.
                    let _ = writeln!(to, "{INDENT}{}", String::from_utf8_lossy(&self.begun));
                    self.begun.clear();
                }
                // A guest's control characters are no business of this terminal.
                b'\t' | 0x20..=0x7e | 0x80.. => self.begun.push(byte),
                _ => {}
            }
        }
    }
}

/// The lines of a console log that speak of a module that was wanted and is not there, or did not fit. A box
/// whose image is right has none.
pub fn serial_problems(log: &str) -> Vec<String> {
    /// What the kernel, its file systems and PID 1 say then.
    const SIGNS: [&str; 13] = [
        "modprobe",
        "Unknown symbol",
        "disagrees about version of symbol",
        "Invalid module format",
        "invalid module",
        "module verification failed",
        "No such module",
        "unknown filesystem type",
        "codepage cp",
        "IO charset",
        "Cannot load module",
        "cannot load module",
        "Could not load",
    ];
    let is_problem = |line: &&str| SIGNS.iter().any(|sign| line.contains(sign)) || is_missing_phy(line);
    log.lines().filter(is_problem).map(|line| line.trim().to_owned()).collect()
}

/// A network chip that runs on the generic PHY driver because its own was not there.
fn is_missing_phy(line: &str) -> bool {
    line.contains("Generic PHY") || line.contains("Could not attach to PHY")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_indented_and_whole() {
        let (mut lines, mut out) = (Lines::default(), Vec::new());
        lines.show(b"ready to", &mut out);
        lines.show(b" serve\x1b\0\r\nnext", &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "    ready to serve\n");
    }

    #[test]
    fn a_missing_module_is_seen_and_a_quiet_log_is_quiet() {
        let log = "[1.0] FAT-fs (vda1): IO charset ascii not found\n[1.1] Run /init as init process\n\
            [1.2] virtio_net: Unknown symbol net_failover_create (err -2)\n\
            [1.3] tegami: the kernel asked modprobe for nls_cp437\n";
        let found = serial_problems(log);
        assert_eq!(found.len(), 3);
        assert!(
            found[0].contains("charset") && found[1].contains("symbol") && found[2].contains("nls_cp437")
        );
        assert!(
            serial_problems("[0.1] modules loaded\n[0.2] leds-gpio: probe of leds failed with error -5\n")
                .is_empty()
        );
    }
}

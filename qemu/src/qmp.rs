//! QEMU's control socket (QMP): a line of JSON each way. Two commands are all that is needed, so both are
//! written out.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// A command is answered at once: QEMU does it in its main loop, beside the emulation.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// An open control socket.
pub(crate) struct Control {
    stream: BufReader<UnixStream>,
}

impl Control {
    /// Connects, and leaves the mode in which only the capabilities may be asked for.
    pub(crate) fn connect(path: &Path) -> Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        let mut control = Self { stream: BufReader::new(stream) };
        control.line()?;
        control.execute(r#"{"execute":"qmp_capabilities"}"#)?;
        Ok(control)
    }

    /// Presses the machine's power key.
    pub(crate) fn press_power_key(&mut self) -> Result<()> {
        self.execute(r#"{"execute":"system_powerdown"}"#)
    }

    /// Presses the power key of the keyboard.
    pub(crate) fn press_keyboard_power_key(&mut self) -> Result<()> {
        self.execute(r#"{"execute":"send-key","arguments":{"keys":[{"type":"qcode","data":"power"}]}}"#)
    }

    /// Sends a command and waits for its answer; events in between are passed over.
    fn execute(&mut self, command: &str) -> Result<()> {
        self.stream.get_mut().write_all(command.as_bytes())?;
        loop {
            let line = self.line()?;
            if line.contains("\"return\"") {
                return Ok(());
            }
            if line.contains("\"error\"") {
                bail!("QEMU refuses: {}", line.trim());
            }
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line).context("QEMU's control socket is silent")?;
        if read == 0 {
            bail!("QEMU has closed its control socket");
        }
        Ok(line)
    }
}

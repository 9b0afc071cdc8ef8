//! A child process that never outlives this one, and that Ctrl-C at the terminal does not reach.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};

use crate::limits::POLL_INTERVAL;

/// A running or ended child. Killed when dropped.
pub(crate) struct Process {
    pid: u32,
    kill: Sender<()>,
    ended: Arc<Mutex<Option<ExitStatus>>>,
}

/// What a child prints.
pub(crate) type Pipes = (ChildStdout, ChildStderr);

impl Process {
    /// Starts a program, its standard input closed, its outputs piped.
    pub(crate) fn start(line: &[OsString], environment: &[(OsString, OsString)]) -> Result<(Self, Pipes)> {
        let mut command = command(line)?;
        command.envs(environment.iter().map(|(key, value)| (key, value)));
        let (started, start) = mpsc::channel();
        let (kill, killed) = mpsc::channel();
        let ended = Arc::new(Mutex::new(None));
        let status = Arc::clone(&ended);
        // The kernel's parent-death signal fires when the thread that started the child ends: a thread that
        // ends with the child.
        thread::Builder::new()
            .name("qemu".to_owned())
            .spawn(move || keep(command, &started, &killed, &status))?;
        let (pid, pipes) = start.recv().context("the thread that starts QEMU ended")??;
        Ok((Self { pid, kill, ended }, pipes))
    }

    /// Its number; another process may have it once this one has ended.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// How it ended; `None` while it runs.
    pub(crate) fn ended(&self) -> Option<ExitStatus> {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills it (SIGKILL) and waits until it is gone.
    pub(crate) fn kill(&self) {
        // Fails only when it has ended already.
        let _ = self.kill.send(());
        while self.ended().is_none() {
            thread::sleep(POLL_INTERVAL);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn command(line: &[OsString]) -> Result<Command> {
    let (program, arguments) = line.split_first().context("an empty command line")?;
    let mut command = match image::run::find("setpriv") {
        // Where a test or this tool is killed, QEMU must not go on and hold disk and ports.
        Some(setpriv) => {
            let mut command = Command::new(setpriv);
            command.args(["--pdeathsig", "KILL", "--"]).arg(program);
            command
        }
        None => Command::new(program),
    };
    command.args(arguments).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Ok(command)
}

/// The life of the thread that owns the child.
fn keep(
    mut command: Command,
    started: &Sender<Result<(u32, Pipes)>>,
    killed: &Receiver<()>,
    ended: &Mutex<Option<ExitStatus>>,
) {
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let _ = started.send(Err(error).context("QEMU cannot be started"));
            return;
        }
    };
    let pipes = child.stdout.take().zip(child.stderr.take()).context("QEMU has no output");
    let _ = started.send(pipes.map(|pipes| (child.id(), pipes)));
    let status = wait_or_kill(&mut child, killed);
    *ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(status);
}

fn wait_or_kill(child: &mut Child, killed: &Receiver<()>) -> ExitStatus {
    loop {
        if let Ok(Some(status)) = child.try_wait() {
            return status;
        }
        match killed.recv_timeout(POLL_INTERVAL) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => {
                // Already gone is as good.
                let _ = child.kill();
                return child.wait().unwrap_or_default();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::time::{Duration, Instant};

    fn wait(process: &Process, timeout: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + timeout;
        while process.ended().is_none() && Instant::now() < deadline {
            thread::sleep(POLL_INTERVAL);
        }
        process.ended()
    }

    fn line(words: &[&str]) -> Vec<OsString> {
        words.iter().map(Into::into).collect()
    }

    #[test]
    fn it_prints_and_ends() {
        let (process, (mut out, _)) = Process::start(&line(&["echo", "hello"]), &[]).unwrap();
        let mut text = String::new();
        out.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello\n");
        assert!(wait(&process, Duration::from_secs(10)).unwrap().success());
    }

    #[test]
    fn it_dies_when_dropped_and_whoever_waits_too_short_hears_nothing() {
        let (process, (mut out, _)) =
            Process::start(&line(&["sh", "-c", "echo $$; exec sleep 1000"]), &[]).unwrap();
        assert!(wait(&process, Duration::from_millis(50)).is_none());
        drop(process);
        let mut pid = String::new();
        out.read_to_string(&mut pid).unwrap();
        assert!(!std::path::Path::new("/proc").join(pid.trim()).exists());
    }

    #[test]
    fn the_end_of_the_thread_that_asked_for_it_does_not_end_it() {
        let start = || Process::start(&line(&["sleep", "1000"]), &[]).unwrap().0;
        let process = thread::spawn(start).join().unwrap();
        assert!(wait(&process, Duration::from_millis(200)).is_none());
    }
}

//! The hashing thread: one hash at a time, off the network loop, its memory asked for and given back each time.

use std::sync::Arc;
use std::thread;

use proto::Secret;
use ring::rand::SystemRandom;
use tokio::sync::{mpsc, oneshot};

use super::hashing::{self, CannotHash};
use super::limits::HASH_QUEUE_MAX;
use super::secret::PasswordSecret;

/// Hands work to the hashing thread; clones hand it to the same one. The thread ends when the last one is dropped.
#[derive(Clone)]
pub(crate) struct Hasher {
    queue: mpsc::Sender<Job>,
}

/// A piece of work. Whoever asked may have gone meanwhile; then it is not done.
enum Job {
    Make { password: Secret, reply: oneshot::Sender<Result<PasswordSecret, CannotHash>> },
    Verify { phc: String, password: Arc<Secret>, reply: oneshot::Sender<Result<bool, CannotHash>> },
}

impl Hasher {
    /// Starts the thread.
    ///
    /// # Errors
    /// No thread could be started.
    pub(crate) fn start() -> std::io::Result<Self> {
        let (queue, mut jobs) = mpsc::channel::<Job>(HASH_QUEUE_MAX);
        thread::Builder::new().name("passwords".to_owned()).spawn(move || {
            let random = SystemRandom::new();
            while let Some(job) = jobs.blocking_recv() {
                job.work(&random);
            }
        })?;
        Ok(Self { queue })
    }

    /// Hashes a new password. Waits for room in the queue: who sets passwords has time.
    ///
    /// # Errors
    /// [`CannotHash`].
    pub(crate) async fn make(&self, password: Secret) -> Result<PasswordSecret, CannotHash> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(Job::Make { password, reply }).await.map_err(|_| CannotHash)?;
        answer.await.map_err(|_| CannotHash)?
    }

    /// Checks a password. Gives up at once when the queue is full: who logs in can come again.
    ///
    /// # Errors
    /// [`CannotHash`].
    pub(crate) async fn verify(&self, phc: String, password: Arc<Secret>) -> Result<bool, CannotHash> {
        let (reply, answer) = oneshot::channel();
        self.queue.try_send(Job::Verify { phc, password, reply }).map_err(|_| CannotHash)?;
        answer.await.map_err(|_| CannotHash)?
    }

    /// Checks a password for somebody who waits for room in the queue.
    ///
    /// # Errors
    /// [`CannotHash`].
    pub(crate) async fn verify_patiently(&self, phc: String, password: Secret) -> Result<bool, CannotHash> {
        let (reply, answer) = oneshot::channel();
        let job = Job::Verify { phc, password: Arc::new(password), reply };
        self.queue.send(job).await.map_err(|_| CannotHash)?;
        answer.await.map_err(|_| CannotHash)?
    }
}

impl Job {
    fn work(self, random: &SystemRandom) {
        match self {
            Self::Make { password, reply } => {
                if !reply.is_closed() {
                    // Nobody listens any more: nothing is lost, the answer was theirs alone.
                    let _ = reply.send(hashing::make(password.expose(), random));
                }
            }
            Self::Verify { phc, password, reply } => {
                if !reply.is_closed() {
                    let _ = reply.send(hashing::verify(&phc, password.expose()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn makes_and_verifies() {
        let hasher = Hasher::start().unwrap();
        block_on(async {
            let secret = hasher.make(Secret::new("pencil".to_owned())).await.unwrap();
            for (text, expected) in [("pencil", true), ("Pencil", false)] {
                let password = Arc::new(Secret::new(text.to_owned()));
                assert_eq!(hasher.verify(secret.phc.clone(), password).await, Ok(expected));
            }
        });
    }

    #[test]
    fn a_full_queue_refuses_log_ins_at_once() {
        let hasher = Hasher::start().unwrap();
        let password = Arc::new(Secret::new("x".to_owned()));
        block_on(async {
            let mut waiting = Vec::new();
            let mut refused = 0;
            for _ in 0..HASH_QUEUE_MAX + 8 {
                let mut check = Box::pin(hasher.verify(hashing::DUMMY_PHC.to_owned(), Arc::clone(&password)));
                let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(check.as_mut().poll(cx))).await;
                match polled {
                    std::task::Poll::Ready(result) => {
                        assert_eq!(result, Err(CannotHash));
                        refused += 1;
                    }
                    std::task::Poll::Pending => waiting.push(check),
                }
            }
            assert!(refused > 0, "{refused}");
            // Those who waited go away; the thread does not work for them, so that this ends at once.
            drop(waiting);
            assert!(hasher.make(Secret::new("y".to_owned())).await.is_ok());
        });
    }

    /// The memory of a hash goes back to the kernel: at rest the box is as small as before. Measured in a process
    /// of its own, because other tests hash too.
    #[test]
    fn memory_is_given_back() {
        let this = std::env::current_exe().unwrap();
        let test = "passwords::worker::tests::memory_of_this_process";
        let run = std::process::Command::new(this).args(["--ignored", "--exact", test]).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
        assert!(String::from_utf8_lossy(&run.stdout).contains("1 passed"));
    }

    #[test]
    #[ignore = "run by memory_is_given_back"]
    fn memory_of_this_process() {
        fn kib(field: &str) -> u64 {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find(|line| line.starts_with(field)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse().unwrap()
        }
        let hasher = Hasher::start().unwrap();
        block_on(async {
            hasher.make(Secret::new("first".to_owned())).await.unwrap();
            let (before, peak_before) = (kib("RssAnon:"), kib("VmRSS:"));
            for _ in 0..4 {
                hasher.make(Secret::new("again".to_owned())).await.unwrap();
            }
            let (after, peak) = (kib("RssAnon:"), kib("VmHWM:"));
            assert!(after < before + 1_024, "{before} KiB before, {after} KiB after");
            assert!(peak < peak_before + 9 * 1_024, "{peak} KiB at most, {peak_before} KiB before");
        });
    }
}

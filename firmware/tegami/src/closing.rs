//! Switching off: tells everyone that the box is about to end, and waits for those who are still at work.

use std::{future::Future, time::Duration};

use tokio::{sync::watch, time::timeout};

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// The box serves.
    Open,
    /// Everyone is asked to end.
    Leaving,
    /// Whoever is still there is dropped.
    Over,
}

/// The end of the box, as everybody who serves sees it.
#[derive(Debug)]
pub(crate) struct Closing {
    stage: watch::Sender<Stage>,
    at_work: watch::Sender<usize>,
}

/// Somebody who is waited for until this is dropped.
#[derive(Debug)]
pub(crate) struct AtWork<'a>(&'a Closing);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.at_work.send_modify(|count| *count -= 1);
    }
}

impl Default for Closing {
    fn default() -> Self {
        Self { stage: watch::Sender::new(Stage::Open), at_work: watch::Sender::new(0) }
    }
}

impl Closing {
    /// Counts somebody who is to be waited for.
    pub(crate) fn enter(&self) -> AtWork<'_> {
        self.at_work.send_modify(|count| *count += 1);
        AtWork(self)
    }

    /// Whether everyone was asked to end.
    pub(crate) fn has_begun(&self) -> bool {
        *self.stage.borrow() >= Stage::Leaving
    }

    /// Returns once everyone was asked to end.
    pub(crate) fn begun(&self) -> impl Future<Output = ()> + use<> {
        self.reached(Stage::Leaving)
    }

    /// Returns once nobody is waited for any more.
    pub(crate) fn over(&self) -> impl Future<Output = ()> + use<> {
        self.reached(Stage::Over)
    }

    fn reached(&self, stage: Stage) -> impl Future<Output = ()> + use<> {
        let mut stages = self.stage.subscribe();
        async move {
            // Fails only once nobody can end the box any more, which then has ended.
            let _ = stages.wait_for(|now| *now >= stage).await;
        }
    }

    /// Asks everyone to end. Returns once all have, at the latest after `limit`; who is left then is dropped.
    pub(crate) async fn run(&self, limit: Duration) {
        self.stage.send_replace(Stage::Leaving);
        let mut at_work = self.at_work.subscribe();
        if timeout(limit, at_work.wait_for(|count| *count == 0)).await.is_err() {
            log::debug!("{} connections are cut off", *self.at_work.borrow());
        }
        self.stage.send_replace(Stage::Over);
        // They are dropped when their tasks run next: the store is not to be closed under them.
        let _ = timeout(limit, at_work.wait_for(|count| *count == 0)).await;
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use tokio::task::spawn_local;

    use super::*;

    #[test]
    fn who_is_at_work_is_waited_for_and_then_dropped() {
        crate::testing::block_on(async {
            let closing = Rc::new(Closing::default());
            let (quick, slow) = (Rc::clone(&closing), Rc::clone(&closing));
            let quick = spawn_local(async move {
                let _here = quick.enter();
                quick.begun().await;
            });
            let slow = spawn_local(async move {
                let _here = slow.enter();
                slow.over().await;
            });
            tokio::task::yield_now().await;
            assert!(!closing.has_begun());
            closing.run(Duration::from_millis(50)).await;
            assert!(closing.has_begun() && *closing.at_work.borrow() == 0);
            quick.await.unwrap();
            slow.await.unwrap();
            // Who comes later does not wait for what has been.
            closing.begun().await;
            closing.over().await;
        });
    }
}

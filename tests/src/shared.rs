//! One server for all tests of a program, so that each need not boot its own: started for the first, ended with the
//! last, and its flash looked at then.

use crate::machine::Machine;
use crate::process::run;
use crate::site::Site;
use std::ops::Deref;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A test program that lists its own tests.
const LIST_MAX: Duration = Duration::from_secs(20);

/// A server that the tests of one program share.
pub struct Shared<M> {
    start: fn() -> M,
    state: Mutex<State<M>>,
}

struct State<M> {
    machine: Option<M>,
    /// Tests of this run that have not ended, each of which visits the server once; `None` before the first visit.
    left: Option<usize>,
    /// Tests that are with it now.
    present: usize,
}

/// A test that uses it.
pub struct Visit<M: 'static> {
    shared: &'static Shared<M>,
    site: Arc<Site>,
}

impl<M: Machine> Shared<M> {
    /// A server that is started so when the first test visits it.
    pub const fn new(start: fn() -> M) -> Self {
        Self { start, state: Mutex::new(State { machine: None, left: None, present: 0 }) }
    }

    /// Uses it in a test, until what is returned is dropped.
    ///
    /// # Panics
    /// When it does not start.
    pub fn visit(&'static self) -> Visit<M> {
        let mut state = self.lock();
        state.left.get_or_insert_with(tests_of_this_run);
        let site = state.machine.get_or_insert_with(self.start).site();
        state.present += 1;
        Visit { shared: self, site }
    }

    /// A test that failed here has said so: the others go on.
    fn lock(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Machine> Visit<M> {
    /// Looks at the server itself.
    ///
    /// # Panics
    /// As `look` does.
    pub fn look<T>(&self, look: impl FnOnce(&M) -> T) -> T {
        look(self.shared.lock().machine.as_ref().expect("it runs while it is visited"))
    }
}

impl<M> Deref for Visit<M> {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl<M> Drop for Visit<M> {
    /// After the last test the server ends, and looks at its flash as it does so; that is that test's business too.
    fn drop(&mut self) {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.present -= 1;
        let left = state.left.get_or_insert_default();
        *left = left.saturating_sub(1);
        if *left == 0 && state.present == 0 {
            let machine = state.machine.take();
            drop(state);
            drop(machine);
        }
    }
}

/// How many tests this run of the program makes, by its own list of what its arguments select.
fn tests_of_this_run() -> usize {
    let program = std::env::current_exe().expect("a program knows where it is");
    let list = run(Command::new(program).args(std::env::args_os().skip(1)).arg("--list"), LIST_MAX).success();
    list.text().lines().filter(|line| line.ends_with(": test")).count()
}

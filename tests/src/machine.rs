//! A server whose power can be cut: the program on this machine and the box in QEMU, for what both must survive.

use crate::site::Site;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A server that owns its flash, and can be cut off and started again on it.
pub trait Machine {
    /// Where its clients find it: the same place after every start.
    fn site(&self) -> Arc<Site>;

    /// Cuts its power, as it is.
    fn cut(&mut self);

    /// Starts it on the flash that it has, and waits until it is ready.
    fn start(&mut self);

    /// Starts it and cuts its power so much later, ready or not: a cut while it recovers from the last one.
    fn stumble(&mut self, after: Duration);

    /// Runs something on its flash while it is off, such as a tool; what that changes is there at the next start.
    fn with_flash(&mut self, work: &mut dyn FnMut(&Path));

    /// What it has printed since its last start.
    fn console(&self) -> String;
}

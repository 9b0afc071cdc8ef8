//! Every behaviour, on the program as an ordinary process on this machine.

use std::sync::OnceLock;
use tests::hosted::Hosted;
use tests::site::Site;

/// One program for all of them. It ends with this process: see `Leash`.
fn site() -> &'static Site {
    static HOSTED: OnceLock<Hosted> = OnceLock::new();
    &HOSTED.get_or_init(|| Hosted::start_new("hosted")).site
}

tests::behaviours!(crate::site);

//! Every behaviour, on the program as an ordinary process on this machine; or, with `TEGAMI_SITE`, on any server.

use std::ops::Deref;
use std::sync::OnceLock;
use tests::hosted::{Hosted, scratch};
use tests::shared::Shared;
use tests::site::Site;

/// One server for all of them. A program that was started for them ends with the last, or with this process.
fn site() -> Box<dyn Deref<Target = Site>> {
    static HOSTED: Shared<Hosted> = Shared::new(|| Hosted::start_new("hosted"));
    static OTHER: OnceLock<Option<Site>> = OnceLock::new();
    match OTHER.get_or_init(|| Site::from_environment(&scratch().join("site"))) {
        Some(site) => Box::new(site),
        None => Box::new(HOSTED.visit()),
    }
}

tests::behaviours!(crate::site);

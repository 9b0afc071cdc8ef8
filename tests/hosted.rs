//! Every behaviour, on the program as an ordinary process on this machine; or, with `TEGAMI_SITE`, on any server.

use std::sync::OnceLock;
use tests::hosted::{Hosted, scratch};
use tests::site::Site;

/// One server for all of them. A program that was started for them ends with this process: see `Leash`.
fn site() -> &'static Site {
    static HOSTED: OnceLock<Hosted> = OnceLock::new();
    static OTHER: OnceLock<Option<Site>> = OnceLock::new();
    match OTHER.get_or_init(|| Site::from_environment(&scratch().join("site"))) {
        Some(site) => site,
        None => &HOSTED.get_or_init(|| Hosted::start_new("hosted")).site,
    }
}

tests::behaviours!(crate::site);

//! Every behaviour, on the box in QEMU: the same tests as in `hosted.rs`, on one boot; and what only a box has.

use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;
use tests::boxed::Boxed;
use tests::machine::Machine;
use tests::site::{Service, Site};

/// One box for all of them. QEMU ends with this process: see `qemu::Machine`.
fn boxed() -> &'static Boxed {
    static BOXED: OnceLock<Boxed> = OnceLock::new();
    BOXED.get_or_init(|| Boxed::start_new("image", qemu::Board::Virt))
}

fn site() -> &'static Site {
    &boxed().site
}

tests::behaviours!(crate::site);

/// Every module that the kernel wanted was there.
#[test]
fn the_kernel_misses_no_module() {
    let problems = qemu::serial_problems(&boxed().console());
    assert!(problems.is_empty(), "{problems:#?}");
}

/// From the start of QEMU to the banners, with the box claimed: 10 s on two free cores. Others run beside this test.
#[test]
fn the_box_is_ready_soon() {
    let time = boxed().boot_time;
    eprintln!("ready {:.1} s after QEMU's start", time.as_secs_f64());
    assert!(time < Duration::from_secs(40), "{time:?}");
}

/// The name constraints and the key usage are such that OpenSSL, which nobody here wrote, accepts chain and name.
#[test]
fn openssl_trusts_the_chain() {
    let site = site();
    for service in [Service::Imaps, Service::Pop3s, Service::Submissions, Service::Https] {
        let mut openssl = Command::new("openssl");
        openssl
            .args(["s_client", "-connect", &site.at(service).to_string(), "-servername", &site.hostname])
            .args([
                "-verify_hostname",
                &site.hostname,
                "-verify_return_error",
                "-strict",
                "-brief",
                "-CAfile",
            ])
            .arg(&site.authority);
        let said = tests::process::run(&mut openssl, site.patient(10)).success().all();
        assert!(said.contains("Verification: OK"), "{service:?}: {said}");
    }
}

//! Every behaviour, on the box in QEMU: the same tests as in `hosted.rs`, on one boot; and what only a box has.

use std::fs::{self, File};
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;
use tests::boxed::{Boxed, HOST};
use tests::clients::Smtp;
use tests::hosted::free_offset;
use tests::letters::{JAPANESE, Random, short};
use tests::machine::Machine;
use tests::outbound::{Report, Tables, assert_only_received_in_front, wait_for_inbox};
use tests::postfix::{Postfix, Security};
use tests::provision;
use tests::shared::{Shared, Visit};
use tests::site::Service;

/// What is added to the ports of the Postfix to which the box sends: it is told so before that one runs.
static POSTFIX_OFFSET: LazyLock<u16> = LazyLock::new(free_offset);

/// One box for all of them. QEMU ends with the last, or with this process: see `qemu::Machine`.
fn site() -> Visit<Boxed> {
    static BOXED: Shared<Boxed> = Shared::new(start);
    BOXED.visit()
}

fn start() -> Boxed {
    let postfix = SocketAddr::new(HOST, Service::Smtp as u16 + *POSTFIX_OFFSET);
    let provision = provision::file() + Tables::new().route("out.test", postfix, "opportunistic").text();
    Boxed::start_with("image", qemu::Board::Virt, qemu::Machine::builder(), &provision)
}

tests::behaviours!(crate::site);

/// Every module that the kernel wanted was there.
#[test]
fn the_kernel_misses_no_module() {
    let problems = qemu::serial_problems(&site().look(Boxed::console));
    assert!(problems.is_empty(), "{problems:#?}");
}

/// From the start of QEMU to the banners, with the box claimed: 10 s on two free cores. Others run beside this test.
#[test]
fn the_box_is_ready_soon() {
    let time = site().look(|boxed| boxed.boot_time);
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

/// Out to a Postfix beside the box, back through the front door into another mailbox; and back to its sender where
/// nobody has that name.
#[test]
fn a_letter_goes_out_and_comes_back() {
    let site = site();
    let (from, to) = (site.account(), site.account());
    let postfix = Postfix::builder("mx.out.test")
        .at(IpAddr::from([127, 0, 0, 1]), *POSTFIX_OFFSET)
        .relays_to(&site, Security::Verified)
        .setting("virtual_alias_maps", &format!("inline:{{{{bob@out.test = {}}}}}", to.address))
        .setting("virtual_alias_domains", "out.test")
        .start();
    let console = || site.look(Boxed::console) + &postfix.log();
    let mut smtp = Smtp::log_in(&site, &from);
    smtp.letter(&from.address, &["bob@out.test"], JAPANESE[0].1);
    let arrived = wait_for_inbox(&site, &to, 1, console).remove(0);
    let path = format!("Return-Path: <{}>\r\n", from.address);
    let arrived = arrived.strip_prefix(path.as_bytes()).expect("the reverse-path in front");
    // The box's, Postfix's, the box's again.
    assert_only_received_in_front(arrived, JAPANESE[0].1, 3);
    let trace = String::from_utf8_lossy(arrived).into_owned();
    assert!(trace.contains("by mx.out.test (Postfix) with ESMTPS"), "TLS where it is offered: {trace}");

    smtp.letter(&from.address, &["nobody@out.test"], &short("to nobody", "Hello."));
    let report = Report::read(&wait_for_inbox(&site, &from, 1, console).remove(0));
    let japanese = "このメールアドレスは、宛先のメールサーバーに見つかりませんでした。";
    report.assert_failed("nobody@out.test", "5.1.1", japanese, "There is no mailbox with this address.");
    assert!(report.only().diagnostic.contains("User unknown"), "{report:?}");
    assert!(report.returned.contains("Subject: to nobody"), "{}", report.returned);
}

/// What is no disk of the box, or half of one, is refused before anything boots from it, and left as it is.
#[test]
fn half_a_disk_and_no_disk_are_refused() {
    let site = site();
    let disk = site.look(|boxed| boxed.disk().to_owned());
    let (half, noise) = (disk.with_file_name("half.img"), disk.with_file_name("noise.img"));
    let mut start = vec![0; 100 << 20];
    File::open(&disk).and_then(|mut file| file.read_exact(&mut start)).expect("the disk can be read");
    fs::write(&half, &start).expect("a file can be written");
    let mut random = Random::new(1);
    let bytes: Vec<u8> = (0..8 << 20).flat_map(|_| random.next().to_le_bytes()).collect();
    fs::write(&noise, &bytes).expect("a file can be written");
    for (path, contents) in [(&half, &start), (&noise, &bytes)] {
        let refused = qemu::Machine::builder().without_build().disk(path).start();
        let sentence = format!("{:#}", refused.err().expect("it is refused"));
        assert!(sentence.contains(&path.display().to_string()), "{sentence}");
        assert!(sentence.split_whitespace().count() >= 6, "{sentence}");
        assert!(fs::read(path).expect("it is still there") == *contents, "it was written to");
        fs::remove_file(path).expect("an own file can be removed");
    }
}

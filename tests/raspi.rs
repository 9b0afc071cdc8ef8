//! The Raspberry Pi's card image on the emulated Raspberry Pi 3: a letter in, read back, and still there after a cut.

use tests::behaviours::{mailboxes, only_letter, reception};
use tests::boxed::Boxed;
use tests::clients::Smtp;
use tests::letters::short;
use tests::machine::Machine;
use tests::site::Service;

#[test]
fn a_letter_is_delivered_read_and_kept_on_the_card() {
    let mut boxed = Boxed::start_new("raspi3b", qemu::Board::Raspi3b);
    let site = boxed.site();
    eprintln!("ready {:.1} s after QEMU's start", boxed.boot_time.as_secs_f64());
    reception::swaks_delivers_and_curl_reads_it_back(&site);
    mailboxes::curl_reads_by_imap_after_starttls(&site);
    let account = site.account();
    let letter = short("through the cut", "Hello.");
    Smtp::connect(&site, Service::Smtp).letter("ann@client.test", &[&account.address], &letter);
    boxed.cut();
    boxed.start();
    assert!(only_letter(&site, &account).ends_with(&letter));
    let problems = qemu::serial_problems(&boxed.console());
    assert!(problems.is_empty(), "{problems:#?}");
    boxed.shut_down();
}

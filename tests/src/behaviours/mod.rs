//! What the server does, one behaviour per function, the same for the program on this machine and for the box.
//!
//! Each takes a running [`Site`](crate::site::Site) and the accounts that it asks for, so that all can run at once
//! on one server. `behaviours!` makes a test of each: what is not in its list does not run, and a test below says so.

pub mod bad_input;
pub mod devices;
pub mod japanese;
pub mod mailboxes;
pub mod pop3;
pub mod reception;
pub mod submission;

use crate::clients::Imap;
use crate::site::{Account, Site};
use std::thread;
use std::time::{Duration, Instant};

/// The letters in an account's INBOX, which must be so many; oldest first.
///
/// # Panics
/// When they are more or fewer.
#[track_caller]
pub fn inbox(site: &Site, account: &Account, count: usize) -> Vec<Vec<u8>> {
    let mut imap = Imap::select(site, account, "INBOX");
    let deadline = Instant::now() + site.settling;
    loop {
        let uids = imap.uids();
        if uids.len() >= count || Instant::now() >= deadline {
            assert_eq!(uids.len(), count, "letters of {}", account.address);
            return uids.into_iter().map(|uid| imap.letter(uid)).collect();
        }
        thread::sleep(Duration::from_millis(100));
        imap.ok("NOOP");
    }
}

/// The one letter in an account's INBOX.
///
/// # Panics
/// When there is none, or another.
#[track_caller]
pub fn only_letter(site: &Site, account: &Account) -> Vec<u8> {
    inbox(site, account, 1).remove(0)
}

/// Makes a test of every behaviour; the argument is a function that gives the [`Site`] to run them on, or what leads to
/// one and is dropped when the test ends.
#[macro_export]
macro_rules! behaviours {
    ($site:path) => {
        $crate::behaviours!(@ $site, reception:
            swaks_delivers_and_curl_reads_it_back,
            swaks_delivers_after_starttls,
            the_greeting_and_ehlo_say_what_is_there,
            nobody_relays,
            unknown_recipients_are_refused,
            trace_lines_say_who_when_and_for_whom,
            an_alias_reaches_every_target,
            a_catch_all_catches,
            dots_and_long_lines_arrive_as_sent,
            pipelined_commands_are_answered_in_order,
            smtplib_sends_letters_in_chunks,
            a_full_mailbox_refuses_and_keeps_what_it_has,
            addresses_that_carriers_issued_are_taken,
            a_broken_off_letter_is_nobodys,
            several_letters_on_one_connection,
            eight_senders_at_once_lose_and_double_nothing,
        );
        $crate::behaviours!(@ $site, submission:
            swaks_submits_with_plain_and_login,
            msmtp_submits_on_both_ports,
            curl_submits_on_both_ports,
            smtplib_keeps_a_whole_dialogue,
            nobody_submits_without_a_password,
            wrong_passwords_are_refused,
            mail_for_elsewhere_is_taken_after_log_in,
            a_password_in_clear_in_the_file_works,
        );
        $crate::behaviours!(@ $site, mailboxes:
            curl_reads_by_imap_after_starttls,
            imaplib_keeps_a_whole_dialogue,
            mbsync_syncs_both_ways_with_flags,
            fetchmail_takes_by_imap,
            uids_are_never_given_twice,
            a_mailbox_of_many_letters_lists_and_searches,
            an_appended_letter_comes_back_byte_for_byte,
            no_password_travels_in_clear,
            filing_is_as_it_was_confirmed,
            an_append_that_breaks_off_leaves_nothing,
            an_append_beyond_the_quota_is_refused,
        );
        $crate::behaviours!(@ $site, pop3:
            curl_reads_by_pop3_after_stls,
            poplib_keeps_a_whole_dialogue,
            fetchmail_takes_by_pop3,
            deletions_count_at_quit_only,
            unique_ids_stay_the_same,
            a_letter_is_the_same_by_pop3_and_imap,
        );
        $crate::behaviours!(@ $site, devices:
            a_second_device_sees_new_mail_at_once,
            a_second_device_sees_flags_and_expunges,
            devices_work_in_one_mailbox_at_once,
            what_pop3_deletes_is_gone_for_imap,
        );
        $crate::behaviours!(@ $site, japanese:
            japanese_letters_arrive_byte_for_byte,
            japanese_letters_append_byte_for_byte,
            japanese_is_found_by_search,
            japanese_mailbox_names_are_kept,
        );
        $crate::behaviours!(@ $site, bad_input:
            wrong_commands_are_answered_and_the_connection_kept,
            over_long_lines_are_refused,
            a_literal_of_4_gib_is_refused,
            bare_line_ends_smuggle_nothing,
            slow_clients_hold_up_nobody,
            fifty_stalled_senders_hold_up_nobody,
            a_client_that_never_reads_holds_up_nobody,
            binary_noise_is_survived,
            tls_noise_is_survived,
            commands_before_tls_are_not_kept,
        );
    };
    (@ $site:path, $room:ident: $($name:ident),* $(,)?) => {
        mod $room {
            $(
                #[test]
                fn $name() {
                    $crate::behaviours::$room::$name(&$site());
                }
            )*
        }
    };
}

#[cfg(test)]
mod tests {
    use crate::tidy::Tree;

    #[test]
    fn every_behaviour_is_in_the_list() {
        let tree = Tree::of_this_repository();
        let list = tree.text("tests/src/behaviours/mod.rs").expect("this file is in the tree");
        for file in tree.files.iter().filter(|file| file.path.starts_with("tests/src/behaviours/")) {
            for line in file
                .text
                .lines()
                .filter(|line| line.starts_with("pub fn ") && line.ends_with("(site: &Site) {"))
            {
                let name = line.trim_start_matches("pub fn ").split('(').next().unwrap_or_default();
                assert!(list.contains(&format!(" {name},")), "{} is in no list: it never runs", name);
            }
        }
    }
}

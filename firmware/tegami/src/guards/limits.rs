//! How much is too much, with the reasons. What an office sends in its busiest hour stays far below all of it: fifty
//! people who write twenty letters an hour are a thousand letters of fifty accounts, and a letter to all customers, or a
//! mail merge of as many letters, goes out in one go. What is above is a script that runs wild, or a stolen password.

use super::bucket::Rate;

/// Letters of one account. A mail merge to a thousand people goes in at once; a script that submits one each millisecond
/// is stopped after a second.
pub(super) const ACCOUNT_LETTERS: [Rate; 2] = [Rate::per_hour(1_000), Rate::per_day(5_000)];

/// Recipients at other servers that one account names: two letters to as many as a letter can have. With a stolen
/// password that is what gets out before somebody notices, and not a million. It also bounds what envelopes that are
/// being addressed take of the memory.
pub(super) const ACCOUNT_OUTSIDE: [Rate; 2] = [Rate::per_hour(2_000), Rate::per_day(10_000)];

/// Letters of one device. A busy scanner sends some hundreds a day; a printer that reports the same empty tray for ever
/// is no reason to fill somebody's mailbox.
pub(super) const DEVICE_LETTERS: [Rate; 2] = [Rate::per_hour(120), Rate::per_day(1_000)];

/// Recipients at other servers that one device names.
pub(super) const DEVICE_OUTSIDE: [Rate; 2] = [Rate::per_hour(240), Rate::per_day(2_000)];

/// Letters of one address that logs in nowhere: a large sender that has kept letters back during an outage brings a
/// thousand at once and then five a second.
pub(super) const STRANGER_LETTERS: [Rate; 1] = [Rate { at_once: 1_000, each_ms: 200 }];

/// Names that one address may try of people whom nobody here knows, before it has to wait for each reply. An old mailing
/// list has some of them, and a person who mistypes one tries again.
pub(super) const STRANGER_UNKNOWN: Rate = Rate { at_once: 10, each_ms: 60_000 };

/// By how much each further name makes the reply later, in milliseconds,
pub(super) const DELAY_STEP_MS: u64 = 500;

/// up to this. An honest sender gets each reply well within its five minutes (RFC 5321 §4.5.3.2.3), and the hundred that
/// a connection may try (`proto::smtp::limits::REFUSED_RECIPIENTS_MAX`) take a guesser five minutes.
pub(super) const DELAY_MS_MAX: u64 = 3_000;

/// Accounts and devices that are remembered; whoever has sent nothing for the longest time is forgotten for another. More
/// than an office has. Each takes some 150 bytes.
pub(super) const KNOWN_MAX: usize = 1_024;

/// The same for strangers, on their own, so that a thousand of them do not make the box forget what an account has sent.
pub(super) const STRANGERS_MAX: usize = 1_024;

//! Limits of routing, each with its reason.

use std::time::Duration;

/// Servers of one destination that are tried in one attempt: RFC 5321 §5.1 wants two at least, the largest providers
/// have five, and each has to be looked up.
pub(super) const HOSTS_MAX: usize = 10;

/// Addresses of one server that are tried: two of either family, and some for those who spread their load this way.
pub(super) const ADDRESSES_MAX: usize = 6;

/// MX records of one answer that are kept, the most preferred ones. An answer may have some thousands (64 KiB); beyond
/// this nobody means it well.
pub(super) const MX_RECORDS_MAX: usize = 32;

/// Names of which is kept what was found, of either kind: an office's correspondents of an hour. With the most records,
/// each of 253 octets that DNS writes in four characters each, that is 4 MiB; as a rule it is 20 KiB.
pub(super) const NAMES_KEPT_MAX: usize = 128;

/// How long what was found is kept, however long it says that it may be: attempts are minutes to hours apart, and what
/// was changed because mail did not arrive is to be seen by the next.
pub(super) const FOUND_KEPT_MAX: Duration = Duration::from_secs(3_600);

/// The same for what was not found (RFC 2308 §5): who sets up a domain asks for it too early as a rule.
pub(super) const NOTHING_KEPT_MAX: Duration = Duration::from_secs(300);

/// How long one name server gets for one question, repetitions and TCP included.
pub(super) const SERVER_MAX: Duration = Duration::from_secs(5);

/// How long one question may take: four name servers that do not answer. A chain of CNAMEs counts as one question.
pub(super) const QUESTION_MAX: Duration = Duration::from_secs(20);

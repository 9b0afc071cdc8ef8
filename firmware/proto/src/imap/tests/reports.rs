//! Reports of changes: a client that believes all it is told knows its mailbox, and what a report costs does not grow
//! with the mailbox.

use alloc::vec;

use mail::{Mail, Uid, UidSet};
use proptest::prelude::*;

use super::*;

/// A client that remembers what it was told: the flags of its messages, by number.
#[derive(Debug, Default)]
struct Client(Vec<Option<String>>);

impl Client {
    /// Believes what is said. RFC 3501 §7.3.1: EXISTS never takes messages away; §7.4.1: EXPUNGE moves the numbers.
    fn hear(&mut self, said: &str) {
        for line in said.lines().filter_map(|line| line.strip_prefix("* ")) {
            let words: Vec<_> = line.splitn(3, ' ').collect();
            let (Ok(number), Some(what)) = (words[0].parse::<usize>(), words.get(1)) else { continue };
            match *what {
                "EXISTS" => {
                    assert!(number >= self.0.len(), "{said}");
                    self.0.resize(number, None);
                }
                "EXPUNGE" => {
                    self.0.remove(number - 1);
                }
                "FETCH" => {
                    let flags = words[2].split_once("FLAGS (").unwrap().1;
                    self.0[number - 1] = Some(without_recent(flags.split_once(')').unwrap().0));
                }
                _ => {}
            }
        }
    }

    /// Asks for the flags of messages that it has not been told of.
    fn ask(&mut self, driver: &mut Driver<ImapSession>) {
        for number in 1..=self.0.len() {
            if self.0[number - 1].is_none() {
                let said = say(driver, &format!("f FETCH {number} FLAGS"));
                self.hear(&said);
            }
        }
    }
}

/// In the order of the alphabet.
fn without_recent(flags: &str) -> String {
    let mut flags: Vec<_> = flags.split(' ').filter(|flag| *flag != "\\Recent").collect();
    flags.sort_unstable();
    flags.join(" ")
}

#[derive(Clone, Debug)]
enum Op {
    /// The client says this about messages `from` and some more.
    Says(&'static str, usize, usize),
    Noop,
    /// Somebody else does this to the messages whose UIDs leave this rest.
    Flags {
        rest: u32,
        add: Flags,
        remove: Flags,
    },
    Expunge {
        rest: u32,
    },
    Deliver(Flags),
}

fn op() -> impl Strategy<Value = Op> {
    let command = prop::sample::select(vec![
        "STORE # +FLAGS (\\Flagged)",
        "STORE # -FLAGS.SILENT (\\Flagged)",
        "STORE # FLAGS.SILENT (\\Answered)",
        "UID STORE # FLAGS (\\Draft)",
        "UID STORE # +FLAGS.SILENT (\\Answered)",
        "FETCH # FLAGS",
        "UID FETCH # FLAGS",
        "SEARCH ALL",
    ]);
    let flags = || prop::sample::select(vec![Flags::NONE, Flags::SEEN, Flags::FLAGGED, Flags::ANSWERED]);
    prop_oneof![
        6 => (command, 1_usize..12, 0_usize..6).prop_map(|(says, from, more)| Op::Says(says, from, more)),
        2 => Just(Op::Noop),
        2 => (0_u32..4, flags(), flags()).prop_map(|(rest, add, remove)| Op::Flags { rest, add, remove }),
        1 => (0_u32..6).prop_map(|rest| Op::Expunge { rest }),
        2 => flags().prop_map(Op::Deliver),
    ]
}

/// What a silent STORE of this client makes of flags that it has been told of: it does not hear of that.
fn silently(client: &mut Client, command: &str, numbers: impl Iterator<Item = usize>) {
    let (add, remove): (&[&str], &[&str]) = match command {
        _ if !command.contains(".SILENT") => return,
        _ if command.contains("-FLAGS") => (&[], &["\\Flagged"]),
        _ if command.contains("+FLAGS") => (&["\\Answered"], &[]),
        _ => (&["\\Answered"], &["\\Seen", "\\Flagged", "\\Deleted", "\\Draft"]),
    };
    for number in numbers {
        let Some(Some(flags)) = client.0.get_mut(number - 1) else { continue };
        let mut set: Vec<&str> =
            flags.split(' ').filter(|flag| !flag.is_empty() && !remove.contains(flag)).collect();
        set.extend(add.iter().filter(|flag| !flags.split(' ').any(|known| known == **flag)));
        set.sort_unstable();
        *flags = set.join(" ");
    }
}

fn matching(driver: &Driver<ImapSession>, mailbox: MailboxId, divisor: u32, rest: u32) -> UidSet {
    driver.mail.uids(mailbox).iter().filter(|uid| uid.0 % divisor == rest).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_client_that_believes_all_it_is_told_knows_its_mailbox(ops in prop::collection::vec(op(), 1..40)) {
        let mut mail = FakeMail::new();
        let mailbox = mail.mailbox_of(ALICE, "INBOX");
        (0..8).for_each(|_| deliver(&mut mail, mailbox, Flags::NONE, PLAIN));
        let mut driver = inbox(mail);
        let mut client = Client(vec![None; 8]);
        for op in ops {
            match op {
                Op::Says(command, from, more) => {
                    if from > client.0.len() || (command.starts_with("UID ") && command.contains("SILENT")) {
                        continue;
                    }
                    let to = (from + more).min(client.0.len());
                    let command = command.replace('#', &format!("{from}:{to}"));
                    let known: Vec<_> = client.0.clone();
                    let said = say(&mut driver, &format!("a {command}"));
                    if command.starts_with("STORE") {
                        silently(&mut client, &command, from..=to);
                    }
                    prop_assert!(known.len() >= to);
                    client.hear(&said);
                }
                Op::Noop => client.hear(&say(&mut driver, "a NOOP")),
                Op::Flags { rest, add, remove } => {
                    let uids = matching(&driver, mailbox, 4, rest);
                    driver.mail.shelf.set_flags(mailbox, &uids, add, remove);
                }
                Op::Expunge { rest } => {
                    let uids = matching(&driver, mailbox, 6, rest);
                    driver.mail.shelf.expunge(mailbox, &uids);
                }
                Op::Deliver(flags) => deliver(&mut driver.mail, mailbox, flags, PLAIN),
            }
        }
        client.hear(&say(&mut driver, "a NOOP"));
        client.ask(&mut driver);
        let mut fresh = Client(vec![None; driver.mail.uids(mailbox).len() as usize]);
        fresh.ask(&mut inbox(core::mem::take(&mut driver.mail)));
        prop_assert_eq!(client.0, fresh.0);
    }
}

#[test]
fn one_change_does_not_cost_a_look_at_the_whole_mailbox() {
    let mut mail = FakeMail::new();
    let mailbox = mail.mailbox_of(ALICE, "INBOX");
    let plain = summary(PLAIN);
    (0..2_000).for_each(|_| mail.deliver(mailbox, Flags::SEEN, PLAIN, &plain));
    let mut driver = inbox(mail);
    let looked_at = |driver: &mut Driver<ImapSession>, line: &str| {
        let before = driver.mail.looked_at.get();
        let said = say(driver, line);
        assert!(said.contains("a OK"), "{said}");
        driver.mail.looked_at.get() - before
    };
    for line in [
        "a STORE 1000 +FLAGS (\\Flagged)",
        "a STORE 1000 -FLAGS.SILENT (\\Flagged)",
        "a UID STORE 700 FLAGS (\\Answered)",
        "a COPY 5 Trash",
        "a FETCH 2000 FLAGS",
    ] {
        assert!(looked_at(&mut driver, line) < 10, "{line}");
    }
    driver.mail.shelf.set_flags(mailbox, &UidSet::range(Uid(3), Uid(5)), Flags::DRAFT, Flags::NONE);
    driver.mail.deliver(mailbox, Flags::NONE, PLAIN, &plain);
    assert!(looked_at(&mut driver, "a NOOP") < 10);
    // What is gone is looked for once.
    driver.mail.shelf.expunge(mailbox, &UidSet::range(Uid(7), Uid(7)));
    assert!(looked_at(&mut driver, "a NOOP") >= 2_000);
    assert!(looked_at(&mut driver, "a STORE 1 +FLAGS (\\Flagged)") < 10);
}

//! The command lines of the tools, and what `--help` says about each.

use std::{ffi::OsString, path::PathBuf};

use jiff::civil::DateTime;

use super::{limits::ENDURANCE_DEFAULT, queue::Whose};
use crate::queue::Order;

/// A tool with its arguments.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Say this and nothing else.
    Help(&'static str),
    /// Read everything and compare it with its checksums.
    Check {
        /// The flash.
        flash: PathBuf,
    },
    /// Show figures.
    Stat {
        /// The flash.
        flash: PathBuf,
        /// How often a block of the flash can be erased.
        endurance: u32,
    },
    /// Take an account's mail out.
    Export {
        /// The flash.
        flash: PathBuf,
        /// Whose mail.
        account: String,
        /// Where to.
        to: Target,
    },
    /// Put mail into an account.
    Import {
        /// The flash.
        flash: PathBuf,
        /// Whose mail it becomes.
        account: String,
        /// Where it is.
        from: PathBuf,
    },
    /// List what an account deleted and can have back.
    Deleted {
        /// The flash.
        flash: PathBuf,
        /// Whose mail.
        account: String,
    },
    /// Bring deleted mail back.
    Undelete {
        /// The flash.
        flash: PathBuf,
        /// Whose mail.
        account: String,
        /// Which of it.
        which: Which,
    },
    /// Show DKIM records, or go on with a rotation of keys.
    Dkim {
        /// The flash.
        flash: PathBuf,
        /// What to do.
        what: Dkim,
    },
    /// Show letters that wait for other servers, or order something about them.
    Queue {
        /// The flash.
        flash: PathBuf,
        /// What to do.
        what: Queued,
    },
}

/// What is done with letters that wait for other servers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Queued {
    /// What is ordered; `None` to list them.
    pub(crate) order: Option<Order>,
    /// Which letters.
    pub(crate) which: Whose,
}

/// What is done with DKIM keys.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Dkim {
    /// Show the records of a domain; of all domains for `None`.
    Show(Option<String>),
    /// Make new keys for a domain.
    Rotate(String),
    /// Sign the letters of a domain with its new keys.
    Use {
        /// The domain.
        domain: String,
        /// What the keys are called.
        name: String,
    },
}

/// Which deleted messages are meant.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// Those deleted then or later, in the box's time zone.
    Since(DateTime),
    /// Those that were in the mailbox of that name.
    Mailbox(String),
    /// Those that `tegami deleted` lists under these numbers.
    Numbers(Vec<u64>),
}

/// Where an export goes, and in which form.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A folder of mbox files, one for each mailbox.
    Mbox(PathBuf),
    /// A Maildir++ folder.
    Maildir(PathBuf),
}

const CHECK: &str = "\
Reads everything on a flash and compares it with its checksums; changes nothing.

Usage: tegami check FLASH

FLASH is the file of `tegami host --flash`, or the flash partition of a card (the sixth).
Each damaged message is named by account, mailbox and UID. The last line says `clean`, or how much is damaged.
The exit status is 0 only if it is clean.
";

const STAT: &str = "\
Shows how full and how worn a flash is; changes nothing.

Usage: tegami stat FLASH [--endurance N]

FLASH is the file of `tegami host --flash`, or the flash partition of a card (the sixth).
--endurance N   how often each block can be erased before it wears out (3000, as usual for cards)
";

const EXPORT: &str = "\
Copies an account's mail out of a flash; changes nothing on it.

Usage: tegami export FLASH --account A --maildir OUT
       tegami export FLASH --account A --mbox OUT

FLASH is the file of `tegami host --flash`, or the flash partition of a card (the sixth).
A is the account's address, or the part before the @ if no other account has it.
OUT is a folder that is empty or does not exist yet.

--maildir   a Maildir++: INBOX in OUT itself, every other mailbox in a folder beginning with a dot. Flags are in the
            file names, keywords in `dovecot-keywords`, dates are those of the files. What others have no place for
            stands in the file names, where it disturbs nobody: Z is the time zone in minutes, K more keywords.
--mbox      one file in the mboxrd form for each mailbox, levels of names as folders. Each letter is preceded by three
            lines, Status, X-Status and X-Keywords, with its flags. Time zones are not kept, all dates are in UTC.
Letters are as they came, byte for byte, line ends included, and `tegami import` gives back the same bytes.
";

const IMPORT: &str = "\
Copies mail into an account on a flash.

Usage: tegami import FLASH --account A IN

FLASH is the file of `tegami host --flash`, or the flash partition of a card (the sixth); nobody may be serving it.
A is the account's address, or the part before the @ if no other account has it.
IN is an mbox file, a folder of mbox files or a Maildir; which one it is, is seen by looking.

Flags, keywords and dates are kept; mailboxes that do not exist are created. An mbox file becomes the mailbox of its
name without `.mbox`. Lines of letters that end with a bare LF end with CRLF afterwards, as mail asks for, except in
letters that `tegami export` wrote: those become what they were.
It may be interrupted at any time. Started again with the same IN it goes on, and no letter comes twice.
";

const DELETED: &str = "\
Lists an account's deleted messages that can still be brought back, the newest first; changes nothing.

Usage: tegami deleted FLASH --account A

FLASH is the file of `tegami host --flash`, or the flash partition of a card (the sixth).
A is the account's address, or the part before the @ if no other account has it.
Each line has the message's number for `tegami undelete`, when it was deleted (in the box's time zone), its size, the
mailbox that it was in, its sender and its subject. Deleted mail is kept for 14 days, or less where space is short.
";

const UNDELETE: &str = "\
Brings deleted messages of an account back, with their flags.

Usage: tegami undelete FLASH --account A NUMBER...
       tegami undelete FLASH --account A --since TIME
       tegami undelete FLASH --account A --mailbox NAME

FLASH is the file of `tegami host --flash`, or the flash partition of a card (the sixth); nobody may be serving it.
A is the account's address, or the part before the @ if no other account has it.

NUMBER...        those that `tegami deleted` lists under these numbers
--since TIME     those deleted then or later: 2026-11-23 or 2026-11-23T14:30, in the box's time zone
--mailbox NAME   those that were in that mailbox
They come back as new messages into the mailbox that they were in; if it is gone, it is created anew.
";

const DKIM: &str = "\
Shows the DNS records with which others verify the letters of a flash's domains (DKIM), and changes the keys.

Usage: tegami dkim FLASH [--domain D]
       tegami dkim FLASH --domain D --rotate
       tegami dkim FLASH --domain D --use NAME

FLASH is the file of `tegami host --flash`, or the flash partition of a card (the sixth). Showing changes nothing; for
--rotate and --use nobody may be serving it.
D is one of its domains; without --domain all of them are shown. The box makes the first keys of a domain by itself.

--rotate     makes new keys, to replace the ones that sign: publish their records first, and leave the others
--use NAME   signs with the new keys of that name from now on; their records must be there for others to see
";

const QUEUE: &str = "\
Lists the letters on a flash that wait for other mail servers, or says what is to be done with them.

Usage: tegami queue FLASH [LETTERS]
       tegami queue FLASH --hold LETTERS
       tegami queue FLASH --release LETTERS
       tegami queue FLASH --retry LETTERS
       tegami queue FLASH --cancel LETTERS

FLASH is the file of `tegami host --flash`, or the flash partition of a card (the sixth). Listing changes nothing; for
everything else nobody may be serving it, and the order counts from the next start on.
LETTERS are numbers as the list shows them, separated by commas; an address; @ and a domain; or `all`. A letter to
several recipients elsewhere has a number for each.

--hold      nobody tries them until they are released
--release   they go on where they were
--retry     they are tried at once; it does not count against the five days that letters are tried for
--cancel    they are tried no more, and their senders are told so
";

/// Whether a word is the name of a tool.
pub(crate) fn is_tool(word: &str) -> bool {
    help(word).is_some()
}

fn help(tool: &str) -> Option<&'static str> {
    Some(match tool {
        "check" => CHECK,
        "stat" => STAT,
        "export" => EXPORT,
        "import" => IMPORT,
        "deleted" => DELETED,
        "undelete" => UNDELETE,
        "dkim" => DKIM,
        "queue" => QUEUE,
        _ => return None,
    })
}

/// Words as they are sorted out.
#[derive(Default)]
struct Words {
    plain: Vec<PathBuf>,
    account: Option<String>,
    mbox: Option<PathBuf>,
    maildir: Option<PathBuf>,
    endurance: Option<u32>,
    since: Option<DateTime>,
    mailbox: Option<String>,
    domain: Option<String>,
    rotate: bool,
    name: Option<String>,
    order: Option<(Order, String)>,
}

/// Reads the arguments behind the tool's name.
///
/// # Errors
/// A sentence for the person who typed them.
pub(crate) fn parse(tool: &str, words: impl Iterator<Item = OsString>) -> Result<Tool, String> {
    let help = help(tool).unwrap_or_default();
    let Some(words) = sort(tool, words)? else { return Ok(Tool::Help(help)) };
    let places: &[&str] = if tool == "import" { &["FLASH", "IN"] } else { &["FLASH"] };
    if let Some(missing) = places.get(words.plain.len()) {
        return Err(format!("`{tool}` needs {missing}; see `tegami {tool} --help`"));
    }
    let more = words.plain.get(places.len()).filter(|_| !matches!(tool, "undelete" | "queue"));
    if let Some(more) = more {
        return Err(format!("`{tool}` does not know what to do with {}", more.display()));
    }
    let mut plain = words.plain.into_iter();
    let flash = plain.next().unwrap_or_default();
    let account = words.account.ok_or_else(|| format!("`{tool}` needs --account A: whose mail it is"));
    Ok(match tool {
        "check" => Tool::Check { flash },
        "stat" => Tool::Stat { flash, endurance: words.endurance.unwrap_or(ENDURANCE_DEFAULT) },
        "import" => Tool::Import { flash, account: account?, from: plain.next().unwrap_or_default() },
        "deleted" => Tool::Deleted { flash, account: account? },
        "dkim" => Tool::Dkim { flash, what: dkim(words.domain, words.rotate, words.name)? },
        "queue" => Tool::Queue { flash, what: queued(plain, words.order)? },
        "undelete" => {
            Tool::Undelete { flash, account: account?, which: which(plain, words.since, words.mailbox)? }
        }
        _ => Tool::Export { flash, account: account?, to: target(words.mbox, words.maildir)? },
    })
}

fn target(mbox: Option<PathBuf>, maildir: Option<PathBuf>) -> Result<Target, String> {
    match (mbox, maildir) {
        (Some(folder), None) => Ok(Target::Mbox(folder)),
        (None, Some(folder)) => Ok(Target::Maildir(folder)),
        (None, None) => Err("`export` needs --maildir OUT or --mbox OUT".into()),
        (Some(_), Some(_)) => Err("`export` takes --maildir or --mbox, not both".into()),
    }
}

fn which(
    numbers: impl Iterator<Item = PathBuf>,
    since: Option<DateTime>,
    mailbox: Option<String>,
) -> Result<Which, String> {
    let numbers = numbers.map(|word| {
        let text = word.display().to_string();
        text.parse().map_err(|_| format!("`{text}` is not a number that `tegami deleted` shows"))
    });
    let numbers = numbers.collect::<Result<Vec<u64>, String>>()?;
    match (numbers.is_empty(), since, mailbox) {
        (false, None, None) => Ok(Which::Numbers(numbers)),
        (true, Some(since), None) => Ok(Which::Since(since)),
        (true, None, Some(mailbox)) => Ok(Which::Mailbox(mailbox)),
        (true, None, None) => Err("`undelete` needs numbers, --since TIME or --mailbox NAME".into()),
        _ => Err("`undelete` takes numbers, --since or --mailbox, only one of them".into()),
    }
}

fn dkim(domain: Option<String>, rotate: bool, name: Option<String>) -> Result<Dkim, String> {
    match (domain, rotate, name) {
        (domain, false, None) => Ok(Dkim::Show(domain)),
        (Some(domain), true, None) => Ok(Dkim::Rotate(domain)),
        (Some(domain), false, Some(name)) => Ok(Dkim::Use { domain, name }),
        (Some(_), true, Some(_)) => Err("`dkim` takes --rotate or --use, not both at once".into()),
        (None, ..) => Err("`dkim` needs --domain D: whose keys are to be changed".into()),
    }
}

fn queued(
    mut plain: impl Iterator<Item = PathBuf>,
    order: Option<(Order, String)>,
) -> Result<Queued, String> {
    let word = plain.next().map(|word| word.display().to_string());
    if let Some(more) = plain.next() {
        return Err(format!("`queue` does not know what to do with {}", more.display()));
    }
    match (order, word) {
        (Some((order, which)), None) => Ok(Queued { order: Some(order), which: whose(&which)? }),
        (None, Some(which)) => Ok(Queued { order: None, which: whose(&which)? }),
        (None, None) => Ok(Queued { order: None, which: Whose::All }),
        (Some(_), Some(word)) => Err(format!("`queue` does not know what to do with {word}")),
    }
}

fn whose(text: &str) -> Result<Whose, String> {
    if text == "all" {
        return Ok(Whose::All);
    }
    if text.contains('@') {
        return Ok(Whose::To(text.to_owned()));
    }
    let numbers: Result<Vec<u32>, _> = text.split(',').map(str::parse).collect();
    numbers.map(Whose::Numbers).map_err(|_| {
        format!(
            "`{text}` is none of these: numbers that `tegami queue` shows, an address, @ and a domain, all"
        )
    })
}

/// Tells options from other words. `None` if help is asked for.
fn sort(tool: &str, mut words: impl Iterator<Item = OsString>) -> Result<Option<Words>, String> {
    let mut sorted = Words::default();
    while let Some(word) = words.next() {
        let option = word.to_string_lossy().into_owned();
        if matches!(option.as_str(), "--help" | "-h") {
            return Ok(None);
        }
        if !option.starts_with('-') {
            sorted.plain.push(word.into());
            continue;
        }
        let known = match option.as_str() {
            "--account" => matches!(tool, "export" | "import" | "deleted" | "undelete"),
            "--since" | "--mailbox" => tool == "undelete",
            "--mbox" | "--maildir" => tool == "export",
            "--endurance" => tool == "stat",
            "--domain" | "--rotate" | "--use" => tool == "dkim",
            "--hold" | "--release" | "--retry" | "--cancel" => tool == "queue" && sorted.order.is_none(),
            _ => false,
        };
        if !known {
            return Err(format!("`{tool}` has no option `{option}`; `tegami {tool} --help` lists them"));
        }
        if option == "--rotate" {
            sorted.rotate = true;
            continue;
        }
        let value = words.next().ok_or_else(|| format!("`{option}` needs a value"))?;
        match option.as_str() {
            "--mbox" => sorted.mbox = Some(value.into()),
            "--maildir" => sorted.maildir = Some(value.into()),
            "--endurance" => sorted.endurance = Some(endurance(&value)?),
            "--since" => sorted.since = Some(time(&value)?),
            "--mailbox" => sorted.mailbox = Some(value.to_string_lossy().into_owned()),
            "--domain" => sorted.domain = Some(value.to_string_lossy().into_owned()),
            "--use" => sorted.name = Some(value.to_string_lossy().into_owned()),
            "--account" => sorted.account = Some(value.to_string_lossy().into_owned()),
            order => sorted.order = Some((self::order(order), value.to_string_lossy().into_owned())),
        }
    }
    Ok(Some(sorted))
}

fn order(option: &str) -> Order {
    match option {
        "--hold" => Order::Hold,
        "--release" => Order::Release,
        "--retry" => Order::Retry,
        _ => Order::Cancel,
    }
}

fn time(value: &OsString) -> Result<DateTime, String> {
    let text = value.to_string_lossy();
    text.parse().map_err(|_| format!("`--since {text}` is not a time such as 2026-11-23 or 2026-11-23T14:30"))
}

fn endurance(value: &OsString) -> Result<u32, String> {
    let text = value.to_string_lossy();
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("`--endurance {text}` is not a number of erases such as 3000"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &str) -> Result<Tool, String> {
        let mut words = words.split_whitespace();
        parse(words.next().unwrap(), words.map(OsString::from))
    }

    #[test]
    fn tools_take_their_arguments_in_any_order() {
        assert_eq!(parse_words("check a.flash"), Ok(Tool::Check { flash: "a.flash".into() }));
        assert_eq!(
            parse_words("stat --endurance 10000 a.flash"),
            Ok(Tool::Stat { flash: "a.flash".into(), endurance: 10_000 })
        );
        let export =
            Tool::Export { flash: "a.flash".into(), account: "alice".into(), to: Target::Mbox("out".into()) };
        assert_eq!(parse_words("export --mbox out a.flash --account alice"), Ok(export));
        let import =
            Tool::Import { flash: "a.flash".into(), account: "alice".into(), from: "Maildir".into() };
        assert_eq!(parse_words("import a.flash Maildir --account alice"), Ok(import));
        let deleted = Tool::Deleted { flash: "a.flash".into(), account: "alice".into() };
        assert_eq!(parse_words("deleted --account alice a.flash"), Ok(deleted));
        let day = jiff::civil::date(2026, 11, 23);
        for (words, which) in [
            ("17 4", Which::Numbers(vec![17, 4])),
            ("--since 2026-11-23", Which::Since(day.at(0, 0, 0, 0))),
            ("--since 2026-11-23T14:30", Which::Since(day.at(14, 30, 0, 0))),
            ("--mailbox INBOX", Which::Mailbox("INBOX".into())),
        ] {
            let undelete = Tool::Undelete { flash: "a.flash".into(), account: "alice".into(), which };
            assert_eq!(parse_words(&format!("undelete a.flash --account alice {words}")), Ok(undelete));
        }
        let domain = || "example.test".to_owned();
        for (words, what) in [
            ("", Dkim::Show(None)),
            ("--domain example.test", Dkim::Show(Some(domain()))),
            ("--rotate --domain example.test", Dkim::Rotate(domain())),
            ("--domain example.test --use t202611", Dkim::Use { domain: domain(), name: "t202611".into() }),
        ] {
            let dkim = Tool::Dkim { flash: "a.flash".into(), what };
            assert_eq!(parse_words(&format!("dkim {words} a.flash")), Ok(dkim));
        }
    }

    #[test]
    fn letters_of_the_queue_are_named_in_several_ways() {
        for (words, order, which) in [
            ("", None, Whose::All),
            ("@b.test", None, Whose::To("@b.test".into())),
            ("--hold 3,17", Some(Order::Hold), Whose::Numbers(vec![3, 17])),
            ("--release all", Some(Order::Release), Whose::All),
            ("--retry a@b.test", Some(Order::Retry), Whose::To("a@b.test".into())),
            ("--cancel 4", Some(Order::Cancel), Whose::Numbers(vec![4])),
        ] {
            let queue = Tool::Queue { flash: "a.flash".into(), what: Queued { order, which } };
            assert_eq!(parse_words(&format!("queue a.flash {words}")), Ok(queue));
        }
    }

    #[test]
    fn mistakes_get_a_sentence() {
        for words in [
            "check",
            "check a b",
            "check --fix a",
            "check a --account alice",
            "stat a --endurance",
            "stat a --endurance 0",
            "stat a --endurance many",
            "export a --account alice",
            "export a --mbox out",
            "export a --account alice --mbox out --maildir out",
            "import a --account alice",
            "import a in",
            "import a in more --account alice",
            "deleted a",
            "deleted a 17 --account alice",
            "undelete a --account alice",
            "undelete a 17",
            "undelete a --account alice 17 --mailbox INBOX",
            "undelete a --account alice --since 2026-11-23 --mailbox INBOX",
            "undelete a --account alice --since yesterday",
            "undelete a --account alice seventeen",
            "dkim",
            "dkim a b",
            "dkim a --rotate",
            "dkim a --use t202611",
            "dkim a --domain example.test --use",
            "dkim a --domain example.test --use t202611 --rotate",
            "dkim a --account alice",
            "stat a --rotate",
            "queue a --hold",
            "queue a --hold three",
            "queue a --hold 3 --cancel 3",
            "queue a --hold 3 4",
            "queue a 3 4",
        ] {
            let problem = parse_words(words);
            assert!(problem.as_ref().is_err_and(|problem| problem.split(' ').count() > 3), "{problem:?}");
        }
    }

    #[test]
    fn help_is_everywhere() {
        for tool in ["check", "stat", "export", "import", "deleted", "undelete", "dkim", "queue"] {
            for words in ["--help", "a -h"] {
                let Ok(Tool::Help(text)) = parse_words(&format!("{tool} {words}")) else {
                    panic!("{tool} {words}");
                };
                assert!(is_tool(tool) && text.contains(&format!("Usage: tegami {tool} FLASH")), "{text}");
            }
        }
    }
}

//! The command lines of the tools, and what `--help` says about each.

use std::{ffi::OsString, path::PathBuf};

use super::limits::ENDURANCE_DEFAULT;

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
    if let Some(more) = words.plain.get(places.len()) {
        return Err(format!("`{tool}` does not know what to do with {}", more.display()));
    }
    let mut plain = words.plain.into_iter();
    let flash = plain.next().unwrap_or_default();
    let account = words.account.ok_or_else(|| format!("`{tool}` needs --account A: whose mail it is"));
    Ok(match tool {
        "check" => Tool::Check { flash },
        "stat" => Tool::Stat { flash, endurance: words.endurance.unwrap_or(ENDURANCE_DEFAULT) },
        "import" => Tool::Import { flash, account: account?, from: plain.next().unwrap_or_default() },
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
            "--account" => matches!(tool, "export" | "import"),
            "--mbox" | "--maildir" => tool == "export",
            "--endurance" => tool == "stat",
            _ => false,
        };
        if !known {
            return Err(format!("`{tool}` has no option `{option}`; `tegami {tool} --help` lists them"));
        }
        let value = words.next().ok_or_else(|| format!("`{option}` needs a value"))?;
        match option.as_str() {
            "--mbox" => sorted.mbox = Some(value.into()),
            "--maildir" => sorted.maildir = Some(value.into()),
            "--endurance" => sorted.endurance = Some(endurance(&value)?),
            _ => sorted.account = Some(value.to_string_lossy().into_owned()),
        }
    }
    Ok(Some(sorted))
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
        ] {
            let problem = parse_words(words);
            assert!(problem.as_ref().is_err_and(|problem| problem.split(' ').count() > 3), "{problem:?}");
        }
    }

    #[test]
    fn help_is_everywhere() {
        for tool in ["check", "stat", "export", "import"] {
            for words in ["--help", "a -h"] {
                let Ok(Tool::Help(text)) = parse_words(&format!("{tool} {words}")) else {
                    panic!("{tool} {words}");
                };
                assert!(is_tool(tool) && text.contains(&format!("Usage: tegami {tool} FLASH")), "{text}");
            }
        }
    }
}

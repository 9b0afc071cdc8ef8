//! The command line of the program on a host.

use std::{ffi::OsString, net::IpAddr, path::PathBuf, time::Duration};

use crate::{
    service::LOOPBACK,
    tools::{self, Tool},
};

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Serve, as an ordinary process on a flash in a file.
    Host(Host),
    /// Look after a flash that nobody serves.
    Tool(Tool),
    /// Be the mail process of the box; only PID 1 asks for that.
    Mail,
    /// Say how it is used.
    Help,
    /// Say which version it is.
    Version,
}

/// Options of `tegami host`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Host {
    /// File that holds the flash; created if absent.
    pub flash: PathBuf,
    /// Size of a flash that is created, in bytes.
    pub flash_size: u64,
    /// Provision file.
    pub provision: Option<PathBuf>,
    /// Address to listen on.
    pub listen: IpAddr,
    /// Added to every standard port.
    pub port_offset: u16,
    /// Makes every barrier take that much longer: to try the program on a slow card.
    pub barrier_delay: Duration,
}

/// Size of a flash when nothing is said: 1 GiB, sparse until used.
const FLASH_SIZE_DEFAULT: u64 = 1 << 30;

pub(crate) const HELP: &str = "\
Tegami, the mail server that you plug in.

Usage:
  tegami host --flash FILE [options]              serve SMTP, IMAP, POP3 and HTTP from a flash in a file
  tegami check FLASH                              read everything, compare it with its checksums
  tegami stat FLASH                               show how full and how worn it is
  tegami export FLASH --account A --maildir OUT   copy mail out: a Maildir, or with --mbox a file per mailbox
  tegami import FLASH --account A IN              copy mail in: from mbox files or a Maildir
  tegami deleted FLASH --account A                list deleted mail that can be brought back
  tegami undelete FLASH --account A NUMBER...     bring it back; or with --since TIME, --mailbox NAME
  tegami dkim FLASH [--domain D]                  show the DNS records of signatures; --rotate and --use change keys
  tegami queue FLASH                              list letters that wait for other servers; --retry, --hold, --cancel
  tegami --help | --version                       of every command as well: tegami check --help

Options of host:
  --flash FILE            the flash; created if absent
  --flash-size SIZE       size of a flash that is created (1GiB)
  --provision FILE        settings to apply (tegami.toml)
  --listen ADDRESS        address to listen on (127.0.0.1)
  --port-offset N         added to every port (20000: SMTP on 20025, IMAPS on 20993, ...)
  --barrier-delay-ms N    every barrier takes that much longer, to try a slow card (0)

SIGTERM or Ctrl-C ends it cleanly; it may be killed at any time.
";

/// Ports below 1024 need root: hosted services keep out of their way unless told otherwise.
const PORT_OFFSET_DEFAULT: u16 = 20_000;

/// Reads the arguments behind the program's name.
///
/// # Errors
/// A sentence for the person who typed them.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut words = arguments.into_iter();
    match words.next().as_deref().and_then(std::ffi::OsStr::to_str) {
        Some("host") => host(words),
        Some(tool) if tools::is_tool(tool) => tools::parse(tool, words).map(Command::Tool),
        Some(board::init::MAIL_ARGUMENT) => Ok(Command::Mail),
        Some("--help" | "-h" | "help") | None => Ok(Command::Help),
        Some("--version" | "-V") => Ok(Command::Version),
        Some(other) => Err(format!("there is no command `{other}`; `tegami --help` lists them")),
    }
}

fn host(mut words: impl Iterator<Item = OsString>) -> Result<Command, String> {
    let mut host = Host {
        flash: PathBuf::new(),
        flash_size: FLASH_SIZE_DEFAULT,
        provision: None,
        listen: LOOPBACK,
        port_offset: PORT_OFFSET_DEFAULT,
        barrier_delay: Duration::ZERO,
    };
    while let Some(word) = words.next() {
        let option = word.to_string_lossy().into_owned();
        if matches!(option.as_str(), "--help" | "-h") {
            return Ok(Command::Help);
        }
        let value = words.next().ok_or_else(|| format!("`{option}` needs a value"))?;
        match option.as_str() {
            "--flash" => host.flash = value.into(),
            "--provision" => host.provision = Some(value.into()),
            "--flash-size" => host.flash_size = size(&option, &value)?,
            "--listen" => host.listen = number(&option, &value)?,
            "--port-offset" => host.port_offset = number(&option, &value)?,
            "--barrier-delay-ms" => host.barrier_delay = Duration::from_millis(number(&option, &value)?),
            _ => return Err(format!("`host` has no option `{option}`; `tegami --help` lists them")),
        }
    }
    if host.flash.as_os_str().is_empty() {
        return Err("`host` needs --flash FILE: where the mail is kept".into());
    }
    if host.port_offset > u16::MAX - 4_190 {
        return Err(format!("--port-offset {} leaves no room for the ports", host.port_offset));
    }
    Ok(Command::Host(host))
}

fn number<T: std::str::FromStr>(option: &str, value: &OsString) -> Result<T, String> {
    let text = value.to_string_lossy();
    text.parse().map_err(|_| format!("`{option} {text}` is not a value that it takes"))
}

fn size(option: &str, value: &OsString) -> Result<u64, String> {
    let text = value.to_string_lossy();
    crate::provision::parse_size(&text)
        .ok_or_else(|| format!("`{option} {text}` is not a size such as 256MiB or 1GiB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &str) -> Result<Command, String> {
        parse(words.split_whitespace().map(OsString::from))
    }

    #[test]
    fn host_takes_its_options_in_any_order() {
        let Ok(Command::Host(host)) =
            parse_words("host --port-offset 3000 --flash a.flash --flash-size 256MiB --listen 192.0.2.1")
        else {
            panic!("not understood");
        };
        assert_eq!((host.port_offset, host.flash_size), (3_000, 256 << 20));
        assert_eq!(host.flash, PathBuf::from("a.flash"));
        assert_eq!(host.listen, IpAddr::from([192, 0, 2, 1]));
    }

    #[test]
    fn mistakes_get_a_sentence() {
        for words in [
            "serve",
            "host",
            "host --flash",
            "host --flash a --flash-size big",
            "host --flash a --port-offset 65000",
            "host --flash a --color yes",
        ] {
            assert!(parse_words(words).is_err(), "{words}");
        }
        assert!(matches!(parse_words("check a.flash"), Ok(Command::Tool(_))));
        assert_eq!(parse_words("host --help"), Ok(Command::Help));
        assert_eq!(parse_words(""), Ok(Command::Help));
    }
}

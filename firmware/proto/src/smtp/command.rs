//! Command lines (RFC 5321 §4.1.1): from bytes to a [`Command`]. Arguments of MAIL, RCPT and BDAT are in
//! `arguments`.

use super::reply::{self, Reply};

/// A command with what stands behind it, which may be nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    /// `HELO name`
    Helo(&'a [u8]),
    /// `EHLO name`
    Ehlo(&'a [u8]),
    /// `MAIL FROM:<path> parameters`; what stands behind the colon.
    Mail(&'a [u8]),
    /// `RCPT TO:<path> parameters`; what stands behind the colon.
    Rcpt(&'a [u8]),
    Data,
    /// `BDAT size [LAST]`
    Bdat(&'a [u8]),
    Rset,
    Noop,
    Vrfy,
    Help,
    Quit,
    StartTls,
    /// `AUTH mechanism [initial response]`
    Auth(&'a [u8]),
    /// Begins as a request of a web browser or a header field does.
    Foreign,
}

/// Commands of other mail servers that this one does not have.
const NOT_IMPLEMENTED: [&str; 7] = ["EXPN", "TURN", "ATRN", "ETRN", "SEND", "SOML", "SAML"];

/// Words with which a web browser begins. Pages have made browsers send letters to port 25.
const BROWSER: [&str; 8] = ["GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "CONNECT", "PATCH"];

impl<'a> Command<'a> {
    /// Reads a line that still has its end.
    ///
    /// # Errors
    /// The reply to what is not a command.
    pub(super) fn parse(line: &'a [u8]) -> Result<Self, Reply> {
        let line = line.strip_suffix(b"\r\n").ok_or(reply::LINE_MALFORMED)?;
        if line.iter().any(|byte| matches!(byte, b'\r' | b'\0')) {
            return Err(reply::LINE_MALFORMED);
        }
        // RFC 5321 §4.1.1: blanks before CR LF are to be tolerated.
        let line = line.trim_ascii_end();
        let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        let (verb, behind) = line.split_at(end);
        let is = |name: &str| verb.eq_ignore_ascii_case(name.as_bytes());
        let argument = behind.trim_ascii_start();
        match () {
            () if is("HELO") => name(argument).map(Self::Helo),
            () if is("EHLO") => name(argument).map(Self::Ehlo),
            () if is("MAIL") => keyed(argument, b"FROM:").map(Self::Mail).ok_or(reply::MAIL_SYNTAX),
            () if is("RCPT") => keyed(argument, b"TO:").map(Self::Rcpt).ok_or(reply::RCPT_SYNTAX),
            () if is("DATA") => alone(argument, Self::Data),
            () if is("BDAT") => Ok(Self::Bdat(argument)),
            () if is("RSET") => alone(argument, Self::Rset),
            () if is("QUIT") => alone(argument, Self::Quit),
            () if is("STARTTLS") => alone(argument, Self::StartTls),
            () if is("NOOP") => Ok(Self::Noop),
            () if is("VRFY") => Ok(Self::Vrfy),
            () if is("HELP") => Ok(Self::Help),
            () if is("AUTH") => Ok(Self::Auth(argument)),
            () if NOT_IMPLEMENTED.into_iter().any(is) => Err(reply::NOT_IMPLEMENTED),
            () if verb.ends_with(b":") || BROWSER.into_iter().any(is) => Ok(Self::Foreign),
            () => Err(reply::UNKNOWN),
        }
    }
}

fn name(argument: &[u8]) -> Result<&[u8], Reply> {
    if argument.is_empty() { Err(reply::NAME_MISSING) } else { Ok(argument) }
}

/// RFC 5321 §4.1.1.4, §4.1.1.5, §4.1.1.10, RFC 3207 §4: no parameters.
fn alone<'a>(argument: &[u8], command: Command<'a>) -> Result<Command<'a>, Reply> {
    if argument.is_empty() { Ok(command) } else { Err(reply::NO_ARGUMENT) }
}

/// What stands behind `FROM:` or `TO:`. A blank behind the colon is wrong (RFC 5321 §3.3) and common.
fn keyed<'a>(argument: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let (found, rest) = argument.split_at_checked(key.len())?;
    found.eq_ignore_ascii_case(key).then(|| rest.trim_ascii_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_have_no_case_and_may_trail_blanks() {
        for (line, command) in [
            (&b"ehlo client.test \r\n"[..], Command::Ehlo(b"client.test")),
            (b"HELO  a b\r\n", Command::Helo(b"a b")),
            (b"mail from:<a@b> SIZE=1\r\n", Command::Mail(b"<a@b> SIZE=1")),
            (b"MAIL FROM: <a@b>\r\n", Command::Mail(b"<a@b>")),
            (b"Rcpt To:<a@b>\r\n", Command::Rcpt(b"<a@b>")),
            (b"data\t \r\n", Command::Data),
            (b"Bdat  5 LAST \r\n", Command::Bdat(b"5 LAST")),
            (b"BDAT\r\n", Command::Bdat(b"")),
            (b"NOOP whatever it is\r\n", Command::Noop),
            (b"AUTH PLAIN abc=\r\n", Command::Auth(b"PLAIN abc=")),
            (b"GET / HTTP/1.1\r\n", Command::Foreign),
            (b"Subject: hello\r\n", Command::Foreign),
        ] {
            assert_eq!(Command::parse(line), Ok(command), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn what_is_not_a_command_has_its_reply() {
        for (line, reply) in [
            (&b"\r\n"[..], reply::UNKNOWN),
            (b" NOOP\r\n", reply::UNKNOWN),
            (b"NOOP\n", reply::LINE_MALFORMED),
            (b"NO\0OP\r\n", reply::LINE_MALFORMED),
            (b"NOOP\r\r\n", reply::LINE_MALFORMED),
            (b"EHLO\r\n", reply::NAME_MISSING),
            (b"MAIL <a@b>\r\n", reply::MAIL_SYNTAX),
            (b"MAIL\r\n", reply::MAIL_SYNTAX),
            (b"RCPT FROM:<a@b>\r\n", reply::RCPT_SYNTAX),
            (b"DATA now\r\n", reply::NO_ARGUMENT),
            (b"EXPN list\r\n", reply::NOT_IMPLEMENTED),
            (b"\xff\xfe\r\n", reply::UNKNOWN),
        ] {
            assert_eq!(Command::parse(line), Err(reply), "{}", line.escape_ascii());
        }
    }
}

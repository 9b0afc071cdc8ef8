//! Commands and their short arguments (RFC 3501 §9 `command`; extensions are named where they are read).

use alloc::{borrow::Cow, string::String, vec::Vec};

use zeroize::Zeroize;

use super::{Cursor, Parse, bad};
use crate::{
    Secret,
    imap::ast::{Append, Command, FlagChange, FlagList, StatusItem, Text},
};

/// Longest name of a command.
const VERB_BYTES_MAX: usize = 16;

impl Cursor<'_> {
    /// What follows the tag. After an error the rest is not looked at.
    pub(super) fn command(&mut self) -> Parse<Command> {
        self.expect(b' ', "A command follows its tag after one blank")?;
        let verb = self.verb()?;
        let command = self.arguments(&verb)?;
        // An APPEND that is right ends with the announcement of its message.
        if !matches!(command, Command::Append(_)) {
            self.end()?;
        }
        Ok(command)
    }

    fn verb(&mut self) -> Parse<heapless::String<VERB_BYTES_MAX>> {
        let mut verb = heapless::String::new();
        for byte in self.atom()? {
            let byte = char::from(byte.to_ascii_uppercase());
            if verb.push(byte).is_err() {
                return bad("There is no such command");
            }
        }
        Ok(verb)
    }

    fn arguments(&mut self, verb: &str) -> Parse<Command> {
        match verb {
            "CAPABILITY" => Ok(Command::Capability),
            "NOOP" => Ok(Command::Noop),
            "LOGOUT" => Ok(Command::Logout),
            "STARTTLS" => Ok(Command::StartTls),
            "NAMESPACE" => Ok(Command::Namespace),
            "IDLE" => Ok(Command::Idle),
            "CHECK" => Ok(Command::Check),
            "CLOSE" => Ok(Command::Close),
            "UNSELECT" => Ok(Command::Unselect),
            "EXPUNGE" => Ok(Command::Expunge(None)),
            _ => {
                if !is_verb_with_arguments(verb) {
                    return bad("There is no such command");
                }
                self.sp()?;
                self.mailbox_command(verb)
            }
        }
    }

    fn mailbox_command(&mut self, verb: &str) -> Parse<Command> {
        match verb {
            "SELECT" => Ok(Command::Select { mailbox: self.text()?, read_only: false }),
            "EXAMINE" => Ok(Command::Select { mailbox: self.text()?, read_only: true }),
            "CREATE" => self.create(),
            "DELETE" => Ok(Command::Delete(self.text()?)),
            "RENAME" => self.rename(),
            "SUBSCRIBE" => Ok(Command::Subscribe { mailbox: self.text()?, on: true }),
            "UNSUBSCRIBE" => Ok(Command::Subscribe { mailbox: self.text()?, on: false }),
            "LIST" => self.list(false),
            "LSUB" => self.list(true),
            "STATUS" => self.status(),
            "APPEND" => self.append(),
            "ID" => self.id(),
            "ENABLE" => self.enable(),
            "AUTHENTICATE" => self.authenticate(),
            "LOGIN" => self.login(),
            "UID" => self.uid_command(),
            _ => self.message_command(verb, false),
        }
    }

    /// `uid = "UID" SP (copy / fetch / search / store)`, RFC 4315 §2.1, RFC 6851 §3.2.
    fn uid_command(&mut self) -> Parse<Command> {
        let verb = self.verb()?;
        self.sp()?;
        match verb.as_str() {
            "EXPUNGE" => Ok(Command::Expunge(Some(self.sequence_set()?))),
            "COPY" | "FETCH" | "MOVE" | "SEARCH" | "STORE" => self.message_command(&verb, true),
            _ => bad("UID goes with COPY, EXPUNGE, FETCH, MOVE, SEARCH and STORE"),
        }
    }

    fn message_command(&mut self, verb: &str, uid: bool) -> Parse<Command> {
        match verb {
            "FETCH" => self.fetch(uid),
            "SEARCH" => self.search(uid),
            "STORE" => self.store(uid),
            "COPY" | "MOVE" => {
                let set = self.sequence_set()?;
                self.sp()?;
                Ok(Command::Copy { uid, set, mailbox: self.text()?, remove: verb == "MOVE" })
            }
            _ => bad("There is no such command"),
        }
    }

    /// `create = "CREATE" SP mailbox`, RFC 6154 §6: `[SP "(" "USE" SP "(" [use-attr *(SP use-attr)] ")" ")"]`
    fn create(&mut self) -> Parse<Command> {
        let mailbox = self.text()?;
        let mut special_use = None;
        if self.eat(b' ') {
            if !self.eat_text(b"(USE (") {
                return bad("The only parameter of CREATE is (USE (...))");
            }
            let mut uses: Vec<Text> = Vec::new();
            while !self.eat_text(b"))") {
                if !uses.is_empty() {
                    self.sp()?;
                }
                self.expect(b'\\', "a use begins with a backslash")?;
                uses.push(self.atom()?.into());
            }
            special_use = Some(uses);
        }
        Ok(Command::Create { mailbox, special_use })
    }

    /// `rename = "RENAME" SP mailbox SP mailbox`
    fn rename(&mut self) -> Parse<Command> {
        let from = self.text()?;
        self.sp()?;
        Ok(Command::Rename { from, to: self.text()? })
    }

    /// `list = "LIST" SP mailbox SP list-mailbox`, `lsub = "LSUB" SP mailbox SP list-mailbox`
    fn list(&mut self, subscribed: bool) -> Parse<Command> {
        let reference = self.text()?;
        self.sp()?;
        Ok(Command::List { reference, pattern: self.list_mailbox()?.into(), subscribed })
    }

    /// `status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"`
    fn status(&mut self) -> Parse<Command> {
        let mailbox = self.text()?;
        self.sp()?;
        self.expect(b'(', "The items of STATUS stand in parentheses")?;
        let mut items = Vec::new();
        loop {
            let item = match self.atom()?.to_ascii_uppercase().as_slice() {
                b"MESSAGES" => StatusItem::Messages,
                b"RECENT" => StatusItem::Recent,
                b"UIDNEXT" => StatusItem::UidNext,
                b"UIDVALIDITY" => StatusItem::UidValidity,
                b"UNSEEN" => StatusItem::Unseen,
                _ => return bad("STATUS knows MESSAGES, RECENT, UIDNEXT, UIDVALIDITY and UNSEEN"),
            };
            // An item named twice is answered once.
            if !items.contains(&item) {
                items.push(item);
            }
            if self.eat(b')') {
                return Ok(Command::Status { mailbox, items });
            }
            self.sp()?;
        }
    }

    /// `append = "APPEND" SP mailbox [SP flag-list] [SP date-time] SP literal`, up to the literal's bytes.
    fn append(&mut self) -> Parse<Command> {
        let mailbox = self.text()?;
        self.sp()?;
        let mut flags = FlagList::default();
        if self.peek() == Some(b'(') {
            flags = self.flag_list()?;
            self.sp()?;
        }
        let mut date = None;
        if self.peek() == Some(b'"') {
            date = Some(self.date_time()?);
            self.sp()?;
        }
        Ok(Command::Append(Append { mailbox, flags, date, literal: self.literal_head()? }))
    }

    /// RFC 2971 §4: `id = "ID" SP id-params-list`, `id-params-list = "(" *(string SP nstring) ")" / nil`
    fn id(&mut self) -> Parse<Command> {
        if self.eat_text(b"NIL") {
            return Ok(Command::Id);
        }
        self.expect(b'(', "ID takes a list or NIL")?;
        while !self.eat(b')') {
            self.string()?;
            self.sp()?;
            self.nstring()?;
            // Between pairs; some clients leave one before the end as well.
            self.eat(b' ');
        }
        Ok(Command::Id)
    }

    /// RFC 5161 §4: `enable = "ENABLE" 1*(SP capability)`
    fn enable(&mut self) -> Parse<Command> {
        self.atom()?;
        while self.eat(b' ') {
            self.atom()?;
        }
        Ok(Command::Enable)
    }

    /// RFC 4959 §7: `authenticate = "AUTHENTICATE" SP auth-type [SP (base64 / "=")]`
    fn authenticate(&mut self) -> Parse<Command> {
        let mechanism = self.atom()?.into();
        let initial = if self.eat(b' ') { Some(secret(Cow::Borrowed(self.atom()?))?) } else { None };
        Ok(Command::Authenticate { mechanism, initial })
    }

    /// `login = "LOGIN" SP userid SP password`
    fn login(&mut self) -> Parse<Command> {
        let name = secret(self.astring()?)?;
        self.sp()?;
        Ok(Command::Login { name, password: secret(self.astring()?)? })
    }

    /// `store = "STORE" SP sequence-set SP store-att-flags`,
    /// `store-att-flags = (["+" / "-"] "FLAGS" [".SILENT"]) SP (flag-list / (flag *(SP flag)))`
    fn store(&mut self, uid: bool) -> Parse<Command> {
        let set = self.sequence_set()?;
        self.sp()?;
        let change = match self.peek() {
            Some(b'+') => FlagChange::Add,
            Some(b'-') => FlagChange::Remove,
            _ => FlagChange::Replace,
        };
        if change != FlagChange::Replace {
            self.skip(1);
        }
        if !self.eat_text(b"FLAGS") {
            return bad("STORE takes FLAGS, +FLAGS or -FLAGS, each with or without .SILENT");
        }
        let silent = self.eat_text(b".SILENT");
        self.sp()?;
        if self.peek() == Some(b'(') {
            return Ok(Command::Store { uid, set, change, silent, flags: self.flag_list()? });
        }
        let mut flags = FlagList::default();
        self.flag(&mut flags)?;
        while self.eat(b' ') {
            self.flag(&mut flags)?;
        }
        Ok(Command::Store { uid, set, change, silent, flags })
    }
}

fn is_verb_with_arguments(verb: &str) -> bool {
    const VERBS: [&str; 20] = [
        "APPEND",
        "AUTHENTICATE",
        "COPY",
        "CREATE",
        "DELETE",
        "ENABLE",
        "EXAMINE",
        "FETCH",
        "ID",
        "LIST",
        "LOGIN",
        "LSUB",
        "MOVE",
        "RENAME",
        "SEARCH",
        "SELECT",
        "STATUS",
        "STORE",
        "SUBSCRIBE",
        "UID",
    ];
    VERBS.contains(&verb) || verb == "UNSUBSCRIBE"
}

/// A name or password.
fn secret(bytes: Cow<'_, [u8]>) -> Parse<Secret> {
    match String::from_utf8(bytes.into_owned()) {
        Ok(text) => Ok(Secret::new(text)),
        Err(error) => {
            error.into_bytes().zeroize();
            bad("Names and passwords are UTF-8")
        }
    }
}

//! Mail in memory, with switches for everything that can go wrong behind the port.

use alloc::{
    borrow::ToOwned,
    boxed::Box,
    collections::{BTreeMap, VecDeque},
    format,
    rc::Rc,
    string::{String, ToString},
    vec::Vec,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use mail::{
    AccountId, Address, Cold, Envelope, Flags, MailboxId, MailboxName, Receipt, Refusal, SpecialUse, Stop,
    Ticket, UnixTime, Unready,
};

use super::{
    outbound::Queued,
    shelf::{Account, Arrived, Mailbox, Shelf, Stored},
};
use crate::{
    Login, LoginRefusal, Secret,
    sasl::{ScramAccepted, ScramChallenge, ScramProof},
};

/// AuthMessage of the example of RFC 7677 §3; `{c}` stands for its channel binding.
const SCRAM_AUTH_MESSAGE: &str = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
    r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
    c={c},r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

/// Channel binding, ClientProof and ServerSignature: those of the RFC, and those of the same exchange bound to
/// [`super::BINDING`], computed by the formulas of RFC 5802 §3 with Python's hashlib and hmac.
const SCRAM_PROOFS: [(&str, &str, &str); 2] = [
    ("biws", "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="),
    (
        "cD10bHMtZXhwb3J0ZXIsLAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH",
        "R2bHiXqaT4RLSd/UZxfg2gBdXS2SdQOUTTLyTSXHnZA=",
        "KxSI8XUdIxGURZaCAWDeABIWU/CJ/li73fGLRvz4Lw0=",
    ),
];

/// A change that waits for its barrier.
type Change = Box<dyn FnOnce(&mut Shelf) -> Receipt>;

/// Implements `mail::Mail` in memory. A change is applied, seen and settled by [`FakeMail::commit`] only.
#[derive(Default)]
pub(crate) struct FakeMail {
    /// What is durable and visible.
    pub(crate) shelf: Shelf,
    /// So many of the next calls that write are answered [`Stop::Busy`].
    pub(crate) busy: u32,
    /// So many of the next reads are answered [`Unready::Cold`], each until it was warmed.
    pub(crate) cold: u32,
    /// The next commit fails with this.
    pub(crate) commit_refusal: Option<Refusal>,
    /// The next calls of this kind are refused.
    pub(crate) refusals: VecDeque<(Call, Refusal)>,
    /// What the next log-in is answered whatever its password.
    pub(crate) login_refusal: Option<LoginRefusal>,
    /// Bytes that the write queue takes until [`FakeMail::make_room`]; no end when `None`.
    pub(crate) queue_bytes: Option<usize>,
    /// The most that one `read` gives; no end when `None`.
    pub(crate) read_bytes_max: Option<usize>,
    /// Bytes of all letters from this offset on are damaged.
    pub(crate) damaged_from: Option<u64>,
    /// What the metadata holds of all letters is damaged.
    pub(crate) damaged_records: bool,
    /// No change is taken any more.
    pub(crate) read_only: bool,
    /// Largest letter in bytes; no end when `None`.
    pub(crate) message_bytes_max: Option<u64>,
    /// Bytes left on the flash; no end when `None`.
    pub(crate) free_bytes: Option<u64>,
    /// How many messages calls that list or look have gone through.
    pub(crate) looked_at: core::cell::Cell<u32>,
    pub(super) drafts: BTreeMap<u64, Drafted>,
    pub(super) opened: BTreeMap<u64, Rc<[u8]>>,
    pub(super) locks: BTreeMap<AccountId, Rc<()>>,
    pub(super) next_id: u64,
    queued: usize,
    sends_seen: usize,
    cold_now: Option<Cold>,
    pending: Vec<(Ticket, Change)>,
}

/// Kinds of calls that can be told to refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Draft,
    Recipient,
    Append,
    Deposit,
    /// Every other change.
    Change,
}

/// A letter that is coming in.
#[derive(Default)]
pub(super) struct Drafted {
    pub(super) bytes: Vec<u8>,
    pub(super) announced: u64,
    pub(super) envelope: Envelope,
    pub(super) accounts: Vec<AccountId>,
    pub(super) queued: Vec<Queued>,
    pub(super) mailboxes: Vec<(MailboxId, Flags)>,
    pub(super) pin: Rc<()>,
}

impl FakeMail {
    /// A box with the domain `example.test`, the accounts `alice` and `bob` in it (password: `secret of` and the
    /// name), the alias `info` for both and the alias `away` that leads outside.
    pub(crate) fn new() -> Self {
        let mut mail = Self::default();
        mail.shelf.domains.push("example.test".to_owned());
        mail.add_account("alice@example.test", "secret of alice");
        mail.add_account("bob@example.test", "secret of bob");
        for (alias, to) in [
            ("info@example.test", "alice@example.test"),
            ("info@example.test", "bob@example.test"),
            ("postmaster@example.test", "alice@example.test"),
            ("away@example.test", "carol@elsewhere.test"),
        ] {
            mail.shelf.aliases.push((alias.to_owned(), to.to_owned()));
        }
        mail
    }

    /// Adds an account with the mailboxes that every account has.
    pub(crate) fn add_account(&mut self, address: &str, password: &str) -> AccountId {
        let id = AccountId(self.shelf.accounts.len() as u32 + 1);
        self.shelf.accounts.push(Account {
            id,
            address: address.to_owned(),
            password: password.to_owned(),
            quota: None,
            keywords: Vec::new(),
            subscriptions: Default::default(),
        });
        for (name, special_use) in [
            ("INBOX", None),
            ("Archive", Some(SpecialUse::Archive)),
            ("Drafts", Some(SpecialUse::Drafts)),
            ("Junk", Some(SpecialUse::Junk)),
            ("Sent", Some(SpecialUse::Sent)),
            ("Trash", Some(SpecialUse::Trash)),
        ] {
            let name = MailboxName::new(name).unwrap();
            self.shelf.create(id, name.clone(), special_use);
            self.shelf.account_mut(id).unwrap().subscriptions.insert(name);
        }
        id
    }

    /// The account of an address.
    pub(crate) fn account_of(&self, address: &str) -> AccountId {
        self.shelf.accounts.iter().find(|account| account.address == address).unwrap().id
    }

    /// A mailbox of the account of an address.
    pub(crate) fn mailbox_of(&self, address: &str, name: &str) -> MailboxId {
        self.shelf.find(self.account_of(address), &MailboxName::new(name).unwrap()).unwrap()
    }

    /// The messages in a mailbox of an address.
    pub(crate) fn messages(&self, address: &str, name: &str) -> Vec<Stored> {
        self.shelf.mailboxes[&self.mailbox_of(address, name)].messages.values().cloned().collect()
    }

    /// Puts a message into a mailbox, durable at once, as if somebody else had delivered it.
    pub(crate) fn deliver(&mut self, mailbox: MailboxId, flags: Flags, bytes: &[u8], summary: &[u8]) {
        let letter = Arrived {
            bytes: bytes.into(),
            summary: summary.into(),
            received: UnixTime(super::NOW.unix.0),
            zone_minutes: 540,
        };
        self.shelf.insert(mailbox, flags, &letter);
    }

    /// Letters that are coming in and not aborted.
    pub(crate) fn open_drafts(&self) -> usize {
        self.drafts.values().filter(|draft| Rc::strong_count(&draft.pin) > 1).count()
    }

    /// The barrier: all pending changes are applied and settled, or fail as [`FakeMail::commit_refusal`] says.
    pub(crate) fn commit(&mut self) {
        for (ticket, change) in core::mem::take(&mut self.pending) {
            ticket.settle(match self.commit_refusal {
                Some(refusal) => Err(refusal),
                None => Ok(change(&mut self.shelf)),
            });
        }
        self.commit_refusal = None;
    }

    /// Whether a change waits for its barrier.
    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// The write queue has been written: [`crate::Want::Flash`] is satisfied.
    pub(crate) fn make_room(&mut self) {
        self.queued = 0;
    }

    /// [`crate::Want::Warm`] is satisfied. What is warmed must be what was said to be cold.
    pub(crate) fn warm(&mut self, cold: Cold) {
        assert_eq!(self.cold_now.take(), Some(cold), "warmed what was not cold");
    }

    /// Checks credentials as the program does: the whole address or the part before its `@`.
    pub(crate) fn login(&mut self, login: &Login) -> Result<AccountId, LoginRefusal> {
        if let Some(refusal) = self.login_refusal.take() {
            return Err(refusal);
        }
        let (name, password) = (login.name.expose(), login.password.expose());
        self.shelf
            .accounts
            .iter()
            .find(|account| account.address == name || account.address.split('@').next() == Some(name))
            .filter(|account| account.password == password)
            .map(|account| account.id)
            .ok_or(LoginRefusal::Credentials)
    }

    /// What the example of RFC 7677 §3 is challenged with, whoever it is.
    pub(crate) fn scram_challenge(&mut self, _: &Secret) -> Result<ScramChallenge, LoginRefusal> {
        Ok(ScramChallenge {
            salt: STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap(),
            iterations: 4096,
            nonce: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".to_owned(),
        })
    }

    /// Knows the proofs of the example of RFC 7677 §3, in which `user` has the password `pencil`: here that is alice.
    pub(crate) fn scram_proof(&mut self, proof: &ScramProof) -> Result<ScramAccepted, LoginRefusal> {
        if let Some(refusal) = self.login_refusal.take() {
            return Err(refusal);
        }
        let auth_message = proof.auth_message.expose();
        let known = SCRAM_PROOFS.iter().find(|(binding, right, _)| {
            let expected = SCRAM_AUTH_MESSAGE.replace("{c}", binding);
            auth_message == expected && STANDARD.encode(proof.proof) == *right
        });
        let (_, _, signature) = known.ok_or(LoginRefusal::Credentials)?;
        let signature = STANDARD.decode(signature).unwrap().try_into().unwrap();
        Ok(ScramAccepted { account: self.account_of("alice@example.test"), signature })
    }

    /// Does what a transcript's `-- words` says; see [`super::transcript`]. Returns whether it knows the words.
    pub(crate) fn direct(&mut self, words: &str) -> bool {
        let (verb, rest) = words.split_once(' ').unwrap_or((words, ""));
        match verb {
            "busy" => self.busy = rest.parse().unwrap(),
            "cold" => self.cold = rest.parse().unwrap(),
            "queue" => self.queue_bytes = Some(rest.parse().unwrap()),
            "read" => self.read_bytes_max = Some(rest.parse().unwrap()),
            "size" => self.message_bytes_max = Some(rest.parse().unwrap()),
            "damage" => self.damaged_from = rest.parse().ok(),
            "read-only" => self.read_only = true,
            "damage-records" => self.damaged_records = true,
            "free" => self.free_bytes = Some(rest.parse().unwrap()),
            "quota" => self.shelf.accounts.iter_mut().for_each(|account| account.quota = rest.parse().ok()),
            "fail" => self.commit_refusal = Some(refusal_named(rest)),
            "refuse" => self.refusals.push_back(refusal_of_call(rest)),
            "holds" => self.assert_holds(rest),
            "sends" => self.assert_sends(rest),
            "alias" => self.add_alias(rest),
            "login" => self.login_refusal = Some(login_refusal_named(rest)),
            _ => return false,
        }
        true
    }

    /// `address count`: so many messages are in that INBOX.
    fn assert_holds(&self, words: &str) {
        let (address, count) = words.split_once(' ').unwrap();
        let messages = self.messages(address, "INBOX");
        assert_eq!(messages.len(), count.parse::<usize>().unwrap(), "messages of {address}");
    }

    /// `alias address`: one leads to the other.
    fn add_alias(&mut self, words: &str) {
        let (alias, to) = words.split_once(' ').unwrap();
        self.shelf.aliases.push((alias.to_owned(), to.to_owned()));
    }

    /// What of the outbound queue was not looked at before is this: `nothing`, or a recipient as [`Queued`] is written.
    fn assert_sends(&mut self, words: &str) {
        let next = self.shelf.outbound.get(self.sends_seen).map_or("nothing".to_owned(), Queued::to_string);
        assert_eq!(next, words, "the next in the outbound queue");
        self.sends_seen += usize::from(next != "nothing");
    }

    /// Refuses if it was told to refuse this kind of call.
    pub(super) fn check(&mut self, call: Call) -> Result<(), Refusal> {
        if self.read_only {
            return Err(Refusal::ReadOnly);
        }
        match self.refusals.front() {
            Some((refused, refusal)) if *refused == call => {
                let refusal = *refusal;
                self.refusals.pop_front();
                Err(refusal)
            }
            _ => Ok(()),
        }
    }

    /// Says busy if it was told to.
    pub(super) fn check_busy(&mut self) -> Result<(), Stop> {
        if self.busy > 0 {
            self.busy -= 1;
            return Err(Stop::Busy);
        }
        Ok(())
    }

    /// How many of `wanted` bytes the write queue takes.
    pub(super) fn queue(&mut self, wanted: usize) -> Result<usize, Stop> {
        let room = self.queue_bytes.map_or(usize::MAX, |max| max - self.queued);
        if room == 0 {
            return Err(Stop::Busy);
        }
        let taken = wanted.min(room);
        self.queued += if self.queue_bytes.is_some() { taken } else { 0 };
        Ok(taken)
    }

    /// Cold until warmed, if it was told so. A cold stretch that is asked for again without warming stays cold.
    pub(super) fn check_cold(&mut self, offset: u64) -> Result<(), Unready> {
        if self.cold_now.is_none() && self.cold > 0 {
            self.cold -= 1;
            self.cold_now = Some(Cold { offset, len: 1 });
        }
        self.cold_now.map_or(Ok(()), |cold| Err(Unready::Cold(cold)))
    }

    /// Queues a change for the next barrier.
    pub(super) fn change(&mut self, change: impl FnOnce(&mut Shelf) -> Receipt + 'static) -> Ticket {
        let ticket = Ticket::pending();
        self.pending.push((ticket.clone(), Box::new(change)));
        ticket
    }

    /// Accounts that an address leads to, and addresses outside.
    pub(super) fn resolve(&self, to: &Address) -> Result<(Vec<AccountId>, Vec<Address>), Refusal> {
        if !self.is_ours(to) {
            return Err(Refusal::NotLocal);
        }
        let (bare, catch_all) = (without_tag(to), format!("@{}", to.domain()));
        let targets = |name: &str| -> Vec<&str> {
            let leads = |alias: &str| alias.eq_ignore_ascii_case(name);
            let aliases = self.shelf.aliases.iter();
            aliases.filter(|(alias, _)| leads(alias)).map(|(_, to)| to.as_str()).collect()
        };
        let account = |name: &str| {
            let mut accounts = self.shelf.accounts.iter();
            accounts.find(|account| account.address.eq_ignore_ascii_case(name)).map(|account| account.id)
        };
        let mut names = targets(&bare);
        if names.is_empty() && account(&bare).is_some() {
            names.push(&bare);
        }
        if names.is_empty() {
            names = targets(&catch_all);
        }
        if names.is_empty() {
            return Err(Refusal::NoSuchUser);
        }
        let outside = names.iter().filter(|name| account(name).is_none());
        let outside = outside.map(|name| Address::parse(name).unwrap()).collect();
        Ok((names.into_iter().filter_map(account).collect(), outside))
    }

    pub(super) fn is_ours(&self, address: &Address) -> bool {
        self.shelf.domains.iter().any(|domain| domain.eq_ignore_ascii_case(address.domain()))
    }

    pub(super) fn look_at(&self, messages: u32) {
        self.looked_at.set(self.looked_at.get() + messages);
    }

    pub(super) fn mailbox_at(&self, id: MailboxId) -> Option<&Mailbox> {
        self.shelf.mailboxes.get(&id)
    }
}

/// `alice+tag@domain` without its tag.
fn without_tag(address: &Address) -> String {
    let local = address.local();
    let local = local.split_once('+').map_or(local, |(name, _)| name);
    format!("{local}@{}", address.domain())
}

fn refusal_of_call(words: &str) -> (Call, Refusal) {
    let (call, refusal) = words.split_once(' ').unwrap();
    let call = match call {
        "draft" => Call::Draft,
        "recipient" => Call::Recipient,
        "append" => Call::Append,
        "deposit" => Call::Deposit,
        "change" => Call::Change,
        _ => panic!("no call {call:?}"),
    };
    (call, refusal_named(refusal))
}

fn refusal_named(name: &str) -> Refusal {
    use Refusal::{
        Cannot, ForwardsOutside, InUse, LargerThanQuota, Limit, MailboxExists, NoSuchMailbox, NoSuchUser,
        NotDurable, NotLocal, OverQuota, QueueFull, ReadOnly, StoreFull, TooBusy, TooLarge,
        TooManyRecipients,
    };
    [
        NoSuchUser,
        NotLocal,
        ForwardsOutside,
        TooManyRecipients,
        OverQuota,
        LargerThanQuota,
        QueueFull,
        TooLarge,
        StoreFull,
        ReadOnly,
        NotDurable,
        TooBusy,
        NoSuchMailbox,
        MailboxExists,
        Cannot,
        Limit,
        InUse,
    ]
    .into_iter()
    .find(|refusal| format!("{refusal:?}") == name)
    .unwrap_or_else(|| panic!("no refusal {name:?}"))
}

fn login_refusal_named(name: &str) -> LoginRefusal {
    match name {
        "TooMany" => LoginRefusal::TooMany { retry_after_s: 30 },
        "Unavailable" => LoginRefusal::Unavailable,
        _ => LoginRefusal::Credentials,
    }
}

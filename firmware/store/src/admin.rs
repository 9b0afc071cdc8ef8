//! What the program asks beside the port: accounts, domains, aliases, settings, figures.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use flash::FlashQueue;
use mail::{AccountId, Address, Refusal, Stop, Ticket, UnixTime};

use crate::Store;
use crate::changes::Change;
use crate::coding::Coder;
use crate::damage::Damage;
use crate::format::code::{Bytes, put};
use crate::format::frame::{FRAME_BYTES, kind};
use crate::format::records::{AccountPut, AccountRemove, AliasPut, SettingPut};
use crate::index::{FIRST_MAILBOXES, Secret, lower};
use crate::life::Phase;
use crate::limits::{
    ALIAS_TARGETS_MAX, DIRECTORY_ENTRIES_MAX, DISPLAY_NAME_BYTES_MAX, INDEX_DELETION_BYTES,
    INDEX_LETTER_BYTES, INDEX_MESSAGE_BYTES, MESSAGE_BYTES_MAX, SECRET_BYTES_MAX, SETTING_BYTES_MAX,
    SETTING_KEY_BYTES_MAX, SETTINGS_BYTES_MAX,
};
use crate::log::Class;
use crate::undelete::Deleted;

/// An account as the program gives it.
#[derive(Clone, Copy)]
pub struct AccountDetails<'a> {
    /// Its address and whole log-in name.
    pub address: &'a Address,
    /// What its owner is called; may be empty.
    pub name: &'a str,
    /// What its mailboxes may hold, in bytes; `None` for no limit but the flash.
    pub quota: Option<u64>,
    /// What proves its password, opaque here; empty for no log-in. At most
    /// [`SECRET_BYTES_MAX`](crate::limits::SECRET_BYTES_MAX).
    pub secret: &'a [u8],
}

/// An account as the store has it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AccountInfo<'a> {
    /// Its number.
    pub id: AccountId,
    /// Its address as it was given.
    pub address: &'a str,
    /// What its owner is called.
    pub name: &'a str,
    /// What its mailboxes may hold, in bytes.
    pub quota: Option<u64>,
    /// What proves its password.
    pub secret: &'a [u8],
}

impl fmt::Debug for AccountDetails<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} {:?}", self.address, self.name, self.quota)
    }
}

impl fmt::Debug for AccountInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} {:?} {:?}", self.id, self.address, self.name, self.quota)
    }
}

/// Figures for the page and for `stat`. Bytes, where nothing else is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// What the store uses of the device.
    pub capacity: u64,
    /// What letters can still be given, about.
    pub free: u64,
    /// Mail committed in the store's whole life, each letter once.
    pub mail: u64,
    /// Programmed in the store's whole life, as far as groups recorded it.
    pub programmed: u64,
    /// Letters stored, deleted ones that can be brought back included.
    pub letters: usize,
    /// What deletions that can be undone hold.
    pub deleted: Deleted,
    /// Letters being streamed in.
    pub drafts: usize,
    /// Damaged places found since the mount.
    pub damage: u64,
    /// Damaged letters among those that scrubbing has read since the mount; see [`Store::damaged_letters`].
    pub damaged_letters: u64,
    /// No change is taken any more; see [`Store::is_read_only`].
    pub read_only: bool,
    /// How the device is worn.
    pub wear: Wear,
}

/// How often segments have been erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wear {
    /// Segments of the store.
    pub segments: u32,
    /// Bytes of one.
    pub segment_bytes: u32,
    /// Erases of the segment that was erased least.
    pub least: u32,
    /// Erases of the segment that was erased most.
    pub most: u32,
    /// Erases of all segments together.
    pub total: u64,
    /// Segments that are not used any more, because a block of them failed or lost something.
    pub retired: u32,
}

/// Numbers and lengths of a record beside its texts, at most.
const RECORD_NUMBERS: usize = FRAME_BYTES + 80;

impl<Q: FlashQueue> Store<Q> {
    // ---- Accounts ----------------------------------------------------------------------------------------------

    /// Makes an account, with the mailboxes that everyone has, or changes the account `id`. Returns its number, which
    /// counts from the moment that the ticket is settled.
    ///
    /// # Errors
    /// [`Refusal::MailboxExists`] when another account has the address, [`Refusal::NoSuchUser`] when there is no
    /// account `id`, [`Refusal::Limit`], and those of every change.
    pub fn put_account(
        &mut self,
        id: Option<AccountId>,
        details: &AccountDetails<'_>,
    ) -> Result<(AccountId, Ticket), Stop> {
        let address = details.address.as_str();
        let owner = self.state.directory.addresses.get(lower(address).as_str()).copied();
        if owner.is_some_and(|owner| Some(AccountId(owner)) != id) {
            return Err(Refusal::MailboxExists.into());
        }
        if id.is_some_and(|id| !self.state.accounts.contains_key(&id.0)) {
            return Err(Refusal::NoSuchUser.into());
        }
        let crowded = id.is_none() && self.state.accounts.len() >= DIRECTORY_ENTRIES_MAX;
        let long = details.name.len() > DISPLAY_NAME_BYTES_MAX || details.secret.len() > SECRET_BYTES_MAX;
        if crowded || long {
            return Err(Refusal::Limit.into());
        }
        let texts = address.len() + details.name.len() + details.secret.len();
        self.room_for(Class::Mail, RECORD_NUMBERS + texts)?;
        let new = self.state.take_mailboxes(FIRST_MAILBOXES.len() as u32).ok_or(Refusal::Limit)?;
        let account = match id {
            Some(id) => id.0,
            None => self.state.take_account().ok_or(Refusal::Limit)?,
        };
        let record = AccountPut {
            account,
            create: id.is_none(),
            new,
            quota: details.quota,
            address,
            name: details.name,
            secret: Bytes(details.secret),
        };
        let ticket = self.change(&Change::of(kind::ACCOUNT_PUT, &[]), |out| put(out, &record))?;
        Ok((AccountId(account), ticket))
    }

    /// Removes an account with all its mail.
    ///
    /// # Errors
    /// [`Refusal::NoSuchUser`], and those of every change.
    pub fn remove_account(&mut self, id: AccountId) -> Result<Ticket, Stop> {
        let account = self.state.accounts.get(&id.0).ok_or(Refusal::NoSuchUser)?;
        let touched: Vec<u32> = account.mailboxes.values().copied().collect();
        self.room_for(Class::Care, RECORD_NUMBERS)?;
        let record = AccountRemove { account: id.0, time: self.now.0 };
        self.change(&Change::of(kind::ACCOUNT_REMOVE, &touched), |out| put(out, &record))
    }

    /// An account.
    pub fn account(&self, id: AccountId) -> Option<AccountInfo<'_>> {
        let account = self.state.accounts.get(&id.0)?;
        Some(AccountInfo {
            id,
            address: &account.address,
            name: &account.name,
            quota: account.quota,
            secret: account.secret.as_slice(),
        })
    }

    /// All accounts in the order of their numbers.
    pub fn accounts(&self) -> impl Iterator<Item = AccountInfo<'_>> {
        self.state.accounts.keys().filter_map(|id| self.account(AccountId(*id)))
    }

    /// The account that a log-in name means: a whole address, or the part before the `@` where it is unambiguous.
    pub fn find_login(&self, name: &str) -> Option<AccountId> {
        self.state.directory.find_login(name).map(AccountId)
    }

    // ---- Domains and aliases -----------------------------------------------------------------------------------

    /// Makes a domain one of ours.
    ///
    /// # Errors
    /// [`Refusal::Limit`], and those of every change.
    pub fn put_domain(&mut self, name: &str) -> Result<Ticket, Stop> {
        let known = self.state.directory.domains.len();
        if known >= DIRECTORY_ENTRIES_MAX || name.is_empty() || name.len() > mail::limits::ADDRESS_BYTES_MAX {
            return Err(Refusal::Limit.into());
        }
        self.put_text(kind::DOMAIN_PUT, Class::Mail, name)
    }

    /// Ends that a domain is ours. Its accounts and aliases stay, unreachable.
    ///
    /// # Errors
    /// Those of every change.
    pub fn remove_domain(&mut self, name: &str) -> Result<Ticket, Stop> {
        self.put_text(kind::DOMAIN_REMOVE, Class::Care, name)
    }

    /// Our domains, in lower case and order.
    pub fn domains(&self) -> impl Iterator<Item = &str> {
        self.state.directory.domains.iter().map(|domain| &**domain)
    }

    /// Makes or replaces an alias; `@domain` is the catch-all of a domain.
    ///
    /// # Errors
    /// [`Refusal::Limit`], and those of every change.
    pub fn put_alias(&mut self, address: &str, targets: &[&str]) -> Result<Ticket, Stop> {
        let longest = targets.iter().map(|target| target.len()).max().unwrap_or(0).max(address.len());
        let many =
            targets.len() > ALIAS_TARGETS_MAX || self.state.directory.aliases.len() >= DIRECTORY_ENTRIES_MAX;
        if many || longest > mail::limits::ADDRESS_BYTES_MAX || !address.contains('@') {
            return Err(Refusal::Limit.into());
        }
        let texts: usize = targets.iter().map(|target| target.len() + 2).sum();
        self.room_for(Class::Mail, RECORD_NUMBERS + address.len() + texts)?;
        let record = AliasPut { address, targets: targets.to_vec() };
        self.change(&Change::of(kind::ALIAS_PUT, &[]), |out| put(out, &record))
    }

    /// Removes an alias.
    ///
    /// # Errors
    /// Those of every change.
    pub fn remove_alias(&mut self, address: &str) -> Result<Ticket, Stop> {
        self.put_text(kind::ALIAS_REMOVE, Class::Care, address)
    }

    /// All aliases: address and targets as they were given.
    pub fn aliases(&self) -> impl Iterator<Item = (&str, &[Box<str>])> {
        self.state.directory.aliases.values().map(|alias| (&*alias.address, &*alias.targets))
    }

    // ---- Settings ----------------------------------------------------------------------------------------------

    /// Sets a setting: keys and values mean nothing here.
    ///
    /// # Errors
    /// [`Refusal::Limit`], and those of every change.
    pub fn put_setting(&mut self, key: &str, value: &[u8]) -> Result<Ticket, Stop> {
        let long = key.len() > SETTING_KEY_BYTES_MAX || value.len() > SETTING_BYTES_MAX;
        if long || self.state.settings_bytes + value.len() as u64 > SETTINGS_BYTES_MAX as u64 {
            return Err(Refusal::Limit.into());
        }
        self.room_for(Class::Mail, RECORD_NUMBERS + key.len() + value.len())?;
        let record = SettingPut { key, value: Bytes(value) };
        self.change(&Change::of(kind::SETTING_PUT, &[]), |out| put(out, &record))
    }

    /// Removes a setting.
    ///
    /// # Errors
    /// Those of every change.
    pub fn remove_setting(&mut self, key: &str) -> Result<Ticket, Stop> {
        self.put_text(kind::SETTING_REMOVE, Class::Care, key)
    }

    /// The value of a setting.
    pub fn setting(&self, key: &str) -> Option<&[u8]> {
        self.state.settings.get(key).map(Secret::as_slice)
    }

    /// All settings whose keys begin with `prefix`, in order.
    pub fn settings<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let range = (core::ops::Bound::Included(prefix), core::ops::Bound::Unbounded);
        let settings = self.state.settings.range::<str, _>(range);
        settings
            .take_while(move |(key, _)| key.starts_with(prefix))
            .map(|(key, value)| (&**key, value.as_slice()))
    }

    /// Records a change that is one text.
    fn put_text(&mut self, kind: u8, class: Class, text: &str) -> Result<Ticket, Stop> {
        if text.len() > mail::limits::ADDRESS_BYTES_MAX {
            return Err(Refusal::Limit.into());
        }
        self.room_for(class, RECORD_NUMBERS + text.len())?;
        self.change(&Change::of(kind, &[]), |out| put(out, text))
    }

    // ---- Time, limits, figures ---------------------------------------------------------------------------------

    /// Tells the store the time; it stands in the records and has no other meaning here.
    pub fn set_now(&mut self, now: UnixTime) {
        self.now = now;
    }

    /// Sets the size of the largest message that is taken, in bytes.
    pub fn set_message_limit(&mut self, bytes: u64) {
        self.message_bytes_max = bytes.min(MESSAGE_BYTES_MAX);
    }

    /// Sets how much memory the index of messages may take, in bytes: some 37 for a message
    /// ([`INDEX_MESSAGE_BYTES`](crate::limits::INDEX_MESSAGE_BYTES) and
    /// [`INDEX_LETTER_BYTES`](crate::limits::INDEX_LETTER_BYTES)). What is stored already is listed in any case.
    pub fn set_index_limit(&mut self, bytes: u64) {
        self.index_bytes_max = bytes;
    }

    /// Memory that the index of messages takes, about, deletions included.
    pub fn index_bytes(&self) -> u64 {
        let messages = self.state.messages * INDEX_MESSAGE_BYTES;
        let deletions = self.state.deletions.rows() * INDEX_DELETION_BYTES;
        messages + deletions + self.state.letters.len() as u64 * INDEX_LETTER_BYTES
    }

    /// Whether the index has room for `messages` more, one letter among them: deletions make room.
    pub(crate) fn room_in_index(&self, messages: u64) -> Result<(), Refusal> {
        let more = messages * INDEX_MESSAGE_BYTES + INDEX_LETTER_BYTES;
        let needed = self.index_bytes().saturating_sub(self.index_releasable()) + more;
        if needed > self.index_bytes_max { Err(Refusal::TooManyMessages) } else { Ok(()) }
    }

    /// Sets whether bodies are stored in less space where that is possible (rule 16), from now on. They are unless
    /// this says otherwise; what is stored already stays as it is.
    pub fn set_compact(&mut self, on: bool) {
        if on != self.coder.is_some() {
            self.coder = on.then(|| Box::new(Coder::new()));
        }
    }

    /// Letters being streamed in.
    pub fn drafts(&self) -> usize {
        self.drafts.len()
    }

    /// Places that were found damaged since the mount, as far as they are remembered one by one.
    pub fn damaged_places(&self) -> impl Iterator<Item = Damage> {
        self.damage.iter()
    }

    /// Figures. Looks at every segment: not to be asked for at every letter.
    pub fn statistics(&self) -> Statistics {
        Statistics {
            capacity: self.layout.capacity(),
            free: self.bytes_for_mail(true),
            mail: self.log.mail,
            programmed: self.log.programmed_before + self.outbox.programmed(),
            letters: self.state.letters.len(),
            deleted: self.deleted(),
            drafts: self.drafts.len(),
            damage: self.damage.count(),
            damaged_letters: self.damaged_letter_count(),
            read_only: self.life.phase == Phase::ReadOnly,
            wear: self.wear(),
        }
    }

    fn wear(&self) -> Wear {
        let erases = || self.segments.all_erases();
        Wear {
            segments: self.layout.segments,
            segment_bytes: self.layout.segment_bytes,
            least: erases().min().unwrap_or(0),
            most: erases().max().unwrap_or(0),
            total: erases().map(u64::from).sum(),
            retired: self.segments.retired_count(),
        }
    }
}

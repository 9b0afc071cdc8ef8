//! What all tests of the store share: small devices, a driver that goes on until all is durable, a little office.

use alloc::string::String;
use alloc::vec::Vec;

use flash::simulator::Simulator;
use flash::{Direct, FlashQueue, Geometry};
use mail::{
    AccountId, Address, Draft, Flags, Letter, Mail, MailboxId, MailboxName, Receipt, Refusal, Stop, Ticket,
    Uid, UidSet, UnixTime, Unready,
};

use proptest::test_runner::Config as ProptestConfig;

use crate::limits::SEGMENT_BYTES_MIN;
use crate::{AccountDetails, FormatOptions, MountError, MountOptions, Store};

/// A store on the simulator, every operation done at once.
pub(crate) type SimStore = Store<Direct<Simulator>>;

pub(crate) const UUID: [u8; 16] = *b"a store in tests";

/// A device of `segments` of the smallest segments, with units of 512 bytes.
pub(crate) const fn geometry(segments: u64) -> Geometry {
    Geometry { capacity: segments * SEGMENT_BYTES_MIN as u64, write_size: 512, erase_size: 4096 }
}

pub(crate) const OPTIONS: FormatOptions =
    FormatOptions { uuid: UUID, segment_bytes: Some(SEGMENT_BYTES_MIN) };

/// A new store on a new device.
pub(crate) fn blank(segments: u64) -> SimStore {
    let queue = Direct::new(Simulator::new(geometry(segments)));
    let mut store = Store::format(queue, &OPTIONS).unwrap();
    store.set_now(UnixTime(1_000_000_000));
    pump(&mut store);
    store
}

/// Mounts what is on a device.
pub(crate) fn mount(device: Simulator) -> Result<SimStore, MountError> {
    let mut store = Store::mount(Direct::new(device), MountOptions::default())?;
    pump(&mut store);
    Ok(store)
}

/// Drives until nothing waits.
pub(crate) fn pump<Q: FlashQueue>(store: &mut Store<Q>) {
    for _ in 0..10_000 {
        store.settle();
        if store.barrier_in_flight() {
            return;
        }
        if !store.needs_flush() {
            return;
        }
        store.flush();
    }
    panic!("the store never comes to rest");
}

/// Closes a store and gives its device back.
pub(crate) fn close(mut store: SimStore) -> Simulator {
    store.unmount();
    for _ in 0..10 {
        store.flush();
        store.settle();
    }
    assert!(store.is_unmounted());
    store.into_queue().into_device()
}

/// Drives until these tickets are settled, or nothing waits. Housekeeping may be under way then.
pub(crate) fn settle<Q: FlashQueue>(store: &mut Store<Q>, tickets: &[Ticket]) {
    for _ in 0..10_000 {
        store.settle();
        let settled = tickets.iter().all(|ticket| ticket.result().is_some());
        if settled || store.barrier_in_flight() || !store.needs_flush() {
            return;
        }
        store.flush();
    }
    panic!("the tickets are never settled");
}

/// Asks for a change until the store is not busy any more.
pub(crate) fn ask<Q: FlashQueue>(
    store: &mut Store<Q>,
    mut change: impl FnMut(&mut Store<Q>) -> Result<Ticket, Stop>,
) -> Result<Ticket, Stop> {
    for _ in 0..1000 {
        match change(store) {
            Err(Stop::Busy) => {
                store.flush();
                store.settle();
            }
            other => return other,
        }
    }
    panic!("always busy");
}

/// How a ticket ended.
pub(crate) fn wait<Q: FlashQueue>(
    store: &mut Store<Q>,
    ticket: Result<Ticket, Stop>,
) -> Result<Receipt, Refusal> {
    match ticket {
        Ok(ticket) => {
            settle(store, core::slice::from_ref(&ticket));
            ticket.result().expect("everything is settled")
        }
        Err(Stop::Refused(refusal)) => Err(refusal),
        Err(Stop::Busy) => panic!("busy"),
    }
}

/// A recipient of which nothing but the address is said.
pub(crate) fn plain(text: &str) -> mail::Recipient {
    mail::Recipient::plain(address(text))
}

pub(crate) fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

pub(crate) fn name(text: &str) -> MailboxName {
    MailboxName::new(text).unwrap()
}

pub(crate) fn account<Q: FlashQueue>(store: &mut Store<Q>, text: &str, quota: Option<u64>) -> AccountId {
    let address = address(text);
    let details = AccountDetails { address: &address, name: "", quota, secret: b"secret" };
    let (id, ticket) = store.put_account(None, &details).unwrap();
    wait(store, Ok(ticket)).unwrap();
    id
}

/// A domain, `alice` and `bob`.
pub(crate) fn office(segments: u64) -> SimStore {
    let mut store = blank(segments);
    let ticket = store.put_domain("example.test");
    wait(&mut store, ticket).unwrap();
    account(&mut store, "alice@example.test", None);
    account(&mut store, "bob@example.test", None);
    store
}

pub(crate) const ALICE: AccountId = AccountId(1);
pub(crate) const BOB: AccountId = AccountId(2);

pub(crate) fn inbox<Q: FlashQueue>(store: &Store<Q>, account: AccountId) -> MailboxId {
    store.inbox(account).unwrap()
}

pub(crate) fn folder<Q: FlashQueue>(store: &Store<Q>, account: AccountId, text: &str) -> MailboxId {
    store.mailbox(account, &name(text)).unwrap()
}

/// A letter of `size` bytes about `number`, different from all others, that takes no less space than it has bytes.
pub(crate) fn text(number: u64, size: usize) -> Vec<u8> {
    let mut bytes = alloc::format!("Subject: letter {number}\r\nX-Size: {size}\r\n\r\n").into_bytes();
    let mut state = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    while bytes.len() < size {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        bytes.push(b'!' + (state >> 58) as u8);
    }
    bytes
}

pub(crate) const LETTER: Letter<'static> =
    Letter { received: UnixTime(1_234_567_890), zone_minutes: 540, summary: b"summary" };

/// Streams a letter in, driving the store where it is busy.
pub(crate) fn stream<Q: FlashQueue>(
    store: &mut Store<Q>,
    draft: &Draft,
    bytes: &[u8],
) -> Result<(), Refusal> {
    let mut rest = bytes;
    let mut tries = 0;
    while !rest.is_empty() {
        match store.append(draft, rest) {
            Ok(count) => rest = &rest[count..],
            Err(Stop::Busy) => {
                tries += 1;
                assert!(tries < 1000, "always busy");
                store.flush();
                store.settle();
            }
            Err(Stop::Refused(refusal)) => return Err(refusal),
        }
    }
    Ok(())
}

/// Hands a complete letter in, driving the store where it is busy.
pub(crate) fn deposit<Q: FlashQueue>(store: &mut Store<Q>, draft: &Draft) -> Result<Ticket, Refusal> {
    for _ in 0..1000 {
        match store.deposit(draft, &LETTER) {
            Ok(ticket) => return Ok(ticket),
            Err(Stop::Busy) => {
                store.flush();
                store.settle();
            }
            Err(Stop::Refused(refusal)) => return Err(refusal),
        }
    }
    panic!("always busy");
}

/// Hands a letter in for addresses and returns its ticket without waiting.
pub(crate) fn send<Q: FlashQueue>(
    store: &mut Store<Q>,
    to: &[&str],
    bytes: &[u8],
) -> Result<Ticket, Refusal> {
    let draft = store.draft(Some(bytes.len() as u64))?;
    for recipient in to {
        store.add_recipient(&draft, &plain(recipient), mail::Outside::Nothing)?;
    }
    stream(store, &draft, bytes)?;
    deposit(store, &draft)
}

/// Delivers a letter and waits until it is durable.
pub(crate) fn deliver<Q: FlashQueue>(
    store: &mut Store<Q>,
    to: &[&str],
    bytes: &[u8],
) -> Result<Receipt, Refusal> {
    let ticket = send(store, to, bytes)?;
    wait(store, Ok(ticket))
}

/// Does something until it is durable: on a device with blocks that take no writes it may fail some times.
pub(crate) fn insist(
    store: &mut SimStore,
    mut change: impl FnMut(&mut SimStore) -> Result<Ticket, Stop>,
) -> Result<Receipt, Refusal> {
    loop {
        let ticket = ask(store, &mut change);
        let result = wait(store, ticket);
        let device = store.queue().device();
        let again = device.is_powered() && device.is_worn_out() && !store.is_read_only();
        if result != Err(Refusal::NotDurable) || !again {
            return result;
        }
    }
}

/// Appends a letter to a mailbox and waits.
pub(crate) fn append<Q: FlashQueue>(
    store: &mut Store<Q>,
    mailbox: MailboxId,
    flags: Flags,
    bytes: &[u8],
) -> Result<Receipt, Refusal> {
    let draft = store.draft(None)?;
    store.add_mailbox(&draft, mailbox, flags)?;
    stream(store, &draft, bytes)?;
    let ticket = deposit(store, &draft)?;
    wait(store, Ok(ticket))
}

/// All bytes of a message.
pub(crate) fn read<Q: FlashQueue>(
    store: &mut Store<Q>,
    mailbox: MailboxId,
    uid: Uid,
) -> Result<Vec<u8>, Unready> {
    let content = store.open(mailbox, uid)?;
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < content.size() {
        let at = bytes.len() as u64;
        assert!(store.read(&content, at, 100_000, &mut bytes)? > 0);
    }
    Ok(bytes)
}

pub(crate) fn uid_set(uids: &[u32]) -> UidSet {
    uids.iter().copied().map(Uid).collect()
}

/// Names of an account's mailboxes in order.
pub(crate) fn names<Q: FlashQueue>(store: &Store<Q>, account: AccountId) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut after = None;
    while let Some(info) = store.next_mailbox(account, after.as_ref()) {
        names.push(info.name.as_str().into());
        after = Some(info.name);
    }
    names
}

/// How many cases proptest tries; more when `PROPTEST_CASES` says so.
pub(crate) fn cases(count: u32) -> ProptestConfig {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|count| count.parse().ok()).unwrap_or(count);
    ProptestConfig { cases, max_shrink_iters: 3000, failure_persistence: None, ..ProptestConfig::default() }
}

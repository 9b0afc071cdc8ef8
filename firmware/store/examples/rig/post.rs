//! Letters of given lengths, and how they are brought to a store.

use flash::FlashQueue;
use mail::{Flags, Letter, Mail, MailboxId, Stop, Ticket, UnixTime};
use store::Store;

/// When letters come, in seconds since 1970.
pub(crate) const NOW: i64 = 1_736_121_600;

/// How often a store may say that it is busy about one letter: housekeeping has to get somewhere meanwhile.
const BUSY_MAX: usize = 5_000;

/// What a session hands on at once, in bytes.
const PIECE_BYTES: usize = 16 << 10;

/// Makes a letter of `size` bytes, of which the first `head` are its header block.
pub(crate) fn compose(bytes: &mut Vec<u8>, head: usize, size: usize) {
    const LINE: &[u8] = b"X-Line: 0123456789 abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ\r\n";
    bytes.clear();
    let lines = head - 4;
    while bytes.len() + LINE.len() <= lines {
        bytes.extend_from_slice(LINE);
    }
    bytes.resize(lines, b'x');
    bytes.extend_from_slice(b"\r\n\r\n");
    bytes.resize(size, b'y');
}

/// Brings a letter to a mailbox. While the store is busy, `turn` is called.
pub(crate) fn bring<Q: FlashQueue>(
    store: &mut Store<Q>,
    mailbox: MailboxId,
    bytes: &[u8],
    summary: &[u8],
    mut turn: impl FnMut(&mut Store<Q>),
) -> Result<Ticket, Stop> {
    let draft = store.draft(Some(bytes.len() as u64)).map_err(Stop::Refused)?;
    store.add_mailbox(&draft, mailbox, Flags::NONE).map_err(Stop::Refused)?;
    let mut rest = bytes;
    let mut busy = 0;
    let mut turn = |store: &mut Store<Q>| {
        busy += 1;
        assert!(busy < BUSY_MAX, "busy for ever: {:?}", store.statistics());
        turn(store);
    };
    while !rest.is_empty() {
        match store.append(&draft, &rest[..rest.len().min(PIECE_BYTES)]) {
            Ok(count) => rest = &rest[count..],
            Err(Stop::Busy) => turn(store),
            Err(stop) => return Err(stop),
        }
    }
    let letter = Letter { received: UnixTime(NOW), zone_minutes: 540, summary };
    loop {
        match store.deposit(&draft, &letter) {
            Err(Stop::Busy) => turn(store),
            result => return result,
        }
    }
}

/// Makes an account, and returns its INBOX. `turn` writes a group and settles it.
pub(crate) fn account<Q: FlashQueue>(
    store: &mut Store<Q>,
    address: &str,
    mut turn: impl FnMut(&mut Store<Q>),
) -> MailboxId {
    let address = mail::Address::parse(address).expect("an address");
    let details = store::AccountDetails { address: &address, name: "", quota: None, secret: &[7; 200] };
    let (id, ticket) = store.put_account(None, &details).expect("taken");
    while !ticket.is_settled() {
        turn(store);
    }
    store.inbox(id).expect("there")
}

/// One group on a queue that does all at once, with the housekeeping that shares it.
pub(crate) fn turn<Q: FlashQueue>(store: &mut Store<Q>) {
    store.flush();
    store.settle();
}

/// Groups until nothing waits any more, housekeeping included.
pub(crate) fn pump<Q: FlashQueue>(store: &mut Store<Q>) {
    let mut groups = 0;
    while store.needs_flush() {
        turn(store);
        groups += 1;
        assert!(groups < BUSY_MAX, "housekeeping for ever: {:?}", store.statistics());
    }
}

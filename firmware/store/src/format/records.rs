//! The payloads of metadata records. A record is a fixed part, then the sequences that its comment names, in order.
//!
//! Numbers (UIDs, MODSEQs, ids) always stand in the record that uses them: replay never has to count.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use mail::{Uid, UidSet};
use serde::{Deserialize, Serialize};

use super::code::{Bytes, Items, put, put_seq, take};
use super::frame::{FRAME_BYTES, Frame, kind};
use super::header::PerStream;
use super::{ALIGN_U32, Mark};

/// First record of a group: what is written between two barriers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group<'a> {
    pub(crate) number: u64,
    pub(crate) life: u64,
    /// Seconds since 1970 when it was written.
    pub(crate) time: i64,
    /// What the last good barrier made durable in all heads (rule 7).
    pub(crate) meta: Mark,
    pub(crate) bodies: PerStream<Mark>,
    /// The root of the checkpoint that was in force when it was written; all zero for none.
    pub(crate) root: Mark,
    /// Records that follow, and their bytes with frames and padding.
    pub(crate) records: u32,
    pub(crate) bytes: u32,
    /// Bytes programmed, and bytes of mail committed, in the store's whole life so far.
    pub(crate) programmed: u64,
    pub(crate) mail: u64,
    /// Mailboxes that its records touch; `None` for any.
    #[serde(borrow)]
    pub(crate) touched: Option<Cow<'a, [u32]>>,
}

/// Last record of a life that ended cleanly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Clean {
    pub(crate) life: u64,
    /// Where the body heads end; `None` for one that has no open segment.
    pub(crate) bodies: PerStream<Option<Mark>>,
}

/// Damage found at `at` was answered: these mailboxes (`None`: all with ids below `below`) have new UIDVALIDITYs,
/// counted up from `uid_validity` in the order of their ids (rule 12).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Heal {
    pub(crate) at: Mark,
    pub(crate) uid_validity: u32,
    pub(crate) below: u32,
    pub(crate) mailboxes: Option<Vec<u32>>,
}

/// A segment is never opened again: something in it takes no writes, or was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Retired {
    /// Its index.
    pub(crate) segment: u32,
}

/// A letter becomes visible. Then follow: deliveries ([`Delivery`]), extents ([`ExtentRef`]), the posting of a letter that
/// leaves the box (`Option` of [`PostingPut`], with its [`RecipientPut`]s if there is one), and the UIDs ([`UidRange`]) in
/// the outbound queue that are done with because this letter is there: a bounce and what it is about are one change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Commit<'a> {
    pub(crate) letter: u64,
    pub(crate) modseq: u64,
    pub(crate) received: i64,
    pub(crate) zone: i16,
    /// Size and CRC of the letter as it came in.
    pub(crate) size: u64,
    pub(crate) crc: u32,
    #[serde(borrow)]
    pub(crate) head: Bytes<'a>,
    #[serde(borrow)]
    pub(crate) summary: Bytes<'a>,
}

/// One mailbox that receives a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) account: u32,
    pub(crate) mailbox: u32,
    pub(crate) uid: u32,
    pub(crate) flags: u64,
}

/// A stretch of body on flash. `offset` is that of its frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) seq: u32,
    pub(crate) offset: u32,
    /// Payload bytes as stored, and once decoded.
    pub(crate) len: u32,
    pub(crate) original: u32,
}

impl Extent {
    /// Position behind it.
    pub(crate) const fn end(&self) -> Mark {
        Mark { seq: self.seq, offset: self.offset.saturating_add(self.span()) }
    }

    /// Bytes that it takes in its segment.
    pub(crate) const fn span(&self) -> u32 {
        super::frame::align(FRAME_BYTES + self.len as usize) as u32
    }
}

/// An [`Extent`] as it stands in a commit: against the one before it. Segments only go up within a letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExtentRef {
    seq_up: u32,
    /// In steps of 8: behind the end of the one before when in the same segment, otherwise from its beginning.
    gap: u32,
    len: u32,
    /// `original - len`.
    growth: i32,
}

impl ExtentRef {
    /// `extent`, seen from `before` (all zero for the first).
    pub(crate) const fn from(extent: Extent, before: Extent) -> Self {
        let end = before.end();
        let from = if extent.seq == end.seq { end.offset } else { 0 };
        Self {
            seq_up: extent.seq.wrapping_sub(before.seq),
            gap: extent.offset.wrapping_sub(from) / ALIGN_U32,
            len: extent.len,
            growth: extent.original.wrapping_sub(extent.len).cast_signed(),
        }
    }

    /// The extent that this means behind `before`.
    pub(crate) const fn resolve(self, before: Extent) -> Extent {
        let end = before.end();
        let seq = before.seq.wrapping_add(self.seq_up);
        let from = if seq == end.seq { end.offset } else { 0 };
        Extent {
            seq,
            offset: from.wrapping_add(self.gap.wrapping_mul(ALIGN_U32)),
            len: self.len,
            original: self.len.wrapping_add(self.growth.cast_unsigned()),
        }
    }
}

/// What MAIL said of a letter that leaves the box.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PostingPut<'a> {
    /// Empty for the null one.
    pub(crate) sender: &'a str,
    /// The submitter's account; 0 for none.
    pub(crate) submitter: u32,
    /// See [`posting`](crate::posting).
    pub(crate) marks: u8,
    pub(crate) id: &'a str,
    pub(crate) not_before: Option<i64>,
    pub(crate) body_hash: Option<[u8; 32]>,
}

/// A recipient of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecipientPut<'a> {
    pub(crate) address: &'a str,
    pub(crate) notify: u8,
    pub(crate) original: &'a str,
}

/// A commit with its sequences.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CommitView<'a> {
    pub(crate) commit: Commit<'a>,
    deliveries: Items<'a, Delivery>,
    extents: Items<'a, ExtentRef>,
    /// What stands behind the extents.
    tail: &'a [u8],
}

impl<'a> CommitView<'a> {
    pub(crate) fn parse(mut payload: &'a [u8]) -> Option<Self> {
        let commit = take(&mut payload)?;
        let deliveries = Items::new(payload)?;
        let extents = Items::new(deliveries.skip_all()?)?;
        Some(Self { commit, deliveries, extents, tail: extents.skip_all()? })
    }

    /// The commit that a frame holds, with its payload.
    pub(crate) fn of_frame(bytes: &'a [u8]) -> Option<Self> {
        let frame = Frame::parse(bytes).filter(|frame| frame.kind == kind::COMMIT)?;
        Self::parse(bytes.get(FRAME_BYTES..frame.bytes())?)
    }

    pub(crate) const fn deliveries(&self) -> Items<'a, Delivery> {
        self.deliveries
    }

    pub(crate) fn extents(&self) -> impl Iterator<Item = Extent> + use<'a> {
        resolved(self.extents)
    }

    /// The posting, and its recipients; `None` for a letter that stays.
    pub(crate) fn posting(&self) -> Option<(PostingPut<'a>, Items<'a, RecipientPut<'a>>)> {
        let mut rest = self.tail;
        let posting = take::<Option<PostingPut<'_>>>(&mut rest)??;
        Some((posting, Items::new(rest)?))
    }

    /// The UIDs in the outbound queue that are done with; see [`uid_ranges`].
    pub(crate) fn settles(&self) -> &'a [u8] {
        let mut rest = self.tail;
        match take::<Option<PostingPut<'_>>>(&mut rest) {
            Some(None) => rest,
            Some(Some(_)) => {
                Items::<RecipientPut<'_>>::new(rest).and_then(|items| items.skip_all()).unwrap_or_default()
            }
            None => &[],
        }
    }
}

fn resolved(extents: Items<'_, ExtentRef>) -> impl Iterator<Item = Extent> {
    extents.scan(Extent::default(), |before, next| {
        *before = next.resolve(*before);
        Some(*before)
    })
}

fn put_extents(out: &mut Vec<u8>, extents: &[Extent]) -> postcard::Result<()> {
    let mut before = Extent::default();
    put_seq(
        out,
        extents.iter().map(|extent| {
            let reference = ExtentRef::from(*extent, before);
            before = *extent;
            reference
        }),
    )
}

/// Appends a commit's payload.
///
/// # Errors
/// See [`put`].
pub(crate) fn put_commit(
    out: &mut Vec<u8>,
    commit: &Commit<'_>,
    deliveries: impl ExactSizeIterator<Item = Delivery>,
    extents: &[Extent],
) -> postcard::Result<()> {
    put(out, commit)?;
    put_seq(out, deliveries)?;
    put_extents(out, extents)
}

/// Appends what stands behind the extents of a commit.
///
/// # Errors
/// See [`put`].
pub(crate) fn put_tail<'a>(
    out: &mut Vec<u8>,
    posting: Option<(PostingPut<'a>, impl ExactSizeIterator<Item = RecipientPut<'a>>)>,
    settles: &UidSet,
) -> postcard::Result<()> {
    match posting {
        None => put(out, &None::<PostingPut<'_>>)?,
        Some((posting, recipients)) => {
            put(out, &Some(posting))?;
            put_seq(out, recipients)?;
        }
    }
    put_uids(out, settles)
}

/// A letter was moved by compaction: its commit stands at `to` from now on, in the stream of commits, with `span` bytes.
/// Then follow its extents ([`ExtentRef`]) as that commit names them. It means the letter in `slot` of the index, if that
/// one's commit stood at `from` until then. A record holds one or several, up to its end: they count together or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Moved {
    pub(crate) slot: u32,
    pub(crate) from: Mark,
    pub(crate) to: Mark,
    pub(crate) span: u32,
}

/// A moved letter with its extents.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MovedView<'a> {
    pub(crate) moved: Moved,
    extents: Items<'a, ExtentRef>,
}

impl<'a> MovedView<'a> {
    /// The letters that a record says were moved; `None` where it cannot be read to its end.
    pub(crate) fn parse_all(mut payload: &'a [u8]) -> Option<Vec<Self>> {
        let mut all = Vec::new();
        while !payload.is_empty() {
            let view = Self { moved: take(&mut payload)?, extents: Items::new(payload)? };
            payload = view.extents.skip_all()?;
            all.push(view);
        }
        Some(all)
    }

    pub(crate) fn extents(&self) -> impl Iterator<Item = Extent> + use<'a> {
        resolved(self.extents)
    }
}

/// Appends a moved letter to the payload of a record.
///
/// # Errors
/// See [`put`].
pub(crate) fn put_moved(out: &mut Vec<u8>, moved: &Moved, extents: &[Extent]) -> postcard::Result<()> {
    put(out, moved)?;
    put_extents(out, extents)
}

/// Appends the payload of a letter's commit as it stands from now on: with other extents.
///
/// # Errors
/// See [`put`].
pub(crate) fn put_commit_again(
    out: &mut Vec<u8>,
    commit: &CommitView<'_>,
    extents: &[Extent],
) -> postcard::Result<()> {
    let deliveries: Vec<Delivery> = commit.deliveries().collect();
    put_commit(out, &commit.commit, deliveries.into_iter(), extents)?;
    out.extend_from_slice(commit.tail);
    Ok(())
}

/// Letters are listed anew. Then follow letters that nothing lists ([`Restored`]), and the numbers of deletions
/// ([`NumberRange`]), which are listed no more; those that are there get UIDs in the mailbox from `first_uid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Restore {
    pub(crate) mailbox: u32,
    pub(crate) first_uid: u32,
    pub(crate) modseq: u64,
}

/// One letter that is listed anew: its slot, where its commit stands, and its flags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Restored {
    pub(crate) slot: u32,
    pub(crate) from: Mark,
    pub(crate) flags: u64,
}

/// Letters whose deletions were lost are listed as deletions again, without a time. Then follow the letters
/// ([`Restored`]); those that are there get numbers from `first`, as deleted from `mailbox`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Relist {
    pub(crate) mailbox: u32,
    pub(crate) first: u64,
}

/// Copy and move. Then follow the UIDs in `from` ([`UidRange`]); those that exist get UIDs in `to` from `first_uid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Transfer {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) first_uid: u32,
    pub(crate) modseq: u64,
    pub(crate) time: i64,
}

/// New flags are `(old - remove) + add`. Then follow the UIDs ([`UidRange`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Flagging {
    pub(crate) mailbox: u32,
    pub(crate) add: u64,
    pub(crate) remove: u64,
    pub(crate) modseq: u64,
}

/// Messages are removed, and listed as deletions. Then follow the UIDs ([`UidRange`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Expunge {
    pub(crate) mailbox: u32,
    pub(crate) modseq: u64,
    /// Seconds since 1970; 0 when the time was not known.
    pub(crate) time: i64,
    /// Number of the first deletion.
    pub(crate) first: u64,
}

/// Messages of the outbound queue are done with. Then follow their UIDs ([`UidRange`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Depart {
    pub(crate) modseq: u64,
}

/// Deletions are listed no more: those with numbers below this, and those whose numbers follow ([`NumberRange`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Forget {
    pub(crate) below: u64,
}

/// A run of numbers of deletions: `gap` numbers are left out before it, and it has `more + 1` members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NumberRange {
    gap: u64,
    more: u64,
}

/// Appends numbers of deletions: ascending, none twice.
///
/// # Errors
/// See [`put`].
pub(crate) fn put_numbers(out: &mut Vec<u8>, numbers: &[u64]) -> postcard::Result<()> {
    let mut runs: Vec<NumberRange> = Vec::new();
    let mut next = 0;
    for number in numbers {
        match runs.last_mut() {
            Some(run) if *number == next => run.more += 1,
            _ => runs.push(NumberRange { gap: number.saturating_sub(next), more: 0 }),
        }
        next = number.saturating_add(1);
    }
    put_seq(out, runs.into_iter())
}

/// The runs of numbers of deletions: the first one, and the one behind the last.
pub(crate) fn number_ranges(bytes: &[u8]) -> impl Iterator<Item = (u64, u64)> + Clone {
    let items = Items::<NumberRange>::new(bytes);
    items.into_iter().flatten().scan(0_u64, |next, range| {
        let first = next.checked_add(range.gap)?;
        *next = first.checked_add(range.more)?.checked_add(1)?;
        Some((first, *next))
    })
}

/// A run of UIDs: `gap` numbers are left out before it, and it has `more + 1` members.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UidRange {
    gap: u32,
    more: u32,
}

/// Appends a set of UIDs.
///
/// # Errors
/// See [`put`].
pub(crate) fn put_uids(out: &mut Vec<u8>, uids: &UidSet) -> postcard::Result<()> {
    put(out, &(uids.run_count() as u32))?;
    let mut next = 0;
    for (first, last) in uids.ranges() {
        put(out, &UidRange { gap: first.0 - next, more: last.0 - first.0 })?;
        next = last.0.saturating_add(1);
    }
    Ok(())
}

/// The runs of a set of UIDs, first and last.
pub(crate) fn uid_ranges(bytes: &[u8]) -> impl Iterator<Item = (Uid, Uid)> + Clone {
    let items = Items::<UidRange>::new(bytes);
    items.into_iter().flatten().scan(0_u32, |next, range| {
        let first = next.checked_add(range.gap)?;
        let last = first.checked_add(range.more)?;
        *next = last.saturating_add(1);
        Some((Uid(first), Uid(last)))
    })
}

/// Messages below `uid` are recent for nobody any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Recent {
    pub(crate) mailbox: u32,
    pub(crate) uid: u32,
}

/// Numbers for mailboxes that a record makes; levels above that do not exist take the first ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NewMailboxes {
    pub(crate) first_id: u32,
    pub(crate) uid_validity: u32,
    pub(crate) modseq: u64,
}

/// A mailbox is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MailboxCreate<'a> {
    pub(crate) account: u32,
    pub(crate) new: NewMailboxes,
    pub(crate) special_use: Option<u8>,
    pub(crate) name: &'a str,
}

/// A mailbox is deleted; what is in it is listed as deletions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MailboxDelete {
    pub(crate) mailbox: u32,
    pub(crate) modseq: u64,
    /// As in [`Expunge`].
    pub(crate) time: i64,
    pub(crate) first: u64,
}

/// A mailbox and what lies below it get other names; INBOX gives its messages to a new mailbox instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MailboxRename<'a> {
    pub(crate) mailbox: u32,
    pub(crate) new: NewMailboxes,
    pub(crate) name: &'a str,
}

/// A subscription begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Subscribe<'a> {
    pub(crate) account: u32,
    pub(crate) on: bool,
    pub(crate) name: &'a str,
}

/// Keyword `number` of an account is called `name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Keyword<'a> {
    pub(crate) account: u32,
    pub(crate) number: u32,
    pub(crate) name: &'a str,
}

/// An account is made, with the mailboxes that everyone has, or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccountPut<'a> {
    pub(crate) account: u32,
    /// The account is a new one.
    pub(crate) create: bool,
    pub(crate) new: NewMailboxes,
    pub(crate) quota: Option<u64>,
    pub(crate) address: &'a str,
    pub(crate) name: &'a str,
    #[serde(borrow)]
    pub(crate) secret: Bytes<'a>,
}

/// An account is removed with all its mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccountRemove {
    pub(crate) account: u32,
    pub(crate) time: i64,
}

/// An alias leads to these addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AliasPut<'a> {
    pub(crate) address: &'a str,
    #[serde(borrow)]
    pub(crate) targets: Vec<&'a str>,
}

/// A setting has this value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SettingPut<'a> {
    pub(crate) key: &'a str,
    #[serde(borrow)]
    pub(crate) value: Bytes<'a>,
}

//! What senders are told of their letters: composed by [`proto::report`], put into their mailbox here or queued to where
//! they are, and in the same change with that the messages that it is about are done with.

use mail::{
    Address, BodyKind, Envelope, Letter, Mail as _, Notify, OUTBOUND, Outside, Posting, Recipient, Refusal,
    Returns, Ticket, Uid, UidSet, UnixTime, Unready, limits::MESSAGE_BYTES_DEFAULT,
};
use proto::{
    dkim::BodyHash,
    mime::{Date, Scanner},
    report::{
        self, Form, Outcome, Remote, Report, Returned,
        xtext::{OriginalRecipient, envelope_id_parameter},
    },
};

use super::{
    Queue,
    limits::RETURNED_BYTES_MAX,
    reading::{each_piece, open, return_path_bytes},
    trouble::Trouble,
};
use crate::{dkim, health, notice, office::Office, provision::Settings};

/// What there is to say of one recipient.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// Its message.
    pub(crate) uid: Uid,
    /// Its place in the envelope.
    pub(crate) recipient: u16,
    /// What became of it.
    pub(crate) outcome: Outcome,
    /// What stood in the way.
    pub(crate) trouble: Option<Trouble>,
}

/// How much a report is.
#[derive(Clone, Copy, Debug)]
struct Scope {
    /// The letter may go back whole.
    is_whole: bool,
    /// The owner of the box is to have it too.
    to_owner: bool,
}

/// Why a report is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotTold {
    /// The letter cannot be read.
    Unreadable,
    /// Whoever should get it cannot.
    Refused(Refusal),
}

impl From<Unready> for NotTold {
    fn from(_: Unready) -> Self {
        Self::Unreadable
    }
}

impl From<Refusal> for NotTold {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Told {
    /// Whether the sender wants to hear of it (RFC 3461 §4.1). Where nothing was said: of failures and delays.
    fn is_wanted(&self, notify: Notify) -> bool {
        let (wish, unsaid) = match self.outcome {
            Outcome::Failed(_) | Outcome::Expired(_) => (Notify::FAILURE, true),
            Outcome::Delayed { .. } => (Notify::DELAY, true),
            Outcome::Delivered | Outcome::Relayed => (Notify::SUCCESS, false),
        };
        notify.contains(wish) || (unsaid && notify == Notify::UNSAID)
    }

    /// Whether somebody has the letter.
    pub(super) fn is_taken(&self) -> bool {
        matches!(self.outcome, Outcome::Relayed | Outcome::Delivered)
    }

    /// Whether nothing more is to be done for it.
    pub(super) fn is_final(&self) -> bool {
        !matches!(self.outcome, Outcome::Delayed { .. })
    }
}

impl Queue {
    /// Tells the sender of a letter, as far as it wants to be told, and is done with the messages whose outcome is final.
    /// Returns once that is durable.
    ///
    /// # Errors
    /// [`NotTold`]: all is as it was.
    pub(crate) async fn tell(&self, posting: &Posting, told: &[Told]) -> Result<(), NotTold> {
        let done: UidSet =
            told.iter().filter(|told| told.is_final()).fold(UidSet::new(), |mut done, told| {
                done.insert(told.uid);
                done
            });
        let notify = |told: &Told| {
            posting
                .recipients
                .get(usize::from(told.recipient))
                .map_or(Notify::NEVER, |recipient| recipient.notify)
        };
        let wanted: Vec<&Told> = told.iter().filter(|told| told.is_wanted(notify(told))).collect();
        let ticket = match (&posting.envelope.sender, wanted.first()) {
            (Some(sender), Some(first)) => {
                Some(self.compose_what_fits(posting, sender, first.uid, &wanted, &done).await?)
            }
            _ if done.is_empty() => None,
            // Never a report about a report (RFC 5321 §6.1, RFC 3461 §4.1).
            _ => Some(self.change(|store| store.depart(&done)).await?),
        };
        if let Some(ticket) = ticket {
            self.office().durable(&ticket).await;
            ticket.result().unwrap_or(Err(Refusal::NotDurable))?;
        }
        Ok(())
    }

    /// Hands in the report as it should be; where there is no room for it, or a part of the letter cannot be read, with
    /// less: a report without the letter is better than none.
    async fn compose_what_fits(
        &self,
        posting: &Posting,
        sender: &Address,
        uid: Uid,
        told: &[&Told],
        done: &UidSet,
    ) -> Result<Ticket, NotTold> {
        let concerns_owner = told
            .iter()
            .any(|told| told.trouble.as_ref().is_some_and(|trouble| trouble.cause.concerns_owner()));
        let mut scope = Scope { is_whole: true, to_owner: concerns_owner };
        loop {
            let result = self.compose(posting, sender, uid, told, done, scope).await;
            let is_too_much = matches!(
                result,
                Err(NotTold::Unreadable
                    | NotTold::Refused(
                        Refusal::OverQuota
                            | Refusal::LargerThanQuota
                            | Refusal::TooLarge
                            | Refusal::StoreFull
                    ))
            );
            scope = match scope {
                Scope { is_whole: true, .. } if is_too_much => Scope { is_whole: false, ..scope },
                Scope { to_owner: true, .. } if is_too_much => Scope { to_owner: false, ..scope },
                _ => return result,
            };
        }
    }

    /// Hands in the report; returns what makes it durable.
    async fn compose(
        &self,
        posting: &Posting,
        sender: &Address,
        uid: Uid,
        told: &[&Told],
        done: &UidSet,
        scope: Scope,
    ) -> Result<Ticket, NotTold> {
        let office = self.office();
        let (content, head) = open(office, uid).await?;
        let own = return_path_bytes(&head);
        let arrived = office.store().message(OUTBOUND, uid).map_or(UnixTime(0), |message| message.received);
        let id = envelope_id_parameter(&posting.envelope.id);
        let letter = report::Letter {
            header: head.get(own..).unwrap_or_default(),
            envid: Some(id.as_str()).filter(|id| !id.is_empty()),
            arrived,
            returned: match self.returned(posting, sender, content.size(), told) {
                returned if scope.is_whole => returned,
                _ => Returned::Header,
            },
        };
        let hostname = self.house().hostname();
        let originals: Vec<_> = told.iter().map(|told| original(posting, told)).collect();
        let recipients = told.iter().zip(&originals);
        let recipients: Vec<_> = recipients
            .filter_map(|(told, original)| {
                recipient_of(posting, told, original.as_deref(), office.now().unix)
            })
            .collect();
        let now = office.now();
        let unique = notice::unique();
        let report = Report {
            hostname: &hostname,
            to: sender,
            sender,
            language: Settings::load(office).language.unwrap_or_default(),
            date: Date { time: now.unix, zone_minutes: notice::zone_minutes(now) },
            unique: &unique,
            letter,
            recipients: &recipients,
        };
        let announced = matches!(letter.returned, Returned::Whole(_)).then(|| content.size());
        let (draft, envelope) = self.address(&report, posting, announced, scope)?;
        office.store_mut().settle_with(&draft, done)?;
        let mut readers = Readers { scanner: Scanner::new(), hash: BodyHash::new(dkim::sha256()) };
        // RFC 5321 §4.4: what is put into a mailbox says where it came from.
        put(office, &draft, &mut readers, b"Return-Path: <>\r\n").await?;
        for piece in report.before() {
            put(office, &draft, &mut readers, &piece).await?;
        }
        if matches!(letter.returned, Returned::Whole(_)) {
            let (draft, readers) = (&draft, &mut readers);
            each_piece(office, &content, own as u64, async move |piece: &[u8]| {
                put(office, draft, readers, piece).await
            })
            .await?;
        }
        put(office, &draft, &mut readers, &report.behind()).await?;
        let envelope = Envelope { body_hash: Some(readers.hash.finish()), ..envelope };
        office.store_mut().set_envelope(&draft, envelope)?;
        let summary = readers.scanner.finish();
        let letter =
            Letter { received: now.unix, zone_minutes: notice::zone_minutes(now), summary: &summary };
        Ok(self.change(|store| store.deposit(&draft, &letter)).await?)
    }

    /// Begins the report's letter, of `announced` bytes or more: from the null reverse-path (RFC 5321 §6.1) to the sender,
    /// and to the owner of the box where it is for the owner to act.
    fn address(
        &self,
        report: &Report<'_>,
        posting: &Posting,
        announced: Option<u64>,
        scope: Scope,
    ) -> Result<(mail::Draft, Envelope), Refusal> {
        let now = self.office().now().unix;
        let mut store = self.office().store_mut();
        let draft = store.draft(announced)?;
        let body = match report.form() {
            Form::SevenBit => BodyKind::SevenBit,
            Form::EightBit => BodyKind::EightBit,
            Form::Binary => BodyKind::Binary,
        };
        // RFC 8689 §5: what was not to be seen on its way is not on its way back.
        let requires_tls = posting.envelope.requires_tls;
        let envelope = Envelope { body, utf8: report.needs_smtputf8(), requires_tls, ..Envelope::default() };
        store.set_envelope(&draft, envelope.clone())?;
        // A letter that came back here to be forwarded once more has an address that stands for its sender.
        let to = self.house().rewriter.reverse(report.to, now).unwrap_or_else(|| report.to.clone());
        let to = Recipient { notify: Notify::NEVER, ..Recipient::plain(to) };
        store.add_recipient(&draft, &to, Outside::Anywhere)?;
        if scope.to_owner
            && let Some((mailbox, _)) = health::owner(&store)
        {
            // It may be the sender's.
            store.add_mailbox(&draft, mailbox, mail::Flags::NONE)?;
        }
        Ok((draft, envelope))
    }

    /// What goes back: all of it where that was asked for or is little, and can get to the sender as it is.
    fn returned(&self, posting: &Posting, sender: &Address, size: u64, told: &[&Told]) -> Returned {
        let form = match posting.envelope.body {
            BodyKind::SevenBit => Form::SevenBit,
            BodyKind::EightBit => Form::EightBit,
            BodyKind::Binary => Form::Binary,
        };
        let failed = told.iter().any(|told| matches!(told.outcome, Outcome::Failed(_) | Outcome::Expired(_)));
        let size_max = match posting.envelope.returns {
            Some(Returns::Headers) => return Returned::Header,
            Some(Returns::Full) => MESSAGE_BYTES_DEFAULT,
            None => RETURNED_BYTES_MAX,
        };
        let gets_there = form == Form::SevenBit || self.office().store().is_local(sender);
        // RFC 3461 §4.3: RET is about failures. RFC 8689 §5: as with RET=HDRS.
        let is_secret = posting.envelope.requires_tls;
        if failed && size <= size_max && gets_there && !is_secret {
            Returned::Whole(form)
        } else {
            Returned::Header
        }
    }
}

/// ORCPT of a recipient, as it stood in its command.
fn original(posting: &Posting, told: &Told) -> Option<String> {
    let recipient = posting.recipients.get(usize::from(told.recipient))?;
    Some(OriginalRecipient::from_decoded(&recipient.original)?.parameter(true))
}

/// A recipient as its report shows it.
fn recipient_of<'a>(
    posting: &'a Posting,
    told: &'a Told,
    orcpt: Option<&'a str>,
    now: UnixTime,
) -> Option<report::Recipient<'a>> {
    let recipient = posting.recipients.get(usize::from(told.recipient))?;
    let remote = told.trouble.as_ref().filter(|trouble| !trouble.server.is_empty());
    Some(report::Recipient {
        address: &recipient.address,
        orcpt,
        outcome: told.outcome,
        remote: remote.map(|trouble| Remote { name: &trouble.server, reply: trouble.reply.as_bytes() }),
        last_attempt: told.is_final().then_some(now),
    })
}

/// What reads a report while it is written.
struct Readers {
    scanner: Scanner,
    /// The box signs what it says itself.
    hash: BodyHash,
}

/// Appends to a letter.
async fn put(
    office: &Office,
    draft: &mail::Draft,
    readers: &mut Readers,
    bytes: &[u8],
) -> Result<(), NotTold> {
    readers.scanner.feed(bytes);
    readers.hash.feed(bytes);
    notice::stream(office, draft, bytes).await.map_err(NotTold::Refused)
}

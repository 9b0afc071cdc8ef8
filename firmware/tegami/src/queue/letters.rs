//! From messages of the queue to a letter as it is sent: those of one letter that stand next to one another in a line
//! travel together.

use std::rc::Rc;

use mail::{
    Address, BodyKind, Content, Envelope, Mail as _, OUTBOUND, Outbound, Posting, Returns, Uid, UidSet,
    UnixTime, Unready,
};
use proto::{
    report::xtext::{OriginalRecipient, envelope_id_parameter},
    smtp::client::{Body, Job, Notify, Parameter, Recipient, Ret},
};
use tokio::task::spawn_blocking;

use super::{
    Queue,
    limits::RECIPIENTS_PER_JOB_MAX,
    reading::{header_block, open, posting, return_path_bytes},
    schedule::next_turn,
    sending::Line,
    settling::Sent,
};
use crate::routing::Server;

impl Queue {
    /// The messages of the next letter in a line, as many as travel together; none if nothing waits.
    pub(super) fn take_letter(&self, line: &Line) -> Vec<(Uid, u16)> {
        loop {
            let Some(first) = line.waiting.borrow_mut().pop_front() else { return Vec::new() };
            let messages = self.companions(first, line, RECIPIENTS_PER_JOB_MAX);
            if !messages.is_empty() {
                return messages;
            }
        }
    }

    /// Makes a job of messages of one letter.
    ///
    /// # Errors
    /// [`Unready::Gone`], [`Unready::Damaged`]: of the first one.
    pub(super) async fn prepare(
        &self,
        messages: &[(Uid, u16)],
        server: &Server,
    ) -> Result<(Box<Job>, Sent), Unready> {
        let (first, place) = *messages.first().ok_or(Unready::Gone)?;
        let posting = posting(self.office(), first).await?;
        let (content, head) = open(self.office(), first).await?;
        let own = return_path_bytes(&head);
        let envelope = &posting.envelope;
        let recipients = messages.iter().filter_map(|(uid, place)| recipient_of(*uid, *place, &posting));
        let job = Job {
            reverse_path: self.reverse_path(&posting, place),
            recipients: recipients.collect(),
            skip: own as u64,
            front: match envelope.body_hash {
                Some(hash) => self.signatures(first, &content, (&head, own), (envelope, hash)).await,
                None => Vec::new(),
            },
            body: match envelope.body {
                BodyKind::SevenBit => Body::SevenBit,
                BodyKind::EightBit => Body::EightBit,
                BodyKind::Binary => Body::Binary,
            },
            utf8: envelope.utf8,
            ret: envelope.returns.map(|returns| match returns {
                Returns::Full => Ret::Full,
                Returns::Headers => Ret::Headers,
            }),
            envid: Parameter::new(&envelope_id_parameter(&envelope.id)),
            require_tls: envelope.requires_tls,
            content,
        };
        log::debug!(
            "{} recipients of a letter of {} bytes go to {}",
            messages.len(),
            job.size(),
            server.name
        );
        let size = job.size();
        Ok((Box::new(job), Sent { posting, messages: messages.to_vec(), size }))
    }

    /// The envelope of a letter, and its messages: `first` and those behind it in the line. `None` if nothing can be done
    /// for `first`.
    pub(super) async fn group(
        self: &Rc<Self>,
        first: Uid,
        line: &Line,
        max: usize,
    ) -> Option<(Posting, Vec<(Uid, u16)>)> {
        match posting(self.office(), first).await {
            Ok(posting) => Some((posting, self.companions(first, line, max))),
            Err(Unready::Gone) => {
                self.rows().borrow_mut().forget(first);
                None
            }
            Err(Unready::Cold(_) | Unready::Damaged) => {
                self.hold_damaged(first).await;
                None
            }
        }
    }

    /// `first`, and the messages behind it in the line that are of the same letter; of all these, those that are still to
    /// be tried.
    fn companions(&self, first: Uid, line: &Line, max: usize) -> Vec<(Uid, u16)> {
        let store = self.office().store();
        let letter = store.queued_letter(first);
        let (mut found, mut next) = (Vec::new(), Some(first));
        let mut waiting = line.waiting.borrow_mut();
        while let Some(uid) = next {
            match store.message(OUTBOUND, uid).map(|message| Outbound::from_flags(message.flags)) {
                Some(outbound) if outbound.held || outbound.cancelled => {
                    let turn = next_turn(&outbound).map(|(turn, _)| turn);
                    self.rows().borrow_mut().put_back(uid, turn);
                }
                Some(outbound) => found.push((uid, outbound.recipient)),
                None => self.rows().borrow_mut().forget(uid),
            }
            next = (found.len() < max)
                .then(|| waiting.pop_front_if(|next| store.queued_letter(*next) == letter))
                .flatten();
        }
        found
    }

    /// What a message needs cannot be read, not even to tell its sender: it stays where it is until somebody looks after
    /// it, and is gone once that is what the administrator wants.
    pub(super) async fn hold_damaged(self: &Rc<Self>, uid: Uid) {
        let Some(outbound) = self.outbound(uid) else { return };
        if outbound.cancelled {
            log::warn!("a letter of the queue that is damaged on the flash is cancelled: nobody can be told");
            let mut gone = UidSet::new();
            gone.push(uid);
            return self.depart(gone).await;
        }
        log::error!("a letter of the queue is damaged on the flash; it is held, and `tegami queue` shows it");
        self.put(uid, &Outbound { held: true, ..outbound }).await;
    }

    /// The reverse-path under which a letter goes on. One that only passes through gets one in a domain of the box: of
    /// the alias that leads outside, where that is known.
    fn reverse_path(&self, posting: &Posting, place: u16) -> Option<Address> {
        let Posting { envelope, recipients } = posting;
        let sender = envelope.sender.as_ref()?;
        let store = self.office().store();
        if envelope.submitter.is_some() || store.is_local(sender) {
            return Some(sender.clone());
        }
        let original = recipients.get(usize::from(place)).and_then(|recipient| {
            let (_, address) = recipient.original.split_once(';')?;
            Address::parse(address).ok().filter(|address| store.is_local(address))
        });
        let domain = original.as_ref().map(Address::domain).or_else(|| store.domains().next());
        let rewriter = &self.house().rewriter;
        let rewritten = domain.and_then(|domain| rewriter.forward(sender, domain, self.office().now().unix));
        if rewritten.is_none() {
            log::info!(
                "a letter of {sender} is forwarded under that name: it fits into none of the box's own"
            );
        }
        rewritten.or_else(|| Some(sender.clone()))
    }

    /// The DKIM-Signature fields of a letter that began here. One that cannot be signed goes out without.
    async fn signatures(
        &self,
        uid: Uid,
        content: &Content,
        (head, own): (&[u8], usize),
        (envelope, body_hash): (&Envelope, [u8; 32]),
    ) -> Vec<u8> {
        let received = self.office().store().message(OUTBOUND, uid).map(|message| message.received);
        let Ok(head) = header_block(self.office(), content, own, head.get(own..).unwrap_or_default()).await
        else {
            log::info!("a letter is not signed: its header cannot be read");
            return Vec::new();
        };
        // Whose letter it is, where it is not the box's own: of an account that sends from the null reverse-path, its own.
        let account = envelope.submitter.and_then(|account| {
            self.office().store().account(account).and_then(|account| Address::parse(account.address).ok())
        });
        let sender = envelope.sender.as_ref().or(account.as_ref()).map(Address::domain);
        let Some(signer) = self.signers().of_letter(self.office(), &head, sender) else {
            log::info!("a letter is not signed: its author is in no domain of ours, or not in its sender's");
            return Vec::new();
        };
        let received = received.unwrap_or(UnixTime(0));
        let signed = spawn_blocking(move || signer.fields(&head, &body_hash, received)).await;
        match signed {
            Ok(Ok(fields)) => return fields.into_bytes(),
            Ok(Err(why)) => log::info!("a letter is not signed: {why}"),
            Err(error) => log::error!("signing off the loop: {error}"),
        }
        Vec::new()
    }
}

fn recipient_of(uid: Uid, place: u16, posting: &Posting) -> Option<Recipient> {
    let recipient = posting.recipients.get(usize::from(place))?;
    let said = recipient.notify;
    let notify = Notify {
        success: said.contains(mail::Notify::SUCCESS),
        failure: said.contains(mail::Notify::FAILURE),
        delay: said.contains(mail::Notify::DELAY),
    };
    Some(Recipient {
        number: uid.0,
        address: recipient.address.clone(),
        notify: (said != mail::Notify::UNSAID).then_some(notify),
        orcpt: OriginalRecipient::from_decoded(&recipient.original)
            // In ASCII, which every server with DSN reads (RFC 6533 §3).
            .and_then(|original| Parameter::new(&original.parameter(false))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_recipient_was_at_first_goes_along_whatever_its_script() {
        let original = |original: &str| {
            let to = mail::Recipient {
                original: original.into(),
                ..mail::Recipient::plain(Address::parse("far@peer.test").unwrap())
            };
            let envelope = Envelope { utf8: true, ..Envelope::default() };
            let posting = Posting { envelope, recipients: vec![to] };
            let orcpt = recipient_of(Uid(7), 0, &posting).unwrap().orcpt;
            orcpt.map(|orcpt| orcpt.as_str().to_owned())
        };
        assert_eq!(original("utf-8;\u{624b}@b.test").as_deref(), Some("utf-8;\\x{624B}@b.test"));
        assert_eq!(original("rfc822;a@b.test").as_deref(), Some("rfc822;a@b.test"));
        assert_eq!(original(""), None);
    }
}

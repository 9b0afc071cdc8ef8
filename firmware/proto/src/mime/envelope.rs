//! ENVELOPE (RFC 3501 §7.4.2), collected from the fields of one letter's header.

use alloc::vec::Vec;

use super::{
    address,
    fields::{Field, Found},
    limits::{
        AUTHORS_BYTES_MAX, FIELD_BYTES_MAX, IDENTIFIER_BYTES_MAX, LONG_AUTHORS_BYTES_MAX,
        RECIPIENTS_BYTES_MAX, SUBJECT_BYTES_MAX,
    },
    string::push_string,
};

/// The ENVELOPE of a letter of which only the structure is shown.
pub(super) const EMPTY: &[u8] = b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)";

/// Fields of an ENVELOPE, each rendered as it came. Empty means that there was none.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    room: Room,
    date: Vec<u8>,
    subject: Vec<u8>,
    from: Vec<u8>,
    sender: Vec<u8>,
    reply_to: Vec<u8>,
    to: Vec<u8>,
    cc: Vec<u8>,
    bcc: Vec<u8>,
    in_reply_to: Vec<u8>,
    message_id: Vec<u8>,
    is_cut: bool,
}

/// How much of each field there is room for, in bytes as rendered.
#[derive(Clone, Copy, Debug)]
struct Room {
    subject: usize,
    identifier: usize,
    authors: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { subject: SUBJECT_BYTES_MAX, identifier: IDENTIFIER_BYTES_MAX, authors: AUTHORS_BYTES_MAX }
    }
}

impl Envelope {
    /// With room for texts as long as they come from `fields`, and for long lists of authors.
    pub(super) fn roomy() -> Self {
        let text = 2 * FIELD_BYTES_MAX + 16;
        let room = Room { subject: text, identifier: text, authors: LONG_AUTHORS_BYTES_MAX };
        Self { room, ..Self::default() }
    }

    /// Takes a field; those that do not belong here are ignored.
    ///
    /// Of several Subjects, Froms and so on the first counts, as in other servers. To, Cc and Bcc add up: some
    /// programs write one field for each recipient.
    pub(super) fn note(&mut self, found: Found<'_>) {
        self.is_cut |= found.cut && self.shows(found.field);
        let room = self.room;
        match found.field {
            Field::Date => self.text(found, room.identifier, |envelope| &mut envelope.date),
            Field::Subject => self.text(found, room.subject, |envelope| &mut envelope.subject),
            Field::InReplyTo => self.text(found, room.identifier, |envelope| &mut envelope.in_reply_to),
            Field::MessageId => self.text(found, room.identifier, |envelope| &mut envelope.message_id),
            Field::From => self.authors(found, |envelope| &mut envelope.from),
            Field::Sender => self.authors(found, |envelope| &mut envelope.sender),
            Field::ReplyTo => self.authors(found, |envelope| &mut envelope.reply_to),
            Field::To => self.recipients(found, |envelope| &mut envelope.to),
            Field::Cc => self.recipients(found, |envelope| &mut envelope.cc),
            Field::Bcc => self.recipients(found, |envelope| &mut envelope.bcc),
            _ => {}
        }
    }

    /// Whether something did not fit and was left out.
    pub(super) const fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The text of it.
    pub(super) fn render(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        self.render_beginning(&mut out);
        for list in [&self.to, &self.cc, &self.bcc] {
            out.push(b' ');
            push_list(&mut out, list);
        }
        self.render_end(&mut out);
        out
    }

    /// What stands before the recipients. Sender and Reply-To are From where they are absent or empty.
    pub(super) fn render_beginning(&self, out: &mut Vec<u8>) {
        let or_from = |list| if Vec::is_empty(list) { &self.from } else { list };
        out.push(b'(');
        push_ready(out, &self.date);
        out.push(b' ');
        push_ready(out, &self.subject);
        for list in [&self.from, or_from(&self.sender), or_from(&self.reply_to)] {
            out.push(b' ');
            push_list(out, list);
        }
    }

    /// What stands behind the recipients.
    pub(super) fn render_end(&self, out: &mut Vec<u8>) {
        out.push(b' ');
        push_ready(out, &self.in_reply_to);
        out.push(b' ');
        push_ready(out, &self.message_id);
        out.push(b')');
    }

    const fn shows(&self, field: Field) -> bool {
        matches!(
            field,
            Field::Date
                | Field::Subject
                | Field::InReplyTo
                | Field::MessageId
                | Field::From
                | Field::Sender
                | Field::ReplyTo
                | Field::To
                | Field::Cc
                | Field::Bcc
        )
    }

    fn text(&mut self, found: Found<'_>, max: usize, slot: impl Fn(&mut Self) -> &mut Vec<u8>) {
        if !slot(self).is_empty() {
            return;
        }
        // Quoting can double a string's length; what would not fit then is cut at a blank.
        let quoted_len =
            found.value.len() + found.value.iter().filter(|byte| matches!(byte, b'"' | b'\\')).count();
        let value =
            if quoted_len + 16 <= max { found.value } else { cut_at_blank(found.value, (max - 16) / 2) };
        self.is_cut |= value.len() < found.value.len();
        push_string(slot(self), value);
    }

    fn authors(&mut self, found: Found<'_>, slot: impl Fn(&mut Self) -> &mut Vec<u8>) {
        let max = self.room.authors;
        if slot(self).is_empty() {
            let whole = address::render(found.value, slot(self), max);
            self.is_cut |= !whole;
        }
    }

    fn recipients(&mut self, found: Found<'_>, slot: impl Fn(&mut Self) -> &mut Vec<u8>) {
        let used = self.to.len() + self.cc.len() + self.bcc.len();
        let max = slot(self).len() + (RECIPIENTS_BYTES_MAX - used.min(RECIPIENTS_BYTES_MAX));
        let whole = address::render(found.value, slot(self), max);
        self.is_cut |= !whole;
    }
}

fn push_ready(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(if text.is_empty() { b"NIL" } else { text });
}

fn push_list(out: &mut Vec<u8>, addresses: &[u8]) {
    if addresses.is_empty() {
        out.extend_from_slice(b"NIL");
        return;
    }
    out.push(b'(');
    out.extend_from_slice(addresses);
    out.push(b')');
}

/// The beginning of `text` of at most `max` bytes, up to a blank if there is one in its second half.
fn cut_at_blank(text: &[u8], max: usize) -> &[u8] {
    let head = text.get(..max).unwrap_or(text);
    let blank = head.iter().rposition(|byte| *byte == b' ').filter(|at| *at > max / 2);
    head.get(..blank.unwrap_or(head.len())).unwrap_or(head)
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::String};

    use super::*;

    fn envelope(fields: &[(Field, &[u8])]) -> Envelope {
        let mut envelope = Envelope::default();
        for (field, value) in fields {
            envelope.note(Found { field: *field, value, cut: false, more: false, in_group: false });
        }
        envelope
    }

    fn text(fields: &[(Field, &[u8])]) -> String {
        String::from_utf8(envelope(fields).render()).unwrap()
    }

    #[test]
    fn sender_and_reply_to_default_to_from() {
        assert_eq!(text(&[]), String::from_utf8_lossy(EMPTY));
        let from = r#"((NIL NIL "a" "x.test"))"#;
        assert_eq!(
            text(&[
                (Field::From, b"a@x.test"),
                (Field::ReplyTo, b""),
                (Field::Date, b"today"),
                (Field::Subject, b"")
            ]),
            format!(r#"("today" "" {from} {from} {from} NIL NIL NIL NIL NIL)"#)
        );
    }

    #[test]
    fn the_first_subject_counts_and_recipients_add_up() {
        let text = text(&[
            (Field::Subject, b"one"),
            (Field::Subject, b"two"),
            (Field::To, b"a@x.test"),
            (Field::To, b"b@x.test"),
            (Field::MessageId, b"<1@x>"),
            (Field::InReplyTo, b"<0@x>"),
        ]);
        assert_eq!(
            text,
            r#"(NIL "one" NIL NIL NIL ((NIL NIL "a" "x.test")(NIL NIL "b" "x.test")) NIL NIL "<0@x>" "<1@x>")"#
        );
    }

    #[test]
    fn no_field_outgrows_its_share() {
        let quotes = alloc::vec![b'"'; 10_000];
        let many: String = (0..2000).map(|n| format!("\"Some Name\" <someone-{n}@example.test>, ")).collect();
        let all = [Field::Date, Field::Subject, Field::InReplyTo, Field::MessageId]
            .map(|field| (field, &quotes[..]));
        let lists = [Field::From, Field::Sender, Field::ReplyTo, Field::To, Field::Cc, Field::Bcc]
            .map(|field| (field, many.as_bytes()));
        let texts = envelope(&all);
        assert!(texts.is_cut() && texts.render().len() <= SUBJECT_BYTES_MAX + 3 * IDENTIFIER_BYTES_MAX);
        let lists = envelope(&lists);
        assert!(lists.is_cut() && lists.render().len() <= 3 * AUTHORS_BYTES_MAX + RECIPIENTS_BYTES_MAX + 64);
    }

    #[test]
    fn long_subjects_are_cut_between_words() {
        let long: Vec<u8> = b"=?utf-8?B?5omL57SZ?= ".repeat(200);
        let envelope = envelope(&[(Field::Subject, &long)]);
        let text = String::from_utf8(envelope.render()).unwrap();
        assert!(envelope.is_cut() && text.starts_with("(NIL \"=?") && text.contains("?=\" NIL"));
    }
}

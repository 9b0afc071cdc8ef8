//! The parts of a letter as the scanner finds them, and the text of its structure.
//!
//! Space is bounded by a budget of bytes that ENVELOPE, structure and part list share. A part is rendered when its
//! header ends: in full while there is plenty, tersely when it grows short, not at all when it is used up. So what
//! stands first in a letter is shown best, and a letter of ten thousand parts costs no more than one of a hundred.

use alloc::{string::String, vec::Vec};

use super::{
    content::{Content, DefaultType, Shape},
    envelope,
    limits::{CHARSET_BYTES_MAX, DETAIL_BYTES_MAX, MEDIA_TYPE_BYTES_MAX, PARTS_MAX, TERSE_BYTES},
    part::{Encoding, Kind, RECORD_BYTES_MAX, Record},
    string::push_number,
};

/// One part.
#[derive(Debug)]
struct Node {
    kind: Kind,
    children: u32,
    header: (u64, u64),
    body_end: u64,
    lines: u64,
    encoding: Encoding,
    media: String,
    charset: String,
    /// Leaf, letter: what stands before the size. Multipart: what stands behind the parts.
    fields: Vec<u8>,
    /// Leaf, letter: what stands behind size and lines.
    extension: Vec<u8>,
    /// Letter: ENVELOPE of what is in it.
    envelope: Vec<u8>,
}

/// Number of a part in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(usize);

/// The parts so far.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    left: usize,
}

/// Most that a part rendered tersely can cost in bytes: constant text, names (charsets may be quoted to twice their
/// length), sizes, its record, and what it may cost more.
const TERSE_PART_BYTES_MAX: usize =
    64 + 2 * MEDIA_TYPE_BYTES_MAX + 3 * CHARSET_BYTES_MAX + NODE_BYTES_MAX + CHILDLESS_BYTES_MAX;

/// What a part costs beyond the texts that are in its node: parentheses, blanks, size and lines (below 2^42).
const NODE_BYTES_MAX: usize = 32 + RECORD_BYTES_MAX;

/// What a multipart can cost more once it turns out to have no parts.
const CHILDLESS_BYTES_MAX: usize = 96;

const NO_EXTENSION: &[u8] = b" NIL NIL NIL NIL";

const _: () = assert!(TERSE_BYTES > 4 * TERSE_PART_BYTES_MAX);

/// Where a part stands among the others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    /// The part in which it is.
    pub(super) parent: Option<NodeId>,
    /// Whether that is a letter, which cannot be without a content.
    pub(super) is_letter_content: bool,
    /// Whether it may have parts inside.
    pub(super) may_nest: bool,
    /// What it is when it does not say.
    pub(super) default: DefaultType,
    /// Offsets of beginning and end of its header.
    pub(super) header: (u64, u64),
}

impl Tree {
    pub(super) const fn new() -> Self {
        Self { nodes: Vec::new(), left: DETAIL_BYTES_MAX }
    }

    /// Adds a part whose header is complete. `None` if it is not listed any more.
    pub(super) fn add(&mut self, content: &mut Content, at: Position) -> Option<(NodeId, Shape)> {
        let scarce = self.left < 2 * TERSE_PART_BYTES_MAX || self.nodes.len() + 1 >= PARTS_MAX;
        if scarce && !at.is_letter_content {
            return None;
        }
        let mut shape = content.settle(at.default);
        if shape != Shape::Leaf && (scarce || !at.may_nest) {
            content.be_opaque();
            shape = Shape::Leaf;
        }
        let mut node = render(content, &shape, at.header, false);
        if node.cost() + TERSE_BYTES > self.left {
            node = render(content, &shape, at.header, true);
        }
        self.left = self.left.saturating_sub(node.cost());
        if let Some(NodeId(parent)) = at.parent
            && let Some(parent) = self.nodes.get_mut(parent)
        {
            parent.children += 1;
        }
        self.nodes.push(node);
        Some((NodeId(self.nodes.len() - 1), shape))
    }

    /// Accounts for the ENVELOPE of the letter itself, which is kept elsewhere.
    pub(super) const fn charge(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes);
    }

    /// Sets the ENVELOPE of an enclosed letter, if there is room for it.
    pub(super) fn set_envelope(&mut self, id: NodeId, envelope: Vec<u8>) {
        if envelope.len() + TERSE_BYTES <= self.left
            && let Some(node) = self.nodes.get_mut(id.0)
        {
            self.left -= envelope.len();
            node.envelope = envelope;
        }
    }

    /// A part has ended.
    pub(super) fn close(&mut self, id: NodeId, body_end: u64, lines: u64) {
        // The empty line behind an enclosed letter's header may be the line end that belongs to the delimiter. To
        // those outside it does, and what is inside must not reach beyond.
        for inside in self.nodes.iter_mut().skip(id.0 + 1) {
            for end in [&mut inside.header.0, &mut inside.header.1, &mut inside.body_end] {
                *end = body_end.min(*end);
            }
        }
        if let Some(node) = self.nodes.get_mut(id.0) {
            node.body_end = body_end;
            node.lines = lines;
            if node.kind == Kind::Multipart && node.children == 0 {
                node.be_childless();
            }
        }
    }

    /// BODYSTRUCTURE.
    pub(super) fn structure(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        self.write(&mut self.nodes.iter(), &mut out);
        out
    }

    /// The part list of a summary.
    pub(super) fn records(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.nodes.len() * 32);
        let mut before = 0;
        for node in &self.nodes {
            let record = Record {
                kind: node.kind,
                children: node.children,
                header_delta: node.header.0 - before,
                header_len: node.header.1 - node.header.0,
                body_len: node.body_end - node.header.1,
                lines: node.lines,
                encoding: node.encoding,
                media: &node.media,
                charset: &node.charset,
            };
            before = node.header.0;
            // Writing to a vector does not fail.
            out = postcard::to_extend(&record, out).unwrap_or_default();
        }
        out
    }

    /// Writes the next part of `nodes` with all that is in it.
    fn write<'a>(&self, nodes: &mut impl Iterator<Item = &'a Node>, out: &mut Vec<u8>) {
        let Some(node) = nodes.next() else { return };
        out.push(b'(');
        if node.kind == Kind::Multipart {
            (0..node.children).for_each(|_| self.write(nodes, out));
            out.extend_from_slice(&node.fields);
            out.push(b')');
            return;
        }
        out.extend_from_slice(&node.fields);
        out.push(b' ');
        push_number(out, node.body_end - node.header.1);
        if node.kind == Kind::Message {
            out.push(b' ');
            out.extend_from_slice(if node.envelope.is_empty() { envelope::EMPTY } else { &node.envelope });
            out.push(b' ');
            self.write(nodes, out);
        }
        if node.kind == Kind::Message || node.media.starts_with("text/") {
            out.push(b' ');
            push_number(out, node.lines);
        }
        out.extend_from_slice(&node.extension);
        out.push(b')');
    }
}

impl Node {
    /// The most it will take of the budget.
    const fn cost(&self) -> usize {
        let more = match self.kind {
            Kind::Leaf => 0,
            Kind::Multipart => CHILDLESS_BYTES_MAX,
            Kind::Message => envelope::EMPTY.len(),
        };
        let texts = self.fields.len() + self.extension.len() + self.media.len() + self.charset.len();
        NODE_BYTES_MAX + texts + more
    }

    /// A multipart in which no part was found is shown as text: IMAP has no multipart without parts, and so what
    /// there is can be read.
    fn be_childless(&mut self) {
        self.kind = Kind::Leaf;
        self.media = "text/plain".into();
        self.charset = "us-ascii".into();
        let encoding: &[u8] = match self.encoding {
            Encoding::Base64 => b"BASE64",
            Encoding::QuotedPrintable => b"QUOTED-PRINTABLE",
            Encoding::Identity | Encoding::Other => b"7BIT",
        };
        self.fields = [b"\"TEXT\" \"PLAIN\" (\"CHARSET\" \"us-ascii\") NIL NIL \"", encoding, b"\""].concat();
        self.extension = NO_EXTENSION.to_vec();
    }
}

fn render(content: &Content, shape: &Shape, header: (u64, u64), terse: bool) -> Node {
    let (kind, fields, extension) = match shape {
        Shape::Multipart(_) => (Kind::Multipart, content.render_multipart(terse), Vec::new()),
        Shape::Message => (Kind::Message, content.render_fields(terse), extension(content, terse)),
        Shape::Leaf => (Kind::Leaf, content.render_fields(terse), extension(content, terse)),
    };
    Node {
        kind,
        children: 0,
        header,
        body_end: header.1,
        lines: 0,
        encoding: content.encoding(),
        media: content.media_type().into(),
        charset: content.charset().into(),
        fields,
        extension,
        envelope: Vec::new(),
    }
}

fn extension(content: &Content, terse: bool) -> Vec<u8> {
    if terse { NO_EXTENSION.to_vec() } else { content.render_extension() }
}

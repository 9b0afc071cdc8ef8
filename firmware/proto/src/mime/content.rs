//! What the Content fields of one part say (RFC 2045, 2183, 3282, 2557, 1864), ready for BODYSTRUCTURE.

use alloc::{string::String, vec::Vec};

use super::{
    fields::{Field, Found},
    lexer::{Lexer, is_token},
    limits::{BOUNDARY_BYTES_MAX, CHARSET_BYTES_MAX, MEDIA_TYPE_BYTES_MAX},
    params::{self, Param},
    part::Encoding,
    string::{push_nstring, push_string},
};

/// The Content fields of one part, the first of each kind.
#[derive(Debug, Default)]
pub(super) struct Content {
    media: Option<Media>,
    encoding: Option<Vec<u8>>,
    id: Option<Vec<u8>>,
    description: Option<Vec<u8>>,
    md5: Option<Vec<u8>>,
    disposition: Option<(Vec<u8>, Vec<Param>)>,
    language: Vec<Vec<u8>>,
    location: Option<Vec<u8>>,
}

/// A media type in lower case, with its parameters.
#[derive(Clone, Debug)]
struct Media {
    name: String,
    slash: usize,
    params: Vec<Param>,
}

/// What a part is, as far as scanning it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Neither of the others.
    Leaf,
    /// A multipart with this boundary.
    Multipart(Vec<u8>),
    /// `message/rfc822`, not encoded.
    Message,
}

/// What a part is when it does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DefaultType {
    /// RFC 2045 §5.2.
    TextPlain,
    /// RFC 2046 §5.1.5: in `multipart/digest`.
    MessageRfc822,
}

impl Content {
    /// Takes a field; those that do not belong here are ignored.
    pub(super) fn note(&mut self, found: Found<'_>) {
        let value = || Some(found.value.to_vec());
        match found.field {
            Field::ContentType if self.media.is_none() => self.media = media(found.value),
            Field::ContentEncoding if self.encoding.is_none() => self.encoding = token(found.value),
            Field::ContentId if self.id.is_none() => self.id = value(),
            Field::ContentDescription if self.description.is_none() => self.description = value(),
            Field::ContentMd5 if self.md5.is_none() => self.md5 = value(),
            Field::ContentDisposition if self.disposition.is_none() => {
                self.disposition = disposition(found.value)
            }
            Field::ContentLanguage if self.language.is_empty() => self.language = languages(found.value),
            Field::ContentLocation if self.location.is_none() => self.location = location(found.value),
            _ => {}
        }
    }

    /// Settles what the part is. After this the media type is known.
    pub(super) fn settle(&mut self, default: DefaultType) -> Shape {
        if self.media.is_none() {
            self.media = Some(match default {
                DefaultType::TextPlain => Media::text_plain(),
                DefaultType::MessageRfc822 => Media::bare("message/rfc822", 7),
            });
        }
        let encoded = matches!(self.encoding(), Encoding::Base64 | Encoding::QuotedPrintable);
        let Some(media) = &self.media else { return Shape::Leaf };
        match (media.kind(), media.subtype()) {
            ("multipart", _) => {
                let boundary = params::plain(&media.params, b"boundary").map(<[u8]>::trim_ascii_end);
                match boundary {
                    Some(boundary) if (1..=BOUNDARY_BYTES_MAX).contains(&boundary.len()) => {
                        Shape::Multipart(boundary.to_vec())
                    }
                    // RFC 2045 §5.2 takes what is malformed for text, so that a person sees something of it.
                    _ => {
                        self.be_text();
                        Shape::Leaf
                    }
                }
            }
            ("message", "rfc822") if encoded => {
                // RFC 2046 §5.2.1 forbids it; the letter inside cannot be listed without decoding it, and a
                // structure that pretends otherwise would be wrong.
                self.be_opaque();
                Shape::Leaf
            }
            ("message", "rfc822") => Shape::Message,
            _ => Shape::Leaf,
        }
    }

    /// Shows the part as plain text.
    pub(super) fn be_text(&mut self) {
        self.media = Some(Media::text_plain());
    }

    /// Shows the part as something to be saved.
    pub(super) fn be_opaque(&mut self) {
        let params = self.media.take().map(|media| media.params).unwrap_or_default();
        let params = params.into_iter().filter(|param| param.name.starts_with(b"name")).collect();
        self.media = Some(Media { params, ..Media::bare("application/octet-stream", 11) });
    }

    /// `type/subtype` in lower case.
    pub(super) fn media_type(&self) -> &str {
        self.media.as_ref().map_or("text/plain", |media| &media.name)
    }

    /// The charset's label, or nothing.
    pub(super) fn charset(&self) -> &str {
        let label = self.media.as_ref().and_then(|media| params::plain(&media.params, b"charset"));
        label.and_then(|label| core::str::from_utf8(label).ok()).map_or("", |label| {
            let label = label.trim_ascii();
            if label.len() <= CHARSET_BYTES_MAX { label } else { "" }
        })
    }

    /// How the part is encoded.
    pub(super) fn encoding(&self) -> Encoding {
        self.encoding.as_deref().map_or(Encoding::Identity, Encoding::named)
    }

    /// What the parts of this multipart are when they do not say (RFC 2046 §5.1.5).
    pub(super) fn default_inside(&self) -> DefaultType {
        if self.media_type() == "multipart/digest" {
            DefaultType::MessageRfc822
        } else {
            DefaultType::TextPlain
        }
    }

    /// Whether the part is meant to be saved rather than read.
    pub(super) fn is_attachment(&self) -> bool {
        self.disposition.as_ref().is_some_and(|(kind, _)| kind == b"ATTACHMENT")
    }

    /// Type, parameters, id, description and encoding of a part that is no multipart: the beginning of its
    /// structure. A terse one has of all these only type, charset and encoding.
    pub(super) fn render_fields(&self, terse: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(96);
        let Some(media) = &self.media else { return out };
        push_upper(&mut out, media.kind());
        out.push(b' ');
        push_upper(&mut out, media.subtype());
        out.push(b' ');
        if terse {
            let charset = media
                .params
                .iter()
                .filter(|param| param.name == b"charset" && param.value.len() <= CHARSET_BYTES_MAX);
            push_params(&mut out, charset);
        } else {
            push_params(&mut out, media.params.iter());
        }
        for text in [&self.id, &self.description] {
            out.push(b' ');
            push_nstring(&mut out, text.as_deref().filter(|_| !terse));
        }
        out.push(b' ');
        let short = self.encoding.as_deref().filter(|encoding| !terse || encoding.len() <= 16);
        push_string(&mut out, short.unwrap_or(b"7BIT"));
        out
    }

    /// The extension data of a part that is no multipart.
    pub(super) fn render_extension(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        out.push(b' ');
        push_nstring(&mut out, self.md5.as_deref());
        self.push_rest(&mut out);
        out
    }

    /// What stands behind the parts of a multipart: subtype and extension data.
    pub(super) fn render_multipart(&self, terse: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(96);
        let Some(media) = &self.media else { return out };
        out.push(b' ');
        push_upper(&mut out, media.subtype());
        if terse {
            out.extend_from_slice(b" NIL NIL NIL NIL");
            return out;
        }
        out.push(b' ');
        push_params(&mut out, media.params.iter());
        self.push_rest(&mut out);
        out
    }

    /// Disposition, language and location.
    fn push_rest(&self, out: &mut Vec<u8>) {
        match &self.disposition {
            Some((kind, params)) => {
                out.extend_from_slice(b" (");
                push_string(out, kind);
                out.push(b' ');
                push_params(out, params.iter());
                out.push(b')');
            }
            None => out.extend_from_slice(b" NIL"),
        }
        out.push(b' ');
        match self.language.as_slice() {
            [] => out.extend_from_slice(b"NIL"),
            [one] => push_string(out, one),
            several => push_strings(out, several.iter()),
        }
        out.push(b' ');
        push_nstring(out, self.location.as_deref());
    }
}

impl Media {
    fn bare(name: &str, slash: usize) -> Self {
        Self { name: name.into(), slash, params: Vec::new() }
    }

    fn text_plain() -> Self {
        let charset = Param { name: b"charset".to_vec(), value: b"us-ascii".to_vec() };
        Self { params: [charset].into(), ..Self::bare("text/plain", 4) }
    }

    fn kind(&self) -> &str {
        self.name.get(..self.slash).unwrap_or_default()
    }

    fn subtype(&self) -> &str {
        self.name.get(self.slash + 1..).unwrap_or_default()
    }
}

/// RFC 2045 §5.1 `content`. What is malformed is `text/plain; charset=us-ascii` (§5.2).
fn media(value: &[u8]) -> Option<Media> {
    let mut lexer = Lexer::new(value);
    let mut half = || {
        lexer.skip_blanks();
        let word = lexer.run(is_token);
        lexer.skip_blanks();
        (word, lexer.eat(b'/'))
    };
    let (kind, divided) = half();
    let (subtype, _) = if divided { half() } else { (&b""[..], false) };
    let whole = !kind.is_empty() && !subtype.is_empty() && kind.is_ascii() && subtype.is_ascii();
    if !whole || kind.len() + subtype.len() >= MEDIA_TYPE_BYTES_MAX {
        return if whole {
            Some(Media::bare("application/octet-stream", 11))
        } else {
            Some(Media::text_plain())
        };
    }
    let mut name = String::with_capacity(kind.len() + 1 + subtype.len());
    let lower = |byte: &u8| char::from(byte.to_ascii_lowercase());
    name.extend(kind.iter().map(lower));
    name.push('/');
    name.extend(subtype.iter().map(lower));
    // Anything before the first semicolon is garbage.
    lexer.run(|byte| byte != b';');
    Some(Media { name, slash: kind.len(), params: params::parse(&mut lexer) })
}

/// One token in upper case (RFC 2045 §6.1); blanks and comments around it do not count.
fn token(value: &[u8]) -> Option<Vec<u8>> {
    let mut lexer = Lexer::new(value);
    lexer.skip_blanks();
    let quoted = lexer.peek() == Some(b'"');
    let token = if quoted { lexer.quoted() } else { lexer.run(is_token).to_vec() };
    let token = token.trim_ascii().to_ascii_uppercase();
    (!token.is_empty()).then_some(token)
}

/// RFC 2183 §2. A disposition of which only parameters are there counts as an attachment, as §2.8 says of unknown ones.
fn disposition(value: &[u8]) -> Option<(Vec<u8>, Vec<Param>)> {
    let mut lexer = Lexer::new(value);
    lexer.skip_blanks();
    let kind = lexer.run(is_token).to_ascii_uppercase();
    lexer.skip_blanks();
    if kind.is_empty() || lexer.peek() == Some(b'=') {
        let params = params::parse(&mut Lexer::new(value));
        return (!params.is_empty()).then(|| (b"ATTACHMENT".to_vec(), params));
    }
    lexer.run(|byte| byte != b';');
    Some((kind, params::parse(&mut lexer)))
}

/// RFC 3282 §2.
fn languages(value: &[u8]) -> Vec<Vec<u8>> {
    let mut lexer = Lexer::new(value);
    let mut tags = Vec::new();
    loop {
        lexer.skip_blanks();
        let tag = lexer.run(is_token);
        if !tag.is_empty() {
            tags.push(tag.to_vec());
        }
        lexer.run(|byte| byte != b',');
        if !lexer.eat(b',') {
            return tags;
        }
    }
}

/// RFC 2557 §4.4: a folded URI is put together without the blanks.
fn location(value: &[u8]) -> Option<Vec<u8>> {
    Some(value.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect())
}

fn push_upper(out: &mut Vec<u8>, text: &str) {
    push_string(out, text.to_ascii_uppercase().as_bytes());
}

fn push_params<'a>(out: &mut Vec<u8>, params: impl Iterator<Item = &'a Param>) {
    let mut texts = Vec::new();
    for param in params {
        texts.push(param.name.to_ascii_uppercase());
        texts.push(param.value.clone());
    }
    if texts.is_empty() {
        out.extend_from_slice(b"NIL");
    } else {
        push_strings(out, texts.iter());
    }
}

fn push_strings<'a>(out: &mut Vec<u8>, texts: impl Iterator<Item = &'a Vec<u8>>) {
    out.push(b'(');
    for (index, text) in texts.enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        push_string(out, text);
    }
    out.push(b')');
}

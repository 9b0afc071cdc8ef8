//! Address lists (RFC 5322 §3.4) as the ENVELOPE of IMAP shows them (RFC 3501 §7.4.2).

use alloc::vec::Vec;

use super::{
    lexer::Lexer,
    string::{push_nstring, push_string},
};

/// Renders the addresses of an unfolded field, without outer parentheses: `(name route mailbox host)...`, groups as
/// a marker before and one after. Stops before the address with which `out` would grow beyond `max` bytes and says
/// `false` then.
///
/// An address without a domain has the host `""`: NIL would make it a group marker.
pub(super) fn render(field: &[u8], out: &mut Vec<u8>, max: usize) -> bool {
    let mut list = List::new(field, out, max, false);
    let whole = list.run();
    if list.in_group {
        // The marker is short; `max` is kept by what comes before it.
        list.out.extend_from_slice(GROUP_END);
    }
    whole
}

/// The same of a piece of a field that holds whole addresses, with no bound. `in_group` says whether it begins inside
/// a group; with `is_last` a group that is still open ends here.
pub(super) fn render_piece(field: &[u8], out: &mut Vec<u8>, in_group: bool, is_last: bool) {
    let mut list = List::new(field, out, usize::MAX, in_group);
    list.run();
    if list.in_group && is_last {
        list.out.extend_from_slice(GROUP_END);
    }
}

/// How much of the beginning of a field is whole addresses, whatever follows; and whether it ends inside a group.
pub(super) fn whole_addresses(field: &[u8], in_group: bool) -> (usize, bool) {
    let mut scratch = Vec::new();
    let mut list = List::new(field, &mut scratch, usize::MAX, in_group);
    let mut whole = (0, in_group);
    loop {
        list.one();
        if list.looked_beyond || list.lexer.is_at_end() {
            return whole;
        }
        whole = (field.len() - list.lexer.rest_len(), list.in_group);
        list.out.clear();
    }
}

/// The domain of the first address in an unfolded field that has one.
pub(crate) fn first_domain(field: &[u8]) -> Option<Vec<u8>> {
    let mut scratch = Vec::new();
    let mut list = List::new(field, &mut scratch, usize::MAX, false);
    while list.first_host.is_none() && !list.lexer.is_at_end() {
        list.one();
    }
    list.first_host
}

const GROUP_END: &[u8] = b"(NIL NIL NIL NIL)";

struct List<'a, 'o> {
    lexer: Lexer<'a>,
    out: &'o mut Vec<u8>,
    max: usize,
    in_group: bool,
    /// What follows the field's end could have changed what was read.
    looked_beyond: bool,
    /// The domain of the first address that has one.
    first_host: Option<Vec<u8>>,
}

/// What is known of an address while it is being read.
#[derive(Default)]
struct Words {
    /// The words with single blanks between them: a display name, or a group's name.
    phrase: Vec<u8>,
    /// The words without blanks, and the text behind an `@`: an address without angle brackets.
    local: Vec<u8>,
    domain: Option<Vec<u8>>,
    comment: Vec<u8>,
}

impl<'a, 'o> List<'a, 'o> {
    fn new(field: &'a [u8], out: &'o mut Vec<u8>, max: usize, in_group: bool) -> Self {
        Self { lexer: Lexer::new(field), out, max, in_group, looked_beyond: false, first_host: None }
    }

    fn run(&mut self) -> bool {
        while !self.lexer.is_at_end() {
            if !self.one() {
                return false;
            }
        }
        true
    }

    /// Reads one address, or one marker of a group. Says whether there was room for it.
    fn one(&mut self) -> bool {
        let mut words = Words::default();
        loop {
            let blank = self.lexer.skip_blanks_noting(&mut words.comment);
            match self.lexer.peek() {
                Some(b'<') => return self.angle(&words),
                Some(b':') if words.domain.is_none() && !self.in_group => {
                    self.lexer.bump();
                    return self.open_group(&words.phrase);
                }
                Some(b',') => {
                    self.lexer.bump();
                    return self.bare(&words);
                }
                Some(b';') => {
                    self.lexer.bump();
                    return self.bare(&words) && self.close_group();
                }
                None => return self.bare(&words),
                Some(b'@') => {
                    self.lexer.bump();
                    words.domain = Some(domain(&mut self.lexer));
                }
                Some(b'"') => words.push(&self.lexer.quoted(), blank),
                Some(_) => {
                    let atom = self.lexer.run(is_atom);
                    if atom.is_empty() {
                        // A lone special such as `>` or `)`: nothing to make of it.
                        self.lexer.bump();
                    } else {
                        words.push(atom, blank);
                    }
                }
            }
        }
    }

    /// `[display-name] <[route] addr-spec>`; what follows up to the next comma is dropped.
    fn angle(&mut self, words: &Words) -> bool {
        self.lexer.bump();
        let route = self.route();
        let mut local = Vec::new();
        let mut host = Vec::new();
        loop {
            self.lexer.skip_blanks();
            match self.lexer.peek() {
                None | Some(b'>' | b',' | b';') => break,
                Some(b'"') => local.extend(self.lexer.quoted()),
                Some(b'@') => {
                    self.lexer.bump();
                    host = domain(&mut self.lexer);
                }
                Some(byte) => {
                    let atom = self.lexer.run(is_atom);
                    if atom.is_empty() {
                        self.lexer.bump();
                        local.push(byte);
                    } else {
                        local.extend_from_slice(atom);
                    }
                }
            }
        }
        let mut comment = words.comment.clone();
        if self.lexer.eat(b'>') {
            self.lexer.skip_blanks_noting(&mut comment);
            self.lexer.run(|byte| !matches!(byte, b',' | b';'));
        }
        let name = if words.phrase.is_empty() { &comment } else { &words.phrase };
        let fits = self.push(Some(name), route.as_deref(), Some(&local), Some(&host));
        self.lexer.eat(b',');
        fits
    }

    /// RFC 5322 §4.4 `obs-route`: `@one,@two:`.
    fn route(&mut self) -> Option<Vec<u8>> {
        self.lexer.skip_blanks();
        let mut ahead = self.lexer.clone();
        if ahead.peek() != Some(b'@') {
            return None;
        }
        let route = ahead.run(|byte| !matches!(byte, b':' | b'>' | b'<' | b'"' | b';')).to_vec();
        if !ahead.eat(b':') {
            self.looked_beyond |= ahead.is_at_end();
            return None;
        }
        self.lexer = ahead;
        Some(route)
    }

    /// An address without angle brackets. Its comment is its name, as people wrote it before RFC 822.
    fn bare(&mut self, words: &Words) -> bool {
        if words.local.is_empty() && words.domain.is_none() {
            return true;
        }
        let local = if words.domain.is_some() { &words.local } else { &words.phrase };
        self.push(Some(&words.comment), None, Some(local), Some(words.domain.as_deref().unwrap_or_default()))
    }

    fn open_group(&mut self, name: &[u8]) -> bool {
        self.in_group = self.push(None, None, Some(name), None);
        self.in_group
    }

    fn close_group(&mut self) -> bool {
        if self.in_group {
            self.in_group = false;
            self.out.extend_from_slice(GROUP_END);
        }
        true
    }

    fn push(
        &mut self,
        name: Option<&Vec<u8>>,
        route: Option<&[u8]>,
        mailbox: Option<&[u8]>,
        host: Option<&[u8]>,
    ) -> bool {
        if self.first_host.is_none() {
            self.first_host = host.filter(|host| !host.is_empty()).map(<[u8]>::to_vec);
        }
        let before = self.out.len();
        self.out.push(b'(');
        push_nstring(self.out, name.filter(|name| !name.is_empty()).map(Vec::as_slice));
        self.out.push(b' ');
        push_nstring(self.out, route);
        self.out.push(b' ');
        push_string(self.out, mailbox.unwrap_or_default());
        self.out.push(b' ');
        push_nstring(self.out, host);
        self.out.push(b')');
        let fits = self.out.len() + GROUP_END.len() <= self.max;
        if !fits {
            self.out.truncate(before);
        }
        fits
    }
}

impl Words {
    fn push(&mut self, word: &[u8], blank: bool) {
        if blank && !self.phrase.is_empty() {
            self.phrase.push(b' ');
        }
        self.phrase.extend_from_slice(word);
        self.local.extend_from_slice(word);
    }
}

/// What follows an `@`: a name, or a literal in brackets.
fn domain(lexer: &mut Lexer<'_>) -> Vec<u8> {
    lexer.skip_blanks();
    let mut domain = Vec::new();
    if lexer.peek() == Some(b'[') {
        domain.extend_from_slice(lexer.run(|byte| !matches!(byte, b']' | b'>' | b',')));
        if lexer.eat(b']') {
            domain.push(b']');
        }
        return domain;
    }
    domain.extend_from_slice(lexer.run(is_atom));
    domain
}

/// RFC 5322 §3.2.3 `dot-atom`, widened: all but what divides addresses.
const fn is_atom(byte: u8) -> bool {
    !matches!(
        byte,
        b' ' | b'\t' | b'\r' | b'\n' | b'(' | b')' | b'<' | b'>' | b'@' | b',' | b';' | b':' | b'"'
    )
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    fn rendered(field: &[u8]) -> String {
        let mut out = Vec::new();
        assert!(render(field, &mut out, 10_000));
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn addresses_as_people_write_them() {
        for (field, expected) in [
            ("alice@example.test", r#"(NIL NIL "alice" "example.test")"#),
            ("<alice@example.test>", r#"(NIL NIL "alice" "example.test")"#),
            ("Alice <alice@example.test>", r#"("Alice" NIL "alice" "example.test")"#),
            (r#""Liddell, Alice" <alice@example.test>"#, r#"("Liddell, Alice" NIL "alice" "example.test")"#),
            ("J. R.  Public <j@x.test>", r#"("J. R. Public" NIL "j" "x.test")"#),
            ("j@x.test (John Public)", r#"("John Public" NIL "j" "x.test")"#),
            ("<j@x.test> (John)", r#"("John" NIL "j" "x.test")"#),
            ("a@x.test,, b@y.test,", r#"(NIL NIL "a" "x.test")(NIL NIL "b" "y.test")"#),
            ("=?utf-8?B?5omL57SZ?= <a@x.test>", r#"("=?utf-8?B?5omL57SZ?=" NIL "a" "x.test")"#),
            (r#""a b"@x.test"#, r#"(NIL NIL "a b" "x.test")"#),
            (r#"X <"a@b"@x.test>"#, r#"("X" NIL "a@b" "x.test")"#),
            ("a..b.@carrier.test", r#"(NIL NIL "a..b." "carrier.test")"#),
            ("<@one.test,@two.test:a@x.test>", r#"(NIL "@one.test,@two.test" "a" "x.test")"#),
            ("root@[192.0.2.1]", r#"(NIL NIL "root" "[192.0.2.1]")"#),
            ("Mary Smith <mary @ x.test (home)>", r#"("Mary Smith" NIL "mary" "x.test")"#),
            ("alice", r#"(NIL NIL "alice" "")"#),
            ("<>", r#"(NIL NIL "" "")"#),
            ("Alice <alice@example.test", r#"("Alice" NIL "alice" "example.test")"#),
            ("a@b@c.test", r#"(NIL NIL "a" "c.test")"#),
            ("", ""),
            (" (nobody) ", ""),
        ] {
            assert_eq!(rendered(field.as_bytes()), expected, "{field}");
        }
    }

    #[test]
    fn the_first_domain_is_that_of_the_first_address_that_has_one() {
        for (field, expected) in [
            (r#""a@b.test" <alice@example.test>, c@d.test"#, Some("example.test")),
            ("(x@b.test) alice@example.test", Some("example.test")),
            ("alice, Group: bob@example.test;", Some("example.test")),
            ("alice", None),
            ("<>", None),
            ("", None),
        ] {
            assert_eq!(first_domain(field.as_bytes()).as_deref(), expected.map(str::as_bytes), "{field}");
        }
    }

    #[test]
    fn groups_have_markers() {
        assert_eq!(
            rendered(b"Friends: a@x.test, B <b@y.test>; c@z.test"),
            r#"(NIL NIL "Friends" NIL)(NIL NIL "a" "x.test")("B" NIL "b" "y.test")(NIL NIL NIL NIL)(NIL NIL "c" "z.test")"#
        );
        assert_eq!(
            rendered(b"undisclosed-recipients:;"),
            r#"(NIL NIL "undisclosed-recipients" NIL)(NIL NIL NIL NIL)"#
        );
        assert_eq!(
            rendered(b"open: a@x.test"),
            r#"(NIL NIL "open" NIL)(NIL NIL "a" "x.test")(NIL NIL NIL NIL)"#
        );
    }

    #[test]
    fn raw_8_bit_and_raw_jis_stay_whole() {
        assert_eq!(rendered("手紙 <a@x.test>".as_bytes()), "({6}\r\n手紙 NIL \"a\" \"x.test\")");
        // ISO-2022-JP whose bytes include `,` and `<`.
        assert_eq!(rendered(b"\x1b$B%,%<\x1b(B <a@x.test>"), "(\"\x1b$B%,%<\x1b(B\" NIL \"a\" \"x.test\")");
    }

    #[test]
    fn a_field_can_be_rendered_in_pieces() {
        for field in [
            &br#"a@x.test, "B, C" <b@y.test> (c, d), Friends: e@x.test, <@one.test,@two.test:f@x.test>; g@z.test,"#[..],
            b"open: a@x.test, b@x.test",
            "手紙 <a@x.test>, 手紙 <b@x.test>; , c@x.test".as_bytes(),
            b"\x1b$B%,%<\x1b(B <a@x.test>, \x83\x5c <b@x.test>, \"never closed, c@x.test",
        ] {
            let mut whole = Vec::new();
            render(field, &mut whole, usize::MAX);
            for cut in 0..field.len() {
                let (len, in_group) = whole_addresses(&field[..cut], false);
                let mut pieces = Vec::new();
                render_piece(&field[..len], &mut pieces, false, false);
                render_piece(&field[len..], &mut pieces, in_group, true);
                assert!(pieces == whole, "{} cut at {cut}", field.escape_ascii());
            }
        }
        assert_eq!(whole_addresses(b"a@x.test, b@x.test", false), (9, false));
        assert_eq!(whole_addresses(b"g: a@x.test, b@x.test", false), (12, true));
        assert_eq!(whole_addresses(b"only@one.test", false).0, 0);
    }

    #[test]
    fn a_list_ends_where_the_room_ends() {
        let mut out = Vec::new();
        assert!(!render(b"g: aaaa@x.test, bbbb@x.test, cccc@x.test", &mut out, 80));
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, r#"(NIL NIL "g" NIL)(NIL NIL "aaaa" "x.test")(NIL NIL NIL NIL)"#);
    }
}

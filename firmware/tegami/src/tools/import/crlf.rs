//! Line ends: files have bare line feeds, mail has CRLF (RFC 5322 §2.3).

/// Turns bare line feeds into CRLF, piece by piece.
#[derive(Debug, Default)]
pub(super) struct Crlf {
    /// The last byte was a CR.
    after_cr: bool,
}

impl Crlf {
    /// Appends a piece to `out`.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            match line.split_last() {
                Some((b'\n', text)) => {
                    let has_cr = text.last().map_or(self.after_cr, |last| *last == b'\r');
                    out.extend_from_slice(text);
                    out.extend_from_slice(if has_cr { b"\n" } else { b"\r\n" });
                    self.after_cr = false;
                }
                _ => {
                    out.extend_from_slice(line);
                    self.after_cr = line.last() == Some(&b'\r');
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_line_feeds_become_crlf_however_they_come() {
        let text = b"a\nb\r\n\n\r\nc\rd\r\r\n\n";
        for piece in 1..=text.len() {
            let (mut crlf, mut out) = (Crlf::default(), Vec::new());
            text.chunks(piece).for_each(|piece| crlf.push(piece, &mut out));
            assert_eq!(out, b"a\r\nb\r\n\r\n\r\nc\rd\r\r\n\r\n", "in pieces of {piece}");
        }
    }
}

//! Reading letters of the queue: what lies on flash is brought into memory first, off the loop.

use mail::{Content, Mail as _, OUTBOUND, Posting, Uid, Unready, limits::HEAD_BYTES_MAX};
use proto::dkim;

use super::limits::COPY_BYTES;
use crate::{
    limits::SCRUB_WARMINGS_MAX,
    office::{MailStore, Office},
};

/// The field that a store puts before every letter (RFC 5321 §4.4); it does not leave the box.
const RETURN_PATH: &[u8] = b"Return-Path:";

/// With this a header block ends: the last line's end, and the empty line (RFC 5322 §2.1).
const EMPTY_LINE: &[u8] = b"\r\n\r\n";

/// The envelope of a letter.
///
/// # Errors
/// [`Unready::Gone`], [`Unready::Damaged`].
pub(crate) async fn posting(office: &Office, uid: Uid) -> Result<Posting, Unready> {
    warmed(office, |store| store.posting(uid)).await
}

/// A letter, opened, with the beginning of it: its header block, as much of it as is listed.
///
/// # Errors
/// [`Unready::Gone`], [`Unready::Damaged`].
pub(crate) async fn open(office: &Office, uid: Uid) -> Result<(Content, Vec<u8>), Unready> {
    let content = warmed(office, |store| store.open(OUTBOUND, uid)).await?;
    let head = warmed(office, |store| store.record(OUTBOUND, uid).map(|record| record.head.to_vec())).await?;
    Ok((content, head))
}

/// Gives a letter's bytes from `offset` on to `take`, piece by piece, until that says no.
///
/// # Errors
/// [`Unready::Damaged`].
pub(crate) async fn each_piece<E: From<Unready>>(
    office: &Office,
    content: &Content,
    mut offset: u64,
    mut take: impl AsyncFnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut piece = Vec::with_capacity(COPY_BYTES);
    while offset < content.size() {
        piece.clear();
        let count = warmed(office, |store| store.read(content, offset, COPY_BYTES, &mut piece)).await?;
        offset += count as u64;
        take(&piece).await?;
    }
    Ok(())
}

/// The header block of a letter, with the empty line behind it: `listed`, which is its beginning without the `own` bytes
/// of the box's, if that is all of it. Otherwise it is read from the letter, up to somewhat more than is ever signed.
///
/// # Errors
/// [`Unready::Damaged`].
pub(crate) async fn header_block(
    office: &Office,
    content: &Content,
    own: usize,
    listed: &[u8],
) -> Result<Vec<u8>, Unready> {
    if own + listed.len() < HEAD_BYTES_MAX || listed.ends_with(EMPTY_LINE) {
        return Ok(listed.to_vec());
    }
    let mut block = Vec::new();
    let read = each_piece(office, content, own as u64, async |piece: &[u8]| {
        let looked_at = block.len().saturating_sub(EMPTY_LINE.len() - 1);
        block.extend_from_slice(piece);
        let new = block.get(looked_at..).unwrap_or_default();
        if let Some(at) = new.windows(EMPTY_LINE.len()).position(|bytes| bytes == EMPTY_LINE) {
            block.truncate(looked_at + at + EMPTY_LINE.len());
            return Err(Stopped::Enough);
        }
        if block.len() > dkim::limits::HEAD_BYTES_MAX { Err(Stopped::Enough) } else { Ok(()) }
    });
    match read.await {
        Ok(()) | Err(Stopped::Enough) => Ok(block),
        Err(Stopped::Unready(unready)) => Err(unready),
    }
}

/// Why no more of a letter is read.
enum Stopped {
    Enough,
    Unready(Unready),
}

impl From<Unready> for Stopped {
    fn from(unready: Unready) -> Self {
        Self::Unready(unready)
    }
}

/// How many bytes at the front of a letter are the box's own Return-Path.
pub(crate) fn return_path_bytes(head: &[u8]) -> usize {
    if !head.get(..RETURN_PATH.len()).is_some_and(|name| name.eq_ignore_ascii_case(RETURN_PATH)) {
        return 0;
    }
    // Until a line end that no blank follows (RFC 5322 §2.2.3).
    let ends = head
        .windows(3)
        .position(|bytes| matches!(bytes, [b'\r', b'\n', next] if !matches!(next, b' ' | b'\t')));
    ends.map_or(0, |at| at + 2)
}

/// Asks until what is asked for lies in memory.
pub(super) async fn warmed<T>(
    office: &Office,
    mut ask: impl FnMut(&mut MailStore) -> Result<T, Unready>,
) -> Result<T, Unready> {
    for _ in 0..SCRUB_WARMINGS_MAX {
        let answer = ask(&mut office.store_mut());
        match answer {
            Err(Unready::Cold(cold)) => office.warm(cold).await,
            answer => return answer,
        }
    }
    // Memory is so short that nothing stays warm: as good as unreadable, until the next attempt.
    Err(Unready::Damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boxs_own_line_is_left_out() {
        for (head, bytes) in [
            (&b"Return-Path: <a@b.test>\r\nReceived: x\r\n\r\n"[..], 25),
            (b"Return-Path:\r\n <a@b.test>\r\nReceived: x\r\n", 27),
            (b"return-path: <>\r\n\r\n", 17),
            (b"Received: x\r\nReturn-Path: <>\r\n\r\n", 0),
            (b"Return-Path: <a@b.test>", 0),
            (b"", 0),
        ] {
            assert_eq!(return_path_bytes(head), bytes, "{}", String::from_utf8_lossy(head));
        }
    }
}

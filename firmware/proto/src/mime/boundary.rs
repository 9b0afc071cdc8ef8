//! Boundary delimiter lines of multiparts (RFC 2046 §5.1.1).

/// What a delimiter line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Delimiter {
    /// Which of the boundaries it has.
    pub(super) level: usize,
    /// Whether it closes the multipart: `--boundary--`.
    pub(super) closes: bool,
}

/// Whether `line`, without its end, is a delimiter of one of `boundaries`, which are given with their levels.
///
/// RFC 2046 asks for no more than that the line begins with the boundary. Where boundaries of several levels fit,
/// because one begins with another, the longest is meant; of equal ones, the innermost, which must come last.
pub(super) fn delimiter<'a>(
    line: &[u8],
    boundaries: impl Iterator<Item = (usize, &'a [u8])>,
) -> Option<Delimiter> {
    let line = line.strip_prefix(b"--")?;
    let (level, boundary) = boundaries
        .filter(|(_, boundary)| line.starts_with(boundary))
        .max_by_key(|(_, boundary)| boundary.len())?;
    let closes = line.get(boundary.len()..).is_some_and(|rest| rest.starts_with(b"--"));
    Some(Delimiter { level, closes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &[u8], boundaries: &[&[u8]]) -> Option<(usize, bool)> {
        delimiter(line, boundaries.iter().copied().enumerate()).map(|found| (found.level, found.closes))
    }

    #[test]
    fn the_longest_boundary_is_meant_and_of_equal_ones_the_innermost() {
        let nested: [&[u8]; 2] = [b"abc", b"abcd"];
        assert_eq!(found(b"--abc", &nested), Some((0, false)));
        assert_eq!(found(b"--abcd", &nested), Some((1, false)));
        assert_eq!(found(b"--abcd--  ", &nested), Some((1, true)));
        assert_eq!(found(b"--abc--", &nested), Some((0, true)));
        assert_eq!(found(b"--same", &[b"same", b"same"]), Some((1, false)));
        assert_eq!(found(b"--other", &nested), None);
        assert_eq!(found(b"-abc", &nested), None);
        assert_eq!(found(b"--abc trailing", &nested), Some((0, false)));
    }
}

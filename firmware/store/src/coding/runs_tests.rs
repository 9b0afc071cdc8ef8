//! Which runs are found in which bytes.

use alloc::format;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::lines::{LineEnd, Lines};
use super::runs::{RUN_CHARS_MIN, Run, next_run};
use super::samples::{base64_lines, frame, noise, words};

fn runs(frame: &[u8]) -> Vec<Run> {
    let mut found = vec![];
    while let Some(run) = next_run(frame, found.last().map_or(0, |run: &Run| run.end)) {
        found.push(run);
    }
    found
}

fn only(frame: &[u8]) -> Run {
    let found = runs(frame);
    assert_eq!(found.len(), 1, "{found:?}");
    found[0]
}

#[test]
fn a_part_is_one_run_whatever_its_lines_and_its_padding() {
    for (end, line_end) in [("\r\n", LineEnd::Crlf), ("\n", LineEnd::Lf)] {
        for width in [32, 36, 60, 64, 72, 76, 100, 332] {
            for bytes in 1_000..1_004 {
                let chars = base64_lines(&noise(1, bytes), width, end);
                let frame = [b"Content: base64\r\n\r\n", &chars[..], end.as_bytes(), b"--boundary"].concat();
                let run = only(&frame);
                assert_eq!((run.start, run.end), (19, 19 + chars.len()), "{width} {bytes}");
                let lines = Lines { bytes, first: width / 4, line: width / 4, end: line_end };
                assert_eq!(run.lines, lines);
            }
        }
    }
}

#[test]
fn one_long_line_is_a_run_too() {
    let chars = base64_lines(&noise(1, 5_000), 1 << 20, "");
    let run = only(&chars);
    assert_eq!((run.start, run.end, run.lines.bytes, run.lines.first), (0, chars.len(), 5_000, 1_667));
    let inside = [b"<img src=\"data:image/png;base64,", &chars[..], b"\">"].concat();
    assert_eq!(only(&inside).lines, run.lines, "aligned at its beginning or its padding");
}

#[test]
fn a_frame_that_begins_inside_a_line_loses_less_than_a_short_line() {
    let chars = base64_lines(&noise(1, 3_000), 76, "\r\n");
    for cut in 0..160 {
        let run = only(&chars[cut..]);
        assert_eq!(run.end, chars.len() - cut, "{cut}");
        assert!(run.start < 34, "{cut}: {run:?}");
        assert_eq!(run.lines.line, 19);
        // What is decoded lies on whole quanta of the part: 3 bytes for 4 characters, not for any 4.
        let at = cut + run.start;
        assert_eq!((at - at / 78 * 2) % 4, 0, "{cut}");
    }
}

#[test]
fn a_frame_that_ends_inside_a_line_loses_less_than_a_quantum() {
    let chars = base64_lines(&noise(1, 3_000), 76, "\r\n");
    for cut in 2_000..2_160 {
        let run = only(&chars[..cut]);
        assert_eq!(run.start, 0);
        assert!(cut - run.end < 2 + 4, "{cut}: {run:?}");
    }
}

#[test]
fn what_is_not_canonical_is_left_outside() {
    let sound = base64_lines(&noise(1, 760), 76, "\r\n");
    assert!(sound.ends_with(b"=="));
    // The bits that the padding leaves over.
    let mut spare = sound.clone();
    let last = spare.len() - 3;
    spare[last] += 1;
    assert_eq!(only(&spare).end, spare.len() - 4, "the padded quantum stays outside");
    // A third padding character, and one that is cut off.
    assert_eq!(only(&[&sound[..], b"="].concat()).end, sound.len());
    assert_eq!(only(&sound[..sound.len() - 1]).end, sound.len() - 4);
    // Padding in the middle ends one run; the next one begins behind it.
    let twice = [&sound[..], b"\r\n", &sound[..]].concat();
    assert_eq!(runs(&twice).len(), 2);
    // Another line end, a longer line, a trailing space, an empty line.
    let half = base64_lines(&noise(1, 570), 76, "\r\n");
    for between in ["\n", "\r\nAAAA", " \r\n", "\r\n\r\n", "\r\n\t", "\r", "-\r\n"] {
        let frame = [&half[..], between.as_bytes(), &half[..]].concat();
        let found = runs(&frame);
        assert_eq!(found.len(), 2, "{between:?} {found:?}");
    }
    // Every line has a space behind it: each is a stretch of its own, too short to gain.
    assert_eq!(runs(&base64_lines(&noise(1, 3_000), 76, " \r\n")), []);
    assert_eq!(runs(&base64_lines(&noise(1, 3_000), 76, "\r")), []);
}

#[test]
fn text_holds_no_runs() {
    assert_eq!(runs(&words(1, 20_000)), []);
    assert_eq!(runs(&noise(1, 60_000)), []);
    let short = base64_lines(&noise(1, RUN_CHARS_MIN / 4 * 3 - 3), 76, "\r\n");
    assert_eq!(runs(&short), [], "shorter than the shortest");
    let signature = format!("DKIM-Signature: b={}\r\n\t{}", "a".repeat(60), "b".repeat(60));
    assert_eq!(runs(signature.as_bytes()), []);
}

proptest! {
    #[test]
    fn every_run_has_its_shape_and_they_do_not_overlap(frame in frame()) {
        let mut behind = 0;
        for run in runs(&frame) {
            prop_assert!(run.start >= behind && run.end <= frame.len());
            let chars = &frame[run.start..run.end];
            prop_assert_eq!(run.lines.original_len(), Some(chars.len()));
            let mut bytes = vec![];
            prop_assert_eq!(run.lines.decode(chars, &mut bytes), Some(()));
            prop_assert_eq!(bytes.len(), run.lines.bytes);
            let mut back = vec![0; chars.len()];
            prop_assert_eq!(run.lines.encode(&bytes, &mut back), Some(()));
            prop_assert_eq!(&back[..], chars);
            behind = run.end;
        }
    }
}

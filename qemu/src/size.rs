//! Sizes as people write them: `256MiB`, `1GiB`.

use anyhow::{Result, bail};

/// Bytes of a size: digits, then nothing, `KiB`, `MiB`, `GiB` or `TiB`.
pub fn parse(text: &str) -> Result<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match &text[digits.len()..] {
        "" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        unit => bail!("{text:?} is no size: the unit {unit:?} is none of KiB, MiB, GiB, TiB"),
    };
    let bytes = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(1 << shift));
    match bytes {
        Some(bytes) if bytes > 0 => Ok(bytes),
        _ => bail!("{text:?} is no size, such as 256MiB"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_whole_numbers_of_a_unit() {
        for (text, bytes) in [("256MiB", 256 << 20), ("1GiB", 1 << 30), ("4096", 4096), ("2TiB", 2 << 40)] {
            assert_eq!(parse(text).unwrap(), bytes);
        }
        for wrong in ["", "MiB", "1.5GiB", "256MB", "-1MiB", "0", "99999999999TiB", "1 GiB"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}

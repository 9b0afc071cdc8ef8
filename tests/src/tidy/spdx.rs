//! Licence expressions (SPDX, annex D): whether one can be met with permissive licences alone.

/// Licences that may come in. All are permissive or, MPL-2.0, copyleft for single files that nobody here changes;
/// CDLA-Permissive-2.0 and Unicode-3.0 cover data.
const PERMITTED: [&str; 14] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// True when some choice that the expression offers is permitted. What does not parse is not permitted.
pub fn is_permitted(expression: &str) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words };
    let permitted = reader.any_of();
    reader.words.is_empty() && permitted == Some(true)
}

/// Recursive descent; `AND` binds tighter than `OR`.
struct Reader<'a> {
    words: &'a [&'a str],
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn takes(&mut self, word: &str) -> bool {
        let found = self.words.first() == Some(&word);
        if found {
            self.words = &self.words[1..];
        }
        found
    }

    fn any_of(&mut self) -> Option<bool> {
        let mut permitted = self.all_of()?;
        while self.takes("OR") {
            permitted |= self.all_of()?;
        }
        Some(permitted)
    }

    fn all_of(&mut self) -> Option<bool> {
        let mut permitted = self.one()?;
        while self.takes("AND") {
            permitted &= self.one()?;
        }
        Some(permitted)
    }

    fn one(&mut self) -> Option<bool> {
        if self.takes("(") {
            let inner = self.any_of()?;
            return self.takes(")").then_some(inner);
        }
        let mut name = self.next()?.to_owned();
        if self.takes("WITH") {
            name = format!("{name} WITH {}", self.next()?);
        }
        Some(PERMITTED.contains(&name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::is_permitted;

    #[test]
    fn one_permitted_choice_is_enough() {
        assert!(is_permitted("MIT"));
        assert!(is_permitted("MIT OR Apache-2.0"));
        assert!(is_permitted("Apache-2.0 OR GPL-2.0"));
        assert!(is_permitted("MIT/Apache-2.0"));
        assert!(is_permitted("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(is_permitted("Apache-2.0 WITH LLVM-exception OR MIT"));
    }

    #[test]
    fn everything_that_is_demanded_must_be_permitted() {
        assert!(!is_permitted("AGPL-3.0-only"));
        assert!(!is_permitted("MIT AND GPL-3.0"));
        assert!(!is_permitted("(MIT AND GPL-3.0) OR LGPL-2.1"));
        assert!(!is_permitted("GPL-2.0 WITH Classpath-exception-2.0"));
    }

    #[test]
    fn nonsense_is_not_permitted() {
        assert!(!is_permitted(""));
        assert!(!is_permitted("MIT OR"));
        assert!(!is_permitted("(MIT"));
        assert!(!is_permitted("MIT Apache-2.0"));
    }
}

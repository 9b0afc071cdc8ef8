//! Keywords of letters as they come, by name, and the flags that they are here.

use std::collections::BTreeMap;

use mail::{AccountId, Flags, Mail as _, Refusal};

use crate::tools::{flash::Writing, output::warn};

/// Keywords met so far. Those that cannot be kept have no flag.
#[derive(Debug, Default)]
pub(super) struct Keywords(BTreeMap<String, Option<Flags>>);

impl Keywords {
    /// The flags of these keywords; new ones are defined.
    ///
    /// # Errors
    /// What the store refuses for every change.
    pub(super) fn flags(
        &mut self,
        writing: &mut Writing,
        account: AccountId,
        names: &[String],
    ) -> Result<Flags, Refusal> {
        let mut flags = Flags::NONE;
        for name in names {
            let known = match self.0.get(name) {
                Some(known) => *known,
                None => {
                    let defined = define(writing, account, name)?;
                    if defined.is_none() {
                        warn(format_args!(
                            "left out: keyword {name:?}: there are too many, or it is none for IMAP"
                        ));
                    }
                    self.0.insert(name.clone(), defined);
                    defined
                }
            };
            flags = flags.with(known.unwrap_or_default());
        }
        Ok(flags)
    }

    /// How many cannot be kept.
    pub(super) fn left_out(&self) -> u64 {
        self.0.values().filter(|flags| flags.is_none()).count() as u64
    }
}

fn define(writing: &mut Writing, account: AccountId, name: &str) -> Result<Option<Flags>, Refusal> {
    if !is_atom(name) {
        return Ok(None);
    }
    match writing.ask(|store| store.keyword(account, name)) {
        Ok(flags) => Ok(Some(flags)),
        Err(Refusal::Limit) => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

/// RFC 3501 §9 `flag-keyword`: an atom.
fn is_atom(name: &str) -> bool {
    let special = |byte| matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']');
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && !special(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_are_atoms() {
        assert!(["$Forwarded", "work", "a/b.c-d[e", "NonJunk"].into_iter().all(is_atom));
        assert!(!["", "\\Seen", "a b", "a)", "仕事", "a]b", "50%"].into_iter().any(is_atom));
    }
}

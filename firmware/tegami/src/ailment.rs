//! What can be wrong with a flash so that no mail is served, and how a person is told: what it is, that nothing was
//! changed, what to do next.

use store::MountError;

use crate::language::{Language, Text, fill};

/// Why the flash cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ailment {
    /// Something else is on it, or its beginning is damaged.
    NotAStore,
    /// A later version of the program wrote it, in a format of this number.
    Newer(u16),
    /// An earlier version wrote it, in a format that is not read any more.
    Older(u16),
    /// Its end is missing.
    CutShort {
        /// Bytes that the store takes.
        store: u64,
        /// Bytes that there are.
        device: u64,
    },
    /// The store was made for another kind of flash.
    OtherGeometry,
    /// Nothing fits on it.
    TooSmall,
    /// The system could not read it, and said this.
    Unreadable(String),
    /// It is new, and could not be made ready: this was said.
    NotMade(String),
}

impl From<MountError> for Ailment {
    fn from(error: MountError) -> Self {
        match error {
            MountError::NotAStore => Self::NotAStore,
            MountError::Newer { version } => Self::Newer(version),
            MountError::Older { version } => Self::Older(version),
            MountError::CutShort { store, device } => Self::CutShort { store, device },
            MountError::OtherGeometry => Self::OtherGeometry,
            MountError::TooSmall => Self::TooSmall,
            MountError::Device(fault) => Self::Unreadable(fault.to_string()),
        }
    }
}

impl Ailment {
    /// What is wrong, in one sentence.
    pub(crate) fn what(&self, language: Language) -> String {
        let (text, values) = match self {
            Self::NotAStore => (Text::AilingNotAStore, vec![]),
            Self::Newer(version) => (Text::AilingNewer, vec![version.to_string()]),
            Self::Older(version) => (Text::AilingOlder, vec![version.to_string()]),
            Self::CutShort { store, device } => {
                (Text::AilingCutShort, vec![mebibytes(*store), mebibytes(*device)])
            }
            Self::OtherGeometry => (Text::AilingGeometry, vec![]),
            Self::TooSmall => (Text::AilingTooSmall, vec![]),
            Self::Unreadable(why) => (Text::AilingUnreadable, vec![why.clone()]),
            Self::NotMade(why) => (Text::AilingNotMade, vec![why.clone()]),
        };
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        fill(text.say(language), &values)
    }

    /// What became of what is on it.
    pub(crate) const fn state(&self) -> Text {
        match self {
            Self::NotMade(_) => Text::AilingNoMail,
            _ => Text::AilingUntouched,
        }
    }

    /// What to do next.
    pub(crate) const fn next(&self) -> Text {
        match self {
            Self::NotAStore => Text::AilingNextNotAStore,
            Self::Newer(_) => Text::AilingNextNewer,
            Self::Older(_) => Text::AilingNextOlder,
            Self::CutShort { .. } => Text::AilingNextCutShort,
            Self::OtherGeometry => Text::AilingNextGeometry,
            Self::TooSmall => Text::AilingNextTooSmall,
            Self::Unreadable(_) => Text::AilingNextUnreadable,
            Self::NotMade(_) => Text::AilingNextNotMade,
        }
    }

    /// All of it, a line each.
    pub(crate) fn lines(&self, language: Language) -> [String; 4] {
        let say = |text: Text| text.say(language).to_owned();
        [say(Text::AilingTitle), self.what(language), say(self.state()), say(self.next())]
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_wrong_is_said_in_both_languages() {
        let all = [
            Ailment::NotAStore,
            Ailment::Newer(7),
            Ailment::Older(1),
            Ailment::CutShort { store: 256 << 20, device: 100 },
            Ailment::OtherGeometry,
            Ailment::TooSmall,
            Ailment::Unreadable("the device reported an error".to_owned()),
            Ailment::NotMade("it takes no writes".to_owned()),
        ];
        let mut bytes = 0;
        for ailment in &all {
            for language in Language::ALL {
                let lines = ailment.lines(language);
                assert!(lines.iter().all(|line| line.len() > 10 && !line.contains('{')), "{lines:?}");
            }
            let both: usize =
                Language::ALL.iter().flat_map(|language| ailment.lines(*language)).map(|l| l.len()).sum();
            bytes = bytes.max(both);
        }
        assert!(bytes + 500 < board::limits::CONSOLE_BYTES_MAX, "{bytes} bytes do not fit on a console");
        assert!(Ailment::Newer(7).what(Language::English).contains("format 7"));
        assert!(
            Ailment::CutShort { store: 256 << 20, device: 100 }.what(Language::English).contains("256 MiB")
        );
    }
}

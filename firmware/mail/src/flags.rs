//! Message flags as a set of bits: the system flags of RFC 3501 §2.3.2 and the keywords of an account.

/// A set of flags of one message. The low bits are system flags, the bits from [`Flags::KEYWORD_FIRST`] on are
/// keywords, numbered per account (see [`crate::Mail::keyword`]). `\Recent` is not a flag of a message: it belongs
/// to a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u64);

impl Flags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// `\Seen`
    pub const SEEN: Self = Self(1);
    /// `\Answered`
    pub const ANSWERED: Self = Self(1 << 1);
    /// `\Flagged`
    pub const FLAGGED: Self = Self(1 << 2);
    /// `\Deleted`
    pub const DELETED: Self = Self(1 << 3);
    /// `\Draft`
    pub const DRAFT: Self = Self(1 << 4);
    /// All system flags.
    pub const SYSTEM: Self = Self(0b1_1111);
    /// Bit of the first keyword; keyword `n` of an account is bit `KEYWORD_FIRST + n`.
    pub const KEYWORD_FIRST: u32 = 8;

    /// The flag of keyword number `number` (below [`crate::limits::KEYWORDS_PER_ACCOUNT_MAX`]); none beyond.
    #[must_use]
    pub const fn keyword(number: u32) -> Self {
        if number < crate::limits::KEYWORDS_PER_ACCOUNT_MAX {
            Self(1 << (Self::KEYWORD_FIRST + number))
        } else {
            Self::NONE
        }
    }

    /// Whether every flag of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set without the flags of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether no flag is set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

const _: () = assert!(Flags::KEYWORD_FIRST + crate::limits::KEYWORDS_PER_ACCOUNT_MAX == u64::BITS);

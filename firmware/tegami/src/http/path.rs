//! The paths that there are. Everything else is no page; what a visitor writes into a URL never comes back in a link.

/// One path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// The first page.
    State,
    /// The form that claims the box.
    Claim,
    /// Settings for mail programs.
    Mail,
    /// The authority's certificate in DER.
    AuthorityDer,
    /// The same as text.
    AuthorityPem,
    /// The stylesheet.
    Style,
    /// The icon.
    Icon,
}

impl Path {
    const ALL: [Self; 7] = [
        Self::State,
        Self::Claim,
        Self::Mail,
        Self::AuthorityDer,
        Self::AuthorityPem,
        Self::Style,
        Self::Icon,
    ];

    /// The one that is written like this.
    pub(super) fn of(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|path| path.text() == text)
    }

    /// As it is written. The numbers change with what they name, so that browsers may keep it.
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::State => "/",
            Self::Claim => "/claim",
            Self::Mail => "/mail",
            Self::AuthorityDer => "/tegami-ca.crt",
            Self::AuthorityPem => "/tegami-ca.pem",
            Self::Style => "/tegami-1.css",
            Self::Icon => "/tegami-1.svg",
        }
    }

    /// What can be done with it, as in `Allow`.
    pub(super) const fn methods(self) -> &'static str {
        match self {
            Self::Claim => "GET, HEAD, POST",
            _ => "GET, HEAD",
        }
    }
}

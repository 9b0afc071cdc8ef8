//! What can be wrong with a provision file, as sentences that name line and key.

use crate::language::{Language, Text, fill};

/// Where something stands in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Line, counted from 1.
    pub(crate) line: usize,
    /// Key with the tables around it, `account.password`; empty where there is none.
    pub(crate) key: String,
}

/// Why a file is not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileError {
    /// Where.
    pub(crate) place: Place,
    /// What.
    pub(crate) problem: Problem,
}

/// What is wrong. Each says in its sentence what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// Larger than a provision file may be.
    TooLarge,
    /// Not UTF-8.
    NotUtf8,
    /// Not TOML, in the parser's words.
    Syntax(String),
    /// A key that does not exist.
    UnknownKey,
    /// A value of the wrong type, in the parser's words.
    Type(String),
    /// A key that must be there.
    Missing,
    /// `version` is another one than 1.
    Version,
    /// More entries than there may be.
    TooMany(usize),
    /// Not a domain name.
    DomainName,
    /// Not an address.
    Address(mail::AddressError),
    /// The domain is neither in the file nor on the box.
    ForeignDomain(String),
    /// The same thing again; the line of the first.
    Duplicate(usize),
    /// The name is an account and cannot be an alias too.
    AlsoAccount,
    /// An alias leads to a local name that does not exist.
    NoSuchTarget(String),
    /// An alias leads to itself.
    TargetItself,
    /// An empty list.
    Empty,
    /// Not a size.
    Size,
    /// A size outside its limits.
    SizeRange(&'static str, &'static str),
    /// A number outside its limits.
    NumberRange(u64, u64),
    /// Not `en` or `ja`.
    Language,
    /// No such time zone.
    TimeZone,
    /// Not an IPv4 address with prefix length.
    Cidr,
    /// Not an address of a host.
    HostAddress,
    /// Not an IP address.
    IpAddress,
    /// Not an IP address with or without a port.
    Server,
    /// The gateway is not in the network.
    Gateway,
    /// A gateway without an address.
    GatewayAlone,
    /// Not a host name or IP address.
    Host,
    /// Not a port.
    Port,
    /// Not one of the four ways of TLS.
    Tls,
    /// Not a text with certificates, or too long a one.
    Certificates,
    /// A user without a password or the other way round.
    HalfLogin,
    /// A password that would go over the network without TLS.
    ClearPassword,
    /// Not a text that can be a password or user name.
    PasswordText,
    /// Both a password and its hash.
    PasswordTwice,
    /// Not an argon2id hash.
    PasswordHash,
    /// A hash that costs too much.
    PasswordHashCost,
    /// A route for a domain of our own.
    RouteToItself,
}

impl FileError {
    /// One sentence for a person.
    pub(crate) fn sentence(&self, language: Language) -> String {
        let line = self.place.line.to_string();
        let what = self.problem.sentence(language);
        if self.place.key.is_empty() {
            fill(Text::FileLine.say(language), &[&line, &what])
        } else {
            fill(Text::FileLineKey.say(language), &[&line, &self.place.key, &what])
        }
    }
}

impl Problem {
    fn sentence(&self, language: Language) -> String {
        let say = |text: Text, values: &[&str]| fill(text.say(language), values);
        match self {
            Self::Syntax(detail) => say(Text::FileSyntax, &[detail]),
            Self::Type(detail) => say(Text::FileType, &[detail]),
            Self::TooMany(max) => say(Text::FileTooMany, &[&max.to_string()]),
            Self::Address(error) => address_text(*error).say(language).to_owned(),
            Self::ForeignDomain(domain) => say(Text::FileForeignDomain, &[domain]),
            Self::Duplicate(line) => say(Text::FileDuplicate, &[&line.to_string()]),
            Self::NoSuchTarget(target) => say(Text::FileNoSuchTarget, &[target]),
            Self::SizeRange(least, most) => say(Text::FileSizeRange, &[least, most]),
            Self::NumberRange(least, most) => {
                say(Text::FileNumberRange, &[&least.to_string(), &most.to_string()])
            }
            _ => self.plain_text().say(language).to_owned(),
        }
    }

    /// The text of a problem that needs no values.
    const fn plain_text(&self) -> Text {
        match self {
            Self::TooLarge => Text::FileTooLarge,
            Self::NotUtf8 => Text::FileNotUtf8,
            Self::UnknownKey => Text::FileUnknownKey,
            Self::Version => Text::FileVersion,
            Self::DomainName => Text::FileDomainName,
            Self::AlsoAccount => Text::FileAlsoAccount,
            Self::TargetItself => Text::FileTargetItself,
            Self::Empty => Text::FileEmpty,
            Self::Size => Text::FileSize,
            Self::Language => Text::FileLanguage,
            Self::TimeZone => Text::FileTimeZone,
            Self::Cidr => Text::FileCidr,
            Self::HostAddress => Text::FileHostAddress,
            Self::IpAddress => Text::FileIpAddress,
            Self::Server => Text::FileServer,
            Self::Gateway => Text::FileGateway,
            Self::GatewayAlone => Text::FileGatewayAlone,
            Self::Host => Text::FileHost,
            Self::Port => Text::FilePort,
            Self::Tls => Text::FileTls,
            Self::Certificates => Text::FileCertificates,
            Self::HalfLogin => Text::FileHalfLogin,
            Self::ClearPassword => Text::FileClearPassword,
            Self::PasswordText => Text::FilePasswordForm,
            Self::PasswordTwice => Text::FilePasswordTwice,
            Self::PasswordHash => Text::FilePasswordHash,
            Self::PasswordHashCost => Text::FilePasswordHashCost,
            Self::RouteToItself => Text::FileRouteToItself,
            Self::Syntax(_) => Text::FileSyntax,
            Self::Type(_) => Text::FileType,
            Self::Missing => Text::FileMissing,
            Self::TooMany(_) => Text::FileTooMany,
            Self::Address(_) => Text::AddressIncomplete,
            Self::ForeignDomain(_) => Text::FileForeignDomain,
            Self::Duplicate(_) => Text::FileDuplicate,
            Self::NoSuchTarget(_) => Text::FileNoSuchTarget,
            Self::SizeRange(..) => Text::FileSizeRange,
            Self::NumberRange(..) => Text::FileNumberRange,
        }
    }
}

/// The sentence about something that is not an address.
pub(crate) const fn address_text(error: mail::AddressError) -> Text {
    match error {
        mail::AddressError::TooLong => Text::AddressTooLong,
        mail::AddressError::Incomplete => Text::AddressIncomplete,
        mail::AddressError::Character => Text::AddressCharacter,
    }
}

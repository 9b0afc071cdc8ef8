//! The form that claims the box.

use maud::{Markup, html};

use super::{Reader, Weight, fingerprint, notice, page};
use crate::certs::AuthorityView;
use crate::http::claim::{Field, FieldError};
use crate::http::limits::LISTED_MAX;
use crate::http::path::Path;
use crate::http::view::Missing;
use crate::language::Text;
use crate::passwords::PASSWORD_CHARS_MIN;

/// What the form shows.
#[derive(Debug)]
pub(in crate::http) struct View<'a> {
    pub(in crate::http) missing: Missing,
    /// Domains that the box has.
    pub(in crate::http) domains: &'a [String],
    /// Ties the form to the browser.
    pub(in crate::http) token: &'a str,
    /// What was typed before, but for passwords.
    pub(in crate::http) code: &'a str,
    pub(in crate::http) domain: &'a str,
    pub(in crate::http) account: &'a str,
    /// What was wrong with it.
    pub(in crate::http) errors: &'a [FieldError],
    /// What stood in the way, whatever was typed.
    pub(in crate::http) failure: Option<&'a str>,
}

/// The page.
pub(in crate::http) fn render(reader: &Reader, view: &View<'_>, authority: &AuthorityView) -> String {
    let body = html! {
        section.hero {
            h1 { (reader.say(Text::ClaimTitle)) }
            p { (reader.say(Text::ClaimIntro)) }
            details {
                summary { (reader.say(Text::ClaimCompareTitle)) }
                p { (reader.say(Text::ClaimCompare)) }
                (fingerprint(&authority.fingerprint))
            }
        }
        @if let Some(failure) = view.failure { (notice(Weight::Alarm, failure)) }
        @if !view.errors.is_empty() { (notice(Weight::Alarm, reader.say(Text::ClaimLookAgain))) }
        form method="post" action=(Path::Claim.text()) autocomplete="off" {
            input type="hidden" name="token" value=(view.token);
            fieldset {
                legend { (reader.say(Text::ClaimCodeLegend)) }
                (code(reader, view))
            }
            @if view.missing.domain { (domain(reader, view)) }
            @if view.missing.account { (account(reader, view)) }
            @if view.missing.administrator { (administrator(reader, view)) }
            p { button.button type="submit" { (reader.say(Text::ClaimSubmit)) } }
            p.hint { (reader.say(Text::ClaimSubmitHint)) }
        }
    };
    page(reader, reader.say(Text::ClaimTitle), &body)
}

/// One labelled field with its hint and what is wrong with it.
fn field(
    reader: &Reader,
    view: &View<'_>,
    field: Field,
    label: Text,
    hint: Option<&str>,
    input: &Markup,
) -> Markup {
    let error = view.errors.iter().find(|error| error.field == field);
    html! {
        div.field.wrong[error.is_some()] {
            label for=(field.name()) { (reader.say(label)) }
            (input)
            @if let Some(error) = error { p.error { (reader.say(error.text)) } }
            @if let Some(hint) = hint { p.hint { (hint) } }
        }
    }
}

fn code(reader: &Reader, view: &View<'_>) -> Markup {
    let input = html! {
        input.code id=(Field::Code.name()) name=(Field::Code.name()) type="text" required value=(view.code)
            autocomplete="off" autocapitalize="characters" spellcheck="false" maxlength="24";
    };
    field(reader, view, Field::Code, Text::ClaimCode, Some(reader.say(Text::ClaimCodeHint)), &input)
}

fn domain(reader: &Reader, view: &View<'_>) -> Markup {
    let name = Field::Domain.name();
    let input = html! {
        input id=(name) name=(name) type="text" inputmode="url" required value=(view.domain)
            placeholder="example.com" autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="253";
    };
    html! {
        fieldset {
            legend { (reader.say(Text::ClaimDomainLegend)) }
            (field(reader, view, Field::Domain, Text::ClaimDomain, Some(reader.say(Text::ClaimDomainHint)), &input))
        }
    }
}

fn account(reader: &Reader, view: &View<'_>) -> Markup {
    let name = Field::Account.name();
    let hint = match view.domains {
        [] => reader.say(Text::ClaimAccountHint).to_owned(),
        [only] => reader.fill(Text::ClaimAccountHintOne, &[only]),
        many => {
            let many: Vec<_> = many.iter().take(LISTED_MAX).map(String::as_str).collect();
            reader.fill(Text::ClaimAccountHintMany, &[&many.join(", ")])
        }
    };
    let input = html! {
        input id=(name) name=(name) type="text" inputmode="email" required value=(view.account)
            autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="254";
    };
    html! {
        fieldset {
            legend { (reader.say(Text::ClaimAccountLegend)) }
            (field(reader, view, Field::Account, Text::ClaimAccount, Some(&hint), &input))
            (password(reader, view, Field::Password, Text::ClaimPassword))
            (password(reader, view, Field::PasswordAgain, Text::ClaimAgain))
        }
    }
}

fn administrator(reader: &Reader, view: &View<'_>) -> Markup {
    html! {
        fieldset {
            legend { (reader.say(Text::ClaimAdministratorLegend)) }
            p.hint { (reader.say(Text::ClaimAdministratorHint)) }
            (password(reader, view, Field::Administrator, Text::ClaimPassword))
            (password(reader, view, Field::AdministratorAgain, Text::ClaimAgain))
        }
    }
}

fn password(reader: &Reader, view: &View<'_>, which: Field, label: Text) -> Markup {
    let input = html! {
        input id=(which.name()) name=(which.name()) type="password" required autocomplete="new-password"
            minlength=(PASSWORD_CHARS_MIN);
    };
    let first = matches!(which, Field::Administrator | Field::Password);
    let hint = reader.fill(Text::ClaimPasswordHint, &[&PASSWORD_CHARS_MIN.to_string()]);
    field(reader, view, which, label, first.then_some(hint.as_str()), &input)
}

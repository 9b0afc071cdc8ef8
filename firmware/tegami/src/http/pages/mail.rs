//! What to type into a mail program.

use maud::{Markup, html};

use super::{Reader, Weight, fingerprint, notice, page};
use crate::certs::AuthorityView;
use crate::http::guard::Found;
use crate::http::path::Path;
use crate::http::view::StateView;
use crate::language::Text;
use crate::service::Service;

/// The page. `welcome` right after claiming.
pub(in crate::http) fn render(
    reader: &Reader,
    state: &StateView,
    authority: &AuthorityView,
    found: &Found,
    welcome: bool,
) -> String {
    let body = html! {
        @if welcome {
            (notice(Weight::Good, reader.say(Text::MailWelcome)))
            (notice(Weight::Note, reader.say(Text::MailWelcomeCertificate)))
        }
        section.hero {
            h1 { (reader.say(Text::MailTitle)) }
            p { (reader.say(Text::MailIntro)) }
        }
        (account(reader, state))
        (server(reader, found, Text::MailImap, Some(Text::MailImapHint), &[Service::Imaps, Service::Imap]))
        (server(reader, found, Text::MailPop3, Some(Text::MailPop3Hint), &[Service::Pop3s, Service::Pop3]))
        (server(reader, found, Text::MailSmtp, None, &[Service::Submissions, Service::Submission]))
        (install(reader, authority))
    };
    page(reader, reader.say(Text::MailTitle), &body)
}

fn account(reader: &Reader, state: &StateView) -> Markup {
    let domain = state.domains.first().map_or("example.com", String::as_str);
    html! {
        section {
            h2 { (reader.say(Text::MailAccount)) }
            dl {
                dt { (reader.say(Text::MailUser)) }
                dd {
                    (reader.say(Text::MailWholeAddress))
                    span.line.hint { (reader.fill(Text::MailFor, &[&format!("name@{domain}")])) }
                }
                dt { (reader.say(Text::MailPassword)) }
                dd { (reader.say(Text::MailPasswordWhich)) }
            }
        }
    }
}

/// One server with its ways, the recommended one first. The name is the one by which the reader has found the box:
/// it is known to work from there.
fn server(reader: &Reader, found: &Found, title: Text, hint: Option<Text>, ways: &[Service]) -> Markup {
    let host = found.host.trim_start_matches('[').trim_end_matches(']');
    html! {
        section {
            h2 { (reader.say(title)) }
            @if let Some(hint) = hint { p.hint { (reader.say(hint)) } }
            dl {
                dt { (reader.say(Text::MailServer)) }
                dd { (host) }
                @for (position, service) in ways.iter().enumerate() {
                    dt { (reader.say(if position == 0 { Text::MailPortAndSecurity } else { Text::MailOr })) }
                    dd {
                        (service.port().saturating_add(found.port_offset())) ", "
                        (if service.is_tls() { "SSL/TLS" } else { "STARTTLS" })
                    }
                }
            }
        }
    }
}

fn install(reader: &Reader, authority: &AuthorityView) -> Markup {
    html! {
        section {
            h2 { (reader.say(Text::MailInstall)) }
            p { (reader.say(Text::MailInstallWhy)) }
            p.links {
                a.button.quiet href=(Path::AuthorityDer.text()) { (reader.say(Text::StateDownloadCrt)) }
                a.button.quiet href=(Path::AuthorityPem.text()) { (reader.say(Text::StateDownloadPem)) }
            }
            ul {
                li { (reader.say(Text::MailInstallIos)) }
                li { (reader.say(Text::MailInstallAndroid)) }
                li { (reader.say(Text::MailInstallWindows)) }
                li { (reader.say(Text::MailInstallThunderbird)) }
            }
            p.label { (reader.say(Text::StateFingerprint)) }
            (fingerprint(&authority.fingerprint))
        }
    }
}

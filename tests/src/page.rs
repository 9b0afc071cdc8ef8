//! The first page, as a browser without scripts sees it: fetched with curl, its links and fields read from the HTML.

use crate::packages;
use crate::process::{Finished, run};
use crate::site::{Account, Service, Site};
use std::process::Command;

/// How long one request may take, before the site's patience.
const REQUEST_S_MAX: u64 = 20;

/// What ends the name of a downloadable certificate.
const CERTIFICATE_ENDINGS: [&str; 4] = [".pem", ".crt", ".cer", ".der"];

/// Runs curl against the site with these words; its name resolves, its authority is not trusted yet.
pub fn curl(site: &Site, words: &[&str]) -> Finished {
    packages::ensure();
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--disable"]);
    for service in Service::ALL {
        let port = site.port(service);
        command.args(["--resolve", &format!("{}:{port}:{}", site.hostname, site.address)]);
    }
    run(command.args(words), site.patient(REQUEST_S_MAX))
}

/// The first page over HTTP.
///
/// # Panics
/// When it is not served.
pub fn first_page(site: &Site) -> String {
    curl(site, &["--fail", &format!("http://{}:{}/", site.hostname, site.port(Service::Http))])
        .success()
        .text()
}

/// Downloads the authority that the first page links to, as its owner would, and keeps it as the site's.
///
/// # Panics
/// When the page has no such link, or what lies behind it is no certificate.
pub fn download_authority(site: &Site) {
    let html = first_page(site);
    let Some(link) =
        attributes(&html, "href").find(|link| CERTIFICATE_ENDINGS.iter().any(|end| link.ends_with(end)))
    else {
        panic!("the first page links to no certificate:\n{html}");
    };
    let url = match link.split_once("://") {
        Some(_) => link.clone(),
        None => {
            format!("http://{}:{}/{}", site.hostname, site.port(Service::Http), link.trim_start_matches('/'))
        }
    };
    let certificate = curl(site, &["--fail", &url]).success().stdout;
    let form = if certificate.starts_with(b"-----BEGIN") { "PEM" } else { "DER" };
    let pem = crate::process::run_with_input(
        Command::new("openssl").args(["x509", "-inform", form, "-outform", "PEM"]),
        certificate,
        site.patient(REQUEST_S_MAX),
    );
    std::fs::write(&site.authority, pem.success().stdout).expect("a downloaded file can be kept");
}

/// Claims a box by the form on its page, as its owner does: the code from its console, a domain, the first account and
/// the administrator's password. Gives the page that the form is answered with.
///
/// # Panics
/// When there is no such form.
pub fn claim(site: &Site, code: &str, domain: &str, account: &Account, admin_password: &str) -> String {
    let url = format!("https://{}:{}/claim", site.hostname, site.port(Service::Https));
    let jar = site.folder.join("cookies").display().to_string();
    let trust = site.authority.display().to_string();
    let browser = ["--cacert", &trust, "--cookie", &jar, "--cookie-jar", &jar, "--location"];
    let form = curl(site, &[browser.as_slice(), &["--fail", &url]].concat()).success().text();
    let token = attributes(&form, "value").next().unwrap_or_else(|| panic!("the form has no token:\n{form}"));
    let fields = [
        ("token", token.as_str()),
        ("code", code),
        ("domain", domain),
        ("account", account.local_part()),
        ("password", &account.password),
        ("password_again", &account.password),
        ("admin_password", admin_password),
        ("admin_password_again", admin_password),
    ];
    let fields = fields.map(|(name, value)| format!("{name}={value}"));
    let mut words = [browser.as_slice(), &[url.as_str()]].concat();
    for field in &fields {
        words.extend(["--data-urlencode", field]);
    }
    curl(site, &words).success().text()
}

/// The values of every attribute of this name, in order.
pub fn attributes<'a>(html: &'a str, name: &'a str) -> impl Iterator<Item = String> + 'a {
    let start = format!(" {name}=\"");
    html.match_indices(&start)
        .map(|(position, matched)| &html[position + matched.len()..])
        .filter_map(|rest| rest.split_once('"'))
        .map(|(value, _)| value.replace("&amp;", "&"))
        .collect::<Vec<_>>()
        .into_iter()
}

#[cfg(test)]
mod tests {
    use super::attributes;

    #[test]
    fn attributes_are_read_from_html() {
        let html = "<a href=\"/x?a=1&amp;b=2\">x</a><link data-href=\"no\" href=\"/ca.crt\">";
        assert_eq!(attributes(html, "href").collect::<Vec<_>>(), ["/x?a=1&b=2", "/ca.crt"]);
    }
}

//! Tests of reading a file: the example of the design, and one wrong file for every sentence.

use proptest::prelude::*;

use super::super::limits::CA_BYTES_MAX;
use super::*;

/// The example of the design, with a real hash in it.
pub(in crate::provision) const EXAMPLE: &str = r#"
version = 1
hostname = "mail.example.test"        # banner, EHLO, certificate
language = "ja"                       # or "en": notices and bounces
timezone = "Asia/Tokyo"
admin_password = "granite"
[network]                             # absent: DHCP
address = "192.168.1.10/24"
gateway = "192.168.1.1"
ntp = ["192.168.1.1"]
[dns]
servers = ["192.168.1.1:53"]          # absent: what DHCP said
[[domain]]
name = "example.test"
[[account]]
address = "alice@example.test"
password = "pencil"
quota = "1GiB"
[[account]]
address = "bob@example.test"
password_hash = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4"
[[alias]]
address = "info@example.test"         # "@example.test" is the catch-all
to = ["alice@example.test", "carol@elsewhere.test"]
[limits]
message_size = "50MiB"
[storage]
compact = false
scrub_days = 60
[relay]                               # smarthost for everything that has no route
host = "smtp.provider.test"
port = 587
tls = "starttls"
user = "office"
password = "relay secret"
[[route]]
domain = "peer.test"
host = "10.0.2.2"
port = 12525
tls = "none"
[[device]]
ip = "192.168.1.40"
from = "scanner@example.test"
to = ["@example.test"]
"#;

#[test]
fn the_example_is_read_whole() {
    let wanted = read(EXAMPLE.as_bytes()).unwrap();
    assert_eq!(wanted.hostname.as_deref(), Some("mail.example.test"));
    assert_eq!(wanted.language, Some(Language::Japanese));
    assert_eq!(wanted.timezone.as_deref(), Some("Asia/Tokyo"));
    assert_eq!(wanted.administrator, Some(Password::Clear(Secret::new("granite".to_owned()))));
    let cidr = Cidr::parse("192.168.1.10/24").unwrap();
    assert_eq!(wanted.network.fixed, Some((cidr, Some(Ipv4Addr::new(192, 168, 1, 1)))));
    assert_eq!(wanted.network.ntp, ["192.168.1.1:123".parse().unwrap()]);
    assert_eq!(wanted.dns, ["192.168.1.1:53".parse().unwrap()]);
    assert_eq!(wanted.domains[0].name, "example.test");
    assert_eq!(wanted.accounts[0].quota, Some(1 << 30));
    assert!(matches!(&wanted.accounts[1].password, Some(Password::Hash(phc)) if phc.ends_with("Gi/4")));
    assert_eq!(wanted.aliases[0].to.len(), 2);
    assert_eq!((wanted.message_bytes_max, wanted.compact), (Some(50 << 20), Some(false)));
    assert_eq!(wanted.scrub_days, Some(60));
    let relay = wanted.relay.unwrap();
    assert_eq!((relay.host.as_str(), relay.port, relay.tls), ("smtp.provider.test", 587, Tls::Required));
    assert_eq!(relay.login.unwrap().0, "office");
    assert_eq!((wanted.routes[0].domain.as_str(), wanted.routes[0].hop.port), ("peer.test", 12_525));
    assert_eq!(wanted.devices[0].to, [AliasName::CatchAll("example.test".to_owned())]);
}

#[test]
fn a_file_with_nothing_but_a_version_is_a_file() {
    for text in
        ["version = 1", "\u{feff}version = 1\r\n", "# only\nversion = 0x1\n[network]\n[dns]\n[limits]\n"]
    {
        let wanted = read(text.as_bytes()).unwrap();
        assert!(wanted.accounts.is_empty() && wanted.network == Network::default());
    }
}

#[test]
fn what_a_next_hop_leaves_out_is_the_safe_usual() {
    let relay = |keys: &str| {
        read(format!("version=1\n[relay]\nhost='r.test'\n{keys}").as_bytes()).unwrap().relay.unwrap()
    };
    for (keys, port, tls) in [
        ("", 25, Tls::Opportunistic),
        ("user='u'\npassword='p'", 587, Tls::Required),
        ("port=465", 465, Tls::Implicit),
        ("port=587", 587, Tls::Required),
        ("port=2525\nuser='u'\npassword='p'", 2_525, Tls::Required),
        ("tls='implicit'", 465, Tls::Implicit),
        ("tls='none'\nport=2525", 2_525, Tls::None),
    ] {
        let relay = relay(keys);
        assert_eq!((relay.port, relay.tls), (port, tls), "{keys}");
    }
}

/// An own certificate with its key, as PEM.
pub(in crate::provision) fn own_certificate(name: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[test]
fn certificates_of_a_next_hop_are_certificates_and_nothing_else() {
    let ca = |ca: &str| read(format!("version=1\n[relay]\nhost='r.test'\nca='''\n{ca}'''").as_bytes());
    let (one, key) = own_certificate("one.test");
    let (two, _) = own_certificate("two.test");
    assert_eq!(ca(&one).unwrap().relay.unwrap().ca.len(), 1);
    let hop =
        ca(&format!("the first\n{one}\nthe second\r\n{}", two.replace('\n', "\r\n"))).unwrap().relay.unwrap();
    assert_eq!(hop.ca.len(), 2);
    assert_ne!(hop.ca[0], hop.ca[1]);
    let many = one.repeat(1 + CA_BYTES_MAX / one.len());
    let half = &one[..one.len() / 2];
    for wrong in ["", "nothing", &key, &format!("{one}{key}"), half, &many] {
        let error = ca(wrong).unwrap_err();
        assert_eq!((error.place.line, error.place.key.as_str()), (4, "relay.ca"), "{wrong}");
        assert_eq!(error.problem, Problem::Certificates);
    }
}

/// Line, key and the beginning of the sentence for each wrong file. `version = 1` is on line 1 of all of them.
const WRONG: &[(&str, usize, &str, &str)] = &[
    ("\nhostnam = 'x.test'", 2, "hostnam", "there is no such key"),
    ("\n\n[[account]]\naddress = 'a@b.test'\nquot = '1GiB'", 5, "account.quot", "there is no such key"),
    ("\n[netwrk]\n", 2, "netwrk", "there is no such key"),
    ("\nhostname = mail.test", 2, "hostname", "this is not TOML"),
    ("\nhostname = 'x.test'\nhostname = 'y.test'", 3, "hostname", "this is not TOML"),
    ("\nhostname = 5", 2, "hostname", "the value is of the wrong kind"),
    ("\nhostname = 'mail example'", 2, "hostname", "a domain name"),
    ("\nlanguage = 'de'", 2, "language", "write \"en\""),
    ("\ntimezone = 'Asia/Tokio'", 2, "timezone", "there is no such time zone"),
    ("\nadmin_password = ''", 2, "admin_password", "this must not be empty"),
    ("\nadmin_password = 'x'\nadmin_password_hash = 'y'", 3, "admin_password_hash", "give either"),
    ("\n[network]\naddress = '192.168.1.10'", 3, "network.address", "an IPv4 address with"),
    ("\n[network]\naddress = '192.168.1.255/24'", 3, "network.address", "no host can have"),
    (
        "\n[network]\naddress='10.0.0.2/8'\ngateway = '192.168.1.1'",
        4,
        "network.gateway",
        "the gateway is not",
    ),
    ("\n[network]\ngateway = '192.168.1.1'", 3, "network.gateway", "a gateway needs"),
    ("\n[network]\nntp = ['pool.ntp.test']", 3, "network.ntp", "an IP address is needed"),
    ("\n[dns]\nservers = ['192.168.1.1', 'x']", 3, "dns.servers", "an IP address is needed"),
    ("\n[[domain]]", 2, "domain.name", "this key must be there"),
    ("\n[[domain]]\nname = '例え.test'", 3, "domain.name", "a domain name"),
    (
        "\n[[domain]]\nname='A.test'\n[[domain]]\nname='a.test'",
        5,
        "domain.name",
        "the same is already on line 3",
    ),
    ("\n[[account]]\npassword = 'x'", 2, "account.address", "this key must be there"),
    ("\n[[account]]\naddress = 'alice'", 3, "account.address", "an address has the form"),
    ("\n[[account]]\naddress = 'a@b.test'\nquota = '1GB'", 4, "account.quota", "a size is"),
    ("\n[[account]]\naddress = 'a@b.test'\nquota = '1KiB'", 4, "account.quota", "the size must be"),
    ("\n[[account]]\naddress = 'a@b.test'\nquota = 5", 4, "account.quota", "the value is of the wrong kind"),
    (
        "\n[[account]]\naddress='a@b.test'\npassword='x'\npassword_hash='y'",
        5,
        "account.password_hash",
        "give either",
    ),
    (
        "\n[[account]]\naddress='a@b.test'\npassword_hash='$1$x'",
        4,
        "account.password_hash",
        "a hash has the form",
    ),
    (
        "\n[[account]]\naddress='a@b.test'\npassword_hash='$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$\
         CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc'",
        4,
        "account.password_hash",
        "this hash needs more",
    ),
    (
        "\n[[account]]\naddress='a@b.test'\n[[account]]\naddress='A@B.test'",
        5,
        "account.address",
        "the same is",
    ),
    ("\n[[alias]]\naddress = 'i@b.test'", 2, "alias.to", "this key must be there"),
    ("\n[[alias]]\naddress = 'i@b.test'\nto = []", 4, "alias.to", "the list must not be empty"),
    ("\n[[alias]]\naddress='i@b.test'\nto=['I@b.test']", 4, "alias.to", "the alias leads to itself"),
    ("\n[[alias]]\naddress='i@b.test'\nto=['@b.test']", 4, "alias.to", "an address has the form"),
    (
        "\n[[account]]\naddress='a@b.test'\n[[alias]]\naddress='a@b.test'\nto=['c@b.test']",
        5,
        "alias.address",
        "this address is an account",
    ),
    ("\n[limits]\nmessage_size = '1KiB'", 3, "limits.message_size", "the size must be"),
    ("\n[storage]\nscrub_days = 366", 3, "storage.scrub_days", "a whole number from 0 to 365"),
    ("\n[storage]\nscrub_days = -1", 3, "storage.scrub_days", "a whole number from 0 to 365"),
    ("\n[relay]\nport = 25", 2, "relay.host", "this key must be there"),
    ("\n[relay]\nhost = 'a b'", 3, "relay.host", "a host name or"),
    ("\n[relay]\nhost='r.test'\nport = 70000", 4, "relay.port", "a port is"),
    ("\n[relay]\nhost='r.test'\ntls = 'yes'", 4, "relay.tls", "write \"starttls\""),
    ("\n[relay]\nhost='r.test'\nuser = 'u'", 2, "relay", "user and password"),
    ("\n[relay]\nhost='r.test'\nuser = 'u'\npassword = 'p'\ntls = 'none'", 2, "relay", "with tls = \"none\""),
    ("\n[relay]\nhost='r.test'\nca = 'office.pem'", 4, "relay.ca", "certificates as text (PEM) are needed"),
    (
        "\n[[route]]\ndomain='b.test'\nhost='r.test'\nca = '''\n-----BEGIN CERTIFICATE-----\nAAAA\n\
         -----END CERTIFICATE-----\n'''",
        5,
        "route.ca",
        "certificates as text (PEM) are needed",
    ),
    ("\n[[route]]\nhost='r.test'", 2, "route.domain", "this key must be there"),
    (
        "\n[[domain]]\nname='b.test'\n[[route]]\ndomain='B.test'\nhost='r.test'",
        5,
        "route.domain",
        "mail for this",
    ),
    ("\n[[device]]\nip='x'\nfrom='a@b.test'\nto=['@b.test']", 3, "device.ip", "an IP address is needed"),
    ("\n[[device]]\nip='::1'\nfrom='a@b.test'", 2, "device.to", "this key must be there"),
    ("\ndevice = [{ip='::1', from='x', to=['@b.test']}]", 2, "device.from", "an address has the form"),
];

#[test]
fn what_is_wrong_is_said_with_line_and_key() {
    for (text, line, key, sentence) in WRONG {
        let error = read(format!("version = 1{text}").as_bytes()).unwrap_err();
        assert_eq!((error.place.line, error.place.key.as_str()), (*line, *key), "{text}: {error:?}");
        let said = error.sentence(Language::English);
        assert!(said.starts_with(&format!("line {line}, {key}: {sentence}")), "{said}");
        assert!(error.sentence(Language::Japanese).starts_with(&format!("{line} 行目の {key}：")));
    }
}

#[test]
fn a_version_is_needed_and_only_the_first_is_known() {
    for (text, line) in [("", 1), ("hostname = 'x.test'", 1), ("# a\nversion = 2", 2)] {
        let error = read(text.as_bytes()).unwrap_err();
        assert_eq!((error.place.line, error.place.key.as_str()), (line, "version"), "{text}");
    }
}

#[test]
fn a_file_that_is_no_text_is_refused() {
    let (shift_jis, _) = (b"version = 1\n# \x8e\xe8\x8e\x86\n", ());
    let error = read(shift_jis).unwrap_err();
    assert_eq!(
        error.sentence(Language::English),
        "line 2: the file is not in UTF-8; save it again in that encoding"
    );
    let error = read(&vec![b'#'; FILE_BYTES_MAX + 1]).unwrap_err();
    assert!(error.sentence(Language::English).contains("larger than 512 KiB"));
}

#[test]
fn a_sentence_never_quotes_a_password() {
    for text in [
        "password \"pencil\"",
        "admin_password = pencil",
        "password = \"\"\"\npencil = 1",
        "pencil",
        "[[account]]\naddress = 'a@b.test'\npassword = pencil",
        "[[account]]\npassword = ['pencil']",
        "[[account]]\naddress='a@b.test'\npassword = 'pencil\u{7}'",
        "[[account]]\naddress='a@b.test'\npassword_hash = 'pencil'",
    ] {
        let error = read(format!("version = 1\n{text}").as_bytes()).unwrap_err();
        for language in Language::ALL {
            assert!(!error.sentence(language).contains("pencil"), "{}", error.sentence(language));
        }
    }
}

proptest! {
    /// One character of the example exchanged, taken out or put in: a file or a sentence, never a panic, and the
    /// line is one of the file's.
    #[test]
    fn typing_errors_are_sentences(at in 0..EXAMPLE.len(), typed in "[ -~\\n手]?", length in 0_usize..2) {
        let mut text = EXAMPLE.to_owned();
        text.replace_range(at..(at + length).min(EXAMPLE.len()), &typed);
        if let Err(error) = read(text.as_bytes()) {
            prop_assert!((1..=text.lines().count() + 1).contains(&error.place.line), "{error:?}");
            prop_assert!(!error.sentence(Language::English).contains('\n'), "{error:?}");
        }
    }

    #[test]
    fn any_bytes_are_a_file_or_a_sentence(bytes: Vec<u8>) {
        if let Err(error) = read(&bytes) {
            prop_assert!(error.place.line >= 1);
        }
    }
}

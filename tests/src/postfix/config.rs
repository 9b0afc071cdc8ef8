//! What a Postfix is told before it starts: its settings, its services, who may log in, what it refuses.

use super::{MASTER, Postfix};
use crate::certificates::{Authority, Leaf};
use crate::daemon::{open_folder, user_id};
use crate::hosted::free_offset;
use crate::packages;
use crate::site::{Service, Site};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// Who owns kept mail where the tests run as root: virtual(8) delivers as nobody with a number this small.
const NOBODY: u32 = 65_534;

/// The folders of a queue as post-install(1) makes them: their names, owners and modes.
const QUEUE: [(&str, &str, &str); 14] = [
    ("active", "postfix", "700"),
    ("bounce", "postfix", "700"),
    ("corrupt", "postfix", "700"),
    ("defer", "postfix", "700"),
    ("deferred", "postfix", "700"),
    ("flush", "postfix", "700"),
    ("hold", "postfix", "700"),
    ("incoming", "postfix", "700"),
    ("maildrop", "postfix:postdrop", "730"),
    ("pid", "root", "755"),
    ("private", "postfix", "700"),
    ("public", "postfix:postdrop", "710"),
    ("saved", "postfix", "700"),
    ("trace", "postfix", "700"),
];

/// The services of Debian's master.cf without chroot and without those that nobody calls here; the ports come in front.
const SERVICES: &str = "postlog unix-dgram n - n - 1 postlogd\n\
    pickup unix n - n 60 1 pickup\n\
    cleanup unix n - n - 0 cleanup\n\
    qmgr unix n - n 300 1 qmgr\n\
    tlsmgr unix - - n 1000? 1 tlsmgr\n\
    rewrite unix - - n - - trivial-rewrite\n\
    bounce unix - - n - 0 bounce\n\
    defer unix - - n - 0 bounce\n\
    trace unix - - n - 0 bounce\n\
    verify unix - - n - 1 verify\n\
    flush unix n - n 1000? 0 flush\n\
    proxymap unix - - n - - proxymap\n\
    proxywrite unix - - n - 1 proxymap\n\
    smtp unix - - n - - smtp\n\
    relay unix - - n - - smtp\n\
    showq unix n - n - - showq\n\
    error unix - - n - - error\n\
    retry unix - - n - - error\n\
    discard unix - - n - - discard\n\
    virtual unix - n n - - virtual\n\
    lmtp unix - - n - - lmtp\n\
    anvil unix - - n - 1 anvil\n\
    scache unix - - n - 1 scache\n";

/// How Postfix sends on to a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// In clear.
    None,
    /// With STARTTLS, and the site must prove its name.
    Verified,
}

/// What a Postfix is to be. Without more it offers STARTTLS and takes mail for nobody.
#[derive(Debug)]
pub struct Builder {
    address: IpAddr,
    port_offset: u16,
    place: PathBuf,
    hostname: String,
    names: Option<Vec<String>>,
    main: BTreeMap<String, String>,
    logins: Vec<(String, String)>,
    mechanisms: String,
    answers: String,
    refused_text: String,
    keywords: Vec<String>,
}

impl Builder {
    pub(super) fn new(hostname: &str) -> Self {
        Self {
            address: IpAddr::from([127, 0, 0, 1]),
            port_offset: free_offset(),
            place: std::env::temp_dir(),
            hostname: hostname.to_owned(),
            names: None,
            main: BTreeMap::new(),
            logins: Vec::new(),
            mechanisms: "PLAIN LOGIN".to_owned(),
            answers: String::new(),
            refused_text: String::new(),
            keywords: Vec::new(),
        }
    }

    /// Listens on this address of loopback, at the standard ports plus an offset.
    #[must_use]
    pub fn at(mut self, address: IpAddr, port_offset: u16) -> Self {
        self.address = address;
        self.port_offset = port_offset;
        self
    }

    /// Has its folder there, where users of its own must reach it. Where the tests write, they may not.
    #[must_use]
    pub fn place(mut self, place: &Path) -> Self {
        place.clone_into(&mut self.place);
        self
    }

    /// Its certificate is for these names and addresses, not for its own.
    #[must_use]
    pub fn certified_for(mut self, names: &[&str]) -> Self {
        self.names = Some(names.iter().map(|name| (*name).to_owned()).collect());
        self
    }

    /// Keeps what comes for any address of these domains; of every domain, for `static:all`.
    #[must_use]
    pub fn keeps(self, domains: &str) -> Self {
        self.setting("virtual_mailbox_domains", domains)
    }

    /// Takes and forgets what comes for any address of this domain.
    #[must_use]
    pub fn discards(self, domain: &str) -> Self {
        self.keeps(domain).setting("virtual_transport", "discard:")
    }

    /// Takes mail from loopback for other domains and sends it to this site.
    #[must_use]
    pub fn relays_to(self, site: &Site, security: Security) -> Self {
        let next = format!("[{}]:{}", site.address, site.port(Service::Smtp));
        let policy = match security {
            Security::None => format!("{{{next} = none}}"),
            Security::Verified => format!("{{{next} = secure match={}}}", site.hostname),
        };
        self.relays_to_place(&next)
            .setting("smtp_tls_policy_maps", &format!("inline:{{{policy}}}"))
            .setting("smtp_tls_CAfile", &site.authority.display().to_string())
    }

    /// The same in clear, to a place as `[127.0.0.1]:25`.
    #[must_use]
    pub fn relays_to_place(self, place: &str) -> Self {
        self.setting("relayhost", place).setting("mynetworks", "127.0.0.0/8")
    }

    /// Who logs in by submission may send to anywhere.
    #[must_use]
    pub fn login(mut self, user: &str, password: &str) -> Self {
        self.logins.push((user.to_owned(), password.to_owned()));
        self
    }

    /// By these mechanisms only, with spaces between.
    #[must_use]
    pub fn mechanisms(mut self, mechanisms: &str) -> Self {
        self.mechanisms = mechanisms.to_owned();
        self
    }

    /// Answers RCPT for this recipient so: a code, an enhanced one, words.
    #[must_use]
    pub fn answers(mut self, recipient: &str, answer: &str) -> Self {
        self.answers.push_str(&table(&[(recipient, answer)]));
        self
    }

    /// Refuses letters that have this text in a line of the body, with an enhanced code and words.
    #[must_use]
    pub fn refuses_text(mut self, text: &str, answer: &str) -> Self {
        writeln!(self.refused_text, "/{text}/ REJECT {answer}").expect("a string takes all");
        self
    }

    /// Does not announce this keyword of EHLO.
    #[must_use]
    pub fn without(mut self, keyword: &str) -> Self {
        self.keywords.push(keyword.to_owned());
        self
    }

    /// Takes letters up to this size.
    #[must_use]
    pub fn size_limit(self, bytes: usize) -> Self {
        self.setting("message_size_limit", &bytes.to_string())
    }

    /// Any setting of main.cf.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.main.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// With what it says, when it does not come up.
    pub fn start(self) -> Postfix {
        packages::ensure_postfix();
        let folder = open_folder(&self.place, "postfix");
        let config = folder.join("config");
        fs::create_dir_all(config.join("sasl")).expect("a folder can be made");
        let authority = Authority::new(&folder);
        let mut site = Site::new(self.port_offset, &folder);
        site.address = self.address;
        site.hostname.clone_from(&self.hostname);
        site.authority = authority.certificate();
        let own = [self.hostname.clone(), self.address.to_string()];
        let names: Vec<&str> = self.names.as_deref().unwrap_or(&own).iter().map(String::as_str).collect();
        let leaf = authority.leaf(&names);
        let write = |name: &str, text: &str| fs::write(config.join(name), text).expect("it can be written");
        write("main.cf", &self.main_cf(&folder, &leaf));
        write("master.cf", &master_cf(&site));
        write("answers", &self.answers);
        write("refused-text", &self.refused_text);
        let sasl = format!(
            "pwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {}\nmech_list: {}\n",
            config.join("sasl/passwords").display(),
            self.mechanisms
        );
        write("sasl/smtpd.conf", &sasl);
        Postfix::start(site, leaf, &self.prepare())
    }

    fn main_cf(&self, folder: &Path, leaf: &Leaf) -> String {
        let folder = folder.display();
        let owner = owner();
        let daemons = MASTER.trim_end_matches("/master");
        let mut text = format!(
            "compatibility_level = 3.6\nmyhostname = {}\nmydestination =\nmynetworks =\n\
             alias_maps =\nalias_database =\nvirtual_mailbox_domains =\n\
             queue_directory = {folder}/queue\ndata_directory = {folder}/data\ndaemon_directory = {daemons}\n\
             maillog_file = {folder}/log\nmaillog_file_prefixes = {folder}\n\
             inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n\
             smtp_dns_support_level = disabled\nsmtp_tls_loglevel = 1\nlocal_header_rewrite_clients =\n\
             smtpd_peername_lookup = no\nsmtpd_error_sleep_time = 0\nsmtpd_client_connection_count_limit = 0\n\
             smtpd_tls_security_level = may\nsmtpd_tls_cert_file = {}\nsmtpd_tls_key_file = {}\n\
             cyrus_sasl_config_path = {folder}/config/sasl\n\
             smtpd_recipient_restrictions = check_recipient_access texthash:{folder}/config/answers\n\
             body_checks = regexp:{folder}/config/refused-text\n\
             virtual_mailbox_base = {folder}/mail\nvirtual_mailbox_maps = static:kept/\n\
             virtual_uid_maps = static:{owner}\nvirtual_gid_maps = static:{owner}\nvirtual_mailbox_limit = 0\n",
            self.hostname,
            leaf.certificate.display(),
            leaf.key.display(),
        );
        if !self.keywords.is_empty() {
            writeln!(text, "smtpd_discard_ehlo_keywords = {}", self.keywords.join(" "))
                .expect("a string takes all");
        }
        // What a test says itself counts.
        let said = |line: &&str| self.main.contains_key(line.split(' ').next().unwrap_or_default());
        let mut text: String =
            text.lines().filter(|line| !said(line)).map(|line| format!("{line}\n")).collect();
        for (name, value) in &self.main {
            writeln!(text, "{name} = {value}").expect("a string takes all");
        }
        text
    }

    /// What root does before Postfix starts; `$0` is its folder.
    fn prepare(&self) -> String {
        let owner = owner();
        let mut lines = format!(
            "umask 022\nmkdir \"$0/queue\" \"$0/data\" \"$0/mail\"\n\
             chown postfix \"$0/data\"\nchown {owner} \"$0/mail\"\nchmod 600 \"$0\"/*.key\n"
        );
        for (name, owner, mode) in QUEUE {
            writeln!(lines, "mkdir -m {mode} \"$0/queue/{name}\"\nchown {owner} \"$0/queue/{name}\"")
                .expect("a string takes all");
        }
        for (login, password) in &self.logins {
            // Cyrus takes what stands behind an @ for the realm, and the server's name where nothing does.
            let (user, realm) = login.split_once('@').unwrap_or((login, &self.hostname));
            let passwords = "\"$0/config/sasl/passwords\"";
            writeln!(
                lines,
                "printf %s '{password}' | saslpasswd2 -p -c -f {passwords} -u {realm} '{user}'\n\
                 chown postfix {passwords}"
            )
            .expect("a string takes all");
        }
        lines
    }
}

/// Who owns kept mail: the user of the tests, who reads it.
fn owner() -> u32 {
    if user_id() == 0 { NOBODY } else { user_id() }
}

fn master_cf(site: &Site) -> String {
    let login = "-o syslog_name=postfix/submission -o smtpd_sasl_auth_enable=yes \
         -o smtpd_relay_restrictions=permit_sasl_authenticated,reject";
    format!(
        "{} inet n - n - - smtpd\n\
         {} inet n - n - - smtpd {login} -o smtpd_tls_security_level=encrypt\n\
         {} inet n - n - - smtpd {login} -o smtpd_tls_wrappermode=yes\n\
         {SERVICES}",
        site.at(Service::Smtp),
        site.at(Service::Submission),
        site.at(Service::Submissions)
    )
}

/// Lines of a table that is looked up by recipient.
pub(super) fn table(answers: &[(&str, &str)]) -> String {
    answers.iter().map(|(recipient, answer)| format!("{recipient} {answer}\n")).collect()
}

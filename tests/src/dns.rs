//! Debian's nsd as the whole of the domain name system: it answers for every name from one zone that a test writes.

use crate::packages;
use crate::process::Server;
use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// From its start to its first answer, on a busy machine.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// How long one question waits before it is asked again.
const QUESTION_MAX: Duration = Duration::from_millis(100);

/// The server; dropped, it ends, and whoever asks it then gets no answer.
pub struct Dns {
    /// Where it listens, by UDP and TCP.
    pub address: SocketAddr,
    /// Its processes end with the first of them, however that one ends.
    _server: Server,
}

impl Dns {
    /// Starts it on an address of loopback, with its files in this folder.
    ///
    /// `zone` has records as RFC 1035 §5 writes them, below the root: `a.test 60 MX 10 mx.a.test`; each has a time to
    /// live of 0 unless it says another. What is not there does not exist (NXDOMAIN). `broken` are names for which it
    /// answers SERVFAIL, with all below them.
    ///
    /// # Panics
    /// When it does not start: the message has what it says about the zone.
    pub fn start(folder: &Path, address: SocketAddr, zone: &str, broken: &[&str]) -> Self {
        packages::ensure();
        fs::create_dir_all(folder).expect("a folder for the name server can be made");
        let write = |name, text| fs::write(folder.join(name), text).expect("its files can be written");
        write("root.zone", root_zone(zone));
        write("nsd.conf", configuration(folder, address, broken));
        let mut command = Command::new("/usr/sbin/nsd");
        let mut server = Server::start(command.args(["-d", "-c"]).arg(folder.join("nsd.conf")));
        let deadline = Instant::now() + ANSWER_MAX;
        while !answers(address) {
            let is_late = Instant::now() > deadline;
            assert!(server.ended().is_none() && !is_late, "no name server:\n{}", server.console().text());
        }
        assert!(
            !server.console().text().contains("root.zone:"),
            "it does not take the zone:\n{}",
            server.console().text()
        );
        Self { address, _server: server }
    }
}

/// The zone with what every zone needs: its authority, and a name server. No answer may be kept, not even that there is
/// nothing (RFC 2308 §5): a test may start another server in this one's place.
fn root_zone(zone: &str) -> String {
    format!(
        "$ORIGIN .\n$TTL 0\n@ 0 SOA ns.invalid. nobody.invalid. 1 3600 600 86400 0\n@ 0 NS ns.invalid.\n{zone}\n"
    )
}

/// Everything of it lies in the folder: the machine's own nsd, if there is one, has nothing to do with it.
fn configuration(folder: &Path, address: SocketAddr, broken: &[&str]) -> String {
    let (folder, ip, port) = (folder.display(), address.ip(), address.port());
    let mut text = format!(
        "server:\n ip-address: {ip}@{port}\n server-count: 1\n username: \"\"\n chroot: \"\"\n rrl-ratelimit: 0\n \
         zonesdir: \"{folder}\"\n xfrdir: \"{folder}\"\n database: \"\"\n zonelistfile: \"{folder}/zone.list\"\n \
         xfrdfile: \"{folder}/xfrd.state\"\n pidfile: \"{folder}/nsd.pid\"\n\
         remote-control:\n control-enable: no\nzone:\n name: \".\"\n zonefile: \"root.zone\"\n"
    );
    for name in broken {
        // A zone of which it has no content: SERVFAIL.
        writeln!(text, "zone:\n name: \"{name}\"\n zonefile: \"absent.zone\"")
            .expect("a String takes everything");
    }
    text
}

/// Whether there is an answer to a question for the root's authority (RFC 1035 §4.1).
fn answers(address: SocketAddr) -> bool {
    const QUESTION: [u8; 17] = [0x74, 0x67, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 1];
    let socket = UdpSocket::bind((address.ip(), 0)).expect("loopback has a port");
    socket.set_read_timeout(Some(QUESTION_MAX)).expect("a time limit can be set");
    // Where nobody listens yet, sending or reading fails at once.
    let asked = socket.connect(address).and_then(|()| socket.send(&QUESTION));
    let mut answer = [0; 512];
    match asked.and_then(|_| socket.recv(&mut answer)) {
        Ok(length) => length > QUESTION.len() && answer.starts_with(&QUESTION[..2]),
        Err(_) => {
            std::thread::sleep(Duration::from_millis(5));
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosted::scratch;
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    /// A question for the MX of a name, as RFC 1035 §4.1 lays it out.
    fn question(name: &str) -> Vec<u8> {
        let mut bytes = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            bytes.push(u8::try_from(label.len()).expect("a label is short"));
            bytes.extend_from_slice(label.as_bytes());
        }
        bytes.extend([0, 0, 15, 0, 1]);
        bytes
    }

    /// What it says: the code, whether the answer is cut off, and how many records are in it.
    fn heard(answer: &[u8]) -> (u8, bool, usize) {
        (answer[3] & 0x0f, answer[2] & 2 != 0, usize::from(answer[6]) << 8 | usize::from(answer[7]))
    }

    fn by_udp(address: SocketAddr, name: &str) -> (u8, bool, usize) {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        socket.send_to(&question(name), address).unwrap();
        let mut answer = [0; 512];
        socket.recv(&mut answer).unwrap();
        heard(&answer)
    }

    fn by_tcp(address: SocketAddr, name: &str) -> (u8, bool, usize) {
        let (mut stream, question) = (TcpStream::connect(address).unwrap(), question(name));
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(&u16::try_from(question.len()).unwrap().to_be_bytes()).unwrap();
        stream.write_all(&question).unwrap();
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut answer).unwrap();
        heard(&answer)
    }

    #[test]
    fn a_name_server_says_what_its_zone_says_and_ends_with_the_test() {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let many: String = (0..60).map(|i| format!("many.test MX 10 host{i}.elsewhere.test\n")).collect();
        let zone = format!("a.test MX 10 mx.a.test\na.test MX 20 mx.b.test\nnull.test MX 0 .\n{many}");
        let dns = Dns::start(&scratch().join("dns"), address, &zone, &["broken.test"]);
        assert_eq!(by_udp(dns.address, "a.test"), (0, false, 2));
        assert_eq!(by_udp(dns.address, "null.test"), (0, false, 1));
        assert_eq!(by_udp(dns.address, "mx.a.test"), (3, false, 0));
        assert_eq!(by_udp(dns.address, "sub.broken.test"), (2, false, 0));
        assert!(by_udp(dns.address, "many.test").1);
        assert_eq!(by_tcp(dns.address, "many.test"), (0, false, 60));
        drop(dns);
        let deadline = Instant::now() + Duration::from_secs(10);
        while answers(address) {
            assert!(Instant::now() < deadline, "it goes on");
        }
    }
}

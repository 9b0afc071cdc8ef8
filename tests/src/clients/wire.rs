//! One connection: lines and blocks of bytes over TCP or TLS, with time limits, and its dialogue for error messages.

use crate::site::{Service, Site};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::collections::VecDeque;
use std::io::{self, Error, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

/// How much of the dialogue a failed test shows, in lines.
const DIALOGUE_LINES_MAX: usize = 40;

/// How much of one line it shows, in bytes.
const SHOWN_BYTES_MAX: usize = 200;

/// How long a server may take for one answer, before the site's patience.
const ANSWER_S_MAX: u64 = 30;

enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// A connection to one service.
pub struct Wire {
    stream: Stream,
    /// Bytes that came and, from `taken` on, are not used up.
    pending: Vec<u8>,
    taken: usize,
    dialogue: VecDeque<String>,
}

impl Wire {
    /// Connects, with TLS where the service begins with it.
    ///
    /// # Errors
    /// Those of the connection and of the handshake; the server must prove its name.
    pub fn connect(site: &Site, service: Service) -> io::Result<Self> {
        let wire = Self::connect_plain(site, service)?;
        if service.is_implicit_tls() { wire.into_tls(site) } else { Ok(wire) }
    }

    /// Connects and says nothing.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn connect_plain(site: &Site, service: Service) -> io::Result<Self> {
        let limit = site.patient(ANSWER_S_MAX);
        let stream = TcpStream::connect_timeout(&site.at(service), limit)?;
        stream.set_read_timeout(Some(limit))?;
        stream.set_write_timeout(Some(limit))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: Stream::Plain(stream), pending: Vec::new(), taken: 0, dialogue: VecDeque::new() })
    }

    /// Starts TLS on a plain connection. Bytes that came before it are an error, not an answer.
    ///
    /// # Errors
    /// Those of the handshake.
    pub fn into_tls(self, site: &Site) -> io::Result<Self> {
        let Stream::Plain(mut stream) = self.stream else {
            return Err(Error::other("TLS inside TLS"));
        };
        if self.taken < self.pending.len() {
            return Err(Error::other("the server spoke before TLS"));
        }
        let name = ServerName::try_from(site.hostname.clone()).map_err(Error::other)?;
        let mut session = ClientConnection::new(trust(site)?, name).map_err(Error::other)?;
        while session.is_handshaking() {
            session.complete_io(&mut stream)?;
        }
        let stream = Stream::Tls(Box::new(StreamOwned::new(session, stream)));
        Ok(Self { stream, pending: Vec::new(), taken: 0, dialogue: self.dialogue })
    }

    /// How long one read may take from now on.
    ///
    /// # Errors
    /// Those of the socket.
    pub fn set_limit(&mut self, limit: Duration) -> io::Result<()> {
        self.socket().set_read_timeout(Some(limit))
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(stream) => stream.write_all(bytes)?,
            Stream::Tls(stream) => {
                stream.write_all(bytes)?;
                stream.flush()?;
            }
        }
        self.note("C", bytes);
        Ok(())
    }

    /// The next line, without its CRLF.
    ///
    /// # Errors
    /// Those of the connection; `UnexpectedEof` when the server closed it; `InvalidData` for a bare LF.
    pub fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut searched = 0;
        loop {
            let unread = &self.pending[self.taken..];
            if let Some(found) = unread[searched..].iter().position(|byte| *byte == b'\n') {
                let mut line = self.take(searched + found + 1);
                line.pop();
                return match line.pop() {
                    Some(b'\r') => Ok(line),
                    _ => Err(Error::new(
                        ErrorKind::InvalidData,
                        "the server sent a line that ends in a bare LF",
                    )),
                };
            }
            searched = unread.len();
            self.fill()?;
        }
    }

    /// Exactly so many bytes.
    ///
    /// # Errors
    /// Those of the connection.
    pub fn block(&mut self, size: usize) -> io::Result<Vec<u8>> {
        while self.pending.len() - self.taken < size {
            self.fill()?;
        }
        Ok(self.take(size))
    }

    /// Uses up bytes that are there.
    fn take(&mut self, size: usize) -> Vec<u8> {
        let block = self.pending[self.taken..self.taken + size].to_vec();
        self.taken += size;
        if self.taken == self.pending.len() {
            self.pending.clear();
            self.taken = 0;
        }
        self.note("S", &block);
        block
    }

    /// Everything up to the end of the connection.
    ///
    /// # Errors
    /// Those of the connection: one that is reset, or goes on, has no end.
    pub fn rest(&mut self) -> io::Result<String> {
        loop {
            match self.fill() {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    let rest = self.take(self.pending.len() - self.taken);
                    return Ok(String::from_utf8_lossy(&rest).into_owned());
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// True when the server closes the connection without another byte, within the limit set.
    pub fn is_closed(&mut self) -> bool {
        match self.fill() {
            Ok(()) => false,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }

    /// What was said so far, for a failed test.
    pub fn dialogue(&self) -> String {
        self.dialogue.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        let size = match &mut self.stream {
            Stream::Plain(stream) => stream.read(&mut buffer)?,
            Stream::Tls(stream) => stream.read(&mut buffer)?,
        };
        if size == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        self.pending.extend_from_slice(&buffer[..size]);
        Ok(())
    }

    fn socket(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => &stream.sock,
        }
    }

    fn note(&mut self, who: &str, bytes: &[u8]) {
        let shown = &bytes[..bytes.len().min(SHOWN_BYTES_MAX)];
        let more =
            if shown.len() < bytes.len() { format!("… ({} bytes)", bytes.len()) } else { String::new() };
        self.dialogue.push_back(format!("{who}: {}{more}", String::from_utf8_lossy(shown).trim_end()));
        if self.dialogue.len() > DIALOGUE_LINES_MAX {
            self.dialogue.pop_front();
        }
    }
}

/// A client's settings that trust the site's own authority and nobody else.
fn trust(site: &Site) -> io::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(&site.authority).map_err(Error::other)? {
        roots.add(certificate.map_err(Error::other)?).map_err(Error::other)?;
    }
    Ok(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
}

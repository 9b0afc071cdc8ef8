//! A connection's bytes: a TCP stream, in clear or under TLS, read through one shared buffer.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use proto::sasl::ChannelBinding;
use rustls::ProtocolVersion;
use tokio::{
    io::{AsyncRead, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::TlsStream;

/// Bytes read from a socket at once: one TLS record.
const READ_BYTES: usize = proto::limits::INPUT_BYTES_MAX;

thread_local! {
    /// All connections read into this one buffer, so that a waiting connection holds none.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// One connection.
pub(crate) enum Wire {
    /// In clear.
    Plain(TcpStream),
    /// Under TLS. Boxed: it is ten times the size of the other.
    Tls(Box<TlsStream<TcpStream>>),
    /// A handshake failed and took the stream with it.
    Gone,
}

impl Wire {
    /// Shakes hands on a connection in clear, on either side of it.
    ///
    /// # Errors
    /// What the handshake ended with; the connection is gone then.
    pub(crate) async fn start_tls<T, F>(&mut self, shake: impl FnOnce(TcpStream) -> F) -> io::Result<()>
    where
        T: Into<TlsStream<TcpStream>>,
        F: Future<Output = io::Result<T>>,
    {
        let Self::Plain(stream) = std::mem::replace(self, Self::Gone) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        *self = Self::Tls(Box::new(shake(stream).await?.into()));
        Ok(())
    }

    /// The version of TLS that is spoken; `None` in clear.
    pub(crate) fn tls_version(&self) -> Option<ProtocolVersion> {
        let Self::Tls(stream) = self else { return None };
        stream.get_ref().1.protocol_version()
    }

    /// What a log-in on this connection can be bound to: `tls-exporter` (RFC 9266 §2), under TLS 1.3 only. Two connections
    /// of TLS 1.2 can have one master secret unless they use the extended one (RFC 9266 §4, RFC 7627), and rustls does
    /// not say whether this one does; what a client binds to there is `tls-unique` anyway (RFC 5802 §6.1).
    pub(crate) fn channel_binding(&self) -> Option<ChannelBinding> {
        let Self::Tls(stream) = self else { return None };
        let TlsStream::Server(stream) = stream.as_ref() else { return None };
        let (_, connection) = stream.get_ref();
        if connection.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
            return None;
        }
        let exported = connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(&[]));
        exported.ok().map(ChannelBinding)
    }

    /// Waits for bytes and appends them to `input`; returns how many, 0 at the end of the stream.
    ///
    /// # Errors
    /// Whatever the socket or TLS says. Dropping the future loses nothing.
    pub(crate) async fn read(&mut self, input: &mut Vec<u8>) -> io::Result<usize> {
        std::future::poll_fn(|context| self.poll_read_into(context, input)).await
    }

    fn poll_read_into(&mut self, context: &mut Context<'_>, input: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            ready!(match self {
                Self::Plain(stream) => Pin::new(stream).poll_read(context, &mut buffer),
                Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, &mut buffer),
                Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            })?;
            input.extend_from_slice(buffer.filled());
            let count = buffer.filled().len();
            // There may be a password in it. The buffer stays, so that no compiler takes this for a useless write.
            buffer.filled_mut().fill(0);
            Poll::Ready(Ok(count))
        })
    }

    /// Writes some of `bytes` and returns how many.
    ///
    /// # Errors
    /// Whatever the socket or TLS says.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes).await,
            Self::Tls(stream) => stream.write(bytes).await,
            Self::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Hands everything written to the kernel.
    ///
    /// # Errors
    /// Whatever the socket or TLS says.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush().await,
            Self::Tls(stream) => stream.flush().await,
            Self::Gone => Ok(()),
        }
    }

    /// Says good-bye (close_notify under TLS, then the end of the stream) and waits for the peer's, throwing away what it
    /// still sends: closed with input unread, a connection is reset (RFC 1122 §4.2.2.13), and the reset overtakes the
    /// last reply. How long that may take is the caller's to decide.
    pub(crate) async fn close(mut self) {
        let ended = match &mut self {
            Self::Plain(stream) => stream.shutdown().await,
            Self::Tls(stream) => stream.shutdown().await,
            Self::Gone => return,
        };
        if let Err(error) = ended {
            return log::debug!("closing a connection: {error}");
        }
        while matches!(self.discard().await, Ok(1..)) {}
    }

    /// Reads and forgets, under TLS without looking into it; returns how many bytes, 0 at the end of the stream.
    async fn discard(&mut self) -> io::Result<usize> {
        let stream = match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_mut().0,
            Self::Gone => return Ok(0),
        };
        std::future::poll_fn(|context| {
            SCRATCH.with_borrow_mut(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer))?;
                buffer.filled_mut().fill(0);
                Poll::Ready(Ok(buffer.filled().len()))
            })
        })
        .await
    }
}

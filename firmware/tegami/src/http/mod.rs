//! The pages of the box, on ports 80 and 443: what it is, how it is, and claiming it.
//!
//! hyper parses HTTP; [`Front`] decides every answer from what the rest of the program shows it through [`Desk`].
//! Bounded: request heads, forms, times; how many connections there may be is decided by whoever accepts them.

mod ailing;
mod claim;
mod claiming;
mod form;
mod front;
mod guard;
mod limits;
mod pages;
mod path;
mod reply;
mod view;
mod wire;

use std::convert::Infallible;
use std::net::IpAddr;
use std::pin::pin;
use std::rc::Rc;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use tokio::io::{AsyncRead, AsyncWrite};

use limits::{CONNECTION_TIME_MAX, HEAD_BYTES_MAX, HEAD_TIME_MAX, HEADERS_MAX};
use wire::{Io, TokioTimer};

pub(crate) use ailing::{AilingView, serve_ailing};
pub(crate) use front::{Desk, Front};
pub(crate) use view::{ClockView, FlashView, NetworkView, ProvisionView, StateView};

impl Front {
    /// Serves one connection from `ip` until it ends, or until the box is `leaving`; `tls` says whether it is under TLS.
    /// To be run inside a `LocalSet`.
    pub(crate) async fn serve<S>(
        self: &Rc<Self>,
        stream: S,
        ip: IpAddr,
        tls: bool,
        leaving: impl Future<Output = ()>,
    ) where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let answer = |request| async move { self.respond(ip, tls, request).await };
        converse(stream, ip, self.knows_the_time(), answer, leaving).await;
    }
}

/// Has a conversation: every request gets its answer. `dated` says whether answers may have a date: a box that does not
/// know the time must not put one on (RFC 9110 §6.6.1).
async fn converse<S, F>(
    stream: S,
    ip: IpAddr,
    dated: bool,
    answer: impl Fn(Request<Incoming>) -> F,
    leaving: impl Future<Output = ()>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Future<Output = reply::Reply>,
{
    let service = service_fn(|request| {
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer)
        .header_read_timeout(HEAD_TIME_MAX)
        // Whoever has said all he has to say still gets his answer.
        .half_close(true)
        .max_buf_size(HEAD_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .auto_date_header(dated)
        .serve_connection(Io(stream), service);
    let mut connection = pin!(connection);
    let served = async {
        tokio::select! {
            ended = connection.as_mut() => return ended,
            // Whoever waits for an answer gets it; nobody is asked for another request.
            () = leaving => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    };
    match tokio::time::timeout(CONNECTION_TIME_MAX, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => log::debug!("{ip}: HTTP: {error}"),
        Err(_) => log::debug!("{ip}: HTTP: connection ended after {} s", CONNECTION_TIME_MAX.as_secs()),
    }
}

#[cfg(test)]
mod tests;

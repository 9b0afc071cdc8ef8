//! The pages of the box, on ports 80 and 443: what it is, how it is, and claiming it.
//!
//! hyper parses HTTP; [`Front`] decides every answer from what the rest of the program shows it through [`Desk`].
//! Bounded: request heads, forms, times; how many connections there may be is decided by whoever accepts them.

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
use std::rc::Rc;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use tokio::io::{AsyncRead, AsyncWrite};

use limits::{CONNECTION_TIME_MAX, HEAD_BYTES_MAX, HEAD_TIME_MAX, HEADERS_MAX};
use wire::{Io, TokioTimer};

pub(crate) use front::{Desk, Front};
pub(crate) use view::{ClockView, FlashView, NetworkView, ProvisionView, StateView};

impl Front {
    /// Serves one connection from `ip` until it ends; `tls` says whether it is under TLS. To be run inside a
    /// `LocalSet`.
    pub(crate) async fn serve<S>(self: &Rc<Self>, stream: S, ip: IpAddr, tls: bool)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let service =
            service_fn(|request| async move { Ok::<_, Infallible>(self.respond(ip, tls, request).await) });
        let connection = http1::Builder::new()
            .timer(TokioTimer)
            .header_read_timeout(HEAD_TIME_MAX)
            // Whoever has said all he has to say still gets his answer.
            .half_close(true)
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX)
            .auto_date_header(self.knows_the_time())
            .serve_connection(Io(stream), service);
        match tokio::time::timeout(CONNECTION_TIME_MAX, connection).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => log::debug!("{ip}: HTTP: {error}"),
            Err(_) => log::debug!("{ip}: HTTP: connection ended after {} s", CONNECTION_TIME_MAX.as_secs()),
        }
    }
}

#[cfg(test)]
mod tests;

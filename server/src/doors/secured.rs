//! A connection as a door reads it: plain, or inside of TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::accept::Speech;
use crate::app::App;

/// One connection.
pub(crate) enum Secured {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Sets up encryption where it is wanted. Nothing if the client cannot do it in time.
pub(crate) async fn secure(app: &App, speech: Speech, stream: TcpStream) -> Option<Secured> {
    let security = &app.security;
    let policy = security.policy();
    let tls = match speech {
        Speech::Http1 => &policy.tls,
        Speech::Http2 => &policy.tls_of_calls,
    };
    let Some(tls) = tls.clone() else {
        return Some(Secured::Plain(stream));
    };
    let handshake = async {
        let _turn = security.handshakes.acquire().await.ok()?;
        TlsAcceptor::from(tls).accept(stream).await.ok()
    };
    // Waiting for its turn is counted.
    match timeout(app.settings().http.handshake_timeout, handshake).await {
        Ok(Some(stream)) => Some(Secured::Tls(Box::new(stream))),
        _ => {
            security.note_failed_handshake();
            None
        }
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Secured::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Secured::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Secured::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Secured::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Secured::Plain(stream) => Pin::new(stream).poll_flush(context),
            Secured::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Secured::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Secured::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Secured::Plain(stream) => Pin::new(stream).poll_write_vectored(context, parts),
            Secured::Tls(stream) => Pin::new(stream).poll_write_vectored(context, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Secured::Plain(stream) => stream.is_write_vectored(),
            Secured::Tls(stream) => stream.is_write_vectored(),
        }
    }
}

//! A client of HTTP/1.1: one connection to one server, plain or inside of TLS, kept for the next
//! request.
//!
//! Knows no API: what is asked, and what an answer means, is its users' business.

mod address;
mod connect;
mod failure;

use std::cell::RefCell;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::HOST;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

pub(crate) use address::{Address, Identity};
pub(crate) use connect::{Wire, connect};
pub(crate) use failure::{Cause, Failure};

/// How long the connection of the last request may take to be ready for another.
const READY_TIMEOUT: Duration = Duration::from_millis(100);

/// A server and the connection to it.
pub(crate) struct Client {
    address: Address,
    connection: RefCell<Option<SendRequest<Full<Bytes>>>>,
}

impl Client {
    pub(crate) fn new(address: Address) -> Client {
        Client {
            address,
            connection: RefCell::default(),
        }
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Sends a request whose target is a path below the server's.
    pub(crate) async fn ask(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Body>, Failure> {
        if let Some(mut kept) = self.kept().await {
            // A server may close a connection that nobody uses just when it is used again.
            if let Ok(response) = kept.send_request(copy(&request)).await {
                self.connection.replace(Some(kept));
                return Ok(response.map(Body::new));
            }
        }
        let mut fresh = self.open().await?;
        let response = fresh.send_request(request).await;
        let response = response.map_err(|error| {
            let why = format!("the connection to {} broke: {error}", self.address);
            Failure::new(Cause::Unreachable, why)
        })?;
        self.connection.replace(Some(fresh));
        Ok(response.map(Body::new))
    }

    /// The connection of the last request, if its answer was read to the end.
    async fn kept(&self) -> Option<SendRequest<Full<Bytes>>> {
        let mut kept = self.connection.take()?;
        match timeout(READY_TIMEOUT, kept.ready()).await {
            Ok(Ok(())) => Some(kept),
            _ => None,
        }
    }

    async fn open(&self) -> Result<SendRequest<Full<Bytes>>, Failure> {
        let wire = connect(&self.address)
            .await
            .map_err(|error| unreachable(&self.address, error))?;
        let (sender, connection) = http1::handshake(TokioIo::new(wire))
            .await
            .map_err(|error| unreachable(&self.address, error))?;
        // What fails on the connection is seen by the request that waits for it.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        Ok(sender)
    }
}

/// What to tell of a server that cannot be reached.
pub(crate) fn unreachable(address: &Address, error: impl std::fmt::Display) -> Failure {
    let why = format!("cannot reach a server at {address}: {error}");
    Failure::new(Cause::Unreachable, why)
}

fn copy(request: &Request<Full<Bytes>>) -> Request<Full<Bytes>> {
    let mut copy = Request::new(request.body().clone());
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// The header that names the server.
pub(crate) fn host(address: &Address) -> (hyper::header::HeaderName, String) {
    (HOST, address.authority.clone())
}

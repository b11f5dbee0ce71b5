//! A running server that is imported from: one request, one whole answer. Blocks.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request, Response};
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::fault::{Fault, Result};
use crate::client::{self, Address, Client, Failure};

/// How long a server may take for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(300);
/// Bytes of one answer.
const ANSWER_BYTES_MAX: usize = 1 << 30;
/// Characters of an error that are told.
const ERROR_CHARS_MAX: usize = 300;

/// A server, and the headers that go with every request.
pub(crate) struct Remote {
    runtime: Runtime,
    client: Client,
    headers: Vec<(String, String)>,
}

impl Remote {
    /// Takes a URL apart. Nothing is sent yet.
    pub(crate) fn new(url: &str, headers: Vec<(String, String)>) -> Result<Remote> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        Ok(Remote {
            runtime: runtime.map_err(|error| Fault::new(format!("cannot start: {error}")))?,
            client: Client::new(Address::parse(url)?),
            headers,
        })
    }

    /// Asks for something with parameters.
    pub(crate) fn ask(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Result<Bytes> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(parameters);
        self.send(
            Method::GET,
            &format!("{path}?{}", form.finish()),
            headers,
            Bytes::new(),
        )
    }

    /// Posts a body.
    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: Bytes) -> Result<Bytes> {
        self.send(Method::POST, path, headers, body)
    }

    fn send(
        &self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<Bytes> {
        let address = self.client.address();
        let (name, host) = client::host(address);
        let mut request = Request::builder()
            .method(method)
            .uri(address.path(target))
            .header(name, host);
        let own = self
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.chain(headers.iter().copied()) {
            request = request.header(name, value);
        }
        let request = request
            .body(Full::new(body))
            .map_err(|error| Fault::new(format!("cannot ask for {target}: {error}")))?;
        let answered = self.runtime.block_on(async {
            let answer = async { whole(self.client.ask(request).await?).await };
            timeout(ANSWER_TIMEOUT, answer).await
        });
        let (code, body) =
            answered.map_err(|_| Fault::new(format!("{address} does not answer")))??;
        match code {
            200..300 => Ok(body),
            code => {
                let said = String::from_utf8_lossy(&body);
                let said: String = said.trim().chars().take(ERROR_CHARS_MAX).collect();
                Err(Fault::new(format!("{address} answers {code}: {said}")))
            }
        }
    }
}

async fn whole(response: Response<Body>) -> std::result::Result<(u16, Bytes), Failure> {
    let code = response.status().as_u16();
    let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
    let body = body.collect().await;
    let body = body.map_err(|error| Failure::broken(format!("the answer broke off: {error}")))?;
    Ok((code, body.to_bytes()))
}

//! A client of HTTP for importing from running servers: one request, one answer. Blocks.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::HOST;
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::fault::{Fault, Result};

/// How long a server may take for one answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(300);
/// Bytes of one answer.
const ANSWER_BYTES_MAX: usize = 1 << 30;

/// A server, and the headers that go with every request.
pub(crate) struct Client {
    runtime: Runtime,
    host: String,
    port: u16,
    authority: String,
    prefix: String,
    headers: Vec<(String, String)>,
}

impl Client {
    /// Takes a URL apart. Nothing is sent yet.
    pub(crate) fn new(url: &str, headers: Vec<(String, String)>) -> Result<Client> {
        let wrong = |why: &str| {
            Fault::new(format!(
                "{url:?} is no address of a server: {why}; write it like http://127.0.0.1:9090"
            ))
        };
        let uri: Uri = url.parse().map_err(|error| wrong(&format!("{error}")))?;
        if uri.scheme_str() != Some("http") {
            return Err(wrong("only http:// is spoken"));
        }
        let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        Ok(Client {
            runtime: runtime.map_err(|error| Fault::new(format!("cannot start: {error}")))?,
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port: authority.port_u16().unwrap_or(80),
            authority: authority.as_str().to_owned(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
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
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{target}", self.prefix))
            .header(HOST, &self.authority);
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
        let answered = self
            .runtime
            .block_on(async { timeout(ANSWER_TIMEOUT, self.answer(request)).await });
        let (code, body) = answered
            .map_err(|_| Fault::new(format!("{} does not answer", self.authority)))?
            .map_err(|why| Fault::new(format!("{}: {why}", self.authority)))?;
        match code {
            200..300 => Ok(body),
            code => {
                let said = String::from_utf8_lossy(&body);
                let said: String = said.trim().chars().take(300).collect();
                Err(Fault::new(format!(
                    "{} answers {code}: {said}",
                    self.authority
                )))
            }
        }
    }

    async fn answer(
        &self,
        request: Request<Full<Bytes>>,
    ) -> std::result::Result<(u16, Bytes), String> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await;
        let stream = stream.map_err(|error| format!("cannot be reached: {error}"))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| error.to_string())?;
        // What fails on the connection is seen by the request that waits for it.
        tokio::spawn(async move {
            let _ = connection.await;
        });
        let response = sender
            .send_request(request)
            .await
            .map_err(|error| format!("the connection broke: {error}"))?;
        let code = response.status().as_u16();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        let body = body.collect().await.map_err(|error| error.to_string())?;
        Ok((code, body.to_bytes()))
    }
}

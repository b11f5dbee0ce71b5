//! A live tail: frames of lines over a WebSocket, as the server stores them.

use std::rc::Rc;

use form_urlencoded::Serializer;
use futures_util::{SinkExt, StreamExt};
use hyper::Request;
use serde::Deserialize;
use tokio::runtime::Runtime;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::{self, Message};

use super::ELSEWHERE;
use super::credentials::Credentials;
use super::results::Element;
use crate::client::{Address, Cause, Failure, Wire, connect, unreachable};

/// The path of the tail.
const TAIL: &str = "/loki/api/v1/tail";

/// Lines that came together, and how many were left out.
#[derive(Debug, Deserialize)]
pub(crate) struct Frame {
    #[serde(default)]
    pub(crate) streams: Vec<Element>,
    /// Lines that the server dropped, since this reader was too slow.
    #[serde(default)]
    pub(crate) dropped_entries: Option<Vec<serde_json::Value>>,
}

/// An open tail.
pub(crate) struct Tail {
    runtime: Rc<Runtime>,
    socket: WebSocketStream<Box<dyn Wire>>,
    who: String,
}

impl Tail {
    pub(super) fn open(
        runtime: Rc<Runtime>,
        address: &Address,
        credentials: &Credentials,
        parameters: &[(&str, &str)],
    ) -> Result<Tail, Failure> {
        let mut form = Serializer::new(String::new());
        form.extend_pairs(parameters);
        let target = address.path(TAIL);
        let request = Request::builder()
            .uri(format!(
                "ws://{}{target}?{}",
                address.authority,
                form.finish()
            ))
            .header("Host", &address.authority)
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", generate_key());
        let request = credentials.sign(request).body(());
        let request = request
            .map_err(|error| Failure::misused(format!("cannot ask for {target}: {error}")))?;
        let opened = runtime.block_on(async {
            let wire = connect(address)
                .await
                .map_err(|error| unreachable(address, error).or_else(ELSEWHERE))?;
            let opened = tokio_tungstenite::client_async(request, wire).await;
            opened.map_err(|error| refused(address, error))
        });
        let (socket, _) = opened?;
        Ok(Tail {
            runtime,
            socket,
            who: address.to_string(),
        })
    }

    /// Waits for the next lines.
    pub(crate) fn next(&mut self) -> Result<Frame, Failure> {
        let next = async {
            loop {
                match self.socket.next().await {
                    None => return Err("the server closed the connection".to_owned()),
                    Some(Err(error)) => return Err(error.to_string()),
                    Some(Ok(Message::Text(text))) => {
                        return serde_json::from_str(text.as_str())
                            .map_err(|error| format!("a frame makes no sense: {error}"));
                    }
                    Some(Ok(Message::Close(frame))) => {
                        let why = frame.map(|frame| frame.reason.to_string());
                        let why = why.filter(|why| !why.is_empty());
                        return Err(why.unwrap_or_else(|| "the server ended it".to_owned()));
                    }
                    // Pongs are queued by the reader, and have to be sent.
                    Some(Ok(_)) => self
                        .socket
                        .flush()
                        .await
                        .map_err(|error| error.to_string())?,
                }
            }
        };
        let next = self.runtime.block_on(next);
        next.map_err(|why| {
            Failure::new(
                Cause::Unreachable,
                format!("the tail of {} ended: {why}", self.who),
            )
        })
    }
}

fn refused(address: &Address, error: tungstenite::Error) -> Failure {
    match error {
        tungstenite::Error::Http(response) => {
            let status = response.status().as_u16();
            let body = response.into_body().unwrap_or_default();
            let why = String::from_utf8_lossy(&body).trim().to_owned();
            let text = format!("{why} ({address} answered {status})");
            Failure::new(Cause::Refused(status, None), text.trim())
        }
        other => unreachable(address, other),
    }
}

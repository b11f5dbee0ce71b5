//! A client of gRPC: frames and trailers made and read here, HTTP/2 by hyper.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2;
use hyper::header::{HeaderMap, HeaderName};
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::super::bed::Bed;

/// What came of a call.
#[derive(Debug)]
pub(super) struct Called {
    /// The status of HTTP.
    pub(super) http: u16,
    /// The status of gRPC.
    pub(super) code: Option<u16>,
    /// Its message, without the percent signs.
    pub(super) message: String,
    pub(super) headers: HeaderMap,
    body: Vec<u8>,
}

impl Called {
    /// The message of a call that went well.
    pub(super) fn answer(&self) -> Option<&[u8]> {
        let (head, message) = self.body.split_first_chunk::<5>()?;
        let [flag, length @ ..] = *head;
        let is_whole = u32::from_be_bytes(length) as usize == message.len();
        (self.http == 200 && self.code == Some(0) && flag == 0 && is_whole).then_some(message)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// A message in its frame.
pub(super) fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[flag], &length[..], message].concat()
}

/// Calls a method on a connection of its own.
pub(super) fn call(bed: &Bed, method: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Called {
    runtime().block_on(async {
        let mut sender = connected(bed.grpc_address()).await;
        let content = Content::Now(Some(body.into()));
        called(
            sender
                .send_request(request(method, headers, content))
                .await
                .unwrap(),
        )
        .await
    })
}

/// Begins a call, has the server stop meanwhile, and only then sends the message.
pub(super) fn call_while_stopping(mut bed: Bed, method: &str, body: Vec<u8>) -> Called {
    let address = bed.grpc_address();
    runtime().block_on(async move {
        let mut sender = connected(address).await;
        let (give, later) = oneshot::channel();
        let begun = sender.send_request(request(method, &[], Content::Later(later)));
        let begun = tokio::spawn(begun);
        // The calls of a connection begin in their order: after this one that one has begun.
        sender.ready().await.unwrap();
        let other = request(method, &[], Content::Now(Some(frame(0, b"").into())));
        let other = sender.send_request(other).await.unwrap();
        assert_eq!(called(other).await.code, Some(0));
        let stopping = std::thread::spawn(move || bed.stop());
        // Nobody is let in once the engine is let go of.
        while TcpStream::connect(address).await.is_ok() {}
        give.send(body.into()).unwrap();
        let called = called(begun.await.unwrap().unwrap()).await;
        drop(sender);
        stopping.join().unwrap();
        called
    })
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

async fn connected(address: SocketAddr) -> http2::SendRequest<Content> {
    let stream = TcpStream::connect(address).await.unwrap();
    let io = TokioIo::new(stream);
    let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn request(method: &str, headers: &[(&str, &str)], content: Content) -> Request<Content> {
    let mut request = Request::new(content);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = format!("http://server{method}").parse().unwrap();
    let own = [("content-type", "application/grpc"), ("te", "trailers")];
    for (name, value) in own.iter().chain(headers) {
        if *name == ":method" {
            *request.method_mut() = value.parse().unwrap();
            continue;
        }
        let name: HeaderName = name.parse().unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
    }
    request
}

async fn called(response: Response<Incoming>) -> Called {
    let (head, body) = response.into_parts();
    let collected = body.collect().await.unwrap();
    let mut headers = head.headers;
    headers.extend(collected.trailers().cloned().unwrap_or_default());
    let text = |name: &str| {
        let value = headers.get(name).map(|value| value.to_str().unwrap());
        value.map(str::to_owned)
    };
    Called {
        http: head.status.as_u16(),
        code: text("grpc-status").map(|code| code.parse().unwrap()),
        message: text("grpc-message").unwrap_or_default(),
        body: collected.to_bytes().to_vec(),
        headers,
    }
}

/// A body that is there, or that comes when the test says so.
enum Content {
    Now(Option<Bytes>),
    Later(oneshot::Receiver<Bytes>),
}

impl hyper::body::Body for Content {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let next = match &mut *self {
            Content::Now(bytes) => bytes.take(),
            Content::Later(later) => ready!(Pin::new(later).poll(context)).ok(),
        };
        *self = Content::Now(None);
        Poll::Ready(next.map(|bytes| Ok(Frame::data(bytes))))
    }
}

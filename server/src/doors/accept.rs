//! Connections: taken up to a limit, with a limit on how long a request's head may take, and let
//! end when the server stops.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::http2::{self, Counted, Patience, Traffic};
use super::lenient::Lenient;
use super::patient::Patient;
use super::secured::secure;
use crate::app::App;
use crate::meters::Limit;
use crate::settings::{GrpcLimits, HttpLimits, Settings};

/// More connections than this no door has, whatever the settings say.
const CONNECTIONS_CEILING: usize = 1 << 20;

/// How long to rest after a connection could not be taken, usually for want of descriptors.
const REST: Duration = Duration::from_millis(50);

/// What a door speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speech {
    /// HTTP/1.1, which may become a WebSocket.
    Http1,
    /// HTTP/2 from the first byte, as gRPC has it.
    Http2,
}

/// Serves `router` until `stop` changes, and then until the requests at hand are answered.
pub(crate) async fn serve(
    listener: TcpListener,
    speech: Speech,
    router: Router,
    app: Arc<App>,
    mut stop: watch::Receiver<bool>,
) {
    let connections_max = app.settings().connections_max.min(CONNECTIONS_CEILING);
    let slots = Arc::new(Semaphore::new(connections_max));
    loop {
        let next = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (slot, listener.accept().await)
        };
        let (slot, accepted) = tokio::select! {
            _ = stop.changed() => break,
            next = next => next,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(_) => {
                tokio::time::sleep(REST).await;
                continue;
            }
        };
        set_up(&stream);
        let (app, router, mut stop) = (Arc::clone(&app), router.clone(), stop.clone());
        tokio::spawn(async move {
            app.meters.connections.fetch_add(1, Ordering::Relaxed);
            let secured = tokio::select! {
                secured = secure(&app, speech, stream) => secured,
                _ = stop.changed() => None,
            };
            if let Some(stream) = secured {
                let manner = Manner::of(&app.settings());
                let stream = Patient::new(stream, manner.http.write_timeout);
                let ended = converse(stream, speech, router, stop, &manner).await;
                if let Some(limit) = ended.and_then(limit_of) {
                    app.meters.note_limit(limit);
                }
            }
            app.meters.connections.fetch_sub(1, Ordering::Relaxed);
            drop(slot);
        });
    }
    drop(listener);
    // Once every slot is free no connection is left.
    let all = u32::try_from(connections_max).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(app.settings().http.drain_timeout, slots.acquire_many(all)).await;
}

/// How a connection is treated: the limits of its time.
#[derive(Clone, Copy)]
struct Manner {
    http: HttpLimits,
    grpc: GrpcLimits,
    patience: Patience,
}

impl Manner {
    fn of(settings: &Settings) -> Self {
        Manner {
            http: settings.http,
            grpc: settings.grpc,
            patience: Patience::of(settings),
        }
    }
}

/// The limit because of which a connection ended, if it was one.
fn limit_of(error: hyper::Error) -> Option<Limit> {
    let cause = std::error::Error::source(&error);
    let is_late = |cause: &io::Error| cause.kind() == io::ErrorKind::TimedOut;
    if cause
        .and_then(|cause| cause.downcast_ref())
        .is_some_and(is_late)
    {
        Some(Limit::WriteTimeout)
    } else if error.is_timeout() {
        Some(Limit::HeadTimeout)
    } else {
        error.is_parse_too_large().then_some(Limit::HeadBytes)
    }
}

/// Answers what comes over one connection, to its end. What went wrong with it, if anything did.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    speech: Speech,
    router: Router,
    mut stop: watch::Receiver<bool>,
    manner: &Manner,
) -> Option<hyper::Error> {
    let patience = manner.patience;
    let (service, drain) = (TowerToHyperService::new(router), patience.drain);
    let stopped = async move {
        // That nobody can say so any more is as good.
        let _ = stop.changed().await;
    };
    match speech {
        Speech::Http1 => {
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new())
                .header_read_timeout(manner.http.head_timeout)
                .max_headers(manner.http.headers_max)
                .max_buf_size(manner.http.head_bytes_max);
            let stream = TokioIo::new(Lenient::new(stream));
            let connection = http.serve_connection(stream, service).with_upgrades();
            carry(connection, |it| it.graceful_shutdown(), stopped, drain).await
        }
        Speech::Http2 => {
            let traffic = Arc::new(Traffic::default());
            let counted = Counted {
                service,
                traffic: Arc::clone(&traffic),
            };
            let connection = http2::builder(&manner.grpc, patience);
            let connection = connection.serve_connection(TokioIo::new(stream), counted);
            let idle_or_stopped = async {
                tokio::select! {
                    () = stopped => {}
                    () = traffic.idle(patience) => {}
                }
            };
            carry(
                connection,
                |it| it.graceful_shutdown(),
                idle_or_stopped,
                drain,
            )
            .await
        }
    }
}

/// Carries a connection to its end. Once it is `over`, only requests at hand are answered. What
/// fails on a connection is its client's to notice; it is given back to be counted.
async fn carry<C: Future<Output = Result<(), hyper::Error>>>(
    connection: C,
    let_end: impl FnOnce(Pin<&mut C>),
    over: impl Future<Output = ()>,
    drain: Duration,
) -> Option<hyper::Error> {
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        ended = &mut connection => ended.err(),
        () = over => {
            let_end(connection.as_mut());
            let ended = tokio::time::timeout(drain, connection).await;
            ended.ok().and_then(Result::err)
        }
    }
}

fn set_up(stream: &TcpStream) {
    // Without it small answers may wait; where it cannot be set they do.
    let _ = stream.set_nodelay(true);
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    /// Lets a client say this and nothing more, and returns once the server has closed the
    /// connection. What the server said.
    fn until_closed(said: &[u8], patience: Patience) -> Vec<u8> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.write_all(said).unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let reading = std::thread::spawn(move || {
            let mut heard = Vec::new();
            let _ = client.read_to_end(&mut heard);
            heard
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let (_keep, stop) = watch::channel(false);
        runtime.block_on(async {
            let stream = TcpStream::from_std(stream).unwrap();
            let manner = Manner {
                patience,
                ..Manner::of(&Settings::default())
            };
            converse(stream, Speech::Http2, Router::new(), stop, &manner).await;
        });
        reading.join().unwrap()
    }

    const SOON: Duration = Duration::from_millis(5);
    const NEVER: Duration = Duration::from_secs(1_000_000);

    /// The preface of HTTP/2, and settings that say nothing.
    const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

    #[test]
    fn a_connection_without_a_call_is_closed() {
        let patience = Patience {
            keep_alive: NEVER,
            keep_alive_timeout: NEVER,
            idle: SOON,
            drain: SOON,
        };
        // Before the preface, in it, and behind it.
        until_closed(b"", patience);
        until_closed(&HELLO[..10], patience);
        assert!(!until_closed(HELLO, patience).is_empty());
    }

    #[test]
    fn a_client_that_does_not_say_that_it_is_there_is_let_go() {
        let patience = Patience {
            keep_alive: SOON,
            keep_alive_timeout: SOON,
            idle: NEVER,
            drain: SOON,
        };
        assert!(!until_closed(HELLO, patience).is_empty());
    }
}

//! Connections: taken up to a limit, with a limit on how long a request's head may take, and let
//! end when the server stops.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::http2::{self, Counted, Traffic};
use crate::app::App;

/// Connections of one door, as in Prometheus. More wait in the system's queue.
pub(crate) const CONNECTIONS_MAX: usize = 512;

/// How long a request's head may take; also how long a connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// Headers of one request.
const HEADERS_MAX: usize = 100;

/// How long requests have to end once the server stops.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

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
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
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
        let (app, router, stop) = (Arc::clone(&app), router.clone(), stop.clone());
        tokio::spawn(async move {
            app.meters.connections.fetch_add(1, Ordering::Relaxed);
            converse(stream, speech, router, stop).await;
            app.meters.connections.fetch_sub(1, Ordering::Relaxed);
            drop(slot);
        });
    }
    drop(listener);
    // Once every slot is free no connection is left.
    let all = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, slots.acquire_many(all)).await;
}

/// Answers what comes over one connection, to its end.
async fn converse(
    stream: TcpStream,
    speech: Speech,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let service = TowerToHyperService::new(router);
    let stopped = async move {
        // That nobody can say so any more is as good.
        let _ = stop.changed().await;
    };
    match speech {
        Speech::Http1 => {
            let mut http = http1::Builder::new();
            http.timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_headers(HEADERS_MAX);
            let connection = http.serve_connection(TokioIo::new(stream), service);
            let connection = connection.with_upgrades();
            carry(connection, |it| it.graceful_shutdown(), stopped).await;
        }
        Speech::Http2 => {
            let traffic = Arc::new(Traffic::default());
            let counted = Counted {
                service,
                traffic: Arc::clone(&traffic),
            };
            let connection = http2::builder().serve_connection(TokioIo::new(stream), counted);
            let idle_or_stopped = async {
                tokio::select! {
                    () = stopped => {}
                    () = traffic.idle() => {}
                }
            };
            carry(connection, |it| it.graceful_shutdown(), idle_or_stopped).await;
        }
    }
}

/// Carries a connection to its end. Once it is `over`, only requests at hand are answered. What
/// fails on a connection is its client's to notice.
async fn carry<C: Future>(
    connection: C,
    let_end: impl FnOnce(Pin<&mut C>),
    over: impl Future<Output = ()>,
) {
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = &mut connection => {}
        () = over => {
            let_end(connection.as_mut());
            let _ = tokio::time::timeout(DRAIN_TIMEOUT, connection).await;
        }
    }
}

fn set_up(stream: &TcpStream) {
    // Without it small answers may wait; where it cannot be set they do.
    let _ = stream.set_nodelay(true);
}

//! Connections: taken up to a limit, with a limit on how long a request's head may take, and let
//! end when the server stops.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

use super::secured::secure;
use crate::app::App;

/// More connections than this no door has, whatever the settings say.
const CONNECTIONS_CEILING: usize = 1 << 20;

/// How long a request's head may take; also how long a connection may be idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// Headers of one request.
const HEADERS_MAX: usize = 100;

/// How long requests have to end once the server stops.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(20);

/// How long to rest after a connection could not be taken, usually for want of descriptors.
const REST: Duration = Duration::from_millis(50);

/// Serves `router` until `stop` changes, and then until the requests at hand are answered.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    app: Arc<App>,
    mut stop: watch::Receiver<bool>,
) {
    let connections_max = app.settings().connections_max.min(CONNECTIONS_CEILING);
    let slots = Arc::new(Semaphore::new(connections_max));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(HEADERS_MAX);
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
        let service = TowerToHyperService::new(router.clone());
        let (app, stop, http) = (Arc::clone(&app), stop.clone(), http.clone());
        tokio::spawn(async move {
            app.meters.connections.fetch_add(1, Ordering::Relaxed);
            converse(&app, stream, &http, service, stop).await;
            app.meters.connections.fetch_sub(1, Ordering::Relaxed);
            drop(slot);
        });
    }
    drop(listener);
    // Once every slot is free no connection is left.
    let all = u32::try_from(connections_max).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, slots.acquire_many(all)).await;
}

/// Answers what comes over one connection, until it ends or the server stops.
async fn converse(
    app: &App,
    stream: TcpStream,
    http: &http1::Builder,
    service: TowerToHyperService<Router>,
    mut stop: watch::Receiver<bool>,
) {
    let stream = tokio::select! {
        secured = secure(&app.security, stream) => secured,
        _ = stop.changed() => None,
    };
    let Some(stream) = stream else {
        return;
    };
    let connection = http.serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection.with_upgrades());
    // What fails on a connection is its client's to notice.
    tokio::select! {
        _ = &mut connection => {}
        _ = stop.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

fn set_up(stream: &TcpStream) {
    // Without it small answers may wait; where it cannot be set they do.
    let _ = stream.set_nodelay(true);
}

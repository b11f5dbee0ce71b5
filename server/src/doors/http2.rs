//! Connections of HTTP/2: what one client may cost, and when a connection is idle.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http2::Builder;
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::settings::{GrpcLimits, Settings};

/// How long to bear with a client that says nothing.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// How often it is asked whether it is there.
    pub(super) keep_alive: Duration,
    /// How long it has to say so.
    pub(super) keep_alive_timeout: Duration,
    /// A connection is closed that had no call for so long; it may be twice as long.
    pub(super) idle: Duration,
    /// How long its requests have to end once it is told to go.
    pub(super) drain: Duration,
}

impl Patience {
    /// What settings say.
    pub(super) fn of(settings: &Settings) -> Self {
        Patience {
            keep_alive: settings.grpc.keep_alive,
            keep_alive_timeout: settings.grpc.keep_alive_timeout,
            idle: settings.grpc.idle_timeout,
            drain: settings.http.drain_timeout,
        }
    }
}

/// How connections are served.
pub(super) fn builder(limits: &GrpcLimits, patience: Patience) -> Builder<TokioExecutor> {
    // The settings are within what fits.
    let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let ahead = narrow(limits.ahead_bytes_max);
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(narrow(limits.calls_max))
        .max_header_list_size(narrow(limits.header_bytes_max))
        .initial_stream_window_size(ahead)
        .initial_connection_window_size(ahead)
        .max_pending_accept_reset_streams(limits.resets_max)
        .max_local_error_reset_streams(limits.errors_max)
        .keep_alive_interval(patience.keep_alive)
        .keep_alive_timeout(patience.keep_alive_timeout);
    builder
}

/// The calls of one connection.
#[derive(Default)]
pub(super) struct Traffic {
    begun: AtomicU64,
    open: AtomicU64,
}

impl Traffic {
    /// Returns once the connection is idle, which also one is that never says anything.
    pub(super) async fn idle(&self, patience: Patience) {
        let mut seen = 0;
        loop {
            tokio::time::sleep(patience.idle).await;
            let begun = self.begun.load(Ordering::Relaxed);
            if begun == seen && self.open.load(Ordering::Relaxed) == 0 {
                return;
            }
            seen = begun;
        }
    }
}

/// Takes one from the calls that are open, also where a call is taken back.
struct Open(Arc<Traffic>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A service whose calls are counted.
pub(super) struct Counted<S> {
    pub(super) service: S,
    pub(super) traffic: Arc<Traffic>,
}

impl<S> Service<Request<Incoming>> for Counted<S>
where
    S: Service<Request<Incoming>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.traffic.begun.fetch_add(1, Ordering::Relaxed);
        self.traffic.open.fetch_add(1, Ordering::Relaxed);
        let open = Open(Arc::clone(&self.traffic));
        let answered = self.service.call(request);
        Box::pin(async move {
            let _open = open;
            answered.await
        })
    }
}

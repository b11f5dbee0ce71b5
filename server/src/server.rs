//! The server: from settings to listening sockets, through recovery, to a clean end.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chronolith_engine::{Engine, Limits, Options};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::{App, CHORES_MAX, LOOKS_MAX, QUERIES_MAX, WRITES_MAX};
use crate::doors::accept::{self, Speech};
use crate::doors::grpc;
use crate::loki;
use crate::prometheus;
use crate::settings::Settings;

/// How long to wait between two looks at whether the engine is let go of.
const LOOK: Duration = Duration::from_millis(10);

/// Threads for blocking work beyond what the lanes hold: opening, closing, own metrics.
const SPARE_THREADS: usize = 8;

/// A server that listens. It answers "not ready" until its data is recovered.
pub struct Server {
    runtime: Runtime,
    app: Arc<App>,
    prometheus_address: SocketAddr,
    loki_address: SocketAddr,
    otlp_http_address: SocketAddr,
    otlp_grpc_address: SocketAddr,
    stop: watch::Sender<bool>,
    doors: Vec<JoinHandle<()>>,
    opening: Option<JoinHandle<Result<String, ServeError>>>,
}

/// Why a server does not start or did not end well.
#[derive(Debug)]
pub struct ServeError {
    message: String,
}

impl ServeError {
    fn new(doing: impl fmt::Display, error: impl fmt::Display) -> Self {
        ServeError {
            message: format!("{doing}: {error}"),
        }
    }
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ServeError {}

impl Server {
    /// Begins to listen, and to open the data directory.
    pub fn start(settings: Settings) -> Result<Server, ServeError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .max_blocking_threads(QUERIES_MAX + WRITES_MAX + CHORES_MAX + LOOKS_MAX + SPARE_THREADS)
            .thread_name("chronolith-http")
            .build()
            .map_err(|error| ServeError::new("cannot start threads", error))?;
        let prometheus_door = bind(&runtime, "--listen-prometheus", settings.listen_prometheus)?;
        let loki_door = bind(&runtime, "--listen-loki", settings.listen_loki)?;
        let otlp_door = bind(&runtime, "--listen-otlp-http", settings.listen_otlp_http)?;
        let grpc_door = bind(&runtime, "--listen-otlp-grpc", settings.listen_otlp_grpc)?;
        let app = Arc::new(App::new(settings));
        let (stop, stopped) = watch::channel(false);
        let (prometheus_address, loki_address) = (prometheus_door.1, loki_door.1);
        let (otlp_http_address, otlp_grpc_address) = (otlp_door.1, grpc_door.1);
        let otlp = prometheus::otlp_router(&app).merge(loki::otlp_router(&app));
        let calls = prometheus::otlp_calls().merge(loki::otlp_calls());
        let doors = vec![
            (prometheus_door.0, prometheus::router(&app), Speech::Http1),
            (loki_door.0, loki::router(&app), Speech::Http1),
            (otlp_door.0, otlp, Speech::Http1),
            (grpc_door.0, grpc::router(calls, &app), Speech::Http2),
        ];
        let doors = doors.into_iter().map(|(listener, router, speech)| {
            let app = Arc::clone(&app);
            runtime.spawn(accept::serve(
                listener,
                speech,
                router,
                app,
                stopped.clone(),
            ))
        });
        let doors = doors.collect();
        let opened = Arc::clone(&app);
        let opening = runtime.spawn_blocking(move || open(&opened));
        Ok(Server {
            runtime,
            app,
            prometheus_address,
            loki_address,
            otlp_http_address,
            otlp_grpc_address,
            stop,
            doors,
            opening: Some(opening),
        })
    }

    /// Where the Prometheus API listens; the port is chosen by the system where 0 was asked for.
    pub fn prometheus_address(&self) -> SocketAddr {
        self.prometheus_address
    }

    /// Where the Loki API listens.
    pub fn loki_address(&self) -> SocketAddr {
        self.loki_address
    }

    /// Where OTLP over HTTP listens.
    pub fn otlp_http_address(&self) -> SocketAddr {
        self.otlp_http_address
    }

    /// Where OTLP over gRPC listens.
    pub fn otlp_grpc_address(&self) -> SocketAddr {
        self.otlp_grpc_address
    }

    /// Waits until everything is recovered. What was recovered, in a sentence.
    pub fn wait_until_ready(&mut self) -> Result<String, ServeError> {
        match self.opening.take() {
            Some(opening) => self.runtime.block_on(opening).map_err(failed_job)?,
            None => Ok("ready".to_owned()),
        }
    }

    /// Runs until the process is told to stop by SIGTERM or SIGINT. Calls `recovered` with what
    /// [`Server::wait_until_ready`] says.
    pub fn run_until_signal(mut self, recovered: impl FnOnce(&str)) -> Result<(), ServeError> {
        let mut signal = {
            let _guard = self.runtime.enter();
            Signals::new().map_err(|error| ServeError::new("cannot listen for signals", error))?
        };
        let opening = self.opening.take();
        let opened = self.runtime.block_on(async {
            let opening = async {
                match opening {
                    Some(opening) => opening.await.map_err(failed_job)?,
                    None => Ok("ready".to_owned()),
                }
            };
            tokio::select! {
                opened = opening => opened.map(Some),
                () = signal.wait() => Ok(None),
            }
        })?;
        if let Some(text) = opened {
            recovered(&text);
            self.runtime.block_on(signal.wait());
        }
        self.stop()
    }

    /// Takes no more requests, answers those at hand, and closes the data directory.
    pub fn stop(mut self) -> Result<(), ServeError> {
        // An engine that is being opened cannot be told to stop; what it opens is closed below.
        let opened = self
            .opening
            .take()
            .map(|opening| self.runtime.block_on(opening));
        let engine = self.app.shut();
        let _ = self.stop.send(true);
        let doors = std::mem::take(&mut self.doors);
        self.runtime.block_on(async {
            for door in doors {
                let _ = door.await;
            }
        });
        if let Some(Ok(Err(error))) = opened {
            return Err(error);
        }
        match engine {
            Some(engine) => self.runtime.block_on(close(engine)),
            None => Ok(()),
        }
    }
}

/// A listener, and where it listens.
fn bind(
    runtime: &Runtime,
    flag: &str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), ServeError> {
    let bound = runtime.block_on(async {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok::<_, std::io::Error>((listener, address))
    });
    bound.map_err(|error| ServeError::new(format!("cannot listen on {address} ({flag})"), error))
}

fn failed_job(error: tokio::task::JoinError) -> ServeError {
    ServeError::new("opening the data directory failed", error)
}

/// Opens the data directory and lets requests in. Blocks.
fn open(app: &App) -> Result<String, ServeError> {
    let settings = &app.settings;
    let options = Options {
        limits: Limits {
            retention: settings.retention,
            late_max: settings.out_of_order_window,
            ..Limits::default()
        },
        ..Options::default()
    };
    let named = || format!("cannot open the data directory {}", settings.data.display());
    let engine =
        Engine::open(&settings.data, options).map_err(|error| ServeError::new(named(), error))?;
    let limits = Limits {
        retention: settings.retention,
        line_bytes_max: settings.logs.line_bytes_max,
        ..Limits::default()
    };
    let logs = engine.logs();
    logs.and_then(|logs| logs.set_limits(limits))
        .map_err(|error| ServeError::new(named(), error))?;
    let stats = engine.stats();
    let damage = engine.damage().len();
    let mut text = format!(
        "recovered {} series in memory from {} bytes of log, {} bytes in blocks",
        stats.head_series, stats.wal_bytes, stats.block_bytes
    );
    if damage > 0 {
        text.push_str(&format!("; {damage} damaged places were passed over"));
    }
    app.open(engine);
    Ok(text)
}

/// Closes the engine once the last request has let go of it, or leaves closing to that request
/// where it takes too long.
async fn close(mut engine: Arc<Engine>) -> Result<(), ServeError> {
    let looks = accept::DRAIN_TIMEOUT.as_millis() / LOOK.as_millis();
    for _ in 0..looks {
        match Arc::try_unwrap(engine) {
            Ok(engine) => {
                let closed = tokio::task::spawn_blocking(move || engine.close()).await;
                return match closed {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(error)) => Err(ServeError::new("closing the data directory", error)),
                    Err(error) => Err(ServeError::new("closing the data directory", error)),
                };
            }
            Err(held) => engine = held,
        }
        tokio::time::sleep(LOOK).await;
    }
    Err(ServeError::new(
        "a request did not end in time",
        "the data directory was not closed",
    ))
}

/// What tells the process to stop.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

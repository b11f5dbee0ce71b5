//! The server: from settings to listening sockets, through recovery, to a clean end.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chronolith_engine::{DEFAULT_TENANT, Engine, Options};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::app::{App, CHORES_MAX, LOOKS_MAX, limit, metric_limits};
use crate::config::Load;
use crate::doors::accept::{self, Speech};
use crate::doors::grpc;
use crate::http::background;
use crate::journal::Level;
use crate::loki;
use crate::prometheus;
use crate::reload;
use crate::security::Security;
use crate::settings::Settings;
use crate::settings::shape::Shape;
use crate::supervisor;

mod trouble;

/// How long to wait between two looks at whether the engine is let go of.
const LOOK: Duration = Duration::from_millis(10);

/// How long to wait between two looks at whether certificates have changed.
const FILES_LOOK: Duration = Duration::from_secs(30);

/// Threads for blocking work beyond what the lanes hold: opening, closing, own metrics.
const SPARE_THREADS: usize = 8;

/// A server that listens. It answers "not ready" until its data is recovered.
pub struct Server {
    runtime: Runtime,
    _query_threads: Runtime,
    app: Arc<App>,
    prometheus_address: SocketAddr,
    loki_address: SocketAddr,
    otlp_http_address: SocketAddr,
    admin_address: Option<SocketAddr>,
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
    /// Begins to listen, and to open the data directory. The settings stay as they are.
    pub fn start(settings: Settings) -> Result<Server, ServeError> {
        let same = settings.clone();
        Server::start_with(settings, Box::new(move || Ok(same.clone())))
    }

    /// The same, for settings that may be read again.
    pub(crate) fn start_with(settings: Settings, load: Load) -> Result<Server, ServeError> {
        let jobs = settings.writes_max + CHORES_MAX + LOOKS_MAX;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .max_blocking_threads(jobs + SPARE_THREADS)
            .thread_name("chronolith-http")
            .build()
            .map_err(|error| ServeError::new("cannot start threads", error))?;
        let query_threads = query_threads(&settings)
            .map_err(|error| ServeError::new("cannot start threads", error))?;
        let prometheus_door = bind(&runtime, "--listen-prometheus", settings.listen_prometheus)?;
        let loki_door = bind(&runtime, "--listen-loki", settings.listen_loki)?;
        let otlp_door = bind(&runtime, "--listen-otlp-http", settings.listen_otlp_http)?;
        let grpc_door = bind(&runtime, "--listen-otlp-grpc", settings.listen_otlp_grpc)?;
        let admin_door = match settings.listen_admin {
            Some(address) => Some(bind(&runtime, "--listen-admin", address)?),
            None => None,
        };
        let security = Security::open(&settings)
            .map_err(|error| ServeError::new("cannot use --web-config-file", error))?;
        let mut app = App::new(settings, load, security);
        app.queries.run_on(query_threads.handle());
        let app = Arc::new(app);
        let (stop, stopped) = watch::channel(false);
        let (prometheus_address, loki_address) = (prometheus_door.1, loki_door.1);
        let (otlp_http_address, otlp_grpc_address) = (otlp_door.1, grpc_door.1);
        let otlp = prometheus::otlp_router(&app).merge(loki::otlp_router(&app));
        let calls = prometheus::otlp_calls().merge(loki::otlp_calls());
        let mut doors = vec![
            (prometheus_door.0, prometheus::router(&app), Speech::Http1),
            (loki_door.0, loki::router(&app), Speech::Http1),
            (otlp_door.0, otlp, Speech::Http1),
            (grpc_door.0, grpc::router(calls, &app), Speech::Http2),
        ];
        let admin_address = admin_door.as_ref().map(|door| door.1);
        if let Some((listener, _)) = admin_door {
            let admin = prometheus::admin_router(&app).merge(loki::admin_router(&app));
            doors.push((listener, admin, Speech::Http1));
        }
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
        let mut doors: Vec<_> = doors.collect();
        doors.push(runtime.spawn(watch_files(Arc::clone(&app), stopped.clone())));
        doors.push(runtime.spawn(trouble::watch(Arc::clone(&app), stopped)));
        let opened = Arc::clone(&app);
        let opening = runtime.spawn_blocking(move || open(&opened));
        Ok(Server {
            runtime,
            _query_threads: query_threads,
            app,
            prometheus_address,
            loki_address,
            otlp_http_address,
            admin_address,
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

    /// Whether the doors speak TLS.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.app.security.policy().tls.is_some()
    }

    /// Where the Loki API listens.
    pub fn loki_address(&self) -> SocketAddr {
        self.loki_address
    }

    /// Where OTLP over HTTP listens.
    pub fn otlp_http_address(&self) -> SocketAddr {
        self.otlp_http_address
    }

    /// Where administrative paths are answered, if that is an address of their own.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// Reads the web configuration and its certificates again. What was in force stays if anything
    /// is wrong with them.
    pub fn reload(&self) -> Result<(), ServeError> {
        let reloaded = self.app.security.reload();
        reloaded.map_err(|error| ServeError::new("the web configuration was not reloaded", error))
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

    /// Runs until the process is told to stop by SIGTERM or SIGINT; SIGHUP reads the configuration
    /// again. The journal and the service manager are told what happens.
    pub fn run_until_signal(mut self) -> Result<(), ServeError> {
        let mut signal = {
            let _guard = self.runtime.enter();
            Signals::new().map_err(|error| ServeError::new("cannot listen for signals", error))?
        };
        let opening = self.opening.take();
        let journal = self.app.journal;
        let opened = self.runtime.block_on(async {
            let opening = async {
                match opening {
                    Some(opening) => opening.await.map_err(failed_job)?,
                    None => Ok("ready".to_owned()),
                }
            };
            tokio::select! {
                opened = opening => opened.map(Some),
                () = signal.stop() => Ok(None),
            }
        })?;
        if let Some(text) = opened {
            journal.say(Level::Notice, &text, &[]);
            supervisor::tell("READY=1");
            self.runtime.block_on(self.watch(&mut signal));
        }
        supervisor::tell("STOPPING=1");
        let stopped = self.stop();
        if stopped.is_ok() {
            journal.say(Level::Notice, "stopped", &[]);
        }
        stopped
    }

    /// Lets the supervisor know that the server lives, and reads the configuration again when it
    /// is told to, until it is told to stop.
    async fn watch(&self, signal: &mut Signals) {
        // Without a watchdog there is nobody to tell.
        let every = supervisor::watchdog().unwrap_or(Duration::MAX);
        loop {
            tokio::select! {
                _ = signal.terminate.recv() => return,
                _ = signal.interrupt.recv() => return,
                _ = signal.hangup.recv() => {
                    supervisor::tell(&supervisor::reloading());
                    let app = Arc::clone(&self.app);
                    // How it went is told in the journal.
                    let _ = tokio::task::spawn_blocking(move || reload::reload(&app)).await;
                    supervisor::tell("READY=1");
                }
                () = tokio::time::sleep(every) => supervisor::tell("WATCHDOG=1"),
            }
        }
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
        let drain = self.app.settings().http.drain_timeout;
        match engine {
            Some(engine) => self.runtime.block_on(close(engine, drain)),
            None => Ok(()),
        }
    }
}

/// Reloads the web configuration when its files change.
async fn watch_files(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let journal = app.journal;
    loop {
        tokio::select! {
            _ = stop.changed() => return,
            () = tokio::time::sleep(FILES_LOOK) => {}
        }
        let app = Arc::clone(&app);
        let reloaded = tokio::task::spawn_blocking(move || match app.security.has_changed() {
            true => app.security.reload(),
            false => Ok(()),
        });
        if let Ok(Err(error)) = reloaded.await {
            let pairs = [("why", error.into())];
            let message = "the web configuration in force is kept";
            journal.say(Level::Error, message, &pairs);
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

/// Threads for as many queries as run at once.
fn query_threads(settings: &Settings) -> std::io::Result<Runtime> {
    // Up to 19: a setting beyond is refused.
    let nice = i32::try_from(settings.query.nice).unwrap_or(0);
    background::runtime(settings.query.concurrent_max, nice)
}

fn failed_job(error: tokio::task::JoinError) -> ServeError {
    ServeError::new("opening the data directory failed", error)
}

/// What settings mean to the engine.
fn options(settings: &Settings) -> Options {
    Options {
        durability: settings.durability,
        wal_bytes_max: settings.store.wal_bytes_max,
        head_bytes_max: settings.store.head_bytes_max,
        series_max: settings.store.series_max as u64,
        cache_bytes_max: settings.store.cache_bytes_max,
        open_files_max: settings.store.open_files_max,
        reserve_bytes: settings.store.reserve_bytes,
        compaction_percent: settings.store.compaction_percent,
        retention_bytes_max: settings.retention_bytes_max,
        limits: metric_limits(settings),
        ..Options::default()
    }
}

/// Opens the data directory and lets requests in. Blocks.
fn open(app: &App) -> Result<String, ServeError> {
    let settings = app.settings();
    let options = options(&settings);
    let named = || format!("cannot open the data directory {}", settings.data.display());
    let engine = Engine::open_watched(&settings.data, options, &app.progress)
        .map_err(|error| ServeError::new(named(), error))?;
    for name in engine.tenants() {
        limit(&engine, &name, &app.settings_of(&name))
            .map_err(|error| ServeError::new(named(), error))?;
    }
    limit(&engine, DEFAULT_TENANT, &app.settings_of(DEFAULT_TENANT))
        .map_err(|error| ServeError::new(named(), error))?;
    let stats = engine.stats();
    let damage = engine.damage().len();
    let mut text = format!(
        "recovered {} series in memory from {} bytes of log, {} bytes in blocks",
        stats.head_series, stats.wal_bytes, stats.block_bytes
    );
    if let Some(memory) = settings.memory_max {
        text.push_str(&format!(
            "; of {} of memory {} are for entries, {} for pages, {} for bodies",
            memory.show(),
            settings.store.head_bytes_max.show(),
            settings.store.cache_bytes_max.show(),
            settings.http.held_bytes_max.show(),
        ));
    }
    if damage > 0 {
        text.push_str(&format!("; {damage} damaged places were passed over"));
    }
    app.open(engine);
    Ok(text)
}

/// Closes the engine once the last request has let go of it, or leaves closing to that request
/// where it takes too long.
async fn close(mut engine: Arc<Engine>, drain: Duration) -> Result<(), ServeError> {
    let looks = drain.as_millis() / LOOK.as_millis();
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

/// What tells the process to stop, and to read its configuration again.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits until the process is told to stop.
    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests;

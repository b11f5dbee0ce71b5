//! What all doors share: the engine once it is open, the lanes, the meters.

use std::sync::{Arc, Mutex, RwLock};
use std::time::{Instant, SystemTime};

use chronolith_engine::logs::Lines;
use chronolith_engine::metrics::Samples;
use chronolith_engine::{Engine, EngineStats, Store, StoreStats};

use crate::http::grpc::Bodies;
use crate::http::lane::Lane;
use crate::http::problem::{Cause, Problem};
use crate::ingest::logs::tails::Tails;
use crate::ingest::{Families, Intake};
use crate::meters::{Meters, Text};
use crate::settings::Settings;
use crate::wire::otlp::deltas::Deltas;

/// Queries that run at once, as in Prometheus.
pub(crate) const QUERIES_MAX: usize = 20;
/// Queries that may wait for one of these to end.
const WAITING_QUERIES_MAX: usize = 256;
/// Writes that run at once. More share a sync of the log, so this is above the number of cores.
pub(crate) const WRITES_MAX: usize = 32;
/// Writes that may wait for one of these to end.
const WAITING_WRITES_MAX: usize = 1024;
/// Administrative jobs that run at once.
pub(crate) const CHORES_MAX: usize = 2;
const WAITING_CHORES_MAX: usize = 16;
/// Live tails that look at new lines at once.
pub(crate) const LOOKS_MAX: usize = 4;
/// Those that may wait for one of these to end.
const WAITING_LOOKS_MAX: usize = 256;
/// Bytes of the bodies of all calls of gRPC at hand: connections have many calls at once.
const CALL_BYTES_MAX: usize = 256 << 20;

/// What the handlers of all doors share.
pub(crate) struct App {
    pub(crate) settings: Settings,
    pub(crate) meters: Meters,
    pub(crate) queries: Lane,
    pub(crate) writes: Lane,
    pub(crate) chores: Lane,
    /// What points of delta temporality have been added up to. Requests that have such points take
    /// turns.
    pub(crate) deltas: Mutex<Deltas>,
    pub(crate) looks: Lane,
    /// What calls of gRPC hold while they come and until they are stored.
    pub(crate) calls: Bodies,
    /// Those who wait for new lines.
    pub(crate) tails: Tails,
    /// Metadata that is known to be stored.
    pub(crate) families: Families,
    pub(crate) started: SystemTime,
    since: Instant,
    phase: RwLock<Phase>,
}

/// Where the server is in its life.
#[derive(Clone)]
enum Phase {
    Recovering,
    Ready(Arc<Engine>),
    Stopping,
}

impl App {
    pub(crate) fn new(settings: Settings) -> Self {
        App {
            meters: Meters::default(),
            queries: Lane::new("queries", QUERIES_MAX, WAITING_QUERIES_MAX),
            writes: Lane::new("writes", WRITES_MAX, WAITING_WRITES_MAX),
            chores: Lane::new("administrative requests", CHORES_MAX, WAITING_CHORES_MAX),
            deltas: Mutex::new(Deltas::new(settings.otlp_delta_series_max)),
            looks: Lane::new("live tails", LOOKS_MAX, WAITING_LOOKS_MAX),
            calls: Bodies::new(CALL_BYTES_MAX),
            tails: Tails::default(),
            families: Families::default(),
            started: SystemTime::now(),
            since: Instant::now(),
            phase: RwLock::new(Phase::Recovering),
            settings,
        }
    }

    fn phase(&self) -> Phase {
        let phase = self.phase.read();
        phase.map_or(Phase::Stopping, |phase| phase.clone())
    }

    /// Lets requests in: everything is recovered. Too late once the server stops; the engine is
    /// then closed again.
    pub(crate) fn open(&self, engine: Engine) {
        if let Ok(mut phase) = self.phase.write()
            && matches!(*phase, Phase::Recovering)
        {
            *phase = Phase::Ready(Arc::new(engine));
        }
    }

    /// Lets no more requests in. The engine, if it was open.
    pub(crate) fn shut(&self) -> Option<Arc<Engine>> {
        let mut phase = self.phase.write().ok()?;
        self.tails.stop();
        match std::mem::replace(&mut *phase, Phase::Stopping) {
            Phase::Ready(engine) => Some(engine),
            Phase::Recovering | Phase::Stopping => None,
        }
    }

    /// Whether requests are let in.
    pub(crate) fn is_ready(&self) -> bool {
        matches!(self.phase(), Phase::Ready(_))
    }

    /// Whether the server has been told to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        matches!(self.phase(), Phase::Stopping)
    }

    /// The engine, unless it is not open yet or not any more.
    pub(crate) fn engine(&self) -> Result<Arc<Engine>, Problem> {
        match self.phase() {
            Phase::Ready(engine) => Ok(engine),
            Phase::Recovering => Err(Problem::new(Cause::Unavailable, "the server is starting")),
            Phase::Stopping => Err(Problem::new(Cause::Unavailable, "the server is stopping")),
        }
    }

    /// Where pushed data goes.
    pub(crate) fn intake<'a>(&'a self, engine: &'a Engine) -> Intake<'a> {
        Intake {
            engine,
            families: &self.families,
            meters: &self.meters,
        }
    }

    /// The metrics of the one tenant that this door knows.
    pub(crate) fn metrics(&self) -> Result<Store<Samples>, Problem> {
        Ok(self.engine()?.metrics()?)
    }

    /// The logs of the one tenant.
    pub(crate) fn logs(&self) -> Result<Store<Lines>, Problem> {
        Ok(self.engine()?.logs()?)
    }

    /// The server's own metrics in text format.
    pub(crate) fn own_metrics(&self) -> String {
        let mut out = Text::default();
        let version = env!("CARGO_PKG_VERSION");
        out.family("chronolith_build_info", "gauge", "Which version this is.");
        out.sample(
            "chronolith_build_info",
            &format!("{{version=\"{version}\"}}"),
            1.0,
        );
        let started = self.started.duration_since(SystemTime::UNIX_EPOCH);
        out.gauge(
            "process_start_time_seconds",
            "When the process began to serve, since 1970.",
            started.map_or(0.0, |started| started.as_secs_f64()),
        );
        out.gauge(
            "chronolith_uptime_seconds",
            "For how long it has been serving.",
            self.since.elapsed().as_secs_f64(),
        );
        out.gauge(
            "chronolith_ready",
            "Whether everything is recovered and requests are let in.",
            f64::from(u8::from(self.is_ready())),
        );
        let deltas = self.deltas.lock().map_or(0, |deltas| deltas.len());
        out.gauge(
            "chronolith_otlp_delta_series",
            "Series of delta temporality that are added up.",
            deltas as f64,
        );
        self.meters.write(&mut out);
        if let Ok(engine) = self.engine() {
            write_engine(&mut out, &engine.stats());
            if let Ok(store) = engine.metrics() {
                write_store(&mut out, "metrics", &store.stats(), store.damage().len());
            }
            if let Ok(store) = engine.logs() {
                write_store(&mut out, "logs", &store.stats(), store.damage().len());
            }
        }
        out.into_string()
    }
}

fn write_engine(out: &mut Text, stats: &EngineStats) {
    let gauges = [
        ("head_series", "Series in memory.", stats.head_series),
        (
            "head_bytes",
            "Bytes that entries take in memory.",
            stats.head_bytes,
        ),
        ("wal_bytes", "Bytes of the log.", stats.wal_bytes),
        ("block_bytes", "Bytes of all blocks.", stats.block_bytes),
    ];
    for (name, help, value) in gauges {
        out.gauge(&format!("chronolith_engine_{name}"), help, value as f64);
    }
    out.counter(
        "chronolith_engine_cache_hits_total",
        "Page reads that the cache answered.",
        stats.cache_hits as f64,
    );
    out.counter(
        "chronolith_engine_cache_misses_total",
        "Page reads that went to the disk.",
        stats.cache_misses as f64,
    );
}

fn write_store(out: &mut Text, kind: &str, stats: &StoreStats, damage: usize) {
    let gauges = [
        (
            "head_series",
            "Series known to the head.",
            stats.head_series,
        ),
        ("head_entries", "Entries in memory.", stats.head_entries),
        ("blocks", "Sealed blocks.", stats.blocks),
        ("block_bytes", "Their size on disk.", stats.block_bytes),
        ("block_entries", "Their entries.", stats.block_entries),
        (
            "expired_blocks",
            "Blocks of which nothing is kept any more.",
            stats.expired_blocks,
        ),
        (
            "damaged",
            "Damage met since the store was opened.",
            damage as u64,
        ),
    ];
    for (name, help, value) in gauges {
        out.gauge(&format!("chronolith_{kind}_{name}"), help, value as f64);
    }
    let counters = [
        (
            "frozen_bytes",
            "Bytes of blocks that freezes have written.",
            stats.frozen_bytes,
        ),
        (
            "merged_bytes",
            "Bytes of blocks that merges have written.",
            stats.merged_bytes,
        ),
        ("merges", "Merges.", stats.merges),
        (
            "dropped_blocks",
            "Blocks that retention has dropped.",
            stats.dropped_blocks,
        ),
    ];
    for (name, help, value) in counters {
        out.counter(
            &format!("chronolith_{kind}_{name}_total"),
            help,
            value as f64,
        );
    }
}

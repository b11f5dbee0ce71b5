//! What all doors share: the engine once it is open, the lanes, the meters.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Instant, SystemTime};

use chronolith_engine::{Engine, EngineStats, Error, Progress, StoreStats};
use chronolith_query::promql::Room;

use crate::config::{Load, Reloads};
use crate::http::bodies::Bodies;
use crate::http::lane::Lane;
use crate::http::problem::{Cause, Problem};
use crate::ingest::Families;
use crate::ingest::logs::tails::Tails;
use crate::ingest::pace::Paces;
use crate::journal::Journal;
use crate::meters::{Limit, Meters, Text};
use crate::security::Security;
use crate::settings::Settings;
use crate::settings::tenants::Resolved;
use crate::wire::otlp::deltas::Deltas;

mod active;
mod limits;
mod scope;

pub(crate) use active::{Active, Place, Query, Question, Sort, Watch};
pub(crate) use limits::{limit, metric_limits};
pub(crate) use scope::{Scope, TenantName};

/// Administrative jobs that run at once.
pub(crate) const CHORES_MAX: usize = 2;
const WAITING_CHORES_MAX: usize = 16;
/// Live tails that look at new lines at once.
pub(crate) const LOOKS_MAX: usize = 4;
/// Those that may wait for one of these to end.
const WAITING_LOOKS_MAX: usize = 256;

/// After how many seconds a client may ask again whether the server is ready.
pub(crate) const READY_RETRY_SECONDS: u32 = 1;

/// What the handlers of all doors share.
pub(crate) struct App {
    settings: RwLock<Arc<Resolved>>,
    pub(crate) journal: Journal,
    pub(crate) reloads: Reloads,
    pub(crate) security: Security,
    pub(crate) meters: Meters,
    pub(crate) queries: Lane,
    pub(crate) writes: Lane,
    pub(crate) chores: Lane,
    /// What points of delta temporality have been added up to, tenant by tenant. Requests that have
    /// such points take turns.
    deltas: Mutex<BTreeMap<Arc<str>, Arc<Mutex<Deltas>>>>,
    /// Held while a tenant is made.
    making: Mutex<()>,
    pub(crate) looks: Lane,
    /// What pushed bodies hold while they come and until they are stored.
    pub(crate) bodies: Bodies,
    /// Those who wait for new lines.
    pub(crate) tails: Tails,
    /// Queries that are being answered.
    pub(crate) active: Active,
    /// What they may hold together.
    pub(crate) room: Room,
    /// How much of late each tenant has pushed.
    pub(crate) paces: Paces,
    /// Metadata that is known to be stored.
    pub(crate) families: Families,
    pub(crate) started: SystemTime,
    since: Instant,
    phase: RwLock<Phase>,
    /// How far recovery is.
    pub(crate) progress: Progress,
}

/// Where the server is in its life.
#[derive(Clone)]
enum Phase {
    Recovering,
    Ready(Arc<Engine>),
    Stopping,
}

impl App {
    pub(crate) fn new(settings: Settings, load: Load, security: Security) -> Self {
        App {
            security,
            meters: Meters::default(),
            queries: Lane::new(
                "queries",
                Limit::WaitingQueries,
                settings.query.concurrent_max,
                settings.query.waiting_max,
            ),
            writes: Lane::new(
                "writes",
                Limit::WaitingWrites,
                settings.writes_max,
                settings.writes_waiting_max,
            ),
            chores: Lane::new(
                "administrative requests",
                Limit::WaitingChores,
                CHORES_MAX,
                WAITING_CHORES_MAX,
            ),
            deltas: Mutex::default(),
            making: Mutex::default(),
            looks: Lane::new(
                "live tails",
                Limit::WaitingLooks,
                LOOKS_MAX,
                WAITING_LOOKS_MAX,
            ),
            bodies: Bodies::new(settings.http.held_bytes_max),
            tails: Tails::default(),
            active: Active::default(),
            room: Room::new(settings.query.all_samples_max),
            paces: Paces::default(),
            families: Families::default(),
            started: SystemTime::now(),
            since: Instant::now(),
            phase: RwLock::new(Phase::Recovering),
            progress: Progress::new(),
            reloads: Reloads::new(load),
            journal: Journal::new(settings.journal.format),
            settings: RwLock::new(Arc::new(Resolved::new(settings))),
        }
    }

    fn resolved(&self) -> Arc<Resolved> {
        match self.settings.read() {
            Ok(settings) => Arc::clone(&settings),
            Err(poisoned) => Arc::clone(&poisoned.into_inner()),
        }
    }

    /// What the operator has chosen, as of this moment.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(self.resolved().of_all())
    }

    /// The same for one tenant.
    pub(crate) fn settings_of(&self, tenant: &str) -> Arc<Settings> {
        Arc::clone(self.resolved().of(tenant))
    }

    /// Puts other settings in force: all tenants have their limits, or what was in force stays.
    /// Blocks.
    pub(crate) fn set_settings(&self, engine: &Engine, settings: Settings) -> Result<(), Error> {
        // No tenant is made meanwhile, which would have the limits of before.
        let _making = self.making.lock();
        let (before, after) = (self.resolved(), Arc::new(Resolved::new(settings)));
        let tenants = engine.tenants();
        for (count, tenant) in tenants.iter().enumerate() {
            let Err(error) = limit(engine, tenant, after.of(tenant)) else {
                continue;
            };
            for tenant in &tenants[..=count] {
                // These limits were taken before, so they are again.
                let _ = limit(engine, tenant, before.of(tenant));
            }
            return Err(error);
        }
        match self.settings.write() {
            Ok(mut held) => *held = after,
            Err(poisoned) => *poisoned.into_inner() = after,
        }
        Ok(())
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

    /// How far recovery is, in words.
    pub(crate) fn recovering(&self) -> String {
        let (done, all) = (self.progress.replayed_bytes(), self.progress.total_bytes());
        format!("the server is starting: {done} of {all} bytes of the log are recovered")
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
            Phase::Recovering => {
                let starting = Problem::new(Cause::Unavailable, self.recovering());
                Err(starting.again_in(READY_RETRY_SECONDS))
            }
            Phase::Stopping => Err(Problem::new(Cause::Unavailable, "the server is stopping")),
        }
    }

    /// The server's own metrics in text format.
    pub(crate) fn own_metrics(&self) -> String {
        let mut out = Text::default();
        self.write_process(&mut out);
        let deltas = self.deltas.lock().map_or(0, |all| {
            let counts = all.values().map(|deltas| deltas.lock());
            counts
                .map(|deltas| deltas.map_or(0, |deltas| deltas.len()))
                .sum()
        });
        out.gauge(
            "chronolith_otlp_delta_series",
            "Series of delta temporality that are added up.",
            deltas as f64,
        );
        out.gauge(
            "chronolith_query_samples",
            "Samples that queries hold, lines counted as such.",
            self.room.held() as f64,
        );
        self.bodies.write(&mut out);
        self.meters.write(&mut out);
        self.security.write(&mut out);
        self.active.write(&mut out);
        self.write_lanes(&mut out);
        self.paces.write(&mut out, self.settings().multi_tenant);
        if let Ok(engine) = self.engine() {
            write_engine(&mut out, &engine.stats());
            self.write_tenants(&mut out, &engine);
        }
        out.into_string()
    }

    /// What this process is, since when, and how it was started.
    fn write_process(&self, out: &mut Text) {
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
        out.gauge(
            "chronolith_recovery_replayed_bytes",
            "Bytes of the log that recovery has read back.",
            self.progress.replayed_bytes() as f64,
        );
        out.gauge(
            "chronolith_recovery_total_bytes",
            "Bytes that the log had when recovery began.",
            self.progress.total_bytes() as f64,
        );
        let reload = self.reloads.last();
        let success = reload.success.duration_since(SystemTime::UNIX_EPOCH);
        out.gauge(
            "chronolith_config_last_reload_successful",
            "Whether the configuration was read without a fault when it was read last.",
            f64::from(u8::from(reload.succeeded)),
        );
        out.gauge(
            "chronolith_config_last_reload_success_timestamp_seconds",
            "When it was last read without a fault, since 1970.",
            success.map_or(0.0, |success| success.as_secs_f64()),
        );
    }

    /// The lanes, by the names that labels have.
    pub(crate) fn lanes(&self) -> [(&'static str, &Lane); 4] {
        [
            ("queries", &self.queries),
            ("writes", &self.writes),
            ("chores", &self.chores),
            ("tails", &self.looks),
        ]
    }

    fn write_lanes(&self, out: &mut Text) {
        const NAME: &str = "chronolith_lane_jobs";
        out.family(NAME, "gauge", "Blocking work that runs and that waits.");
        for (name, lane) in self.lanes() {
            let (running, waiting) = lane.load();
            for (state, count) in [("running", running), ("waiting", waiting)] {
                let labels = format!("{{lane=\"{name}\",state=\"{state}\"}}");
                out.sample(NAME, &labels, count as f64);
            }
        }
    }

    /// What the stores of all tenants hold together, and how much each tenant has.
    fn write_tenants(&self, out: &mut Text, engine: &Engine) {
        let (mut metrics, mut logs) = (Sums::default(), Sums::default());
        let names = engine.tenants();
        let mut of_each = Vec::new();
        for name in &names {
            let Ok(tenant) = engine.tenant_to_read(name) else {
                continue;
            };
            if let Ok(store) = tenant.metrics() {
                metrics.add(store.stats(), store.damage().len());
                of_each.push((name, "metrics", store.stats()));
            }
            if let Ok(store) = tenant.logs() {
                logs.add(store.stats(), store.damage().len());
                of_each.push((name, "logs", store.stats()));
            }
        }
        write_stores(out, "metrics", &metrics);
        write_stores(out, "logs", &logs);
        out.gauge("chronolith_tenants", "Tenants.", names.len() as f64);
        if !self.settings().multi_tenant {
            return;
        }
        // There are no more of them than are allowed, and their names need no escapes.
        type Figure = (&'static str, &'static str, fn(&StoreStats) -> u64);
        let figures: [Figure; 2] = [
            (
                "chronolith_tenant_head_series",
                "Series known to the heads of a tenant.",
                |stats| stats.head_series,
            ),
            (
                "chronolith_tenant_block_bytes",
                "Bytes of the blocks of a tenant.",
                |stats| stats.block_bytes,
            ),
        ];
        for (family, help, value) in figures {
            out.family(family, "gauge", help);
            for (name, kind, stats) in &of_each {
                let labels = format!("{{tenant=\"{name}\",kind=\"{kind}\"}}");
                out.sample(family, &labels, value(stats) as f64);
            }
        }
    }
}

/// Figures of the stores of one kind.
#[derive(Default)]
struct Sums {
    stores: Vec<StoreStats>,
    damage: usize,
}

impl Sums {
    fn add(&mut self, stats: StoreStats, damage: usize) {
        self.stores.push(stats);
        self.damage += damage;
    }

    fn of(&self, figure: impl Fn(&StoreStats) -> u64) -> u64 {
        self.stores.iter().map(figure).sum()
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

fn write_stores(out: &mut Text, kind: &str, sums: &Sums) {
    let gauges = [
        (
            "head_series",
            "Series known to the head.",
            sums.of(|stats| stats.head_series),
        ),
        (
            "head_entries",
            "Entries in memory.",
            sums.of(|stats| stats.head_entries),
        ),
        ("blocks", "Sealed blocks.", sums.of(|stats| stats.blocks)),
        (
            "block_bytes",
            "Their size on disk.",
            sums.of(|stats| stats.block_bytes),
        ),
        (
            "block_entries",
            "Their entries.",
            sums.of(|stats| stats.block_entries),
        ),
        (
            "expired_blocks",
            "Blocks of which nothing is kept any more.",
            sums.of(|stats| stats.expired_blocks),
        ),
        (
            "damaged",
            "Damage met since the store was opened.",
            sums.damage as u64,
        ),
    ];
    for (name, help, value) in gauges {
        out.gauge(&format!("chronolith_{kind}_{name}"), help, value as f64);
    }
    let counters = [
        (
            "frozen_bytes",
            "Bytes of blocks that freezes have written.",
            sums.of(|stats| stats.frozen_bytes),
        ),
        (
            "merged_bytes",
            "Bytes of blocks that merges have written.",
            sums.of(|stats| stats.merged_bytes),
        ),
        ("merges", "Merges.", sums.of(|stats| stats.merges)),
        (
            "dropped_blocks",
            "Blocks that retention has dropped.",
            sums.of(|stats| stats.dropped_blocks),
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

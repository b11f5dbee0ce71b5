//! What all doors share: the engine once it is open, the lanes, the meters.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Instant, SystemTime};

use chronolith_engine::{Engine, Error, Progress};
use chronolith_query::promql::Room;

use crate::config::{Load, Reloads};
use crate::http::bodies::Bodies;
use crate::http::lane::Lane;
use crate::http::problem::{Cause, Problem};
use crate::ingest::Families;
use crate::ingest::logs::tails::Tails;
use crate::ingest::pace::Paces;
use crate::journal::Journal;
use crate::meters::{Limit, Meters};
use crate::security::Security;
use crate::settings::Settings;
use crate::settings::tenants::Resolved;
use crate::wire::otlp::deltas::Deltas;

mod active;
mod limits;
mod own;
mod process;
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

    /// The lanes, by the names that labels have.
    pub(crate) fn lanes(&self) -> [(&'static str, &Lane); 4] {
        [
            ("queries", &self.queries),
            ("writes", &self.writes),
            ("chores", &self.chores),
            ("tails", &self.looks),
        ]
    }
}

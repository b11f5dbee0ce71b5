//! One tenant: its metrics, its logs, and what stands beside the metrics.

use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};

use crate::config::Limits;
use crate::engine::Mode;
use crate::error::{Error, ErrorKind, Result};
use crate::kind::Kind;
use crate::kind::lines::Lines;
use crate::kind::samples::Samples;
use crate::manifest::Manifest;
use crate::store::recover::StorePlace;
use crate::store::shared::{AnyStore, Shared};
use crate::store::{LimitsCell, Store};
use crate::wal::TENANT_BYTES_MAX;

/// The folder of all tenants' folders.
pub(crate) const TENANTS: &str = "tenants";

/// Streams of the log, and the folder of each.
const METRICS: (u8, &str) = (1, "metrics");
const LOGS: (u8, &str) = (2, "logs");
/// Exemplars are lines beside the series: a store of their own keeps them out of log answers.
const EXEMPLARS: (u8, &str) = (3, "exemplars");

/// All of them.
pub(crate) const STREAMS: [(u8, &str); 3] = [METRICS, LOGS, EXEMPLARS];

/// One tenant's stores. A handle: clones are the same tenant.
#[derive(Clone)]
pub struct Tenant {
    parts: Arc<Parts>,
}

struct Parts {
    shared: Arc<Shared>,
    mode: Mode,
    name: Arc<str>,
    directory: PathBuf,
    metrics: Slot<Samples>,
    logs: Slot<Lines>,
    exemplars: Slot<Lines>,
}

/// A store that is opened when it is first asked for.
struct Slot<K: Kind> {
    stream: (u8, &'static str),
    limits: LimitsCell,
    store: Mutex<Option<Store<K>>>,
}

impl<K: Kind> Slot<K> {
    fn new(stream: (u8, &'static str), limits: LimitsCell) -> Self {
        Slot {
            stream,
            limits,
            store: Mutex::default(),
        }
    }
}

impl Tenant {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        mode: Mode,
        name: Arc<str>,
        directory: PathBuf,
        limits: Limits,
    ) -> Self {
        let limits = Arc::new(limits);
        let cell = || Arc::new(RwLock::new(Arc::clone(&limits)));
        // Exemplars follow the metrics: they are kept as long as the samples of their series.
        let of_metrics: LimitsCell = cell();
        let parts = Parts {
            shared: Arc::clone(shared),
            mode,
            name,
            directory,
            metrics: Slot::new(METRICS, Arc::clone(&of_metrics)),
            logs: Slot::new(LOGS, cell()),
            exemplars: Slot::new(EXEMPLARS, of_metrics),
        };
        Tenant {
            parts: Arc::new(parts),
        }
    }

    /// The tenant's name.
    pub fn name(&self) -> &str {
        &self.parts.name
    }

    /// The tenant's metrics.
    pub fn metrics(&self) -> Result<Store<Samples>> {
        self.parts.open(&self.parts.metrics)
    }

    /// The tenant's logs.
    pub fn logs(&self) -> Result<Store<Lines>> {
        self.parts.open(&self.parts.logs)
    }

    /// The store that keeps the exemplars.
    pub(crate) fn exemplar_store(&self) -> Result<Store<Lines>> {
        self.parts.open(&self.parts.exemplars)
    }

    /// The store of a stream of the log.
    pub(crate) fn store(&self, tag: u8) -> Result<Arc<dyn AnyStore>> {
        match tag {
            1 => Ok(self.metrics()?.core),
            2 => Ok(self.logs()?.core),
            3 => Ok(self.exemplar_store()?.core),
            _ => Err(Error::corrupt(format!("kind {tag} is unknown"))),
        }
    }

    /// Opens the stores whose folders are there.
    pub(crate) fn open_existing(&self) -> Result<()> {
        let listed = self.parts.shared.fs.list(&self.parts.directory);
        let names = listed
            .map_err(|error| Error::io(error, "cannot list a tenant", &self.parts.directory))?;
        for (tag, folder) in STREAMS {
            if names.iter().any(|name| name == folder) {
                self.store(tag)?;
            }
        }
        Ok(())
    }

    /// The log floors of the open stores.
    pub(crate) fn floors(&self) -> Vec<u64> {
        self.parts
            .versions()
            .into_iter()
            .map(|(_, version)| version.wal_floor)
            .collect()
    }

    /// Where the tombstones of the open stores stand in the log.
    pub(crate) fn tombstone_lsns(&self) -> Vec<u64> {
        let versions = self.parts.versions().into_iter();
        versions
            .flat_map(|(_, version)| {
                let tombstones = version.tombstones.iter();
                tombstones
                    .map(|tombstone| tombstone.lsn)
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    pub(crate) fn sequences(&self) -> Vec<u64> {
        self.parts
            .versions()
            .into_iter()
            .map(|(_, version)| version.sequence)
            .collect()
    }

    /// Whether the manifests on disk still say what they said when they were read.
    pub(crate) fn is_current(&self) -> Result<bool> {
        for (folder, version) in self.parts.versions() {
            let directory = self.parts.directory.join(folder).join("manifest");
            let now = Manifest::read(&*self.parts.shared.fs, &directory)?;
            if now.version.sequence != version.sequence {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Parts {
    fn open<K: Kind>(&self, slot: &Slot<K>) -> Result<Store<K>> {
        let mut open = slot.store.lock();
        if let Some(store) = &*open {
            return Ok(store.clone());
        }
        if self.shared.is_closed() {
            return Err(Error::new(ErrorKind::Closed, "the engine is closed"));
        }
        let place = StorePlace {
            tenant: Arc::clone(&self.name),
            tag: slot.stream.0,
            directory: self.directory.join(slot.stream.1),
            limits: Arc::clone(&slot.limits),
        };
        let store = match self.mode {
            Mode::Write => Store::open(&self.shared, place)?,
            Mode::Read | Mode::Nobody => Store::open_read_only(&self.shared, place)?,
        };
        if self.mode != Mode::Nobody {
            let core = Arc::clone(&store.core) as Arc<dyn AnyStore>;
            self.shared.enlist(core);
        }
        *open = Some(store.clone());
        Ok(store)
    }

    fn versions(&self) -> Vec<(&'static str, Arc<crate::manifest::Version>)> {
        let mut versions = Vec::new();
        if let Some(store) = &*self.metrics.store.lock() {
            versions.push((METRICS.1, Arc::clone(&store.core.state().version)));
        }
        if let Some(store) = &*self.logs.store.lock() {
            versions.push((LOGS.1, Arc::clone(&store.core.state().version)));
        }
        if let Some(store) = &*self.exemplars.store.lock() {
            versions.push((EXEMPLARS.1, Arc::clone(&store.core.state().version)));
        }
        versions
    }
}

/// Refuses names that could not be a folder of their own under `tenants`.
pub(crate) fn check_name(name: &str) -> Result<()> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!-_.*'()".contains(&byte);
    let is_fine = (1..=TENANT_BYTES_MAX).contains(&name.len())
        && name.bytes().all(is_plain)
        && name != "."
        && name != "..";
    match is_fine {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "tenant name {name:?} is not valid: 1 to {TENANT_BYTES_MAX} bytes of ASCII letters, \
             digits and !-_.*'() are, except . and .."
        ))),
    }
}

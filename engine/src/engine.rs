//! The engine: one data directory, its lock, its log, its tenants and the thread that keeps house.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Mutex, RwLock};

use crate::config::{Limits, Options};
use crate::error::{Error, ErrorKind, Result};
use crate::io::disk::Disk;
use crate::io::{Fs, Lock};
use crate::kind::lines::Lines;
use crate::kind::samples::Samples;
use crate::store::Store;
use crate::store::shared::{Shared, Taken};
use crate::tenant::{TENANTS, Tenant, check_name};
use crate::time::{Clock, SystemClock};
use crate::wal::{Floors, Frame, Lsn, Wal, WalOptions};

mod backup;
mod directory;
mod progress;
mod repair;
mod verify;

use directory::{LOCK, take_directory};
pub use progress::Progress;

/// The tenant of callers that know no tenants.
pub const DEFAULT_TENANT: &str = "default";

/// How often a read-only open looks again because the writer changed files under it.
const READ_ATTEMPTS_MAX: u32 = 16;

/// Segments that the log's bound is divided into: it shrinks by whole segments.
const SEGMENTS_PER_BOUND: u64 = 8;
const SEGMENT_BYTES_MAX: u64 = 64 << 20;

/// An open data directory.
///
/// Dropping it lets go of the directory; [`Engine::close`] also reports what went wrong in doing
/// so.
///
/// ```
/// use chronolith_engine::{Engine, ErrorKind, Options};
///
/// # let name = format!("chronolith-engine-{}", std::process::id());
/// # let directory = std::env::temp_dir().join(name);
/// # let _ = std::fs::remove_dir_all(&directory);
/// let engine = Engine::open(&directory, Options::default())?;
/// let store = engine.tenant("team-a")?.metrics()?;
/// assert_eq!(store.stats().head_series, 0);
///
/// // One writer at a time; any number of readers beside it.
/// let second = Engine::open(&directory, Options::default());
/// assert_eq!(second.err().map(|error| error.kind()), Some(ErrorKind::Locked));
/// let reader = Engine::open_read_only(&directory, Options::default())?;
/// assert_eq!(reader.tenants(), ["team-a"]);
/// engine.close()?;
/// # std::fs::remove_dir_all(&directory).ok();
/// # Ok::<(), chronolith_engine::Error>(())
/// ```
pub struct Engine {
    shared: Arc<Shared>,
    tenants: Arc<Tenants>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    lock: Mutex<Option<Box<dyn Lock>>>,
    damage: Vec<Error>,
}

/// The tenants that are open.
pub(crate) struct Tenants {
    root: PathBuf,
    shared: Arc<Shared>,
    mode: Mode,
    open: RwLock<BTreeMap<Arc<str>, Tenant>>,
}

/// Whether this process is the directory's one writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Write,
    Read,
    /// This process is, and nobody has written to this tenant: there is nothing to be read.
    Nobody,
}

/// Whether housekeeping has a thread or is called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keeper {
    Thread,
    /// Nobody keeps house but who is asked to: for repair, and for tests that must replay exactly.
    Called,
}

/// What an engine stands on.
pub(crate) struct Components {
    pub(crate) fs: Arc<dyn Fs>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keeper: Keeper,
}

impl Components {
    fn system() -> Self {
        Components {
            fs: Arc::new(Disk),
            clock: Arc::new(SystemClock),
            keeper: Keeper::Thread,
        }
    }
}

impl Engine {
    /// Opens a data directory, made if it is not there, and brings back everything acknowledged.
    ///
    /// Fails with [`ErrorKind::Locked`] while another process or handle has it open. Damage does
    /// not fail it where the rest can be served: ask [`Engine::damage`] and
    /// [`Store::damage`](crate::Store::damage).
    pub fn open(directory: impl AsRef<Path>, options: Options) -> Result<Engine> {
        Engine::open_watched(directory, options, &Progress::new())
    }

    /// The same for who tells others meanwhile how far it is.
    pub fn open_watched(
        directory: impl AsRef<Path>,
        options: Options,
        progress: &Progress,
    ) -> Result<Engine> {
        let components = Components::system();
        Engine::open_with(directory.as_ref(), options, components, progress)
    }

    /// Opens a data directory for reading, also beside the process that writes it: what was
    /// acknowledged before this call is there, what comes later is not. Nothing is written, and
    /// every write is refused with [`ErrorKind::ReadOnly`].
    pub fn open_read_only(directory: impl AsRef<Path>, options: Options) -> Result<Engine> {
        Engine::open_read_only_with(directory.as_ref(), options, Components::system())
    }

    pub(crate) fn open_with(
        root: &Path,
        options: Options,
        components: Components,
        progress: &Progress,
    ) -> Result<Engine> {
        options.check()?;
        let lock = take_directory(&*components.fs, root)?;
        backup::refuse_unfinished(&*components.fs, root)?;
        Engine::open_locked(root, options, components, lock, progress)
    }

    /// Opens a directory whose lock is held.
    fn open_locked(
        root: &Path,
        options: Options,
        components: Components,
        lock: Box<dyn Lock>,
        progress: &Progress,
    ) -> Result<Engine> {
        progress.begin(&*components.fs, &root.join("wal"));
        let fs = Arc::clone(&components.fs);
        let shared = Shared::new(root, fs, components.clock, options);
        shared.reserve.find()?;
        let tenants = Tenants::new(root, &shared, Mode::Write);
        tenants.open_existing()?;
        let wal_options = WalOptions {
            durability: shared.options.durability,
            segment_bytes: (shared.options.wal_bytes_max / SEGMENTS_PER_BOUND)
                .clamp(16 << 10, SEGMENT_BYTES_MAX),
            ..WalOptions::default()
        };
        let (mut damage, mut has_unproven) = (Vec::new(), false);
        let (wal, report) = Wal::open(
            Arc::clone(&shared.fs),
            &root.join("wal"),
            wal_options,
            tenants.floors(),
            &mut |frame| {
                progress.add(frame.bytes());
                let taken = tenants.replay(&frame, &mut damage)?;
                if taken != Taken::No && !frame.proven {
                    has_unproven = true;
                    shared.note_unproven(&frame, taken);
                }
                Ok(())
            },
        )?;
        damage.extend(report.damages.iter().map(|damage| damage.error()));
        shared
            .stores()
            .iter()
            .for_each(|store| store.finish_replay());
        progress.end();
        let has_dropped = shared.stores().iter().any(|store| store.has_dropped());
        shared.has_dropped.store(has_dropped, Ordering::Release);
        let wal = Arc::new(wal);
        shared.install_wal(Arc::clone(&wal));
        if !has_unproven && !has_dropped {
            wal.close_gap();
        }
        // Where this fails, whoever writes next tries again.
        let _ = shared.log_again(&wal);
        let threads = match components.keeper {
            Keeper::Called => Vec::new(),
            Keeper::Thread => start_threads(&shared, root)?,
        };
        Ok(Engine {
            shared,
            tenants: Arc::new(tenants),
            threads: Mutex::new(threads),
            lock: Mutex::new(Some(lock)),
            damage,
        })
    }

    pub(crate) fn open_read_only_with(
        root: &Path,
        options: Options,
        components: Components,
    ) -> Result<Engine> {
        options.check()?;
        backup::refuse_unfinished(&*components.fs, root)?;
        let mut attempts = 0;
        loop {
            attempts += 1;
            let fs = Arc::clone(&components.fs);
            let shared = Shared::new(root, fs, Arc::clone(&components.clock), options.clone());
            match Engine::read_once(root, &shared) {
                Ok(Some(engine)) => return Ok(engine),
                Ok(None) | Err(_) if attempts < READ_ATTEMPTS_MAX => shared.dismiss_stores(),
                Ok(None) => {
                    return Err(Error::new(
                        ErrorKind::Io,
                        "the writer changes the directory faster than it can be read",
                    )
                    .at_path(root));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads the directory as it is; `None` if its writer froze a window meanwhile.
    fn read_once(root: &Path, shared: &Arc<Shared>) -> Result<Option<Engine>> {
        let tenants = Tenants::new(root, shared, Mode::Read);
        tenants.open_existing()?;
        let before = tenants.sequences()?;
        let mut damage = Vec::new();
        let report = Wal::replay_only(
            &*shared.fs,
            &root.join("wal"),
            tenants.floors(),
            &mut |frame| tenants.replay(&frame, &mut damage).map(drop),
        )?;
        if tenants.sequences()? != before || !tenants.are_current()? {
            return Ok(None);
        }
        damage.extend(report.damages.iter().map(|damage| damage.error()));
        shared
            .stores()
            .iter()
            .for_each(|store| store.finish_replay());
        Ok(Some(Engine {
            shared: Arc::clone(shared),
            tenants: Arc::new(tenants),
            threads: Mutex::default(),
            lock: Mutex::default(),
            damage,
        }))
    }

    /// A tenant's stores, made if they are not there.
    ///
    /// Names are 1 to 150 bytes of ASCII letters, digits and `! - _ . * ' ( )`, and not `.` or
    /// `..`.
    pub fn tenant(&self, name: &str) -> Result<Tenant> {
        self.tenants.tenant(name)
    }

    /// A tenant's stores for reading: those of a name that [`Engine::tenants`] does not list are
    /// empty and leave nothing behind, neither on the disk nor in memory. They are not to be
    /// written to: ask [`Engine::tenant`] for that.
    pub fn tenant_to_read(&self, name: &str) -> Result<Tenant> {
        self.tenants.tenant_to_read(name)
    }

    /// Whether [`Engine::tenants`] lists this name.
    pub fn has_tenant(&self, name: &str) -> bool {
        self.tenants.open.read().contains_key(name)
    }

    /// The names of the tenants that have a folder or were asked for, in order.
    pub fn tenants(&self) -> Vec<String> {
        self.tenants
            .open
            .read()
            .keys()
            .map(|name| name.to_string())
            .collect()
    }

    /// The metrics of the default tenant.
    pub fn metrics(&self) -> Result<Store<Samples>> {
        self.tenant(DEFAULT_TENANT)?.metrics()
    }

    /// The logs of the default tenant.
    pub fn logs(&self) -> Result<Store<Lines>> {
        self.tenant(DEFAULT_TENANT)?.logs()
    }

    /// Damage that the log had when the directory was opened.
    pub fn damage(&self) -> &[Error] {
        &self.damage
    }

    /// Plain figures about what all tenants share.
    pub fn stats(&self) -> EngineStats {
        let wal = self.shared.wal().ok();
        let (work, wal_failures) = wal.as_deref().map(Wal::work).unwrap_or_default();
        let cache = self.shared.cache.counts();
        let stores = self.shared.stores();
        EngineStats {
            head_series: self.shared.budget.series(),
            head_bytes: self.shared.budget.bytes(),
            wal_bytes: wal.map_or(0, |wal| wal.size_bytes()),
            wal_groups: work.groups,
            wal_syncs: work.syncs,
            wal_syncing: work.syncing,
            wal_failures,
            block_bytes: stores.iter().map(|store| store.block_bytes()).sum(),
            cache_hits: cache.hits,
            cache_misses: cache.misses,
        }
    }

    /// What the engine's own threads could not do when they last tried: freezing, expiring and
    /// making room, then merging. They go on trying; what succeeds is gone from here.
    pub fn background_errors(&self) -> Vec<Error> {
        self.shared.background_errors()
    }

    /// Why the log takes no writes at the moment, if it has failed. It is revived as soon as the
    /// disk lets it.
    pub fn wal_error(&self) -> Option<Error> {
        self.shared.wal().ok()?.health()
    }

    /// Makes everything acknowledged so far durable, whatever the
    /// [`Durability`](crate::Durability).
    pub fn sync(&self) -> Result<()> {
        self.shared.sync()
    }

    /// One round of housekeeping, for tests without the thread.
    #[cfg(feature = "testing")]
    pub(crate) fn tend(&self) -> Result<bool> {
        let outcome = self.shared.tend();
        self.shared
            .note_round(&mut self.shared.keeping.lock(), &outcome);
        outcome
    }

    /// One round of merging, as in the background.
    #[cfg(feature = "testing")]
    pub(crate) fn merge(&self) -> Result<bool> {
        self.shared.merge_round()
    }

    /// Takes pages for full at a few bytes from now on.
    #[cfg(feature = "testing")]
    pub(crate) fn keep_small_pages(&self) {
        let small = &self.shared.small_pages;
        small.store(true, std::sync::atomic::Ordering::Release);
    }

    /// Lets this engine make a mistake from now on.
    #[cfg(feature = "testing")]
    pub(crate) fn plant(&self, plant: crate::store::plant::Plant) {
        self.shared.planted.choose(plant);
    }

    /// Makes everything durable, whatever the [`Durability`](crate::Durability), and lets go of the
    /// directory. Snapshots still held can be read on; stores still held answer
    /// [`ErrorKind::Closed`] to writes from now on.
    pub fn close(self) -> Result<()> {
        self.shut()
    }

    fn shut(&self) -> Result<()> {
        {
            let mut keeping = self.shared.keeping.lock();
            keeping.is_closing = true;
            self.shared.work.notify_all();
            self.shared.relief.notify_all();
        }
        self.shared.stop();
        for thread in std::mem::take(&mut *self.threads.lock()) {
            // A panic there has been reported by its own thread.
            let _ = thread.join();
        }
        // A log that failed for want of space may be sound again by now.
        let _ = self.shared.revive_log();
        if let Ok(wal) = self.shared.wal() {
            // What cannot be made safe, closing the log reports.
            let _ = self.shared.settle_gap(&wal);
        }
        let closed = match self.shared.take_wal() {
            Some(wal) => wal.close(),
            None => Ok(()),
        };
        // A freeze or merge that a caller began must not name its blocks once another process may
        // write.
        for store in self.shared.stores() {
            store.await_work();
        }
        self.shared.dismiss_stores();
        *self.lock.lock() = None;
        closed
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Whoever wants to know closes; here nobody is left to tell.
        let _ = self.shut();
    }
}

/// Plain figures about an engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineStats {
    /// Series in all heads.
    pub head_series: u64,
    /// Bytes that entries take in memory.
    pub head_bytes: u64,
    /// Bytes of the log.
    pub wal_bytes: u64,
    /// Groups of records that were written to the log together.
    pub wal_groups: u64,
    /// Syncs of the log that went well.
    pub wal_syncs: u64,
    /// The time that those syncs took.
    pub wal_syncing: Duration,
    /// How often the log failed and took no writes until it was revived.
    pub wal_failures: u64,
    /// Bytes of the blocks of all stores: what `Options::retention_bytes_max` bounds.
    pub block_bytes: u64,
    /// Page reads that the cache answered.
    pub cache_hits: u64,
    /// Page reads that went to the disk.
    pub cache_misses: u64,
}

impl Tenants {
    fn new(root: &Path, shared: &Arc<Shared>, mode: Mode) -> Self {
        let shared = Arc::clone(shared);
        Tenants {
            root: root.to_path_buf(),
            shared,
            mode,
            open: RwLock::default(),
        }
    }

    fn tenant(&self, name: &str) -> Result<Tenant> {
        if let Some(tenant) = self.open.read().get(name) {
            return Ok(tenant.clone());
        }
        check_name(name)?;
        let mut open = self.open.write();
        if let Some(tenant) = open.get(name) {
            return Ok(tenant.clone());
        }
        let name: Arc<str> = name.into();
        let tenant = self.make(self.mode, &name);
        open.insert(name, tenant.clone());
        Ok(tenant)
    }

    fn tenant_to_read(&self, name: &str) -> Result<Tenant> {
        if let Some(tenant) = self.open.read().get(name) {
            return Ok(tenant.clone());
        }
        check_name(name)?;
        Ok(self.make(Mode::Nobody, &name.into()))
    }

    fn make(&self, mode: Mode, name: &Arc<str>) -> Tenant {
        let directory = self.root.join(TENANTS).join(&**name);
        let limits: Limits = self.shared.options.limits.clone();
        Tenant::new(&self.shared, mode, Arc::clone(name), directory, limits)
    }

    /// Opens the stores that the directory has.
    fn open_existing(&self) -> Result<()> {
        let directory = self.root.join(TENANTS);
        let names = match self.shared.fs.list(&directory) {
            Ok(names) => names,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::io(error, "cannot list the tenants", &directory)),
        };
        for name in names {
            // A stray file is nobody's tenant.
            if check_name(&name).is_ok() && self.is_folder(&directory.join(&name))? {
                self.tenant(&name)?.open_existing()?;
            }
        }
        Ok(())
    }

    fn is_folder(&self, path: &Path) -> Result<bool> {
        match self.shared.fs.list(path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Ok(false),
            Err(error) => Err(Error::io(error, "cannot list a tenant", path)),
        }
    }

    fn floors(&self) -> Floors {
        let tenants = self.open.read();
        let floors: Vec<u64> = tenants.values().flat_map(Tenant::floors).collect();
        let tombstones = tenants.values().flat_map(Tenant::tombstone_lsns);
        let highest = floors.iter().max().copied().unwrap_or(0);
        Floors {
            lowest: Lsn(floors.iter().min().copied().unwrap_or(0)),
            highest: Lsn(highest),
            // A log that lost its end must not go on below a tombstone (I22).
            next: Lsn(tombstones.max().unwrap_or(0).max(highest)),
        }
    }

    fn replay(&self, frame: &Frame<'_>, damage: &mut Vec<Error>) -> Result<Taken> {
        let store = self
            .tenant(frame.tenant)
            .and_then(|tenant| tenant.store(frame.kind));
        match store {
            // A record whose checksum holds but whose content does not is damage like any other:
            // what can be kept is kept, and the rest of the log goes on.
            Ok(store) => Ok(store.replay(frame).unwrap_or_else(|error| {
                store.report(error);
                Taken::No
            })),
            Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Invalid) => {
                damage.push(error.context(format!("log record {}", frame.lsn.0)));
                Ok(Taken::No)
            }
            Err(error) => Err(error),
        }
    }

    /// The manifest sequence of every open store.
    fn sequences(&self) -> Result<Vec<u64>> {
        Ok(self
            .open
            .read()
            .values()
            .flat_map(Tenant::sequences)
            .collect())
    }

    /// Whether every manifest still says what it said when it was read.
    fn are_current(&self) -> Result<bool> {
        for tenant in self.open.read().values() {
            if !tenant.is_current()? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The thread that keeps house, and the one that merges if that is wanted.
fn start_threads(shared: &Arc<Shared>, root: &Path) -> Result<Vec<JoinHandle<()>>> {
    let start = |name: &str, life: fn(&Shared)| {
        let kept = Arc::clone(shared);
        std::thread::Builder::new()
            .name(name.into())
            .spawn(move || life(&kept))
            .map_err(|error| Error::io(error, "cannot start a thread for housekeeping", root))
    };
    shared.keeping.lock().has_thread = true;
    let mut threads = vec![start("chronolith-keeper", Shared::keep)?];
    if shared.options.compaction_percent > 0 {
        threads.push(start("chronolith-merge", Shared::merge_in_background)?);
    }
    Ok(threads)
}

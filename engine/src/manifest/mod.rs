//! Which blocks and tombstones exist: the manifest of one tenant and kind.
//!
//! Every version is made durable by a new file with the next number, created exclusively, synced,
//! and its folder synced. Most files hold a change, some a whole checkpoint;
//! docs/format/manifest.md tells the bytes. Promises: a version that `commit` returned survives any
//! crash and any one damaged byte; one that failed never comes back once a later commit has
//! succeeded. Knows no blocks, no log, no matchers, and takes no lock: the store lets one writer
//! in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::io::Fs;

pub(crate) mod check;
mod copy;
mod file;
#[cfg(any(test, feature = "testing"))]
mod fuzz;
mod recover;
pub(crate) mod salvage;
#[cfg(test)]
mod tests;
mod version;

use file::{Form, Record};
#[cfg(feature = "testing")]
pub use fuzz::{fuzz_manifest, seeds_manifest};
use recover::{Recovered, Tail, aside_path, file_path, recover};
pub(crate) use version::{BlockEntry, Change, Tombstone, Version};

/// After so many changes comes a checkpoint, so that opening reads few files.
const DELTAS_MAX: u32 = 64;

/// After so many bytes of changes comes a checkpoint, unless the last one was larger than that.
const DELTA_BYTES_MIN: usize = 64 << 10;

/// How often a reader looks again because a writer changed the folder under it.
const READ_ATTEMPTS_MAX: u32 = 16;

/// The writer's side of a manifest.
pub(crate) struct Manifest {
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    version: Arc<Version>,
    /// Never given to two files, whatever became of the first.
    next_number: u64,
    next: Next,
    /// How many changes, and how many bytes of them, lie behind the last checkpoint.
    deltas: u32,
    delta_bytes: usize,
    checkpoint_bytes: usize,
    deltas_max: u32,
    /// Committed files that could not be applied, still to be set aside.
    broken: Vec<u64>,
}

/// What the next commit has to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// A change is enough: the file before it is whole and durable.
    Delta,
    /// Nothing may build on the file before.
    Checkpoint,
}

/// What was found on opening.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) version: Arc<Version>,
    /// Committed changes that were lost, file by file; empty for a sound manifest.
    pub(crate) damage: Vec<Error>,
    pub(crate) may_remove_litter: Litter,
    /// Whether the version survives a crash as it is. If not, the log below its floor must stay
    /// until a commit has succeeded.
    pub(crate) is_durable: bool,
}

/// Whether what the version does not name may go: block files, and log below the floor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Litter {
    /// The version is durable and nothing newer was found: what it does not name is nobody's.
    MayGo,
    /// A file that could not be read may have named it, or the version itself may not survive a
    /// crash.
    MustStay,
}

impl Manifest {
    /// Opens the manifest in `dir` for its one writer. The folder is made where it is missing; that
    /// of its parents' names is the caller's to make durable.
    ///
    /// What is found may never have been synced, so it is settled first: written again as a
    /// checkpoint under a new number. Where that fails the manifest opens all the same, with
    /// `Litter::MustStay`. Damage is not settled: until the next commit every open reports it
    /// again.
    pub(crate) fn open(fs: Arc<dyn Fs>, dir: &Path) -> Result<(Manifest, Opened)> {
        let found = recover(&*fs, dir)?;
        // The first file is created only after the folder's own name is durable, so where there is
        // a file that has been seen to.
        if found.numbers.is_empty() {
            let failed = |error| Error::io(error, "making the manifest folder", dir);
            fs.create_dir_all(dir).map_err(failed)?;
            if let Some(parent) = dir.parent() {
                fs.sync_dir(parent).map_err(failed)?;
            }
        }
        let mut manifest = Manifest::new(fs, dir, &found);
        let mut litter = Litter::MustStay;
        let mut is_durable = false;
        // A first file alone says nothing and may never have been durable: nothing must build on
        // it.
        let is_first_alone = found.numbers == [1] && found.damage.is_empty();
        if found.version.sequence == 0 || is_first_alone {
            // Block files beside a manifest that was not there are a rescue, not litter.
            manifest.begin(&found)?;
            is_durable = true;
        } else if found.damage.is_empty() {
            is_durable = manifest.commit(&Change::default()).is_ok();
            if is_durable && found.tail == Tail::Whole {
                litter = Litter::MayGo;
            }
        }
        let opened = Opened {
            version: manifest.version(),
            damage: found.damage,
            may_remove_litter: litter,
            is_durable,
        };
        Ok((manifest, opened))
    }

    /// Reads the manifest in `dir` beside its writer, who may be at work. Never writes, and so
    /// never says that litter may go.
    pub(crate) fn read(fs: &dyn Fs, dir: &Path) -> Result<Opened> {
        let mut attempts = 0;
        loop {
            let before = recover::numbers(fs, dir)?;
            let outcome = recover(fs, dir);
            attempts += 1;
            // A writer that removes files below its newest checkpoint looks like damage for a
            // moment; a folder that has not changed meanwhile is damaged.
            let sound = outcome.as_ref().is_ok_and(|found| found.damage.is_empty());
            if sound || attempts == READ_ATTEMPTS_MAX || recover::numbers(fs, dir)? == before {
                return outcome.map(|found| Opened {
                    version: Arc::new(found.version),
                    damage: found.damage,
                    may_remove_litter: Litter::MustStay,
                    is_durable: false,
                });
            }
        }
    }

    fn new(fs: Arc<dyn Fs>, dir: &Path, found: &Recovered) -> Manifest {
        Manifest {
            fs,
            dir: dir.to_path_buf(),
            version: Arc::new(found.version.clone()),
            next_number: found
                .numbers
                .last()
                .map_or(1, |highest| highest.saturating_add(1)),
            next: Next::Checkpoint,
            deltas: 0,
            delta_bytes: 0,
            checkpoint_bytes: 0,
            deltas_max: DELTAS_MAX,
            broken: found.broken.clone(),
        }
    }

    /// Writes the first file, a checkpoint of nothing. From then on a folder without a whole
    /// checkpoint has lost something, and does not pass for a new one.
    fn begin(&mut self, found: &Recovered) -> Result<()> {
        for number in &found.numbers {
            let path = file_path(&self.dir, *number);
            let failed = |error| Error::io(error, "removing an unfinished first manifest", &path);
            self.fs.remove_file(&path).map_err(failed)?;
        }
        self.next_number = 1;
        self.commit(&Change::default()).map(drop)
    }

    /// The version of the last commit that succeeded.
    pub(crate) fn version(&self) -> Arc<Version> {
        self.version.clone()
    }

    /// Makes a change durable and returns the version that it makes.
    ///
    /// After an error the version is the old one, but a crash before the next successful commit may
    /// bring up either: until then keep the files that the change added *and* those that it
    /// removed.
    pub(crate) fn commit(&mut self, change: &Change) -> Result<Arc<Version>> {
        let mut version = self.version.apply(change)?;
        version.sequence = self.next_number;
        let due = self.deltas >= self.deltas_max
            || self.delta_bytes >= self.checkpoint_bytes.max(DELTA_BYTES_MIN);
        let next = if due { Next::Checkpoint } else { self.next };
        let record = match next {
            Next::Checkpoint => Record {
                number: version.sequence,
                form: Form::Checkpoint,
                change: version.as_change(),
            },
            Next::Delta => Record {
                number: version.sequence,
                form: Form::Delta {
                    base: self.version.sequence,
                },
                change: Change {
                    next_block: Some(version.next_block),
                    next_tombstone: Some(version.next_tombstone),
                    wal_floor: Some(version.wal_floor),
                    ..change.clone()
                },
            },
        };
        let bytes = file::encode(&record)?;
        // From here on the file may exist: whatever happens, its number is spent and, until it is
        // known to be durable, nothing may build on it.
        self.next_number = self.next_number.saturating_add(1);
        self.next = Next::Checkpoint;
        self.set_broken_aside()?;
        self.write(record.number, &bytes)?;
        self.next = Next::Delta;
        self.version = Arc::new(version);
        match record.form {
            Form::Delta { .. } => {
                self.deltas += 1;
                self.delta_bytes += bytes.len();
            }
            Form::Checkpoint => {
                (self.deltas, self.delta_bytes, self.checkpoint_bytes) = (0, 0, bytes.len());
                self.remove_older();
            }
        }
        Ok(self.version())
    }

    fn write(&self, number: u64, bytes: &[u8]) -> Result<()> {
        let path = file_path(&self.dir, number);
        let failed = |error| Error::io(error, "writing the manifest", &path);
        let mut file = self.fs.create_new(&path).map_err(failed)?;
        file.append(bytes).map_err(failed)?;
        file.sync().map_err(failed)?;
        self.fs.sync_dir(&self.dir).map_err(failed)
    }

    /// Gives files that could not be applied another name before a checkpoint supersedes them: they
    /// are what a rescue would start from, and as long as they are there no litter is removed.
    fn set_broken_aside(&mut self) -> Result<()> {
        if self.broken.is_empty() {
            return Ok(());
        }
        for number in &self.broken {
            let from = file_path(&self.dir, *number);
            match self.fs.hard_link(&from, &aside_path(&self.dir, *number)) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                    return Err(Error::io(error, "setting a damaged manifest aside", &from));
                }
                _ => {}
            }
        }
        let failed = |error| Error::io(error, "setting damaged manifests aside", &self.dir);
        self.fs.sync_dir(&self.dir).map_err(failed)?;
        self.broken.clear();
        Ok(())
    }

    /// Removes what the newest file, a durable checkpoint, supersedes. What cannot be removed now
    /// does no harm, and goes with the next checkpoint.
    fn remove_older(&self) {
        let numbers = recover::numbers(&*self.fs, &self.dir).unwrap_or_default();
        for number in numbers {
            if number < self.version.sequence {
                let _ = self.fs.remove_file(&file_path(&self.dir, number));
            }
        }
    }
}

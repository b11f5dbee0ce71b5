//! Repair of a whole directory: each store's manifest and blocks, then the log.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::backup::refuse_unfinished;
use super::verify::check_record;
use super::{Components, Engine, Keeper, Progress, take_directory};
use crate::config::Options;
use crate::error::{Error, Result};
use crate::io::Fs;
use crate::io::pool::FilePool;
use crate::kind::lines::Lines;
use crate::kind::samples::Samples;
use crate::store::aside::Aside;
use crate::store::repair::{DamagedLog, RepairReport, Workplace, repair_store};
use crate::tenant::{STREAMS, TENANTS, check_name};
use crate::wal::{Floors, Frame, Wal};

impl Engine {
    /// Repairs a directory that nobody has open: takes out what is damaged, and nothing else, and
    /// says what is lost with it. A directory without damage is left as it is.
    ///
    /// Of a damaged block, what can be read is written into a new one; a block whose index is
    /// beyond use, or that is missing, is taken out whole. A manifest that is damaged is made again
    /// from what is left of it and from the blocks that are there. Of a damaged log, what can be
    /// read goes to blocks. The damaged files are not thrown away but stand under `damaged/` in the
    /// directory afterwards. An interrupted repair may be begun again.
    ///
    /// Make a backup before; [`Engine::verify`] tells whether a repair is needed.
    ///
    /// ```
    /// use chronolith_engine::{Engine, Options};
    ///
    /// # let name = format!("chronolith-repair-{}", std::process::id());
    /// # let directory = std::env::temp_dir().join(name);
    /// # let _ = std::fs::remove_dir_all(&directory);
    /// # Engine::open(&directory, Options::default())?.close()?;
    /// let report = Engine::repair(&directory, Options::default())?;
    /// for block in &report.blocks {
    ///     println!("{}: {} entries are lost", block.path.display(), block.entries_lost);
    /// }
    /// assert!(report.is_sound());
    /// # std::fs::remove_dir_all(&directory).ok();
    /// # Ok::<(), chronolith_engine::Error>(())
    /// ```
    pub fn repair(directory: impl AsRef<Path>, options: Options) -> Result<RepairReport> {
        Engine::repair_with(directory.as_ref(), options, Components::system())
    }

    pub(crate) fn repair_with(
        root: &Path,
        options: Options,
        components: Components,
    ) -> Result<RepairReport> {
        options.check()?;
        let fs = Arc::clone(&components.fs);
        // A directory that is not there is a mistake, not one to be made.
        list(&*fs, root)?;
        let lock = take_directory(&*fs, root)?;
        refuse_unfinished(&*fs, root)?;
        let wal = root.join("wal");
        let place = Workplace {
            files: FilePool::new(Arc::clone(&fs), options.open_files_max),
            aside: Aside::new(Arc::clone(&fs), root),
            log_begins: Wal::first_on_disk(&*fs, &wal)?,
            fs: Arc::clone(&fs),
        };
        let mut report = RepairReport::default();
        let floors = repair_stores(&place, root, &mut report)?;
        let damaged = look_at_log(&*fs, &wal, &floors, &mut report)?;
        if !report.log.is_empty() {
            for segment in &damaged {
                report.set_aside.push(place.aside.keep(segment)?);
            }
            let components = Components {
                keeper: Keeper::Called,
                ..components
            };
            let engine = Engine::open_locked(root, options, components, lock, &Progress::new())?;
            engine.empty_log(&mut report)?;
            engine.close()?;
        }
        Ok(report)
    }

    /// Moves what the log still says into blocks, and lets go of the log.
    fn empty_log(&self, report: &mut RepairReport) -> Result<()> {
        let stores = self.shared.stores();
        for store in &stores {
            // Entries whose series are not told any more, since the record that told them is lost.
            report
                .log
                .extend(store.damage().into_iter().map(|error| DamagedLog {
                    error,
                    records: None,
                }));
            store.leave_log()?;
        }
        self.shared.wal()?.begin_segment()?;
        self.shared.release_log()
    }
}

/// Repairs every store. Returns their floors of the log.
fn repair_stores(place: &Workplace, root: &Path, report: &mut RepairReport) -> Result<Vec<u64>> {
    let (fs, tenants) = (&*place.fs, root.join(TENANTS));
    let mut floors = Vec::new();
    for tenant in list_if_there(fs, &tenants)? {
        let directory = tenants.join(&tenant);
        if check_name(&tenant).is_err() {
            continue;
        }
        let folders = list_if_there(fs, &directory)?;
        for (tag, stream) in STREAMS {
            if !folders.iter().any(|name| name == stream) {
                continue;
            }
            let directory = directory.join(stream);
            floors.push(match tag {
                1 => repair_store::<Samples>(place, &directory, tag, report)?,
                _ => repair_store::<Lines>(place, &directory, tag, report)?,
            });
        }
    }
    Ok(floors)
}

/// Notes what is wrong with the log, as far as stores need it, and returns the damaged segments.
fn look_at_log(
    fs: &dyn Fs,
    wal: &Path,
    floors: &[u64],
    report: &mut RepairReport,
) -> Result<Vec<PathBuf>> {
    let mut bad_records = Vec::new();
    let mut check = |frame: Frame<'_>| {
        if let Err(error) = check_record(&frame) {
            let lsn = frame.lsn.0;
            bad_records.push(DamagedLog {
                error: error.context(format!("log record {lsn}")).at_path(wal),
                records: Some((lsn, lsn)),
            });
        }
        Ok(())
    };
    let replayed = Wal::replay_only(fs, wal, Floors::of(floors), &mut check)?;
    let mut segments: Vec<PathBuf> = Vec::new();
    for damage in &replayed.damages {
        // A segment that is not there any more is named by the one behind it.
        if !segments.contains(&damage.path) {
            segments.push(damage.path.clone());
        }
        report.log.push(DamagedLog {
            error: damage.error(),
            records: damage.lost.map(|(first, last)| (first.0, last.0)),
        });
    }
    report.log.extend(bad_records);
    Ok(segments)
}

fn list(fs: &dyn Fs, folder: &Path) -> Result<Vec<String>> {
    fs.list(folder)
        .map_err(|error| Error::io(error, "cannot list a folder", folder))
}

/// The names in a folder; none where there is no such folder.
fn list_if_there(fs: &dyn Fs, folder: &Path) -> Result<Vec<String>> {
    use std::io::ErrorKind as Os;
    match fs.list(folder) {
        Err(error) if matches!(error.kind(), Os::NotFound | Os::NotADirectory) => Ok(Vec::new()),
        Ok(names) => Ok(names),
        Err(error) => Err(Error::io(error, "cannot list a folder", folder)),
    }
}

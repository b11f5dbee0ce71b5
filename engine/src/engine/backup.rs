//! A backup's target: an empty folder, a mark that it is unfinished, and its removal at the end.

use std::io::ErrorKind as Os;
use std::path::Path;

use super::{Engine, LOCK, take_directory};
use crate::error::{Error, Result};
use crate::io::Fs;
use crate::store::backup::BackupReport;

/// While a folder has a file of this name it is no data directory: a backup is being written into
/// it, or was interrupted.
pub(crate) const UNFINISHED: &str = "UNFINISHED";

const UNFINISHED_TEXT: &[u8] =
    b"A backup is being written into this folder, or was interrupted. It is not complete.\n";

impl Engine {
    /// Writes a backup into `target`, a folder that is empty or missing, while writers write.
    ///
    /// The backup is a data directory: [`Engine::open`] opens it. It holds everything that was
    /// acknowledged before this call, for all tenants and kinds, and every batch whole. Blocks are
    /// hard links where the file system can, so it takes little time and space; it guards against
    /// deleted files and against mistakes, and against the loss of the disk only once it has been
    /// copied to another.
    ///
    /// When this returns `Ok` the backup is on stable storage. After an error, or a crash in
    /// between, the folder does not open: remove it.
    ///
    /// ```
    /// use chronolith_engine::{Batch, Engine, Options};
    /// use chronolith_engine::labels::LabelSet;
    /// use chronolith_engine::logs::{Line, Lines};
    /// use chronolith_engine::time::Nanos;
    ///
    /// # let name = format!("chronolith-backup-{}", std::process::id());
    /// # let folder = std::env::temp_dir().join(name);
    /// # let _ = std::fs::remove_dir_all(&folder);
    /// let engine = Engine::open(folder.join("data"), Options::default())?;
    /// let app = LabelSet::from_pairs([("app", "checkout")])?;
    /// let mut batch = Batch::<Lines>::new();
    /// batch.push(app.as_labels(), Line::new(Nanos(1_700_000_000_000_000_000), "hello"));
    /// engine.logs()?.append(&batch)?;
    ///
    /// let report = engine.backup(folder.join("monday"))?;
    /// assert!(report.damage.is_empty());
    ///
    /// let restored = Engine::open(folder.join("monday"), Options::default())?;
    /// assert_eq!(restored.logs()?.stats().head_entries, 1);
    /// restored.close()?;
    /// engine.close()?;
    /// # std::fs::remove_dir_all(&folder).ok();
    /// # Ok::<(), chronolith_engine::Error>(())
    /// ```
    pub fn backup(&self, target: impl AsRef<Path>) -> Result<BackupReport> {
        self.backup_into(target.as_ref())
            .map_err(|error| error.context("the backup is not complete"))
    }

    fn backup_into(&self, target: &Path) -> Result<BackupReport> {
        let (fs, root) = (&*self.shared.fs, &*self.tenants.root);
        // Before anything is made: a closed or read-only engine has nothing to write.
        self.shared.wal()?;
        check_target(fs, root, target)?;
        let _lock = take_directory(fs, target)?;
        mark(fs, target)?;
        let (stores, log) = self.shared.image()?;
        let mut report = BackupReport {
            log_bytes: log.write(fs, &target.join("wal"))?,
            damage: self.damage.clone(),
            ..BackupReport::default()
        };
        for store in stores {
            store.write(fs, root, target, &mut report)?;
        }
        let failed = |error| Error::io(error, "cannot sync the backup's folder", target);
        fs.sync_dir(target).map_err(failed)?;
        unmark(fs, target)?;
        Ok(report)
    }
}

/// Refuses a folder that a backup was begun in and not finished.
pub(super) fn refuse_unfinished(fs: &dyn Fs, root: &Path) -> Result<()> {
    match fs.open_read(&root.join(UNFINISHED)) {
        Err(error) if error.kind() == Os::NotFound => Ok(()),
        Err(error) => Err(Error::io(error, "cannot look at the data directory", root)),
        Ok(_) => Err(Error::invalid(
            "this is an unfinished backup: open another one, and remove this",
        )
        .at_path(root)),
    }
}

fn check_target(fs: &dyn Fs, root: &Path, target: &Path) -> Result<()> {
    if target.starts_with(root) || root.starts_with(target) {
        return Err(Error::invalid(
            "the backup's folder and the data directory lie in each other: choose one beside it",
        )
        .at_path(target));
    }
    let names = match fs.list(target) {
        Ok(names) => names,
        Err(error) if error.kind() == Os::NotFound => return Ok(()),
        Err(error) => {
            return Err(Error::io(
                error,
                "cannot look at the backup's folder",
                target,
            ));
        }
    };
    if names.iter().any(|name| name == UNFINISHED) {
        return Err(Error::invalid(
            "the folder holds an unfinished backup: remove it, or choose another",
        )
        .at_path(target));
    }
    match names.iter().all(|name| name == LOCK) {
        true => Ok(()),
        false => Err(Error::invalid("the backup's folder is not empty").at_path(target)),
    }
}

/// Says that the folder is unfinished, before anything else is in it.
fn mark(fs: &dyn Fs, target: &Path) -> Result<()> {
    let path = target.join(UNFINISHED);
    let failed = |error| Error::io(error, "cannot mark the backup as unfinished", &path);
    let mut file = fs.create_new(&path).map_err(failed)?;
    file.append(UNFINISHED_TEXT).map_err(failed)?;
    file.sync().map_err(failed)?;
    fs.sync_dir(target).map_err(failed)
}

/// The last step: everything else is durable.
fn unmark(fs: &dyn Fs, target: &Path) -> Result<()> {
    let path = target.join(UNFINISHED);
    let failed = |error| Error::io(error, "cannot finish the backup", &path);
    fs.remove_file(&path).map_err(failed)?;
    fs.sync_dir(target).map_err(failed)
}

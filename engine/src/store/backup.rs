//! Backup: all stores and the log at one moment, written into another directory.
//!
//! Blocks never change, so they are linked; versions and the log are small and written anew. What
//! is taken fits together as after a crash at that moment: each version is one that was committed,
//! and the log, taken after all of them and with no release in between, holds what they lack.

use std::any::Any;
use std::io::ErrorKind as Os;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::block::block_path;
use crate::error::{Error, Result};
use crate::io::Fs;
use crate::kind::Kind;
use crate::manifest::{Manifest, Version};
use crate::store::Core;
use crate::store::recover::make_directories;
use crate::store::shared::Shared;
use crate::wal::WalImage;

/// How much is copied at a time where blocks cannot be linked.
const CHUNK_BYTES: u64 = 1 << 20;

/// What a backup holds.
#[derive(Clone, Debug, Default)]
pub struct BackupReport {
    /// Stores: one for each kind of each tenant that has any.
    pub stores: u64,
    /// Blocks.
    pub blocks: u64,
    /// Those of them that were copied, since the target's file system could not link them.
    pub blocks_copied: u64,
    /// Bytes of the blocks. A linked one takes no space of its own while the original is there.
    pub block_bytes: u64,
    /// Bytes of the log, which is copied.
    pub log_bytes: u64,
    /// What the store has lost, and the backup with it. The backup is complete but for this.
    pub damage: Vec<Error>,
}

/// One store at one moment. While it is held, none of its blocks is unlinked.
pub(crate) struct StoreImage {
    directory: PathBuf,
    version: Arc<Version>,
    damage: Vec<Error>,
    _readers: Arc<dyn Any + Send + Sync>,
}

impl Shared {
    /// All stores, then the log. No segment is released in between, so the log has what the
    /// versions lack.
    pub(crate) fn image(&self) -> Result<(Vec<StoreImage>, WalImage)> {
        let wal = self.wal()?;
        if wal.health().is_some() {
            self.revive_log()?;
        }
        let _no_release = self.releasing.lock();
        let stores = self.stores().iter().map(|store| store.image()).collect();
        Ok((stores, wal.image()?))
    }
}

impl<K: Kind> Core<K> {
    pub(crate) fn take_image(&self) -> StoreImage {
        let state = self.state();
        StoreImage {
            directory: self.directory.clone(),
            version: Arc::clone(&state.version),
            damage: self.damage.lock().clone(),
            _readers: state,
        }
    }
}

impl StoreImage {
    /// Writes the store into `to`, which takes the place of the data directory `root`.
    pub(crate) fn write(
        self,
        fs: &dyn Fs,
        root: &Path,
        to: &Path,
        report: &mut BackupReport,
    ) -> Result<()> {
        let below = self.directory.strip_prefix(root);
        let below = below.expect("every store lies below the data directory");
        let (blocks, target) = (self.directory.join("blocks"), to.join(below));
        let target_blocks = target.join("blocks");
        make_directories(fs, &target_blocks)?;
        for entry in &self.version.blocks {
            let from = block_path(&blocks, entry.number);
            let to = block_path(&target_blocks, entry.number);
            match link_or_copy(fs, &from, &to) {
                Ok(carried) => {
                    report.blocks += 1;
                    report.block_bytes += entry.bytes;
                    report.blocks_copied += u64::from(carried == Carried::Copied);
                }
                // It is lost in the store as well. Opening the backup says so again.
                Err(error) if error.is_not_found() => report.damage.push(
                    Error::corrupt("a block is missing, and so from the backup").at_path(&from),
                ),
                Err(error) => return Err(error),
            }
        }
        let failed = |error| Error::io(error, "cannot sync a folder of the backup", &target_blocks);
        fs.sync_dir(&target_blocks).map_err(failed)?;
        Manifest::write_copy(fs, &target.join("manifest"), &self.version)?;
        fs.sync_dir(&target)
            .map_err(|error| Error::io(error, "cannot sync a folder of the backup", &target))?;
        report.stores += 1;
        report.damage.extend(self.damage);
        Ok(())
    }
}

/// How a block came into the backup.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carried {
    Linked,
    Copied,
}

/// Links a sealed file; where the file system cannot (another disk, no links, too many of them) it
/// is copied.
pub(crate) fn link_or_copy(fs: &dyn Fs, from: &Path, to: &Path) -> Result<Carried> {
    match fs.hard_link(from, to) {
        Ok(()) => Ok(Carried::Linked),
        Err(error)
            if matches!(
                error.kind(),
                Os::CrossesDevices | Os::TooManyLinks | Os::Unsupported | Os::PermissionDenied
            ) =>
        {
            copy(fs, from, to).map(|()| Carried::Copied)
        }
        Err(error) => Err(Error::io(error, "cannot link a file", from)),
    }
}

fn copy(fs: &dyn Fs, from: &Path, to: &Path) -> Result<()> {
    let unread = |error| Error::io(error, "cannot copy a file", from);
    let unwritten = |error| Error::io(error, "cannot copy a file", to);
    let source = fs.open_read(from).map_err(unread)?;
    let length = source.length().map_err(unread)?;
    let mut file = fs.create_new(to).map_err(unwritten)?;
    let (mut chunk, mut at) = (Vec::new(), 0);
    while at < length {
        // At most the chunk's size, which fits.
        chunk.resize((length - at).min(CHUNK_BYTES) as usize, 0);
        source.read_exact_at(&mut chunk, at).map_err(unread)?;
        file.append(&chunk).map_err(unwritten)?;
        at += chunk.len() as u64;
    }
    file.sync().map_err(unwritten)
}

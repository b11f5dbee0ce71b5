//! Commit: the one place where the manifest changes, and where readers learn of it.
//!
//! Freezes, merges, deletes and expiry run at the same time. What each of them changes is worked
//! out, made durable and shown under one lock, so versions reach readers in the order of their
//! commits, and none builds on what another has taken away meanwhile.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use parking_lot::Mutex;

use crate::block::block_path;
use crate::error::{Error, ErrorKind, Result};
use crate::kind::Kind;
use crate::manifest::{Change, Manifest, Version};
use crate::store::class_table::with_table;
use crate::store::{Core, State};
use crate::wal::Wal;

impl<K: Kind> Core<K> {
    /// Makes a change of the manifest durable, and with it all that the manifest said before. What
    /// the retention classes of its blocks mean is added here (I25).
    ///
    /// `plan` sees the newest version; an error of its own changes nothing. `show` puts the new
    /// version into the state. `begun` are the block files that the change may name: where the
    /// commit fails they stay, since it may be durable all the same, until a later one has settled
    /// the matter (I5).
    pub(crate) fn commit(
        &self,
        begun: &[u64],
        plan: impl FnOnce(&Version) -> Result<Change>,
        show: impl FnOnce(Arc<Version>),
    ) -> Result<()> {
        let mut manifest = self.manifest()?.lock();
        let with_table = |change| {
            let terms_of = |class| self.terms_at_work(class);
            with_table(&manifest.version(), change, terms_of)
        };
        let change = match plan(&manifest.version()).and_then(with_table) {
            // Numbers are given out by whoever writes files, also while others commit.
            Ok(change) => Change {
                next_block: Some(self.next_block.load(Ordering::Acquire)),
                ..change
            },
            Err(error) => {
                self.remove_blocks(begun);
                return Err(error);
            }
        };
        let before = self.state();
        let reserve = &self.shared.reserve;
        match reserve.commit(&change, || manifest.commit(&change)) {
            Ok(version) => {
                self.is_settled.store(true, Ordering::Release);
                show(version);
                self.retire(&before, &change.remove_blocks);
            }
            Err(error) => {
                self.orphans.lock().extend_from_slice(begun);
                return Err(error);
            }
        }
        // What a failed commit left behind is named by nobody now.
        let settled = std::mem::take(&mut *self.orphans.lock());
        self.remove_blocks(&settled);
        Ok(())
    }

    /// Removes block files that nothing names. A file that does not go now is litter for the next
    /// open.
    pub(crate) fn remove_blocks(&self, numbers: &[u64]) {
        for number in numbers {
            let path = block_path(&self.blocks_directory(), *number);
            let _ = self.shared.fs.remove_file(&path);
        }
    }

    fn manifest(&self) -> Result<&Mutex<Manifest>> {
        self.manifest.as_ref().ok_or_else(|| {
            let why = "this store was opened to be read: write by way of Engine::tenant";
            Error::new(ErrorKind::ReadOnly, why)
        })
    }

    /// The log, for a store that may be written.
    pub(crate) fn own_log(&self) -> Result<Arc<Wal>> {
        let wal = self.shared.wal()?;
        self.manifest()?;
        Ok(wal)
    }
}

impl<K: Kind> State<K> {
    pub(crate) fn with_version(&self, version: Arc<Version>) -> Self {
        State {
            tombstones: self.tombstones.kept_in(&version),
            version,
            blocks: self.blocks.clone(),
            windows: self.windows.clone(),
        }
    }
}

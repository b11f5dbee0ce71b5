//! The reserve: a file that only holds space, given up on a full disk so that what makes room can
//! be committed.
//!
//! A commit that removes blocks, or adds or removes a tombstone, needs some bytes for its manifest
//! file before any come back. On a full disk it gets those of the reserve. From then on appends,
//! freezes and merges are refused, as they would use up what is kept for further removals, until
//! the reserve could be taken again. Promises nothing against other programs that fill the disk.

use std::io::ErrorKind as Os;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::error::{Error, ErrorKind, Result};
use crate::io::Fs;
use crate::manifest::Change;
use crate::time::Nanos;

/// The file's name in the data directory.
pub(crate) const RESERVE: &str = "RESERVE";

/// How much is written at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// How long the keeper waits after a disk was too full to take the reserve.
const RETRY_NANOS: i64 = 10 * 1_000_000_000;

/// See the file comment.
pub(crate) struct Reserve {
    fs: Arc<dyn Fs>,
    path: PathBuf,
    /// 0 for none.
    bytes: u64,
    /// Held while the file is made or removed, and while a commit uses its space.
    state: Mutex<State>,
    /// Whether it was given up and not taken again: what writers look at.
    is_lent: AtomicBool,
}

#[derive(Default)]
struct State {
    is_held: bool,
    retry_at: Option<Nanos>,
}

impl Reserve {
    /// A reserve of so many bytes in the data directory `root`. Looks at nothing yet.
    pub(crate) fn new(fs: Arc<dyn Fs>, root: &Path, bytes: u64) -> Self {
        Reserve {
            fs,
            path: root.join(RESERVE),
            bytes,
            state: Mutex::default(),
            is_lent: AtomicBool::new(false),
        }
    }

    /// Finds the file of an earlier process. One of another size was not finished, or was set
    /// otherwise: it is removed.
    pub(crate) fn find(&self) -> Result<()> {
        let failed = |error| Error::io(error, "cannot look at the reserve", &self.path);
        let length = match self.fs.open_read(&self.path) {
            Ok(file) => file.length().map_err(failed)?,
            Err(error) if error.kind() == Os::NotFound => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        let mut state = self.state.lock();
        state.is_held = self.bytes > 0 && length == self.bytes;
        if !state.is_held {
            self.fs.remove_file(&self.path).map_err(failed)?;
        }
        Ok(())
    }

    /// Takes the reserve if it is not held: for the keeper, which tries again now and then. Only
    /// where there is more to keep than the reserve itself.
    pub(crate) fn take_when_due(&self, now: Nanos, stored_bytes: u64) {
        let mut state = self.state.lock();
        let is_early = state.retry_at.is_some_and(|retry| now < retry);
        let is_due = self.is_lent() || stored_bytes >= self.bytes;
        if self.bytes > 0 && !state.is_held && is_due && !is_early {
            // Whatever fails, a full disk above all, the store goes on without.
            state.retry_at = match self.take(&mut state) {
                Ok(()) => None,
                Err(_) => Some(Nanos(now.0.saturating_add(RETRY_NANOS))),
            };
        }
    }

    /// Lets whoever needs space in, unless what there is is kept for removals.
    pub(crate) fn admit(&self) -> Result<()> {
        if !self.is_lent() {
            return Ok(());
        }
        let taken = self.take(&mut self.state.lock());
        taken.map_err(|error| match error.kind() {
            ErrorKind::Full => Error::new(
                ErrorKind::Full,
                "the disk is full: what is left is kept for commits that make room",
            ),
            _ => error,
        })
    }

    /// Commits; on a full disk once more with the space of the reserve, if the change makes room.
    pub(crate) fn commit<T>(
        &self,
        change: &Change,
        mut commit: impl FnMut() -> Result<T>,
    ) -> Result<T> {
        match commit() {
            Err(error) if error.kind() == ErrorKind::Full && makes_room(change) => {
                // Nobody takes the space again before the commit has had it.
                let mut state = self.state.lock();
                if !std::mem::take(&mut state.is_held) {
                    return Err(error);
                }
                self.is_lent.store(true, Ordering::Release);
                self.let_go();
                commit()
            }
            outcome => outcome,
        }
    }

    fn is_lent(&self) -> bool {
        self.is_lent.load(Ordering::Acquire)
    }

    fn take(&self, state: &mut State) -> Result<()> {
        if !state.is_held {
            if let Err(error) = self.fill() {
                let _ = self.fs.remove_file(&self.path);
                return Err(error);
            }
            state.is_held = true;
        }
        self.is_lent.store(false, Ordering::Release);
        Ok(())
    }

    fn fill(&self) -> Result<()> {
        let failed = |error| Error::io(error, "cannot take the reserve", &self.path);
        let mut file = match self.fs.create_new(&self.path) {
            // One that could not be removed.
            Err(error) if error.kind() == Os::AlreadyExists => {
                self.fs.remove_file(&self.path).map_err(failed)?;
                self.fs.create_new(&self.path)
            }
            outcome => outcome,
        }
        .map_err(failed)?;
        let mut chunk = Vec::new();
        let mut left = self.bytes;
        while left > 0 {
            fill_with_noise(&mut chunk, left);
            file.append(&chunk).map_err(failed)?;
            left -= chunk.len() as u64;
        }
        file.sync().map_err(failed)?;
        self.sync_root().map_err(failed)
    }

    /// Returns the space to the file system. Where the removal fails there is less of it, which the
    /// commit will notice.
    fn let_go(&self) {
        let _ = self.fs.remove_file(&self.path);
        // Some file systems give space back only once the removal is on the disk.
        let _ = self.sync_root();
    }

    fn sync_root(&self) -> std::io::Result<()> {
        match self.path.parent() {
            Some(root) => self.fs.sync_dir(root),
            None => Ok(()),
        }
    }
}

/// Whether space comes back behind this change, at once or later.
fn makes_room(change: &Change) -> bool {
    !change.remove_blocks.is_empty()
        || !change.add_tombstones.is_empty()
        || !change.remove_tombstones.is_empty()
}

/// Bytes that no file system can make smaller, at most a chunk of them.
fn fill_with_noise(chunk: &mut Vec<u8>, left: u64) {
    let mut word = left;
    chunk.clear();
    // The minimum fits.
    let length = left.min(CHUNK_BYTES as u64) as usize;
    while chunk.len() < length {
        word = word
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        chunk.extend_from_slice(&(word ^ (word >> 32)).to_le_bytes());
    }
    chunk.truncate(length);
}

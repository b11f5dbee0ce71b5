//! The log: everything that was acknowledged and is not yet in a block, in one order for all
//! tenants and kinds.
//!
//! Promises: an acknowledged record is replayed after any crash (as far as the durability chosen
//! says), in the order of submission; a refused one never once the log is revived; damage is
//! reported and does not hide what lies behind it. Refuses to know what is in a record. The file
//! format is docs/format/wal.md.

mod behind;
mod commit;
mod frame;
#[cfg(any(test, feature = "testing"))]
mod fuzz;
mod image;
mod life;
mod options;
mod read;
mod replay;
mod segment;
#[cfg(test)]
mod tests;
mod write;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;

use crate::error::{Error, Result};
use crate::io::Fs;
use commit::Shared;
#[cfg(any(test, feature = "testing"))]
pub(crate) use fuzz::fuzz_wal;
pub(crate) use image::WalImage;
pub(crate) use options::{TENANT_BYTES_MAX, WalOptions};
pub(crate) use replay::Floors;
use segment::Segment;
use write::Work;

/// A record's place in the log. They rise by one, across reopening too, except where some were
/// refused or torn. The first is 1; 0 stands for "none".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Lsn(pub u64);

/// A record as replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) lsn: Lsn,
    pub(crate) tenant: &'a str,
    pub(crate) kind: u8,
    pub(crate) record: u8,
    pub(crate) body: &'a [u8],
    /// The log proves that it was on stable storage before the last stop. Otherwise it may just as
    /// well have been lost: it may never have been acknowledged.
    pub(crate) proven: bool,
}

impl Frame<'_> {
    /// Bytes that it has in the log.
    pub(crate) fn bytes(&self) -> usize {
        frame::frame_bytes(self.tenant.len() + self.body.len())
    }
}

/// The open log. Shared by reference; every method may be called from any thread.
pub(crate) struct Wal {
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    shared: Arc<Shared>,
    /// Segments of which nothing can be read, until the floor has passed them.
    litter: Mutex<Vec<Segment>>,
    syncer: Mutex<Option<JoinHandle<()>>>,
}

impl Wal {
    /// Waits for buffer space for a record of `body_bytes`. To be called before taking locks, since
    /// it may wait for the disk, as [`Wal::submit`] does not.
    pub(crate) fn admit(&self, tenant: &str, body_bytes: usize) -> Result<()> {
        self.shared.admit(commit::record_bytes(tenant, body_bytes))
    }

    /// Gives a record its place in the order. Never waits for the disk; the record is not safe
    /// before [`Wal::wait`] says so.
    ///
    /// `era` is what [`Wal::era`] said when the caller last knew its own state to agree with the
    /// log: if the log has been revived since, the caller has refused records to take back first.
    pub(crate) fn submit(
        &self,
        era: u64,
        tenant: &str,
        kind: u8,
        record: u8,
        body: &[u8],
    ) -> Result<Lsn> {
        self.shared.submit(era, tenant, kind, record, body)
    }

    /// Returns once the record is as safe as the durability chosen asks; an error means that it was
    /// refused.
    pub(crate) fn wait(&self, lsn: Lsn) -> Result<()> {
        self.shared.wait(lsn.0, self.shared.goal())
    }

    /// Makes everything submitted so far durable, whatever the durability chosen.
    pub(crate) fn sync(&self) -> Result<()> {
        self.shared.sync()
    }

    /// The last LSN that belongs to a record, of this process or an earlier one.
    #[cfg(test)]
    pub(crate) fn last_lsn(&self) -> Lsn {
        Lsn(self.shared.state.lock().submitted)
    }

    /// The LSN that the next record will have, or a lower bound of it.
    pub(crate) fn next_lsn(&self) -> Lsn {
        Lsn(self.shared.state.lock().next)
    }

    /// The first LSN of the oldest segment in `dir`, if there is one.
    pub(crate) fn first_on_disk(fs: &dyn Fs, dir: &std::path::Path) -> Result<Option<u64>> {
        let names = match fs.list(dir) {
            Ok(names) => names,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(error, "cannot list the log", dir)),
        };
        Ok(names
            .iter()
            .filter_map(|name| segment::parse_name(name))
            .min())
    }

    /// Whether a file of this name is a segment.
    pub(crate) fn is_segment_name(name: &str) -> bool {
        segment::parse_name(name).is_some()
    }

    /// How often the log has been revived.
    pub(crate) fn era(&self) -> u64 {
        self.shared.state.lock().era
    }

    /// Everything up to here is on stable storage.
    #[cfg(test)]
    pub(crate) fn durable_lsn(&self) -> Lsn {
        Lsn(self.shared.state.lock().durable)
    }

    /// Everything up to here has been acknowledged, or can be.
    pub(crate) fn acknowledged_lsn(&self) -> Lsn {
        Lsn(self.shared.state.lock().acknowledged(self.shared.goal()))
    }

    /// The failure that stops all writes until [`Wal::revive`], if there is one.
    pub(crate) fn health(&self) -> Option<Error> {
        self.shared.state.lock().failed.clone()
    }

    /// What was written and synced since the log was opened, and how often it failed.
    pub(crate) fn work(&self) -> (Work, u64) {
        let state = self.shared.state.lock();
        (state.work, state.failures)
    }

    /// What all segments take on disk.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.shared
            .segments
            .lock()
            .iter()
            .map(|segment| segment.bytes)
            .sum()
    }

    /// What the segment that is written to takes on disk.
    pub(crate) fn newest_bytes(&self) -> u64 {
        let segments = self.shared.segments.lock();
        segments.last().map_or(0, |segment| segment.bytes)
    }

    /// Each segment's first LSN and size, oldest first.
    #[cfg(test)]
    pub(crate) fn segments(&self) -> Vec<(Lsn, u64)> {
        let segments = self.shared.segments.lock();
        segments
            .iter()
            .map(|segment| (Lsn(segment.first), segment.bytes))
            .collect()
    }
}

impl Drop for Wal {
    fn drop(&mut self) {
        // Nothing is flushed: whoever needs that closes. The thread must not outlive the log.
        self.stop();
    }
}

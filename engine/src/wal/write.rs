//! Puts group after group into segment files: the only part of the log that writes.
//!
//! Whoever leads a commit owns the writer meanwhile, so it needs no lock of its own. Once anything
//! failed, the open segment is dropped and neither written nor synced again: after a failed sync
//! nobody knows what the disk has, and a second sync would succeed without it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::behind::{Behind, Gap};
use super::frame;
use super::options::WalOptions;
use super::segment::{SEGMENT_HEADER_BYTES, Segment, SegmentHeader, segment_path};
use crate::config::Durability;
use crate::error::{Error, Result};
use crate::io::{Fs, WriteFile};

/// How far a commit must get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    Written,
    Durable,
}

/// What a writer has done since the log was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// Groups of records that were written together.
    pub(crate) groups: u64,
    /// Syncs that went well, of a segment with frames.
    pub(crate) syncs: u64,
    /// The time that those syncs took.
    pub(crate) syncing: Duration,
}

pub(super) struct Writer {
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    options: WalOptions,
    /// Every segment on disk, the open one last.
    segments: Arc<Mutex<Vec<Segment>>>,
    open: Option<OpenSegment>,
    /// Older segments that must be durable first: what comes now may build on them.
    behind: Behind,
    /// What the next segment voids, where that is not nothing.
    void_from: Option<u64>,
    written: u64,
    durable: u64,
    /// The highest LSN that a header or frame in the log calls durable.
    claimed: u64,
    work: Work,
}

struct OpenSegment {
    file: Box<dyn WriteFile>,
    path: PathBuf,
    first: u64,
    bytes: u64,
}

impl Writer {
    /// A writer that starts a segment at its first frame. `replayed` is the last LSN of the log so
    /// far, of which everything up to `durable` is proven to be on stable storage.
    pub(super) fn new(
        fs: Arc<dyn Fs>,
        dir: &Path,
        options: &WalOptions,
        segments: Arc<Mutex<Vec<Segment>>>,
        replayed: u64,
        durable: u64,
    ) -> Self {
        let older: Vec<u64> = segments.lock().iter().map(|older| older.first).collect();
        Writer {
            fs,
            dir: dir.to_path_buf(),
            options: options.clone(),
            segments,
            open: None,
            behind: Behind::inherited(&older, durable),
            void_from: Some(replayed + 1),
            written: replayed,
            durable,
            claimed: durable,
            work: Work::default(),
        }
    }

    /// The last LSN that the operating system has.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// The last LSN that is on stable storage, but for those in a gap.
    pub(super) fn durable(&self) -> u64 {
        self.durable
    }

    /// What has been done so far.
    pub(super) fn work(&self) -> Work {
        self.work
    }

    fn oldest(&self) -> Option<u64> {
        self.segments.lock().first().map(|oldest| oldest.first)
    }

    /// Writes a group of encoded frames and, if that is the goal, syncs. No frame calls anything
    /// above `claim_max` durable.
    pub(super) fn commit(&mut self, group: &mut [u8], goal: Goal, claim_max: u64) -> Result<()> {
        self.work.groups += u64::from(!group.is_empty());
        let outcome = self
            .write_group(group, claim_max)
            .and_then(|()| match goal {
                Goal::Written => Ok(()),
                Goal::Durable => self.sync(),
            });
        if outcome.is_err() {
            self.leave_open();
        }
        outcome
    }

    /// Drops the open segment. Its frames may count, so it is synced before anything later.
    fn leave_open(&mut self) {
        if let Some(open) = self.open.take() {
            self.behind.leave(open.first, self.oldest());
        }
    }

    fn write_group(&mut self, group: &mut [u8], claim_max: u64) -> Result<()> {
        let (mut start, mut end) = (0, 0);
        while end < group.len() {
            let (lsn, length) = frame::encoded(&group[end..]);
            let pending = (end - start) as u64;
            if !self.fits(pending, length as u64) {
                self.append(&group[start..end], lsn - 1)?;
                start = end;
                self.rotate(lsn, claim_max)?;
            }
            let Some(open) = &self.open else {
                unreachable!("a segment is open once its first frame was found not to fit");
            };
            let offset = open.bytes + (end - start) as u64;
            let (first, claim) = (open.first, self.durable.min(claim_max));
            self.claimed = self.claimed.max(claim);
            frame::seal(&mut group[end..end + length], claim, first, offset);
            end += length;
            if end == group.len() {
                self.append(&group[start..end], lsn)?;
            }
        }
        Ok(())
    }

    /// Whether the open segment takes `bytes` more behind what is `pending`. An empty one takes any
    /// frame.
    fn fits(&self, pending: u64, bytes: u64) -> bool {
        let Some(open) = &self.open else {
            return false;
        };
        let used = open.bytes + pending;
        used == SEGMENT_HEADER_BYTES as u64 || used + bytes <= self.options.segment_bytes
    }

    /// Writes frames up to `lsn`.
    fn append(&mut self, frames: &[u8], lsn: u64) -> Result<()> {
        let Some(open) = self.open.as_mut().filter(|_| !frames.is_empty()) else {
            return Ok(());
        };
        open.file
            .append(frames)
            .map_err(|error| Error::io(error, "cannot write the log", &open.path))?;
        open.bytes += frames.len() as u64;
        let bytes = open.bytes;
        if let Some(last) = self.segments.lock().last_mut() {
            last.bytes = bytes;
        }
        assert!(lsn > self.written, "frames are written in order");
        self.written = lsn;
        Ok(())
    }

    /// Makes everything written durable, older segments first.
    fn sync(&mut self) -> Result<()> {
        let failed = |error, path: &Path| Error::io(error, "cannot sync the log", path);
        while let Some(oldest) = self.behind.oldest() {
            let path = segment_path(&self.dir, oldest);
            match self.fs.sync_file(&path) {
                // Released before the first sync: all of it is in blocks.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    self.behind.oldest_is_spoiled();
                    return Err(failed(error, &path));
                }
                Ok(()) => {}
            }
            self.behind.oldest_is_safe();
        }
        if self.behind.has_unsynced_names {
            self.sync_names()
                .map_err(|error| failed(error, &self.dir))?;
        }
        if let Some(mut open) = self.open.take() {
            let begun = Instant::now();
            if let Err(error) = open.file.sync() {
                self.behind.leave_spoiled();
                return Err(failed(error, &open.path));
            }
            self.work.syncs += 1;
            self.work.syncing += begun.elapsed();
            self.open = Some(open);
        }
        self.durable = self.written;
        Ok(())
    }

    /// Seals the open segment and starts the next one: what is older must be durable before
    /// anything newer can be, or a crash could leave a hole.
    fn rotate(&mut self, first: u64, claim_max: u64) -> Result<()> {
        match self.options.durability {
            Durability::Never => self.leave_open(),
            Durability::Always | Durability::Interval(_) => {
                self.sync()?;
                self.open = None;
            }
        }
        self.start(first, claim_max)
    }

    /// Seals the open segment and starts one whose first frame will have this LSN, unless the open
    /// one is empty.
    pub(super) fn begin_segment(&mut self, first: u64, claim_max: u64) -> Result<()> {
        let is_empty = |open: &OpenSegment| open.bytes == SEGMENT_HEADER_BYTES as u64;
        if self.open.as_ref().is_some_and(is_empty) {
            return Ok(());
        }
        let outcome = self.rotate(first, claim_max);
        if outcome.is_err() {
            self.leave_open();
            self.withdraw(first);
        }
        outcome
    }

    /// Starts a segment.
    fn start(&mut self, first: u64, claim_max: u64) -> Result<()> {
        let path = segment_path(&self.dir, first);
        let failed = |error| Error::io(error, "cannot start a log segment", &path);
        let newest = self.segments.lock().last().map(|newest| newest.first);
        assert!(newest < Some(first), "segments are named in order (I3)");
        if newest.is_none() {
            self.fs.create_dir_all(&self.dir).map_err(failed)?;
        }
        let header = SegmentHeader {
            first,
            void_from: self.void_from.unwrap_or(first),
            durable: self.durable.min(claim_max),
        };
        let mut file = self.fs.create_new(&path).map_err(failed)?;
        // Until its header is there it has nothing that a copy could take.
        self.segments.lock().push(Segment { first, bytes: 0 });
        file.append(&header.encode()).map_err(failed)?;
        let bytes = SEGMENT_HEADER_BYTES as u64;
        if let Some(last) = self.segments.lock().last_mut() {
            last.bytes = bytes;
        }
        if self.options.durability != Durability::Never || self.void_from.is_some_and(|v| v < first)
        {
            // A segment's name and header must be as durable as the frames that follow.
            file.sync().map_err(failed)?;
            self.sync_names().map_err(failed)?;
        } else {
            self.behind.has_unsynced_names = true;
        }
        self.void_from = None;
        self.claimed = self.claimed.max(header.durable);
        self.open = Some(OpenSegment {
            file,
            path,
            first,
            bytes,
        });
        Ok(())
    }

    /// Makes the names of all segments durable, and the log's own.
    fn sync_names(&mut self) -> io::Result<()> {
        self.fs.sync_dir(&self.dir)?;
        if let Some(parent) = self.dir.parent() {
            self.fs.sync_dir(parent)?;
        }
        self.behind.has_unsynced_names = false;
        Ok(())
    }

    /// Starts anew after a failure: in all segments so far, frames from `void_from` on are void.
    /// Returns which of the others no sync makes durable any more.
    pub(super) fn restart(
        &mut self,
        first: u64,
        void_from: u64,
        claim_max: u64,
    ) -> Result<Option<Gap>> {
        assert!(
            self.open.is_none(),
            "a failed writer has dropped its segment"
        );
        self.void_from = Some(self.void_from.unwrap_or(void_from).min(void_from));
        if let Err(error) = self.start(first, claim_max) {
            self.withdraw(first);
            return Err(error);
        }
        let gap = self.behind.go_on(self.durable, void_from - 1);
        if self.durable >= void_from - 1 {
            self.durable = first - 1;
        }
        self.written = first - 1;
        Ok(gap)
    }

    /// Whether the log does not say of itself yet that all of it is durable.
    pub(super) fn lacks_witness(&self) -> bool {
        self.claimed < self.durable
    }

    /// Starts a segment only to say that all before it is durable: the next process then need not
    /// doubt it.
    pub(super) fn bear_witness(&mut self, first: u64) -> Result<()> {
        self.open = None;
        // Numbers up to the name may have been passed over: nobody is to miss them.
        let unused = self.written + 1;
        self.void_from = Some(self.void_from.unwrap_or(unused).min(unused));
        let outcome = self.start(first, u64::MAX).and_then(|()| self.sync());
        self.open = None;
        if outcome.is_err() {
            self.withdraw(first);
        }
        outcome
    }

    /// Takes back a segment that could not be started, so that trying again and again on a full
    /// disk leaves no litter. One that cannot be removed either stays on the list until it is
    /// released.
    fn withdraw(&mut self, first: u64) {
        let started = |segment: &Segment| segment.first == first;
        if !self.segments.lock().iter().any(started) {
            return;
        }
        if self.fs.remove_file(&segment_path(&self.dir, first)).is_ok() {
            self.segments.lock().retain(|segment| !started(segment));
        }
    }
}

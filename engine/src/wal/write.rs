//! Puts group after group into segment files: the only part of the log that writes.
//!
//! Whoever leads a commit owns the writer meanwhile, so it needs no lock of its own. Once anything
//! failed, the open segment is dropped and neither written nor synced again: after a failed sync
//! nobody knows what the disk has, and a second sync would succeed without it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

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

pub(super) struct Writer {
    fs: Arc<dyn Fs>,
    dir: PathBuf,
    options: WalOptions,
    /// Every segment on disk, the open one last.
    segments: Arc<Mutex<Vec<Segment>>>,
    open: Option<OpenSegment>,
    /// The last segment of an earlier process. Its end was replayed, and what comes now may build
    /// on it, so it must be durable first.
    tail: Option<PathBuf>,
    /// What the next segment voids, where that is not nothing.
    void_from: Option<u64>,
    written: u64,
    durable: u64,
}

struct OpenSegment {
    file: Box<dyn WriteFile>,
    path: PathBuf,
    first: u64,
    bytes: u64,
}

impl Writer {
    /// A writer that starts a segment at its first frame. `replayed` is the last LSN of the log so
    /// far.
    pub(super) fn new(
        fs: Arc<dyn Fs>,
        dir: &Path,
        options: &WalOptions,
        segments: Arc<Mutex<Vec<Segment>>>,
        replayed: u64,
        durable: u64,
    ) -> Self {
        let tail = segments
            .lock()
            .last()
            .map(|last| segment_path(dir, last.first));
        Writer {
            fs,
            dir: dir.to_path_buf(),
            options: options.clone(),
            segments,
            open: None,
            tail,
            void_from: Some(replayed + 1),
            written: replayed,
            durable,
        }
    }

    /// The last LSN that the operating system has.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// The last LSN that is on stable storage.
    pub(super) fn durable(&self) -> u64 {
        self.durable
    }

    /// Writes a group of encoded frames and, if that is the goal, syncs.
    pub(super) fn commit(&mut self, group: &mut [u8], goal: Goal) -> Result<()> {
        let outcome = self.write_group(group).and_then(|()| match goal {
            Goal::Written => Ok(()),
            Goal::Durable => self.sync(),
        });
        if outcome.is_err() {
            self.open = None;
            self.tail = None;
        }
        outcome
    }

    fn write_group(&mut self, group: &mut [u8]) -> Result<()> {
        let (mut start, mut end) = (0, 0);
        while end < group.len() {
            let (lsn, length) = frame::encoded(&group[end..]);
            let pending = (end - start) as u64;
            if !self.fits(pending, length as u64) {
                self.append(&group[start..end], lsn - 1)?;
                start = end;
                self.rotate(lsn)?;
            }
            let Some(open) = &self.open else {
                unreachable!("a segment is open once its first frame was found not to fit");
            };
            let offset = open.bytes + (end - start) as u64;
            let first = open.first;
            frame::seal(&mut group[end..end + length], self.durable, first, offset);
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

    /// Makes everything written durable.
    fn sync(&mut self) -> Result<()> {
        if let Some(tail) = &self.tail {
            match self.fs.sync_file(tail) {
                // Released before the first sync: all of it is in blocks.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                outcome => {
                    outcome.map_err(|error| Error::io(error, "cannot sync the log", tail))?;
                }
            }
        }
        self.tail = None;
        if let Some(open) = &mut self.open {
            open.file
                .sync()
                .map_err(|error| Error::io(error, "cannot sync the log", &open.path))?;
        }
        self.durable = self.written;
        Ok(())
    }

    /// Seals the open segment and starts the next one: what is older must be durable before
    /// anything newer can be, or a crash could leave a hole.
    fn rotate(&mut self, first: u64) -> Result<()> {
        if self.options.durability != Durability::Never {
            self.sync()?;
        }
        self.open = None;
        self.start(first)
    }

    /// Starts a segment.
    fn start(&mut self, first: u64) -> Result<()> {
        let path = segment_path(&self.dir, first);
        let failed = |error| Error::io(error, "cannot start a log segment", &path);
        if self.segments.lock().is_empty() {
            self.fs.create_dir_all(&self.dir).map_err(failed)?;
        }
        let header = SegmentHeader {
            first,
            void_from: self.void_from.unwrap_or(first),
            durable: self.durable,
        };
        let mut file = self.fs.create_new(&path).map_err(failed)?;
        let bytes = SEGMENT_HEADER_BYTES as u64;
        self.segments.lock().push(Segment { first, bytes });
        file.append(&header.encode()).map_err(failed)?;
        if self.options.durability != Durability::Never || self.void_from.is_some_and(|v| v < first)
        {
            self.sync_start(&mut *file, &path)?;
        }
        self.void_from = None;
        self.open = Some(OpenSegment {
            file,
            path,
            first,
            bytes,
        });
        Ok(())
    }

    /// A segment's name and header must be as durable as the frames that follow.
    fn sync_start(&self, file: &mut dyn WriteFile, path: &Path) -> Result<()> {
        let failed = |error| Error::io(error, "cannot start a log segment", path);
        file.sync().map_err(failed)?;
        self.fs.sync_dir(&self.dir).map_err(failed)?;
        match self.dir.parent() {
            Some(parent) => self.fs.sync_dir(parent).map_err(failed),
            None => Ok(()),
        }
    }

    /// Starts anew after a failure: in all segments so far, frames from `void_from` on are void.
    pub(super) fn restart(&mut self, first: u64, void_from: u64) -> Result<()> {
        assert!(
            self.open.is_none(),
            "a failed writer has dropped its segment"
        );
        self.void_from = Some(self.void_from.unwrap_or(void_from).min(void_from));
        if let Err(error) = self.start(first) {
            self.withdraw(first);
            return Err(error);
        }
        if self.durable >= void_from - 1 {
            self.durable = first - 1;
        }
        self.written = first - 1;
        Ok(())
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

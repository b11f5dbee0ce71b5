//! The log's life besides writing: open, release, revive, close, and the thread that syncs now and
//! then.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::commit::Shared;
use super::options::WalOptions;
use super::replay::{self, Floors, ReplayReport, Sink};
use super::segment::{Segment, segment_path};
use super::write::{Goal, Writer};
use super::{Lsn, Wal};
use crate::config::Durability;
use crate::error::{Error, Result};
use crate::io::Fs;

/// How many refused ranges are remembered for waiters that have not asked yet. Nobody sleeps
/// through more revivals than that.
const VOID_RANGES_MAX: usize = 1000;

impl Wal {
    /// Replays the log in `dir` (created at the first write) and makes it ready for more. `floor`
    /// is the lowest LSN that is not in a block.
    pub(crate) fn open(
        fs: Arc<dyn Fs>,
        dir: &Path,
        options: WalOptions,
        floors: impl Into<Floors>,
        sink: &mut Sink<'_>,
    ) -> Result<(Wal, ReplayReport)> {
        let report = replay::replay(&*fs, dir, floors.into(), sink)?;
        let segments = Arc::new(Mutex::new(report.segments.clone()));
        let (last, durable) = (report.last.0, report.durable.0.min(report.last.0));
        let writer = Writer::new(fs.clone(), dir, &options, segments.clone(), last, durable);
        let shared = Arc::new(Shared::new(options, segments, writer, report.next));
        let syncer = match shared.options.durability {
            Durability::Interval(interval) => Some(start_syncer(&shared, interval, dir)?),
            Durability::Always | Durability::Never => None,
        };
        let wal = Wal {
            fs,
            dir: dir.to_path_buf(),
            shared,
            litter: Mutex::new(report.litter.clone()),
            syncer: Mutex::new(syncer),
        };
        Ok((wal, report))
    }

    /// Replays a log that may be in use by another process. Writes nothing.
    pub(crate) fn replay_only(
        fs: &dyn Fs,
        dir: &Path,
        floors: impl Into<Floors>,
        sink: &mut Sink<'_>,
    ) -> Result<ReplayReport> {
        replay::replay(fs, dir, floors.into(), sink)
    }

    /// Unlinks the segments whose frames all lie below `floor`, but never the newest, and says how
    /// many.
    pub(crate) fn release(&self, floor: Lsn) -> Result<u32> {
        self.litter.lock().retain(|gone| {
            let path = segment_path(&self.dir, gone.first);
            // Where that fails, the next process finds it and passes it over.
            gone.first >= floor.0 || self.fs.remove_file(&path).is_err()
        });
        let mut count = 0;
        while let Some(segment) = self.oldest_below(floor) {
            let path = segment_path(&self.dir, segment.first);
            match self.fs.remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::io(error, "cannot remove a log segment", &path));
                }
                _ => count += 1,
            }
            self.shared
                .segments
                .lock()
                .retain(|known| *known != segment);
        }
        if count > 0 {
            self.fs
                .sync_dir(&self.dir)
                .map_err(|error| Error::io(error, "cannot sync the log", &self.dir))?;
        }
        let mut state = self.shared.state.lock();
        state.gap = state.gap.filter(|gap| gap.last >= floor.0);
        Ok(count)
    }

    /// Whether records of the log are in doubt, whatever is synced: a sync has failed, or may have
    /// in an earlier process. They are until blocks have them, or the log has them once more.
    pub(crate) fn has_gap(&self) -> bool {
        self.shared.state.lock().gap.is_some()
    }

    /// Nobody needs the records that were in doubt, or they stand in the log once more, durable.
    pub(crate) fn close_gap(&self) {
        self.shared.state.lock().gap = None;
    }

    /// Starts a new segment: a release can then take every other one.
    pub(crate) fn begin_segment(&self) -> Result<()> {
        self.shared.begin_segment()
    }

    /// The oldest segment, if the one after it starts no later than `floor`.
    fn oldest_below(&self, floor: Lsn) -> Option<Segment> {
        match self.shared.segments.lock()[..] {
            [oldest, next, ..] if next.first <= floor.0 => Some(oldest),
            _ => None,
        }
    }

    /// Takes writes again after a failure, in a new segment. Everything submitted that was not
    /// acknowledged is void for ever: its callers were refused, so no replay may bring it back.
    /// `acknowledged` is what the caller has told the world; it cannot exceed what this log has
    /// told the caller.
    pub(crate) fn revive(&self, acknowledged: Lsn) -> Result<()> {
        let shared = &self.shared;
        let mut state = shared.state.lock();
        let mut writer = loop {
            if state.failed.is_none() {
                return state.usable();
            }
            if let Some(writer) = state.writer.take() {
                break writer;
            }
            shared.progress.wait(&mut state);
        };
        let reached = state.acknowledged(shared.goal());
        assert!(
            acknowledged.0 <= reached,
            "record {} was never acknowledged by the log, only {reached} was",
            acknowledged.0
        );
        let (first, void_from) = (shared.next_name(&mut state), reached + 1);
        let claim_max = state.claim_max();
        // Nobody can submit meanwhile: the log is still failed.
        let outcome =
            MutexGuard::unlocked(&mut state, || writer.restart(first, void_from, claim_max));
        match &outcome {
            Ok(gap) => {
                if let Some(gap) = *gap {
                    state.gap = Some(state.gap.map_or(gap, |older| older.widened(gap)));
                }
                if state.void.len() == VOID_RANGES_MAX {
                    state.void.remove(0);
                }
                state.void.push(void_from..first);
                state.failed = None;
                state.era += 1;
            }
            // A name is never used twice: the file may be there in any state.
            Err(_) => state.next += 1,
        }
        state.take_back(writer);
        shared.progress.notify_all();
        match outcome {
            Ok(_) => Ok(()),
            Err(error) => Err(error.context("cannot revive the log")),
        }
    }

    /// Writes and syncs what is left, whatever the durability, and ends the sync thread.
    pub(crate) fn close(&self) -> Result<()> {
        let outcome = self.shared.sync();
        if outcome.is_ok() && self.shared.options.durability != Durability::Always {
            self.bear_witness();
        }
        self.stop();
        outcome
    }

    /// Lets the log say that all of it is durable. Under [`Durability::Always`] that is not worth a
    /// segment: only the last group lacks a witness, and the next process logs it once more.
    fn bear_witness(&self) {
        let mut state = self.shared.state.lock();
        state.closed = true;
        let Some(mut writer) = state.writer.take() else {
            // Somebody writes on while the log is being closed.
            return;
        };
        if state.buffer.is_empty() && writer.lacks_witness() {
            let first = self.shared.next_name(&mut state);
            state.next += 1;
            // Without it the next process only knows less.
            let _ = MutexGuard::unlocked(&mut state, || writer.bear_witness(first));
        }
        state.take_back(writer);
    }

    /// Ends the sync thread and refuses further writes.
    pub(super) fn stop(&self) {
        self.shared.state.lock().closed = true;
        self.shared.unsynced.notify_all();
        self.shared.progress.notify_all();
        if let Some(syncer) = self.syncer.lock().take() {
            // A panic there has been reported by its own thread, and there is nothing left to undo
            // here.
            let _ = syncer.join();
        }
    }
}

fn start_syncer(shared: &Arc<Shared>, interval: Duration, dir: &Path) -> Result<JoinHandle<()>> {
    let shared = shared.clone();
    thread::Builder::new()
        .name("chronolith-wal".to_owned())
        .spawn(move || sync_now_and_then(&shared, interval))
        .map_err(|error| Error::io(error, "cannot start the log's sync thread", dir))
}

/// Syncs at most `interval` after something was submitted; sleeps while there is nothing to sync.
fn sync_now_and_then(shared: &Shared, interval: Duration) {
    let mut state = shared.state.lock();
    while !state.closed {
        if state.failed.is_some() || state.is_synced() {
            shared.unsynced.wait(&mut state);
            continue;
        }
        shared.unsynced.wait_for(&mut state, interval);
        let target = state.submitted;
        // A failure ends up in the state, where it stops this loop and every writer.
        while !state.closed && state.failed.is_none() && state.durable < target {
            state.sync_due = true;
            shared.lead_or_wait(&mut state, Goal::Durable);
        }
    }
}

//! The write path: a record takes its place in the order, waits for its group, and is acknowledged.
//!
//! Group commit without a thread: of those who wait, one leads. It takes all that was submitted so
//! far, writes and syncs it without holding the lock, and wakes the rest; what was submitted
//! meanwhile is the next group. So the slower the disk, the larger the groups.

use std::ops::Range;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::Lsn;
use super::behind::Gap;
use super::frame::{self, Record};
use super::options::{BODY_BYTES_MAX, TENANT_BYTES_MAX, WalOptions};
use super::segment::Segment;
use super::write::{Goal, Work, Writer};
use crate::config::Durability;
use crate::error::{Error, ErrorKind, Result};

/// What writers, leaders and the sync thread share.
pub(super) struct Shared {
    pub(super) options: WalOptions,
    /// Locked last and never held over anything that blocks.
    pub(super) segments: Arc<Mutex<Vec<Segment>>>,
    pub(super) state: Mutex<State>,
    /// A commit ended, well or badly, or the log was revived or closed.
    pub(super) progress: Condvar,
    /// There is something to sync, or the log was closed.
    pub(super) unsynced: Condvar,
}

pub(super) struct State {
    /// The LSN of the next record.
    pub(super) next: u64,
    /// The last LSN handed out: not `next - 1`, as some LSNs belong to no record.
    pub(super) submitted: u64,
    /// The sync thread wants the next commit to sync, whoever leads it.
    pub(super) sync_due: bool,
    /// How often the log has been revived.
    pub(super) era: u64,
    /// Encoded frames that nobody has written yet.
    pub(super) buffer: Vec<u8>,
    /// The last group's memory, for the next one.
    spare: Vec<u8>,
    /// Gone while somebody leads.
    pub(super) writer: Option<Writer>,
    pub(super) written: u64,
    pub(super) durable: u64,
    /// The last LSN that replay found: it counts as acknowledged whatever was synced.
    recovered: u64,
    /// What no sync makes durable any more.
    pub(super) gap: Option<Gap>,
    /// Ranges of LSNs that were refused, in rising order.
    pub(super) void: Vec<Range<u64>>,
    pub(super) failed: Option<Error>,
    /// How often it failed.
    pub(super) failures: u64,
    pub(super) work: Work,
    pub(super) closed: bool,
}

impl Shared {
    pub(super) fn new(
        options: WalOptions,
        segments: Arc<Mutex<Vec<Segment>>>,
        writer: Writer,
        next: u64,
    ) -> Self {
        Shared {
            options,
            segments,
            progress: Condvar::new(),
            unsynced: Condvar::new(),
            state: Mutex::new(State {
                next,
                submitted: writer.written(),
                sync_due: false,
                era: 0,
                buffer: Vec::new(),
                spare: Vec::new(),
                written: writer.written(),
                durable: writer.durable(),
                recovered: writer.written(),
                gap: Gap::inherited(writer.durable(), writer.written()),
                writer: Some(writer),
                void: Vec::new(),
                failed: None,
                failures: 0,
                work: Work::default(),
                closed: false,
            }),
        }
    }

    /// Gives a record its place in the order. Neither writes nor waits for anybody who does.
    pub(super) fn submit(
        &self,
        era: u64,
        tenant: &str,
        kind: u8,
        record: u8,
        body: &[u8],
    ) -> Result<Lsn> {
        check_limits(tenant, body)?;
        let record = Record::new(tenant, kind, record, body);
        let mut state = self.state.lock();
        state.usable()?;
        if state.era != era {
            return Err(Error::new(
                ErrorKind::ReadOnly,
                "the log failed and was revived meanwhile",
            ));
        }
        let was_synced = state.is_synced();
        let lsn = state.next;
        state.next += 1;
        state.submitted = lsn;
        record.encode(lsn, &mut state.buffer);
        drop(state);
        if was_synced {
            self.unsynced.notify_one();
        }
        Ok(Lsn(lsn))
    }

    /// Waits until the buffer takes `bytes` more; empties it itself where nobody does.
    pub(super) fn admit(&self, bytes: usize) -> Result<()> {
        let mut state = self.state.lock();
        loop {
            state.usable()?;
            let length = state.buffer.len();
            if length == 0 || length.saturating_add(bytes) <= self.options.buffer_bytes {
                return Ok(());
            }
            self.lead_or_wait(&mut state, self.goal());
        }
    }

    /// The name of a segment that begins now: the next LSN, which is raised where a segment without
    /// frames has that name already (I3).
    pub(super) fn next_name(&self, state: &mut State) -> u64 {
        let newest = self.segments.lock().last().map(|newest| newest.first);
        state.next = state.next.max(newest.map_or(0, |newest| newest + 1));
        state.next
    }

    /// What a writer waits for under the chosen durability.
    pub(super) fn goal(&self) -> Goal {
        match self.options.durability {
            Durability::Always => Goal::Durable,
            Durability::Interval(_) | Durability::Never => Goal::Written,
        }
    }

    /// Returns once everything up to `lsn` has reached the goal, leading a commit if nobody else
    /// does.
    pub(super) fn wait(&self, lsn: u64, goal: Goal) -> Result<()> {
        let mut state = self.state.lock();
        assert!(
            lsn < state.next,
            "only what was submitted can be waited for"
        );
        loop {
            // First of all: a void frame must not pass for written because later ones are.
            if state.is_void(lsn) {
                return Err(Error::new(
                    ErrorKind::ReadOnly,
                    format!("log record {lsn} was refused: the log failed before it was safe"),
                ));
            }
            let reached = match goal {
                Goal::Written => state.written,
                Goal::Durable => state.durable,
            };
            if reached >= lsn {
                return Ok(());
            }
            state.usable()?;
            self.lead_or_wait(&mut state, goal);
        }
    }

    /// Makes everything submitted so far durable; an error where a failed sync has made that
    /// impossible.
    pub(super) fn sync(&self) -> Result<()> {
        let mut state = self.state.lock();
        let target = state.submitted;
        while state.durable < target {
            state.usable()?;
            self.lead_or_wait(&mut state, Goal::Durable);
        }
        state.usable()?;
        match state.gap {
            None => Ok(()),
            Some(Gap { durable, last }) => Err(Error::new(
                ErrorKind::Io,
                format!(
                    "log records {} to {last} are in doubt until blocks have them",
                    durable + 1
                ),
            )),
        }
    }

    /// Makes everything submitted so far durable, and says what the segments hold then: whole
    /// frames, of which none can be refused any more.
    pub(super) fn settled_segments(&self) -> Result<Vec<Segment>> {
        let _state = self.settle()?;
        Ok(self.segments.lock().clone())
    }

    /// Starts a new segment, so that all others can be released.
    pub(super) fn begin_segment(&self) -> Result<()> {
        let mut state = self.settle()?;
        let mut writer = state.writer.take().expect("a settled log has its writer");
        let (next, claim_max) = (state.next, state.claim_max());
        // Nothing waits to be written, so there is no group to be led meanwhile.
        let outcome = MutexGuard::unlocked(&mut state, || writer.begin_segment(next, claim_max));
        state.take_back(writer);
        if let Err(error) = &outcome {
            state.fail(error.clone());
        }
        self.progress.notify_all();
        outcome
    }

    /// Returns once everything submitted so far is durable, while nobody commits and all that was
    /// written is durable.
    fn settle(&self) -> Result<MutexGuard<'_, State>> {
        let mut state = self.state.lock();
        let target = state.submitted;
        loop {
            state.usable()?;
            let is_synced = |writer: &Writer| writer.durable() == writer.written();
            if state.durable >= target && state.writer.as_ref().is_some_and(is_synced) {
                return Ok(state);
            }
            self.lead_or_wait(&mut state, Goal::Durable);
        }
    }

    /// Commits what is in the buffer, or waits for whoever is committing now.
    pub(super) fn lead_or_wait(&self, state: &mut MutexGuard<'_, State>, goal: Goal) {
        let Some(mut writer) = state.writer.take() else {
            self.progress.wait(state);
            return;
        };
        let goal = match std::mem::take(&mut state.sync_due) {
            true => Goal::Durable,
            false => goal,
        };
        let spare = std::mem::take(&mut state.spare);
        let mut group = std::mem::replace(&mut state.buffer, spare);
        let claim_max = state.claim_max();
        let outcome = MutexGuard::unlocked(state, || writer.commit(&mut group, goal, claim_max));
        // What was written before a failure counts: its waiters are told so.
        state.take_back(writer);
        if let Err(error) = outcome {
            state.fail(error);
        }
        // One huge group must not hold its memory for ever.
        if group.capacity() <= 2 * self.options.buffer_bytes {
            group.clear();
            state.spare = group;
        }
        self.progress.notify_all();
    }
}

impl State {
    pub(super) fn usable(&self) -> Result<()> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if self.closed {
            return Err(Error::new(ErrorKind::Closed, "the log is closed"));
        }
        Ok(())
    }

    /// Ends a use of the writer.
    pub(super) fn take_back(&mut self, writer: Writer) {
        self.written = writer.written();
        self.durable = writer.durable();
        self.work = writer.work();
        self.writer = Some(writer);
    }

    pub(super) fn is_synced(&self) -> bool {
        self.durable >= self.submitted
    }

    /// The last LSN whose waiter was, or can still be, told that it is safe.
    pub(super) fn acknowledged(&self, goal: Goal) -> u64 {
        let reached = match goal {
            Goal::Written => self.written,
            Goal::Durable => self.durable,
        };
        reached.max(self.recovered)
    }

    /// The highest LSN that a frame may call durable, whatever was synced.
    pub(super) fn claim_max(&self) -> u64 {
        self.gap.map_or(u64::MAX, |gap| gap.durable)
    }

    fn is_void(&self, lsn: u64) -> bool {
        self.void.iter().any(|range| range.contains(&lsn))
    }

    /// Takes no more writes until revived. What waits in the buffer is refused with the rest.
    fn fail(&mut self, cause: Error) {
        let kind = match cause.kind() {
            ErrorKind::Full => ErrorKind::Full,
            _ => ErrorKind::ReadOnly,
        };
        let text = format!("the log failed and takes no writes until it is revived: {cause}");
        self.failed = Some(Error::new(kind, text));
        self.failures += 1;
        self.buffer.clear();
    }
}

fn check_limits(tenant: &str, body: &[u8]) -> Result<()> {
    if tenant.len() > TENANT_BYTES_MAX {
        return Err(Error::limit(format!(
            "tenant name has {} bytes, at most {TENANT_BYTES_MAX} are allowed",
            tenant.len()
        )));
    }
    if body.len() > BODY_BYTES_MAX {
        return Err(Error::limit(format!(
            "log record has {} bytes, at most {BODY_BYTES_MAX} are allowed",
            body.len()
        )));
    }
    Ok(())
}

/// The bytes that a record takes in the buffer and on disk: what to ask admission for.
pub(super) fn record_bytes(tenant: &str, body_bytes: usize) -> usize {
    frame::frame_bytes(tenant.len() + body_bytes)
}

//! How much a query may use, and how it is stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::promql::error::{Error, ErrorKind, Result};
use crate::promql::room::{Room, Share};

/// How much a query may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Samples that it may hold at once. Default 50,000,000. A quarter of that may be kept beside
    /// it for parts of the query that come again.
    pub samples_max: usize,
    /// Steps of a range query. Default 11,000.
    pub steps_max: usize,
    /// How long it may take. Default two minutes.
    pub timeout: Duration,
    /// Tells it to stop.
    pub cancel: Option<CancelFlag>,
    /// What it shares with other queries. Default nothing.
    pub room: Option<Room>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            samples_max: 50_000_000,
            steps_max: 11_000,
            timeout: Duration::from_secs(120),
            cancel: None,
            room: None,
        }
    }
}

/// Tells a running query to stop, and is told how far it is. Clones are the same flag.
#[derive(Clone, Debug, Default)]
pub struct CancelFlag(Arc<Watch>);

#[derive(Debug, Default)]
struct Watch {
    is_raised: AtomicBool,
    read: AtomicUsize,
}

impl CancelFlag {
    /// A flag that is not raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells the query to stop; it ends at the next series or step that it comes to.
    pub fn cancel(&self) {
        self.0.is_raised.store(true, Ordering::Relaxed);
    }

    /// Whether the query has been told to stop.
    pub fn is_raised(&self) -> bool {
        self.0.is_raised.load(Ordering::Relaxed)
    }

    /// Samples, or lines of a query of logs, that the query has read so far.
    pub fn read(&self) -> usize {
        self.0.read.load(Ordering::Relaxed)
    }

    /// Tells of entries that were read.
    pub(crate) fn note_read(&self, entries: usize) {
        self.0.read.fetch_add(entries, Ordering::Relaxed);
    }
}

/// What has come from the source.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Read {
    pub(crate) samples: usize,
    /// As they lie there, as far as that is known.
    pub(crate) bytes: u64,
}

/// Beside what a query may hold, this part of it may be kept for parts of the query that come
/// again.
const KEPT_PART: usize = 4;

/// How often [`Guard::check`] looks at the clock.
const CHECKS_PER_LOOK: u32 = 64;

/// Watches over a running query.
pub(crate) struct Guard {
    limits: Limits,
    deadline: Option<Instant>,
    share: Share,
    held: AtomicUsize,
    /// Held beside that, for parts of the query that come again.
    kept: AtomicUsize,
    peak: AtomicUsize,
    read: AtomicUsize,
    bytes_read: AtomicU64,
    checks: AtomicU32,
}

impl Guard {
    pub(crate) fn new(limits: &Limits) -> Self {
        Guard {
            limits: limits.clone(),
            deadline: Instant::now().checked_add(limits.timeout),
            share: Share::of(limits.room.as_ref()),
            held: AtomicUsize::new(0),
            kept: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            read: AtomicUsize::new(0),
            bytes_read: AtomicU64::new(0),
            checks: AtomicU32::new(0),
        }
    }

    /// Whether the query may go on. The clock is looked at now and then.
    pub(crate) fn check(&self) -> Result<()> {
        let checks = self.checks.fetch_add(1, Ordering::Relaxed);
        if checks.is_multiple_of(CHECKS_PER_LOOK) {
            return self.check_now();
        }
        self.check_canceled()
    }

    /// Whether the query may go on, by the clock as well.
    pub(crate) fn check_now(&self) -> Result<()> {
        self.check_canceled()?;
        if self.is_late() {
            let message = "query timed out in expression evaluation";
            return Err(Error::new(ErrorKind::Timeout, message));
        }
        Ok(())
    }

    /// Whether it may not go on: [`Guard::check_now`] then says why.
    pub(crate) fn is_over(&self) -> bool {
        self.is_canceled() || self.is_late()
    }

    fn check_canceled(&self) -> Result<()> {
        if self.is_canceled() {
            let message = "query was canceled in expression evaluation";
            return Err(Error::new(ErrorKind::Canceled, message));
        }
        Ok(())
    }

    fn is_canceled(&self) -> bool {
        let flag = self.limits.cancel.as_ref();
        flag.is_some_and(CancelFlag::is_raised)
    }

    fn is_late(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// Counts samples that are held from now on.
    pub(crate) fn hold(&self, samples: usize) -> Result<()> {
        let held = self
            .held
            .fetch_add(samples, Ordering::Relaxed)
            .saturating_add(samples);
        let kept = self.kept.load(Ordering::Relaxed);
        self.peak
            .fetch_max(held.saturating_add(kept), Ordering::Relaxed);
        if held > self.limits.samples_max {
            let message = format!(
                "query processing would load too many samples into memory in query execution: \
                 the limit is {}, raise samples_max or select less",
                self.limits.samples_max
            );
            return Err(Error::new(ErrorKind::Limit, message));
        }
        self.share.grow(samples)
    }

    /// Counts what came from the source, and holds its samples.
    pub(crate) fn hold_read(&self, samples: usize, bytes: u64) -> Result<()> {
        self.read.fetch_add(samples, Ordering::Relaxed);
        self.bytes_read.fetch_add(bytes, Ordering::Relaxed);
        if let Some(flag) = &self.limits.cancel {
            flag.note_read(samples);
        }
        self.hold(samples)
    }

    /// Forgets so many that were held.
    pub(crate) fn release(&self, samples: usize) {
        self.held.fetch_sub(samples, Ordering::Relaxed);
        self.share.shrink(samples);
    }

    /// How many samples are held.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Keeps samples for later if there is room for them beside what is held, so that nothing is
    /// refused for what is only kept.
    pub(crate) fn keep(&self, samples: usize) -> bool {
        let kept = self.kept.fetch_add(samples, Ordering::Relaxed);
        let fits = kept.saturating_add(samples) <= self.limits.samples_max / KEPT_PART;
        let fits = fits && self.share.grow(samples).is_ok();
        if !fits {
            self.kept.fetch_sub(samples, Ordering::Relaxed);
        }
        fits
    }

    /// Forgets so many that were kept.
    pub(crate) fn drop_kept(&self, samples: usize) {
        self.kept.fetch_sub(samples, Ordering::Relaxed);
        self.share.shrink(samples);
    }

    /// Forgets what was held beyond `held`.
    pub(crate) fn release_to(&self, held: usize) {
        let before = self.held.swap(held, Ordering::Relaxed);
        self.share.shrink(before.saturating_sub(held));
    }

    /// The most samples that were held at once.
    pub(crate) fn peak(&self) -> usize {
        self.peak.load(Ordering::Relaxed)
    }

    /// Samples that came from the source.
    pub(crate) fn read(&self) -> Read {
        Read {
            samples: self.read.load(Ordering::Relaxed),
            bytes: self.bytes_read.load(Ordering::Relaxed),
        }
    }
}

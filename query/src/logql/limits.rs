//! How LogQL queries are evaluated, how much one may use, and how it is stopped.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::logql::answer::Stats;
use crate::logql::{CancelFlag, Error, ErrorKind, Result, Room, syntax};
use crate::promql::room::Share;

/// How queries are evaluated.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How much a query may use.
    pub limits: Limits,
    /// Which times a range query is evaluated at.
    pub steps: Steps,
    /// How many threads read streams at once. Default as many as there are processors.
    pub workers: Option<NonZeroUsize>,
}

impl Options {
    pub(crate) fn workers(&self) -> usize {
        let workers = self
            .workers
            .or_else(|| thread::available_parallelism().ok());
        workers.map_or(1, NonZeroUsize::get)
    }
}

/// Which times a range query is evaluated at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Steps {
    /// At multiples of the step: the start is moved down to one, the end up. What Loki does.
    #[default]
    Aligned,
    /// From the start on.
    AsAsked,
}

/// How much a query may use.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Lines of an answer. Default 5,000.
    pub entries_max: usize,
    /// Series of an answer. Default 500.
    pub series_max: usize,
    /// What becomes of an answer with more series. Default an error.
    pub series_beyond: SeriesBeyond,
    /// From the start to the end of a query. Default 721 hours; zero for any.
    pub length_max: Duration,
    /// The range in brackets. Default any, which is zero.
    pub range_max: Duration,
    /// Steps of a range query. Default 11,000.
    pub steps_max: usize,
    /// Samples and cells of series that it may hold at once. Default 50,000,000.
    pub samples_max: usize,
    /// Lines that it may look at. Default any.
    pub lines_max: u64,
    /// Bytes of lines that it may look at. Default any.
    pub bytes_max: u64,
    /// How long it may take. Default one minute.
    pub timeout: Duration,
    /// Tells it to stop.
    pub cancel: Option<CancelFlag>,
    /// What it shares with other queries, of metrics too. Default nothing.
    pub room: Option<Room>,
}

/// What becomes of an answer with too many series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SeriesBeyond {
    /// There is none.
    #[default]
    Refused,
    /// It is cut, with a warning.
    LeftOut,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            entries_max: 5_000,
            series_max: 500,
            series_beyond: SeriesBeyond::default(),
            length_max: Duration::from_secs(721 * 3600),
            range_max: Duration::ZERO,
            steps_max: 11_000,
            samples_max: 50_000_000,
            lines_max: u64::MAX,
            bytes_max: u64::MAX,
            timeout: Duration::from_secs(60),
            cancel: None,
            room: None,
        }
    }
}

impl Limits {
    /// Refuses a range of time from `start` to `end`, in nanoseconds, that is longer than a query
    /// may look at. Whoever lists streams or measures them asks it, since no query does that.
    pub fn check_length(&self, start: i64, end: i64) -> Result<()> {
        let length = Duration::from_nanos(end.saturating_sub(start).max(0).unsigned_abs());
        if length <= self.length_max || self.length_max.is_zero() {
            return Ok(());
        }
        let message = format!(
            "the query time range exceeds the limit (query length: {}, limit: {})",
            syntax::show_go_duration(as_ns(length)),
            syntax::show_duration(as_ns(self.length_max))
        );
        Err(Error::new(ErrorKind::Limit, message))
    }
}

/// A length of time in nanoseconds.
pub(super) fn as_ns(length: Duration) -> i64 {
    i64::try_from(length.as_nanos()).unwrap_or(i64::MAX)
}

/// What a held line takes besides its text.
const LINE_BYTES: usize = 256;

/// How often [`Guard::check`] looks at the clock.
const CHECKS_PER_LOOK: u32 = 16;

/// Watches over a running query.
pub(crate) struct Guard {
    limits: Limits,
    deadline: Option<Instant>,
    checks: AtomicU32,
    share: Share,
    held: AtomicUsize,
    streams: AtomicU64,
    lines: AtomicU64,
    bytes: AtomicU64,
    lines_kept: AtomicU64,
}

impl Guard {
    pub(crate) fn new(limits: &Limits) -> Self {
        Guard {
            limits: limits.clone(),
            deadline: Instant::now().checked_add(limits.timeout),
            checks: AtomicU32::new(0),
            share: Share::of(limits.room.as_ref()),
            held: AtomicUsize::new(0),
            streams: AtomicU64::new(0),
            lines: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            lines_kept: AtomicU64::new(0),
        }
    }

    /// Whether the query may go on.
    pub(crate) fn check(&self) -> Result<()> {
        let cancel = self.limits.cancel.as_ref();
        if cancel.is_some_and(CancelFlag::is_raised) {
            let message = "the request was cancelled by the client";
            return Err(Error::new(ErrorKind::Canceled, message));
        }
        let checks = self.checks.fetch_add(1, Ordering::Relaxed);
        if checks.is_multiple_of(CHECKS_PER_LOOK) && self.time_left() == Some(Duration::ZERO) {
            let message = "request timed out, decrease the duration of the request or add more \
                           label matchers (prefer exact match over regex match) to reduce the \
                           amount of data processed";
            return Err(Error::new(ErrorKind::Timeout, message));
        }
        Ok(())
    }

    /// How long the query may still take, if that is limited.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
        self.deadline.map(left)
    }

    /// Counts a stream that is read.
    pub(crate) fn opened(&self) -> Result<()> {
        self.streams.fetch_add(1, Ordering::Relaxed);
        self.check()
    }

    /// Counts lines that are looked at, and the bytes of their texts.
    pub(crate) fn read(&self, lines: usize, bytes: usize) -> Result<()> {
        let add = |counter: &AtomicU64, added: usize| {
            let added = added as u64;
            counter.fetch_add(added, Ordering::Relaxed) + added
        };
        if let Some(flag) = &self.limits.cancel {
            flag.note_read(lines);
        }
        let (lines, bytes) = (add(&self.lines, lines), add(&self.bytes, bytes));
        let Limits {
            lines_max,
            bytes_max,
            ..
        } = self.limits;
        let message = if lines > lines_max {
            format!("the query would read too many lines (limit: {lines_max})")
        } else if bytes > bytes_max {
            format!("the query would read too many bytes (limit: {bytes_max} bytes)")
        } else {
            return self.check();
        };
        let advice = "; consider adding more specific stream selectors or reduce the time range \
                      of the query";
        Err(Error::new(ErrorKind::Limit, message + advice))
    }

    /// Counts lines that passed the pipeline.
    pub(crate) fn keep(&self, lines: u64) {
        self.lines_kept.fetch_add(lines, Ordering::Relaxed);
    }

    /// Counts samples, or cells of series, that are held from now on.
    pub(crate) fn hold(&self, samples: usize) -> Result<()> {
        let held = self.held.fetch_add(samples, Ordering::Relaxed);
        let samples_max = self.limits.samples_max;
        if held.saturating_add(samples) <= samples_max {
            return self.share.grow(samples);
        }
        let message = format!(
            "the query needs more than {samples_max} samples at once; select less, reduce the \
             time range or raise the step"
        );
        Err(Error::new(ErrorKind::Limit, message))
    }

    /// Room for a line that is held, as long as the share lives.
    pub(crate) fn share_of_line(&self, bytes: usize) -> Result<Share> {
        Share::of_text(self.limits.room.as_ref(), bytes + LINE_BYTES)
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// What the query has cost so far.
    pub(crate) fn stats(&self) -> Stats {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            streams: count(&self.streams),
            lines: count(&self.lines),
            bytes: count(&self.bytes),
            lines_kept: count(&self.lines_kept),
        }
    }
}

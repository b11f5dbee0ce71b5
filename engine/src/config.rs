//! Settings as plain values, each with a default and a limit. Components (`Fs`, `Clock`) are not
//! settings.

use std::time::Duration;

use crate::error::{Error, Result};

/// When an append counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Durability {
    /// After its bytes are on stable storage (one sync serves every writer that waits).
    #[default]
    Always,
    /// After its bytes are with the operating system; they are synced at this interval. A crash of
    /// the process loses nothing, a crash of the machine loses at most about this much, always
    /// whole batches. Where a sync fails, what came since the one before is at risk until it is in
    /// blocks; the engine moves it there at once.
    Interval(Duration),
    /// After its bytes are with the operating system, which writes them when it likes. A crash of
    /// the machine may lose any batch since the last freeze, `sync` or `close`.
    Never,
}

/// More series than this in one head cannot be numbered in the log.
pub(crate) const SERIES_MAX: u64 = 1 << 28;

/// Settings of one engine.
///
/// ```
/// use std::time::Duration;
///
/// use chronolith_engine::{Durability, Limits, Options};
///
/// let options = Options {
///     durability: Durability::Interval(Duration::from_millis(100)),
///     head_bytes_max: 128 << 20,
///     limits: Limits {
///         retention: Some(Duration::from_secs(30 * 24 * 60 * 60)),
///         ..Limits::default()
///     },
///     ..Options::default()
/// };
/// # let _ = options;
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// When an append is acknowledged.
    pub durability: Durability,
    /// The log is kept below this by freezing the head: it bounds recovery time.
    pub wal_bytes_max: u64,
    /// Entries of all heads together may take this much memory before the largest is frozen.
    pub head_bytes_max: u64,
    /// Series of all heads together; new ones are refused at this cap.
    pub series_max: u64,
    /// Decoded pages kept for repeated reads.
    pub cache_bytes_max: u64,
    /// A head window whose first entry came longer ago than this is frozen even if small. Measured
    /// by the engine's clock, not by the entries' times.
    pub window_span_max: Duration,
    /// Threads that encode and decode in the background (0: as many as there are cores, at most 4).
    pub threads: usize,
    /// The limits of a tenant that has none of its own.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            durability: Durability::Always,
            wal_bytes_max: 128 << 20,
            head_bytes_max: 512 << 20,
            series_max: 4_000_000,
            cache_bytes_max: 64 << 20,
            window_span_max: Duration::from_secs(2 * 60 * 60),
            threads: 0,
            limits: Limits::default(),
        }
    }
}

/// What one tenant may send and keep.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Series with entries in the head, per kind.
    pub series_max: u64,
    /// Labels of one series.
    pub labels_max: usize,
    /// Bytes of one label name.
    pub label_name_bytes_max: usize,
    /// Bytes of one label value.
    pub label_value_bytes_max: usize,
    /// Bytes of one log line.
    pub line_bytes_max: usize,
    /// Bytes of one entry's structured metadata.
    pub metadata_bytes_max: usize,
    /// Buckets of one native histogram.
    pub histogram_buckets_max: usize,
    /// How far ahead of the clock an entry may be.
    pub future_max: Duration,
    /// How far behind a series' newest sample a late one may be (`None`: as far as retention
    /// reaches; zero: never). Logs take late lines by the same rule, measured from the tenant's
    /// newest line (zero: from the stream's). A series idle since a freeze or a restart counts as
    /// new.
    pub late_max: Option<Duration>,
    /// Entries older than this are refused and expire (`None`: kept for ever).
    pub retention: Option<Duration>,
    /// Metric families with metadata.
    pub metadata_families_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            series_max: 2_000_000,
            labels_max: 64,
            label_name_bytes_max: 1024,
            label_value_bytes_max: 8192,
            line_bytes_max: 256 << 10,
            metadata_bytes_max: 64 << 10,
            histogram_buckets_max: 4096,
            future_max: Duration::from_secs(10 * 60),
            late_max: None,
            retention: None,
            metadata_families_max: 100_000,
        }
    }
}

impl Options {
    /// How many threads to use where there is work for several.
    pub(crate) fn thread_count(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(1, |count| count.get().min(4)),
            threads => threads,
        }
    }

    /// Refuses values that cannot work, naming the setting and what would be right.
    pub(crate) fn check(&self) -> Result<()> {
        at_least("wal_bytes_max", self.wal_bytes_max, 64 << 10)?;
        at_least("head_bytes_max", self.head_bytes_max, 64 << 10)?;
        at_least("series_max", self.series_max, 1)?;
        if self.threads > 1024 {
            return Err(Error::invalid(format!(
                "threads is {}: at most 1024",
                self.threads
            )));
        }
        if let Durability::Interval(interval) = self.durability
            && interval.is_zero()
        {
            return Err(Error::invalid(
                "durability interval is zero: use Durability::Always",
            ));
        }
        self.limits.check()
    }
}

impl Limits {
    /// Refuses values that cannot work, naming the setting and what would be right.
    pub(crate) fn check(&self) -> Result<()> {
        at_least("limits.labels_max", self.labels_max as u64, 1)?;
        at_most("limits.labels_max", self.labels_max as u64, 1024)?;
        at_most(
            "limits.label_name_bytes_max",
            self.label_name_bytes_max as u64,
            16 << 10,
        )?;
        at_most(
            "limits.label_value_bytes_max",
            self.label_value_bytes_max as u64,
            1 << 20,
        )?;
        at_most(
            "limits.line_bytes_max",
            self.line_bytes_max as u64,
            16 << 20,
        )?;
        at_most(
            "limits.metadata_bytes_max",
            self.metadata_bytes_max as u64,
            1 << 20,
        )?;
        at_most(
            "limits.histogram_buckets_max",
            self.histogram_buckets_max as u64,
            65_536,
        )?;
        at_most(
            "limits.series_max",
            self.series_max,
            u64::from(u32::MAX) - 1,
        )
    }
}

fn at_least(name: &str, value: u64, least: u64) -> Result<()> {
    match value >= least {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "{name} is {value}: at least {least} is needed"
        ))),
    }
}

fn at_most(name: &str, value: u64, most: u64) -> Result<()> {
    match value <= most {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "{name} is {value}: at most {most} is possible"
        ))),
    }
}

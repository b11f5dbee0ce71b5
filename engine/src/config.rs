//! Settings as plain values, each with a default and a limit. Components (`Fs`, `Clock`) are not
//! settings.

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::labels::matcher::Matcher;

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

/// More rules of retention than this no store has.
pub(crate) const RETENTION_RULES_MAX: usize = 16;

/// The matchers of one rule of retention take at most this many bytes as text.
pub(crate) const RULE_BYTES_MAX: usize = 4096;

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
    /// Block files kept open between two reads. Others are opened again when they are read, so any
    /// number of blocks can be had with few descriptors.
    pub open_files_max: usize,
    /// Space set aside in a file of the data directory once there is more data than that. On a full
    /// disk it is given up for commits that make room, and taken again when there is space (0:
    /// none).
    pub reserve_bytes: u64,
    /// A head window whose first entry came longer ago than this is frozen even if small. Measured
    /// by the engine's clock, not by the entries' times.
    pub window_span_max: Duration,
    /// How much of one core merging in the background may take, in percent; all of it while blocks
    /// pile up. 0 merges only where [`Store::compact`](crate::Store::compact) is called.
    pub compaction_percent: u8,
    /// Threads that encode and decode in the background (0: as many as there are cores, at most 4).
    pub threads: usize,
    /// Bytes that the blocks of all stores together may take on disk; beyond, the oldest go
    /// (`None`: no bound). The log, which has a bound of its own, is not counted.
    pub retention_bytes_max: Option<u64>,
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
            open_files_max: 256,
            reserve_bytes: 4 << 20,
            window_span_max: Duration::from_secs(2 * 60 * 60),
            compaction_percent: 50,
            threads: 0,
            retention_bytes_max: None,
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
    /// Entries older than this are refused, and those stored expire (`None`: kept for ever). For
    /// the series that none of the rules below accepts.
    pub retention: Option<Duration>,
    /// Retention by series: the first rule whose matchers all accept a series' labels says how long
    /// its entries are kept. At most 16.
    pub retention_rules: Arc<[RetentionRule]>,
    /// Bytes that the blocks of each store may take on disk; beyond, the oldest go (`None`: no
    /// bound).
    pub retention_bytes_max: Option<u64>,
    /// Metric families with metadata.
    pub metadata_families_max: usize,
    /// Deletions that merges have not applied yet, per kind: each is looked at by every read.
    pub deletions_max: usize,
}

/// How long the entries of some series are kept.
///
/// ```
/// use std::time::Duration;
///
/// use chronolith_engine::labels::{MatchOp, Matcher};
/// use chronolith_engine::{Limits, RetentionRule};
///
/// const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// let audit = RetentionRule {
///     matchers: vec![Matcher::new(MatchOp::Equal, "app", "audit")?],
///     keep: None,
/// };
/// let debug = RetentionRule {
///     matchers: vec![Matcher::new(MatchOp::Regex, "level", "debug|trace")?],
///     keep: Some(2 * DAY),
/// };
/// let limits = Limits {
///     retention: Some(30 * DAY),
///     retention_rules: [audit, debug].into(),
///     ..Limits::default()
/// };
/// # let _ = limits;
/// # Ok::<(), chronolith_engine::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionRule {
    /// What a series' labels must be; without any, every series is meant.
    pub matchers: Vec<Matcher>,
    /// How long entries of these series are kept (`None`: for ever).
    pub keep: Option<Duration>,
}

impl RetentionRule {
    /// The matchers as text, the same for rules that differ in nothing but their order.
    pub(crate) fn text(&self) -> String {
        let mut texts: Vec<String> = self.matchers.iter().map(Matcher::to_string).collect();
        texts.sort_unstable();
        texts.dedup();
        format!("{{{}}}", texts.join(", "))
    }
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
            retention_rules: Arc::default(),
            retention_bytes_max: None,
            metadata_families_max: 100_000,
            deletions_max: 1_000,
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
        at_least("open_files_max", self.open_files_max as u64, 1)?;
        if self.reserve_bytes > 0 {
            at_least("reserve_bytes", self.reserve_bytes, 64 << 10)?;
            at_most("reserve_bytes", self.reserve_bytes, 1 << 30)?;
        }
        at_most(
            "compaction_percent",
            u64::from(self.compaction_percent),
            100,
        )?;
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
    /// Refuses values that cannot work, naming the setting and what would be right. For who wants
    /// to know before a store is told: every call that takes limits looks at them itself.
    pub fn check(&self) -> Result<()> {
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
        at_most("limits.deletions_max", self.deletions_max as u64, 100_000)?;
        at_most(
            "limits.series_max",
            self.series_max,
            u64::from(u32::MAX) - 1,
        )?;
        self.check_rules()
    }

    fn check_rules(&self) -> Result<()> {
        let count = self.retention_rules.len();
        if count > RETENTION_RULES_MAX {
            return Err(Error::invalid(format!(
                "limits.retention_rules has {count} rules: at most {RETENTION_RULES_MAX} are \
                 possible"
            )));
        }
        for (place, rule) in self.retention_rules.iter().enumerate() {
            let name = format!("limits.retention_rules[{place}] in bytes of its matchers");
            at_most(&name, rule.text().len() as u64, RULE_BYTES_MAX as u64)?;
        }
        Ok(())
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

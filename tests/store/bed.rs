//! What the tests of the store stand on: a folder that goes away, engines in it, and short ways to
//! write and to read everything back.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chronolith_engine::labels::{LabelSet, MatchOp, Matcher};
use chronolith_engine::logs::{Line, Lines};
use chronolith_engine::metrics::{Histogram, Sample, SampleValue, Samples};
use chronolith_engine::time::{Millis, Nanos};
use chronolith_engine::{
    Batch, Durability, Engine, Limits, Options, Refusal, Report, Selector, Snapshot, Store,
};

/// A time long past: old entries lie in partitions of eight days.
pub const PAST_MS: i64 = 1_600_000_000_000;

/// A time far ahead (the year 2100), which [`options`] allows: new entries lie in partitions of two
/// hours.
pub const AHEAD_MS: i64 = 4_102_444_800_000;

pub const HOUR_MS: i64 = 3_600_000;

/// Nanoseconds of a millisecond.
pub const MS: i64 = 1_000_000;

/// A folder under the system's temporary one, removed when dropped.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("chronolith-store-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // A test run that was killed may have left one behind under the same process id.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn open(&self) -> Engine {
        self.open_with(options())
    }

    pub fn open_with(&self, options: Options) -> Engine {
        Engine::open(&self.0, options).unwrap()
    }

    pub fn open_read_only(&self) -> Engine {
        Engine::open_read_only(&self.0, options()).unwrap()
    }

    /// All files below the folder with this ending, in order of their paths.
    pub fn files(&self, ending: &str) -> Vec<PathBuf> {
        let (mut found, mut folders) = (Vec::new(), vec![self.0.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.to_str().unwrap().ends_with(ending) {
                    found.push(path);
                }
            }
        }
        found.sort();
        found
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that stays behind in the temporary one does no harm.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Options that do not wait for the disk and take times far ahead.
pub fn options() -> Options {
    Options {
        durability: Durability::Never,
        limits: Limits {
            future_max: Duration::from_secs(200 * 365 * 24 * 60 * 60),
            ..Limits::default()
        },
        ..Options::default()
    }
}

pub fn with_limits(change: impl FnOnce(&mut Limits)) -> Options {
    let mut options = options();
    change(&mut options.limits);
    options
}

pub fn set(pairs: &[(&str, &str)]) -> LabelSet {
    LabelSet::from_pairs(pairs.iter().copied()).unwrap()
}

/// A series of the metric `m` told apart by the label `n`.
pub fn numbered(number: usize) -> LabelSet {
    set(&[("__name__", "m"), ("n", &format!("{number:05}"))])
}

pub fn all() -> Selector {
    Selector::new(Vec::new())
}

pub fn matching(op: MatchOp, name: &str, value: &str) -> Selector {
    Selector::new(vec![Matcher::new(op, name, value).unwrap()])
}

pub fn equal(name: &str, value: &str) -> Selector {
    matching(MatchOp::Equal, name, value)
}

/// A sample as read back: floats by their bits, so that every NaN is told apart.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Bits(u64),
    Histogram(Box<Histogram>),
}

/// One sample: time, start time, value.
pub type Point = (i64, Option<i64>, Value);

/// One line: time, text, metadata as shown.
pub type Logged = (i64, String, String);

pub fn bits(value: f64) -> Value {
    Value::Bits(value.to_bits())
}

pub fn point_of(sample: &Sample<'_>) -> Point {
    let value = match sample.value {
        SampleValue::Float(value) => bits(value),
        SampleValue::Histogram(histogram) => Value::Histogram(Box::new(histogram.clone())),
    };
    (sample.time.0, sample.start.map(|start| start.0), value)
}

/// Every series that a selector finds with all its samples; series without samples are left out.
pub fn points(snapshot: &Snapshot<Samples>, selector: &Selector) -> Vec<(String, Vec<Point>)> {
    let mut found = Vec::new();
    for series in snapshot.select(selector).unwrap() {
        let mut points = Vec::new();
        for run in series.read().unwrap() {
            points.extend((0..run.len()).map(|index| point_of(&run.sample(index))));
        }
        assert!(points.is_sorted_by(|left, right| left.0 < right.0));
        if !points.is_empty() {
            found.push((series.labels().to_string(), points));
        }
    }
    assert!(found.is_sorted_by(|left, right| left.0 != right.0));
    found
}

/// The samples of the only series that has any.
pub fn only(store: &Store<Samples>) -> Vec<Point> {
    let mut found = points(&store.snapshot(), &all());
    assert!(found.len() <= 1, "more than one series: {found:?}");
    found.pop().map_or_else(Vec::new, |(_, points)| points)
}

/// Every stream that a selector finds with all its lines; streams without lines are left out.
pub fn logged(snapshot: &Snapshot<Lines>, selector: &Selector) -> Vec<(String, Vec<Logged>)> {
    let mut found = Vec::new();
    for series in snapshot.select(selector).unwrap() {
        let mut lines = Vec::new();
        for run in series.read().unwrap() {
            for index in 0..run.len() {
                let text = String::from_utf8(run.line(index).to_vec()).unwrap();
                lines.push((run.times()[index], text, run.metadata(index).to_string()));
            }
        }
        assert!(lines.is_sorted_by(|left, right| left.0 <= right.0));
        if !lines.is_empty() {
            found.push((series.labels().to_string(), lines));
        }
    }
    found
}

/// The texts of all lines of all streams.
pub fn texts(store: &Store<Lines>) -> Vec<String> {
    let streams = logged(&store.snapshot(), &all());
    streams
        .into_iter()
        .flat_map(|(_, lines)| lines)
        .map(|(_, text, _)| text)
        .collect()
}

pub fn append_samples(store: &Store<Samples>, labels: &LabelSet, samples: &[Sample<'_>]) -> Report {
    let mut batch = Batch::<Samples>::new();
    batch.series(labels.as_labels().as_bytes());
    for sample in samples {
        batch.entry(*sample);
    }
    store.append(&batch).unwrap()
}

pub fn put(store: &Store<Samples>, labels: &LabelSet, time: i64, value: f64) {
    let report = append_samples(store, labels, &[Sample::float(Millis(time), value)]);
    assert_eq!(
        (report.accepted, &report.refused[..]),
        (1, &[][..]),
        "at {time}"
    );
}

/// What one float at one time is told.
pub fn offer(
    store: &Store<Samples>,
    labels: &LabelSet,
    time: i64,
    value: f64,
) -> Result<(), Refusal> {
    let report = append_samples(store, labels, &[Sample::float(Millis(time), value)]);
    match report.refusal(0) {
        Some(why) => Err(why.clone()),
        None => Ok(()),
    }
}

pub fn append_lines(store: &Store<Lines>, labels: &LabelSet, lines: &[Line<'_>]) -> Report {
    let mut batch = Batch::<Lines>::new();
    batch.series(labels.as_labels().as_bytes());
    for line in lines {
        batch.entry(*line);
    }
    store.append(&batch).unwrap()
}

pub fn put_line(store: &Store<Lines>, labels: &LabelSet, time: i64, text: &str) {
    let report = append_lines(store, labels, &[Line::new(Nanos(time), text)]);
    assert_eq!(report.refused, []);
}

pub fn offer_line(
    store: &Store<Lines>,
    labels: &LabelSet,
    time: i64,
    text: &str,
) -> Result<(), Refusal> {
    let report = append_lines(store, labels, &[Line::new(Nanos(time), text)]);
    match report.refusal(0) {
        Some(why) => Err(why.clone()),
        None => Ok(()),
    }
}

/// Runs `check` while the entries are in the head, in a block, in a block after reopening, beside
/// the writer, in a log that is read back, and in merged blocks.
pub fn at_every_stage(folder: &Folder, write: impl Fn(&Engine), check: impl Fn(&str, &Engine)) {
    let engine = folder.open();
    write(&engine);
    check("head", &engine);
    check("read-only beside the head", &folder.open_read_only());
    engine.close().unwrap();
    let engine = folder.open();
    check("log read back", &engine);
    engine.metrics().unwrap().freeze().unwrap();
    engine.logs().unwrap().freeze().unwrap();
    check("block", &engine);
    check("read-only beside the block", &folder.open_read_only());
    engine.close().unwrap();
    let engine = folder.open();
    check("block reopened", &engine);
    compact(&engine);
    check("merged", &engine);
    check(
        "read-only beside the merged block",
        &folder.open_read_only(),
    );
    engine.close().unwrap();
    check("merged and reopened", &folder.open());
}

/// Merges everything sealed that the default tenant has.
pub fn compact(engine: &Engine) {
    engine.metrics().unwrap().compact().unwrap();
    engine.logs().unwrap().compact().unwrap();
}

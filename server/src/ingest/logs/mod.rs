//! From pushed lines to the store of logs, and what became of each.
//!
//! Every line that can be stored is, whatever is wrong with its neighbours; what is wrong is told
//! in Loki's words, which senders decide by whether to try again.

pub(crate) mod levels;
pub(crate) mod streams;
pub(crate) mod tails;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use chronolith_engine::labels::{Labels, put_label};
use chronolith_engine::logs::{Line, Lines};
use chronolith_engine::time::Nanos;
use chronolith_engine::{Batch, Refusal, Report, Store};

use crate::http::problem::{Cause, Problem};
use crate::http::times;
use crate::ingest::pace::{Load, Paces};
use crate::meters::{Limit, Meters, add};
use crate::settings::{IngestLimits, LogLimits};
use crate::wire::logs::{LogColumns, Pair};
use crate::wire::otlp::names;

use levels::{DETECTED_LEVEL, LEVEL_FIELDS, Level, SEVERITY_NUMBER};
use streams::{Stream, text_of};
use tails::{Queue, Tails};

/// Different faults that are told.
const TOLD_MAX: usize = 10;

/// Where lines are stored, and what is counted meanwhile.
#[derive(Clone, Copy)]
pub(crate) struct LogIntake<'a> {
    pub(crate) store: &'a Store<Lines>,
    pub(crate) limits: &'a LogLimits,
    pub(crate) retention: Option<Duration>,
    pub(crate) meters: &'a Meters,
    pub(crate) tails: &'a Tails,
    /// Whose tails are told.
    pub(crate) tenant: &'a str,
}

/// What was not taken.
#[derive(Default)]
struct Faults {
    count: u64,
    /// Different ones, and how often each was found.
    told: Vec<(String, u64)>,
    /// Of these, those that may be taken later.
    limited: u64,
}

impl Faults {
    fn add(&mut self, entries: usize, text: impl FnOnce() -> String) {
        self.count += entries as u64;
        // Of many, those that come after the last one that is told are not put into words.
        if self.told.len() < TOLD_MAX {
            let text = text();
            match self.told.iter_mut().find(|(known, _)| *known == text) {
                Some((_, times)) => *times += 1,
                None => self.told.push((text, 1)),
            }
        }
    }

    /// What senders are told: a single fault as it is, several by what they are, as Loki does it.
    fn text(&self) -> String {
        match self.told.as_slice() {
            [(text, 1)] => text.clone(),
            told => {
                let told = told.iter();
                let told = told.map(|(text, times)| format!("{times} errors like: {text}"));
                told.collect::<Vec<_>>().join("; ")
            }
        }
    }
}

/// What is written before a batch can borrow it.
#[derive(Default)]
struct Prepared {
    /// Canonical labels of streams and of structured metadata.
    bytes: Vec<u8>,
    streams: Vec<PreparedStream>,
    lines: Vec<PreparedLine>,
}

struct PreparedStream {
    labels: std::ops::Range<usize>,
    lines_end: usize,
}

struct PreparedLine {
    /// Its place in the request.
    place: u32,
    metadata: Metadata,
}

enum Metadata {
    /// The level alone.
    Level(Level),
    /// Canonical labels.
    Labels(std::ops::Range<usize>),
}

/// Refuses a request of a tenant that pushes faster than it may, in Loki's words.
pub(crate) fn admit(
    intake: LogIntake<'_>,
    (paces, limits): (&Paces, &IngestLimits),
    columns: &LogColumns<'_>,
) -> Result<(), Problem> {
    let (mut lines, mut bytes) = (0u64, 0u64);
    for (_, places) in columns.streams() {
        for place in places {
            let pairs = columns.metadata_of(place).iter();
            let metadata: usize = pairs.map(|(name, value)| name.len() + value.len()).sum();
            lines += 1;
            bytes += (columns.entries()[place].line.len() + metadata) as u64;
        }
    }
    let loads = [(Load::Lines, lines), (Load::LineBytes, bytes)];
    let pace = paces.of(intake.tenant);
    let admitted = pace.admit(limits, Instant::now(), &loads);
    admitted.map_err(|excess| {
        add(&intake.meters.refused_lines, lines);
        let unit = match excess.load {
            Load::LineBytes => "bytes",
            _ => "lines",
        };
        excess.problem(format!(
            "ingestion rate limit exceeded for user {} (limit: {} {unit}/sec) while attempting to \
             ingest '{lines}' lines totaling '{bytes}' bytes, reduce log volume or raise the limit",
            intake.tenant, excess.rate
        ))
    })
}

/// Stores what can be stored of a request.
pub(crate) fn store(intake: LogIntake<'_>, columns: &LogColumns<'_>) -> Result<(), Problem> {
    let faults = take(intake, columns)?.faults;
    if faults.count == 0 {
        return Ok(());
    }
    add(&intake.meters.refused_lines, faults.count);
    let cause = match faults.count == faults.limited {
        true => Cause::Limit,
        false => Cause::BadData,
    };
    let problem = Problem::new(cause, faults.text());
    Err(match cause {
        Cause::Limit => problem.limited(Limit::Series),
        _ => problem,
    })
}

/// What became of the lines of a request.
pub(crate) struct Taken {
    pub(crate) accepted: u64,
    pub(crate) duplicates: u64,
    /// Why lines were not taken: those of a stream that cannot be, and others one by one.
    pub(crate) reasons: BTreeMap<String, u64>,
    faults: Faults,
}

/// Stores what can be stored of a request, and says what became of the rest.
pub(crate) fn take(intake: LogIntake<'_>, columns: &LogColumns<'_>) -> Result<Taken, Problem> {
    let mut faults = Faults::default();
    let prepared = prepare(intake, columns, &mut faults);
    let batch = batch(&prepared, columns);
    let report = match batch.is_empty() {
        true => Report::default(),
        false => intake.store.append(&batch)?,
    };
    if let Some(queue) = intake.tails.watched(intake.tenant) {
        prepared.publish(&queue, columns, &report);
    }
    let mut reasons = BTreeMap::new();
    if faults.count > 0 {
        reasons.insert(faults.text(), faults.count);
    }
    for refused in &report.refused {
        let line = &prepared.lines[refused.entry];
        let stream = prepared.stream_text(refused.series);
        let time = columns.entries()[line.place as usize].time;
        faults.limited += u64::from(refused.why == Refusal::SeriesLimit);
        faults.add(1, || refusal_text(intake, &stream, time, &refused.why));
        *reasons.entry(refused.why.to_string()).or_default() += 1;
    }
    count(intake.meters, columns, &prepared, &report);
    Ok(Taken {
        accepted: report.accepted,
        duplicates: report.duplicates,
        reasons,
        faults,
    })
}

fn count(meters: &Meters, columns: &LogColumns<'_>, prepared: &Prepared, report: &Report) {
    let bytes = prepared.lines.iter().map(|line| {
        let entry = &columns.entries()[line.place as usize];
        entry.line.len() as u64
    });
    add(&meters.line_bytes, bytes.sum());
    add(&meters.lines, report.accepted + report.duplicates);
}

/// Judges streams and lines, and writes the labels that a batch will borrow.
fn prepare(intake: LogIntake<'_>, columns: &LogColumns<'_>, faults: &mut Faults) -> Prepared {
    let mut prepared = Prepared::default();
    prepared.lines.reserve(columns.entries().len());
    let mut scratch = Vec::new();
    for (stream, places) in columns.streams() {
        let start = prepared.bytes.len();
        let resolved = streams::resolve(&stream.labels, intake.limits, &mut prepared.bytes);
        let resolved = match resolved {
            Ok(resolved) => resolved,
            Err(why) => {
                faults.add(places.len().max(1), || why);
                continue;
            }
        };
        let labels = start..prepared.bytes.len();
        prepared.streams.push(PreparedStream {
            labels: labels.clone(),
            lines_end: 0,
        });
        for place in places {
            match prepared.line(intake.limits, columns, place, resolved, &mut scratch) {
                Ok(()) => {}
                Err(why) => faults.add(1, || {
                    let labels = Labels::from_bytes(&prepared.bytes[labels.clone()]);
                    why.text(
                        &labels.map_or_else(|_| String::new(), |labels| text_of(labels.iter())),
                    )
                }),
            }
        }
        if let Some(last) = prepared.streams.last_mut() {
            last.lines_end = prepared.lines.len();
        }
    }
    prepared
}

/// Why a line is not taken.
enum Unfit {
    LineTooLong { bytes: usize, max: usize },
    MetadataTooLarge { bytes: usize, max: usize },
    MetadataTooMany { count: usize, max: usize },
}

impl Unfit {
    fn text(&self, stream: &str) -> String {
        match self {
            Unfit::LineTooLong { bytes, max } => format!(
                "max entry size '{max}' bytes exceeded for stream '{stream}' while adding an entry \
                 with length '{bytes}' bytes"
            ),
            Unfit::MetadataTooLarge { bytes, max } => format!(
                "stream '{stream}' has structured metadata too large: '{bytes}' bytes, limit: \
                 '{max}' bytes. Please see `limits_config.max_structured_metadata_size` or \
                 contact your Loki administrator to increase it"
            ),
            Unfit::MetadataTooMany { count, max } => format!(
                "stream '{stream}' has too many structured metadata labels: '{count}', limit: \
                 '{max}'. Please see `limits_config.max_structured_metadata_entries_count` or \
                 contact your Loki administrator to increase it"
            ),
        }
    }
}

impl Prepared {
    fn line<'c>(
        &mut self,
        limits: &LogLimits,
        columns: &'c LogColumns<'_>,
        place: usize,
        stream: Stream,
        scratch: &mut Vec<(Cow<'c, str>, &'c str)>,
    ) -> Result<(), Unfit> {
        let entry = &columns.entries()[place];
        let (bytes, max) = (entry.line.len(), limits.line_bytes_max);
        if bytes > max {
            return Err(Unfit::LineTooLong { bytes, max });
        }
        let given = columns.metadata_of(place);
        let of_severity = || of_severity(given);
        let of_line = || Level::of_line(&entry.line);
        let level = stream
            .level
            .or_else(|| of_metadata(given))
            .or_else(of_severity)
            .unwrap_or_else(
                || match given.iter().any(|(name, _)| name == DETECTED_LEVEL) {
                    true => Level::Unknown,
                    false => of_line(),
                },
            );
        let metadata = match given.is_empty() {
            true => Metadata::Level(level),
            false => {
                judge(given, limits)?;
                Metadata::Labels(self.put_metadata(given, level, scratch))
            }
        };
        self.lines.push(PreparedLine {
            place: u32::try_from(place).unwrap_or(u32::MAX),
            metadata,
        });
        Ok(())
    }

    /// Writes structured metadata in canonical form, the level among it.
    fn put_metadata<'c>(
        &mut self,
        given: &'c [Pair<'_>],
        level: Level,
        scratch: &mut Vec<(Cow<'c, str>, &'c str)>,
    ) -> std::ops::Range<usize> {
        scratch.clear();
        for (name, value) in given {
            if !value.is_empty() && !name.is_empty() {
                scratch.push((label_name(name), value));
            }
        }
        if let Some(own) = scratch.iter_mut().find(|(name, _)| name == DETECTED_LEVEL) {
            if let Some(known) = Level::of_value(own.1) {
                own.1 = known.name();
            }
        } else {
            scratch.push((Cow::Borrowed(DETECTED_LEVEL), level.name()));
        }
        // Stable, so that of two with one name the first one is kept.
        scratch.sort_by(|left, right| left.0.cmp(&right.0));
        scratch.dedup_by(|later, earlier| later.0 == earlier.0);
        let start = self.bytes.len();
        for (name, value) in scratch.iter() {
            put_label(&mut self.bytes, name, value);
        }
        start..self.bytes.len()
    }

    /// Tells those who wait for new lines about those that were stored.
    fn publish(&self, queue: &Queue, columns: &LogColumns<'_>, report: &Report) {
        let mut start = 0;
        for stream in &self.streams {
            let stored = (start..stream.lines_end).filter(|place| report.refusal(*place).is_none());
            let lines = stored.filter_map(|place| {
                let line = &self.lines[place];
                let entry = &columns.entries()[line.place as usize];
                let metadata = self.metadata(&line.metadata)?;
                Some(Line {
                    time: Nanos(entry.time),
                    text: &entry.line,
                    metadata,
                })
            });
            if let Ok(labels) = Labels::from_bytes(&self.bytes[stream.labels.clone()]) {
                queue.publish(labels, lines);
            }
            start = stream.lines_end;
        }
    }

    fn metadata(&self, metadata: &Metadata) -> Option<Labels<'_>> {
        match metadata {
            Metadata::Level(level) => Some(level.alone()),
            Metadata::Labels(range) => Labels::from_bytes(&self.bytes[range.clone()]).ok(),
        }
    }

    fn stream_text(&self, stream: usize) -> String {
        let labels = Labels::from_bytes(&self.bytes[self.streams[stream].labels.clone()]);
        labels.map_or_else(|_| String::new(), |labels| text_of(labels.iter()))
    }
}

fn judge(given: &[Pair<'_>], limits: &LogLimits) -> Result<(), Unfit> {
    let (count, max) = (given.len(), limits.metadata_labels_max);
    if count > max {
        return Err(Unfit::MetadataTooMany { count, max });
    }
    let bytes = given.iter().map(|(name, value)| name.len() + value.len());
    let (bytes, max) = (bytes.sum(), limits.metadata_bytes_max);
    match bytes > max {
        true => Err(Unfit::MetadataTooLarge { bytes, max }),
        false => Ok(()),
    }
}

/// The level that structured metadata tells.
fn of_metadata(given: &[Pair<'_>]) -> Option<Level> {
    if given.is_empty() {
        return None;
    }
    LEVEL_FIELDS.iter().find_map(|field| {
        let found = given.iter().find(|(name, _)| name == field)?;
        Level::of_value(&found.1)
    })
}

/// The level that OpenTelemetry's number in structured metadata means, whoever sent it.
fn of_severity(given: &[Pair<'_>]) -> Option<Level> {
    let mut numbers = given.iter().filter(|(name, _)| name == SEVERITY_NUMBER);
    numbers.find_map(|(_, value)| Level::of_severity(value.parse().ok()?))
}

/// A name as a label may be called.
fn label_name(name: &str) -> Cow<'_, str> {
    let is_plain = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && !name.contains("__");
    match is_plain {
        true => Cow::Borrowed(name),
        false => Cow::Owned(names::label(name)),
    }
}

fn batch<'p>(prepared: &'p Prepared, columns: &'p LogColumns<'_>) -> Batch<'p, Lines> {
    let (mut batch, mut start) = (Batch::new(), 0);
    for stream in &prepared.streams {
        batch.series(&prepared.bytes[stream.labels.clone()]);
        for line in &prepared.lines[start..stream.lines_end] {
            let entry = &columns.entries()[line.place as usize];
            batch.entry(Line {
                time: Nanos(entry.time),
                text: &entry.line,
                metadata: prepared.metadata(&line.metadata).unwrap_or(Labels::EMPTY),
            });
        }
        start = stream.lines_end;
    }
    batch
}

fn refusal_text(intake: LogIntake<'_>, stream: &str, time: i64, why: &Refusal) -> String {
    let at = times::rfc3339_seconds(time);
    match why {
        Refusal::TooFarAhead => format!("entry for stream '{stream}' has timestamp too new: {at}"),
        Refusal::TooOld | Refusal::OutOfOrder => {
            let kept = intake.retention.unwrap_or(Duration::ZERO);
            let oldest = SystemTime::now().checked_sub(kept);
            let oldest = oldest.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
            let oldest = oldest.map_or(0, |at| i64::try_from(at.as_nanos()).unwrap_or(i64::MAX));
            format!(
                "entry for stream '{stream}' has timestamp too old: {at}, oldest acceptable \
                 timestamp is: {}",
                times::rfc3339_seconds(oldest)
            )
        }
        Refusal::SeriesLimit => format!(
            "maximum active stream limit exceeded when trying to create stream {stream}, reduce \
             the number of active streams (reduce labels or reduce label values)"
        ),
        other => format!("entry for stream '{stream}': {other}"),
    }
}

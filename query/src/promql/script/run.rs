//! Running a script over series in memory.

use std::collections::BTreeMap;

use chronolith_engine::labels::LabelSet;

use crate::promql::error::Result as QueryResult;
use crate::promql::memory::MemorySource;
use crate::promql::options::{NameRemoval, Options};
use crate::promql::query::{Answer, Query};
use crate::promql::script::annotations::{check_annotations, check_failure};
use crate::promql::script::compare::{check_instant, check_matrix, check_sorted, check_vector};
use crate::promql::script::nhcb::Collector;
use crate::promql::script::parse::{Eval, Kind, Load, Times, parse};
use crate::promql::script::rerun::{asks_for_bounds, fixed, other_times};
use crate::promql::script::series::Item;
use crate::promql::script::{Result, parse::LoadLine};
use crate::promql::signatures::ValueType;
use crate::promql::source::Source;
use crate::promql::value::{ResultSeries, Sample, Value};

/// How far around its time an instant evaluation is done again as a range.
const AROUND_MS: i64 = 60_000;

/// What came of a script.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How many evaluations came out as expected.
    pub passed: usize,
    /// Those that did not.
    pub failures: Vec<Failure>,
}

/// Something that did not come out as expected.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The line in the script.
    pub line: usize,
    /// What went wrong.
    pub message: String,
}

/// Where a script keeps what it loads.
pub trait Shelf: Source {
    /// Forgets all series.
    fn clear(&mut self);

    /// Keeps samples of a series, in order of time; 0 is no start timestamp.
    fn fill(&mut self, labels: &LabelSet, samples: &[Loaded]) -> QueryResult<()>;
}

/// A sample that a script loads.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// When, in milliseconds.
    pub time: i64,
    /// What.
    pub sample: Sample,
    /// When the counter began, 0 where the script does not say.
    pub start: i64,
}

impl Shelf for MemorySource {
    fn clear(&mut self) {
        MemorySource::clear(self);
    }

    fn fill(&mut self, labels: &LabelSet, samples: &[Loaded]) -> QueryResult<()> {
        for loaded in samples {
            self.push(labels, loaded.time, loaded.sample.clone(), loaded.start);
        }
        Ok(())
    }
}

/// Runs a script to its end over series in memory. Delayed removal of names and start timestamps
/// are on, as in Prometheus' own runner.
pub fn run(script: &str) -> Report {
    run_over(script, &mut MemorySource::new())
}

/// Runs a script to its end over a shelf of the caller's, which is empty at first.
pub fn run_over(script: &str, shelf: &mut dyn Shelf) -> Report {
    let mut report = Report::default();
    let commands = match parse(script) {
        Ok(commands) => commands,
        Err((line, message)) => {
            report.failures.push(Failure { line, message });
            return report;
        }
    };
    let options = Options {
        names: NameRemoval::Delayed,
        start_timestamps: true,
        ..Options::default()
    };
    for command in commands {
        let line = command.line;
        let outcome = match &command.kind {
            Kind::Clear => {
                shelf.clear();
                continue;
            }
            Kind::Load(load) => match keep(load, shelf) {
                Ok(()) => continue,
                Err(message) => Err(message),
            },
            Kind::Eval(eval) => evaluate(eval, &*shelf, &options),
        };
        match outcome {
            Ok(()) => report.passed += 1,
            Err(message) => report.failures.push(Failure { line, message }),
        }
    }
    report
}

fn keep(load: &Load, shelf: &mut dyn Shelf) -> Result<()> {
    // Of lines with the same labels the last one counts.
    let mut lines = BTreeMap::new();
    for line in &load.series {
        lines.insert(&line.series.labels, line);
    }
    let fill = |shelf: &mut dyn Shelf, labels: &LabelSet, samples: &[Loaded]| {
        let filled = shelf.fill(labels, samples);
        filled.map_err(|error| format!("cannot load: {error}"))
    };
    let mut classics = Collector::default();
    for (labels, LoadLine { series, starts }) in lines {
        let (mut time, mut samples) = (0, Vec::new());
        for (index, item) in series.items.iter().enumerate() {
            let start = starts.get(index).copied().flatten();
            let start = start.map_or(0, |offset| time + offset);
            let sample = match item {
                None => None,
                Some(Item::Float(value)) => Some(Sample::Float(*value)),
                Some(Item::Histogram(histogram, _)) => Some(Sample::Histogram(histogram.clone())),
            };
            if let (true, Some(Sample::Float(value))) = (load.with_native, &sample) {
                classics.note(labels, time, *value);
            }
            samples.extend(sample.map(|sample| Loaded {
                time,
                sample,
                start,
            }));
            time += load.gap;
        }
        fill(shelf, labels, &samples)?;
    }
    for (labels, time, histogram) in classics.finish()? {
        let sample = Sample::Histogram(histogram);
        let start = 0;
        let loaded = Loaded {
            time,
            sample,
            start,
        };
        fill(shelf, &labels, &[loaded])?;
    }
    Ok(())
}

fn evaluate(eval: &Eval, source: &dyn Source, options: &Options) -> Result<()> {
    match eval.times {
        Times::Range(from, to, step) => {
            let answer = Query::parse(&eval.query)
                .and_then(|query| query.range(source, (from, to, step), options));
            let Some(answer) = expected_outcome(eval, answer)? else {
                return Ok(());
            };
            check_notes(eval, &eval.query, &answer)?;
            match &answer.value {
                Value::Matrix(series) => check_matrix(eval, series, from, step),
                other => Err(format!("a range must give a matrix, got {other:?}")),
            }
        }
        Times::Instant(time) => {
            let time = eval.range.map_or(time, |(_, to, _)| to);
            instant(eval, &eval.query, time, source, options)?;
            // A failure is looked at once.
            if eval.fails {
                return Ok(());
            }
            for other in other_times(time) {
                if let Some(query) = fixed(&eval.query, time) {
                    instant(eval, &query, other, source, options)
                        .map_err(|what| format!("as {query:?} at {other} ms: {what}"))?;
                }
            }
            as_step(eval, time, source, options).map_err(|what| format!("as a range: {what}"))
        }
    }
}

/// The answer, or nothing where a failure was expected and came.
fn expected_outcome(eval: &Eval, answer: QueryResult<Answer>) -> Result<Option<Answer>> {
    match answer {
        Err(error) if eval.fails => check_failure(eval, &error.to_string()).map(|()| None),
        Err(error) => Err(format!("failed: {error}")),
        Ok(_) if eval.fails => Err("did not fail".to_owned()),
        Ok(answer) => Ok(Some(answer)),
    }
}

fn check_notes(eval: &Eval, query: &str, answer: &Answer) -> Result<()> {
    let (warnings, infos) = (
        answer.annotations.warnings(query),
        answer.annotations.infos(query),
    );
    check_annotations(eval, &warnings, &infos)
}

fn instant(
    eval: &Eval,
    query: &str,
    time: i64,
    source: &dyn Source,
    options: &Options,
) -> Result<()> {
    let answer = Query::parse(query).and_then(|query| query.instant(source, time, options));
    let Some(answer) = expected_outcome(eval, answer)? else {
        return Ok(());
    };
    check_notes(eval, query, &answer)?;
    check_instant(eval, &answer.value)
}

/// Evaluates as a range around the time, whose middle step must be the same.
fn as_step(eval: &Eval, time: i64, source: &dyn Source, options: &Options) -> Result<()> {
    let query = Query::parse(&eval.query).map_err(|error| error.to_string())?;
    let is_range = matches!(query.value_type(), ValueType::Matrix | ValueType::String);
    if is_range || asks_for_bounds(&eval.query) {
        return Ok(());
    }
    let times = (time - AROUND_MS, time + AROUND_MS, AROUND_MS);
    let answer = query
        .range(source, times, options)
        .map_err(|error| error.to_string())?;
    let Value::Matrix(series) = answer.value else {
        return Err("a range must give a matrix".to_owned());
    };
    check_sorted(&series)?;
    if eval.ordered {
        return Ok(());
    }
    let at_time = series.into_iter().map(|series| ResultSeries {
        points: series
            .points
            .into_iter()
            .filter(|point| point.time == time)
            .collect(),
        labels: series.labels,
    });
    let at_time: Vec<ResultSeries> = at_time.filter(|series| !series.points.is_empty()).collect();
    if query.value_type() == ValueType::Scalar {
        let value = at_time
            .first()
            .and_then(|series| series.points[0].sample.as_float());
        let value = value.ok_or("the scalar has no value")?;
        return check_instant(eval, &Value::Scalar(time, value));
    }
    check_vector(eval, &at_time)
}

//! [`Query`]: the door of PromQL. Parse once, run at a time or over a range, over any source.

use std::sync::Mutex;

use chronolith_engine::labels::LabelSet;

use crate::promql::annotations::Annotations;
use crate::promql::check::{Language, check};
use crate::promql::error::{Error, ErrorKind, Result};
use crate::promql::eval::{self, Column, Dialect, Evaluator, Series};
use crate::promql::limits::Guard;
use crate::promql::options::{NameRemoval, Options};
use crate::promql::plan::{Frame, Grid, NodeKind, plan};
use crate::promql::signatures::ValueType;
use crate::promql::source::Source;
use crate::promql::syntax::{self, Expr};
use crate::promql::trace::{Explanation, Trace};
use crate::promql::value::{Point, ResultSeries, Value};

/// A parsed and checked query.
///
/// ```
/// use chronolith_engine::labels::LabelSet;
/// use chronolith_query::promql::{MemorySource, Options, Query, Sample, Value};
///
/// let mut source = MemorySource::new();
/// let up = LabelSet::from_pairs([("__name__", "up"), ("job", "node")])?;
/// source.push(&up, 60_000, Sample::Float(1.0), 0);
///
/// let query = Query::parse("sum by (job) (up) + 1")?;
/// let answer = query.instant(&source, 90_000, &Options::default())?;
/// let Value::Vector(series) = &answer.value else { panic!("the type of the query is a vector") };
/// assert_eq!(series[0].labels.as_labels().to_string(), r#"{job="node"}"#);
/// assert_eq!(series[0].points[0].sample.as_float(), Some(2.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Query {
    text: String,
    expr: Expr,
    value_type: ValueType,
}

/// What a query answers.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The value.
    pub value: Value,
    /// Warnings and infos.
    pub annotations: Annotations,
    /// How many samples were read.
    pub samples_read: usize,
    /// How many bytes of blocks were read for them; what is in memory is not counted.
    pub bytes_read: u64,
    /// The most samples that were held at once.
    pub samples_peak: usize,
    /// What each part of the query did, if [`Options::explains`].
    pub explanation: Option<Explanation>,
}

impl Query {
    /// Parses a query in the whole language and checks its types.
    pub fn parse(text: &str) -> Result<Query> {
        Query::parse_with(text, Language::default())
    }

    /// Parses a query in a part of the language and checks its types.
    pub fn parse_with(text: &str, language: Language) -> Result<Query> {
        let parsed = syntax::parse(text).and_then(|expr| {
            let value_type = check(&expr, text, language)?;
            Ok((expr, value_type))
        });
        let (expr, value_type) = parsed.map_err(|error| Error::syntax(&error, text))?;
        Ok(Query {
            text: text.to_owned(),
            expr,
            value_type,
        })
    }

    /// The text that it was parsed from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its tree.
    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    /// The type of its value.
    pub fn value_type(&self) -> ValueType {
        self.value_type
    }

    /// Evaluates at one time, in milliseconds.
    pub fn instant(&self, source: &dyn Source, time: i64, options: &Options) -> Result<Answer> {
        let frame = Frame {
            start: time,
            end: time,
            step: 0,
        };
        let node = plan(&self.expr, frame)?;
        let evaluator = evaluator(&self.text, source, options, frame);
        let grid = Grid::instant(time);
        let value = match node.kind {
            NodeKind::Range(..) | NodeKind::Subquery(_) => {
                Value::Matrix(sorted(evaluator.range_samples(&node, grid)?))
            }
            _ => match evaluator.eval(&node, grid)? {
                eval::Value::Scalar(values) => {
                    Value::Scalar(time, values.first().copied().unwrap_or(f64::NAN))
                }
                eval::Value::Text(text) => Value::Text(text.value),
                eval::Value::Vector(series) => {
                    let series = evaluator.finish(series)?;
                    let finished = series.into_iter().map(|series| to_result(series, grid));
                    Value::Vector(finished.collect())
                }
            },
        };
        Ok(answer(value, evaluator))
    }

    /// Evaluates from `start` to `end`, every `step`, all in milliseconds. The series come in label
    /// order.
    pub fn range(
        &self,
        source: &dyn Source,
        (start, end, step): (i64, i64, i64),
        options: &Options,
    ) -> Result<Answer> {
        let bad = |message: String| Err(Error::new(ErrorKind::BadData, message));
        if !matches!(self.value_type, ValueType::Scalar | ValueType::Vector) {
            let shown = self.value_type.name();
            return bad(format!(
                "invalid expression type {shown:?} for range query, must be Scalar or instant \
                 Vector"
            ));
        }
        if step <= 0 {
            return bad(
                "zero or negative query resolution step widths are not accepted. Try a positive \
                 integer"
                    .to_owned(),
            );
        }
        if end < start {
            return bad("end timestamp must not be before start time".to_owned());
        }
        let steps = end.abs_diff(start) / step.unsigned_abs();
        if steps > options.limits.steps_max as u64 {
            let most = options.limits.steps_max;
            let shown = match most {
                11_000 => "11,000".to_owned(),
                other => other.to_string(),
            };
            return bad(format!(
                "exceeded maximum resolution of {shown} points per timeseries. Try decreasing the \
                 query resolution (?step=XX)"
            ));
        }
        let frame = Frame { start, end, step };
        let node = plan(&self.expr, frame)?;
        let evaluator = evaluator(&self.text, source, options, frame);
        let count = usize::try_from(steps + 1).unwrap_or(usize::MAX);
        let grid = Grid { start, step, count };
        let series = match evaluator.eval(&node, grid)? {
            eval::Value::Scalar(values) => vec![Series {
                labels: LabelSet::default(),
                drops_name: false,
                column: Column::of_floats(values),
            }],
            eval::Value::Vector(series) => evaluator.finish(series)?,
            eval::Value::Text(_) => Vec::new(),
        };
        let series = series.into_iter().map(|series| to_result(series, grid));
        let series = series.collect();
        Ok(answer(Value::Matrix(sorted(series)), evaluator))
    }
}

fn evaluator<'a>(
    text: &'a str,
    source: &'a dyn Source,
    options: &'a Options,
    frame: Frame,
) -> Evaluator<'a> {
    Evaluator {
        dialect: Dialect::Prometheus,
        given: Mutex::default(),
        source,
        options,
        frame,
        notes: Default::default(),
        guard: Guard::new(&options.limits),
        shared: Default::default(),
        spare: Default::default(),
        trace: options.explains.then(Default::default),
        text,
    }
}

fn answer(value: Value, evaluator: Evaluator<'_>) -> Answer {
    Answer {
        value,
        samples_read: evaluator.guard.read().samples,
        bytes_read: evaluator.guard.read().bytes,
        samples_peak: evaluator.guard.peak(),
        explanation: evaluator.trace.and_then(Trace::into_explanation),
        annotations: evaluator.notes.into_annotations(),
    }
}

fn sorted(mut series: Vec<ResultSeries>) -> Vec<ResultSeries> {
    series.sort_by(|one, two| one.labels.cmp(&two.labels));
    series
}

pub(crate) fn to_result(series: Series, grid: Grid) -> ResultSeries {
    let cells = grid.times().enumerate();
    let points = cells.filter_map(|(step, time)| {
        let sample = series.column.cell(step)?.to_sample();
        Some(Point { time, sample })
    });
    ResultSeries {
        points: points.collect(),
        labels: series.labels,
    }
}

impl Evaluator<'_> {
    /// The series of the answer, with the names that had to go gone.
    fn finish(&self, series: Vec<Series>) -> Result<Vec<Series>> {
        match self.options.names {
            NameRemoval::AtOnce => {
                let mut series = series;
                series.retain(|series| !series.column.is_absent());
                Ok(series)
            }
            NameRemoval::Delayed => self.finish_names(series),
        }
    }
}

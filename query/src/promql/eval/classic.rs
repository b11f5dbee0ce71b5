//! `histogram_quantile`, `histogram_quantiles` and `histogram_fraction`, over native histograms and
//! over classic ones, whose buckets are series with a label `le`.

use std::collections::HashMap;

use chronolith_engine::labels::{LabelSet, Labels};

use crate::promql::error::Result;
use crate::promql::eval::Evaluator;
use crate::promql::eval::column::{Cell, Column, Series};
use crate::promql::eval::labels::{filtered, metric_name, with};
use crate::promql::functions::classic::{self, ClassicBucket};
use crate::promql::histogram::{Quantile, fraction, quantile};
use crate::promql::plan::{Grid, Node};
use crate::text::{Span, number};

/// What is asked of each histogram.
enum Question {
    /// One quantile, at each step another perhaps.
    Quantile(Vec<f64>),
    /// A quantile under a label of its own.
    Labelled(String, Vec<f64>),
    /// The fraction between two values.
    Fraction(Vec<f64>, Vec<f64>),
}

/// The series of one classic histogram.
struct Classic {
    labels: LabelSet,
    drops_name: bool,
    /// Borders, and the places of the series that count up to them.
    buckets: Vec<(f64, usize)>,
}

impl Evaluator<'_> {
    pub(super) fn classic_call(
        &self,
        name: &str,
        args: &[Node],
        grid: Grid,
    ) -> Result<Vec<Series>> {
        let vector = match name {
            "histogram_quantiles" => &args[0],
            "histogram_fraction" => &args[2],
            _ => &args[1],
        };
        let span = vector.span;
        let mut questions = Vec::new();
        match name {
            "histogram_fraction" => {
                let (lower, upper) = (self.scalar(&args[0], grid)?, self.scalar(&args[1], grid)?);
                questions.push(Question::Fraction(lower, upper));
            }
            "histogram_quantiles" => {
                let label = &self.text(&args[1])?.value;
                for arg in &args[2..] {
                    let q = self.scalar(arg, grid)?;
                    self.note_invalid(&q, arg.span);
                    questions.push(Question::Labelled(label.clone(), q));
                }
            }
            _ => {
                let q = self.scalar(&args[0], grid)?;
                self.note_invalid(&q, args[0].span);
                questions.push(Question::Quantile(q));
            }
        }
        let series = self.vector(vector, grid)?;
        self.answer(&questions, series, span, grid)
    }

    fn note_invalid(&self, values: &[f64], span: Span) {
        for q in values.iter().filter(|q| !(0.0..=1.0).contains(*q)) {
            self.notes.invalid_quantile(span, *q);
        }
    }

    fn answer(
        &self,
        questions: &[Question],
        mut series: Vec<Series>,
        span: Span,
        grid: Grid,
    ) -> Result<Vec<Series>> {
        let mut classics = self.classics(&series, span);
        self.drop_conflicts(&mut classics, &mut series, span, grid);
        let mut found = Vec::new();
        for question in questions {
            for series in &series {
                self.guard.check()?;
                let column = self.of_native(question, series, span, grid);
                let labels = (&series.labels, series.drops_name);
                self.push_answer(question, labels, column, &mut found)?;
            }
            for classic in &classics {
                self.guard.check()?;
                let column = self.of_classic(question, classic, &series, span, grid);
                let labels = (&classic.labels, classic.drops_name);
                self.push_answer(question, labels, column, &mut found)?;
            }
        }
        self.settle(found)
    }

    /// Pushes a column under its labels; with a quantile's label, one series for each value of it.
    fn push_answer(
        &self,
        question: &Question,
        (labels, drops_name): (&LabelSet, bool),
        column: Column,
        found: &mut Vec<Series>,
    ) -> Result<()> {
        if column.is_absent() {
            return Ok(());
        }
        let mut push = |labels: LabelSet, column: Column| {
            let mut series = Series {
                labels,
                drops_name,
                column,
            };
            self.drop_name(&mut series);
            found.push(series);
        };
        let Question::Labelled(label, q) = question else {
            push(labels.clone(), column);
            return Ok(());
        };
        let mut values: Vec<f64> = q.clone();
        values.sort_by(f64::total_cmp);
        values.dedup_by(|one, two| one.to_bits() == two.to_bits());
        for value in values {
            let mut part = column.clone();
            for (step, q) in q.iter().enumerate() {
                if q.to_bits() != value.to_bits() {
                    part.clear(step);
                }
            }
            let text = number::open_metrics(value);
            push(with(labels.as_labels(), label, &text)?, part);
        }
        Ok(())
    }

    /// The name of a classic histogram in what is noted of it. As in Prometheus there is none where
    /// names are dropped at once.
    fn told_name<'l>(&self, labels: Labels<'l>) -> &'l str {
        match self.delays_names() {
            true => metric_name(labels),
            false => "",
        }
    }

    /// The classic histograms among the series.
    fn classics(&self, series: &[Series], span: Span) -> Vec<Classic> {
        let mut places: HashMap<LabelSet, usize> = HashMap::new();
        let mut classics: Vec<Classic> = Vec::new();
        for (index, series) in series.iter().enumerate() {
            if (0..series.column.len()).all(|step| series.column.float(step).is_none()) {
                continue;
            }
            let labels = series.labels.as_labels();
            let le = labels.value("le").unwrap_or("");
            let Some(bound) = bound(le) else {
                self.notes
                    .bad_bucket_label(span, self.told_name(labels), le);
                continue;
            };
            let labels = filtered(labels, |name| name != b"le");
            let next = classics.len();
            let place = *places.entry(labels.clone()).or_insert(next);
            if place == next {
                classics.push(Classic {
                    labels,
                    drops_name: series.drops_name,
                    buckets: Vec::new(),
                });
            }
            classics[place].buckets.push((bound, index));
        }
        classics
    }

    /// Takes out what is there as a native and as a classic histogram at the same step.
    fn drop_conflicts(
        &self,
        classics: &mut [Classic],
        series: &mut [Series],
        span: Span,
        grid: Grid,
    ) {
        let natives: HashMap<LabelSet, usize> = series
            .iter()
            .enumerate()
            .map(|(index, series)| (series.labels.clone(), index))
            .collect();
        for classic in classics {
            let Some(&native) = natives.get(&classic.labels) else {
                continue;
            };
            for step in 0..grid.count {
                let is_native =
                    matches!(series[native].column.cell(step), Some(Cell::Histogram(_)));
                let mut buckets = classic.buckets.iter().map(|(_, index)| *index);
                if is_native && buckets.any(|index| series[index].column.float(step).is_some()) {
                    let name = self.told_name(classic.labels.as_labels());
                    self.notes.mixed_classic_native(span, name);
                    series[native].column.clear(step);
                    for (_, index) in &classic.buckets {
                        series[*index].column.clear(step);
                    }
                }
            }
        }
    }

    fn of_native(&self, question: &Question, series: &Series, span: Span, grid: Grid) -> Column {
        let mut column = Column::absent(grid.count);
        let metric = metric_name(series.labels.as_labels());
        for step in 0..grid.count {
            let Some(Cell::Histogram(histogram)) = series.column.cell(step) else {
                continue;
            };
            let value = match question {
                Question::Fraction(lower, upper) => {
                    let fraction = fraction(lower[step], upper[step], histogram);
                    if fraction.has_nan {
                        self.notes.fraction_has_nan(span, metric);
                    }
                    fraction.value
                }
                Question::Quantile(q) | Question::Labelled(_, q) => {
                    match quantile(q[step], histogram) {
                        Quantile::Value(value) => value,
                        Quantile::Skewed(value) => {
                            self.notes.quantile_is_skewed(span, metric);
                            value
                        }
                        Quantile::Swamped => {
                            self.notes.quantile_is_nan(span, metric);
                            f64::NAN
                        }
                    }
                }
            };
            column.set_float(step, value);
        }
        column
    }

    fn of_classic(
        &self,
        question: &Question,
        classic: &Classic,
        series: &[Series],
        span: Span,
        grid: Grid,
    ) -> Column {
        let mut column = Column::absent(grid.count);
        let mut buckets: Vec<ClassicBucket> = Vec::with_capacity(classic.buckets.len());
        for (step, time) in grid.times().enumerate() {
            buckets.clear();
            buckets.extend(classic.buckets.iter().filter_map(|(bound, index)| {
                let count = series[*index].column.float(step)?;
                Some(ClassicBucket {
                    bound: *bound,
                    count,
                })
            }));
            if buckets.is_empty() {
                continue;
            }
            let value = match question {
                Question::Fraction(lower, upper) => {
                    classic::fraction(lower[step], upper[step], &mut buckets)
                }
                Question::Quantile(q) | Question::Labelled(_, q) => {
                    let quantile = classic::quantile(q[step], &mut buckets, time);
                    if let Some(repairs) = quantile.repairs {
                        let metric = self.told_name(classic.labels.as_labels());
                        self.notes.forced_monotonicity(span, metric, repairs);
                    }
                    quantile.value
                }
            };
            column.set_float(step, value);
        }
        column
    }
}

/// The border that a label `le` names.
fn bound(le: &str) -> Option<f64> {
    let is_number = !le.is_empty() && !le.contains('_') && !le.starts_with("0x");
    if !is_number {
        return None;
    }
    // Rust reads what Go reads here, "inf" and "nan" in any case too.
    le.parse().ok()
}

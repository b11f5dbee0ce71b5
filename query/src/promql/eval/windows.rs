//! Functions over ranges: a window of each series' samples slides over the steps.

use std::sync::Arc;

use chronolith_engine::labels::{LabelSet, Labels, MatchOp, Matcher};

use crate::promql::annotations::Notes;
use crate::promql::error::{Error, Result};
use crate::promql::eval::Evaluator;
use crate::promql::eval::column::{Column, Series, has_twins};
use crate::promql::eval::labels::metric_name;
use crate::promql::eval::ranges::Ranged;
use crate::promql::functions::extended::{Edges, float_between, histogram_between};
use crate::promql::functions::range::{Part, RangeFunction, Scope, Window, range_function};
use crate::promql::functions::rows::Windows;
use crate::promql::functions::sliding::{Floats, Sliding, sliding};
use crate::promql::histogram::Incompatible;
use crate::promql::plan::{CallNode, Grid, Node, NodeKind, Selection};
use crate::promql::source::{Points, SourceSeries};
use crate::promql::syntax::{Edge, NAME};
use crate::promql::value::{Point, ResultSeries, Sample};
use crate::text::Span;

/// Functions that work on anchored ranges, and on smoothed ones.
const ANCHORED: [&str; 5] = ["changes", "delta", "increase", "rate", "resets"];
const SMOOTHED: [&str; 3] = ["delta", "increase", "rate"];

impl Evaluator<'_> {
    /// Calls a function whose argument at `index` is a range.
    pub(super) fn range_call(
        &self,
        call: &CallNode,
        index: usize,
        grid: Grid,
    ) -> Result<Vec<Series>> {
        let mut found = Vec::new();
        let keep = |mut series: Series| {
            if !call.keeps_name() {
                self.drop_name(&mut series);
            }
            found.push(series);
            Ok(())
        };
        self.range_series(call, index, grid, keep)?;
        if !self.delays_names() && has_twins(&found) {
            return Err(Error::same_labels());
        }
        Ok(found)
    }

    /// The series of such a call, with the names that they still have.
    pub(super) fn range_series(
        &self,
        call: &CallNode,
        index: usize,
        grid: Grid,
        take: impl FnMut(Series) -> Result<()> + Send,
    ) -> Result<()> {
        let name = call.function.name;
        let Some(function) = range_function(name) else {
            return Err(Error::execution(format!("{name} does not take a range")));
        };
        let mut params = Vec::with_capacity(call.args.len());
        for (place, arg) in call.args.iter().enumerate() {
            if place != index {
                params.push(self.scalar(arg, grid)?);
            }
        }
        let arg = &call.args[index];
        let span_of_range = match arg.kind {
            // Prometheus has put the samples of a subquery in its place, and those have none.
            NodeKind::Subquery(_) => Span::default(),
            _ => arg.span,
        };
        let span = match name {
            // Prometheus points at the first argument, which is not the range here.
            "quantile_over_time" => call.args[0].span,
            _ => span_of_range,
        };
        let called = Called {
            function,
            sliding: sliding(name),
            params,
            span,
        };
        if let NodeKind::Range(selection, _) = &arg.kind {
            check_edge(selection.edge, name)?;
        }
        let work = |ranged: &Ranged, labels: LabelSet, series: &SourceSeries, notes: &Notes| {
            let metric = metric_name(labels.as_labels());
            let column = self.slide(ranged, series, metric, &called, grid, notes)?;
            if !column.is_absent() {
                self.note_counter(name, labels.as_labels(), &column, span_of_range, notes);
            }
            self.present(labels, column)
        };
        self.over_ranges(arg, grid, work, take)
    }

    fn slide(
        &self,
        ranged: &Ranged,
        series: &SourceSeries,
        metric: &str,
        called: &Called,
        grid: Grid,
        notes: &Notes,
    ) -> Result<Column> {
        if let Some(sliding) = called.sliding.filter(|_| ranged.slides(series)) {
            let mut column = self.spare.absent(grid.count);
            let stopped = || self.guard.is_over();
            let windows = windows_of(&ranged.selection, grid, ranged.range, &stopped);
            let floats = Floats {
                times: &series.floats.times,
                values: &series.floats.values,
            };
            let params = called.params.first().map_or(&[][..], Vec::as_slice);
            sliding(
                floats,
                &windows,
                params,
                &called.scope(&[], metric, notes),
                &mut column.slots(),
            );
            // What a kernel that was told to stop left out must not become an answer.
            return self.guard.check_now().map(|()| column);
        }
        let mut column = Column::absent(grid.count);
        let mut step_params = vec![0.0; called.params.len()];
        let mut sliders = (Slider::default(), Slider::default());
        let (before, after) = ranged.margins(self.options.lookback_ms);
        for (step, time) in grid.times().enumerate() {
            if step % STEPS_A_CHECK == 0 {
                self.guard.check_now()?;
            }
            let end = ranged.selection.reference(time);
            let start = end.saturating_sub(ranged.range);
            let (from, to) = (start.saturating_sub(before), end.saturating_add(after));
            let floats = sliders.0.part(&series.floats, from, to);
            let histograms = sliders.1.part(&series.histograms, from, to);
            if floats.is_empty() && histograms.is_empty() {
                continue;
            }
            for (param, values) in step_params.iter_mut().zip(&called.params) {
                *param = values[step];
            }
            let window = Window {
                time,
                start,
                end,
                floats,
                histograms,
                edge: ranged.selection.edge,
            };
            if let Some(sample) =
                (called.function)(&window, &called.scope(&step_params, metric, notes))?
            {
                column.set(step, sample);
            }
        }
        Ok(column)
    }

    /// The samples of a query that is a range itself.
    pub(crate) fn range_samples(&self, node: &Node, grid: Grid) -> Result<Vec<ResultSeries>> {
        let ranged = self.ranged(node, grid)?;
        let (before, after) = ranged.margins(self.options.lookback_ms);
        let end = ranged.selection.reference(grid.start);
        let start = end.saturating_sub(ranged.range);
        let (from, to) = (start.saturating_sub(before), end.saturating_add(after));
        let mut found = Vec::with_capacity(ranged.series.len());
        for series in &ranged.series {
            let window = Window {
                time: grid.start,
                start,
                end,
                floats: Slider::default().part(&series.floats, from, to),
                histograms: Slider::default().part(&series.histograms, from, to),
                edge: ranged.selection.edge,
            };
            let mut points = window_points(&window);
            points.sort_by_key(|point| point.time);
            if !points.is_empty() {
                found.push(ResultSeries {
                    labels: series.labels.clone(),
                    points,
                });
            }
        }
        Ok(found)
    }

    /// Says so where the rate of something is taken that is no counter by its name.
    fn note_counter(
        &self,
        function: &str,
        labels: Labels<'_>,
        column: &Column,
        span: Span,
        notes: &Notes,
    ) {
        if !matches!(function, "rate" | "increase") {
            return;
        }
        let name = metric_name(labels);
        let has_float = (0..column.len()).any(|step| column.float(step).is_some());
        if name.is_empty() || !has_float {
            return;
        }
        if self.options.type_and_unit_labels {
            let kind = labels.value("__type__").unwrap_or("");
            if !matches!(kind, "counter" | "histogram") {
                notes.possible_non_counter_label(span, name, kind);
            }
        } else if !["_total", "_sum", "_count", "_bucket"]
            .iter()
            .any(|end| name.ends_with(end))
        {
            notes.possible_non_counter(span, name);
        }
    }
}

/// How windows of this length lie over what is selected.
pub(super) fn windows_of<'s>(
    selection: &Selection,
    grid: Grid,
    range: i64,
    stopped: &'s dyn Fn() -> bool,
) -> Windows<'s> {
    Windows {
        end: selection.reference(grid.start),
        range,
        step: match selection.at {
            Some(_) => 0,
            None => grid.step,
        },
        count: grid.count,
        stopped,
    }
}

/// A function over ranges with its other arguments.
struct Called {
    function: RangeFunction,
    sliding: Option<Sliding>,
    params: Vec<Vec<f64>>,
    span: Span,
}

impl Called {
    fn scope<'a>(&self, params: &'a [f64], metric: &'a str, notes: &'a Notes) -> Scope<'a> {
        Scope {
            params,
            metric,
            span: self.span,
            notes,
        }
    }
}

/// Steps after which it is asked whether to go on.
const STEPS_A_CHECK: usize = 64;

/// Where a window lies in a column; both ends only go forward.
#[derive(Default)]
pub(super) struct Slider {
    low: usize,
    high: usize,
}

impl Slider {
    /// The samples after `from` and not after `to`.
    pub(super) fn part<'a, V>(&mut self, points: &'a Points<V>, from: i64, to: i64) -> Part<'a, V> {
        let times = points.times.as_slice();
        while times.get(self.high).is_some_and(|time| *time <= to) {
            self.high += 1;
        }
        while self.low < self.high && times[self.low] <= from {
            self.low += 1;
        }
        let range = self.low..self.high;
        Part {
            times: &times[range.clone()],
            values: &points.values[range.clone()],
            starts: points.starts.as_ref().map(|starts| &starts[range]),
        }
    }
}

fn check_edge(edge: Edge, name: &str) -> Result<()> {
    let (word, allowed): (_, &[&str]) = match edge {
        Edge::Plain => return Ok(()),
        Edge::Anchored => ("anchored", &ANCHORED),
        Edge::Smoothed => ("smoothed", &SMOOTHED),
    };
    if allowed.contains(&name) {
        return Ok(());
    }
    let allowed = allowed.join(", ");
    Err(Error::execution(format!(
        "{word} modifier can only be used with: {allowed} - not with {name}"
    )))
}

/// The samples of a window, with those at the borders that its edge puts there.
fn window_points(window: &Window<'_>) -> Vec<Point> {
    let mut points = Vec::new();
    let floats = &window.floats;
    let mut push = |time: i64, sample: Sample| points.push(Point { time, sample });
    if window.edge == Edge::Plain {
        for (time, value) in floats.times.iter().zip(floats.values) {
            push(*time, Sample::Float(*value));
        }
        for (time, value) in window.histograms.times.iter().zip(window.histograms.values) {
            push(*time, Sample::Histogram(value.clone()));
        }
        return points;
    }
    if let Some(edges) = Edges::of(window, floats.times) {
        let between =
            |before, time| Ok::<f64, Incompatible>(float_between(window, before, time, false));
        if let Ok((left, right)) = edges.values(window, floats.values, between) {
            push(window.start, Sample::Float(left));
            for place in edges.inside.clone() {
                push(floats.times[place], Sample::Float(floats.values[place]));
            }
            push(window.end, Sample::Float(right));
        }
    }
    let (times, values) = (window.histograms.times, window.histograms.values);
    if let Some(edges) = Edges::of(window, times) {
        let between = |before: usize, time| {
            let pair = [&values[before], &values[before + 1]];
            histogram_between(pair, (times[before], times[before + 1]), time, false).map(Arc::new)
        };
        if let Ok((left, right)) = edges.values(window, values, between) {
            push(window.start, Sample::Histogram(left));
            for place in edges.inside.clone() {
                push(times[place], Sample::Histogram(values[place].clone()));
            }
            push(window.end, Sample::Histogram(right));
        }
    }
    points
}

/// The labels of an `absent` result.
pub(super) fn absent_labels(arg: &Node) -> LabelSet {
    let (NodeKind::Selector(selection) | NodeKind::Range(selection, _)) = &arg.kind else {
        return LabelSet::default();
    };
    let matchers = selection.matchers.iter();
    said_labels(matchers.filter(|matcher| matcher.name() != NAME))
}

/// The labels that a selector says with `=`, unless it says something else about the same label
/// after that.
pub(crate) fn said_labels<'m>(matchers: impl Iterator<Item = &'m Matcher>) -> LabelSet {
    let (mut pairs, mut seen): (Vec<(&str, &str)>, Vec<&str>) = (Vec::new(), Vec::new());
    for matcher in matchers {
        let name = matcher.name();
        if matcher.op() == MatchOp::Equal && !seen.contains(&name) {
            pairs.push((name, matcher.value()));
            seen.push(name);
        } else {
            pairs.retain(|(other, _)| *other != name);
        }
    }
    LabelSet::from_pairs(pairs).unwrap_or_default()
}

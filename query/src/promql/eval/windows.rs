//! Functions over ranges: a window of each series' samples slides over the steps.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chronolith_engine::labels::{LabelSet, Labels, MatchOp};
use chronolith_engine::metrics::{ResetHint, STALE_NAN_BITS};

use crate::promql::annotations::Notes;
use crate::promql::error::{Error, Result};
use crate::promql::eval::Evaluator;
use crate::promql::eval::column::{Cell, Column, Series, has_twins};
use crate::promql::eval::labels::metric_name;
use crate::promql::functions::extended::{Edges, float_between, histogram_between};
use crate::promql::functions::range::{Part, RangeFunction, Scope, Window, range_function};
use crate::promql::functions::sliding::{Floats, Sliding, Windows, sliding};
use crate::promql::histogram::Incompatible;
use crate::promql::plan::{CallNode, Grid, Hints, Node, NodeKind, Selection, SubqueryNode};
use crate::promql::source::{Points, SourceSeries};
use crate::promql::syntax::{Edge, NAME};
use crate::promql::trace::Ended;
use crate::promql::value::{Point, ResultSeries, Sample};
use crate::text::Span;

/// Samples to slide over, and how the window lies at each step.
pub(super) struct Ranged {
    pub(super) series: Vec<SourceSeries>,
    pub(super) range: i64,
    pub(super) selection: Selection,
}

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
        let keeps_name = matches!(name, "last_over_time" | "first_over_time");
        let span = match name {
            // Prometheus points at the first argument, which is not the range here.
            "quantile_over_time" => call.args[0].span,
            _ => arg.span,
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
        let found = self.over_ranges(arg, grid, |ranged, labels, series, notes| {
            let metric = metric_name(labels.as_labels());
            let column = self.slide(ranged, series, metric, &called, grid, notes)?;
            if !column.is_absent() {
                self.note_counter(name, labels.as_labels(), &column, arg.span, notes);
            }
            let Some(mut series) = self.present(labels, column)? else {
                return Ok(None);
            };
            if !keeps_name {
                self.drop_name(&mut series);
            }
            Ok(Some(series))
        })?;
        if !self.delays_names() && has_twins(&found) {
            return Err(Error::same_labels());
        }
        Ok(found)
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
            let mut column = Column::absent(grid.count);
            let stopped = || self.guard.is_over();
            let windows = ranged.windows(grid, &stopped);
            let floats = Floats {
                times: &series.floats.times,
                values: &series.floats.values,
            };
            let params = called.params.first().map_or(&[][..], Vec::as_slice);
            let mut put = |step: usize, value: f64| column.set_float(step, value);
            sliding(
                floats,
                &windows,
                params,
                &called.scope(&[], metric, notes),
                &mut put,
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

    /// Works on the labels and the samples of each series of an argument that is a range by its
    /// type.
    fn over_ranges<R: Send>(
        &self,
        arg: &Node,
        grid: Grid,
        work: impl Fn(&Ranged, LabelSet, &SourceSeries, &Notes) -> Result<Option<R>> + Sync,
    ) -> Result<Vec<R>> {
        let begun = self
            .trace
            .as_ref()
            .map(|trace| trace.begin(self.guard.read()));
        let (found, is_repeated) = match &arg.kind {
            NodeKind::Range(selection, range) => {
                let ranged = Ranged {
                    series: Vec::new(),
                    range: *range,
                    selection: selection.clone(),
                };
                let span = self.span_of(&ranged, grid);
                if let Some((series, is_repeated)) = self.kept_range(arg, selection, span)? {
                    let places: Vec<usize> = (0..series.len()).collect();
                    let found = self.share(places, |place, notes| {
                        let series = &series[place];
                        work(&ranged, series.labels.clone(), series, notes)
                    });
                    (found?, is_repeated)
                } else {
                    let found = self.each(selection, span, |mut series, notes| {
                        self.prepare(&mut series);
                        let labels = std::mem::take(&mut series.labels);
                        work(&ranged, labels, &series, notes)
                    });
                    (found?, false)
                }
            }
            NodeKind::Subquery(subquery) => {
                let mut ranged = self.subquery(subquery, grid)?;
                let series = std::mem::take(&mut ranged.series);
                let found = self.share(series, |mut series, notes| {
                    let labels = std::mem::take(&mut series.labels);
                    work(&ranged, labels, &series, notes)
                });
                (found?, false)
            }
            _ => return Err(Error::execution("expected a range")),
        };
        if let (Some(trace), Some(begun)) = (&self.trace, begun) {
            let ended = Ended {
                steps: grid.count,
                series: found.len(),
                read: self.guard.read(),
                is_repeated,
            };
            trace.end(arg, begun, ended, self.text);
        }
        Ok(found)
    }

    /// The samples of a range that occurs more than once, if they may be kept, and whether they
    /// were.
    fn kept_range(
        &self,
        arg: &Node,
        selection: &Selection,
        span: (i64, i64),
    ) -> Result<Option<(Arc<Vec<SourceSeries>>, bool)>> {
        let Some(twin) = arg.twin else {
            return Ok(None);
        };
        let samples = |series: &[SourceSeries]| series.iter().map(SourceSeries::len).sum();
        if let Some((series, is_last)) = self.shared.ranges.take(twin, span) {
            let Some(series) = series else {
                return Ok(None);
            };
            if is_last {
                self.guard.drop_kept(samples(&series));
                self.guard.hold(samples(&series))?;
            }
            return Ok(Some((series, true)));
        }
        let fits = AtomicBool::new(true);
        let series = self.each(selection, span, |mut series, _| {
            self.prepare(&mut series);
            let is_kept = fits.load(Ordering::Relaxed) && self.guard.keep(series.len());
            fits.fetch_and(is_kept, Ordering::Relaxed);
            Ok(is_kept.then_some(series))
        })?;
        if !fits.into_inner() {
            // Read again, series by series, whenever they are asked for.
            self.guard.drop_kept(samples(&series));
            self.shared.ranges.keep(twin, span, None);
            return Ok(None);
        }
        let series = Arc::new(series);
        let kept = Some(Arc::clone(&series));
        self.shared.ranges.keep(twin, span, kept);
        Ok(Some((series, false)))
    }

    /// From when to when samples are looked at.
    fn span_of(&self, ranged: &Ranged, grid: Grid) -> (i64, i64) {
        let (before, after) = ranged.margins(self.options.lookback_ms);
        let first = ranged.selection.reference(grid.start);
        let first = first.saturating_sub(ranged.range).saturating_sub(before) + 1;
        let last = ranged.selection.reference(grid.end());
        (first, last.saturating_add(after))
    }

    /// Takes out of the samples what windows do not show.
    fn prepare(&self, series: &mut SourceSeries) {
        series
            .floats
            .retain(|value| value.to_bits() != STALE_NAN_BITS);
        series.histograms.retain(|histogram| !histogram.is_stale());
        if !self.options.start_timestamps {
            series.floats.starts = None;
            series.histograms.starts = None;
        }
    }

    /// The samples that an argument which is a range by its type slides over.
    pub(super) fn ranged(&self, arg: &Node, grid: Grid) -> Result<Ranged> {
        match &arg.kind {
            NodeKind::Range(selection, range) => {
                let mut ranged = Ranged {
                    series: Vec::new(),
                    range: *range,
                    selection: selection.clone(),
                };
                let span = self.span_of(&ranged, grid);
                ranged.series = self.each(selection, span, |mut series, _| {
                    self.prepare(&mut series);
                    self.guard.hold(series.len())?;
                    Ok(Some(series))
                })?;
                Ok(ranged)
            }
            NodeKind::Subquery(subquery) => self.subquery(subquery, grid),
            _ => Err(Error::execution("expected a range")),
        }
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

    /// Evaluates a subquery at its own steps: multiples of its step, behind the range's beginning.
    fn subquery(&self, subquery: &SubqueryNode, grid: Grid) -> Result<Ranged> {
        let selection = Selection {
            matchers: Vec::new(),
            shift: subquery.shift,
            at: subquery.at,
            edge: Edge::Plain,
            hints: Hints::Stored,
        };
        let step = subquery
            .step
            .unwrap_or(self.options.subquery_step_ms)
            .max(1);
        let before = selection
            .reference(grid.start)
            .saturating_sub(subquery.range);
        let end = selection.reference(grid.end());
        let start = before
            .div_euclid(step)
            .saturating_mul(step)
            .saturating_add(step);
        let mut ranged = Ranged {
            series: Vec::new(),
            range: subquery.range,
            selection,
        };
        if start > end {
            return Ok(ranged);
        }
        let count = usize::try_from((end - start) / step + 1).unwrap_or(usize::MAX);
        let inside = Grid { start, step, count };
        self.guard.hold(count)?;
        let series = self.vector(&subquery.expr, inside)?;
        ranged.series = series
            .into_iter()
            .map(|series| to_points(series, inside))
            .collect();
        Ok(ranged)
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

impl Ranged {
    /// How far beyond the range samples are looked at, before it and after it.
    pub(super) fn margins(&self, lookback: i64) -> (i64, i64) {
        match self.selection.edge {
            Edge::Plain => (0, 0),
            Edge::Anchored => (lookback, 0),
            Edge::Smoothed => (lookback, lookback),
        }
    }
}

impl Ranged {
    /// Whether the windows over a series can be worked on all at once.
    fn slides(&self, series: &SourceSeries) -> bool {
        let is_plain = self.selection.edge == Edge::Plain;
        is_plain && series.histograms.is_empty() && series.floats.starts.is_none()
    }

    fn windows<'s>(&self, grid: Grid, stopped: &'s dyn Fn() -> bool) -> Windows<'s> {
        Windows {
            end: self.selection.reference(grid.start),
            range: self.range,
            step: match self.selection.at {
                Some(_) => 0,
                None => grid.step,
            },
            count: grid.count,
            stopped,
        }
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

/// The cells of a series as samples. A hint tells about the sample before in the source, which need
/// not be the cell before, so it is forgotten.
fn to_points(series: Series, grid: Grid) -> SourceSeries {
    let mut points = SourceSeries {
        labels: series.labels,
        ..SourceSeries::default()
    };
    for (step, time) in grid.times().enumerate() {
        match series.column.cell(step) {
            None => {}
            Some(Cell::Float(value)) => points.floats.push(time, value, 0),
            Some(Cell::Histogram(histogram)) => {
                let histogram = match histogram.hint {
                    ResetHint::Reset | ResetHint::NotReset => {
                        let plain = histogram.as_ref().clone();
                        plain.with_hint(ResetHint::Unknown).into()
                    }
                    _ => histogram.clone(),
                };
                points.histograms.push(time, histogram, 0);
            }
        }
    }
    points
}

/// The labels of an `absent` result: what its selector says with `=`, unless it says something else
/// about the same label after that.
pub(super) fn absent_labels(arg: &Node) -> LabelSet {
    let (NodeKind::Selector(selection) | NodeKind::Range(selection, _)) = &arg.kind else {
        return LabelSet::default();
    };
    let (mut pairs, mut seen): (Vec<(&str, &str)>, Vec<&str>) = (Vec::new(), Vec::new());
    for matcher in selection
        .matchers
        .iter()
        .filter(|matcher| matcher.name() != NAME)
    {
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

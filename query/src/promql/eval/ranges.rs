//! Arguments that are ranges: the samples that windows slide over, read series by series, kept for
//! parts that come again, or calculated by a subquery.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chronolith_engine::labels::LabelSet;
use chronolith_engine::metrics::{ResetHint, STALE_NAN_BITS};

use crate::promql::annotations::Notes;
use crate::promql::error::{Error, Result};
use crate::promql::eval::column::{Cell, Series};
use crate::promql::eval::{Evaluator, keep_in};
use crate::promql::plan::{Grid, Hints, Node, NodeKind, Selection, SubqueryNode};
use crate::promql::source::SourceSeries;
use crate::promql::syntax::Edge;
use crate::promql::trace::Ended;

/// Samples to slide over, and how the window lies at each step.
pub(super) struct Ranged {
    pub(super) series: Vec<SourceSeries>,
    pub(super) range: i64,
    pub(super) selection: Selection,
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

    /// Whether the windows over a series can be worked on all at once.
    pub(super) fn slides(&self, series: &SourceSeries) -> bool {
        let is_plain = self.selection.edge == Edge::Plain;
        is_plain && series.histograms.is_empty() && series.floats.starts.is_none()
    }
}

impl Evaluator<'_> {
    /// Works on the labels and the samples of each series of an argument that is a range by its
    /// type.
    pub(super) fn over_ranges<R: Send>(
        &self,
        arg: &Node,
        grid: Grid,
        work: impl Fn(&Ranged, LabelSet, &SourceSeries, &Notes) -> Result<Option<R>> + Sync,
        mut take: impl FnMut(R) -> Result<()> + Send,
    ) -> Result<()> {
        let begun = self
            .trace
            .as_ref()
            .map(|trace| trace.begin(self.guard.read()));
        let mut count = 0;
        let take = |result| {
            count += 1;
            take(result)
        };
        let is_repeated = match &arg.kind {
            NodeKind::Range(selection, range) => {
                let ranged = Ranged {
                    series: Vec::new(),
                    range: *range,
                    selection: selection.clone(),
                };
                let span = self.span_of(&ranged, grid);
                if let Some((series, is_repeated)) = self.kept_range(arg, selection, span)? {
                    let places = (0..series.len()).collect();
                    let work = |place: usize, notes: &Notes| {
                        let series = &series[place];
                        work(&ranged, series.labels.clone(), series, notes)
                    };
                    self.share(places, work, take)?;
                    is_repeated
                } else {
                    let work = |mut series: SourceSeries, notes: &Notes| {
                        self.prepare(&mut series);
                        let labels = std::mem::take(&mut series.labels);
                        work(&ranged, labels, &series, notes)
                    };
                    self.each(selection, span, work, take)?;
                    false
                }
            }
            NodeKind::Subquery(subquery) => {
                let mut ranged = self.subquery(subquery, grid)?;
                let series = std::mem::take(&mut ranged.series);
                let work = |mut series: SourceSeries, notes: &Notes| {
                    let labels = std::mem::take(&mut series.labels);
                    work(&ranged, labels, &series, notes)
                };
                self.share(series, work, take)?;
                false
            }
            _ => return Err(Error::execution("expected a range")),
        };
        if let (Some(trace), Some(begun)) = (&self.trace, begun) {
            let ended = Ended {
                steps: grid.count,
                series: count,
                read: self.guard.read(),
                is_repeated,
            };
            trace.end(arg, begun, ended, self.text);
        }
        Ok(())
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
        let mut series = Vec::new();
        let work = |mut series: SourceSeries, _: &Notes| {
            self.prepare(&mut series);
            let is_kept = fits.load(Ordering::Relaxed) && self.guard.keep(series.len());
            fits.fetch_and(is_kept, Ordering::Relaxed);
            Ok(is_kept.then_some(series))
        };
        self.each(selection, span, work, keep_in(&mut series))?;
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
                let work = |mut series: SourceSeries, _: &Notes| {
                    self.prepare(&mut series);
                    self.guard.hold(series.len())?;
                    Ok(Some(series))
                };
                self.each(selection, span, work, keep_in(&mut ranged.series))?;
                Ok(ranged)
            }
            NodeKind::Subquery(subquery) => self.subquery(subquery, grid),
            _ => Err(Error::execution("expected a range")),
        }
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

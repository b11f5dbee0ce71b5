//! Selectors: the newest sample at each step.

use std::sync::Arc;

use chronolith_engine::labels::LabelSet;
use chronolith_engine::metrics::{ResetHint, STALE_NAN_BITS};

use crate::promql::annotations::Notes;
use crate::promql::error::Result;
use crate::promql::eval::Evaluator;
use crate::promql::eval::column::{Column, Sample, Series};
use crate::promql::eval::labels::metric_name;
use crate::promql::eval::windows::{Slider, windows_of};
use crate::promql::functions::extended::histogram_between;
use crate::promql::functions::interpolate;
use crate::promql::functions::range::Part;
use crate::promql::histogram::{Histogram, Incompatible};
use crate::promql::plan::{Grid, Selection};
use crate::promql::source::{Points, SourceSeries};
use crate::promql::syntax::Edge;
use crate::text::Span;

/// What of a sample is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    Value,
    /// When it was taken, in seconds.
    Time,
    /// When it was taken, in milliseconds.
    Millis,
    /// When its counter began, in seconds; 0 where that is not known.
    Start,
}

/// Walks forward over the times of samples.
struct Walk<'a> {
    times: &'a [i64],
    /// How many samples are not after the time that was last asked for.
    passed: usize,
}

impl Walk<'_> {
    /// The newest sample that is not after `time`. Times must not fall.
    fn newest(&mut self, time: i64) -> Option<usize> {
        while self
            .times
            .get(self.passed)
            .is_some_and(|next| *next <= time)
        {
            self.passed += 1;
        }
        self.passed.checked_sub(1)
    }
}

impl Evaluator<'_> {
    pub(super) fn instant(
        &self,
        selection: &Selection,
        span: Span,
        grid: Grid,
        take: impl FnMut(Series) -> Result<()> + Send,
    ) -> Result<()> {
        match selection.edge {
            Edge::Smoothed => self.smoothed(selection, span, grid, take),
            _ => self.newest(selection, grid, Want::Value, take),
        }
    }

    /// The newest sample of each series within the lookback at each step.
    pub(super) fn newest(
        &self,
        selection: &Selection,
        grid: Grid,
        want: Want,
        take: impl FnMut(Series) -> Result<()> + Send,
    ) -> Result<()> {
        let lookback = self.options.lookback_ms;
        let first = selection.reference(grid.start).saturating_sub(lookback) + 1;
        let last = selection.reference(grid.end());
        let work = |series: SourceSeries, _: &Notes| {
            let column = self.newest_column(&series, selection, grid, want);
            self.present(series.labels, column)
        };
        self.each(selection, (first, last), work, take)
    }

    /// A series, if it has a sample.
    pub(super) fn present(&self, labels: LabelSet, column: Column) -> Result<Option<Series>> {
        if column.is_absent() {
            return Ok(None);
        }
        self.guard.hold(column.len())?;
        Ok(Some(Series {
            labels,
            drops_name: false,
            column,
        }))
    }

    fn newest_column(
        &self,
        series: &SourceSeries,
        selection: &Selection,
        grid: Grid,
        want: Want,
    ) -> Column {
        let (floats, histograms) = (&series.floats, &series.histograms);
        if histograms.is_empty() && want == Want::Value {
            return self.newest_floats(floats, selection, grid);
        }
        let mut column = Column::absent(grid.count);
        let mut walk_floats = Walk {
            times: &floats.times,
            passed: 0,
        };
        let mut walk_histograms = Walk {
            times: &histograms.times,
            passed: 0,
        };
        for (step, time) in grid.times().enumerate() {
            let time = selection.reference(time);
            let fresh = |times: &[i64], place: Option<usize>| {
                let taken = times[place?];
                (taken > time.saturating_sub(self.options.lookback_ms)).then_some(taken)
            };
            let float = walk_floats.newest(time);
            let histogram = walk_histograms.newest(time);
            let newest_float = fresh(&floats.times, float);
            let newest_histogram = fresh(&histograms.times, histogram);
            match (newest_float.zip(float), newest_histogram.zip(histogram)) {
                (Some((taken, place)), other) if other.is_none_or(|other| other.0 < taken) => {
                    let value = floats.values[place];
                    if value.to_bits() != STALE_NAN_BITS
                        && let Some(value) = wanted(want, floats, place, value)
                    {
                        column.set_float(step, value);
                    }
                }
                (_, Some((_, place))) => {
                    let histogram = &histograms.values[place];
                    if histogram.is_stale() {
                        continue;
                    }
                    if matches!(want, Want::Value | Want::Millis) {
                        column.set(step, Sample::Histogram(histogram.clone()));
                    } else if let Some(value) = wanted(want, histograms, place, 0.0) {
                        column.set_float(step, value);
                    }
                }
                _ => {}
            }
        }
        column
    }

    /// The same of a series without histograms, as most are: the last sample of windows that reach
    /// back as far as is looked.
    fn newest_floats(&self, floats: &Points<f64>, selection: &Selection, grid: Grid) -> Column {
        let mut column = self.spare.absent(grid.count);
        let windows = windows_of(selection, grid, self.options.lookback_ms, &|| false);
        let is_stale = |value: f64| value.to_bits() == STALE_NAN_BITS;
        let mut slots = column.slots();
        for row in windows.lasts(&floats.times) {
            let found = slots.fill(row.step, row.count);
            row.gather(&floats.values, row.high - 1, found);
            if found
                .iter()
                .fold(false, |any, value| any | is_stale(*value))
            {
                slots.clear(row.step, row.count, is_stale);
            }
        }
        column
    }

    /// Values interpolated between the samples before and after each step.
    fn smoothed(
        &self,
        selection: &Selection,
        span: Span,
        grid: Grid,
        take: impl FnMut(Series) -> Result<()> + Send,
    ) -> Result<()> {
        let lookback = self.options.lookback_ms;
        let first = selection.reference(grid.start).saturating_sub(lookback) + 1;
        let last = selection.reference(grid.end()).saturating_add(lookback);
        let work = |mut series: SourceSeries, notes: &Notes| {
            series
                .floats
                .retain(|value| value.to_bits() != STALE_NAN_BITS);
            series.histograms.retain(|histogram| !histogram.is_stale());
            let mut column = Column::absent(grid.count);
            let metric = metric_name(series.labels.as_labels());
            let mut sliders = (Slider::default(), Slider::default());
            for (step, time) in grid.times().enumerate() {
                let time = selection.reference(time);
                let (from, to) = (time.saturating_sub(lookback), time.saturating_add(lookback));
                let floats = sliders.0.part(&series.floats, from, to);
                let histograms = sliders.1.part(&series.histograms, from, to);
                if !floats.is_empty() && !histograms.is_empty() {
                    notes.mixed_range(span, metric);
                    continue;
                }
                match smoothed_sample(&floats, &histograms, time) {
                    Ok(Some(sample)) => column.set(step, sample),
                    Ok(None) => {}
                    Err(Incompatible) => notes.mixed_schemas(span, metric),
                }
            }
            self.present(series.labels, column)
        };
        self.each(selection, (first, last), work, take)
    }
}

/// The value at `time` between samples of one sort; without a later sample that of the last one.
fn smoothed_sample(
    floats: &Part<'_, f64>,
    histograms: &Part<'_, Arc<Histogram>>,
    time: i64,
) -> std::result::Result<Option<Sample>, Incompatible> {
    let neighbours = |times: &[i64]| {
        let after = times.partition_point(|taken| *taken <= time);
        let before = after.checked_sub(1)?;
        let is_between = times[before] < time && after < times.len();
        Some((before, is_between.then_some(after)))
    };
    if let Some((before, after)) = neighbours(floats.times) {
        let sample = |place: usize| (floats.times[place], floats.values[place]);
        let value = match after {
            Some(after) => interpolate(sample(before), sample(after), time),
            None => floats.values[before],
        };
        return Ok(Some(Sample::Float(value)));
    }
    let Some((before, after)) = neighbours(histograms.times) else {
        return Ok(None);
    };
    let Some(after) = after else {
        return Ok(Some(Sample::Histogram(histograms.values[before].clone())));
    };
    let pair = [&histograms.values[before], &histograms.values[after]];
    let times = (histograms.times[before], histograms.times[after]);
    let is_counter = pair
        .iter()
        .all(|histogram| histogram.hint != ResetHint::Gauge);
    let between = histogram_between(pair, times, time, is_counter)?;
    Ok(Some(Sample::Histogram(between.into())))
}

#[expect(clippy::cast_precision_loss)] // Times are far below 2^53.
fn wanted<V>(want: Want, points: &Points<V>, place: usize, value: f64) -> Option<f64> {
    match want {
        Want::Value => Some(value),
        Want::Time => Some(points.times[place] as f64 / 1000.0),
        Want::Millis => Some(points.times[place] as f64),
        Want::Start => {
            let start = points.starts.as_ref().map_or(0, |starts| starts[place]);
            Some(start as f64 / 1000.0)
        }
    }
}

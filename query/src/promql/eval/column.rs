//! [`Column`]: the samples of one series at all steps.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use chronolith_engine::labels::LabelSet;

use crate::promql::error::{Error, Result};
use crate::promql::histogram::Histogram;

pub(super) use crate::promql::slots::Mark;
use crate::promql::slots::Slots;
pub(crate) use crate::promql::value::Sample;

/// A sample in a column.
#[derive(Clone, Copy)]
pub(crate) enum Cell<'a> {
    Float(f64),
    Histogram(&'a Arc<Histogram>),
}

impl<'a> Cell<'a> {
    pub(crate) fn of(sample: &'a Sample) -> Cell<'a> {
        match sample {
            Sample::Float(value) => Cell::Float(*value),
            Sample::Histogram(histogram) => Cell::Histogram(histogram),
        }
    }
}

impl Cell<'_> {
    pub(crate) fn to_sample(self) -> Sample {
        match self {
            Cell::Float(value) => Sample::Float(value),
            Cell::Histogram(histogram) => Sample::Histogram(Arc::clone(histogram)),
        }
    }
}

/// The samples of one series at all steps.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    marks: Vec<Mark>,
    floats: Vec<f64>,
    /// Empty where there is no histogram.
    histograms: Vec<Option<Arc<Histogram>>>,
}

/// A series of a vector.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) labels: LabelSet,
    /// Whether its name goes at the end, where names are removed that late.
    pub(crate) drops_name: bool,
    pub(crate) column: Column,
}

impl Column {
    /// No sample at any of `count` steps.
    pub(crate) fn absent(count: usize) -> Column {
        Column {
            marks: vec![Mark::Absent; count],
            floats: vec![0.0; count],
            histograms: Vec::new(),
        }
    }

    /// A float at each step.
    pub(crate) fn of_floats(floats: Vec<f64>) -> Column {
        Column {
            marks: vec![Mark::Float; floats.len()],
            floats,
            histograms: Vec::new(),
        }
    }

    /// Floats at the steps that are marked so, and nothing at the others.
    pub(super) fn of_marked(marks: Vec<Mark>, floats: Vec<f64>) -> Column {
        debug_assert!(!marks.contains(&Mark::Histogram) && marks.len() == floats.len());
        Column {
            marks,
            floats,
            histograms: Vec::new(),
        }
    }

    /// The floats with marks where there is one, unless there may be a histogram.
    pub(super) fn only_floats(&self) -> Option<(&[Mark], &[f64])> {
        self.histograms
            .is_empty()
            .then_some((&self.marks[..], &self.floats[..]))
    }

    /// Room for a float at each step. There must be no histogram.
    pub(super) fn slots(&mut self) -> Slots<'_> {
        debug_assert!(self.histograms.is_empty(), "floats alone");
        Slots::of(&mut self.marks, &mut self.floats)
    }

    /// How many steps there are.
    pub(crate) fn len(&self) -> usize {
        self.marks.len()
    }

    /// The first step with a sample.
    fn first(&self) -> Option<usize> {
        self.marks.iter().position(|mark| *mark != Mark::Absent)
    }

    /// Whether there is no sample at all.
    pub(crate) fn is_absent(&self) -> bool {
        self.marks.iter().all(|mark| *mark == Mark::Absent)
    }

    pub(crate) fn has(&self, step: usize) -> bool {
        self.marks[step] != Mark::Absent
    }

    pub(crate) fn cell(&self, step: usize) -> Option<Cell<'_>> {
        match self.marks[step] {
            Mark::Absent => None,
            Mark::Float => Some(Cell::Float(self.floats[step])),
            Mark::Histogram => self.histograms[step].as_ref().map(Cell::Histogram),
        }
    }

    pub(crate) fn float(&self, step: usize) -> Option<f64> {
        (self.marks[step] == Mark::Float).then(|| self.floats[step])
    }

    pub(crate) fn set(&mut self, step: usize, sample: Sample) {
        match sample {
            Sample::Float(value) => self.set_float(step, value),
            Sample::Histogram(histogram) => {
                if self.histograms.is_empty() {
                    self.histograms.resize(self.marks.len(), None);
                }
                self.marks[step] = Mark::Histogram;
                self.histograms[step] = Some(histogram);
            }
        }
    }

    pub(crate) fn set_float(&mut self, step: usize, value: f64) {
        self.marks[step] = Mark::Float;
        self.floats[step] = value;
    }

    pub(crate) fn clear(&mut self, step: usize) {
        self.marks[step] = Mark::Absent;
        if let Some(histogram) = self.histograms.get_mut(step) {
            *histogram = None;
        }
    }

    /// The first step at each of `count` steps.
    pub(super) fn repeated(&self, count: usize) -> Column {
        let mut column = Column::absent(count);
        if let Some(cell) = self.marks.first().and_then(|_| self.cell(0)) {
            for step in 0..count {
                column.set(step, cell.to_sample());
            }
        }
        column
    }

    /// Replaces each sample, or takes it out.
    pub(crate) fn map(
        &mut self,
        float: impl Fn(f64) -> Option<f64>,
        histogram: impl Fn(&Histogram) -> Option<Sample>,
    ) {
        for step in 0..self.marks.len() {
            match self.marks[step] {
                Mark::Absent => {}
                Mark::Float => match float(self.floats[step]) {
                    Some(value) => self.floats[step] = value,
                    None => self.marks[step] = Mark::Absent,
                },
                Mark::Histogram => {
                    let sample = self.histograms[step].take().and_then(|old| histogram(&old));
                    self.marks[step] = Mark::Absent;
                    if let Some(sample) = sample {
                        self.set(step, sample);
                    }
                }
            }
        }
    }

    /// Puts the samples of `other` where this has none; an error where both have one.
    fn absorb(&mut self, other: &Column) -> Result<()> {
        for step in 0..self.marks.len() {
            let Some(cell) = other.cell(step) else {
                continue;
            };
            if self.has(step) {
                return Err(Error::same_labels());
            }
            self.set(step, cell.to_sample());
        }
        Ok(())
    }
}

/// Columns that nobody needs any more and that others can become, so that memory is not asked for
/// again and again.
#[derive(Default)]
pub(crate) struct Spare(Mutex<Vec<Column>>);

/// So many are kept: those of the parts that a few threads have in hand.
const SPARE_MAX: usize = 64;

impl Spare {
    /// A column without samples.
    pub(super) fn absent(&self, count: usize) -> Column {
        let spare = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match spare {
            Some(mut column) if column.len() == count => {
                column.marks.fill(Mark::Absent);
                column.floats.fill(0.0);
                column
            }
            _ => Column::absent(count),
        }
    }

    /// Takes back a column.
    pub(super) fn give(&self, column: Column) {
        let mut spare = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if column.histograms.is_empty() && spare.len() < SPARE_MAX {
            spare.push(column);
        }
    }
}

/// Whether two series have the same labels.
pub(crate) fn has_twins(series: &[Series]) -> bool {
    let random = foldhash::fast::RandomState::default();
    let mut seen = HashSet::with_capacity_and_hasher(series.len(), random);
    !series.iter().all(|series| seen.insert(&series.labels))
}

/// Joins series with the same labels, which must not have samples at the same step, and leaves out
/// those without samples.
pub(crate) fn settle(mut series: Vec<Series>) -> Result<Vec<Series>> {
    series.retain(|series| !series.column.is_absent());
    if series.len() < 2 || !has_twins(&series) {
        return Ok(series);
    }
    let mut places: HashMap<LabelSet, usize> = HashMap::new();
    let mut settled: Vec<Series> = Vec::with_capacity(series.len());
    for series in series {
        match places.get(&series.labels) {
            Some(&place) => {
                let settled = &mut settled[place];
                // Whether the name goes is told by whichever is there first.
                if series.column.first() < settled.column.first() {
                    settled.drops_name = series.drops_name;
                }
                settled.column.absorb(&series.column)?;
            }
            None => {
                places.insert(series.labels.clone(), settled.len());
                settled.push(series);
            }
        }
    }
    Ok(settled)
}

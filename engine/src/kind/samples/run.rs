//! Columns of samples as readers get them.

use std::sync::Arc;

use crate::codec::histogram::Histogram;
use crate::kind::Columns;
use crate::kind::samples::{Sample, SampleValue};
use crate::time::Millis;

/// Samples of one series in time order, all floats or all histograms.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleRun {
    pub(crate) times: Vec<i64>,
    /// Start timestamps beside the times, 0 for none; absent where no sample has one.
    pub(crate) starts: Option<Vec<i64>>,
    pub(crate) values: SampleColumn,
}

/// The value column of a [`SampleRun`].
#[derive(Clone, Debug, PartialEq)]
pub enum SampleColumn {
    /// Floats, bit for bit.
    Floats(Vec<f64>),
    /// Native histograms.
    Histograms(Vec<Arc<Histogram>>),
}

/// What a histogram counts for where memory is bounded: one of some sixty buckets.
const HISTOGRAM_WEIGHT_BYTES: usize = 1 << 10;

impl SampleRun {
    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// The times in milliseconds, ascending.
    pub fn times(&self) -> &[i64] {
        &self.times
    }

    /// The values.
    pub fn values(&self) -> &SampleColumn {
        &self.values
    }

    /// The values where all are floats.
    pub fn floats(&self) -> Option<&[f64]> {
        match &self.values {
            SampleColumn::Floats(values) => Some(values),
            SampleColumn::Histograms(_) => None,
        }
    }

    /// The times and the values where all are floats, for whoever goes on with them.
    pub fn into_floats(self) -> Option<(Vec<i64>, Vec<f64>)> {
        match self.values {
            SampleColumn::Floats(values) => Some((self.times, values)),
            SampleColumn::Histograms(_) => None,
        }
    }

    /// The start timestamps beside the times, 0 for none; `None` where no sample has one.
    pub fn starts(&self) -> Option<&[i64]> {
        self.starts.as_deref()
    }

    /// One sample.
    pub fn sample(&self, index: usize) -> Sample<'_> {
        let start = self.starts.as_ref().map_or(0, |starts| starts[index]);
        Sample {
            time: Millis(self.times[index]),
            start: (start != 0).then_some(Millis(start)),
            value: match &self.values {
                SampleColumn::Floats(values) => SampleValue::Float(values[index]),
                SampleColumn::Histograms(values) => SampleValue::Histogram(&values[index]),
            },
        }
    }

    pub(crate) fn push(&mut self, sample: &Sample<'_>) {
        self.push_start(sample.start.map_or(0, |start| start.0));
        self.times.push(sample.time.0);
        match (&mut self.values, sample.value) {
            (SampleColumn::Floats(values), SampleValue::Float(value)) => values.push(value),
            (SampleColumn::Histograms(values), SampleValue::Histogram(value)) => {
                values.push(Arc::new(value.clone()));
            }
            _ => unreachable!("a run holds one sort of value; the caller asked `takes`"),
        }
    }

    /// Whether the sample is of this run's sort.
    pub(crate) fn takes(&self, sample: &Sample<'_>) -> bool {
        matches!(
            (&self.values, sample.value),
            (SampleColumn::Floats(_), SampleValue::Float(_))
                | (SampleColumn::Histograms(_), SampleValue::Histogram(_))
        )
    }

    /// An empty run of the sample's sort.
    pub(crate) fn of_sort(sample: &Sample<'_>) -> Self {
        let values = match sample.value {
            SampleValue::Float(_) => SampleColumn::Floats(Vec::new()),
            SampleValue::Histogram(_) => SampleColumn::Histograms(Vec::new()),
        };
        SampleRun {
            times: Vec::new(),
            starts: None,
            values,
        }
    }

    fn push_start(&mut self, start: i64) {
        match &mut self.starts {
            Some(starts) => starts.push(start),
            None if start == 0 => {}
            None => {
                let mut starts = vec![0; self.times.len()];
                starts.push(start);
                self.starts = Some(starts);
            }
        }
    }
}

impl Columns for SampleRun {
    fn count(&self) -> usize {
        self.times.len()
    }

    fn ticks(&self) -> &[i64] {
        &self.times
    }

    /// One timestamp holds one sample, whatever its value: the first acknowledged.
    fn same(&self, _: usize, _: &Self, _: usize) -> bool {
        true
    }

    fn fingerprint(&self, _: usize) -> u64 {
        0
    }

    fn joins(&self, other: &Self) -> bool {
        matches!(
            (&self.values, &other.values),
            (SampleColumn::Floats(_), SampleColumn::Floats(_))
                | (SampleColumn::Histograms(_), SampleColumn::Histograms(_))
        )
    }

    fn empty_like(&self) -> Self {
        let values = match &self.values {
            SampleColumn::Floats(_) => SampleColumn::Floats(Vec::new()),
            SampleColumn::Histograms(_) => SampleColumn::Histograms(Vec::new()),
        };
        SampleRun {
            times: Vec::new(),
            starts: None,
            values,
        }
    }

    fn push_from(&mut self, from: &Self, index: usize) {
        self.push_start(from.starts.as_ref().map_or(0, |starts| starts[index]));
        self.times.push(from.times[index]);
        match (&mut self.values, &from.values) {
            (SampleColumn::Floats(values), SampleColumn::Floats(other)) => {
                values.push(other[index]);
            }
            (SampleColumn::Histograms(values), SampleColumn::Histograms(other)) => {
                values.push(Arc::clone(&other[index]));
            }
            _ => unreachable!("a run holds one sort of value; the caller asked `joins`"),
        }
    }

    fn extend_from(&mut self, from: &Self) {
        match (&mut self.starts, &from.starts) {
            (None, None) => {}
            (Some(starts), Some(other)) => starts.extend_from_slice(other),
            (Some(starts), None) => starts.resize(starts.len() + from.times.len(), 0),
            (None, Some(other)) => {
                let mut starts = vec![0; self.times.len()];
                starts.extend_from_slice(other);
                self.starts = Some(starts);
            }
        }
        self.times.extend_from_slice(&from.times);
        match (&mut self.values, &from.values) {
            (SampleColumn::Floats(values), SampleColumn::Floats(other)) => {
                values.extend_from_slice(other);
            }
            (SampleColumn::Histograms(values), SampleColumn::Histograms(other)) => {
                values.extend_from_slice(other);
            }
            _ => unreachable!("a run holds one sort of value; the caller asked `joins`"),
        }
    }

    fn weight_bytes(&self) -> usize {
        let value = match &self.values {
            SampleColumn::Floats(_) => size_of::<f64>(),
            SampleColumn::Histograms(_) => HISTOGRAM_WEIGHT_BYTES,
        };
        let starts = self.starts.as_ref().map_or(0, Vec::len);
        self.times.len() * (value + 8) + starts * 8
    }

    fn slice(mut self, start: usize, end: usize) -> Self {
        fn cut<T>(column: &mut Vec<T>, start: usize, end: usize) {
            column.truncate(end);
            column.drain(..start);
        }
        cut(&mut self.times, start, end);
        if let Some(starts) = &mut self.starts {
            cut(starts, start, end);
        }
        match &mut self.values {
            SampleColumn::Floats(values) => cut(values, start, end),
            SampleColumn::Histograms(values) => cut(values, start, end),
        }
        self
    }
}

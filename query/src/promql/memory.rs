//! [`MemorySource`]: series in memory, for tests and for programs that have no store.

use std::collections::BTreeMap;
use std::sync::Arc;

use chronolith_engine::labels::LabelSet;

use crate::promql::error::Result;
use crate::promql::histogram::{ChunkHints, Histogram};
use crate::promql::source::{Points, Request, Source, SourceSeries};
use crate::promql::value::Sample;

/// Series in memory.
#[derive(Clone, Debug, Default)]
pub struct MemorySource {
    series: BTreeMap<LabelSet, BTreeMap<i64, Stored>>,
}

#[derive(Clone, Debug)]
struct Stored {
    sample: Sample,
    start: i64,
}

impl MemorySource {
    /// A source without series.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps a sample; one of the same series and time is replaced. `start` is when the counter
    /// began, 0 where that is not known.
    pub fn push(&mut self, labels: &LabelSet, time: i64, sample: Sample, start: i64) {
        let samples = match self.series.get_mut(labels) {
            Some(samples) => samples,
            None => self.series.entry(labels.clone()).or_default(),
        };
        samples.insert(time, Stored { sample, start });
    }

    /// Forgets all series.
    pub fn clear(&mut self) {
        self.series.clear();
    }
}

impl Source for MemorySource {
    fn select(&self, request: &Request<'_>) -> Result<Vec<SourceSeries>> {
        let mut found = Vec::new();
        for (labels, samples) in &self.series {
            let set = labels.as_labels();
            let accepts = |name: &str| set.value(name).unwrap_or("");
            if request
                .matchers
                .iter()
                .all(|m| m.matches(accepts(m.name())))
            {
                let series = columns(labels, samples, request);
                if !series.floats.is_empty() || !series.histograms.is_empty() {
                    found.push(series);
                }
            }
        }
        Ok(found)
    }
}

fn columns(
    labels: &LabelSet,
    samples: &BTreeMap<i64, Stored>,
    request: &Request<'_>,
) -> SourceSeries {
    let mut floats = Points::default();
    let mut histograms: Points<Arc<Histogram>> = Points::default();
    // Hints tell about the sample in front, so they are worked out from the first one on.
    let mut hints = ChunkHints::default();
    for (&time, stored) in samples {
        let wanted = (request.start..=request.end).contains(&time);
        match &stored.sample {
            Sample::Float(value) => {
                hints = ChunkHints::default();
                if wanted {
                    floats.push(time, *value, stored.start);
                }
            }
            Sample::Histogram(histogram) => {
                let hint = hints.next(histogram);
                if wanted {
                    let histogram = histogram.as_ref().clone().with_hint(hint);
                    histograms.push(time, histogram.into(), stored.start);
                }
            }
        }
    }
    SourceSeries {
        labels: labels.clone(),
        floats,
        histograms,
        bytes_read: 0,
    }
}

//! [`EngineSource`]: the metrics of the engine as a source.

use std::sync::Arc;

use chronolith_engine::metrics::{SampleColumn, Samples};
use chronolith_engine::time::Millis;
use chronolith_engine::{Selector, Snapshot};

use crate::promql::error::Result;
use crate::promql::histogram::{ChunkHints, Histogram};
use crate::promql::source::{Request, Source, SourceSeries};

/// A snapshot of a tenant's metrics as a source.
///
/// Hints about counter resets are worked out as Prometheus' storage does; of the first histogram of
/// a range nothing is known but what was stored with it.
pub struct EngineSource {
    snapshot: Snapshot<Samples>,
}

impl EngineSource {
    /// Reads from this snapshot.
    pub fn new(snapshot: Snapshot<Samples>) -> Self {
        EngineSource { snapshot }
    }
}

impl Source for EngineSource {
    fn select(&self, request: &Request<'_>) -> Result<Vec<SourceSeries>> {
        let selector = Selector::new(request.matchers.to_vec())
            .between(Millis(request.start), Millis(request.end));
        let mut found = Vec::new();
        for series in self.snapshot.select(&selector)? {
            let mut columns = SourceSeries {
                labels: series.labels().to_set(),
                ..SourceSeries::default()
            };
            let mut hints = ChunkHints::default();
            for run in series.cursor()? {
                let run = run?;
                let start = |index: usize| run.starts().map_or(0, |starts| starts[index]);
                match run.values() {
                    SampleColumn::Floats(values) => {
                        hints = ChunkHints::default();
                        for (index, value) in values.iter().enumerate() {
                            columns
                                .floats
                                .push(run.times()[index], *value, start(index));
                        }
                    }
                    SampleColumn::Histograms(values) => {
                        for (index, stored) in values.iter().enumerate() {
                            let histogram = Histogram::from(stored.as_ref());
                            let hint = hints.next(&histogram);
                            let histogram = Arc::new(histogram.with_hint(hint));
                            let time = run.times()[index];
                            columns.histograms.push(time, histogram, start(index));
                        }
                    }
                }
            }
            if !columns.floats.is_empty() || !columns.histograms.is_empty() {
                found.push(columns);
            }
        }
        Ok(found)
    }
}

//! What LogQL queries answer: lines with their labels told apart, or numbers.

use std::collections::HashMap;
use std::sync::Arc;

use chronolith_engine::labels::LabelSet;

use crate::promql::Value;

/// What a query for lines answers.
#[derive(Clone, Debug, Default)]
pub struct LinesAnswer {
    /// One for each set of stream labels that is left behind the pipeline, in label order.
    pub streams: Vec<ResultStream>,
    /// What it cost.
    pub stats: Stats,
}

/// Lines of one stream of an answer.
#[derive(Clone, Debug)]
pub struct ResultStream {
    /// What the pipeline left of the stream's own labels.
    pub labels: LabelSet,
    /// The lines in the order that was asked for.
    pub entries: Vec<ResultEntry>,
}

/// One line of an answer.
#[derive(Clone, Debug)]
pub struct ResultEntry {
    /// When, in nanoseconds.
    pub time: i64,
    /// The text as the pipeline left it.
    pub line: String,
    /// Labels that come from structured metadata.
    pub metadata: Arc<LabelSet>,
    /// Labels that the pipeline made.
    pub parsed: Arc<LabelSet>,
}

/// Lines whose labels are the same, wherever those came from.
#[derive(Clone, Debug)]
pub struct MergedStream<'a> {
    /// All labels together.
    pub labels: LabelSet,
    /// The lines in the order that was asked for.
    pub entries: Vec<&'a ResultEntry>,
}

impl LinesAnswer {
    /// How many lines there are.
    pub fn entries(&self) -> usize {
        self.streams.iter().map(|stream| stream.entries.len()).sum()
    }

    /// The lines by all of their labels together, in label order: one stream for each distinct set.
    pub fn merged(&self) -> Vec<MergedStream<'_>> {
        let mut found: Vec<MergedStream<'_>> = Vec::new();
        for stream in &self.streams {
            // Within one stream of the answer, equal parts make equal sets.
            let mut places: HashMap<(&LabelSet, &LabelSet), usize> = HashMap::new();
            for entry in &stream.entries {
                let parts = (entry.metadata.as_ref(), entry.parsed.as_ref());
                let place = *places.entry(parts).or_insert(found.len());
                if place == found.len() {
                    found.push(MergedStream {
                        labels: union([&stream.labels, parts.0, parts.1]),
                        entries: Vec::new(),
                    });
                }
                found[place].entries.push(entry);
            }
        }
        found.sort_by(|one, two| one.labels.cmp(&two.labels));
        found
    }
}

/// All labels of some sets; where two have one name, the first set's counts.
fn union(sets: [&LabelSet; 3]) -> LabelSet {
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    for (name, value) in sets.into_iter().flat_map(|set| set.as_labels().iter()) {
        if !pairs.iter().any(|(known, _)| *known == name) {
            pairs.push((name, value));
        }
    }
    // The names differ from each other and none is empty.
    LabelSet::from_pairs(pairs).unwrap_or_default()
}

/// What a metric query answers.
#[derive(Clone, Debug)]
pub struct MetricAnswer {
    /// The value; its times are in milliseconds.
    pub value: Value,
    /// What else is to be said.
    pub warnings: Vec<String>,
    /// What it cost.
    pub stats: Stats,
}

/// What a query cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Streams that the matchers accepted.
    pub streams: u64,
    /// Lines that were looked at.
    pub lines: u64,
    /// The bytes of their texts, as far as texts were read.
    pub bytes: u64,
    /// Lines that passed the pipeline.
    pub lines_kept: u64,
}

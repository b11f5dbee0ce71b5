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
    pub metadata: Arc<LabelPairs>,
    /// Labels that the pipeline made.
    pub parsed: Arc<LabelPairs>,
}

/// Labels of a line, sorted by name. Unlike those of a stream they may have empty values: that a
/// parser looked for something and did not find it is told so.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelPairs(Vec<(String, String)>);

impl LabelPairs {
    /// Labels with these names, which differ, and values.
    pub(crate) fn of<'l>(pairs: impl Iterator<Item = (&'l str, &'l str)>) -> LabelPairs {
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut pairs: Vec<_> = pairs.collect();
        pairs.sort_unstable();
        LabelPairs(pairs)
    }

    /// Whether these are the pairs, which come in any order.
    pub(crate) fn is<'l>(&self, pairs: impl Iterator<Item = (&'l str, &'l str)>) -> bool {
        let mut count = 0;
        let mut known = pairs.inspect(|_| count += 1);
        let is_known = known.all(|(name, value)| self.value(name) == Some(value));
        drop(known);
        is_known && count == self.0.len()
    }

    /// The labels in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let pairs = self.0.iter();
        pairs.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a label, if it is one of these.
    pub fn value(&self, name: &str) -> Option<&str> {
        let found = self
            .0
            .binary_search_by(|(known, _)| known.as_str().cmp(name));
        found.ok().map(|place| self.0[place].1.as_str())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Lines whose labels are the same, wherever those came from.
#[derive(Clone, Debug)]
pub struct MergedStream<'a> {
    /// All labels together.
    pub labels: LabelPairs,
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
        let mut places: HashMap<LabelPairs, usize> = HashMap::new();
        let mut found: Vec<MergedStream<'_>> = Vec::new();
        for stream in &self.streams {
            let mut last: Option<(&ResultEntry, usize)> = None;
            for entry in &stream.entries {
                // Neighbours mostly have the same labels.
                let same = last.filter(|(known, _)| {
                    known.metadata == entry.metadata && known.parsed == entry.parsed
                });
                let place = same.map(|(_, place)| place).unwrap_or_else(|| {
                    let labels = union(stream, entry);
                    *places.entry(labels).or_insert_with_key(|labels| {
                        found.push(MergedStream {
                            labels: labels.clone(),
                            entries: Vec::new(),
                        });
                        found.len() - 1
                    })
                });
                last = Some((entry, place));
                found[place].entries.push(entry);
            }
        }
        found.sort_by(|one, two| one.labels.cmp(&two.labels));
        found
    }
}

/// All labels of a line; no two have one name.
fn union(stream: &ResultStream, entry: &ResultEntry) -> LabelPairs {
    let own = stream.labels.as_labels().iter();
    LabelPairs::of(own.chain(entry.metadata.iter()).chain(entry.parsed.iter()))
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

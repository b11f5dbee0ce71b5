//! [`MemoryLines`]: lines in memory, for tests and for programs that have no store.

use std::collections::BTreeMap;

use chronolith_engine::Wanted;
use chronolith_engine::labels::{LabelSet, Labels};
use chronolith_engine::logs::{Line, LineRun};
use chronolith_engine::time::Nanos;

use crate::logql::Result;
use crate::logql::source::{Direction, LineRequest, LineSource, LineStream, Runs};

/// Lines in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryLines {
    streams: BTreeMap<LabelSet, BTreeMap<i64, Vec<Stored>>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Stored {
    text: String,
    metadata: LabelSet,
}

impl MemoryLines {
    /// A source without lines.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps a line. One that is there already, with the same time, text and metadata, is not kept
    /// twice.
    pub fn push(&mut self, labels: &LabelSet, time: i64, text: &str, metadata: &LabelSet) {
        let stream = match self.streams.get_mut(labels) {
            Some(stream) => stream,
            None => self.streams.entry(labels.clone()).or_default(),
        };
        let stored = Stored {
            text: text.to_owned(),
            metadata: metadata.clone(),
        };
        let moment = stream.entry(time).or_default();
        if !moment.contains(&stored) {
            moment.push(stored);
        }
    }
}

impl LineSource for MemoryLines {
    fn streams<'s>(&'s self, request: &LineRequest<'_>) -> Result<Vec<Box<dyn LineStream + 's>>> {
        let mut found: Vec<Box<dyn LineStream + 's>> = Vec::new();
        for (labels, lines) in &self.streams {
            let set = labels.as_labels();
            let accepts = |name: &str| set.value(name).unwrap_or("");
            let is_selected = |matcher: &chronolith_engine::labels::Matcher| {
                matcher.matches(accepts(matcher.name()))
            };
            if request.start <= request.end && request.matchers.iter().all(is_selected) {
                found.push(Box::new(MemoryStream {
                    labels,
                    lines,
                    start: request.start,
                    end: request.end,
                }));
            }
        }
        Ok(found)
    }
}

struct MemoryStream<'s> {
    labels: &'s LabelSet,
    lines: &'s BTreeMap<i64, Vec<Stored>>,
    start: i64,
    end: i64,
}

impl LineStream for MemoryStream<'_> {
    fn labels(&self) -> Labels<'_> {
        self.labels.as_labels()
    }

    fn runs(&self, _: Wanted, _: Direction) -> Result<Runs<'_>> {
        let mut run = LineRun::default();
        for (time, moment) in self.lines.range(self.start..=self.end) {
            for stored in moment {
                run.push(&Line {
                    time: Nanos(*time),
                    text: &stored.text,
                    metadata: stored.metadata.as_labels(),
                });
            }
        }
        Ok(Box::new(std::iter::once(Ok(run))))
    }
}

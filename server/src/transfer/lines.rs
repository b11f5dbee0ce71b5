//! Lines on their way to the store: gathered by stream, stored in batches.

use std::borrow::Cow;

use serde_json::Value as Json;

use super::fault::Result;
use super::job::Job;
use crate::wire::logs::{LogColumns, Pair, StreamLabels};

/// Lines and bytes that are stored together.
const BATCH_LINES: usize = 20_000;
const BATCH_BYTES: usize = 8 << 20;

/// Names and values, owned.
pub(crate) type Pairs = Vec<(String, String)>;

/// A batch of lines that is being put together.
#[derive(Default)]
pub(crate) struct LineBatch {
    columns: LogColumns<'static>,
    /// The labels of the stream at hand, if it has lines.
    stream: Option<Pairs>,
    lines: usize,
    bytes: usize,
}

impl LineBatch {
    /// Adds a line. Those of one stream that follow each other share it.
    pub(crate) fn add(
        &mut self,
        labels: &Pairs,
        time: i64,
        line: String,
        metadata: Pairs,
    ) -> Result<()> {
        if self.stream.as_ref() != Some(labels) {
            self.end_stream()?;
            self.stream = Some(labels.clone());
        }
        self.lines += 1;
        self.bytes += line.len();
        for (name, value) in metadata {
            self.bytes += name.len() + value.len();
            self.columns.metadata(name.into(), value.into())?;
        }
        Ok(self.columns.entry(time, Cow::Owned(line))?)
    }

    fn end_stream(&mut self) -> Result<()> {
        let Some(labels) = self.stream.take() else {
            return Ok(());
        };
        let pairs = labels.into_iter();
        let pairs: Vec<Pair<'static>> = pairs
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        Ok(self.columns.end_stream(StreamLabels::Pairs(pairs))?)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.lines >= BATCH_LINES || self.bytes >= BATCH_BYTES
    }

    /// Stores what has come together, and notes how far that is.
    pub(crate) fn store(&mut self, job: &mut Job, position: u64, detail: Json) -> Result<()> {
        self.end_stream()?;
        let batch = std::mem::take(self);
        if batch.lines > 0 {
            job.lines(&batch.columns)?;
        }
        job.reach(position, detail)
    }
}

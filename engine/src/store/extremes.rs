//! The least and the greatest value of a series, from the statistics of chunks where they tell.
//!
//! They tell where a chunk overlaps no other, is shown whole, and nothing of it is deleted;
//! everything else is decoded. Which of the two it was, nobody can see from the answer.

use crate::block::ChunkMeta;
use crate::error::Result;
use crate::kind::samples::Samples;
use crate::kind::samples::seal::statistics;
use crate::store::cursor::{Cursor, whole_chunk};
use crate::store::select::Series;

impl Series<Samples> {
    /// The least and the greatest float that [`Series::cursor`] would give, without decoding chunks
    /// whose statistics tell. NaNs, and so stale markers, are left out; `None` where nothing else
    /// is there.
    pub fn extremes(&self) -> Result<Option<(f64, f64)>> {
        self.cursor()?.extremes()
    }
}

impl Cursor<Samples> {
    fn extremes(mut self) -> Result<Option<(f64, f64)>> {
        let mut found = None;
        while let Some(group) = self.groups.pop_front() {
            let told = match whole_chunk(&group) {
                Some((block, chunk)) => self.told(block, chunk)?,
                None => None,
            };
            if let Some((least, greatest)) = told {
                found = widened(widened(found, least), greatest);
                continue;
            }
            for run in self.load(group)? {
                let values = run.floats().unwrap_or_default();
                found = values.iter().copied().fold(found, widened);
            }
        }
        Ok(found)
    }

    /// What the statistics of a chunk say, if they speak of all of it.
    fn told(&self, block: u32, chunk: &ChunkMeta) -> Result<Option<(f64, f64)>> {
        let reader = &self.view.state.blocks[block as usize].reader;
        let summary = reader.summary(chunk)?;
        let parts = statistics(chunk.range, chunk.count, chunk.encoding, summary);
        let parts = parts.map_err(|error| error.at_path(reader.path()))?;
        let mut found = None;
        for part in parts.unwrap_or_default() {
            let Some(values) = part.values else {
                return Ok(None);
            };
            found = widened(widened(found, values.least), values.greatest);
        }
        Ok(found)
    }
}

/// Extremes of what they were of and of one value more.
fn widened(extremes: Option<(f64, f64)>, value: f64) -> Option<(f64, f64)> {
    match extremes {
        _ if value.is_nan() => extremes,
        Some((least, greatest)) => Some((least.min(value), greatest.max(value))),
        None => Some((value, value)),
    }
}

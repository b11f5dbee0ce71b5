//! What a caller hands in, and what it gets back.

use crate::kind::{Kind, Parts, Refusal};
use crate::labels::set::Labels;

/// Entries of many series to be appended together: readers see all that is accepted, or nothing.
///
/// Label sets are borrowed in canonical bytes (see [`put_label`](crate::labels::put_label)); they
/// are checked when a series is first seen, and a known series costs no allocation.
///
/// ```
/// use chronolith_engine::labels::LabelSet;
/// use chronolith_engine::metrics::{Sample, Samples};
/// use chronolith_engine::time::Millis;
/// use chronolith_engine::{Batch, BatchMode};
///
/// let up = LabelSet::from_pairs([("__name__", "up"), ("job", "node")])?;
/// let mut batch = Batch::<Samples>::with_mode(BatchMode::AllOrNothing);
/// batch.series(up.as_labels().as_bytes());
/// for step in 0..4 {
///     batch.entry(Sample::float(Millis(1_700_000_000_000 + step * 15_000), 1.0));
/// }
/// assert_eq!(batch.len(), 4);
/// # Ok::<(), chronolith_engine::Error>(())
/// ```
pub struct Batch<'a, K: Kind> {
    series: Vec<BatchSeries<'a>>,
    entries: Vec<<K as Parts>::Entry<'a>>,
    mode: BatchMode,
}

/// What becomes of a batch of which some entries are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BatchMode {
    /// The good entries are kept, the others reported.
    #[default]
    Each,
    /// One refusal refuses the whole batch.
    AllOrNothing,
}

/// One series of a batch: its label bytes, and where its entries end.
#[derive(Clone, Copy)]
pub(crate) struct BatchSeries<'a> {
    pub(crate) labels: &'a [u8],
    pub(crate) end: u32,
}

impl<K: Kind> Default for Batch<'_, K> {
    fn default() -> Self {
        Batch {
            series: Vec::new(),
            entries: Vec::new(),
            mode: BatchMode::Each,
        }
    }
}

impl<'a, K: Kind> Batch<'a, K> {
    /// An empty batch of which each entry stands alone.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty batch of the given mode.
    pub fn with_mode(mode: BatchMode) -> Self {
        Batch {
            mode,
            ..Self::default()
        }
    }

    /// Begins a series by its canonical label bytes; [`Batch::entry`] then adds to it.
    pub fn series(&mut self, labels: &'a [u8]) -> &mut Self {
        self.series.push(BatchSeries {
            labels,
            end: self.entries.len() as u32,
        });
        self
    }

    /// Adds an entry to the series begun last.
    ///
    /// # Panics
    /// If no series was begun.
    pub fn entry(&mut self, entry: <K as Parts>::Entry<'a>) -> &mut Self {
        self.entries.push(entry);
        let last = self
            .series
            .last_mut()
            .expect("`series` comes before `entry`");
        last.end = self.entries.len() as u32;
        self
    }

    /// Adds one entry of one series.
    pub fn push(&mut self, labels: Labels<'a>, entry: <K as Parts>::Entry<'a>) -> &mut Self {
        self.series(labels.as_bytes()).entry(entry)
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.series.clear();
        self.entries.clear();
    }

    pub(crate) fn mode(&self) -> BatchMode {
        self.mode
    }

    pub(crate) fn all_series(&self) -> &[BatchSeries<'a>] {
        &self.series
    }

    pub(crate) fn entries(&self) -> &[<K as Parts>::Entry<'a>] {
        &self.entries
    }
}

/// What became of a batch's entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Entries that were stored.
    pub accepted: u64,
    /// Entries that were there already, identical.
    pub duplicates: u64,
    /// Entries that were not taken, in batch order. In an all-or-nothing batch one of these means
    /// that nothing was stored.
    pub refused: Vec<Refused>,
}

/// One entry that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The index of its series in the batch.
    pub series: usize,
    /// The index of the entry in the whole batch.
    pub entry: usize,
    /// Why.
    pub why: Refusal,
}

impl Report {
    /// Why the entry with this index in the batch was refused, or `None` if it was taken.
    pub fn refusal(&self, entry: usize) -> Option<&Refusal> {
        let place = self
            .refused
            .binary_search_by_key(&entry, |refused| refused.entry)
            .ok()?;
        Some(&self.refused[place].why)
    }
}

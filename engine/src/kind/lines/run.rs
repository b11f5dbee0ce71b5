//! Columns of log lines as readers get them.

use crate::kind::lines::Line;
use crate::kind::lines::repeats::Repeats;
use crate::kind::{Columns, Wanted};
use crate::labels::set::Labels;

/// Texts one behind the other, with where each ends. Texts that nobody looks at have their ends
/// alone, and are empty to whoever looks.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Texts {
    pub(crate) bytes: Vec<u8>,
    pub(crate) ends: Vec<u32>,
}

impl Texts {
    pub(crate) fn at(&self, index: usize) -> &[u8] {
        let start = if index == 0 {
            0
        } else {
            self.ends[index - 1] as usize
        };
        let whole = self.bytes.get(start..self.ends[index] as usize);
        whole.unwrap_or_default()
    }

    /// How long a text is, or was before it was left out.
    fn length(&self, index: usize) -> usize {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        (self.ends[index] - start) as usize
    }

    /// How long all texts are together, or were.
    fn all_bytes(&self) -> usize {
        self.ends.last().map_or(0, |end| *end as usize)
    }

    /// Appends a text; the caller keeps a run below 4 GiB.
    pub(crate) fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        let end = self.all_bytes() + text.len();
        let end = u32::try_from(end).expect("a run of lines stays below 4 GiB");
        self.ends.push(end);
    }

    /// Appends a text of another column, or its length where it was left out; the caller keeps a
    /// run below 4 GiB.
    fn push_from(&mut self, from: &Texts, index: usize) {
        self.bytes.extend_from_slice(from.at(index));
        let end = self.all_bytes() + from.length(index);
        let end = u32::try_from(end).expect("a run of lines stays below 4 GiB");
        self.ends.push(end);
    }

    /// Appends all texts of another column; the caller keeps a run below 4 GiB.
    fn extend_from(&mut self, from: &Texts) {
        let base = self.ends.last().copied().unwrap_or(0);
        self.bytes.extend_from_slice(&from.bytes);
        let moved = from.ends.iter().map(|end| {
            end.checked_add(base)
                .expect("a run of lines stays below 4 GiB")
        });
        self.ends.extend(moved);
    }

    pub(crate) fn truncate(&mut self, count: usize) {
        self.ends.truncate(count);
        self.bytes
            .truncate(self.ends.last().map_or(0, |end| *end as usize));
    }

    fn slice(&self, start: usize, end: usize) -> Texts {
        let from = if start == 0 { 0 } else { self.ends[start - 1] };
        let to = if end == 0 { 0 } else { self.ends[end - 1] };
        let bytes = self.bytes.get(from as usize..to as usize);
        Texts {
            bytes: bytes.unwrap_or_default().to_vec(),
            ..self.ends_of(start, end)
        }
    }

    /// The ends of some texts.
    fn ends_of(&self, start: usize, end: usize) -> Texts {
        let from = if start == 0 { 0 } else { self.ends[start - 1] };
        Texts {
            bytes: Vec::new(),
            ends: self.ends[start..end].iter().map(|end| end - from).collect(),
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.bytes.capacity() + self.ends.capacity() * 4
    }
}

/// Lines of one stream in time order, the texts in one buffer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LineRun {
    pub(crate) times: Vec<i64>,
    pub(crate) texts: Texts,
    /// Structured metadata beside the lines; absent where no line has any.
    pub(crate) metadata: Option<Repeats>,
}

impl LineRun {
    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// The times in nanoseconds, ascending; equal times stand in order of arrival.
    pub fn times(&self) -> &[i64] {
        &self.times
    }

    /// All texts in one buffer, to be searched as a whole; [`LineRun::text_ends`] says where each
    /// ends.
    pub fn text(&self) -> &[u8] {
        &self.texts.bytes
    }

    /// Where each line's text ends in [`LineRun::text`].
    pub fn text_ends(&self) -> &[u32] {
        &self.texts.ends
    }

    /// One line's text. It was UTF-8 when it was taken, and checksums kept it so.
    pub fn line(&self, index: usize) -> &[u8] {
        self.texts.at(index)
    }

    /// How long a line is. It may be asked for where lines come empty because their lengths alone
    /// were wanted.
    pub fn line_bytes(&self, index: usize) -> usize {
        self.texts.length(index)
    }

    /// How long all lines are together.
    pub fn text_bytes(&self) -> usize {
        self.texts.all_bytes()
    }

    /// A number for each line's structured metadata, and what all numbers are below: lines with the
    /// same number have the same metadata. Absent where no line has any.
    pub fn metadata_numbers(&self) -> Option<(&[u32], usize)> {
        let metadata = self.metadata.as_ref()?;
        Some((metadata.ids(), metadata.distinct()))
    }

    /// One line's structured metadata.
    pub fn metadata(&self, index: usize) -> Labels<'_> {
        match &self.metadata {
            Some(metadata) => Labels::trusted(metadata.at(index)),
            None => Labels::EMPTY,
        }
    }

    /// Appends a line; the caller keeps times ascending and a run below 4 GiB.
    pub fn push(&mut self, line: &Line<'_>) {
        self.push_beside(line.time.0, line.metadata.as_bytes());
        self.texts.push(line.text.as_bytes());
    }

    /// Appends what stands beside a text.
    fn push_beside(&mut self, time: i64, metadata: &[u8]) {
        match &mut self.metadata {
            Some(column) => column.push(metadata),
            None if metadata.is_empty() => {}
            None => {
                let mut column = Repeats::empty(self.times.len());
                column.push(metadata);
                self.metadata = Some(column);
            }
        }
        self.times.push(time);
    }

    /// What is wanted of the lines from `start` up to `end`.
    pub(crate) fn part(&self, start: usize, end: usize, wanted: Wanted) -> LineRun {
        let metadata = self.metadata.as_ref().filter(|_| wanted.has_metadata());
        LineRun {
            times: self.times[start..end].to_vec(),
            texts: match wanted.has_text() {
                true => self.texts.slice(start, end),
                false => self.texts.ends_of(start, end),
            },
            metadata: metadata.map(|metadata| metadata.slice(start, end)),
        }
    }

    pub(crate) fn truncate(&mut self, count: usize) {
        self.times.truncate(count);
        self.texts.truncate(count);
        if let Some(metadata) = &mut self.metadata {
            metadata.truncate(count);
        }
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        let metadata = self.metadata.as_ref().map_or(0, Repeats::heap_bytes);
        self.times.capacity() * 8 + self.texts.heap_bytes() + metadata
    }

    fn metadata_bytes(&self, index: usize) -> &[u8] {
        self.metadata
            .as_ref()
            .map_or(&[], |metadata| metadata.at(index))
    }
}

/// A run of lines is split before its buffers reach this, so that offsets stay below 4 GiB.
const RUN_BYTES_MAX: usize = 1 << 30;

impl Columns for LineRun {
    fn count(&self) -> usize {
        self.times.len()
    }

    fn ticks(&self) -> &[i64] {
        &self.times
    }

    fn same(&self, index: usize, other: &Self, other_index: usize) -> bool {
        self.line(index) == other.line(other_index)
            && self.metadata_bytes(index) == other.metadata_bytes(other_index)
    }

    fn text(&self, index: usize) -> &[u8] {
        self.line(index)
    }

    fn fingerprint(&self, index: usize) -> u64 {
        use std::hash::{BuildHasher, Hash, Hasher};
        let mut hasher = foldhash::fast::FixedState::default().build_hasher();
        self.line(index).hash(&mut hasher);
        self.metadata_bytes(index).hash(&mut hasher);
        hasher.finish()
    }

    fn joins(&self, other: &Self) -> bool {
        let bytes = |run: &LineRun| {
            run.texts.all_bytes() + run.metadata.as_ref().map_or(0, Repeats::kept_bytes)
        };
        bytes(self).saturating_add(bytes(other)) < RUN_BYTES_MAX
    }

    fn empty_like(&self) -> Self {
        LineRun::default()
    }

    fn push_from(&mut self, from: &Self, index: usize) {
        self.push_beside(from.times[index], from.metadata_bytes(index));
        self.texts.push_from(&from.texts, index);
    }

    fn extend_from(&mut self, from: &Self) {
        match (&mut self.metadata, &from.metadata) {
            (None, None) => {}
            (Some(column), Some(other)) => column.extend_from(other),
            (Some(column), None) => column.resize(self.times.len() + from.times.len()),
            (None, Some(other)) => {
                let mut column = Repeats::empty(self.times.len());
                column.extend_from(other);
                self.metadata = Some(column);
            }
        }
        self.times.extend_from_slice(&from.times);
        self.texts.extend_from(&from.texts);
    }

    fn weight_bytes(&self) -> usize {
        let metadata = self.metadata.as_ref().map_or(0, Repeats::weight_bytes);
        self.times.len() * 8 + self.texts.bytes.len() + self.texts.ends.len() * 4 + metadata
    }

    fn slice(self, start: usize, end: usize) -> Self {
        self.part(start, end, Wanted::Everything)
    }
}

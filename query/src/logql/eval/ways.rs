//! [`Ways`]: what became of lines, so that equal ones need not be looked at again.

use std::collections::HashMap;

use chronolith_engine::labels::Labels;
use foldhash::fast::RandomState;

/// How many lines are remembered.
const KNOWN_MAX: usize = 4096;

/// The lines of one stream that were looked at, by their text and metadata: the place of the series
/// that each belongs to, or none where it is dropped.
#[derive(Default)]
pub(super) struct Ways {
    known: HashMap<Box<[u8]>, Option<usize>, RandomState>,
    /// The line that was looked for last.
    key: Vec<u8>,
    found: usize,
    missed: usize,
}

impl Ways {
    /// Whether lines have come again so far, or too few were seen to tell.
    pub(super) fn are_worth_it(&self) -> bool {
        self.missed < KNOWN_MAX || self.found > self.missed
    }

    /// What became of a line, if it was there before.
    pub(super) fn find(&mut self, line: &[u8], metadata: Labels<'_>) -> Option<Option<usize>> {
        let metadata = metadata.as_bytes();
        self.key.clear();
        // The length keeps the two apart.
        self.key.extend_from_slice(&metadata.len().to_le_bytes());
        self.key.extend_from_slice(metadata);
        self.key.extend_from_slice(line);
        let way = self.known.get(&self.key[..]).copied();
        self.found += usize::from(way.is_some());
        way
    }

    /// Takes note of what became of the line that was looked for last.
    pub(super) fn note(&mut self, way: Option<usize>) {
        self.missed += 1;
        if self.known.len() >= KNOWN_MAX {
            self.known.clear();
        }
        self.known.insert(self.key.as_slice().into(), way);
    }
}

#[cfg(test)]
mod tests {
    use chronolith_engine::labels::LabelSet;

    use super::*;

    #[test]
    fn lines_are_told_apart_by_text_and_metadata() {
        let metadata = LabelSet::from_pairs([("a", "b")]).unwrap();
        let (with, without) = (metadata.as_labels(), Labels::EMPTY);
        let mut ways = Ways::default();
        for (line, metadata, way) in [
            ("x", without, Some(1)),
            ("x", with, None),
            ("", with, Some(2)),
        ] {
            assert_eq!(ways.find(line.as_bytes(), metadata), None);
            ways.note(way);
        }
        assert_eq!(ways.find(b"x", without), Some(Some(1)));
        assert_eq!(ways.find(b"x", with), Some(None));
        assert_eq!(ways.find(b"", with), Some(Some(2)));
        assert_eq!(ways.find(b"", without), None);
    }

    #[test]
    fn lines_that_never_come_again_are_not_worth_it_and_take_bounded_memory() {
        let mut ways = Ways::default();
        for number in 0..3 * KNOWN_MAX {
            assert_eq!(ways.are_worth_it(), number < KNOWN_MAX, "{number}");
            assert_eq!(ways.find(&number.to_le_bytes(), Labels::EMPTY), None);
            ways.note(None);
            assert!(ways.known.len() <= KNOWN_MAX);
        }
    }
}

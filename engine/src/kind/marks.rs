//! Which of a series' entries a reader sees: entry counts by batch.
//!
//! Entries are only ever appended, so "what a snapshot at batch S sees" is a count. A series
//! remembers the count that every reader sees (`settled`), the count after its last batch, and,
//! only while an older snapshot or an unacknowledged batch needs them, the counts between.

/// Counts that only some readers need: boxed, as nearly every series has none.
#[derive(Clone, Debug, Default)]
struct Between {
    /// (batch, entries after it), oldest first.
    counts: Vec<(u64, u32)>,
}

/// Entry counts of one series by batch sequence.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    /// Entries that every present and future reader sees.
    settled: u32,
    /// Entries after the batch `last_seq`.
    count: u32,
    last_seq: u64,
    /// (batch, entries after it) between the settled ones and the last, oldest first.
    between: Option<Box<Between>>,
}

impl Marks {
    /// Notes that batch `seq` brought the count to `count`, where every reader sees batches up to
    /// `floor`.
    #[inline]
    pub(crate) fn note(&mut self, seq: u64, count: u32, floor: u64) {
        debug_assert!(seq >= self.last_seq && count >= self.count);
        if seq != self.last_seq {
            if self.last_seq <= floor {
                // Everything before this batch is seen by all: nothing between is needed any more.
                self.settled = self.count;
                self.between = None;
            } else {
                self.keep_between(floor);
            }
            self.last_seq = seq;
        }
        self.count = count;
    }

    #[cold]
    fn keep_between(&mut self, floor: u64) {
        let between = &mut self.between.get_or_insert_default().counts;
        let seen_by_all = between.partition_point(|(seq, _)| *seq <= floor);
        if seen_by_all > 0 {
            self.settled = between[seen_by_all - 1].1;
            between.drain(..seen_by_all);
        }
        between.push((self.last_seq, self.count));
    }

    /// How many entries a reader at batch `seq` sees.
    pub(crate) fn visible(&self, seq: u64) -> u32 {
        if self.last_seq <= seq {
            return self.count;
        }
        match &self.between {
            Some(between) => match between.counts.partition_point(|(batch, _)| *batch <= seq) {
                0 => self.settled,
                after => between.counts[after - 1].1,
            },
            None => self.settled,
        }
    }

    /// Forgets the batches after `keep`; returns how many entries remain.
    pub(crate) fn rollback(&mut self, keep: u64) -> u32 {
        let remaining = self.visible(keep);
        if self.last_seq > keep {
            if let Some(between) = &mut self.between {
                between.counts.retain(|(batch, _)| *batch <= keep);
            }
            self.last_seq = keep;
            self.count = remaining;
        }
        remaining
    }

    /// Bytes on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.between.as_ref().map_or(0, |between| {
            between.counts.capacity() * size_of::<(u64, u32)>()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_sees_whole_batches_up_to_its_own() {
        let mut marks = Marks::default();
        marks.note(1, 2, 0);
        marks.note(2, 3, 0);
        marks.note(4, 7, 0);
        let seen: Vec<u32> = (0..6).map(|seq| marks.visible(seq)).collect();
        assert_eq!(seen, [0, 2, 3, 3, 7, 7]);
    }

    #[test]
    fn marks_below_the_floor_are_forgotten_and_still_answer_at_the_floor() {
        let mut marks = Marks::default();
        for seq in 1..=10u64 {
            marks.note(seq, seq as u32 * 2, seq.saturating_sub(3));
        }
        for seq in 7..=10 {
            assert_eq!(marks.visible(seq), seq as u32 * 2);
        }
        marks.note(11, 22, 10);
        assert!(marks.between.is_none());
        assert_eq!(marks.visible(10), 20);
    }

    #[test]
    fn rollback_returns_to_the_batch_kept() {
        let mut marks = Marks::default();
        marks.note(3, 5, 0);
        marks.note(4, 6, 3);
        marks.note(5, 9, 3);
        assert_eq!(marks.rollback(4), 6);
        assert_eq!(marks.visible(9), 6);
        marks.note(6, 8, 4);
        assert_eq!((marks.visible(5), marks.visible(6)), (6, 8));
    }
}

//! Where a run is cut into chunks.

use crate::codec::CHUNK_ENTRIES_MAX;
use crate::kind::samples::run::SampleRun;

/// Samples of a chunk that a freeze writes: long enough to pack well, short enough to be decoded
/// for a narrow query.
const FROZEN_MAX: usize = 1024;
/// Samples of a chunk that compaction writes: a narrow query decodes a tile of it.
const COMPACTED_MAX: usize = 3072;
/// Histograms are decoded as a whole.
const COMPACTED_HISTOGRAMS_MAX: usize = 1024;
const _: () = assert!(COMPACTED_MAX <= CHUNK_ENTRIES_MAX);

/// Spans of time that chunks end with, in milliseconds, each a divisor of a partition or a multiple
/// of one: a minute to eight days.
const SPANS_MS: [i64; 14] = [
    60_000,
    300_000,
    600_000,
    900_000,
    1_800_000,
    3_600_000,
    7_200_000,
    14_400_000,
    28_800_000,
    43_200_000,
    86_400_000,
    172_800_000,
    345_600_000,
    691_200_000,
];

/// Steps that are looked at to know how far a run's samples are apart.
const STEPS_MAX: usize = 64;

/// How long chunks of a run may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cut {
    samples_max: usize,
    span_ms: Option<i64>,
}

impl Cut {
    /// Chunks as full as they may be.
    pub(crate) fn by_count() -> Cut {
        Cut {
            samples_max: FROZEN_MAX,
            span_ms: None,
        }
    }

    /// Chunks that end with round spans of UTC time, the longest that a chunk can hold: series
    /// that are scraped together are cut at the same times, whatever samples one of them lacks.
    pub(crate) fn by_time(run: &SampleRun) -> Cut {
        let samples_max = match run.floats() {
            Some(_) => COMPACTED_MAX,
            None => COMPACTED_HISTOGRAMS_MAX,
        };
        let longest = usual_step(&run.times).saturating_mul(samples_max as i64);
        let fits = |span: &&i64| **span <= longest;
        Cut {
            samples_max,
            span_ms: SPANS_MS.iter().rev().find(fits).copied(),
        }
    }

    /// Where the chunk that begins at `start` ends.
    pub(crate) fn end(self, times: &[i64], start: usize) -> usize {
        let longest = times.len().min(start + self.samples_max);
        let Some(span) = self.span_ms else {
            return longest;
        };
        let within = times[start].div_euclid(span);
        let count = times[start..longest].partition_point(|time| time.div_euclid(span) == within);
        // At least one, should times out of order ever come here.
        start + count.max(1)
    }
}

/// The middle one of some steps between neighbours: what a gap or two do not change.
fn usual_step(times: &[i64]) -> i64 {
    let sampling = times.len().div_ceil(STEPS_MAX).max(1);
    let step = |pair: &[i64]| pair[1].saturating_sub(pair[0]);
    let mut steps: Vec<i64> = times.windows(2).step_by(sampling).map(step).collect();
    let middle = steps.len() / 2;
    match steps.is_empty() {
        true => i64::MAX,
        false => *steps.select_nth_unstable(middle).1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::samples::run::SampleColumn;

    const DAY_MS: i64 = 86_400_000;

    fn run(times: Vec<i64>) -> SampleRun {
        let values = SampleColumn::Floats(vec![1.0; times.len()]);
        SampleRun {
            times,
            starts: None,
            values,
        }
    }

    fn ends(run: &SampleRun) -> Vec<i64> {
        let (cut, mut ends, mut start) = (Cut::by_time(run), Vec::new(), 0);
        while start < run.times.len() {
            let end = cut.end(&run.times, start);
            assert!(end > start && end - start <= COMPACTED_MAX);
            ends.push(run.times[end - 1]);
            start = end;
        }
        ends
    }

    #[test]
    fn series_of_one_clock_are_cut_at_the_same_times_whatever_one_of_them_lacks() {
        let all: Vec<i64> = (0..5760)
            .map(|n| 20_000 * DAY_MS + 4_217 + n * 15_000)
            .collect();
        let mut gaps = all.clone();
        gaps.retain(|time| time % 7 != 3);
        gaps.drain(..700);
        let (whole, part) = (ends(&run(all)), ends(&run(gaps)));
        assert_eq!(whole.len(), 2);
        for (one, two) in whole.iter().zip(&part) {
            assert!((0..60_000).contains(&(one - two)), "{one} {two}");
        }
    }

    #[test]
    fn samples_without_a_usual_step_are_cut_where_a_chunk_is_full() {
        let dense = run((0..10_000).collect());
        assert_eq!(ends(&dense).len(), 4);
        assert_eq!(ends(&run(vec![7])), [7]);
        assert_eq!(ends(&run(vec![i64::MIN, i64::MAX])).len(), 2);
    }
}

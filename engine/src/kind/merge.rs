//! Merging the runs of one series from several sources into one sequence.
//!
//! Sources come in the order in which their entries were acknowledged. Entries are ordered by time,
//! then by source, then by place in the source; of entries that a reader could not tell apart (for
//! metrics: any two at one timestamp) the first stays. That one rule covers late data, backfill and
//! duplicates (I10).

use hashbrown::HashTable;

use crate::kind::Columns;
use crate::time::TickRange;

/// Entries at one timestamp beyond which repetitions are found by hash instead of one by one.
const COMPARE_MAX: usize = 16;

/// Merges time-ordered sources, oldest acknowledged first.
pub(crate) fn merge<R: Columns>(sources: Vec<Vec<R>>) -> Vec<R> {
    let mut sources: Vec<Vec<R>> = sources
        .into_iter()
        .map(|runs| {
            runs.into_iter()
                .filter(|run| run.count() > 0)
                .collect::<Vec<R>>()
        })
        .filter(|runs| !runs.is_empty())
        .collect();
    if sources.len() <= 1 {
        return sources.pop().unwrap_or_default();
    }
    if disjoint_in_order(&sources) {
        return sources.into_iter().flatten().collect();
    }
    merge_entries(&sources)
}

/// Whether each source lies wholly after the one before.
fn disjoint_in_order<R: Columns>(sources: &[Vec<R>]) -> bool {
    sources
        .windows(2)
        .all(|pair| match (pair[0].last(), pair[1].first()) {
            (Some(left), Some(right)) => left.ticks().last() < right.ticks().first(),
            _ => true,
        })
}

/// A place in one source.
struct Head<'a, R> {
    runs: &'a [R],
    index: usize,
}

impl<R: Columns> Head<'_, R> {
    fn time(&self) -> Option<i64> {
        self.runs.first().map(|run| run.ticks()[self.index])
    }

    fn step(&mut self) {
        self.index += 1;
        if self.index == self.runs[0].count() {
            self.runs = &self.runs[1..];
            self.index = 0;
        }
    }
}

/// Settles equal timestamps within one time-ordered source.
pub(crate) fn settle<R: Columns>(runs: Vec<R>) -> Vec<R> {
    let repeats = |run: &R| run.ticks().windows(2).any(|pair| pair[0] == pair[1]);
    let meets = |pair: &[R]| pair[0].ticks().last() == pair[1].ticks().first();
    match runs.iter().any(repeats) || runs.windows(2).any(meets) {
        true => merge_entries(&[runs]),
        false => runs,
    }
}

fn merge_entries<R: Columns>(sources: &[Vec<R>]) -> Vec<R> {
    let mut heads: Vec<Head<'_, R>> = sources.iter().map(|runs| Head { runs, index: 0 }).collect();
    let mut merged: Vec<R> = Vec::new();
    let mut moment = Moment::default();
    while let Some(now) = heads.iter().filter_map(Head::time).min() {
        moment.clear();
        for head in &mut heads {
            while head.time() == Some(now) {
                let (run, index) = (&head.runs[0], head.index);
                if moment.is_new(run, index) {
                    push(&mut merged, run, index);
                }
                head.step();
            }
        }
    }
    merged
}

/// The entries kept at the timestamp being merged.
struct Moment<'a, R> {
    kept: Vec<(&'a R, usize)>,
    /// Places in `kept` by fingerprint, filled only once there are many.
    by_hash: HashTable<(u64, usize)>,
}

impl<R> Default for Moment<'_, R> {
    fn default() -> Self {
        Moment {
            kept: Vec::new(),
            by_hash: HashTable::new(),
        }
    }
}

impl<'a, R: Columns> Moment<'a, R> {
    fn clear(&mut self) {
        self.kept.clear();
        self.by_hash.clear();
    }

    /// Whether no kept entry is the same; if so, keeps it.
    fn is_new(&mut self, run: &'a R, index: usize) -> bool {
        if self.kept.len() < COMPARE_MAX {
            if self
                .kept
                .iter()
                .any(|(other, at)| run.same(index, other, *at))
            {
                return false;
            }
            self.kept.push((run, index));
            return true;
        }
        if self.by_hash.is_empty() {
            for (place, (other, at)) in self.kept.iter().enumerate() {
                let hash = other.fingerprint(*at);
                self.by_hash
                    .insert_unique(hash, (hash, place), |entry| entry.0);
            }
        }
        let hash = run.fingerprint(index);
        let kept = &self.kept;
        let is_same = |entry: &(u64, usize)| {
            let (other, at) = kept[entry.1];
            entry.0 == hash && run.same(index, other, at)
        };
        if self.by_hash.find(hash, is_same).is_some() {
            return false;
        }
        self.by_hash
            .insert_unique(hash, (hash, self.kept.len()), |entry| entry.0);
        self.kept.push((run, index));
        true
    }
}

fn push<R: Columns>(merged: &mut Vec<R>, run: &R, index: usize) {
    match merged.last_mut() {
        Some(last) if last.joins(run) => last.push_from(run, index),
        _ => {
            let mut fresh = run.empty_like();
            fresh.push_from(run, index);
            merged.push(fresh);
        }
    }
}

/// Drops the entries outside of `range`.
pub(crate) fn clip<R: Columns>(runs: Vec<R>, range: TickRange) -> Vec<R> {
    runs.into_iter()
        .filter_map(|run| {
            let ticks = run.ticks();
            let start = ticks.partition_point(|time| *time < range.start.0);
            let end = ticks.partition_point(|time| *time <= range.end.0);
            match (start < end, start == 0 && end == ticks.len()) {
                (false, _) => None,
                (true, true) => Some(run),
                (true, false) => Some(run.slice(start, end)),
            }
        })
        .collect()
}

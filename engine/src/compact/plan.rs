//! Which blocks to merge next: a pure decision from the list of live blocks.
//!
//! Three rules hold for every job. Its inputs lie inside of one partition. No other block whose
//! time may meet theirs stands between them in the order of the log, so the merged block takes
//! their place in that order (I29). And it pays: each entry is written a bounded number of times.
//! Recent blocks are merged when there are many or their two hours are over, those of a day once
//! the day is over, those of eight days a month later; what comes late waits until it is worth the
//! rewriting of what it joins.

use std::collections::BTreeSet;

use crate::block::partition::Span;
use crate::manifest::BlockEntry;
use crate::time::{TickRange, Ticks};

/// So many freezes of one partition are merged without waiting for its end.
const FREEZES_MAX: usize = 8;

/// Late blocks of about one size are merged when there are so many.
const LATE_RUN_MIN: usize = 4;

/// Late blocks join a block that is at most so many times their size together.
const LATE_GROWTH: u64 = 3;

/// Blocks of days are merged to those of eight days when all of their entries are this old: what
/// is frozen at that age goes to such a partition by itself.
const WEEK_REST_SECONDS: i64 = 32 * 24 * 60 * 60;

/// Blocks to merge, oldest in the log first, and the partition of what comes of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) inputs: Vec<u64>,
    pub(crate) partition: TickRange,
    pub(crate) bytes: u64,
}

/// How much is merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zeal {
    /// What pays: each entry is rewritten a bounded number of times.
    WhatPays,
    /// Until every partition has one block for each retention class.
    Everything,
}

/// What the plan goes by beside the blocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy<'a> {
    pub(crate) zeal: Zeal,
    pub(crate) now: Ticks,
    pub(crate) ticks_per_second: i64,
    /// A partition takes no more fresh entries when its end is so long ago.
    pub(crate) settle_seconds: i64,
    /// Blocks that cannot be read: they stay as they are, and nothing is merged across them.
    pub(crate) barred: &'a BTreeSet<u64>,
    /// Blocks that hold entries which a tombstone hides.
    pub(crate) dirty: &'a BTreeSet<u64>,
}

/// How urgent a job is; the first counts most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Readers would have to look into ever more blocks.
    Crowded,
    Closed,
    Late,
    Dirty,
}

/// The next job that pays and is wanted, if there is one.
pub(crate) fn plan(
    blocks: &[BlockEntry],
    policy: &Policy<'_>,
    wanted: impl Fn(&Job) -> bool,
) -> Option<Job> {
    let groups = group(blocks, policy);
    let jobs = groups.iter().filter_map(|group| group.job(policy));
    jobs.filter(|(_, job)| wanted(job))
        .min_by_key(|(rank, job)| (*rank, job.bytes, job.partition.start))
        .map(|(_, job)| job)
}

/// The live blocks of one partition, in the order of the log.
struct Group<'a> {
    partition: TickRange,
    blocks: Vec<&'a BlockEntry>,
}

/// Puts blocks together whose time may meet, in the longest partition that is due for them.
fn group<'a>(blocks: &'a [BlockEntry], policy: &Policy<'_>) -> Vec<Group<'a>> {
    let mut placed: Vec<(TickRange, &BlockEntry)> = blocks
        .iter()
        .map(|block| (due_partition(block, policy), block))
        .collect();
    placed.sort_by_key(|(due, _)| (due.start, std::cmp::Reverse(due.end)));
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (due, block) in placed {
        match groups.last_mut() {
            // Partitions are nested or apart, so what begins inside ends inside.
            Some(group) if due.start <= group.partition.end => group.blocks.push(block),
            _ => groups.push(Group {
                partition: due,
                blocks: vec![block],
            }),
        }
    }
    for group in &mut groups {
        group
            .blocks
            .sort_by_key(|block| (block.lsn_min, block.number));
    }
    groups
}

/// The longest partition that a block's entries may be merged into by now.
fn due_partition(block: &BlockEntry, policy: &Policy<'_>) -> TickRange {
    let mut due = block.partition;
    for (span, rest) in [
        (Span::Day, policy.settle_seconds),
        (Span::Week, WEEK_REST_SECONDS),
    ] {
        let longer = span.around(block.partition.start, policy.ticks_per_second);
        if due.end < longer.end && policy.is_past(longer, rest) {
            due = longer;
        }
    }
    due
}

impl Policy<'_> {
    fn is_past(&self, partition: TickRange, rest_seconds: i64) -> bool {
        let rest = rest_seconds.saturating_mul(self.ticks_per_second);
        partition.end.0.saturating_add(rest) < self.now.0
    }
}

impl Group<'_> {
    fn job(&self, policy: &Policy<'_>) -> Option<(Rank, Job)> {
        let segments = self
            .blocks
            .split(|block| policy.barred.contains(&block.number))
            .filter(|segment| !segment.is_empty());
        segments
            .filter_map(|segment| match policy.zeal {
                Zeal::Everything => self.whole(segment, policy),
                Zeal::WhatPays => self.paying(segment, policy),
            })
            .min_by_key(|(rank, job)| (*rank, job.bytes))
    }

    /// The whole segment, unless it is merged already: one block for each class.
    fn whole(&self, segment: &[&BlockEntry], policy: &Policy<'_>) -> Option<(Rank, Job)> {
        let first = segment.first()?;
        let is_done = segment.iter().all(|block| {
            block.level > 0
                && block.partition == self.partition
                && (block.lsn_min, block.lsn_max) == (first.lsn_min, first.lsn_max)
                && !policy.dirty.contains(&block.number)
        });
        (!is_done).then(|| (Rank::Closed, self.of(segment)))
    }

    fn paying(&self, segment: &[&BlockEntry], policy: &Policy<'_>) -> Option<(Rank, Job)> {
        let hours = Span::Hours.around(self.partition.start, policy.ticks_per_second);
        let is_long = self.partition != hours;
        let is_base = |block: &&BlockEntry| block.level > 0 && block.partition == self.partition;
        if is_long && !segment.iter().any(is_base) {
            // A longer partition is due only once it is over.
            return Some((Rank::Closed, self.of(segment)));
        }
        let is_closed = policy.is_past(self.partition, policy.settle_seconds);
        self.crowded(segment)
            .or_else(|| match (is_long, is_closed) {
                (true, _) => self.late(segment),
                (false, true) => self.fresh(segment),
                (false, false) => None,
            })
            .or_else(|| self.dirty(segment, policy))
    }

    /// The first run of many freezes.
    fn crowded(&self, segment: &[&BlockEntry]) -> Option<(Rank, Job)> {
        fresh_runs(segment)
            .find(|run| generations(run) >= FREEZES_MAX)
            .map(|run| (Rank::Crowded, self.of(run)))
    }

    /// What is left from the head when two hours are over. Everything else waits for the day: one
    /// rewriting less.
    fn fresh(&self, segment: &[&BlockEntry]) -> Option<(Rank, Job)> {
        let run = fresh_runs(segment).next()?;
        Some((Rank::Closed, self.of(run)))
    }

    /// What came after the partition was merged.
    fn late(&self, segment: &[&BlockEntry]) -> Option<(Rank, Job)> {
        if generations(segment) < 2 {
            return None;
        }
        let largest = segment.iter().map(|block| block.bytes).max()?;
        let others = total(segment) - largest;
        if others.saturating_mul(LATE_GROWTH) >= largest {
            return Some((Rank::Late, self.of(segment)));
        }
        (0..segment.len())
            .flat_map(|start| (start + 1..=segment.len()).map(move |end| (start, end)))
            .map(|(start, end)| &segment[start..end])
            .filter(|run| generations(run) >= LATE_RUN_MIN)
            .filter(|run| {
                let largest = run.iter().map(|block| block.bytes).max().unwrap_or(0);
                largest <= total(run) - largest
            })
            .max_by_key(|run| run.len())
            .map(|run| (Rank::Late, self.of(run)))
    }

    fn dirty(&self, segment: &[&BlockEntry], policy: &Policy<'_>) -> Option<(Rank, Job)> {
        let is_dirty = |block: &&&BlockEntry| policy.dirty.contains(&block.number);
        let block = segment.iter().find(is_dirty)?;
        let job = Job {
            inputs: vec![block.number],
            partition: block.partition,
            bytes: block.bytes,
        };
        Some((Rank::Dirty, job))
    }

    fn of(&self, run: &[&BlockEntry]) -> Job {
        Job {
            inputs: run.iter().map(|block| block.number).collect(),
            partition: self.partition,
            bytes: total(run),
        }
    }
}

/// Runs of neighbours that come straight from the head.
fn fresh_runs<'s, 'b>(segment: &'s [&'b BlockEntry]) -> impl Iterator<Item = &'s [&'b BlockEntry]> {
    segment
        .split(|block| block.level > 0)
        .filter(|run| !run.is_empty())
}

/// How many freezes or merges a run comes from: blocks of several partitions or classes that were
/// written together count once.
fn generations(run: &[&BlockEntry]) -> usize {
    let changes = run
        .windows(2)
        .filter(|pair| (pair[0].lsn_min, pair[0].lsn_max) != (pair[1].lsn_min, pair[1].lsn_max));
    changes.count() + usize::from(!run.is_empty())
}

fn total(run: &[&BlockEntry]) -> u64 {
    run.iter().map(|block| block.bytes).sum()
}

#[cfg(test)]
mod tests;

//! What deletions hide of one series in one place, and taking it out of runs.
//!
//! Times are settled first: ranges that hide everything are put together, so that most questions
//! are answered without a look at an entry. Line filters are asked only about lines inside of their
//! range. Knows no tombstones and no LSNs: whoever builds it has decided what applies.

use std::sync::Arc;

use crate::kind::Columns;
use crate::kind::lines::filter::LineFilter;
use crate::time::{TickRange, Ticks};

/// Times whose entries are hidden, and times in which those are that some filters let through.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hidden {
    /// In order, apart from each other by at least one tick.
    ranges: Vec<TickRange>,
    filtered: Vec<Filtered>,
}

/// Lines that all filters let through are hidden, within a range.
#[derive(Clone, Debug)]
struct Filtered {
    range: TickRange,
    filters: Arc<[LineFilter]>,
}

impl Hidden {
    /// Hides the entries of a range: all, or those lines that every filter lets through.
    pub(crate) fn add(&mut self, range: TickRange, filters: &Arc<[LineFilter]>) {
        match filters.is_empty() {
            true => self.add_range(range),
            false => self.filtered.push(Filtered {
                range,
                filters: Arc::clone(filters),
            }),
        }
    }

    fn add_range(&mut self, mut range: TickRange) {
        // Ranges that overlap or follow each other without a tick between become one.
        let first = self
            .ranges
            .partition_point(|held| held.end.0 < range.start.0.saturating_sub(1));
        let last = self
            .ranges
            .partition_point(|held| held.start.0 <= range.end.0.saturating_add(1));
        for held in self.ranges.drain(first..last) {
            range.start = range.start.min(held.start);
            range.end = range.end.max(held.end);
        }
        self.ranges.insert(first, range);
    }

    /// Whether nothing is hidden.
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty() && self.filtered.is_empty()
    }

    /// Whether every entry that there may be in a range is hidden.
    pub(crate) fn covers(&self, range: &TickRange) -> bool {
        let holder = self.ranges.partition_point(|held| held.end < range.start);
        let covers = |held: &TickRange| held.start <= range.start && range.end <= held.end;
        self.ranges.get(holder).is_some_and(covers)
    }

    /// Whether some entry in a range may be hidden.
    pub(crate) fn meets(&self, range: &TickRange) -> bool {
        self.ranges.iter().any(|held| held.overlaps(range)) || self.looks_at_text(range)
    }

    /// Whether only the text of entries in a range tells which of them are hidden.
    pub(crate) fn looks_at_text(&self, range: &TickRange) -> bool {
        self.filtered.iter().any(|held| held.range.overlaps(range))
    }

    /// Takes the hidden entries out of runs in order of time.
    pub(crate) fn cut<R: Columns>(&self, runs: Vec<R>) -> Vec<R> {
        let mut left = Vec::with_capacity(runs.len());
        for run in runs {
            match range_of(&run).filter(|range| self.meets(range)) {
                Some(_) => self.cut_run(run, &mut left),
                None => left.push(run),
            }
        }
        left
    }

    fn cut_run<R: Columns>(&self, run: R, left: &mut Vec<R>) {
        let spans = self.spans(&run);
        match spans[..] {
            [] => {}
            [(0, end)] if end == run.count() => left.push(run),
            [(start, end)] => left.push(run.slice(start, end)),
            _ => {
                let mut kept = run.empty_like();
                for index in spans.into_iter().flat_map(|(start, end)| start..end) {
                    kept.push_from(&run, index);
                }
                left.push(kept);
            }
        }
    }

    /// The places of the entries that stay, as spans without their ends.
    fn spans<R: Columns>(&self, run: &R) -> Vec<(usize, usize)> {
        let ticks = run.ticks();
        let (mut spans, mut from) = (Vec::new(), 0);
        for range in &self.ranges {
            let start = ticks.partition_point(|tick| *tick < range.start.0);
            let end = ticks.partition_point(|tick| *tick <= range.end.0);
            if from < start && start < end {
                spans.push((from, start));
            }
            if start < end {
                from = end;
            }
        }
        if from < ticks.len() {
            spans.push((from, ticks.len()));
        }
        for filtered in &self.filtered {
            spans = filtered.split(run, spans);
        }
        spans
    }
}

impl Filtered {
    fn hides<R: Columns>(&self, run: &R, index: usize) -> bool {
        self.range.contains(Ticks(run.ticks()[index]))
            && self
                .filters
                .iter()
                .all(|filter| filter.accepts(run.text(index)))
    }

    /// What is left of some spans.
    fn split<R: Columns>(&self, run: &R, spans: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
        let mut left: Vec<(usize, usize)> = Vec::with_capacity(spans.len());
        for index in spans.into_iter().flat_map(|(start, end)| start..end) {
            if self.hides(run, index) {
                continue;
            }
            match left.last_mut() {
                Some((_, end)) if *end == index => *end += 1,
                _ => left.push((index, index + 1)),
            }
        }
        left
    }
}

/// The times of a run, if it has entries.
pub(crate) fn range_of<R: Columns>(run: &R) -> Option<TickRange> {
    let ticks = run.ticks();
    Some(TickRange {
        start: Ticks(*ticks.first()?),
        end: Ticks(*ticks.last()?),
    })
}

#[cfg(test)]
mod tests;

//! What a stream of lines holds in a head window: pages in order of arrival, the full ones shared
//! with readers, the last one copied.

use std::sync::Arc;

use crate::kind::lines::Line;
use crate::kind::lines::run::LineRun;
use crate::kind::marks::Marks;
use crate::kind::merge::{merge, settle};
use crate::kind::{Arrival, Columns, Late, Newest, Refusal, Verdict, Wanted};
use crate::time::{TickRange, Ticks};

/// Bytes after which a page is full and shared: what a reader copies under the lock stays below
/// this.
const PAGE_BYTES: usize = 64 << 10;

/// The lines of one stream in one window. Boxed: most slots of a window's table may be empty.
#[derive(Default)]
pub struct OpenLines {
    pages: Option<Box<Pages>>,
}

#[derive(Default)]
struct Pages {
    full: Vec<Arc<LineRun>>,
    full_count: u32,
    full_bytes: usize,
    current: LineRun,
    marks: Marks,
    newest: i64,
}

/// A copy of what a reader sees.
pub struct LineView {
    full: Vec<Arc<LineRun>>,
    current: LineRun,
}

impl OpenLines {
    pub(crate) fn offer(&mut self, line: &Line<'_>, arrival: &Arrival) -> Verdict {
        let newest = match &self.pages {
            Some(pages) => Some(pages.newest),
            None => arrival.newest.map(|newest| newest.time.0),
        };
        let time = line.time.0;
        let is_behind = |span: i64| time < arrival.newest_of_store.0.saturating_sub(span);
        let is_too_late = matches!(arrival.late, Late::Within(span) if is_behind(span));
        if time < arrival.oldest.0 || is_too_late {
            return Verdict::Refused(Refusal::TooOld);
        }
        if arrival.late == Late::Refused && newest.is_some_and(|newest| time < newest) {
            return Verdict::Refused(Refusal::OutOfOrder);
        }
        self.pages.get_or_insert_default().append(line, arrival)
    }

    pub(crate) fn rollback(&mut self, keep: u64) -> Option<Newest> {
        let pages = self.pages.as_mut()?;
        pages.rollback(keep);
        if pages.count() == 0 {
            self.pages = None;
        }
        self.newest()
    }

    pub(crate) fn newest(&self) -> Option<Newest> {
        let pages = self.pages.as_ref()?;
        Some(Newest {
            time: Ticks(pages.newest),
            value: 0,
        })
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.pages.as_ref().map_or(0, |pages| {
            let fixed = size_of::<Pages>() + pages.full.capacity() * size_of::<usize>();
            fixed + pages.full_bytes + pages.current.heap_bytes() + pages.marks.heap_bytes()
        })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pages.as_ref().is_none_or(|pages| pages.count() == 0)
    }

    pub(crate) fn view(&self, seq: u64) -> Option<LineView> {
        let pages = self.pages.as_ref()?;
        let mut visible = pages.marks.visible(seq) as usize;
        if visible == 0 {
            return None;
        }
        let mut full = Vec::new();
        for page in &pages.full {
            if visible < page.count() {
                let mut cut = LineRun::clone(page);
                cut.truncate(visible);
                return Some(LineView { full, current: cut });
            }
            visible -= page.count();
            full.push(Arc::clone(page));
        }
        let mut current = pages.current.clone();
        current.truncate(visible);
        Some(LineView { full, current })
    }
}

impl Pages {
    fn count(&self) -> u32 {
        self.full_count + self.current.count() as u32
    }

    fn append(&mut self, line: &Line<'_>, arrival: &Arrival) -> Verdict {
        if let Some(last) = self.current.count().checked_sub(1)
            && self.current.times[last] == line.time.0
            && self.current.line(last) == line.text.as_bytes()
            && self.current.metadata(last) == line.metadata
        {
            return Verdict::Duplicate;
        }
        let first = self.count() == 0;
        self.newest = if first {
            line.time.0
        } else {
            self.newest.max(line.time.0)
        };
        self.current.push(line);
        self.marks.note(arrival.seq, self.count(), arrival.settled);
        if self.current.weight_bytes() >= PAGE_BYTES {
            self.close_page();
        }
        Verdict::Accepted
    }

    fn close_page(&mut self) {
        // The next page will be about as large: one allocation instead of a dozen doublings.
        let mut next = LineRun::default();
        next.times.reserve(self.current.times.len() + 8);
        next.texts.ends.reserve(self.current.times.len() + 8);
        next.texts.bytes.reserve(PAGE_BYTES + (4 << 10));
        let full = std::mem::replace(&mut self.current, next);
        self.full_count += full.count() as u32;
        self.full_bytes += full.heap_bytes();
        self.full.push(Arc::new(full));
    }

    fn rollback(&mut self, keep: u64) {
        let mut remaining = self.marks.rollback(keep) as usize;
        if remaining == self.count() as usize {
            return;
        }
        let mut pages = std::mem::take(&mut self.full);
        pages.push(Arc::new(std::mem::take(&mut self.current)));
        (self.full_count, self.full_bytes) = (0, 0);
        for page in pages {
            if remaining < page.count() {
                self.current = LineRun::clone(&page);
                self.current.truncate(remaining);
                break;
            }
            remaining -= page.count();
            self.full_count += page.count() as u32;
            self.full_bytes += page.heap_bytes();
            self.full.push(page);
        }
        let times = self
            .full
            .iter()
            .flat_map(|page| &page.times)
            .chain(&self.current.times);
        self.newest = times.copied().max().unwrap_or_default();
    }
}

impl LineView {
    fn pages(&self) -> impl Iterator<Item = &LineRun> {
        let full = self.full.iter().map(|page| &**page);
        full.chain([&self.current])
    }

    /// From the oldest line to the newest.
    pub(crate) fn span(&self) -> Option<TickRange> {
        let ends = self
            .pages()
            .filter_map(|page| match page.times.is_sorted() {
                true => Some((*page.times.first()?, *page.times.last()?)),
                false => Some((*page.times.iter().min()?, *page.times.iter().max()?)),
            });
        let (start, end) = ends.reduce(|all, page| (all.0.min(page.0), all.1.max(page.1)))?;
        Some(TickRange::new(Ticks(start), Ticks(end)))
    }

    /// Lines of a range by time, equal times in order of arrival, repetitions dropped; of each what
    /// is wanted, or more.
    pub(crate) fn decode(self, shown: TickRange, wanted: Wanted) -> Vec<LineRun> {
        let pages: Vec<&LineRun> = self.pages().collect();
        if are_ascending(&pages) {
            let parts = pages.iter().filter_map(|page| {
                let (start, end) = places_of(&page.times, shown);
                (start < end).then(|| page.part(start, end, wanted))
            });
            return parts.collect();
        }
        // Repetitions are told by all that a line has.
        let pages: Vec<LineRun> = pages
            .into_iter()
            .filter_map(|page| sorted_part(page, shown))
            .collect();
        let in_order = pages
            .windows(2)
            .all(|pair| pair[0].times.last() <= pair[1].times.first());
        match in_order {
            true => settle(pages),
            false => merge(pages.into_iter().map(|page| settle(vec![page])).collect()),
        }
    }
}

/// Whether each line is newer than the one before.
fn are_ascending(pages: &[&LineRun]) -> bool {
    let mut before = None;
    pages.iter().all(|page| {
        let follows = before.is_none_or(|before| page.times.first().is_none_or(|at| before < *at));
        before = page.times.last().copied().or(before);
        follows && page.times.is_sorted_by(|earlier, later| earlier < later)
    })
}

/// Which of ascending times are in a range, from and to.
fn places_of(times: &[i64], shown: TickRange) -> (usize, usize) {
    let start = times.partition_point(|time| *time < shown.start.0);
    let end = times.partition_point(|time| *time <= shown.end.0);
    (start, end)
}

/// The lines of a page in a range by time, equal times as they stood; none if there is no line.
fn sorted_part(page: &LineRun, shown: TickRange) -> Option<LineRun> {
    if page.times.is_sorted() {
        let (start, end) = places_of(&page.times, shown);
        return (start < end).then(|| page.part(start, end, Wanted::Everything));
    }
    let is_shown = |index: &usize| shown.contains(Ticks(page.times[*index]));
    let mut order: Vec<usize> = (0..page.count()).filter(is_shown).collect();
    order.sort_by_key(|index| page.times[*index]);
    let mut sorted = LineRun::default();
    for index in &order {
        sorted.push_from(page, *index);
    }
    (!order.is_empty()).then_some(sorted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::set::Labels;
    use crate::time::Nanos;

    fn arrival(seq: u64) -> Arrival {
        Arrival {
            seq,
            settled: 0,
            oldest: Ticks(0),
            newest: None,
            newest_of_store: Ticks(i64::MIN),
            late: Late::Taken,
        }
    }

    fn line(time: i64, text: &str) -> Line<'_> {
        Line {
            time: Nanos(time),
            text,
            metadata: Labels::EMPTY,
        }
    }

    fn texts(open: &OpenLines, seq: u64) -> Vec<(i64, String)> {
        let Some(view) = open.view(seq) else {
            return Vec::new();
        };
        let of = |run: LineRun| {
            (0..run.len())
                .map(|i| {
                    (
                        run.times[i],
                        String::from_utf8_lossy(run.line(i)).into_owned(),
                    )
                })
                .collect::<Vec<_>>()
        };
        view.decode(TickRange::ALL, Wanted::Everything)
            .into_iter()
            .flat_map(of)
            .collect()
    }

    #[test]
    fn late_lines_are_sorted_and_repetitions_dropped() {
        let mut open = OpenLines::default();
        for (seq, (time, text)) in [(5, "b"), (9, "d"), (5, "a"), (7, "c"), (5, "b"), (9, "d")]
            .into_iter()
            .enumerate()
        {
            open.offer(&line(time, text), &arrival(seq as u64 + 1));
        }
        let all = [(5, "b"), (5, "a"), (7, "c"), (9, "d")].map(|(time, text)| (time, text.into()));
        assert_eq!(texts(&open, 9), all);
        assert_eq!(texts(&open, 2), [(5, "b".into()), (9, "d".into())]);
    }

    #[test]
    fn rollback_over_page_borders_keeps_what_was_acknowledged() {
        let mut open = OpenLines::default();
        let long = "x".repeat(PAGE_BYTES / 3);
        for seq in 1..=20 {
            open.offer(&line(seq as i64, &long), &arrival(seq));
        }
        for keep in (0..20).rev() {
            let newest = open.rollback(keep);
            assert_eq!(
                newest.map(|newest| newest.time.0),
                (keep > 0).then_some(keep as i64)
            );
            assert_eq!(texts(&open, 99).len(), keep as usize);
        }
    }
}

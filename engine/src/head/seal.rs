//! A window into blocks: series in label order and by retention class, entries cut at the borders
//! of UTC partitions.

use std::collections::BTreeMap;

use parking_lot::RwLock;

use crate::block::partition::partition_of;
use crate::block::{BlockSink, BlockWriter};
use crate::error::Result;
use crate::head::index::SeriesIndex;
use crate::head::window::Window;
use crate::kind::merge::clip;
use crate::kind::{Columns, Effort, GATHERED_BYTES_MAX, Kind, Scratch, Wanted};
use crate::labels::classes::Classes;
use crate::labels::set::{Labels, SeriesId};
use crate::time::{Moment, TickRange, Ticks};

/// Series whose labels are copied under one hold of the index lock.
const SERIES_PER_HOLD: usize = 1024;

/// Blocks written at once; a window that makes more of them is gone through again.
const BLOCKS_AT_ONCE: usize = 32;

/// The partition that an entry goes to.
fn home<K: Kind>(time: Ticks, now: Ticks) -> TickRange {
    partition_of(time, now, <K::Time as Moment>::PER_SECOND)
}

/// The series of a window in label order, with copies of their labels that need no lock.
struct Catalogue {
    /// Series numbers in label order.
    order: Vec<u32>,
    /// Ranks of each series' pairs, one series behind the other.
    ranks: Vec<u32>,
    ends: Vec<u32>,
    /// The retention class of each series; empty where no rule tells series apart.
    classes: Vec<u8>,
    /// Canonical bytes of the pair of each rank.
    pair_bytes: Vec<u8>,
    pair_ends: Vec<u32>,
}

/// One block to be written: a partition, and the class of its series.
type Slot = (TickRange, u8);

/// Writes all entries of a window that is behind the cut.
pub(crate) fn seal<'f, K: Kind>(
    window: &Window<K>,
    index: &RwLock<SeriesIndex>,
    classes: &Classes,
    now: Ticks,
    sink: &mut dyn BlockSink<'f>,
) -> Result<()> {
    let mut numbers = Vec::new();
    window.each_open(|series, _| numbers.push(series));
    if numbers.is_empty() {
        return Ok(());
    }
    let catalogue = Catalogue::new(&numbers, index, classes);
    drop(numbers);
    let partitions = partitions::<K>(window, &catalogue.order, now)?;
    // Class by class: a series is decoded for the groups that have its class only.
    let of_class = |class: u8| partitions.iter().map(move |partition| (*partition, class));
    let slots: Vec<Slot> = catalogue.all_classes().flat_map(of_class).collect();
    for group in slots.chunks(BLOCKS_AT_ONCE) {
        seal_group(window, &catalogue, group, sink)?;
    }
    Ok(())
}

/// The partitions that have entries, or might have where that saves a look at every entry.
fn partitions<K: Kind>(window: &Window<K>, series: &[u32], now: Ticks) -> Result<Vec<TickRange>> {
    let whole = window.range();
    let mut spanned = vec![home::<K>(whole.start, now)];
    while let Some(last) = spanned.last().filter(|last| last.end < whole.end) {
        if spanned.len() > BLOCKS_AT_ONCE {
            return partitions_of_entries(window, series, now);
        }
        let next = home::<K>(Ticks(last.end.0 + 1), now);
        spanned.push(next);
    }
    Ok(without_overlaps(spanned))
}

fn partitions_of_entries<K: Kind>(
    window: &Window<K>,
    series: &[u32],
    now: Ticks,
) -> Result<Vec<TickRange>> {
    let mut found = BTreeMap::new();
    for number in series {
        let Some(view) = window.view(*number, u64::MAX) else {
            continue;
        };
        for run in K::decode(view, TickRange::ALL, Wanted::Times)? {
            let mut ticks = run.ticks();
            while let Some(first) = ticks.first() {
                let partition = home::<K>(Ticks(*first), now);
                found.insert(partition.start, partition);
                ticks = &ticks[ticks.partition_point(|time| *time <= partition.end.0)..];
            }
        }
    }
    Ok(without_overlaps(found.into_values().collect()))
}

/// Where the length changes, a short partition may lie inside of a long one: the long one takes its
/// entries.
fn without_overlaps(mut partitions: Vec<TickRange>) -> Vec<TickRange> {
    partitions.sort_by_key(|partition| (partition.start, std::cmp::Reverse(partition.end)));
    let mut kept: Vec<TickRange> = Vec::with_capacity(partitions.len());
    for partition in partitions {
        if kept.last().is_none_or(|last| last.end < partition.start) {
            kept.push(partition);
        }
    }
    kept
}

/// Writes one block for each slot of the group that has entries.
fn seal_group<'f, K: Kind>(
    window: &Window<K>,
    catalogue: &Catalogue,
    group: &[Slot],
    sink: &mut dyn BlockSink<'f>,
) -> Result<()> {
    let mut writers: Vec<Option<BlockWriter<'f>>> = group.iter().map(|_| None).collect();
    let mut scratch = Scratch::default();
    let full = sink.full_page_bytes();
    let mut labels = Vec::new();
    for place in 0..catalogue.order.len() {
        let own_class = catalogue.class(place);
        if !group.iter().any(|(_, class)| *class == own_class) {
            continue;
        }
        let Some(view) = window.view(catalogue.order[place], u64::MAX) else {
            continue;
        };
        let mut runs = K::decode(view, TickRange::ALL, Wanted::Everything)?;
        catalogue.labels(place, &mut labels);
        let series = Labels::trusted(&labels);
        let series = (series.id(), series);
        for (slot, (partition, class)) in group.iter().enumerate() {
            let overlaps = |run: &K::Run| span_of(run).overlaps(partition);
            if *class != own_class || !runs.iter().any(overlaps) {
                continue;
            }
            // Mostly all of them lie in one partition, and need not be copied.
            let part = match runs.iter().all(|run| lies_in(run, partition)) {
                true => std::mem::take(&mut runs),
                false => clip(runs.clone(), *partition),
            };
            if part.is_empty() {
                continue;
            }
            let writer = match &mut writers[slot] {
                Some(writer) => writer,
                absent => absent.insert(sink.begin(*partition, *class)?),
            };
            write_series::<K>(writer, series, part, full, &mut scratch)?;
        }
    }
    for (writer, (partition, class)) in writers.into_iter().zip(group) {
        if let Some(writer) = writer {
            sink.done(*partition, *class, writer.finish()?);
        }
    }
    Ok(())
}

/// The times of a run, which has some.
fn span_of(run: &impl Columns) -> TickRange {
    let ticks = run.ticks();
    TickRange {
        start: Ticks(ticks[0]),
        end: Ticks(ticks[ticks.len() - 1]),
    }
}

fn lies_in(run: &impl Columns, partition: &TickRange) -> bool {
    let span = span_of(run);
    partition.contains(span.start) && partition.contains(span.end)
}

fn write_series<K: Kind>(
    writer: &mut BlockWriter<'_>,
    series: (SeriesId, Labels<'_>),
    runs: Vec<K::Run>,
    full_page_bytes: Option<usize>,
    scratch: &mut Scratch,
) -> Result<()> {
    writer.series(series.0, series.1)?;
    let weight: usize = runs.iter().map(Columns::weight_bytes).sum();
    let fills_pages = full_page_bytes.is_some_and(|least| weight >= least);
    let mut gathered: Option<K::Run> = None;
    for run in runs {
        match &mut gathered {
            _ if !fills_pages => seal_run::<K>(writer, &run, Effort::Quick, scratch)?,
            Some(held) if held.weight_bytes() < GATHERED_BYTES_MAX && held.joins(&run) => {
                held.extend_from(&run);
            }
            held => {
                if let Some(full) = held.replace(run) {
                    seal_run::<K>(writer, &full, Effort::Best, scratch)?;
                }
            }
        }
    }
    match gathered {
        Some(rest) => seal_run::<K>(writer, &rest, Effort::Best, scratch),
        None => Ok(()),
    }
}

fn seal_run<K: Kind>(
    writer: &mut BlockWriter<'_>,
    run: &K::Run,
    effort: Effort,
    scratch: &mut Scratch,
) -> Result<()> {
    K::seal(run, effort, scratch, &mut |chunk| writer.chunk(chunk))
}

impl Catalogue {
    fn new(numbers: &[u32], index: &RwLock<SeriesIndex>, classes: &Classes) -> Self {
        let mut pairs: Vec<u32> = Vec::new();
        let mut ends = Vec::with_capacity(numbers.len());
        for hold in numbers.chunks(SERIES_PER_HOLD) {
            let index = index.read();
            for number in hold {
                let labels = &index.series[*number];
                pairs.extend_from_slice(&labels.pairs);
                ends.push(pairs.len() as u32);
            }
        }
        let mut catalogue = Catalogue {
            order: Vec::new(),
            ranks: pairs,
            ends: Vec::new(),
            classes: Vec::new(),
            pair_bytes: Vec::new(),
            pair_ends: Vec::new(),
        };
        catalogue.rank_pairs(index);
        catalogue.sort(numbers, ends);
        if classes.has_rules() {
            catalogue.classify(classes);
        }
        catalogue
    }

    /// Notes the class of every series.
    fn classify(&mut self, classes: &Classes) {
        let mut labels = Vec::new();
        for place in 0..self.order.len() {
            self.labels(place, &mut labels);
            self.classes
                .push(classes.class_of(Labels::trusted(&labels)));
        }
    }

    /// The class of the series at `place` in label order.
    fn class(&self, place: usize) -> u8 {
        self.classes.get(place).copied().unwrap_or(0)
    }

    /// Every class that some series has, once.
    fn all_classes(&self) -> impl Iterator<Item = u8> + use<> {
        let mut has = [false; 1 << u8::BITS];
        has[0] = self.classes.is_empty();
        for class in &self.classes {
            has[usize::from(*class)] = true;
        }
        (0..=u8::MAX).filter(move |class| has[usize::from(*class)])
    }

    /// Replaces pair numbers by their rank in label order, and keeps the pairs' bytes by rank.
    fn rank_pairs(&mut self, index: &RwLock<SeriesIndex>) {
        let mut used = self.ranks.clone();
        used.sort_unstable();
        used.dedup();
        let mut texts: Vec<(String, String, u32)> = Vec::with_capacity(used.len());
        for hold in used.chunks(SERIES_PER_HOLD) {
            let index = index.read();
            for pair in hold {
                let labels = Labels::trusted(index.symbols.bytes(*pair));
                let (name, value) = labels.iter().next().expect("a pair is one label");
                texts.push((name.to_owned(), value.to_owned(), *pair));
            }
        }
        texts.sort_unstable();
        let pair_max = used.last().map_or(0, |pair| *pair as usize + 1);
        let mut rank_of = vec![0u32; pair_max];
        for (rank, (name, value, pair)) in texts.iter().enumerate() {
            rank_of[*pair as usize] = rank as u32;
            crate::labels::set::put_label(&mut self.pair_bytes, name, value);
            self.pair_ends.push(self.pair_bytes.len() as u32);
        }
        for pair in &mut self.ranks {
            *pair = rank_of[*pair as usize];
        }
    }

    fn sort(&mut self, numbers: &[u32], ends: Vec<u32>) {
        let ranks_of = |place: usize| {
            let start = if place == 0 {
                0
            } else {
                ends[place - 1] as usize
            };
            &self.ranks[start..ends[place] as usize]
        };
        let mut places: Vec<u32> = (0..numbers.len() as u32).collect();
        places.sort_unstable_by(|left, right| {
            ranks_of(*left as usize).cmp(ranks_of(*right as usize))
        });
        let mut ranks = Vec::with_capacity(self.ranks.len());
        for place in places {
            let place = place as usize;
            ranks.extend_from_slice(ranks_of(place));
            self.ends.push(ranks.len() as u32);
            self.order.push(numbers[place]);
        }
        self.ranks = ranks;
    }

    /// Writes the canonical label bytes of the series at `place` in label order.
    fn labels(&self, place: usize, out: &mut Vec<u8>) {
        out.clear();
        let start = if place == 0 {
            0
        } else {
            self.ends[place - 1] as usize
        };
        for rank in &self.ranks[start..self.ends[place] as usize] {
            let rank = *rank as usize;
            let from = if rank == 0 {
                0
            } else {
                self.pair_ends[rank - 1] as usize
            };
            out.extend_from_slice(&self.pair_bytes[from..self.pair_ends[rank] as usize]);
        }
    }
}

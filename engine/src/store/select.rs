//! Select: from matchers and a time range to series, over the head and every block.

use std::sync::Arc;

use hashbrown::HashMap;
use roaring::RoaringBitmap;

use crate::block::walk::LabelWalk;
use crate::block::{ChunkMeta, Stand};
use crate::codec::text::Abridge;
use crate::codec::tokens::Needle;
use crate::error::Result;
use crate::head::index::HeadIndexView;
use crate::index::select::select;
use crate::kind::{Kind, Parts, Wanted};
use crate::labels::matcher::Matcher;
use crate::labels::set::{LabelSet, Labels, SeriesId};
use crate::store::cursor::Cursor;
use crate::store::snapshot::{Snapshot, SnapshotView};
use crate::store::visible::Care;
use crate::time::{TickRange, Ticks};

/// Series whose labels are copied under one hold of the index lock.
const SERIES_PER_HOLD: usize = 1024;

/// What to read: which series, when, and for logs which lines at least.
///
/// ```
/// use chronolith_engine::Selector;
/// use chronolith_engine::labels::{MatchOp, Matcher};
/// use chronolith_engine::time::Nanos;
///
/// let app = Matcher::new(MatchOp::Regex, "app", "check.*")?;
/// let level = Matcher::new(MatchOp::NotEqual, "level", "debug")?;
/// let selector = Selector::new(vec![app, level])
///     .between(Nanos(1_700_000_000_000_000_000), Nanos(1_700_000_060_000_000_000))
///     .containing("timed out");
/// # let _ = selector;
/// # Ok::<(), chronolith_engine::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Selector {
    pub(crate) matchers: Vec<Matcher>,
    pub(crate) range: TickRange,
    pub(crate) needles: Vec<Vec<u8>>,
    pub(crate) wanted: Wanted,
}

impl Selector {
    /// Series that all matchers accept; every series where there are none.
    pub fn new(matchers: Vec<Matcher>) -> Self {
        Selector {
            matchers,
            range: TickRange::ALL,
            needles: Vec::new(),
            wanted: Wanted::Everything,
        }
    }

    /// Entries from `start` to `end`, both included, in the time of the store that is read.
    pub fn between(mut self, start: impl Into<Ticks>, end: impl Into<Ticks>) -> Self {
        self.range = TickRange::new(start, end);
        self
    }

    /// A hint for logs: lines that do not contain this text may be left out. Chunks that cannot
    /// have it are not read, and of merged blocks no more lines are put together than those that
    /// contain it; lines from elsewhere come unfiltered. Several needles must all be there.
    pub fn containing(mut self, needle: impl Into<Vec<u8>>) -> Self {
        self.needles.push(needle.into());
        self
    }

    /// What will be looked at: the rest may be missing from what is read. A count of lines wants
    /// their times, and no line is decoded for it.
    pub fn wanting(mut self, wanted: Wanted) -> Self {
        self.wanted = wanted;
        self
    }
}

/// One series of a snapshot.
pub struct Series<K: Kind> {
    labels: LabelSet,
    id: SeriesId,
    pub(crate) places: Vec<Place>,
    pub(crate) view: Arc<SnapshotView<K>>,
    pub(crate) range: TickRange,
    /// What lines must have to be read.
    pub(crate) needles: Arc<[Needle]>,
    pub(crate) wanted: Wanted,
}

/// Where entries of a series are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place {
    /// In the head, under this number; nothing before this tick is shown.
    Head(u32, Ticks),
    /// In the snapshot's block of this index, under this ordinal.
    Block(u32, u32),
}

impl<K: Kind> Series<K> {
    /// The labels.
    pub fn labels(&self) -> Labels<'_> {
        self.labels.as_labels()
    }

    /// The labels, when the series is needed no longer.
    pub fn into_labels(self) -> LabelSet {
        self.labels
    }

    /// The identity of the label set.
    pub fn id(&self) -> SeriesId {
        self.id
    }

    /// Reads the entries in the selector's range.
    pub fn cursor(&self) -> Result<Cursor<K>> {
        self.cursor_wanting(self.wanted)
    }

    /// Reads the entries in the selector's range, looking at no more than what is wanted of this
    /// series: of one whose labels say enough, a reader may want less than of another.
    pub fn cursor_wanting(&self, wanted: Wanted) -> Result<Cursor<K>> {
        Cursor::open(self, wanted)
    }

    /// Reads the entries in the selector's range, of logs with no more of their texts than
    /// `abridge` says is enough. It is asked about merged blocks only: other lines come whole.
    pub fn cursor_abridged(&self, abridge: Arc<dyn Abridge>) -> Result<Cursor<K>> {
        Ok(Cursor::open(self, Wanted::Everything)?.abridged(abridge))
    }

    /// How many entries [`Series::cursor`] would give, without decoding those that the indexes of
    /// blocks can count. With a needle in the selector, entries of skipped chunks are not counted.
    pub fn count(&self) -> Result<u64> {
        self.cursor()?.count_entries()
    }

    /// Reads all entries in the selector's range at once. The first damaged chunk is an error.
    pub fn read(&self) -> Result<Vec<<K as Parts>::Run>> {
        self.cursor()?.collect()
    }
}

impl<K: Kind> Snapshot<K> {
    /// The series that the selector accepts, in label order.
    ///
    /// ```
    /// use chronolith_engine::labels::{LabelSet, MatchOp, Matcher};
    /// use chronolith_engine::metrics::{Sample, Samples};
    /// use chronolith_engine::time::Millis;
    /// use chronolith_engine::{Batch, Engine, Options, Selector};
    ///
    /// # let name = format!("chronolith-select-{}", std::process::id());
    /// # let directory = std::env::temp_dir().join(name);
    /// # let _ = std::fs::remove_dir_all(&directory);
    /// let engine = Engine::open(&directory, Options::default())?;
    /// let up = LabelSet::from_pairs([("__name__", "up"), ("job", "node")])?;
    /// let mut batch = Batch::<Samples>::new();
    /// batch.push(up.as_labels(), Sample::float(Millis(1_700_000_000_000), 1.0));
    /// batch.push(up.as_labels(), Sample::float(Millis(1_700_000_015_000), 0.0));
    /// engine.metrics()?.append(&batch)?;
    ///
    /// let selector = Selector::new(vec![Matcher::new(MatchOp::Equal, "__name__", "up")?]);
    /// for series in engine.metrics()?.snapshot().select(&selector)? {
    ///     assert_eq!(series.labels().value("job"), Some("node"));
    ///     for run in series.cursor()? {
    ///         assert_eq!(run?.floats(), Some(&[1.0, 0.0][..]));
    ///     }
    /// }
    /// engine.close()?;
    /// # std::fs::remove_dir_all(&directory).ok();
    /// # Ok::<(), chronolith_engine::Error>(())
    /// ```
    ///
    /// A series may turn out to have no entry in the range: blocks are looked at by chunk, the head
    /// by window.
    pub fn select(&self, selector: &Selector) -> Result<Vec<Series<K>>> {
        let mut found = Found::default();
        self.find_in_blocks(selector, &mut found)?;
        self.find_in_head(selector, &mut found)?;
        let needles = selector.needles.iter().map(|needle| Needle::new(needle));
        let needles: Arc<[Needle]> = needles.collect();
        let mut series: Vec<Series<K>> = found
            .series
            .into_iter()
            .map(|(id, labels, places)| Series {
                labels,
                id,
                places,
                view: Arc::clone(&self.view),
                range: selector.range,
                needles: Arc::clone(&needles),
                wanted: selector.wanted,
            })
            .collect();
        series.sort_unstable_by(|left, right| left.labels.cmp(&right.labels));
        Ok(series)
    }

    fn find_in_blocks(&self, selector: &Selector, found: &mut Found) -> Result<()> {
        let mut chunks = Vec::new();
        for (place, block) in self.view.state.blocks.iter().enumerate() {
            let (entry, block) = (&block.entry, &block.reader);
            let Some(range) = self.view.retained.in_block(entry, selector.range) else {
                continue;
            };
            let selected = Some(block.select(&selector.matchers)?);
            let shown = self
                .view
                .shown_in_block(place, selected, range, Care::Quick)?;
            let Some(first) = shown.as_ref().and_then(RoaringBitmap::min) else {
                continue;
            };
            found.begin(shown.as_ref().map_or(0, |shown| shown.len() as usize));
            let mut walk = LabelWalk::from(block, first)?;
            let mut stand = Stand::default();
            for ordinal in shown.into_iter().flatten() {
                if !covers(&entry.range, &range) {
                    block.chunks_on(ordinal, &mut stand, &mut chunks)?;
                    let meets = |chunk: &ChunkMeta| chunk.range.overlaps(&range);
                    if !chunks.iter().any(meets) {
                        continue;
                    }
                }
                let id = block.series_id(ordinal)?;
                let source = Place::Block(place as u32, ordinal);
                if !found.add(id, source) {
                    found.insert(id, walk.labels(ordinal)?.to_set(), source);
                }
            }
        }
        Ok(())
    }

    fn find_in_head(&self, selector: &Selector, found: &mut Found) -> Result<()> {
        if !self.view.meets_head(selector.range) {
            return Ok(());
        }
        let index = self.view.core.head.index();
        let numbers = select(&HeadIndexView::new(index), &selector.matchers)?;
        let numbers = self
            .view
            .shown_in_head(numbers, selector.range, Care::Quick)?;
        let numbers: Vec<u32> = numbers.iter().collect();
        found.begin(numbers.len());
        let (mut labels, head) = (Vec::new(), self.view.head_range());
        let retained = &self.view.retained;
        for hold in numbers.chunks(SERIES_PER_HOLD) {
            let index = index.read();
            for number in hold {
                let series = &index.series[*number];
                // A number given to another series meanwhile is not the one that matched.
                if series.born > self.view.hold.seq() {
                    continue;
                }
                let holds = |window: &Arc<crate::head::window::Window<K>>| {
                    window.range().overlaps(&selector.range) && window.holds(*number)
                };
                if !self.view.state.windows.iter().any(holds) {
                    continue;
                }
                labels.clear();
                index.labels(*number, &mut labels);
                let labels = Labels::trusted(&labels);
                if retained.may_hide(head.end) && head.end < retained.head_start(labels, head.end) {
                    continue;
                }
                let place = Place::Head(*number, retained.head_start(labels, head.start));
                let id = labels.id();
                if !found.add(id, place) {
                    found.insert(id, labels.to_set(), place);
                }
            }
        }
        Ok(())
    }
}

/// Whether every tick of `part` is in `whole`.
fn covers(part: &TickRange, whole: &TickRange) -> bool {
    whole.start <= part.start && part.end <= whole.end
}

/// Series found so far, one entry per identity.
#[derive(Default)]
struct Found {
    series: Vec<(SeriesId, LabelSet, Vec<Place>)>,
    /// Those of the sources before this one: within a source each series comes once.
    by_id: HashMap<SeriesId, usize, foldhash::fast::RandomState>,
}

impl Found {
    /// Another source begins, of so many series.
    fn begin(&mut self, count: usize) {
        self.series.reserve(count);
        let known = self.by_id.len();
        let new = self.series.iter().enumerate().skip(known);
        self.by_id.extend(new.map(|(index, (id, ..))| (*id, index)));
    }

    /// Adds a place to a series that was found before.
    fn add(&mut self, id: SeriesId, place: Place) -> bool {
        if self.by_id.is_empty() {
            return false;
        }
        match self.by_id.get(&id) {
            Some(index) => {
                self.series[*index].2.push(place);
                true
            }
            None => false,
        }
    }

    fn insert(&mut self, id: SeriesId, labels: LabelSet, place: Place) {
        self.series.push((id, labels, vec![place]));
    }
}

//! The head's inverted index: which series there are, by label.
//!
//! Writers change it under a write lock for one series at a time; readers hold the read lock for a
//! bounded number of label values and then let go, so that neither ever waits long for the other.

use parking_lot::{RwLock, RwLockReadGuard};
use roaring::RoaringBitmap;

use crate::codec::bytes::Cursor;
use crate::error::Result;
use crate::head::slots::Slots;
use crate::head::symbols::{PairId, Symbols};
use crate::head::values::Wanted;
use crate::index::postings::Gather;
use crate::index::select::IndexView;
use crate::labels::matcher::Matcher;
use crate::labels::re2::Shape;
use crate::labels::set::{Labels, put_label};

/// Pieces of label values looked at under one hold of the read lock: some thousand values.
const PIECES_PER_HOLD: usize = 2;

/// How often a reader begins again because pairs were moved, before it holds the lock to the end.
const RESTARTS_MAX: u32 = 2;

/// Asking one series costs about this many times what looking at one value costs.
const SERIES_COST: u64 = 16;

/// Series asked under one hold of the read lock.
const SERIES_PER_HOLD: usize = 1024;

/// What readers know of a series.
pub(crate) struct SeriesLabels {
    /// Interned pairs in label order; empty where the number is free.
    pub(crate) pairs: Box<[PairId]>,
    /// The batch that first had an entry of it accepted; `u64::MAX` before.
    pub(crate) born: u64,
}

/// The series of a head and their labels.
#[derive(Default)]
pub(crate) struct SeriesIndex {
    pub(crate) symbols: Symbols,
    pub(crate) series: Slots<SeriesLabels>,
    free: Vec<u32>,
    live: RoaringBitmap,
    live_count: u64,
    /// Pairs of the series entered last: the next one shares most of them.
    last_pairs: Vec<PairId>,
}

impl SeriesIndex {
    /// Enters a series; the caller knows that it is not there yet.
    pub(crate) fn insert(&mut self, labels: Labels<'_>) -> u32 {
        let number = self.free.pop().unwrap_or(self.series.len() as u32);
        let mut last_pairs = std::mem::take(&mut self.last_pairs);
        let mut cursor = Cursor::new(labels.as_bytes());
        let mut count = 0;
        while !cursor.is_empty() {
            let start = cursor.position();
            let name = cursor.prefixed().expect("labels are canonical");
            cursor.prefixed().expect("labels are canonical");
            let bytes = &labels.as_bytes()[start..cursor.position()];
            let hint = last_pairs.get(count).copied();
            let pair = self.symbols.intern(name, bytes, number, hint);
            match last_pairs.get_mut(count) {
                Some(place) => *place = pair,
                None => last_pairs.push(pair),
            }
            count += 1;
        }
        last_pairs.truncate(count);
        let entry = SeriesLabels {
            pairs: last_pairs.as_slice().into(),
            born: u64::MAX,
        };
        self.last_pairs = last_pairs;
        match (number as usize) < self.series.len() {
            true => self.series[number] = entry,
            false => self.series.push(entry),
        }
        if self.live.try_push(number).is_err() {
            self.live.insert(number);
        }
        self.live_count += 1;
        number
    }

    /// Forgets a series; its number may be given to another. Returns the pairs that went with it.
    pub(crate) fn remove(&mut self, number: u32) -> Vec<PairId> {
        let pairs = std::mem::take(&mut self.series[number].pairs);
        let gone = pairs
            .iter()
            .copied()
            .filter(|pair| self.symbols.release(*pair, number));
        let gone = gone.collect();
        self.series[number].born = u64::MAX;
        self.live.remove(number);
        self.live_count -= 1;
        self.free.push(number);
        // A number of a forgotten pair must not be taken for a hint.
        self.last_pairs.clear();
        gone
    }

    /// Appends a series' canonical label bytes.
    pub(crate) fn labels(&self, number: u32, out: &mut Vec<u8>) {
        for pair in &self.series[number].pairs {
            out.extend_from_slice(self.symbols.bytes(*pair));
        }
    }

    /// Whether a series has exactly these canonical label bytes.
    #[inline]
    pub(crate) fn is(&self, number: u32, mut bytes: &[u8]) -> bool {
        for pair in &self.series[number].pairs {
            match bytes.strip_prefix(self.symbols.bytes(*pair)) {
                Some(rest) => bytes = rest,
                None => return false,
            }
        }
        // A free number has no pairs and is nobody, not even the empty set.
        bytes.is_empty() && !self.series[number].pairs.is_empty()
    }

    pub(crate) fn len(&self) -> u64 {
        self.live_count
    }

    pub(crate) fn live(&self) -> &RoaringBitmap {
        &self.live
    }
}

/// A reader's view of the index, which takes the lock anew for each piece of work.
pub(crate) struct HeadIndexView<'a> {
    index: &'a RwLock<SeriesIndex>,
}

impl<'a> HeadIndexView<'a> {
    pub(crate) fn new(index: &'a RwLock<SeriesIndex>) -> Self {
        HeadIndexView { index }
    }

    fn read(&self) -> RwLockReadGuard<'_, SeriesIndex> {
        self.index.read()
    }

    /// Visits the pairs of a name whose value is wanted in bounded holds of the lock. Pairs that
    /// come or go meanwhile may be missed or seen: they belong to batches that the reader's
    /// snapshot does not show. Others may be seen twice.
    fn each_pair(
        &self,
        name: &str,
        wanted: &Wanted<'_>,
        mut each: impl FnMut(&SeriesIndex, PairId),
    ) {
        let (mut next, mut moves, mut restarts) = (0, 0, 0);
        loop {
            let index = self.read();
            let Some(number) = index.symbols.name_number(name) else {
                return;
            };
            let name = index.symbols.name(number);
            if next > 0 && moves != name.moves {
                // Pairs that were ahead may now stand behind.
                (next, restarts) = (0, restarts + 1);
            }
            moves = name.moves;
            let until = match restarts {
                0..=RESTARTS_MAX => name.pieces.len().min(next + PIECES_PER_HOLD),
                _ => name.pieces.len(),
            };
            for piece in &name.pieces[next..until] {
                index
                    .symbols
                    .scan(*piece, wanted, |pair| each(&index, pair));
            }
            if until == name.pieces.len() {
                return;
            }
            next = until;
        }
    }

    /// Visits the values of a name that some series of `among` has; a value may be told twice.
    pub(crate) fn each_value(&self, name: &str, among: &RoaringBitmap, mut each: impl FnMut(&str)) {
        self.each_pair(name, &Wanted::All, |index, pair| {
            if index.symbols.postings(pair).meets(among) {
                each(index.symbols.value(pair));
            }
        });
    }

    /// Whether some series of `among` has the label.
    pub(crate) fn has_value(&self, name: &str, among: &RoaringBitmap) -> bool {
        let mut has = false;
        self.each_pair(name, &Wanted::All, |index, pair| {
            has = has || index.symbols.postings(pair).meets(among);
        });
        has
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.read().symbols.names().map(str::to_owned).collect()
    }

    /// The union of the series of all pairs of a name whose value is wanted.
    fn union(&self, name: &str, wanted: &Wanted<'_>) -> RoaringBitmap {
        // Series that come while this goes on are none that the reader's snapshot shows.
        let mut gather = Gather::new(self.read().series.len() as u32);
        self.each_pair(name, wanted, |index, pair| {
            index.symbols.postings(pair).add_to(&mut gather);
        });
        gather.finish()
    }

    /// The series with one of these values.
    fn with_values(&self, name: &str, values: &[Box<str>]) -> RoaringBitmap {
        let index = self.read();
        let mut gather = Gather::new(index.series.len() as u32);
        let mut bytes = Vec::new();
        for value in values.iter().filter(|value| !value.is_empty()) {
            bytes.clear();
            put_label(&mut bytes, name, value);
            if let Some(pair) = index.symbols.find(&bytes) {
                index.symbols.postings(pair).add_to(&mut gather);
            }
        }
        gather.finish()
    }

    /// The series whose value the matcher names or whose value its pattern matches, be the matcher
    /// negated or not.
    fn affirmed(&self, name: &str, matcher: &Matcher) -> RoaringBitmap {
        match matcher.shape() {
            Shape::Exact(values) => self.with_values(name, values),
            _ => self.union(name, &Wanted::by(matcher)),
        }
    }
}

impl IndexView for HeadIndexView<'_> {
    fn all(&self) -> Result<RoaringBitmap> {
        Ok(self.read().live().clone())
    }

    fn postings(&self, name: &str, value: &str) -> Result<Option<RoaringBitmap>> {
        let mut bytes = Vec::new();
        put_label(&mut bytes, name, value);
        let index = self.read();
        Ok(index
            .symbols
            .find(&bytes)
            .map(|pair| index.symbols.postings(pair).to_bitmap()))
    }

    fn with_label(&self, name: &str) -> Result<RoaringBitmap> {
        Ok(self.union(name, &Wanted::All))
    }

    fn matching(&self, name: &str, matcher: &Matcher) -> Result<RoaringBitmap> {
        match matcher.op().is_negative() {
            false => Ok(self.affirmed(name, matcher)),
            true => Ok(self.with_label(name)? - self.affirmed(name, matcher)),
        }
    }

    fn refusing(&self, name: &str, matcher: &Matcher) -> Result<RoaringBitmap> {
        match matcher.op().is_negative() {
            false => Ok(self.with_label(name)? - self.affirmed(name, matcher)),
            true => Ok(self.affirmed(name, matcher)),
        }
    }

    /// A series has few labels and each is one step away: where few series are left, they are
    /// asked.
    fn filter(&self, within: &RoaringBitmap, matcher: &Matcher) -> Result<Option<RoaringBitmap>> {
        let index = self.read();
        let Some(name) = index.symbols.name_number(matcher.name()) else {
            return Ok(None);
        };
        let is_few =
            within.len().saturating_mul(SERIES_COST) < u64::from(index.symbols.name(name).live);
        if !matcher.op().is_regex() || !is_few {
            return Ok(None);
        }
        drop(index);
        let numbers: Vec<u32> = within.iter().collect();
        let mut kept = RoaringBitmap::new();
        for hold in numbers.chunks(SERIES_PER_HOLD) {
            let index = self.read();
            let holds = |number: &u32| {
                let pairs = &index.series[*number].pairs;
                let pair = pairs
                    .iter()
                    .find(|pair| index.symbols.name_of(**pair) == name);
                matcher.matches(pair.map_or("", |pair| index.symbols.value(*pair)))
            };
            kept.extend(hold.iter().copied().filter(holds));
        }
        Ok(Some(kept))
    }
}

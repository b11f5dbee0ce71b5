//! One window of a head: the entries of every series since the last cut.
//!
//! The table is in pages of neighbouring series, each behind its own small lock: a writer holds a
//! page for the series at hand, a reader to copy one series out. After the cut nothing is appended
//! any more, and snapshots that hold the window go on reading it until they are dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use parking_lot::{Mutex, MutexGuard, RwLock};

use crate::kind::Parts;
use crate::time::{TickRange, Ticks};

/// Series of one page.
const PAGE_SERIES: usize = 64;

/// A page of neighbouring series.
type Page<K> = Mutex<Box<[<K as Parts>::Open]>>;

/// The entries of one head since its last cut.
pub(crate) struct Window<K: Parts> {
    pages: RwLock<Vec<Option<Arc<Page<K>>>>>,
    /// The first log sequence number that may have entries here.
    pub(crate) floor: u64,
    start: AtomicI64,
    end: AtomicI64,
    bytes: AtomicU64,
    entries: AtomicU64,
    /// When the first entry came, by the clock; `i64::MAX` before.
    begun: AtomicI64,
}

impl<K: Parts> Window<K> {
    pub(crate) fn new(floor: u64) -> Self {
        Window {
            pages: RwLock::new(Vec::new()),
            floor,
            start: AtomicI64::new(i64::MAX),
            end: AtomicI64::new(i64::MIN),
            bytes: AtomicU64::new(0),
            entries: AtomicU64::new(0),
            begun: AtomicI64::new(i64::MAX),
        }
    }

    /// The page of a series, for reading; `None` where no neighbour has an entry.
    pub(crate) fn page(&self, series: u32) -> Option<Arc<Page<K>>> {
        self.pages
            .read()
            .get(series as usize / PAGE_SERIES)?
            .clone()
    }

    /// The page of a series, made if it is not there.
    pub(crate) fn page_for(&self, series: u32) -> Arc<Page<K>> {
        let number = series as usize / PAGE_SERIES;
        if let Some(Some(page)) = self.pages.read().get(number) {
            return Arc::clone(page);
        }
        let mut pages = self.pages.write();
        if pages.len() <= number {
            pages.resize_with(number + 1, || None);
        }
        let fresh = || {
            let slots: Vec<K::Open> = (0..PAGE_SERIES).map(|_| K::Open::default()).collect();
            Arc::new(Mutex::new(slots.into_boxed_slice()))
        };
        Arc::clone(pages[number].get_or_insert_with(fresh))
    }

    /// Copies what a reader at batch `seq` sees of a series.
    pub(crate) fn view(&self, series: u32, seq: u64) -> Option<K::View> {
        let page = self.page(series)?;
        let page = page.lock();
        K::view(&page[slot(series)], seq)
    }

    /// Visits every slot that holds entries, page by page.
    pub(crate) fn each_open(&self, mut each: impl FnMut(u32, &mut K::Open)) {
        let count = self.pages.read().len();
        for number in 0..count {
            let page = self.pages.read()[number].clone();
            let Some(page) = page else { continue };
            for (index, open) in page.lock().iter_mut().enumerate() {
                if !K::is_empty(open) {
                    each((number * PAGE_SERIES + index) as u32, open);
                }
            }
        }
    }

    /// Whether a series has entries here.
    pub(crate) fn holds(&self, series: u32) -> bool {
        self.page(series)
            .is_some_and(|page| !K::is_empty(&page.lock()[slot(series)]))
    }

    /// Notes entries that a batch added. Called under the head's writer lock only.
    pub(crate) fn grow(&self, now: Ticks, range: TickRange, bytes: u64, entries: u64) {
        self.begun.fetch_min(now.0, Ordering::AcqRel);
        self.start.fetch_min(range.start.0, Ordering::AcqRel);
        self.end.fetch_max(range.end.0, Ordering::AcqRel);
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
        self.entries.fetch_add(entries, Ordering::AcqRel);
    }

    /// The times of all entries ever offered here; wider than the truth after a rollback.
    pub(crate) fn range(&self) -> TickRange {
        TickRange {
            start: Ticks(self.start.load(Ordering::Acquire)),
            end: Ticks(self.end.load(Ordering::Acquire)),
        }
    }

    /// When the first entry came, by the clock.
    pub(crate) fn begun(&self) -> Ticks {
        Ticks(self.begun.load(Ordering::Acquire))
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Acquire)
    }

    /// Entries ever accepted here, rolled-back ones included: zero means that nothing was.
    pub(crate) fn entries(&self) -> u64 {
        self.entries.load(Ordering::Acquire)
    }
}

/// The place of a series in its page.
#[inline]
pub(crate) fn slot(series: u32) -> usize {
    series as usize % PAGE_SERIES
}

/// A writer's hold of the page it is at: neighbouring series follow each other in most batches.
pub(crate) struct PageHold<'a, K: Parts> {
    window: &'a Window<K>,
    number: usize,
    page: Option<Arc<Page<K>>>,
}

impl<'a, K: Parts> PageHold<'a, K> {
    pub(crate) fn new(window: &'a Window<K>) -> Self {
        PageHold {
            window,
            number: usize::MAX,
            page: None,
        }
    }

    /// Locks the page of a series.
    #[inline]
    pub(crate) fn lock(&mut self, series: u32) -> MutexGuard<'_, Box<[K::Open]>> {
        let number = series as usize / PAGE_SERIES;
        if number != self.number || self.page.is_none() {
            self.page = Some(self.window.page_for(series));
            self.number = number;
        }
        self.page.as_ref().expect("set just above").lock()
    }
}

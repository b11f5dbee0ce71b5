//! One window of a head: the entries of every series since the last cut.
//!
//! The slots of all series are behind one lock, which a writer holds for a few dozen series at a
//! time and a reader to copy one series out: neither waits long, and between two entries of a block
//! the writer needs no lock, so that the processor can fetch the next series' memory meanwhile.
//! After the cut nothing is appended any more, and snapshots that hold the window go on reading it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use parking_lot::{RwLock, RwLockWriteGuard};
use roaring::RoaringBitmap;

use crate::kind::Parts;
use crate::time::{TickRange, Ticks};

/// Series of one page: memory is taken for neighbours together.
pub(crate) const PAGE_SERIES: usize = 64;

/// Pages of a neighbourhood: what recovery works on at a time stays near the core.
pub(crate) const PAGES_PER_PART: usize = 16;

/// Pages gone through under one hold of the lock.
const PAGES_PER_HOLD: usize = 4;

/// The entries of one head since its last cut.
pub(crate) struct Window<K: Parts> {
    pages: RwLock<Pages<K>>,
    /// The first log sequence number that may have entries here.
    pub(crate) floor: u64,
    /// Where in the log it was cut: all its entries stand below. The window behind it may begin
    /// later, where others came between them and went, having no entries.
    cut: OnceLock<u64>,
    start: AtomicI64,
    end: AtomicI64,
    bytes: AtomicU64,
    entries: AtomicU64,
    /// When the first entry came, by the clock; `i64::MAX` before.
    begun: AtomicI64,
}

/// A page's slots, made when the first is needed.
pub(crate) type Page<K> = Option<Box<[<K as Parts>::Open]>>;

/// The slots of all series, by page.
pub(crate) struct Pages<K: Parts> {
    pages: Vec<Page<K>>,
    /// The series that have an entry here, be it one that no reader sees yet.
    pub(crate) members: RoaringBitmap,
}

impl<K: Parts> Pages<K> {
    /// The slot of a series; `None` where neither it nor a neighbour has an entry.
    #[inline]
    pub(crate) fn slot(&self, series: u32) -> Option<&K::Open> {
        let page = self.pages.get(series as usize / PAGE_SERIES)?.as_ref()?;
        page.get(series as usize % PAGE_SERIES)
    }

    /// The slot of a series, made if it is not there.
    #[inline]
    pub(crate) fn slot_for(&mut self, series: u32) -> &mut K::Open {
        let number = series as usize / PAGE_SERIES;
        if number >= self.pages.len() {
            self.pages.resize_with(number + 1, || None);
        }
        let page = self.pages[number].get_or_insert_with(fresh_page::<K>);
        &mut page[series as usize % PAGE_SERIES]
    }

    /// The pages of the first `count` neighbourhoods, to be worked on apart.
    pub(crate) fn parts(&mut self, count: usize) -> Vec<&mut [Page<K>]> {
        let pages = count * PAGES_PER_PART;
        if pages > self.pages.len() {
            self.pages.resize_with(pages, || None);
        }
        self.pages[..pages].chunks_mut(PAGES_PER_PART).collect()
    }
}

#[cold]
fn fresh_page<K: Parts>() -> Box<[K::Open]> {
    (0..PAGE_SERIES).map(|_| K::Open::default()).collect()
}

/// The slot of a series in the pages of its neighbourhood, made if it is not there.
#[inline]
pub(crate) fn slot_in<K: Parts>(part: &mut [Page<K>], series: u32) -> &mut K::Open {
    let page = &mut part[series as usize / PAGE_SERIES % PAGES_PER_PART];
    &mut page.get_or_insert_with(fresh_page::<K>)[series as usize % PAGE_SERIES]
}

impl<K: Parts> Window<K> {
    pub(crate) fn new(floor: u64) -> Self {
        Window {
            pages: RwLock::new(Pages {
                pages: Vec::new(),
                members: RoaringBitmap::new(),
            }),
            floor,
            cut: OnceLock::new(),
            start: AtomicI64::new(i64::MAX),
            end: AtomicI64::new(i64::MIN),
            bytes: AtomicU64::new(0),
            entries: AtomicU64::new(0),
            begun: AtomicI64::new(i64::MAX),
        }
    }

    /// Where in the log it was cut; nothing while it takes entries.
    pub(crate) fn cut_lsn(&self) -> Option<u64> {
        self.cut.get().copied()
    }

    /// Nothing is appended any more: what comes stands at or after `lsn`.
    pub(crate) fn end_at(&self, lsn: u64) {
        let is_first = self.cut.set(lsn).is_ok();
        assert!(is_first, "a window is cut once");
    }

    /// All slots, for a writer that lets go soon.
    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Pages<K>> {
        self.pages.write()
    }

    /// Copies what a reader at batch `seq` sees of a series.
    pub(crate) fn view(&self, series: u32, seq: u64) -> Option<K::View> {
        K::view(self.pages.read().slot(series)?, seq)
    }

    /// Visits every slot that holds entries.
    pub(crate) fn each_open(&self, mut each: impl FnMut(u32, &K::Open)) {
        let mut next = 0;
        loop {
            let pages = self.pages.read();
            if next >= pages.pages.len() {
                return;
            }
            let until = pages.pages.len().min(next + PAGES_PER_HOLD);
            for number in next..until {
                for (index, open) in pages.pages[number].iter().flatten().enumerate() {
                    if !K::is_empty(open) {
                        each((number * PAGE_SERIES + index) as u32, open);
                    }
                }
            }
            next = until;
        }
    }

    /// Visits every slot that holds entries, to change it. Readers wait meanwhile.
    pub(crate) fn change_each_open(&self, mut each: impl FnMut(u32, &mut K::Open)) {
        let mut pages = self.pages.write();
        for (number, page) in pages.pages.iter_mut().enumerate() {
            for (index, open) in page.iter_mut().flatten().enumerate() {
                if !K::is_empty(open) {
                    each((number * PAGE_SERIES + index) as u32, open);
                }
            }
        }
    }

    /// The series that have an entry here.
    pub(crate) fn members(&self) -> RoaringBitmap {
        self.pages.read().members.clone()
    }

    /// Whether a series has entries here.
    pub(crate) fn holds(&self, series: u32) -> bool {
        self.pages
            .read()
            .slot(series)
            .is_some_and(|open| !K::is_empty(open))
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

//! Decoded pages that were used lately, in bounded memory, shared by every block of a store.
//!
//! A CLOCK over a few shards: a hit costs one short lock and sets a bit, an insert takes out what
//! was not asked for since the hand came by. Also keeps idle decompressors and buffers, which are
//! dear to make anew. Knows pages by number only; what is in them and whether it is intact is the
//! reader's business.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hashbrown::HashMap;
use parking_lot::Mutex;
use zstd::bulk::Decompressor;

use crate::codec::text::{self, Abridge, Found};
use crate::codec::tokens::Needle;
use crate::error::Result;

/// The budget is split over so many shards; what does not fit in one is not cached at all.
const SHARDS: usize = 8;

/// Idle decompressors beyond these are dropped.
const DECODERS_MAX: usize = 16;

/// Idle buffers for unpacking texts beyond these, or larger ones, are dropped.
const SCRATCHES_MAX: usize = 4;
const SCRATCH_BYTES_MAX: usize = 8 << 20;

/// What an entry costs besides its bytes.
const ENTRY_OVERHEAD_BYTES: usize = 96;

/// A decoded strip of a page of a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PageKey {
    /// From [`PageCache::owner`]: no two readers share one, so a number that comes again cannot be
    /// mistaken.
    pub(crate) owner: u64,
    pub(crate) page: u32,
    pub(crate) strip: u8,
}

/// How a cache has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CacheCounts {
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
}

/// See the file comment.
pub(crate) struct PageCache {
    shards: [Mutex<Shard>; SHARDS],
    shard_bytes_max: usize,
    hits: AtomicU64,
    misses: AtomicU64,
    decoders: Mutex<Vec<Decompressor<'static>>>,
    scratches: Mutex<Vec<text::Scratch>>,
    hasher: foldhash::fast::RandomState,
}

#[derive(Default)]
struct Shard {
    places: HashMap<PageKey, usize, foldhash::fast::RandomState>,
    slots: Vec<Slot>,
    hand: usize,
    bytes: usize,
}

struct Slot {
    key: PageKey,
    bytes: Arc<[u8]>,
    used: bool,
}

impl PageCache {
    /// A cache that holds at most about `bytes_max` bytes; with none it caches nothing.
    pub(crate) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(PageCache {
            shards: Default::default(),
            shard_bytes_max: bytes_max / SHARDS,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            decoders: Mutex::new(Vec::new()),
            scratches: Mutex::new(Vec::new()),
            hasher: foldhash::fast::RandomState::default(),
        })
    }

    /// A number for a reader's keys, the only one of the process: not of this cache alone, since a
    /// thread also remembers by it what it read of blocks of several stores.
    pub(crate) fn owner() -> u64 {
        static OWNERS: AtomicU64 = AtomicU64::new(0);
        OWNERS.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn find(&self, key: &PageKey) -> Option<Arc<[u8]>> {
        let mut shard = self.shard(key).lock();
        let found = shard.places.get(key).copied().map(|place| {
            let slot = &mut shard.slots[place];
            slot.used = true;
            Arc::clone(&slot.bytes)
        });
        drop(shard);
        let counter = if found.is_some() {
            &self.hits
        } else {
            &self.misses
        };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// Keeps a decoded strip, unless it would crowd out too much else.
    pub(crate) fn insert(&self, key: PageKey, bytes: &Arc<[u8]>) {
        let cost = cost(bytes);
        if cost > self.shard_bytes_max {
            return;
        }
        let mut shard = self.shard(&key).lock();
        if shard.places.contains_key(&key) {
            return;
        }
        while shard.bytes + cost > self.shard_bytes_max {
            shard.evict_one();
        }
        let place = shard.slots.len();
        shard.places.insert(key, place);
        shard.bytes += cost;
        shard.slots.push(Slot {
            key,
            bytes: Arc::clone(bytes),
            used: false,
        });
    }

    pub(crate) fn counts(&self) -> CacheCounts {
        let mut counts = CacheCounts {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            ..CacheCounts::default()
        };
        for shard in &self.shards {
            let shard = shard.lock();
            counts.entries += shard.slots.len();
            counts.bytes += shard.bytes;
        }
        counts
    }

    /// Unpacks texts with buffers that are kept for the next time.
    pub(crate) fn unpack_texts(&self, stored: &[u8], raw: &mut [u8]) -> Result<()> {
        let mut frames = |stored: &[u8], raw: &mut [u8]| self.decompress(stored, raw);
        self.with_scratch(|scratch| text::decode(stored, raw, &mut frames, scratch))
    }

    /// Searches texts that are `raw_bytes` long when they are unpacked; see [`text::search`].
    pub(crate) fn search_texts(
        &self,
        stored: &[u8],
        raw_bytes: usize,
        needles: &[Needle],
    ) -> Result<Option<Found>> {
        let needles: Vec<&[u8]> = needles.iter().map(|needle| &needle.text[..]).collect();
        let mut frames = |stored: &[u8], raw: &mut [u8]| self.decompress(stored, raw);
        self.with_scratch(|scratch| text::search(stored, raw_bytes, &needles, &mut frames, scratch))
    }

    /// Abridges texts that are `raw_bytes` long when they are unpacked; see [`text::abridge`].
    pub(crate) fn abridge_texts(
        &self,
        stored: &[u8],
        raw_bytes: usize,
        reader: &dyn Abridge,
    ) -> Result<Option<Found>> {
        let mut frames = |stored: &[u8], raw: &mut [u8]| self.decompress(stored, raw);
        self.with_scratch(|scratch| text::abridge(stored, raw_bytes, reader, &mut frames, scratch))
    }

    /// Measures texts that are `raw_bytes` long when they are unpacked; see [`text::measure`].
    pub(crate) fn measure_texts(&self, stored: &[u8], raw_bytes: usize) -> Result<Option<Found>> {
        let mut frames = |stored: &[u8], raw: &mut [u8]| self.decompress(stored, raw);
        self.with_scratch(|scratch| text::measure(stored, raw_bytes, &mut frames, scratch))
    }

    fn with_scratch<T>(&self, work: impl FnOnce(&mut text::Scratch) -> T) -> T {
        let mut scratch = self.scratches.lock().pop().unwrap_or_default();
        let done = work(&mut scratch);
        let mut scratches = self.scratches.lock();
        if scratches.len() < SCRATCHES_MAX && scratch.bytes() <= SCRATCH_BYTES_MAX {
            scratches.push(scratch);
        }
        done
    }

    /// Lends a decompressor for the time of a call.
    pub(crate) fn decompress(&self, stored: &[u8], raw: &mut [u8]) -> std::io::Result<usize> {
        let idle = self.decoders.lock().pop();
        let mut decoder = match idle {
            Some(decoder) => decoder,
            None => Decompressor::new()?,
        };
        let length = decoder.decompress_to_buffer(stored, raw);
        let mut decoders = self.decoders.lock();
        if decoders.len() < DECODERS_MAX {
            decoders.push(decoder);
        }
        length
    }

    fn shard(&self, key: &PageKey) -> &Mutex<Shard> {
        use std::hash::BuildHasher;
        // The remainder is below the number of shards, so the cast cannot lose.
        &self.shards[(self.hasher.hash_one(key) >> 32) as usize % SHARDS]
    }
}

impl Shard {
    /// Takes out the first entry under the hand that was not used since the hand came by.
    fn evict_one(&mut self) {
        loop {
            assert!(
                !self.slots.is_empty(),
                "an empty shard has room for what fits a shard"
            );
            self.hand %= self.slots.len();
            let slot = &mut self.slots[self.hand];
            if std::mem::take(&mut slot.used) {
                self.hand += 1;
                continue;
            }
            let gone = self.slots.swap_remove(self.hand);
            self.places.remove(&gone.key);
            if let Some(moved) = self.slots.get(self.hand) {
                self.places.insert(moved.key, self.hand);
            }
            self.bytes -= cost(&gone.bytes);
            return;
        }
    }
}

fn cost(bytes: &Arc<[u8]>) -> usize {
    bytes.len() + ENTRY_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(page: u32) -> PageKey {
        PageKey {
            owner: 0,
            page,
            strip: 0,
        }
    }

    fn bytes(page: u32, length: usize) -> Arc<[u8]> {
        vec![page as u8; length].into()
    }

    #[test]
    fn the_budget_holds_and_what_is_found_is_what_was_put() {
        let cache = PageCache::new(100_000);
        for page in 0..2_000 {
            cache.insert(key(page), &bytes(page, 100 + page as usize % 700));
            assert!(cache.counts().bytes <= 100_000);
            for earlier in (0..=page).rev().take(50) {
                if let Some(found) = cache.find(&key(earlier)) {
                    assert_eq!(found, bytes(earlier, 100 + earlier as usize % 700));
                }
            }
        }
        let counts = cache.counts();
        assert!(counts.hits > 0 && counts.misses > 0 && counts.entries > 50);
    }

    #[test]
    fn what_is_used_outlives_what_is_not() {
        let cache = PageCache::new(80_000);
        cache.insert(key(0), &bytes(0, 500));
        for page in 1..1_000 {
            assert!(cache.find(&key(0)).is_some(), "gone before page {page}");
            cache.insert(key(page), &bytes(page, 500));
        }
        assert!(cache.find(&key(1)).is_none());
    }

    #[test]
    fn an_entry_larger_than_a_shard_goes_by() {
        let cache = PageCache::new(8_000);
        cache.insert(key(1), &bytes(1, 1_001));
        assert!(cache.find(&key(1)).is_none());
        let none = PageCache::new(0);
        none.insert(key(1), &bytes(1, 0));
        assert!(none.find(&key(1)).is_none());
    }
}

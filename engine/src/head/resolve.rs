//! From label bytes to series numbers: the known by guess or by hash, the new by entering them.

use std::hash::{BuildHasher, Hasher};

use crate::codec::bytes::Cursor;
use crate::config::Limits;
use crate::head::batch::{Batch, BatchSeries};
use crate::head::index::SeriesIndex;
use crate::head::{Bucket, Head, NO_SERIES, NO_TIME, SeriesState, Writer};
use crate::kind::{Kind, Refusal};
use crate::labels::set::Labels;

/// Series looked up together, so that the processor fetches the memory of many at once.
const BLOCK: usize = 64;

/// Series entered under one hold of the index lock.
const ENTRIES_PER_HOLD: usize = 64;

/// Guesses in a row that must fail before a block is looked up by hash.
const MISSES_MAX: u32 = 2;

/// Why a batch's series got no number.
pub(crate) struct Unresolved {
    pub(crate) series: usize,
    pub(crate) why: Refusal,
}

impl<K: Kind> Head<K> {
    /// Fills `writer.resolved` with the number of each series of the batch, entering those that are
    /// new.
    pub(crate) fn resolve(
        &self,
        writer: &mut Writer<K>,
        batch: &Batch<'_, K>,
        limits: &Limits,
    ) -> Vec<Unresolved> {
        writer.resolved.clear();
        writer.entered.clear();
        {
            let index = self.index.read();
            for block in batch.all_series().chunks(BLOCK) {
                writer.find_block(&index, block);
            }
        }
        let is_unknown = |place: &usize| writer.resolved[*place] == NO_SERIES;
        let unknown: Vec<usize> = (0..writer.resolved.len()).filter(is_unknown).collect();
        let mut unresolved = Vec::new();
        for hold in unknown.chunks(ENTRIES_PER_HOLD) {
            let mut index = self.index.write();
            for place in hold {
                let labels = batch.all_series()[*place].labels;
                match self.enter(writer, &mut index, labels, limits) {
                    Ok(number) => writer.resolved[*place] = number,
                    Err(why) => unresolved.push(Unresolved {
                        series: *place,
                        why,
                    }),
                }
            }
        }
        unresolved
    }

    /// Enters a new series, unless an earlier part of this batch already has.
    fn enter(
        &self,
        writer: &mut Writer<K>,
        index: &mut SeriesIndex,
        labels: &[u8],
        limits: &Limits,
    ) -> Result<u32, Refusal> {
        let hash = writer.hash(labels);
        if let Some(number) = writer.find_hashed(index, hash, labels) {
            return Ok(number);
        }
        let labels = check_labels(labels, limits)?;
        if index.len() >= limits.series_max || !self.budget.take_series() {
            return Err(Refusal::SeriesLimit);
        }
        let number = writer.insert(index, hash, labels);
        writer.entered.push(number);
        if writer.last != NO_SERIES {
            writer.states[writer.last].next = number;
        }
        writer.last = number;
        Ok(number)
    }
}

impl<K: Kind> Writer<K> {
    /// A hash of label bytes under this process' own seed.
    #[inline]
    pub(crate) fn hash(&self, labels: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(labels);
        hasher.finish()
    }

    /// Enters a series that is known to be absent.
    pub(crate) fn insert(&mut self, index: &mut SeriesIndex, hash: u64, labels: Labels<'_>) -> u32 {
        let number = index.insert(labels);
        let state = SeriesState {
            hash,
            newest_time: NO_TIME,
            newest_value: 0,
            next: NO_SERIES,
            defined: 0,
        };
        match (number as usize) < self.states.len() {
            true => self.states[number] = state,
            false => self.states.push(state),
        }
        let states = &self.states;
        let bucket = Bucket::new(number, hash);
        self.table
            .insert_unique(hash, bucket, |bucket| states[bucket.series].hash);
        number
    }

    /// Appends the numbers of a block's series to `resolved`, `NO_SERIES` for the unknown.
    fn find_block(&mut self, index: &SeriesIndex, block: &[BatchSeries<'_>]) {
        let mut misses = 0;
        for (place, series) in block.iter().enumerate() {
            if misses == MISSES_MAX {
                return self.find_by_hash(index, &block[place..]);
            }
            let guess = self.guess();
            if guess != NO_SERIES && index.is(guess, series.labels) {
                self.last = guess;
                self.resolved.push(guess);
                misses = 0;
                continue;
            }
            misses += 1;
            let hash = self.hash(series.labels);
            let found = self
                .find_hashed(index, hash, series.labels)
                .unwrap_or(NO_SERIES);
            self.learn(found);
            self.resolved.push(found);
        }
    }

    /// What followed the last series last time.
    #[inline]
    fn guess(&self) -> u32 {
        match self.last {
            NO_SERIES => NO_SERIES,
            last => self.states[last].next,
        }
    }

    fn learn(&mut self, found: u32) {
        if found == NO_SERIES {
            return;
        }
        if self.last != NO_SERIES {
            self.states[self.last].next = found;
        }
        self.last = found;
    }

    /// Looks up series of which none says where the next one is. Each step goes over the whole
    /// block with loads that do not depend on each other: the misses overlap.
    fn find_by_hash(&mut self, index: &SeriesIndex, block: &[BatchSeries<'_>]) {
        let mut hashes = [0u64; BLOCK];
        let mut candidates = [NO_SERIES; BLOCK];
        for (hash, series) in hashes.iter_mut().zip(block) {
            *hash = self.hash(series.labels);
        }
        for (candidate, hash) in candidates.iter_mut().zip(&hashes[..block.len()]) {
            let high = (*hash >> 32) as u32;
            let found = self.table.find(*hash, |bucket| bucket.hash_high == high);
            *candidate = found.map_or(NO_SERIES, |bucket| bucket.series);
        }
        let known = || {
            candidates[..block.len()]
                .iter()
                .filter(|series| **series != NO_SERIES)
        };
        let mut touched = 0usize;
        known().for_each(|series| touched ^= index.series[*series].pairs.len());
        known().for_each(|series| {
            touched ^= index.series[*series]
                .pairs
                .first()
                .map_or(0, |pair| *pair as usize);
        });
        std::hint::black_box(touched);
        for (place, series) in block.iter().enumerate() {
            let candidate = candidates[place];
            let found = match candidate != NO_SERIES && index.is(candidate, series.labels) {
                true => candidate,
                // Another series with the same half of a hash, or none.
                false => self
                    .find_hashed(index, hashes[place], series.labels)
                    .unwrap_or(NO_SERIES),
            };
            self.resolved.push(found);
            if found != NO_SERIES {
                self.last = found;
            }
        }
    }

    pub(crate) fn find_hashed(&self, index: &SeriesIndex, hash: u64, labels: &[u8]) -> Option<u32> {
        let high = (hash >> 32) as u32;
        let is = |bucket: &Bucket| bucket.hash_high == high && index.is(bucket.series, labels);
        self.table.find(hash, is).map(|bucket| bucket.series)
    }
}

/// Checks the labels of a series that was never seen: canonical, not empty, within the limits.
fn check_labels<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Labels<'a>, Refusal> {
    let labels = Labels::from_bytes(bytes).map_err(|error| Refusal::Labels(error.to_string()))?;
    let refuse = |text: String| Err(Refusal::Labels(text));
    let mut count = 0usize;
    let mut cursor = Cursor::new(bytes);
    while let Ok(name) = cursor.prefixed() {
        let Ok(value) = cursor.prefixed() else { break };
        count += 1;
        if name.len() > limits.label_name_bytes_max {
            let (length, max) = (name.len(), limits.label_name_bytes_max);
            return refuse(format!(
                "a label name has {length} bytes, limits.label_name_bytes_max is {max}"
            ));
        }
        if value.len() > limits.label_value_bytes_max {
            let (length, max) = (value.len(), limits.label_value_bytes_max);
            let name = String::from_utf8_lossy(name);
            return refuse(format!(
                "label {name:?} has {length} bytes, limits.label_value_bytes_max is {max}"
            ));
        }
    }
    match count {
        0 => refuse("a series needs at least one label".into()),
        _ if count > limits.labels_max => refuse(format!(
            "{count} labels, limits.labels_max is {}",
            limits.labels_max
        )),
        _ => Ok(labels),
    }
}

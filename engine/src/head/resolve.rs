//! From label bytes to series numbers: the known by guess or by hash, the new by entering them.

use std::hash::{BuildHasher, Hasher};

use hashbrown::HashTable;

use crate::config::Limits;
use crate::head::batch::{Batch, BatchSeries};
use crate::head::index::SeriesIndex;
use crate::head::{Head, NO_SERIES, NO_TIME, SeriesState, Writer};
use crate::kind::{Kind, Refusal};
use crate::labels::set::Labels;

/// Guesses are tried while their score is at least this.
const GUESS_SCORE_MIN: i8 = 0;
const GUESS_SCORE_MAX: i8 = 8;
/// With a bad score, one in this many series is tried all the same.
const GUESS_RETRY: usize = 64;

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
        let mut unknown = Vec::new();
        {
            let index = self.index.read();
            writer.resolved.clear();
            for (place, series) in batch.all_series().iter().enumerate() {
                let number = writer.find(&index, series.labels, place);
                if number == NO_SERIES {
                    unknown.push(place);
                }
                writer.resolved.push(number);
            }
        }
        let mut unresolved = Vec::new();
        for place in unknown {
            match self.enter(writer, batch.all_series()[place], limits) {
                Ok(number) => writer.resolved[place] = number,
                Err(why) => unresolved.push(Unresolved { series: place, why }),
            }
        }
        unresolved
    }

    /// Enters a new series, unless an earlier part of this batch already has.
    fn enter(
        &self,
        writer: &mut Writer<K>,
        series: BatchSeries<'_>,
        limits: &Limits,
    ) -> Result<u32, Refusal> {
        let hash = writer.hash(series.labels);
        if let Some(number) = writer.find_hashed(&self.index.read(), hash, series.labels) {
            return Ok(number);
        }
        let labels = Labels::from_bytes(series.labels)
            .map_err(|error| Refusal::Labels(error.to_string()))?;
        check_labels(labels, limits)?;
        if self.series_count() >= limits.series_max || !self.budget.take_series() {
            return Err(Refusal::SeriesLimit);
        }
        let number = self.insert(writer, hash, labels);
        writer.entered.push(number);
        if writer.last != NO_SERIES {
            writer.states[writer.last].next = number;
        }
        writer.last = number;
        Ok(number)
    }

    /// Enters a series that is known to be absent.
    pub(crate) fn insert(&self, writer: &mut Writer<K>, hash: u64, labels: Labels<'_>) -> u32 {
        let number = self.index.write().insert(labels);
        let state = SeriesState {
            hash,
            newest_time: NO_TIME,
            newest_value: 0,
            next: NO_SERIES,
            defined: 0,
        };
        match (number as usize) < writer.states.len() {
            true => writer.states[number] = state,
            false => writer.states.push(state),
        }
        let states = &writer.states;
        writer
            .table
            .insert_unique(hash, number, |series| states[*series].hash);
        number
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

    /// The number of a known series, or `NO_SERIES`.
    #[inline]
    fn find(&mut self, index: &SeriesIndex, labels: &[u8], place: usize) -> u32 {
        let is_worth_a_guess =
            self.guess_score >= GUESS_SCORE_MIN || place.is_multiple_of(GUESS_RETRY);
        let last = self.last;
        if is_worth_a_guess && last != NO_SERIES {
            let guess = self.states[last].next;
            if guess != NO_SERIES && index.is(guess, labels) {
                self.guess_score = (self.guess_score + 1).min(GUESS_SCORE_MAX);
                self.last = guess;
                return guess;
            }
            self.guess_score = (self.guess_score - 1).max(GUESS_SCORE_MIN - 1);
        }
        let hash = self.hash(labels);
        let Some(found) = self.find_hashed(index, hash, labels) else {
            return NO_SERIES;
        };
        if is_worth_a_guess && last != NO_SERIES {
            self.states[last].next = found;
        }
        self.last = found;
        found
    }

    pub(crate) fn find_hashed(&self, index: &SeriesIndex, hash: u64, labels: &[u8]) -> Option<u32> {
        find_in(&self.table, hash, |series| index.is(series, labels))
    }
}

#[inline]
fn find_in(table: &HashTable<u32>, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
    table.find(hash, |series| is(*series)).copied()
}

fn check_labels(labels: Labels<'_>, limits: &Limits) -> Result<(), Refusal> {
    let refuse = |text: String| Err(Refusal::Labels(text));
    let mut count = 0usize;
    for (name, value) in labels.iter() {
        count += 1;
        if name.len() > limits.label_name_bytes_max {
            let (length, max) = (name.len(), limits.label_name_bytes_max);
            return refuse(format!(
                "a label name has {length} bytes, limits.label_name_bytes_max is {max}"
            ));
        }
        if value.len() > limits.label_value_bytes_max {
            let (length, max) = (value.len(), limits.label_value_bytes_max);
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
        _ => Ok(()),
    }
}

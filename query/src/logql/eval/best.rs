//! [`Best`]: the first so many lines, in the order that is asked for, of any number of streams.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use chronolith_engine::labels::LabelSet;

use crate::logql::Result;
use crate::logql::answer::LabelPairs;
use crate::logql::limits::Guard;
use crate::logql::pipeline::Outcome;
use crate::logql::source::Direction;
use crate::promql::room::Share;

/// Where a line stands: its time, its stream, and its place within the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) time: i64,
    pub(super) stream: usize,
    pub(super) line: usize,
}

/// A line that is kept.
pub(super) struct Found {
    pub(super) time: i64,
    pub(super) line: String,
    pub(super) stream: Arc<LabelSet>,
    pub(super) metadata: Arc<LabelPairs>,
    pub(super) parsed: Arc<LabelPairs>,
    /// By which lines that have become the same are found.
    hash: u64,
    /// The room that it takes.
    _share: Share,
}

/// The first so many lines. Those of one time that have become the same, labels included, are one.
pub(super) struct Best {
    direction: Direction,
    room: usize,
    lines: BTreeMap<Place, Found>,
    same: HashMap<(i64, u64), Place>,
    hasher: RandomState,
    /// The labels of the last line: the next one mostly has the same.
    last: Option<(Arc<LabelSet>, Arc<LabelPairs>, Arc<LabelPairs>)>,
}

impl Best {
    pub(super) fn new(direction: Direction, room: usize, hasher: RandomState) -> Best {
        Best {
            direction,
            room,
            lines: BTreeMap::new(),
            same: HashMap::new(),
            hasher,
            last: None,
        }
    }

    /// Whether a line at this place would be kept.
    pub(super) fn wants(&self, place: Place) -> bool {
        if self.lines.len() < self.room {
            return true;
        }
        match self.direction {
            Direction::Forward => self
                .lines
                .last_key_value()
                .is_some_and(|(last, _)| place < *last),
            Direction::Backward => {
                let first = self.lines.first_key_value();
                first.is_some_and(|(first, _)| place > *first)
            }
        }
    }

    /// Keeps a line if it is among the first.
    pub(super) fn offer(
        &mut self,
        place: Place,
        outcome: &Outcome<'_>,
        guard: &Guard,
    ) -> Result<()> {
        if !self.wants(place) {
            return Ok(());
        }
        let share = guard.share_of_line(outcome.line.len())?;
        let labels = outcome.labels.hash();
        let hash = self.hasher.hash_one((labels, outcome.line));
        let (stream, metadata, parsed) = self.labels(outcome);
        self.insert(
            place,
            Found {
                time: place.time,
                line: String::from_utf8_lossy(outcome.line).into_owned(),
                stream,
                metadata,
                parsed,
                hash,
                _share: share,
            },
        );
        Ok(())
    }

    fn labels(
        &mut self,
        outcome: &Outcome<'_>,
    ) -> (Arc<LabelSet>, Arc<LabelPairs>, Arc<LabelPairs>) {
        let labels = &outcome.labels;
        let stream = || {
            // A part of the stream's labels, or all of them.
            Arc::new(LabelSet::from_pairs(labels.stream()).unwrap_or_default())
        };
        let last = self.last.take();
        let (stream, metadata, parsed) = match last {
            Some((known, metadata, parsed)) => {
                let same = known.as_labels().iter().eq(labels.stream());
                let stream = if same { known } else { stream() };
                (stream, Some(metadata), Some(parsed))
            }
            None => (stream(), None, None),
        };
        let pairs = |known: Option<Arc<LabelPairs>>, now: &dyn Fn() -> LabelPairs, same: bool| {
            known.filter(|_| same).unwrap_or_else(|| Arc::new(now()))
        };
        let same = metadata
            .as_ref()
            .is_some_and(|known| known.is(labels.metadata()));
        let metadata = pairs(metadata, &|| LabelPairs::of(labels.metadata()), same);
        let same = parsed
            .as_ref()
            .is_some_and(|known| known.is(labels.parsed()));
        let parsed = pairs(parsed, &|| LabelPairs::of(labels.parsed()), same);
        let last = (stream, metadata, parsed);
        self.last = Some(last.clone());
        last
    }

    fn insert(&mut self, place: Place, found: Found) {
        let key = (found.time, found.hash);
        if let Some(known) = self.same.get(&key) {
            let Some(twin) = self.lines.get(known) else {
                return;
            };
            if twin.is_same(&found) {
                return;
            }
        } else {
            self.same.insert(key, place);
        }
        self.lines.insert(place, found);
        if self.lines.len() > self.room {
            let gone = match self.direction {
                Direction::Forward => self.lines.pop_last(),
                Direction::Backward => self.lines.pop_first(),
            };
            if let Some((place, found)) = gone {
                let key = (found.time, found.hash);
                if self.same.get(&key) == Some(&place) {
                    self.same.remove(&key);
                }
            }
        }
    }

    /// Takes over what another one found.
    pub(super) fn absorb(&mut self, other: Best) {
        for (place, found) in other.lines {
            if self.wants(place) {
                self.insert(place, found);
            }
        }
    }

    /// Whether there is no room left, so that lines may have been left out.
    pub(super) fn is_full(&self) -> bool {
        self.lines.len() >= self.room
    }

    /// Forgets the lines of the last time, some of which may be missing; that time. Nothing is
    /// forgotten if all lines are of one time.
    pub(super) fn forget_last_time(&mut self) -> Option<i64> {
        let first = self.lines.first_key_value()?.0.time;
        let last = self.lines.last_key_value()?.0.time;
        if first == last {
            return None;
        }
        let gone = match self.direction {
            Direction::Forward => last,
            Direction::Backward => first,
        };
        self.lines.retain(|place, _| place.time != gone);
        Some(gone)
    }

    /// The lines in the order that was asked for.
    pub(super) fn into_lines(self) -> Vec<Found> {
        match self.direction {
            Direction::Forward => self.lines.into_values().collect(),
            Direction::Backward => self.lines.into_values().rev().collect(),
        }
    }
}

impl Found {
    fn is_same(&self, other: &Found) -> bool {
        let all = |found: &Found| {
            let own = found.stream.as_labels();
            let pairs = own.iter().chain(found.metadata.iter());
            LabelPairs::of(pairs.chain(found.parsed.iter()))
        };
        self.line == other.line && all(self) == all(other)
    }
}

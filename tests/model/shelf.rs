//! One store as the model knows it: every batch ever sent, and what must come of it.
//!
//! Knows no engine. A batch is acknowledged, void (refused, or failed and superseded) or in doubt:
//! its append returned an error, or the crash came first. One in doubt is there whole or not at
//! all; where what is sealed hides all of it, nobody can tell which.

use std::collections::{BTreeMap, BTreeSet};

use super::keep::Keep;
use super::removal::{Listed, Removal, Standing};
use super::show::INVALID;
use super::value::Value;

/// Which store of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shape {
    Samples,
    Lines,
    Exemplars,
    Notes,
}

/// All of them.
pub const SHAPES: [Shape; 4] = [Shape::Samples, Shape::Lines, Shape::Exemplars, Shape::Notes];

/// What is known about a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Acknowledged,
    /// Whether this engine shows it; only a crash can still tell.
    Doubt {
        is_seen: bool,
    },
    /// It may be there, and nobody sees it: at all its times something else was sealed before, or
    /// it has expired, and then its labels may be listed. New entries may be judged against it
    /// until the window is frozen.
    Hidden {
        is_frozen: bool,
    },
    Void,
}

/// One entry: the series by its number in the pool.
#[derive(Clone, Debug)]
pub struct Entry {
    pub series: usize,
    pub time: i64,
    pub value: Value,
    /// The store may have had it already, and then has not written it again.
    pub is_repeat: bool,
}

#[derive(Clone, Debug)]
pub struct Sent {
    pub fate: Fate,
    pub entries: Vec<Entry>,
    /// Not even a power loss may cost it, whatever the durability.
    pub is_safe: bool,
}

/// What a reader sees: by series, in order.
pub type Content = BTreeMap<usize, Vec<(i64, String)>>;

/// What may become of an offered entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    pub accept: bool,
    pub duplicate: bool,
    pub conflict: bool,
    pub invalid: bool,
    /// Refused as too old.
    pub expired: bool,
}

impl Allowed {
    pub fn refuses(self) -> bool {
        self.conflict || self.invalid || self.expired
    }

    pub fn must_refuse(self) -> bool {
        self.refuses() && !self.accept && !self.duplicate
    }
}

/// One store of one tenant.
#[derive(Clone)]
pub struct Shelf {
    pub shape: Shape,
    pub sent: Vec<Sent>,
    pub removals: Vec<Removal>,
    keep: Keep,
    /// What the engine's clock says.
    pub now_nanos: i64,
    /// Whether it is unknown of some entry that a deletion hides whether it is there: then none is
    /// cancelled any more.
    pub is_clouded: bool,
    /// Samples known to be in the window being written: verdicts on their timestamps are certain.
    certain: BTreeMap<(usize, i64), String>,
    /// From here on batches are of the group at hand: each was judged with those before it in
    /// flight.
    group: usize,
}

impl Shelf {
    pub fn new(shape: Shape, keep: Keep, now_nanos: i64) -> Self {
        Shelf {
            shape,
            sent: Vec::new(),
            removals: Vec::new(),
            keep,
            now_nanos,
            is_clouded: false,
            certain: BTreeMap::new(),
            group: usize::MAX,
        }
    }

    /// What a reader sees if exactly these batches are there.
    pub fn content(&self, is_there: impl Fn(usize, &Sent) -> bool) -> Content {
        self.content_of(is_there, |batch, entry| self.is_hidden(batch, entry))
    }

    fn content_of(
        &self,
        is_there: impl Fn(usize, &Sent) -> bool,
        is_hidden: impl Fn(usize, &Entry) -> bool,
    ) -> Content {
        let mut content = Content::new();
        for (number, sent) in self.sent.iter().enumerate() {
            if !is_there(number, sent) {
                continue;
            }
            for entry in sent.entries.iter().filter(|e| !is_hidden(number, e)) {
                let shown = (entry.time, entry.value.show());
                let series = content.entry(entry.series).or_default();
                match self.shape {
                    Shape::Notes => *series = vec![shown],
                    Shape::Samples if series.iter().any(|(time, _)| *time == entry.time) => {}
                    _ if series.contains(&shown) => {}
                    _ => series.push(shown),
                }
            }
        }
        // Stable: lines of one timestamp stay in order of arrival.
        content
            .values_mut()
            .for_each(|series| series.sort_by_key(|(time, _)| *time));
        content
    }

    /// What a reader of the running engine sees.
    pub fn now(&self) -> Content {
        self.content(|_, sent| is_visible(sent))
    }

    /// What there would be to see if nothing expired, where it is known and where it is not: whose
    /// labels may still be listed.
    pub fn unexpired(&self) -> Content {
        self.content_of(
            |_, sent| is_visible(sent) || matches!(sent.fate, Fate::Hidden { .. }),
            |batch, entry| self.is_deleted(batch, entry),
        )
    }

    /// Whether nobody sees an entry, wherever it is.
    fn is_hidden(&self, batch: usize, entry: &Entry) -> bool {
        self.is_expired(entry) || self.is_deleted(batch, entry)
    }

    fn is_expired(&self, entry: &Entry) -> bool {
        self.keep
            .is_expired(self.shape, entry.series, entry.time, self.now_nanos)
    }

    fn is_deleted(&self, batch: usize, entry: &Entry) -> bool {
        let mut removals = self.removals.iter();
        removals.any(|removal| removal.is_in_force() && removal.hides(batch, entry))
    }

    /// Takes over what the running engine says of its deletions; an error where that cannot be.
    pub fn compare_deletions(&mut self, listed: &[Listed]) -> Result<(), String> {
        for found in listed {
            let removal = self.removals.get_mut(found.number);
            let Some(removal) = removal.filter(|removal| removal.is_in_force()) else {
                return Err(format!("{found:?} is listed, and not in force"));
            };
            removal.id = Some(found.id);
            if found.is_begun {
                removal.standing = Standing::InForce;
            }
        }
        Ok(())
    }

    /// What a boot may have made of the deletions, given those that it lists: the likeliest first.
    /// One that was in force for certain and is not listed has nothing left to hide.
    pub fn after_boot(&self, listed: &[Listed]) -> Result<Vec<Shelf>, String> {
        let mut booted = self.clone();
        let mut unlisted = Vec::new();
        for removal in &mut booted.removals {
            let found = listed.iter().find(|found| found.number == removal.number);
            removal.standing = match (removal.standing, found) {
                (Standing::Gone, Some(found)) => {
                    return Err(format!("{found:?} is back though it was cancelled"));
                }
                (Standing::Open { .. }, Some(_)) => Standing::Open { is_in_force: true },
                (Standing::Open { .. }, None) => {
                    unlisted.push(removal.number);
                    Standing::Gone
                }
                (standing, _) => standing,
            };
        }
        booted.compare_deletions(listed)?;
        let choices = 0..1u32 << unlisted.len();
        booted.is_clouded |= choices.len() > 1;
        Ok(choices
            .map(|choice| {
                let mut shelf = booted.clone();
                for (place, number) in unlisted.iter().enumerate() {
                    if choice >> place & 1 == 1 {
                        shelf.removals[*number].standing = Standing::InForce;
                    }
                }
                shelf
            })
            .collect())
    }

    /// How many deletions only a boot can settle.
    pub fn open_removals(&self) -> usize {
        let is_open = |removal: &&Removal| matches!(removal.standing, Standing::Open { .. });
        self.removals.iter().filter(is_open).count()
    }

    /// Batches whose fate is open.
    pub fn doubts(&self) -> Vec<usize> {
        let is_doubt = |(_, sent): &(usize, &Sent)| matches!(sent.fate, Fate::Doubt { .. });
        self.sent
            .iter()
            .enumerate()
            .filter(is_doubt)
            .map(|(number, _)| number)
            .collect()
    }

    /// The sets of doubtful batches that explain what was read: the first one found.
    pub fn explain(&self, read: &Content) -> Option<BTreeSet<usize>> {
        let doubts = self.doubts();
        (0..1u32 << doubts.len()).find_map(|choice| {
            let bit = |place: usize| choice >> place & 1 == 1;
            let chosen: BTreeSet<usize> = doubts
                .iter()
                .enumerate()
                .filter(|(place, _)| bit(*place))
                .map(|(_, number)| *number)
                .collect();
            let is_there = |number: usize, sent: &Sent| {
                sent.fate == Fate::Acknowledged || chosen.contains(&number)
            };
            (self.content(is_there) == *read).then_some(chosen)
        })
    }

    /// After a loss that durability allows: what is left of the batches, or nothing where one is
    /// torn, a safe one is gone or something was invented. What came back is on the disk by now.
    pub fn survivors(&self, read: &Content) -> Option<Shelf> {
        if self.shape == Shape::Notes {
            return self.surviving_notes(read);
        }
        let mut left = self.clone();
        for (number, sent) in left.sent.iter_mut().enumerate() {
            // Of what nobody sees nobody can tell whether it is there.
            let is_hidden = |entry: &Entry| self.is_hidden(number, entry);
            let may_be = |entry: &Entry| is_hidden(entry) || self.has(read, entry);
            if sent.is_safe && !sent.entries.iter().all(may_be) {
                return None;
            }
            left.is_clouded |= !sent.is_safe && sent.entries.iter().any(is_hidden);
            // A repetition was not written again: it went with the first one, or is there with it.
            sent.entries
                .retain(|entry| !entry.is_repeat || is_hidden(entry) || has_exactly(read, entry));
            if !matches!(sent.fate, Fate::Hidden { .. } | Fate::Void) {
                sent.is_safe = sent.entries.iter().all(may_be);
                sent.fate = match sent.is_safe {
                    true => Fate::Acknowledged,
                    false => Fate::Void,
                };
            }
        }
        (left.now() == *read).then_some(left)
    }

    /// Whether the place of an entry is taken: by itself, or by what was there before.
    fn has(&self, read: &Content, entry: &Entry) -> bool {
        match self.shape {
            Shape::Samples => entries_of(read, entry.series)
                .iter()
                .any(|(time, _)| *time == entry.time),
            _ => has_exactly(read, entry),
        }
    }

    /// Of notes any later one may be lost, and the one before it is then what counts, back to the
    /// last safe one.
    fn surviving_notes(&self, read: &Content) -> Option<Shelf> {
        let mut left = Shelf {
            sent: Vec::new(),
            ..self.clone()
        };
        let mut possible: BTreeMap<usize, Vec<Option<&Entry>>> = BTreeMap::new();
        let may_be =
            |sent: &&Sent| !matches!(sent.fate, Fate::Void | Fate::Hidden { is_frozen: true });
        for sent in self.sent.iter().filter(may_be) {
            let last: BTreeMap<usize, &Entry> =
                sent.entries.iter().map(|e| (e.series, e)).collect();
            for (series, entry) in last {
                let possible = possible.entry(series).or_insert_with(|| vec![None]);
                if sent.is_safe {
                    possible.clear();
                }
                possible.push(Some(entry));
            }
        }
        if read.keys().any(|series| !possible.contains_key(series)) {
            return None;
        }
        for (series, possible) in possible {
            let found = read.get(&series).and_then(|found| found.first());
            let is_it =
                |entry: &&Option<&Entry>| found == entry.map(|e| (e.time, e.value.show())).as_ref();
            if let Some(entry) = possible.iter().find(is_it)? {
                left.sent.push(Sent {
                    fate: Fate::Acknowledged,
                    entries: vec![(*entry).clone()],
                    is_safe: true,
                });
            }
        }
        Some(left)
    }

    /// All that a reader sees has been made durable.
    pub fn make_safe(&mut self) {
        for sent in &mut self.sent {
            sent.is_safe |= is_visible(sent);
        }
    }

    /// Batches that are there in part, or gone although they were safe, for whoever reads a
    /// failure.
    pub fn torn(&self, read: &Content) -> Vec<String> {
        let counts = self.sent.iter().enumerate().map(|(number, sent)| {
            let is_there = |entry: &&Entry| self.is_hidden(number, entry) || self.has(read, entry);
            (sent, sent.entries.iter().filter(is_there).count())
        });
        let is_torn = |(sent, there): &(&Sent, usize)| {
            *there < sent.entries.len()
                && (*there > 0 || sent.is_safe)
                && !matches!(sent.fate, Fate::Hidden { .. } | Fate::Void)
        };
        let torn = counts.filter(is_torn);
        torn.map(|(sent, there)| format!("{there} entries of {sent:?}"))
            .collect()
    }

    /// Settles every batch after the smallest set of them that explains what was read.
    pub fn settle(&mut self, read: &Content, there: &BTreeSet<usize>, fate: Fate) {
        let is_hidden = |doubt: &usize| {
            let is_there = |number: usize, sent: &Sent| {
                sent.fate == Fate::Acknowledged || there.contains(&number) || number == *doubt
            };
            !there.contains(doubt) && self.content(is_there) == *read
        };
        let doubts = self.doubts();
        let hidden: Vec<usize> = doubts.iter().copied().filter(is_hidden).collect();
        self.is_clouded |= !hidden.is_empty();
        for number in doubts {
            self.sent[number].fate = match (there.contains(&number), hidden.contains(&number)) {
                (true, _) => fate,
                (false, true) => Fate::Hidden { is_frozen: false },
                (false, false) => Fate::Void,
            };
        }
    }

    /// Everything so far is in blocks.
    pub fn freeze(&mut self) {
        self.make_safe();
        for sent in &mut self.sent {
            if let Fate::Hidden { is_frozen } = &mut sent.fate {
                *is_frozen = true;
            }
        }
    }

    /// What cannot be seen now can never come back, once the log goes on.
    pub fn void_unseen(&mut self) {
        for sent in &mut self.sent {
            if sent.fate == (Fate::Doubt { is_seen: false }) {
                sent.fate = Fate::Void;
            }
        }
    }

    /// The window may have been cut, or the engine reopened: verdicts become less certain.
    pub fn forget_window(&mut self) {
        self.certain.clear();
    }

    /// The engine goes on from a copy of all that a reader sees.
    pub fn go_on_from_copy(&mut self) {
        for sent in &mut self.sent {
            match sent.fate {
                Fate::Doubt { is_seen: true } => sent.fate = Fate::Acknowledged,
                Fate::Doubt { is_seen: false } => sent.fate = Fate::Void,
                _ => {}
            }
        }
        self.make_safe();
        self.forget_window();
    }

    pub fn begin_group(&mut self) {
        self.group = self.sent.len();
    }

    pub fn end_group(&mut self) {
        self.group = usize::MAX;
    }

    /// Whether a batch of this group that failed had an entry of this place: it was judged before
    /// that.
    fn was_in_flight(&self, entry: &Entry) -> bool {
        let group = self
            .sent
            .iter()
            .skip(self.group)
            .filter(|sent| !is_visible(sent));
        let mut entries = group.flat_map(|sent| &sent.entries);
        entries.any(|other| (other.series, other.time) == (entry.series, entry.time))
    }

    /// What may become of each entry of a batch.
    pub fn judge(&self, entries: &[Entry], newest: i64) -> Vec<Allowed> {
        let mut certain = self.certain.clone();
        let mut offered: Vec<&Entry> = self
            .sent
            .iter()
            .enumerate()
            .filter(|(_, sent)| is_visible(sent) || is_hidden_in_window(sent))
            .flat_map(|(batch, sent)| sent.entries.iter().map(move |entry| (batch, entry)))
            .filter(|(batch, entry)| !self.is_deleted(*batch, entry))
            .map(|(_, entry)| entry)
            .collect();
        let mut judged = Vec::with_capacity(entries.len());
        for entry in entries {
            let allowed = self.judge_one(entry, newest, &certain, &offered);
            let place = (entry.series, entry.time);
            if allowed
                == (Allowed {
                    accept: true,
                    ..Allowed::default()
                })
            {
                certain.insert(place, entry.value.key());
            }
            if !allowed.must_refuse() {
                offered.push(entry);
            }
            judged.push(allowed);
        }
        judged
    }

    fn judge_one(
        &self,
        entry: &Entry,
        newest: i64,
        certain: &BTreeMap<(usize, i64), String>,
        offered: &[&Entry],
    ) -> Allowed {
        let none = Allowed::default();
        if entry.time > newest || entry.series == INVALID {
            return Allowed {
                invalid: true,
                ..none
            };
        }
        let key = entry.value.key();
        let mut here = offered
            .iter()
            .copied()
            .filter(|other| (other.series, other.time) == (entry.series, entry.time));
        if self.is_expired(entry) {
            // The newest sample of a series is told as a repetition even then.
            let is_same = |other: &&Entry| other.value.key() == key;
            return Allowed {
                expired: true,
                duplicate: self.shape == Shape::Samples && here.clone().any(|o| is_same(&o)),
                conflict: self.shape == Shape::Samples && here.any(|o| !is_same(&o)),
                ..none
            };
        }
        if self.shape != Shape::Samples {
            let is_known = here.any(|other| other.value.key() == key);
            return Allowed {
                accept: true,
                duplicate: is_known,
                ..none
            };
        }
        if let Some(held) = certain.get(&(entry.series, entry.time)) {
            return match *held == key {
                true => Allowed {
                    duplicate: true,
                    ..none
                },
                false => Allowed {
                    conflict: true,
                    ..none
                },
            };
        }
        let mut allowed = Allowed {
            accept: true,
            conflict: self.was_in_flight(entry),
            ..none
        };
        for other in here {
            match other.value.key() == key {
                true => allowed.duplicate = true,
                false => allowed.conflict = true,
            }
        }
        allowed
    }

    /// Notes a batch. `judged` says which of its entries are certain to be in the window now.
    pub fn add(&mut self, fate: Fate, entries: Vec<Entry>, judged: &[Allowed]) {
        if fate == Fate::Acknowledged && self.shape == Shape::Samples {
            for (entry, allowed) in entries.iter().zip(judged) {
                if *allowed
                    == (Allowed {
                        accept: true,
                        ..Allowed::default()
                    })
                {
                    self.certain
                        .insert((entry.series, entry.time), entry.value.key());
                }
            }
        }
        self.sent.push(Sent {
            fate,
            entries,
            is_safe: false,
        });
    }
}

fn entries_of(read: &Content, series: usize) -> &[(i64, String)] {
    read.get(&series).map_or(&[][..], Vec::as_slice)
}

fn has_exactly(read: &Content, entry: &Entry) -> bool {
    entries_of(read, entry.series).contains(&(entry.time, entry.value.show()))
}

fn is_visible(sent: &Sent) -> bool {
    matches!(
        sent.fate,
        Fate::Acknowledged | Fate::Doubt { is_seen: true }
    )
}

fn is_hidden_in_window(sent: &Sent) -> bool {
    sent.fate == (Fate::Hidden { is_frozen: false })
}

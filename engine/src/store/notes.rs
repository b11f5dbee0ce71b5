//! Small durable facts beside the series, by key: metric metadata. The log has them first, the
//! manifest for good; the log's floor does not pass a note that the manifest lacks.

use std::collections::{BTreeMap, BTreeSet};

use crate::codec::bytes::{Cursor, put_prefixed};
use crate::error::{Error, Result};
use crate::head::record::NOTES;
use crate::kind::Kind;
use crate::manifest::Change;
use crate::store::Core;
use crate::store::class_table::OWN_NOTE;
use crate::wal::Lsn;

/// A store's notes.
#[derive(Default)]
pub(crate) struct Notes {
    values: BTreeMap<Vec<u8>, Note>,
    /// What the manifest does not have yet: the changes of each key, oldest first. The newest alone
    /// would not do: the log may lose it, and the floor may have passed the one before.
    unsaved: BTreeMap<Vec<u8>, Vec<Note>>,
    /// Log positions of changes that the log has not acknowledged.
    in_flight: BTreeSet<u64>,
}

/// A value and the log position that it came with. The manifest keeps both: an older value may
/// still stand in the log, and where the newer one's place there is lost, it must not come back.
#[derive(Clone)]
struct Note {
    value: Vec<u8>,
    lsn: u64,
}

/// Keys and values as a change of the manifest carries them.
type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// Keys that a change of the manifest saves, with the log position of each.
pub(crate) type Saving = BTreeMap<Vec<u8>, u64>;

fn is_own(key: &[u8]) -> bool {
    key.first() == Some(&OWN_NOTE)
}

impl Notes {
    /// Notes as the manifest has them: the log position that each came with, then the value.
    pub(crate) fn recovered(saved: &BTreeMap<Vec<u8>, Vec<u8>>) -> Result<Self> {
        let mut values = BTreeMap::new();
        // A store's own notes are the manifest's alone: the log never has them.
        let of_callers = saved.iter().filter(|(key, _)| !is_own(key));
        for (key, saved) in of_callers {
            let mut cursor = Cursor::new(saved);
            let lsn = cursor
                .u64()
                .map_err(|error| error.context("a note in the manifest"))?;
            values.insert(
                key.clone(),
                Note {
                    value: cursor.rest().to_vec(),
                    lsn,
                },
            );
        }
        Ok(Notes {
            values,
            ..Notes::default()
        })
    }

    /// What the manifest lacks below `floor`, and what to call saved once it has that. A note at or
    /// above the floor stays the log's: if the log lost it, its LSN would be given out again, and a
    /// newer note under it would pass for older (I3).
    fn unsaved(&self, floor: u64) -> (Pairs, Saving) {
        let (mut pairs, mut saving) = (Pairs::new(), Saving::new());
        for (key, changes) in &self.unsaved {
            if let Some(note) = changes.iter().rfind(|note| note.lsn < floor) {
                let saved = [&note.lsn.to_le_bytes()[..], &note.value].concat();
                pairs.push((key.clone(), saved));
                saving.insert(key.clone(), note.lsn);
            }
        }
        (pairs, saving)
    }

    /// The manifest has these; a change that came meanwhile it has not.
    pub(crate) fn saved(&mut self, saving: &Saving) {
        for (key, saved) in saving {
            if let Some(changes) = self.unsaved.get_mut(key) {
                changes.retain(|note| note.lsn > *saved);
            }
        }
        self.unsaved.retain(|_, changes| !changes.is_empty());
    }

    fn floor(&self) -> Option<u64> {
        let oldest = self.unsaved.values().filter_map(|changes| changes.first());
        let oldest = oldest.map(|note| note.lsn).min();
        oldest
            .into_iter()
            .chain(self.in_flight.first().copied())
            .min()
    }

    fn holds(&self, key: &[u8], value: &[u8]) -> bool {
        self.values.get(key).is_some_and(|note| note.value == value)
    }

    /// Takes what the log has acknowledged. Of two changes the one later in the log stays.
    fn put(&mut self, key: Vec<u8>, value: Vec<u8>, lsn: u64) {
        let newest = self.values.get(&key).map(|note| note.lsn);
        let is_newest = newest.is_none_or(|newest| newest <= lsn);
        // What the manifest had when the store was opened is newer than what the log still has
        // below it.
        if !is_newest && !self.unsaved.contains_key(&key) {
            return;
        }
        let note = Note { value, lsn };
        let changes = self.unsaved.entry(key.clone()).or_default();
        let place = changes.partition_point(|held| held.lsn < lsn);
        // A record may come twice in a recovery.
        if changes.get(place).is_some_and(|held| held.lsn == lsn) {
            changes.remove(place);
        }
        changes.insert(place, note.clone());
        if is_newest {
            self.values.insert(key, note);
        }
    }
}

impl<K: Kind> Core<K> {
    /// Stores notes; unchanged ones cost nothing.
    pub(crate) fn put_notes(&self, notes: &[(Vec<u8>, Vec<u8>)]) -> Result<()> {
        let wal = self.log_for_writing()?;
        // Of a key given twice the last value counts.
        let mut changed: BTreeMap<Vec<u8>, Vec<u8>> = notes.iter().cloned().collect();
        {
            let held = self.notes.lock();
            changed.retain(|key, value| !held.holds(key, value));
        }
        if changed.is_empty() {
            return Ok(());
        }
        let mut body = Vec::new();
        for (key, value) in &changed {
            put_prefixed(&mut body, key);
            put_prefixed(&mut body, value);
        }
        // In flight from the moment that the log may have them: the floor cannot pass them.
        let lsn = {
            let mut held = self.notes.lock();
            let lsn = wal.submit(wal.era(), &self.tenant, self.tag, NOTES, &body)?;
            held.in_flight.insert(lsn.0);
            lsn
        };
        let outcome = wal.wait(lsn);
        let mut held = self.notes.lock();
        held.in_flight.remove(&lsn.0);
        self.notes_landed.notify_all();
        outcome?;
        changed
            .into_iter()
            .for_each(|(key, value)| held.put(key, value, lsn.0));
        Ok(())
    }

    /// What the manifest lacks, once no note below `floor` is on its way any more: the floor that
    /// is about to be named must not pass one.
    pub(crate) fn unsaved_notes(&self, floor: u64) -> (Pairs, Saving) {
        let mut held = self.notes.lock();
        while held.in_flight.first().is_some_and(|lsn| *lsn < floor) {
            self.notes_landed.wait(&mut held);
        }
        held.unsaved(floor)
    }

    /// Makes the manifest name the highest floor that it can, if the head needs nothing from the
    /// log.
    pub(crate) fn raise_floor(&self) -> Result<()> {
        let wal = self.shared.wal()?;
        // No freeze cuts or releases a window while the floor is worked out.
        let _one_at_a_time = self.freezing.lock();
        match self.head.idle_floor(|| wal.next_lsn()) {
            Some(floor) => self.commit_floor(floor, Vec::new()),
            None => Ok(()),
        }
    }

    /// Names a floor, and lets go of these tombstones.
    pub(crate) fn commit_floor(&self, floor: u64, remove_tombstones: Vec<u64>) -> Result<()> {
        let (put_notes, saving) = self.unsaved_notes(floor);
        let change = Change {
            wal_floor: Some(floor),
            remove_tombstones,
            put_notes,
            ..Change::default()
        };
        let show = |version| self.change_state(|state| state.with_version(version));
        self.commit(&[], |_| Ok(change), show)?;
        self.notes.lock().saved(&saving);
        Ok(())
    }

    /// Takes the notes of a log record.
    pub(crate) fn replay_notes(&self, body: &[u8], lsn: Lsn) -> Result<()> {
        let mut cursor = Cursor::new(body);
        let mut held = self.notes.lock();
        while !cursor.is_empty() {
            let (key, value) = (cursor.prefixed()?, cursor.prefixed()?);
            if is_own(key) {
                return Err(Error::corrupt(
                    "a note in the log has the key of a store's own",
                ));
            }
            held.put(key.to_vec(), value.to_vec(), lsn.0);
        }
        Ok(())
    }

    pub(crate) fn notes(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let notes = self.notes.lock();
        notes
            .values
            .iter()
            .map(|(key, note)| (key.clone(), note.value.clone()))
            .collect()
    }

    /// The oldest log position that a note still needs.
    pub(crate) fn notes_floor(&self) -> Option<u64> {
        self.notes.lock().floor()
    }

    /// Puts into the manifest what only the log has. `floor` is a log position asked for before
    /// this call, before which the head needs nothing; without one, a later freeze takes the notes.
    pub(crate) fn commit_notes(&self, floor: Option<u64>) -> Result<()> {
        match floor {
            Some(floor) if self.notes_floor().is_some() => self.commit_floor(floor, Vec::new()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes(changes: &[(&str, u64)]) -> Notes {
        let mut notes = Notes::default();
        for (value, lsn) in changes {
            notes.put(b"key".to_vec(), value.as_bytes().to_vec(), *lsn);
        }
        notes
    }

    /// What the manifest would get below a floor: the value, and the log position it came with.
    fn told(notes: &Notes, floor: u64) -> Option<(String, u64)> {
        let (pairs, _) = notes.unsaved(floor);
        let (_, saved) = pairs.first()?;
        let (lsn, value) = saved.split_first_chunk::<8>().unwrap();
        let value = String::from_utf8(value.to_vec()).unwrap();
        Some((value, u64::from_le_bytes(*lsn)))
    }

    #[test]
    fn a_floor_between_two_changes_takes_the_older_one_along() {
        let mut notes = notes(&[("old", 10), ("new", 100)]);
        assert_eq!(told(&notes, 10), None);
        assert_eq!(told(&notes, 50), Some(("old".to_owned(), 10)));
        assert_eq!(told(&notes, 101), Some(("new".to_owned(), 100)));
        assert_eq!(notes.floor(), Some(10));
        let (_, saving) = notes.unsaved(50);
        notes.saved(&saving);
        assert_eq!(notes.floor(), Some(100));
        assert_eq!(told(&notes, 50), None);
        let (_, saving) = notes.unsaved(101);
        notes.saved(&saving);
        assert_eq!(notes.floor(), None);
        assert!(notes.holds(b"key", b"new"));
    }

    #[test]
    fn changes_that_land_out_of_order_count_in_the_order_of_the_log() {
        let notes = notes(&[("new", 100), ("old", 10), ("old", 10)]);
        assert!(notes.holds(b"key", b"new"));
        assert_eq!(told(&notes, 50), Some(("old".to_owned(), 10)));
        assert_eq!(told(&notes, 101), Some(("new".to_owned(), 100)));
    }

    #[test]
    fn what_the_manifest_has_is_not_undone_by_what_the_log_has_below_it() {
        let saved = [&50u64.to_le_bytes()[..], b"saved"].concat();
        let saved = BTreeMap::from([(b"key".to_vec(), saved)]);
        let mut notes = Notes::recovered(&saved).unwrap();
        notes.put(b"key".to_vec(), b"old".to_vec(), 10);
        assert!(notes.holds(b"key", b"saved"));
        assert_eq!(notes.floor(), None);
    }
}

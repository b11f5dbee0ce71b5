//! Small durable facts beside the series, by key: metric metadata. The log has them first, the
//! manifest for good; the log's floor does not pass a note that the manifest lacks.

use std::collections::BTreeMap;

use crate::codec::bytes::{Cursor, put_prefixed};
use crate::error::Result;
use crate::head::record::NOTES;
use crate::kind::Kind;
use crate::manifest::Change;
use crate::store::Core;
use crate::wal::Lsn;

/// A store's notes.
#[derive(Default)]
pub(crate) struct Notes {
    values: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Keys that the manifest does not have yet, with the log position of the newest change.
    unsaved: BTreeMap<Vec<u8>, u64>,
}

impl Notes {
    pub(crate) fn recovered(values: BTreeMap<Vec<u8>, Vec<u8>>) -> Self {
        Notes {
            values,
            unsaved: BTreeMap::new(),
        }
    }

    /// What the manifest lacks, and the log position up to which that is.
    pub(crate) fn unsaved(&self) -> (Vec<(Vec<u8>, Vec<u8>)>, u64) {
        let pairs = self
            .unsaved
            .keys()
            .map(|key| (key.clone(), self.values[key].clone()));
        (
            pairs.collect(),
            self.unsaved.values().max().copied().unwrap_or(0),
        )
    }

    /// The manifest has every change up to a log position.
    pub(crate) fn saved(&mut self, through: u64) {
        self.unsaved.retain(|_, lsn| *lsn > through);
    }

    fn floor(&self) -> Option<u64> {
        self.unsaved.values().min().copied()
    }

    fn put(&mut self, key: Vec<u8>, value: Vec<u8>, lsn: u64) {
        self.unsaved.insert(key.clone(), lsn);
        self.values.insert(key, value);
    }

    /// Takes back what the log refused at this position: sent again, it is news again.
    fn forget(&mut self, lsn: u64) {
        let values = &mut self.values;
        self.unsaved.retain(|key, at| {
            let is_kept = *at != lsn;
            if !is_kept {
                values.remove(key);
            }
            is_kept
        });
    }

    pub(crate) fn values(&self) -> &BTreeMap<Vec<u8>, Vec<u8>> {
        &self.values
    }
}

impl<K: Kind> Core<K> {
    /// Stores notes; unchanged ones cost nothing.
    pub(crate) fn put_notes(&self, notes: &[(Vec<u8>, Vec<u8>)]) -> Result<()> {
        let wal = self.shared.wal()?;
        if wal.health().is_some() {
            self.shared.revive_log()?;
        }
        let mut changed: Vec<(Vec<u8>, Vec<u8>)> = {
            let held = self.notes.lock();
            let is_new = |(key, value): &&(Vec<u8>, Vec<u8>)| held.values.get(key) != Some(value);
            notes.iter().filter(is_new).cloned().collect()
        };
        if changed.is_empty() {
            return Ok(());
        }
        let mut body = Vec::new();
        for (key, value) in &changed {
            put_prefixed(&mut body, key);
            put_prefixed(&mut body, value);
        }
        // Entered before the log has them, at a position not after theirs: the floor cannot pass
        // them.
        let lsn = {
            let mut held = self.notes.lock();
            let lsn = wal.submit(wal.era(), &self.tenant, self.tag, NOTES, &body)?;
            changed
                .drain(..)
                .for_each(|(key, value)| held.put(key, value, lsn.0));
            lsn
        };
        wal.wait(lsn)
            .inspect_err(|_| self.notes.lock().forget(lsn.0))
    }

    /// Takes the notes of a log record.
    pub(crate) fn replay_notes(&self, body: &[u8], lsn: Lsn) -> Result<()> {
        let mut cursor = Cursor::new(body);
        let mut held = self.notes.lock();
        while !cursor.is_empty() {
            let (key, value) = (cursor.prefixed()?, cursor.prefixed()?);
            held.put(key.to_vec(), value.to_vec(), lsn.0);
        }
        Ok(())
    }

    pub(crate) fn notes(&self) -> BTreeMap<Vec<u8>, Vec<u8>> {
        self.notes.lock().values().clone()
    }

    /// The oldest log position that a note still needs.
    pub(crate) fn notes_floor(&self) -> Option<u64> {
        self.notes.lock().floor()
    }

    /// Puts into the manifest what only the log has. `floor` is a log position asked for before
    /// this call, before which the head needs nothing.
    pub(crate) fn commit_notes(&self, floor: Option<u64>) -> Result<()> {
        let (put_notes, through) = self.notes.lock().unsaved();
        if put_notes.is_empty() {
            return Ok(());
        }
        let change = Change {
            wal_floor: floor,
            put_notes,
            ..Change::default()
        };
        let version = self.manifest()?.lock().commit(&change)?;
        self.notes.lock().saved(through);
        self.change_state(|state| crate::store::State {
            version,
            blocks: state.blocks.clone(),
            windows: state.windows.clone(),
        });
        Ok(())
    }
}

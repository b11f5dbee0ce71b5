//! Verify: everything that a data directory holds, read in full.

use std::path::{Path, PathBuf};

use super::backup::UNFINISHED;
use super::{Engine, LOCK, READ_ATTEMPTS_MAX};
use crate::codec::bytes::Cursor;
use crate::error::{Error, Result};
use crate::head::record::{self, ENTRIES, NOTES, RecordReader};
use crate::kind::Parts;
use crate::kind::lines::Lines;
use crate::kind::samples::Samples;
use crate::store::aside::DAMAGED;
use crate::store::reserve::RESERVE;
use crate::store::verify::Verification;
use crate::tenant::{STREAMS, TENANTS, check_name};
use crate::wal::{Floors, Frame, Wal};

impl Engine {
    /// Checks every checksum and every invariant of the directory: manifests, blocks down to each
    /// entry, the log down to each record, and files that nothing names.
    ///
    /// Reads all of it, from the disk as it is now, also while others write. A directory that
    /// nobody has open is checked through [`Engine::open_read_only`], which changes nothing. An
    /// error means that the disk could not be read; what is wrong with the data is in the result.
    ///
    /// ```
    /// use chronolith_engine::{Engine, Options};
    ///
    /// # let name = format!("chronolith-verify-{}", std::process::id());
    /// # let directory = std::env::temp_dir().join(name);
    /// # let _ = std::fs::remove_dir_all(&directory);
    /// # Engine::open(&directory, Options::default())?.close()?;
    /// let engine = Engine::open_read_only(&directory, Options::default())?;
    /// let found = engine.verify()?;
    /// for error in &found.damage {
    ///     println!("{error}");
    /// }
    /// assert!(found.is_sound());
    /// # std::fs::remove_dir_all(&directory).ok();
    /// # Ok::<(), chronolith_engine::Error>(())
    /// ```
    pub fn verify(&self) -> Result<Verification> {
        let mut found = Verification::default();
        self.verify_log(&mut found)?;
        for store in self.shared.stores() {
            store.verify(&mut found)?;
        }
        self.look_for_litter(&mut found)?;
        Ok(found)
    }

    /// Reads the log from where on the stores need it.
    fn verify_log(&self, found: &mut Verification) -> Result<()> {
        let directory = self.tenants.root.join("wal");
        // In this process no segment is released meanwhile; a writer in another one may do so.
        let _no_release = self.shared.releasing.lock();
        let mut attempts = 0;
        let (report, bad_records) = loop {
            attempts += 1;
            let floors = self.floors_on_disk()?;
            let mut bad_records = Vec::new();
            let mut check = |frame: Frame<'_>| {
                if let Err(error) = check_record(&frame) {
                    let error = error.context(format!("log record {}", frame.lsn.0));
                    bad_records.push(error.at_path(&directory));
                }
                Ok(())
            };
            let report = Wal::replay_only(&*self.shared.fs, &directory, floors, &mut check)?;
            let is_sound = report.damages.is_empty() && bad_records.is_empty();
            let now = self.floors_on_disk()?;
            let is_settled = (now.lowest, now.highest) == (floors.lowest, floors.highest);
            if is_sound || is_settled || attempts == READ_ATTEMPTS_MAX {
                break (report, bad_records);
            }
        };
        found.log_segments += report.segment_count() as u64;
        found.log_records += report.frames;
        found.log_torn_bytes += report.torn_tail_bytes;
        found.bytes += report.bytes;
        let damages = report.damages.iter().map(|damage| damage.error());
        found.damage.extend(damages.chain(bad_records));
        Ok(())
    }

    fn floors_on_disk(&self) -> Result<Floors> {
        let mut floors = Vec::new();
        for store in self.shared.stores() {
            floors.push(store.floor_on_disk()?);
        }
        Ok(Floors::of(&floors))
    }

    fn look_for_litter(&self, found: &mut Verification) -> Result<()> {
        let root = &self.tenants.root;
        let is_known = |name: &str| {
            let known = [LOCK, RESERVE, UNFINISHED, DAMAGED, "wal", TENANTS];
            known.contains(&name)
        };
        self.note_strangers(root, is_known, found)?;
        self.note_strangers(&root.join("wal"), Wal::is_segment_name, found)?;
        let tenants = root.join(TENANTS);
        let is_tenant = |name: &str| {
            check_name(name).is_ok() && self.tenants.is_folder(&tenants.join(name)).unwrap_or(false)
        };
        self.note_strangers(&tenants, is_tenant, found)?;
        for tenant in self.tenants() {
            let is_stream = |name: &str| STREAMS.iter().any(|(_, folder)| *folder == name);
            self.note_strangers(&tenants.join(tenant), is_stream, found)?;
        }
        Ok(())
    }

    /// Notes what lies in a folder and is not known. A folder that is not there holds nothing.
    fn note_strangers(
        &self,
        folder: &Path,
        is_known: impl Fn(&str) -> bool,
        found: &mut Verification,
    ) -> Result<()> {
        let names = match self.shared.fs.list(folder) {
            Ok(names) => names,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::io(error, "cannot list a folder", folder)),
        };
        let strangers = names.into_iter().filter(|name| !is_known(name));
        let strangers: Vec<PathBuf> = strangers.map(|name| folder.join(name)).collect();
        found.litter.extend(strangers);
        Ok(())
    }
}

/// Whether a record says something that a store could take back.
pub(super) fn check_record(frame: &Frame<'_>) -> Result<()> {
    check_name(frame.tenant)?;
    match (frame.kind, frame.record) {
        (1, ENTRIES) => record::read::<Samples, _>(frame.body, &mut Unheard),
        (2 | 3, ENTRIES) => record::read::<Lines, _>(frame.body, &mut Unheard),
        (1..=3, NOTES) => {
            let mut cursor = Cursor::new(frame.body);
            while !cursor.is_empty() {
                cursor.prefixed()?;
                cursor.prefixed()?;
            }
            Ok(())
        }
        (kind, record) => Err(Error::corrupt(format!(
            "kind {kind} or record type {record} is unknown"
        ))),
    }
}

/// Hears what a record says and does nothing with it.
struct Unheard;

impl<K: Parts> RecordReader<K> for Unheard {
    fn pair(&mut self, _: u32, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn series(&mut self, _: u32, _: &[u32]) -> Result<()> {
        Ok(())
    }

    fn entry(&mut self, _: u32, _: &K::Entry<'_>) -> Result<()> {
        Ok(())
    }
}

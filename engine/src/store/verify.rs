//! Verify: whether a store is on the disk what its manifest says, down to every entry.

use std::path::PathBuf;
use std::sync::Arc;

use crate::block::{block_number, block_path};
use crate::error::{Error, Result};
use crate::kind::Kind;
use crate::manifest::{Manifest, Version};
use crate::store::check::check_block;
use crate::store::{Core, Store};

/// What a check has looked at and found: of one store, or of a whole directory.
#[derive(Clone, Debug, Default)]
pub struct Verification {
    /// Stores: one for each kind of each tenant that has any.
    pub stores: u64,
    /// Manifest files that count.
    pub manifest_files: u64,
    /// Blocks, damaged ones among them.
    pub blocks: u64,
    /// Series, counted in each block that has them.
    pub series: u64,
    /// Chunks of the blocks.
    pub chunks: u64,
    /// Entries of the blocks.
    pub entries: u64,
    /// Segments of the log.
    pub log_segments: u64,
    /// Records of the log that are not in blocks.
    pub log_records: u64,
    /// Bytes at the end of the log that are no whole record: a write that a crash cut short and of
    /// which nobody was told, as a rule. Damage of the very last record looks the same.
    pub log_torn_bytes: u64,
    /// Bytes of all that was read.
    pub bytes: u64,
    /// Everything that is wrong, with path and offset where there is one. `Engine::repair` takes it
    /// out.
    pub damage: Vec<Error>,
    /// Files that nothing names: left by a crash, or a stranger's. They do no harm. Beside a writer
    /// some may be files at work.
    pub litter: Vec<PathBuf>,
}

impl Verification {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.damage.is_empty()
    }
}

impl<K: Kind> Store<K> {
    /// Reads the manifest and every block of this store in full: every checksum, the order and
    /// range of every entry, and that counts, indexes and filters agree with what is there. Works
    /// on the disk as it is now, also beside writers. An error means that the disk could not be
    /// read.
    ///
    /// What is in memory and in the log is not looked at: [`Engine::verify`](crate::Engine::verify)
    /// checks a whole directory.
    pub fn verify(&self) -> Result<Verification> {
        let mut found = Verification::default();
        self.core.verify_files(&mut found)?;
        Ok(found)
    }
}

impl<K: Kind> Core<K> {
    /// The version that the disk has: a reader beside a writer in another process looks again.
    pub(crate) fn version_on_disk(&self) -> Result<Arc<Version>> {
        match self.manifest {
            Some(_) => Ok(Arc::clone(&self.state().version)),
            None => {
                let directory = self.directory.join("manifest");
                Manifest::read(&*self.shared.fs, &directory).map(|opened| opened.version)
            }
        }
    }

    pub(crate) fn verify_files(&self, found: &mut Verification) -> Result<()> {
        found.stores += 1;
        let manifest = Manifest::check(&*self.shared.fs, &self.directory.join("manifest"))?;
        found.manifest_files += manifest.files;
        found.bytes += manifest.bytes;
        found.damage.extend(manifest.damage);
        found.litter.extend(manifest.litter);
        // Held, so that no block is unlinked meanwhile (I26).
        let state = self.state();
        let version = self.version_on_disk()?;
        for entry in &version.blocks {
            self.verify_block(entry.number, &version, found)?;
        }
        drop(state);
        self.look_for_litter(&version, found)
    }

    fn verify_block(&self, number: u64, version: &Version, found: &mut Verification) -> Result<()> {
        let path = block_path(&self.blocks_directory(), number);
        let entry = version.blocks.iter().find(|entry| entry.number == number);
        let checked = check_block::<K>(&self.shared.files, &path, number, self.tag, entry)?;
        let is_missing = checked.errors.iter().any(Error::is_not_found);
        // A writer in another process may have taken it out meanwhile.
        let is_gone = is_missing && {
            let now = self.version_on_disk()?;
            now.blocks.iter().all(|entry| entry.number != number)
        };
        if is_gone {
            return Ok(());
        }
        found.blocks += 1;
        if let Some(reader) = checked.reader {
            found.series += u64::from(reader.series_count());
            found.chunks += reader.chunk_count();
            found.entries += reader.entry_count();
            found.bytes += reader.bytes();
        }
        found.damage.extend(checked.errors);
        Ok(())
    }

    fn look_for_litter(&self, version: &Version, found: &mut Verification) -> Result<()> {
        let list = |directory: &PathBuf| {
            let names = self.shared.fs.list(directory);
            names.map_err(|error| Error::io(error, "cannot list a store", directory))
        };
        for name in list(&self.directory)? {
            if name != "blocks" && name != "manifest" {
                found.litter.push(self.directory.join(name));
            }
        }
        let blocks = self.blocks_directory();
        for name in list(&blocks)? {
            let number = block_number(&name);
            if !version
                .blocks
                .iter()
                .any(|entry| Some(entry.number) == number)
            {
                found.litter.push(blocks.join(name));
            }
        }
        Ok(())
    }
}

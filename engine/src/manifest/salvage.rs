//! A manifest folder in whatever state, for repair: what its files still say, and which of them to
//! set aside.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Manifest;
use super::recover::{self, Recovered, file_path, recover};
use crate::error::{Error, ErrorKind, Result};
use crate::io::Fs;

/// A manifest that can be committed to, and what was wrong with it.
pub(crate) struct Salvaged {
    /// Its version is what is left. The next commit writes all of it anew.
    pub(crate) manifest: Manifest,
    /// What is wrong; empty for a sound folder.
    pub(crate) damage: Vec<Error>,
    /// Damaged files, and those that were set aside before.
    pub(crate) broken: Vec<PathBuf>,
    pub(crate) left: Left,
}

/// How much of a manifest is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Everything that was committed.
    All,
    /// A version; what was committed after it is lost.
    Older,
    /// Nothing.
    Nothing,
}

impl Manifest {
    /// Reads a folder as far as it can be read. Writes nothing. An error is the disk's, or a later
    /// format's.
    pub(crate) fn salvage(fs: Arc<dyn Fs>, dir: &Path) -> Result<Salvaged> {
        let checked = Manifest::check(&*fs, dir)?;
        let (found, left) = match recover(&*fs, dir) {
            Ok(found) => {
                let left = match (found.version.sequence, found.damage.is_empty()) {
                    (0, _) => Left::Nothing,
                    (_, true) => Left::All,
                    (_, false) => Left::Older,
                };
                (found, left)
            }
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                (nothing(&*fs, dir)?, Left::Nothing)
            }
            Err(error) => return Err(error),
        };
        let mut broken: Vec<PathBuf> = match left {
            Left::Nothing => found.numbers.iter(),
            _ => found.broken.iter(),
        }
        .map(|number| file_path(dir, *number))
        .collect();
        broken.extend(recover::set_aside(&*fs, dir)?);
        // Repair sets files aside by itself, under another roof.
        let found = Recovered {
            broken: Vec::new(),
            ..found
        };
        Ok(Salvaged {
            manifest: Manifest::new(fs, dir, &found),
            damage: checked.damage,
            broken,
            left,
        })
    }

    /// Removes the second names of damaged files, which say that there may be more than the
    /// manifest knows, and what a checkpoint supersedes.
    pub(crate) fn forget_damaged(&self) -> Result<()> {
        let failed = |error| Error::io(error, "removing a damaged manifest", &self.dir);
        for path in recover::set_aside(&*self.fs, &self.dir)? {
            self.fs.remove_file(&path).map_err(failed)?;
        }
        self.remove_older();
        self.fs.sync_dir(&self.dir).map_err(failed)
    }
}

fn nothing(fs: &dyn Fs, dir: &Path) -> Result<Recovered> {
    Ok(Recovered {
        numbers: recover::numbers(fs, dir)?,
        ..Recovered::default()
    })
}

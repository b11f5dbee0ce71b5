//! Checks the files of a manifest folder: both copies of each file that counts, and what lies
//! beside them.

use std::path::{Path, PathBuf};

use super::file::whole_copies;
use super::recover::{self, file_path, read_bytes, recover};
use super::{Manifest, READ_ATTEMPTS_MAX};
use crate::error::{Error, ErrorKind, Result};
use crate::io::Fs;

/// What a folder holds.
#[derive(Default)]
pub(crate) struct FolderCheck {
    /// Files that were read.
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    /// What is wrong, lost or not.
    pub(crate) damage: Vec<Error>,
    /// Files that no longer count, never counted, or are none of ours.
    pub(crate) litter: Vec<PathBuf>,
}

impl Manifest {
    /// Checks a folder, beside a writer too. An error is the disk's.
    pub(crate) fn check(fs: &dyn Fs, dir: &Path) -> Result<FolderCheck> {
        let mut attempts = 0;
        loop {
            let before = recover::numbers(fs, dir)?;
            let outcome = check_once(fs, dir);
            attempts += 1;
            // A writer that removes what its checkpoint supersedes looks like damage for a moment.
            let is_sound = outcome.as_ref().is_ok_and(|found| found.damage.is_empty());
            if is_sound || attempts == READ_ATTEMPTS_MAX || recover::numbers(fs, dir)? == before {
                return outcome;
            }
        }
    }
}

fn check_once(fs: &dyn Fs, dir: &Path) -> Result<FolderCheck> {
    let mut found = FolderCheck::default();
    let recovered = match recover(fs, dir) {
        Ok(recovered) => recovered,
        Err(error) if matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported) => {
            found.damage.push(error);
            return Ok(found);
        }
        Err(error) => return Err(error),
    };
    let first = recovered.chain.first().copied().unwrap_or(0);
    for number in &recovered.numbers {
        let path = file_path(dir, *number);
        if !recovered.chain.contains(number) {
            // Superseded, or torn: a commit that nobody was told of.
            let is_broken = recovered.broken.contains(number);
            if *number < first || !is_broken {
                found.litter.push(path);
            }
            continue;
        }
        let bytes = read_bytes(fs, &path)?;
        found.files += 1;
        found.bytes += bytes.len() as u64;
        if whole_copies(*number, &bytes) == 1 {
            let text = "one of the two copies is damaged; nothing is lost";
            found.damage.push(Error::corrupt(text).at_path(&path));
        }
    }
    found.damage.extend(recovered.damage);
    found.litter.extend(recover::strangers(fs, dir)?);
    Ok(found)
}

//! A version as the only file of a new manifest folder: what a backup has.

use std::path::Path;

use super::Manifest;
use super::file::{Form, Record, encode};
use super::recover::file_path;
use super::version::Version;
use crate::error::{Error, Result};
use crate::io::Fs;

impl Manifest {
    /// Writes a committed version into a new folder, as a checkpoint under its own number. The
    /// names in the folder's parent are the caller's to make durable.
    pub(crate) fn write_copy(fs: &dyn Fs, dir: &Path, version: &Version) -> Result<()> {
        assert!(version.sequence > 0, "a committed version has a number");
        // File 1 alone passes for a folder that was only begun.
        let is_first = version.sequence == 1;
        assert!(
            !is_first || version.blocks.is_empty(),
            "the first version holds nothing"
        );
        let record = Record {
            number: version.sequence,
            form: Form::Checkpoint,
            change: version.as_change(),
        };
        let bytes = encode(&record)?;
        let path = file_path(dir, version.sequence);
        let failed = |error| Error::io(error, "copying the manifest", &path);
        fs.create_dir_all(dir).map_err(failed)?;
        let mut file = fs.create_new(&path).map_err(failed)?;
        file.append(&bytes).map_err(failed)?;
        file.sync().map_err(failed)?;
        fs.sync_dir(dir).map_err(failed)
    }
}

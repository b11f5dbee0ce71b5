//! What repair takes out is not thrown away: it gets a second name under `damaged/`, below its old
//! path, before the first one goes.

use std::io::ErrorKind as Os;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::io::Fs;
use crate::store::backup::link_or_copy;

/// The folder in the data directory. Nothing reads it.
pub(crate) const DAMAGED: &str = "damaged";

/// The place for damaged files of one data directory.
pub(crate) struct Aside {
    fs: Arc<dyn Fs>,
    root: PathBuf,
}

impl Aside {
    pub(crate) fn new(fs: Arc<dyn Fs>, root: &Path) -> Self {
        let root = root.to_path_buf();
        Aside { fs, root }
    }

    /// Gives a file its second name, durably, and says which. One that has it already, since an
    /// earlier repair was interrupted, is fine.
    pub(crate) fn keep(&self, path: &Path) -> Result<PathBuf> {
        let below = path.strip_prefix(&self.root);
        let below = below.expect("damaged files lie below the data directory");
        let target = self.root.join(DAMAGED).join(below);
        let failed = |error| Error::io(error, "cannot set a damaged file aside", path);
        let folder = target.parent().unwrap_or(&self.root);
        self.fs.create_dir_all(folder).map_err(failed)?;
        match self.fs.open_read(&target) {
            Err(error) if error.kind() == Os::NotFound => {
                link_or_copy(&*self.fs, path, &target)?;
            }
            outcome => drop(outcome.map_err(failed)?),
        }
        for folder in folder.ancestors() {
            self.fs.sync_dir(folder).map_err(failed)?;
            if folder == self.root {
                break;
            }
        }
        Ok(target)
    }
}

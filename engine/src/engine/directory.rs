//! Taking a data directory: it is made where it is missing, and its lock makes its holder the one
//! writer.

use std::path::Path;

use crate::error::{Error, ErrorKind, Result};
use crate::io::{Fs, Lock};

/// The file whose lock makes its holder the one writer.
pub(super) const LOCK: &str = "LOCK";

/// Makes the directory and takes its lock (I11).
pub(super) fn take_directory(fs: &dyn Fs, root: &Path) -> Result<Box<dyn Lock>> {
    let failed = |error| Error::io(error, "cannot make the data directory", root);
    fs.create_dir_all(root).map_err(failed)?;
    sync_name(fs, root).map_err(failed)?;
    let path = root.join(LOCK);
    match fs.lock(&path) {
        Ok(lock) => Ok(lock),
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => Err(Error::new(
            ErrorKind::Locked,
            "another process or handle has this data directory open: close it, or open read-only",
        )
        .at_path(root)),
        Err(error) => Err(Error::io(error, "cannot lock the data directory", &path)),
    }
}

/// Makes the name of a folder durable, and those of the folders that it lies in: whoever made them,
/// be it an earlier call that failed, may not have done so.
fn sync_name(fs: &dyn Fs, folder: &Path) -> std::io::Result<()> {
    use std::io::ErrorKind as Os;
    let parents = folder.ancestors().skip(1);
    for (place, parent) in parents.enumerate() {
        if parent.as_os_str().is_empty() {
            break;
        }
        match fs.sync_dir(parent) {
            // Further up it may be the system's, and durable for long.
            Err(error)
                if place > 0
                    && matches!(
                        error.kind(),
                        Os::PermissionDenied
                            | Os::InvalidInput
                            | Os::Unsupported
                            | Os::ReadOnlyFilesystem
                    ) => {}
            outcome => outcome?,
        }
    }
    Ok(())
}

//! The log of one moment, to be written down in another directory.
//!
//! Promises whole frames whose fate is settled: everything acknowledged before the call, and
//! nothing that could still be refused. Segments are opened at once, so that a later release cannot
//! take them away; they are copied, not linked, since the newest one grows and others may be in the
//! system's memory only.

use std::path::Path;
use std::sync::Arc;

use super::Wal;
use super::segment::segment_path;
use crate::error::{Error, Result};
use crate::io::{Fs, ReadFile};

/// How much is copied at a time.
const CHUNK_BYTES: u64 = 1 << 20;

/// See the file comment.
pub(crate) struct WalImage {
    segments: Vec<ImageSegment>,
}

struct ImageSegment {
    first: u64,
    bytes: u64,
    file: Arc<dyn ReadFile>,
}

impl Wal {
    /// Makes everything submitted so far durable and takes the log as it is then. The caller sees
    /// to it that no segment is released meanwhile.
    pub(crate) fn image(&self) -> Result<WalImage> {
        let mut segments = Vec::new();
        let settled = self.shared.settled_segments()?.into_iter();
        for segment in settled.filter(|segment| segment.bytes > 0) {
            let path = segment_path(&self.dir, segment.first);
            let file = self.fs.open_read(&path);
            let file =
                file.map_err(|error| Error::io(error, "cannot open the log segment", &path))?;
            segments.push(ImageSegment {
                first: segment.first,
                bytes: segment.bytes,
                file,
            });
        }
        Ok(WalImage { segments })
    }
}

impl WalImage {
    /// Writes the log into a new folder, whose own name is the caller's to make durable. Returns
    /// how many bytes it has.
    pub(crate) fn write(&self, fs: &dyn Fs, dir: &Path) -> Result<u64> {
        if self.segments.is_empty() {
            return Ok(0);
        }
        let failed = |error| Error::io(error, "cannot copy the log", dir);
        fs.create_dir_all(dir).map_err(failed)?;
        let mut total = 0;
        for segment in &self.segments {
            segment.write(fs, dir)?;
            total += segment.bytes;
        }
        fs.sync_dir(dir).map_err(failed)?;
        Ok(total)
    }
}

impl ImageSegment {
    fn write(&self, fs: &dyn Fs, dir: &Path) -> Result<()> {
        let path = segment_path(dir, self.first);
        let failed = |error| Error::io(error, "cannot copy a log segment", &path);
        let mut file = fs.create_new(&path).map_err(failed)?;
        let mut chunk = Vec::new();
        let mut at = 0;
        while at < self.bytes {
            // At most the chunk's size, which fits.
            chunk.resize((self.bytes - at).min(CHUNK_BYTES) as usize, 0);
            self.file.read_exact_at(&mut chunk, at).map_err(failed)?;
            file.append(&chunk).map_err(failed)?;
            at += chunk.len() as u64;
        }
        file.sync().map_err(failed)
    }
}

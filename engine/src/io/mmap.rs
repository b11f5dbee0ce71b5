//! Maps of sealed files: the one file of the disk seam with unsafe code.
//!
//! Promises that no byte beyond the file's end is ever mapped. It cannot promise that the file
//! keeps its length afterwards: a mapped file that shrinks kills the process, which is why only
//! sealed files that the engine made under its own lock are mapped, and why the engine unlinks and
//! never truncates.
#![allow(unsafe_code)]

use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;

use memmap2::MmapOptions;

use super::Mapped;

/// Maps a range of a sealed file that is `length` bytes long now.
pub(super) fn map<F: AsRawFd>(file: &F, length: u64, range: Range<u64>) -> io::Result<Mapped> {
    if range.start > range.end {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    if range.end > length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if range.is_empty() {
        // The system refuses empty maps.
        return Ok(Mapped::heap(Vec::new()));
    }
    let count = usize::try_from(range.end - range.start)
        .map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
    let mut options = MmapOptions::new();
    // The offset need not lie on a page: memmap2 maps from the page before it and hides the
    // difference.
    options.offset(range.start).len(count);
    // SAFETY: the range lies inside the file (checked above against its length), and the caller of
    // `ReadFile::map` promises that the file is sealed: nobody writes or truncates it while it is
    // mapped.
    let map = unsafe { options.map(file)? };
    Ok(Mapped::memory(map))
}

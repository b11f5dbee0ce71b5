//! The disk seam: everything above asks a `Fs`, and only `io/disk` touches `std::fs`.
//!
//! Two implementations: `disk` (the real one) and `sim` (in memory, with crashes, torn writes and
//! faults). Paths are handed through as given; directories must be synced by name after a file is
//! created or removed in them, or the entry may vanish in a crash.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

pub(crate) mod disk;
mod mmap;
pub(crate) mod pool;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod sim;

/// A file system: what the engine needs of one and no more.
pub(crate) trait Fs: Send + Sync + 'static {
    /// Creates a directory and its parents; one that exists is fine.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Creates a file exclusively: `AlreadyExists` if there is one.
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn WriteFile>>;
    /// Opens a file for reading by position.
    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn ReadFile>>;
    /// The names (not paths) in a directory, sorted; `NotFound` where there is none.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    /// Unlinks a file. Handles that are open keep reading it.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// Makes `to` another name of the file `from`.
    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the entries of a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes the bytes of a file durable that somebody else wrote: an earlier process, before it
    /// died.
    fn sync_file(&self, path: &Path) -> io::Result<()>;
    /// Takes an exclusive advisory lock on a file (created if absent), or `WouldBlock` if somebody
    /// holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>>;
}

/// A file being written, append only. Dropping it does not sync it.
pub(crate) trait WriteFile: Send {
    /// Writes all of `bytes` behind what is there. After an error nothing is known about how much
    /// was written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes everything appended so far durable. Never called again on a file whose sync failed.
    fn sync(&mut self) -> io::Result<()>;
}

/// A file being read by position.
pub(crate) trait ReadFile: Send + Sync {
    fn length(&self) -> io::Result<u64>;
    /// Fills `buffer` from `offset`; `UnexpectedEof` where the file ends before.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// The bytes of a range, mapped where the file system can. The caller promises that the file is
    /// sealed: nobody writes or truncates it any more (I12; docs/decisions/mmap.md says what
    /// remains).
    fn map(&self, range: Range<u64>) -> io::Result<Mapped>;
}

/// Held as long as the lock is; dropping it lets go.
pub(crate) trait Lock: Send + Sync {}

/// A range of a sealed file as a byte slice.
pub(crate) struct Mapped {
    bytes: MappedBytes,
}

enum MappedBytes {
    Heap(Vec<u8>),
    Memory(memmap2::Mmap),
}

impl Mapped {
    /// Bytes read onto the heap, for file systems without maps.
    pub(crate) fn heap(bytes: Vec<u8>) -> Self {
        Mapped {
            bytes: MappedBytes::Heap(bytes),
        }
    }

    /// Bytes of a sealed file, mapped; dropping this unmaps them.
    fn memory(map: memmap2::Mmap) -> Self {
        Mapped {
            bytes: MappedBytes::Memory(map),
        }
    }
}

impl std::ops::Deref for Mapped {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match &self.bytes {
            MappedBytes::Heap(bytes) => bytes,
            MappedBytes::Memory(map) => map,
        }
    }
}

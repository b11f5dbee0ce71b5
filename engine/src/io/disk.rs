//! The real disk: `Fs` on `std::fs`, and the only file that touches `std::fs`.
//!
//! Promises what the seam asks and adds nothing: no retry, no buffering, no sync that was not asked
//! for. Knows no formats.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::{Fs, Lock, Mapped, ReadFile, WriteFile, mmap};

/// The file system of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Disk;

impl Fs for Disk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn WriteFile>> {
        let file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(path)?;
        Ok(Box::new(DiskWriter { file }))
    }

    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn ReadFile>> {
        Ok(Arc::new(DiskReader {
            file: File::open(path)?,
        }))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(path)? {
            // Every name that the engine makes is ASCII: another one is a stranger's and left
            // alone.
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::hard_link(from, to)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        // An empty path is how `Path::parent` names the working directory.
        let path = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        File::open(path)?.sync_all()
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_data()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        // Never truncated: whoever holds the lock may have written its name into the file.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Box::new(DiskLock { _file: file })),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

struct DiskWriter {
    file: File,
}

impl WriteFile for DiskWriter {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        // fdatasync: it covers the length, which is the only metadata that a reader needs.
        self.file.sync_data()
    }
}

struct DiskReader {
    file: File,
}

impl ReadFile for DiskReader {
    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    fn map(&self, range: Range<u64>) -> io::Result<Mapped> {
        mmap::map(&self.file, self.length()?, range)
    }
}

/// The lock lives as long as the open file description.
struct DiskLock {
    _file: File,
}

impl Lock for DiskLock {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// A directory under the system's temporary one, removed when dropped.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new() -> Self {
            static NEXT: AtomicU32 = AtomicU32::new(0);
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let name = format!("chronolith-disk-{}-{number}", std::process::id());
            let path = std::env::temp_dir().join(name);
            Disk.create_dir_all(&path).unwrap();
            Scratch(path)
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            // A directory that stays behind in the temporary one does no harm.
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn what_is_appended_is_read_and_mapped() {
        let scratch = Scratch::new();
        let path = scratch.path("a");
        let bytes: Vec<u8> = (0..20_000u32).map(|i| (i % 251) as u8).collect();
        let mut writer = Disk.create_new(&path).unwrap();
        writer.append(&bytes[..7]).unwrap();
        writer.append(&bytes[7..]).unwrap();
        writer.sync().unwrap();
        Disk.sync_dir(&scratch.0).unwrap();

        let reader = Disk.open_read(&path).unwrap();
        assert_eq!(reader.length().unwrap(), bytes.len() as u64);
        let mut some = [0; 100];
        reader.read_exact_at(&mut some, 4090).unwrap();
        assert_eq!(some, bytes[4090..4190]);
        for range in [0..20_000u64, 4095..4097, 5000..19_999, 3..3, 20_000..20_000] {
            let wanted = &bytes[range.start as usize..range.end as usize];
            assert_eq!(&*reader.map(range).unwrap(), wanted);
        }
    }

    #[test]
    fn a_range_behind_the_end_is_refused_not_mapped() {
        let scratch = Scratch::new();
        let path = scratch.path("a");
        Disk.create_new(&path).unwrap().append(b"abc").unwrap();
        let reader = Disk.open_read(&path).unwrap();
        for range in [0..4u64, 4..5, 4..4, 0..u64::MAX] {
            let error = reader.map(range).map(|_| ()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
        let mut too_long = [0; 4];
        let error = reader.read_exact_at(&mut too_long, 0).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn creating_a_file_that_exists_fails() {
        let scratch = Scratch::new();
        let path = scratch.path("a");
        Disk.create_new(&path).unwrap();
        let error = Disk.create_new(&path).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn an_unlinked_file_stays_readable_and_a_link_keeps_it() {
        let scratch = Scratch::new();
        let (one, two) = (scratch.path("one"), scratch.path("two"));
        Disk.create_new(&one).unwrap().append(b"abc").unwrap();
        Disk.hard_link(&one, &two).unwrap();
        assert_eq!(Disk.list(&scratch.0).unwrap(), ["one", "two"]);
        let mapped = Disk.open_read(&one).unwrap().map(0..3).unwrap();
        Disk.remove_file(&one).unwrap();
        assert_eq!(&*mapped, b"abc");
        assert_eq!(Disk.open_read(&two).unwrap().length().unwrap(), 3);
    }

    #[test]
    fn a_second_lock_would_block_until_the_first_is_dropped() {
        let scratch = Scratch::new();
        let path = scratch.path("LOCK");
        let held = Disk.lock(&path).unwrap();
        let error = Disk.lock(&path).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(held);
        Disk.lock(&path).unwrap();
    }
}

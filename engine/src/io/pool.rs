//! Any number of sealed files behind a bounded number of descriptors.
//!
//! A CLOCK over open handles: a file that was not asked for since the hand came by is closed, and
//! opened again by its name when it is needed. So a name must lead to the same bytes as long as
//! somebody may ask: sealed files never change (I12), and one that nothing names any more is
//! unlinked by the pool when its last user has gone. Maps need no descriptor and are not the pool's
//! business.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hashbrown::HashMap;
use parking_lot::Mutex;

use super::{Fs, ReadFile};

/// See the file comment.
pub(crate) struct FilePool {
    fs: Arc<dyn Fs>,
    open_max: usize,
    shelf: Mutex<Shelf>,
}

/// The files that are open.
#[derive(Default)]
struct Shelf {
    places: HashMap<u64, usize, foldhash::fast::RandomState>,
    slots: Vec<Slot>,
    hand: usize,
    /// Never given to two files.
    next_owner: u64,
}

struct Slot {
    owner: u64,
    file: Arc<dyn ReadFile>,
    used: bool,
}

/// A sealed file that is open when it is read.
pub(crate) struct PooledFile {
    pool: Arc<FilePool>,
    path: PathBuf,
    owner: u64,
    is_unlinked_last: AtomicBool,
}

impl FilePool {
    /// Keeps at most `open_max` files open between two reads, and one at least.
    pub(crate) fn new(fs: Arc<dyn Fs>, open_max: usize) -> Arc<Self> {
        Arc::new(FilePool {
            fs,
            open_max: open_max.max(1),
            shelf: Mutex::default(),
        })
    }

    /// Opens a file; it is there, whatever becomes of its descriptor.
    pub(crate) fn open(self: &Arc<Self>, path: &Path) -> io::Result<PooledFile> {
        let owner = {
            let mut shelf = self.shelf.lock();
            shelf.next_owner += 1;
            shelf.next_owner
        };
        let file = PooledFile {
            pool: Arc::clone(self),
            path: path.to_path_buf(),
            owner,
            is_unlinked_last: AtomicBool::new(false),
        };
        file.handle()?;
        Ok(file)
    }
}

impl PooledFile {
    /// The open file, for one read: whoever keeps it keeps a descriptor.
    pub(crate) fn handle(&self) -> io::Result<Arc<dyn ReadFile>> {
        if let Some(file) = self.pool.shelf.lock().find(self.owner) {
            return Ok(file);
        }
        let file = self.pool.fs.open_read(&self.path)?;
        // Handles that are taken out are closed behind the lock, once their last read is over.
        let evicted = {
            let mut shelf = self.pool.shelf.lock();
            shelf.insert(self.owner, &file);
            shelf.evict_down_to(self.pool.open_max)
        };
        drop(evicted);
        Ok(file)
    }

    /// Unlinks the file once nobody holds it any more: readers that are about go on reading. Where
    /// the unlinking fails the file is litter, which the next open by a writer removes.
    pub(crate) fn unlink_when_dropped(&self) {
        self.is_unlinked_last.store(true, Ordering::Release);
    }
}

impl Drop for PooledFile {
    fn drop(&mut self) {
        let held = self.pool.shelf.lock().remove(self.owner);
        drop(held);
        if self.is_unlinked_last.load(Ordering::Acquire) {
            let _ = self.pool.fs.remove_file(&self.path);
        }
    }
}

impl Shelf {
    fn find(&mut self, owner: u64) -> Option<Arc<dyn ReadFile>> {
        let place = *self.places.get(&owner)?;
        let slot = &mut self.slots[place];
        slot.used = true;
        Some(Arc::clone(&slot.file))
    }

    fn insert(&mut self, owner: u64, file: &Arc<dyn ReadFile>) {
        // Two readers may have opened it at once: one handle is enough.
        if self.places.contains_key(&owner) {
            return;
        }
        self.places.insert(owner, self.slots.len());
        self.slots.push(Slot {
            owner,
            file: Arc::clone(file),
            used: false,
        });
    }

    /// Takes out what was not used since the hand came by, until no more than `most` are open.
    fn evict_down_to(&mut self, most: usize) -> Vec<Arc<dyn ReadFile>> {
        let mut evicted = Vec::new();
        while self.slots.len() > most {
            self.hand %= self.slots.len();
            if std::mem::take(&mut self.slots[self.hand].used) {
                self.hand += 1;
                continue;
            }
            evicted.push(self.take(self.hand));
        }
        evicted
    }

    fn remove(&mut self, owner: u64) -> Option<Arc<dyn ReadFile>> {
        let place = *self.places.get(&owner)?;
        Some(self.take(place))
    }

    fn take(&mut self, place: usize) -> Arc<dyn ReadFile> {
        let gone = self.slots.swap_remove(place);
        self.places.remove(&gone.owner);
        if let Some(moved) = self.slots.get(place) {
            self.places.insert(moved.owner, place);
        }
        gone.file
    }
}

#[cfg(test)]
mod tests {
    use super::super::sim::SimDisk;
    use super::*;

    fn disk(files: usize) -> SimDisk {
        let disk = SimDisk::new(1);
        for number in 0..files {
            disk.plant(&path(number), format!("file {number:04}").as_bytes());
        }
        disk
    }

    fn path(number: usize) -> PathBuf {
        PathBuf::from(format!("/blocks/{number:04}"))
    }

    fn read(file: &PooledFile) -> io::Result<String> {
        let mut bytes = [0; 9];
        file.handle()?.read_exact_at(&mut bytes, 0)?;
        Ok(String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[test]
    fn many_files_are_read_through_few_descriptors() {
        let disk = disk(300);
        let pool = FilePool::new(Arc::new(disk.clone()), 10);
        let files: Vec<PooledFile> = (0..300)
            .map(|number| pool.open(&path(number)).unwrap())
            .collect();
        for _ in 0..3 {
            for (number, file) in files.iter().enumerate() {
                assert_eq!(read(file).unwrap(), format!("file {number:04}"));
                assert!(disk.open_files() <= 10, "{} are open", disk.open_files());
            }
        }
        drop(files);
        assert_eq!(disk.open_files(), 0);
    }

    #[test]
    fn a_file_in_use_stays_open() {
        let disk = disk(50);
        let pool = FilePool::new(Arc::new(disk.clone()), 4);
        let often = pool.open(&path(0)).unwrap();
        let mut others = Vec::new();
        for number in 1..50 {
            let reads = disk.reads();
            read(&often).unwrap();
            // One read of bytes and none of the directory: it was not opened again.
            assert_eq!(disk.reads(), reads + 1, "closed before file {number}");
            others.push(pool.open(&path(number)).unwrap());
        }
        assert_eq!(disk.open_files(), 4);
    }

    #[test]
    fn a_file_to_unlink_is_there_until_its_last_user_has_gone() {
        let disk = disk(3);
        let pool = FilePool::new(Arc::new(disk.clone()), 1);
        let gone = Arc::new(pool.open(&path(0)).unwrap());
        let snapshot = Arc::clone(&gone);
        gone.unlink_when_dropped();
        drop(gone);
        // Its descriptor is needed for others meanwhile.
        read(&pool.open(&path(1)).unwrap()).unwrap();
        assert_eq!(read(&snapshot).unwrap(), "file 0000");
        drop(snapshot);
        assert!(disk.contents(&path(0)).is_none());
        assert!(disk.contents(&path(1)).is_some());
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error_and_leaves_nothing_open() {
        let disk = disk(1);
        let pool = FilePool::new(Arc::new(disk.clone()), 1);
        let error = pool.open(&path(7)).map(drop).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(disk.open_files(), 0);
    }
}

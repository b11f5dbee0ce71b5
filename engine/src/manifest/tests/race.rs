//! Readers beside a writer who adds and removes files under them.

use std::io;

use parking_lot::Mutex;

use super::*;
use crate::io::{Fs, Lock, ReadFile, WriteFile};

/// A disk on which a writer commits something whenever a reader opens a file.
struct Busy {
    disk: SimDisk,
    writer: Mutex<(Manifest, u64)>,
    commits_max: u64,
}

impl Fs for Busy {
    fn open_read(&self, path: &Path) -> io::Result<Arc<dyn ReadFile>> {
        let mut writer = self.writer.lock();
        if writer.1 < self.commits_max {
            writer.1 += 1;
            let number = writer.1;
            writer.0.commit(&adding(number)).unwrap();
        }
        self.disk.open_read(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.disk.list(path)
    }

    fn create_dir_all(&self, _: &Path) -> io::Result<()> {
        panic!("a reader makes no folder");
    }

    fn create_new(&self, _: &Path) -> io::Result<Box<dyn WriteFile>> {
        panic!("a reader creates nothing");
    }

    fn remove_file(&self, _: &Path) -> io::Result<()> {
        panic!("a reader removes nothing");
    }

    fn hard_link(&self, _: &Path, _: &Path) -> io::Result<()> {
        panic!("a reader links nothing");
    }

    fn sync_file(&self, _: &Path) -> io::Result<()> {
        panic!("a reader syncs nothing");
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        panic!("a reader syncs nothing");
    }
    fn lock(&self, _: &Path) -> io::Result<Box<dyn Lock>> {
        panic!("a reader takes no lock");
    }
}

#[test]
fn a_reader_beside_a_busy_writer_finds_a_version_that_was_current_meanwhile() {
    for before in 0..8 {
        for commits_max in 0..12 {
            let disk = SimDisk::new(1);
            let (mut manifest, _) = open(&disk).unwrap();
            for number in 1..=before {
                manifest.commit(&adding(number)).unwrap();
            }
            let busy = Busy {
                disk,
                writer: Mutex::new((manifest, before)),
                commits_max: before + commits_max,
            };
            let found = Manifest::read(&busy, Path::new(DIR)).unwrap();
            assert!(found.damage.is_empty(), "{:?}", found.damage);
            let last = found.version.blocks.len() as u64;
            assert_eq!(blocks(&found.version), (1..=last).collect::<Vec<_>>());
            assert!(last >= before);
        }
    }
}

#[test]
fn a_folder_that_does_not_exist_reads_as_empty() {
    let found = Manifest::read(&SimDisk::new(1), Path::new("/nowhere")).unwrap();
    assert_eq!(*found.version, Version::default());
}

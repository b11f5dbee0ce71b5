//! Flipped bytes, cut files, missing files, and what stays for a rescue.

use super::*;
use crate::error::ErrorKind;
use crate::manifest::recover::{aside_path, file_path};

/// A checkpoint and three deltas, and the blocks of the version that each file stands for.
fn chain() -> (SimDisk, Vec<(PathBuf, Vec<u64>)>) {
    let disk = SimDisk::new(1);
    let (mut manifest, _) = open(&disk).unwrap();
    for number in 1..4 {
        manifest.commit(&adding(number)).unwrap();
    }
    let files = disk.files();
    let chain = files
        .iter()
        .zip(0..)
        .map(|((path, _), last)| (path.clone(), (1..=last).collect()));
    let chain: Vec<_> = chain.collect();
    assert_eq!(chain.len(), 4);
    (disk, chain)
}

fn read(disk: &SimDisk) -> Result<Opened> {
    Manifest::read(disk, Path::new(DIR))
}

#[test]
fn no_single_flipped_bit_loses_anything() {
    let (disk, chain) = chain();
    let whole = read(&disk).unwrap().version;
    for (path, _) in &chain {
        for offset in 0..disk.contents(path).unwrap().len() as u64 {
            for bit in 0..8 {
                disk.corrupt(path, offset, 1 << bit);
                let found = read(&disk).unwrap();
                assert!(found.damage.is_empty());
                assert_eq!(found.version, whole);
                disk.corrupt(path, offset, 1 << bit);
            }
        }
    }
}

/// Damages both copies of a file in the middle of their payloads.
fn ruin(disk: &SimDisk, path: &Path) {
    let copy = disk.contents(path).unwrap().len() as u64 / 2;
    disk.corrupt(path, copy - 1, 0xff);
    disk.corrupt(path, copy + copy - 1, 0xff);
}

#[test]
fn a_cut_file_never_brings_up_a_version_that_was_not_committed() {
    let (disk, chain) = chain();
    for (index, (path, _)) in chain.iter().enumerate() {
        let length = disk.contents(path).unwrap().len() as u64;
        for cut in 0..length {
            let disk = disk.copy();
            disk.truncate(path, cut);
            let is_last = index + 1 == chain.len();
            let expected = if cut >= length / 2 {
                &chain[3].1
            } else if index == 0 {
                assert_eq!(read(&disk).unwrap_err().kind(), ErrorKind::Corrupt);
                assert!(open(&disk).is_err());
                continue;
            } else {
                &chain[index - 1].1
            };
            let found = read(&disk).unwrap();
            assert_eq!(
                &blocks(&found.version),
                expected,
                "file {index} cut at {cut}"
            );
            assert_eq!(found.damage.is_empty(), is_last || cut >= length / 2);
            let opened = reopened(&disk);
            assert_eq!(opened.version.blocks, found.version.blocks);
            let may_go = opened.may_remove_litter == Litter::MayGo;
            assert_eq!(may_go, cut >= length / 2);
        }
    }
}

#[test]
fn damage_in_the_middle_is_reported_and_set_aside_by_the_next_commit() {
    let (disk, chain) = chain();
    ruin(&disk, &chain[2].0);
    for _ in 0..2 {
        let opened = reopened(&disk);
        assert_eq!(blocks(&opened.version), [1]);
        assert_eq!(opened.damage.len(), 1);
        assert_eq!(opened.damage[0].path(), Some(&*chain[2].0));
        assert_eq!(opened.may_remove_litter, Litter::MustStay);
    }
    let ruined = disk.contents(&chain[2].0);
    let (mut manifest, _) = open(&disk).unwrap();
    assert_eq!(blocks(&manifest.commit(&adding(9)).unwrap()), [1, 9]);
    // Both the ruined file and the sound one that built on it are kept for a rescue.
    assert_eq!(disk.contents(&aside_path(Path::new(DIR), 3)), ruined);
    assert!(disk.contents(&aside_path(Path::new(DIR), 4)).is_some());
    let opened = reopened(&disk.crash_to_synced());
    assert_eq!(blocks(&opened.version), [1, 9]);
    assert_eq!(opened.damage.len(), 2);
    assert_eq!(opened.may_remove_litter, Litter::MustStay);
}

#[test]
fn a_crash_while_damage_is_set_aside_never_forgets_it() {
    let (disk, chain) = chain();
    ruin(&disk, &chain[2].0);
    for operation in 0..12 {
        for seed in 0..6 {
            println!("operation {operation} seed {seed}");
            let disk = disk.copy();
            disk.fail_at(operation, Fault::CrashHere);
            if let Ok((mut manifest, _)) = open(&disk) {
                let _ = manifest.commit(&adding(9));
            }
            let opened = reopened(&disk.crash(seed));
            assert!(!opened.damage.is_empty());
            assert_eq!(opened.may_remove_litter, Litter::MustStay);
            let found = blocks(&opened.version);
            assert!(found == [1] || found == [1, 9], "{found:?}");
        }
    }
}

#[test]
fn a_missing_file_is_damage() {
    let (disk, chain) = chain();
    disk.remove_file(&chain[2].0).unwrap();
    let found = read(&disk).unwrap();
    assert_eq!((blocks(&found.version), found.damage.len()), (vec![1], 1));
    disk.remove_file(&chain[0].0).unwrap();
    assert_eq!(read(&disk).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn an_unreadable_last_file_is_a_commit_that_never_was_but_litter_stays_once() {
    let (disk, chain) = chain();
    ruin(&disk, &chain[3].0);
    let opened = reopened(&disk);
    assert_eq!(
        (blocks(&opened.version), opened.damage.len()),
        (vec![1, 2], 0)
    );
    assert_eq!(opened.may_remove_litter, Litter::MustStay);
    assert_eq!(reopened(&disk).may_remove_litter, Litter::MayGo);
}

#[test]
fn an_older_checkpoint_helps_where_the_newest_is_damaged() {
    let (disk, chain) = chain();
    let old = disk.contents(&chain[0].0).unwrap();
    let deltas: Vec<_> = chain[1..]
        .iter()
        .map(|(path, _)| disk.contents(path).unwrap())
        .collect();
    let (mut manifest, _) = open(&disk).unwrap();
    manifest.commit(&adding(4)).unwrap();
    // As if the files below the checkpoint that settled the open had not been removed.
    disk.plant(&chain[0].0, &old);
    for (bytes, (path, _)) in deltas.iter().zip(&chain[1..]) {
        disk.plant(path, bytes);
    }
    assert_eq!(blocks(&read(&disk).unwrap().version), [1, 2, 3, 4]);
    ruin(&disk, &file_path(Path::new(DIR), 5));
    let found = read(&disk).unwrap();
    assert_eq!(
        (blocks(&found.version), found.damage.len()),
        (vec![1, 2, 3], 1)
    );
}

#[test]
fn a_disk_that_cannot_read_is_an_error_and_not_a_torn_file() {
    let (disk, _) = chain();
    let before = disk.reads();
    let operations = disk.operations();
    read(&disk).unwrap();
    let reads = disk.reads() - before;
    assert_eq!(disk.operations(), operations, "a reader writes nothing");
    for read_number in 0..reads {
        disk.fail_read_at(disk.reads() + read_number, Fault::Eio);
        assert_eq!(read(&disk).map(|_| ()).unwrap_err().kind(), ErrorKind::Io);
        disk.heal();
    }
}

#[test]
fn a_file_with_the_highest_number_stops_commits_with_an_error() {
    let (disk, _) = chain();
    disk.plant(&file_path(Path::new(DIR), u64::MAX), b"not ours");
    let (mut manifest, opened) = open(&disk).unwrap();
    assert_eq!(blocks(&opened.version), [1, 2, 3]);
    assert_eq!(opened.may_remove_litter, Litter::MustStay);
    assert!(manifest.commit(&adding(4)).is_err());
    assert!(manifest.commit(&adding(4)).is_err());
}

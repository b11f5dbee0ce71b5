//! What the simulated disk promises, and what it refuses to promise.

use super::*;

const SEEDS: u64 = 200;

fn path(text: &str) -> &Path {
    Path::new(text)
}

/// A disk with `/d`, durable.
fn disk_with_dir(seed: u64) -> SimDisk {
    let disk = SimDisk::new(seed);
    disk.create_dir_all(path("/d")).unwrap();
    disk.sync_dir(path("/")).unwrap();
    disk
}

#[test]
fn synced_bytes_under_a_synced_name_survive_every_crash() {
    for seed in 0..SEEDS {
        let disk = disk_with_dir(seed);
        let mut file = disk.create_new(path("/d/a")).unwrap();
        file.append(&[7; 1000]).unwrap();
        file.sync().unwrap();
        disk.sync_dir(path("/d")).unwrap();
        file.append(&[9; 3000]).unwrap();
        let after = disk.crash(seed).contents(path("/d/a")).unwrap();
        assert!(after.len() >= 1000, "seed {seed}");
        assert_eq!(after[..1000], [7; 1000], "seed {seed}");
    }
}

#[test]
fn unsynced_bytes_survive_whole_torn_or_not_at_all() {
    let (mut whole, mut none, mut torn) = (0, 0, 0);
    for seed in 0..SEEDS {
        let disk = disk_with_dir(seed);
        let mut file = disk.create_new(path("/d/a")).unwrap();
        disk.sync_dir(path("/d")).unwrap();
        file.append(&[9; 3000]).unwrap();
        let after = disk.crash(seed).contents(path("/d/a")).unwrap();
        match after.len() {
            0 => none += 1,
            3000 if after.iter().all(|&byte| byte == 9) => whole += 1,
            _ => torn += 1,
        }
    }
    assert!(whole > 10 && none > 10 && torn > 10);
}

#[test]
fn unsynced_names_survive_independently() {
    let mut seen = BTreeSet::new();
    for seed in 0..SEEDS {
        let disk = disk_with_dir(seed);
        disk.create_new(path("/d/old")).unwrap();
        disk.sync_dir(path("/d")).unwrap();
        disk.create_new(path("/d/new")).unwrap();
        disk.hard_link(path("/d/old"), path("/d/link")).unwrap();
        disk.remove_file(path("/d/old")).unwrap();
        seen.insert(disk.crash(seed).list(path("/d")).unwrap());
        assert!(
            disk.list(path("/d")).is_err(),
            "a crashed disk answers nothing"
        );
    }
    assert_eq!(seen.len(), 8);
}

#[test]
fn a_new_directory_needs_a_sync_of_its_parent() {
    let disk = SimDisk::new(1);
    disk.create_dir_all(path("/d/e")).unwrap();
    disk.sync_dir(path("/d")).unwrap();
    let after = disk.crash_to_synced();
    assert!(after.list(path("/d")).is_err());
}

#[test]
fn a_sync_retried_after_a_failure_succeeds_without_the_bytes() {
    let mut lost = 0;
    for seed in 0..SEEDS {
        let disk = disk_with_dir(seed);
        let mut file = disk.create_new(path("/d/a")).unwrap();
        disk.sync_dir(path("/d")).unwrap();
        file.append(&[9; 600]).unwrap();
        disk.fail_at(disk.operations(), Fault::Eio);
        file.sync().unwrap_err();
        file.sync().unwrap();
        let after = disk.crash(seed).contents(path("/d/a")).unwrap();
        assert_eq!(after.len(), 600);
        lost += u32::from(after.contains(&0));
    }
    assert!(lost > 50);
}

#[test]
fn a_full_disk_takes_what_fits_until_a_file_is_removed() {
    let disk = disk_with_dir(1);
    disk.capacity(1000);
    let mut one = disk.create_new(path("/d/one")).unwrap();
    one.append(&[1; 700]).unwrap();
    let mut two = disk.create_new(path("/d/two")).unwrap();
    assert_eq!(
        two.append(&[2; 700]).unwrap_err().kind(),
        io::ErrorKind::StorageFull
    );
    assert_eq!(disk.contents(path("/d/two")).unwrap().len(), 300);
    disk.remove_file(path("/d/one")).unwrap();
    two.append(&[2; 700]).unwrap();
    assert!(two.append(&[2]).is_err());
    disk.capacity(2000);
    two.append(&[2; 1000]).unwrap();
    assert!(two.append(&[2]).is_err());
}

#[test]
fn planned_faults_strike_their_operation_only() {
    for fault in [Fault::Eio, Fault::Enospc, Fault::ShortWriteThenEio] {
        let disk = disk_with_dir(1);
        let mut file = disk.create_new(path("/d/a")).unwrap();
        disk.fail_at(disk.operations() + 1, fault);
        file.append(&[1; 10]).unwrap();
        file.append(&[2; 10]).unwrap_err();
        file.append(&[3; 10]).unwrap();
        let half = if fault == Fault::ShortWriteThenEio {
            5
        } else {
            0
        };
        assert_eq!(disk.contents(path("/d/a")).unwrap().len(), 20 + half);
    }
}

#[test]
fn after_a_crash_fault_everything_fails_and_the_crash_image_works() {
    for seed in 0..SEEDS {
        let disk = disk_with_dir(seed);
        disk.fail_at(disk.operations(), Fault::CrashHere);
        assert!(disk.create_new(path("/d/a")).is_err());
        assert!(disk.create_new(path("/d/b")).is_err());
        assert!(disk.list(path("/d")).is_err());
        let after = disk.crash(seed);
        after.create_new(path("/d/b")).unwrap();
    }
}

#[test]
fn planted_bugs_forget_syncs() {
    let disk = disk_with_dir(1);
    disk.ignore_sync_of(|path| path.ends_with("a"));
    for name in ["/d/a", "/d/b"] {
        let mut file = disk.create_new(path(name)).unwrap();
        file.append(b"x").unwrap();
        file.sync().unwrap();
    }
    disk.sync_dir(path("/d")).unwrap();
    disk.ignore_sync_dir(|path| path.ends_with("d"));
    disk.create_new(path("/d/c")).unwrap();
    disk.sync_dir(path("/d")).unwrap();
    let after = disk.crash_to_synced();
    assert_eq!(
        after.files(),
        [(PathBuf::from("/d/a"), 0), (PathBuf::from("/d/b"), 1)]
    );
}

#[test]
fn a_lock_is_held_once_and_a_crash_releases_it() {
    let disk = disk_with_dir(1);
    let held = disk.lock(path("/d/LOCK")).unwrap();
    let error = disk.lock(path("/d/LOCK")).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    drop(held);
    let _held = disk.lock(path("/d/LOCK")).unwrap();
    disk.sync_dir(path("/d")).unwrap();
    disk.crash(1).lock(path("/d/LOCK")).unwrap();
}

#[test]
fn damage_cuts_and_copies_do_as_told() {
    let disk = SimDisk::new(1);
    disk.plant(path("/d/e/f"), b"abcdef");
    let copy = disk.copy();
    disk.corrupt(path("/d/e/f"), 1, 0x20);
    disk.truncate(path("/d/e/f"), 3);
    assert_eq!(disk.contents(path("/d/e/f")).unwrap(), b"aBc");
    assert_eq!((disk.used(), copy.used()), (3, 6));
    assert_eq!(copy.crash(3).contents(path("/d/e/f")).unwrap(), b"abcdef");
    let reader = disk.open_read(path("/d/e/f")).unwrap();
    disk.fail_read_at(disk.reads(), Fault::Eio);
    assert!(reader.length().is_err());
    assert_eq!(&*reader.map(1..3).unwrap(), b"Bc");
    assert!(reader.map(1..4).is_err());
}

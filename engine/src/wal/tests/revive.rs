//! What becomes of a log that has failed: what it refused stays away, what it acknowledged stays.

use super::*;

/// Nothing is synced unless somebody asks.
fn lazy() -> WalOptions {
    WalOptions {
        durability: Durability::Never,
        ..WalOptions::default()
    }
}

#[test]
fn a_segment_left_behind_by_a_full_disk_is_synced_before_anything_later_counts() {
    for durability in [Durability::Never, Durability::Interval(Duration::MAX)] {
        let disk = new_disk(1);
        let lazy = WalOptions {
            durability,
            ..WalOptions::default()
        };
        let (wal, ..) = open(&disk, lazy);
        let kept = write(&wal, b"kept");
        disk.capacity(disk.used() + 40);
        let refused = wal.submit(wal.era(), "t", 1, 1, b"refused").unwrap();
        wal.wait(refused).unwrap_err();
        disk.capacity(u64::MAX);
        wal.revive(Lsn(kept)).unwrap();
        let late = write(&wal, b"late");
        wal.sync().unwrap();
        let (_, report, seen) = open(&disk.crash_to_synced(), WalOptions::default());
        assert_eq!(seen, [(kept, b"kept".to_vec()), (late, b"late".to_vec())]);
        assert!(report.damages.is_empty());
    }
}

#[test]
fn a_failed_sync_leaves_what_was_acknowledged_before_it_in_doubt_until_it_is_in_blocks() {
    let disk = new_disk(1);
    let (wal, ..) = open(&disk, lazy());
    let doubtful = write(&wal, b"doubtful");
    // Two folders are synced first.
    disk.fail_at(disk.operations() + 2, Fault::Eio);
    wal.sync().unwrap_err();
    wal.revive(Lsn(doubtful)).unwrap();
    let late = write(&wal, b"late");
    wal.sync().unwrap_err();
    write(&wal, b"later");
    let (_, report, _) = open(&disk, WalOptions::default());
    assert_eq!(report.durable, Lsn(0), "nothing is claimed");
    wal.release(Lsn(late)).unwrap();
    wal.sync().unwrap();
}

#[test]
fn segments_that_begin_in_a_row_have_names_of_their_own() {
    let disk = new_disk(1);
    let (wal, ..) = open(&disk, lazy());
    write(&wal, b"x");
    for _ in 0..3 {
        // What was left behind cannot be synced, and nothing is submitted in between.
        disk.fail_at(disk.operations(), Fault::Eio);
        wal.sync().unwrap_err();
        wal.revive(Lsn(1)).unwrap();
    }
    assert_eq!(wal.segments().len(), 4);
    // Blocks have what is in doubt.
    wal.release(Lsn(3)).unwrap();
    wal.close().unwrap();
    let (_, report, _) = try_open(&disk, lazy(), 3).unwrap();
    assert!(report.damages.is_empty(), "{:?}", report.damages);
}

#[test]
fn a_witness_behind_a_segment_without_frames_calls_nothing_lost() {
    let disk = new_disk(1);
    let (wal, ..) = open(&disk, lazy());
    write(&wal, b"x");
    write(&wal, b"y");
    disk.fail_at(disk.operations(), Fault::Eio);
    wal.sync().unwrap_err();
    wal.revive(Lsn(2)).unwrap();
    wal.close_gap();
    wal.close().unwrap();
    let (_, report, seen) = open(&disk, lazy());
    assert!(report.damages.is_empty(), "{:?}", report.damages);
    assert_eq!((seen.len(), report.durable), (2, Lsn(2)));
}

#[test]
fn a_full_disk_refuses_until_revived_and_what_was_refused_stays_away() {
    let disk = new_disk(1);
    let (wal, ..) = open(&disk, WalOptions::default());
    write(&wal, b"kept");
    disk.capacity(disk.used() + 40);
    let refused = wal.submit(wal.era(), "t", 1, 1, b"refused").unwrap();
    assert_eq!(wal.wait(refused).unwrap_err().kind(), ErrorKind::Full);
    assert_eq!(
        wal.submit(wal.era(), "t", 1, 1, b"").unwrap_err().kind(),
        ErrorKind::Full
    );
    assert_eq!(wal.health().unwrap().kind(), ErrorKind::Full);
    for _ in 0..3 {
        assert_eq!(wal.revive(Lsn(1)).unwrap_err().kind(), ErrorKind::Full);
        assert_eq!(wal.segments().len(), 1, "failed attempts leave no litter");
    }
    disk.capacity(u64::MAX);
    wal.revive(Lsn(1)).unwrap();
    assert!(wal.health().is_none());
    wal.revive(Lsn(1)).unwrap();
    let late = write(&wal, b"late");
    assert_eq!(wal.wait(refused).unwrap_err().kind(), ErrorKind::ReadOnly);
    for after in [disk.copy(), disk.crash_to_synced()] {
        let (wal, report, seen) = open(&after, WalOptions::default());
        assert_eq!(seen, [(1, b"kept".to_vec()), (late, b"late".to_vec())]);
        assert!(report.damages.is_empty());
        assert_eq!(wal.last_lsn(), Lsn(late));
    }
}

#[test]
fn a_failed_sync_is_never_repeated_on_the_same_file() {
    let disk = new_disk(1);
    let (wal, ..) = open(&disk, WalOptions::default());
    write(&wal, b"kept");
    let refused = wal.submit(wal.era(), "t", 1, 1, &[1; 2000]).unwrap();
    disk.fail_at(disk.operations() + 1, Fault::Eio);
    assert_eq!(wal.wait(refused).unwrap_err().kind(), ErrorKind::ReadOnly);
    let after = disk.operations();
    assert!(wal.wait(refused).is_err() && wal.sync().is_err() && wal.close().is_err());
    assert_eq!(disk.operations(), after);
}

#[test]
fn a_revival_that_leaves_a_file_behind_is_tried_under_another_name() {
    let disk = new_disk(1);
    let (wal, ..) = open(&disk, WalOptions::default());
    write(&wal, b"kept");
    let refused = wal.submit(wal.era(), "t", 1, 1, b"refused").unwrap();
    disk.fail_at(disk.operations(), Fault::Eio);
    wal.wait(refused).unwrap_err();
    // Creation and header succeed; the sync and then the removal do not.
    disk.fail_at(disk.operations() + 2, Fault::Eio);
    disk.fail_at(disk.operations() + 3, Fault::Eio);
    wal.revive(Lsn(1)).unwrap_err();
    assert_eq!(wal.segments().len(), 2);
    wal.revive(Lsn(1)).unwrap();
    let late = write(&wal, b"late");
    let (_, report, seen) = open(&disk.crash_to_synced(), WalOptions::default());
    assert_eq!(seen, [(1, b"kept".to_vec()), (late, b"late".to_vec())]);
    assert!(report.damages.is_empty());
}

#[test]
fn threads_that_fail_and_revive_get_back_what_they_were_promised_and_no_more() {
    const WRITERS: u64 = 4;
    const RECORDS: u64 = 100;
    let disk = new_disk(1);
    let (wal, ..) = open(&disk, options(2000));
    for operation in (10..2000).step_by(13) {
        disk.fail_at(operation, Fault::ShortWriteThenEio);
    }
    let promised = Mutex::new(Seen::new());
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (wal, promised) = (&wal, &promised);
            scope.spawn(move || {
                for record in 0..RECORDS {
                    let body = (writer * RECORDS + record).to_le_bytes();
                    let outcome = wal.submit(wal.era(), "t", 1, 1, &body);
                    let outcome = outcome.and_then(|lsn| wal.wait(lsn).map(|()| lsn));
                    match outcome {
                        Ok(lsn) => promised.lock().push((lsn.0, body.to_vec())),
                        // A revival may fail as well; the next writer to be refused tries again.
                        Err(_) => drop(wal.revive(Lsn(0))),
                    }
                }
            });
        }
    });
    disk.heal();
    wal.revive(wal.acknowledged_lsn()).unwrap();
    let mut promised = promised.into_inner();
    promised.sort_unstable();
    assert!(promised.len() > 100 && promised.len() < 400);
    for after in [disk.copy(), disk.crash_to_synced()] {
        let (_, report, seen) = open(&after, options(2000));
        assert!(report.damages.is_empty());
        assert_eq!(seen, promised);
    }
}

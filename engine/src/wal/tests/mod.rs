//! What the log promises, on the simulated disk.

mod crash;
mod damage;
mod format;
mod revive;

use std::path::Path;
use std::time::Duration;

use super::options::BODY_BYTES_MAX;
use super::replay::ReplayReport;
use super::*;
use crate::config::Durability;
use crate::error::ErrorKind;
use crate::io::disk::Disk;
use crate::io::sim::{Fault, SimDisk};

const DIR: &str = "/db/wal";

/// A frame's LSN and body, which is all that most tests look at.
type Seen = Vec<(u64, Vec<u8>)>;

fn options(segment_bytes: u64) -> WalOptions {
    WalOptions {
        segment_bytes,
        ..WalOptions::default()
    }
}

/// An empty disk with the database's own directory, which is the store's to sync.
fn new_disk(seed: u64) -> SimDisk {
    let disk = SimDisk::new(seed);
    disk.plant(Path::new("/db/LOCK"), b"");
    disk
}

fn try_open(disk: &SimDisk, options: WalOptions, floor: u64) -> Result<(Wal, ReplayReport, Seen)> {
    let mut seen = Seen::new();
    let mut sink = |frame: Frame<'_>| {
        seen.push((frame.lsn.0, frame.body.to_vec()));
        Ok(())
    };
    let fs = Arc::new(disk.clone());
    let (wal, report) = Wal::open(fs, Path::new(DIR), options, Lsn(floor), &mut sink)?;
    Ok((wal, report, seen))
}

fn open(disk: &SimDisk, options: WalOptions) -> (Wal, ReplayReport, Seen) {
    try_open(disk, options, 0).unwrap()
}

fn write(wal: &Wal, body: &[u8]) -> u64 {
    let lsn = wal.submit(wal.era(), "tenant", 1, 2, body).unwrap();
    wal.wait(lsn).unwrap();
    lsn.0
}

/// A log of `count` records of 100 bytes with the record's number in front, closed.
fn log_of(count: u8, segment_bytes: u64) -> SimDisk {
    let disk = new_disk(1);
    let (wal, ..) = open(&disk, options(segment_bytes));
    for number in 1..=count {
        assert_eq!(write(&wal, &[number; 100]), u64::from(number));
    }
    wal.close().unwrap();
    disk
}

#[test]
fn an_empty_directory_opens_without_a_write() {
    let disk = new_disk(1);
    let (wal, report, seen) = open(&disk, WalOptions::default());
    assert_eq!(disk.operations(), 0);
    assert!(seen.is_empty() && report.damages.is_empty());
    assert_eq!((wal.last_lsn(), wal.durable_lsn()), (Lsn(0), Lsn(0)));
    wal.close().unwrap();
    assert_eq!(disk.operations(), 0);
}

#[test]
fn records_come_back_whole_and_in_order() {
    let disk = new_disk(1);
    let (wal, ..) = open(&disk, WalOptions::default());
    let name = "n".repeat(TENANT_BYTES_MAX);
    wal.submit(wal.era(), "", 0, 0, b"").unwrap();
    wal.submit(wal.era(), &name, 255, 254, &[9; 5000]).unwrap();
    wal.wait(Lsn(2)).unwrap();
    assert_eq!((wal.last_lsn(), wal.durable_lsn()), (Lsn(2), Lsn(2)));
    let mut frames = Vec::new();
    let mut sink = |frame: Frame<'_>| {
        frames.push((
            frame.tenant.to_owned(),
            frame.kind,
            frame.record,
            frame.body.len(),
        ));
        Ok(())
    };
    // The log is still open: a reader needs no leave.
    let report = Wal::replay_only(&disk, Path::new(DIR), Lsn(0), &mut sink).unwrap();
    assert_eq!(frames, [(String::new(), 0, 0, 0), (name, 255, 254, 5000)]);
    assert_eq!((report.frames, report.last), (2, Lsn(2)));
    assert_eq!(report.bytes, wal.size_bytes());
}

#[test]
fn a_group_shares_one_sync() {
    let disk = new_disk(1);
    let (wal, ..) = open(&disk, WalOptions::default());
    write(&wal, b"first");
    let before = disk.operations();
    for _ in 0..10 {
        wal.submit(wal.era(), "t", 1, 1, b"body").unwrap();
    }
    for lsn in (2..=11).rev() {
        wal.wait(Lsn(lsn)).unwrap();
    }
    assert_eq!(disk.operations() - before, 2, "one append and one sync");
}

#[test]
fn reopening_starts_a_new_segment_and_lsns_go_on() {
    let disk = log_of(3, 1 << 20);
    let (wal, report, seen) = open(&disk, WalOptions::default());
    assert_eq!(seen.len(), 3);
    assert_eq!(report.last, Lsn(3));
    assert_eq!(write(&wal, b"x"), 4);
    assert_eq!(
        wal.segments().iter().map(|s| s.0.0).collect::<Vec<_>>(),
        [1, 4]
    );
    let (_, report, seen) = open(&disk, WalOptions::default());
    assert_eq!(seen.len(), 4);
    assert!(report.damages.is_empty());
}

#[test]
fn what_an_earlier_process_left_is_called_durable_only_when_somebody_vouches_for_it() {
    for (vouch, claimed) in [(false, 2), (true, 3)] {
        let disk = log_of(3, 1 << 20);
        let (wal, report, _) = open(&disk, WalOptions::default());
        assert_eq!(report.durable, Lsn(2), "the last group has no witness");
        if vouch {
            wal.close_gap();
        }
        for _ in 0..3 {
            write(&wal, b"x");
        }
        assert_eq!(wal.sync().is_ok(), vouch);
        let (_, report, _) = open(&disk, WalOptions::default());
        assert_eq!(report.durable, Lsn(if vouch { 5 } else { claimed }));
        // Once blocks have it nobody needs a witness.
        assert_eq!(wal.release(Lsn(4)).unwrap(), 1);
        wal.sync().unwrap();
        write(&wal, b"x");
        let (_, report, _) = open(&disk, WalOptions::default());
        assert_eq!(report.durable, Lsn(6));
    }
}

#[test]
fn a_log_closed_in_peace_says_of_itself_that_it_is_durable() {
    let disk = new_disk(1);
    let lazy = || WalOptions {
        durability: Durability::Never,
        ..WalOptions::default()
    };
    let (wal, ..) = open(&disk, lazy());
    write(&wal, b"x");
    write(&wal, b"y");
    wal.close().unwrap();
    for _ in 0..3 {
        let (wal, report, seen) = open(&disk, lazy());
        assert_eq!((seen.len(), report.durable), (2, Lsn(2)));
        assert!(!wal.has_gap() && report.damages.is_empty());
        let before = disk.files().len();
        wal.close().unwrap();
        assert_eq!(disk.files().len(), before, "one witness is enough");
    }
    let (wal, ..) = open(&disk, lazy());
    write(&wal, b"z");
    wal.close().unwrap();
    let (_, report, seen) = open(&disk.crash_to_synced(), lazy());
    assert_eq!((seen.len(), report.durable), (3, report.last));
}

#[test]
fn a_sync_reaches_every_segment_and_its_name_whatever_the_durability() {
    let disk = new_disk(1);
    let lazy = WalOptions {
        durability: Durability::Never,
        ..options(400)
    };
    let (wal, ..) = open(&disk, lazy);
    for number in 0..10 {
        write(&wal, &[number; 100]);
    }
    assert!(wal.segments().len() > 3);
    wal.close().unwrap();
    let (_, report, seen) = open(&disk.crash_to_synced(), WalOptions::default());
    assert_eq!(seen.len(), 10);
    assert!(report.damages.is_empty());
}

#[test]
fn segments_rotate_release_and_never_split_a_record() {
    let disk = log_of(10, 400);
    let (wal, _, seen) = open(&disk, options(400));
    assert_eq!(seen.len(), 10);
    assert_eq!(wal.segments().len(), 5);
    assert!(wal.segments().iter().all(|&(_, bytes)| bytes <= 400));
    write(&wal, &[7; 1000]);
    write(&wal, &[8; 1000]);
    assert_eq!(
        wal.segments().len(),
        7,
        "a long record has a segment to itself"
    );
    assert_eq!(wal.release(Lsn(2)).unwrap(), 0);
    assert_eq!(wal.release(Lsn(5)).unwrap(), 2);
    assert_eq!(wal.release(Lsn(1000)).unwrap(), 4, "the newest stays");
    let after = disk.crash_to_synced();
    let (wal, report, seen) = try_open(&after, options(400), 12).unwrap();
    assert_eq!(seen.iter().map(|s| s.0).collect::<Vec<_>>(), [12]);
    assert!(report.damages.is_empty());
    assert_eq!(write(&wal, b"x"), 13);
}

#[test]
fn frames_below_the_floor_are_left_out_and_lsns_never_fall_below_it() {
    let disk = log_of(10, 400);
    let (_, report, seen) = try_open(&disk, options(400), 8).unwrap();
    assert_eq!(seen.iter().map(|s| s.0).collect::<Vec<_>>(), [8, 9, 10]);
    assert!(report.damages.is_empty());
    let (wal, ..) = try_open(&disk, options(400), 50).unwrap();
    assert_eq!(write(&wal, b"x"), 50);
    let (_, report, seen) = try_open(&disk, options(400), 50).unwrap();
    assert_eq!(seen.len(), 1);
    assert!(report.damages.is_empty());
}

#[test]
fn what_is_too_long_is_refused_by_name() {
    let disk = new_disk(1);
    let (wal, ..) = open(&disk, WalOptions::default());
    let name = "n".repeat(TENANT_BYTES_MAX + 1);
    let body = vec![0; BODY_BYTES_MAX + 1];
    for error in [
        wal.submit(wal.era(), &name, 1, 1, b"").unwrap_err(),
        wal.submit(wal.era(), "t", 1, 1, &body).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Limit);
    }
    assert_eq!(write(&wal, &body[1..]), 1);
    let (_, _, seen) = open(&disk, WalOptions::default());
    assert_eq!(seen[0].1.len(), BODY_BYTES_MAX);
}

#[test]
fn a_closed_log_takes_no_writes() {
    let disk = new_disk(1);
    let (wal, ..) = open(&disk, WalOptions::default());
    wal.submit(wal.era(), "t", 1, 1, b"x").unwrap();
    wal.close().unwrap();
    assert_eq!(
        wal.submit(wal.era(), "t", 1, 1, b"").unwrap_err().kind(),
        ErrorKind::Closed
    );
    assert_eq!(wal.admit("t", 1).unwrap_err().kind(), ErrorKind::Closed);
    let (_, _, seen) = open(&disk.crash_to_synced(), WalOptions::default());
    assert_eq!(seen.len(), 1, "close syncs what nobody waited for");
}

#[test]
fn admission_writes_the_buffer_out_when_it_is_full() {
    let disk = new_disk(1);
    let options = WalOptions {
        buffer_bytes: 1000,
        ..WalOptions::default()
    };
    let (wal, ..) = open(&disk, options);
    for _ in 0..100 {
        wal.admit("t", 300).unwrap();
        wal.submit(wal.era(), "t", 1, 1, &[1; 300]).unwrap();
        assert!(wal.shared.state.lock().buffer.len() <= 1000);
    }
    wal.admit("t", 5000).unwrap();
    assert!(wal.durable_lsn() >= Lsn(97));
}

#[test]
fn without_syncs_a_write_is_acknowledged_when_the_system_has_it() {
    for durability in [
        Durability::Never,
        Durability::Interval(Duration::from_secs(3600)),
    ] {
        let disk = new_disk(1);
        let options = WalOptions {
            durability,
            ..WalOptions::default()
        };
        let (wal, ..) = open(&disk, options);
        write(&wal, b"x");
        let syncs = disk.syncs();
        write(&wal, b"y");
        assert_eq!(disk.syncs(), syncs);
        assert_eq!(
            (wal.durable_lsn(), wal.acknowledged_lsn()),
            (Lsn(0), Lsn(2))
        );
        wal.sync().unwrap();
        assert_eq!(wal.durable_lsn(), Lsn(2));
        write(&wal, b"z");
        wal.close().unwrap();
        assert_eq!(wal.durable_lsn(), Lsn(3));
    }
}

#[test]
fn the_sync_thread_makes_writes_durable_by_itself() {
    let disk = new_disk(1);
    let options = WalOptions {
        durability: Durability::Interval(Duration::from_millis(1)),
        ..WalOptions::default()
    };
    let (wal, ..) = open(&disk, options);
    for body in [b"x", b"y"] {
        let lsn = Lsn(write(&wal, body));
        let mut state = wal.shared.state.lock();
        while state.durable < lsn.0 {
            wal.shared.progress.wait(&mut state);
        }
    }
    // A failure of the thread's own sync stops the log: the next operations are its append and
    // sync.
    disk.fail_at(disk.operations() + 1, Fault::Eio);
    let lsn = wal.submit(wal.era(), "t", 1, 1, b"z").unwrap();
    let mut state = wal.shared.state.lock();
    while state.failed.is_none() {
        assert!(state.durable < lsn.0);
        wal.shared.progress.wait(&mut state);
    }
}

#[test]
fn what_was_replayed_from_the_cache_is_durable_before_anything_that_follows() {
    let disk = new_disk(1);
    let lazy = WalOptions {
        durability: Durability::Interval(Duration::from_secs(3600)),
        ..WalOptions::default()
    };
    let (wal, ..) = open(&disk, lazy);
    write(&wal, b"one");
    write(&wal, b"two");
    // The process dies, the machine does not.
    drop(wal);
    let (wal, _, seen) = open(&disk, WalOptions::default());
    assert_eq!(seen.len(), 2);
    write(&wal, b"three");
    let (_, report, seen) = open(&disk.crash_to_synced(), WalOptions::default());
    assert_eq!(seen.len(), 3);
    assert!(report.damages.is_empty());
}

#[test]
fn a_reader_survives_segments_that_vanish() {
    let disk = log_of(10, 400);
    let (wal, ..) = open(&disk, options(400));
    write(&wal, b"x");
    let mut frames = 0;
    let mut sink = |_: Frame<'_>| {
        frames += 1;
        wal.release(Lsn(11)).map(|_| ())
    };
    Wal::replay_only(&disk, Path::new(DIR), Lsn(0), &mut sink).unwrap();
    assert_eq!(frames, 11);
    assert_eq!(wal.segments().len(), 1);
}

#[test]
fn an_error_of_the_receiver_ends_the_replay() {
    let disk = log_of(3, 400);
    let mut sink = |_: Frame<'_>| Err(Error::invalid("enough"));
    let error = Wal::replay_only(&disk, Path::new(DIR), Lsn(0), &mut sink).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[test]
fn writers_on_many_threads_share_groups_on_a_real_disk() {
    const WRITERS: u32 = 4;
    const RECORDS: u32 = 50;
    let name = format!("chronolith-wal-{}", std::process::id());
    let root = std::env::temp_dir().join(name);
    Disk.create_dir_all(&root).unwrap();
    let dir = root.join("wal");
    let open = |sink: &mut dyn FnMut(Frame<'_>) -> Result<()>| {
        Wal::open(Arc::new(Disk), &dir, options(4096), Lsn(0), sink).unwrap()
    };
    let (wal, _) = open(&mut |_| Ok(()));
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let wal = &wal;
            scope.spawn(move || {
                let tenant = format!("tenant-{writer}");
                for record in 0..RECORDS {
                    let body = record.to_le_bytes();
                    wal.admit(&tenant, body.len()).unwrap();
                    let lsn = wal.submit(wal.era(), &tenant, 1, 1, &body).unwrap();
                    wal.wait(lsn).unwrap();
                    assert!(wal.durable_lsn() >= lsn);
                }
            });
        }
    });
    wal.close().unwrap();
    let mut next = [0; WRITERS as usize];
    let mut sink = |frame: Frame<'_>| {
        let writer: usize = frame.tenant["tenant-".len()..].parse().unwrap();
        assert_eq!(frame.body, u32::to_le_bytes(next[writer]));
        next[writer] += 1;
        Ok(())
    };
    let (wal, report) = open(&mut sink);
    assert_eq!(next, [RECORDS; WRITERS as usize]);
    assert!(report.damages.is_empty());
    assert!(wal.segments().len() > 2);
    drop(wal);
    for file in Disk.list(&dir).unwrap() {
        Disk.remove_file(&dir.join(file)).unwrap();
    }
}

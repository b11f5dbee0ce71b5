//! Bytes that are not what was written.

use std::path::PathBuf;

use super::*;

fn segment(first: u64) -> PathBuf {
    super::super::segment::segment_path(Path::new(DIR), first)
}

fn replay(disk: &SimDisk) -> Result<(ReplayReport, Seen)> {
    let mut seen = Seen::new();
    let mut sink = |frame: Frame<'_>| {
        seen.push((frame.lsn.0, frame.body.to_vec()));
        Ok(())
    };
    let report = Wal::replay_only(disk, Path::new(DIR), Lsn(0), &mut sink)?;
    Ok((report, seen))
}

fn lost(report: &ReplayReport) -> Vec<Option<(u64, u64)>> {
    let lsns = report.damages.iter().map(|damage| damage.lost);
    lsns.map(|lost| lost.map(|(first, last)| (first.0, last.0)))
        .collect()
}

#[test]
fn a_log_cut_at_any_byte_replays_a_prefix_and_goes_on() {
    let whole = log_of(3, 1 << 20);
    let (_, all) = replay(&whole).unwrap();
    let length = whole.contents(&segment(1)).unwrap().len() as u64;
    for cut in 0..length {
        let disk = whole.copy();
        disk.truncate(&segment(1), cut);
        let (wal, report, seen) = open(&disk, WalOptions::default());
        assert_eq!(seen[..], all[..seen.len()], "cut at {cut}");
        assert!(seen.len() < 3);
        assert!(report.damages.is_empty(), "a cut at the end is a torn tail");
        let lsn = write(&wal, b"more");
        assert!(lsn > seen.len() as u64);
        let (report, again) = replay(&disk).unwrap();
        assert!(
            report.damages.is_empty(),
            "cut at {cut}: {:?}",
            report.damages
        );
        assert_eq!(again[..seen.len()], seen[..]);
        assert_eq!(again[seen.len()..], [(lsn, b"more".to_vec())]);
    }
}

#[test]
fn a_flipped_bit_anywhere_costs_at_most_its_own_frame() {
    let whole = log_of(4, 400);
    let (_, all) = replay(&whole).unwrap();
    for (path, length) in whole.files() {
        for at in 0..length {
            let disk = whole.copy();
            disk.corrupt(&path, at, 1 << (at % 8));
            let (report, seen) = replay(&disk).unwrap();
            let missing = all.iter().filter(|frame| !seen.contains(frame)).count();
            assert!(
                seen.iter().all(|frame| all.contains(frame)),
                "{path:?} at {at}"
            );
            assert!(missing <= 1, "{path:?} at {at}");
            let noticed = !report.damages.is_empty() || report.torn_tail_bytes > 0;
            assert!(noticed, "{path:?} at {at}");
        }
    }
}

#[test]
fn damage_with_anything_behind_it_is_reported_and_passed() {
    let disk = log_of(10, 700);
    let frame = 144;
    // The second frame's marker and the third one's body make one stretch; the fourth lies behind
    // it.
    disk.corrupt(&segment(1), 48 + frame, 0xff);
    disk.corrupt(&segment(1), 48 + 2 * frame + 60, 0xff);
    let (report, seen) = replay(&disk).unwrap();
    let lsns: Vec<u64> = seen.iter().map(|frame| frame.0).collect();
    assert_eq!(lsns, [1, 4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(lost(&report), [Some((2, 3))]);
    let damage = &report.damages[0];
    assert_eq!(
        (damage.offset, damage.bytes, damage.proven),
        (48 + frame, 2 * frame, true)
    );
    let error = damage.error();
    assert_eq!(
        (error.kind(), error.offset()),
        (ErrorKind::Corrupt, Some(48 + frame))
    );
    assert_eq!(error.path(), Some(&*segment(1)));
}

#[test]
fn a_missing_segment_is_reported() {
    let disk = log_of(10, 400);
    disk.remove_file(&segment(5)).unwrap();
    let (report, seen) = replay(&disk).unwrap();
    assert_eq!(seen.len(), 8);
    assert_eq!(lost(&report), [Some((5, 6))]);
    assert!(report.damages[0].proven);
}

#[test]
fn a_segment_cut_short_with_another_behind_it_is_damage() {
    let disk = log_of(4, 400);
    disk.truncate(&segment(1), 48 + 144 + 20);
    let (report, seen) = replay(&disk).unwrap();
    assert_eq!(seen.len(), 3);
    assert_eq!(lost(&report), [Some((2, 2))]);
    assert_eq!(report.torn_tail_bytes, 0);
}

#[test]
fn a_last_segment_that_never_began_is_fine() {
    for length in [0, 1, 47, 48] {
        let disk = log_of(4, 400);
        disk.plant(&segment(5), &vec![0; length]);
        let (wal, report, seen) = open(&disk, options(400));
        assert_eq!(seen.len(), 4);
        assert!(report.damages.is_empty());
        assert_eq!(report.torn_tail_bytes, length as u64);
        assert_eq!(
            write(&wal, b"x"),
            6,
            "the name of a file is never used twice"
        );
        let (report, seen) = replay(&disk).unwrap();
        assert_eq!(seen.last().unwrap().0, 6);
        assert!(report.damages.is_empty());
    }
}

/// A segment withdrawn after a failure comes back in a crash when its removal was not synced. An
/// older name may have been given out meanwhile, and its frames have passed the one that is back.
#[test]
fn a_segment_that_comes_back_without_a_header_says_nothing_of_others() {
    for length in [0, 1, 47, 48, 200] {
        let disk = log_of(10, 1 << 20);
        disk.plant(&segment(5), &vec![0; length]);
        for boot in 0..3 {
            let (wal, report, seen) = open(&disk, options(1 << 20));
            assert_eq!(seen.len(), 10 + boot, "boot {boot}");
            assert!(report.damages.is_empty());
            write(&wal, b"x");
            assert_eq!(wal.release(Lsn(5)).unwrap(), 0, "its frames go up to 10");
        }
    }
}

#[test]
fn a_segment_in_the_middle_of_which_nothing_is_left_is_reported() {
    let disk = log_of(10, 400);
    let length = disk.contents(&segment(3)).unwrap().len();
    disk.remove_file(&segment(3)).unwrap();
    disk.plant(&segment(3), &vec![0; length]);
    let (report, seen) = replay(&disk).unwrap();
    assert_eq!(seen.len(), 8);
    assert_eq!(lost(&report), [Some((3, 4))]);
    let damage = &report.damages[0];
    assert_eq!((&damage.path, damage.bytes), (&segment(3), length as u64));
}

#[test]
fn a_version_of_the_future_is_not_guessed_at() {
    let disk = log_of(2, 400);
    let mut bytes = disk.contents(&segment(1)).unwrap();
    bytes[8] = 2;
    bytes[44] ^= 1;
    disk.remove_file(&segment(1)).unwrap();
    disk.plant(&segment(1), &bytes);
    assert_eq!(replay(&disk).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn a_frame_inside_a_body_is_never_taken_for_one() {
    let disk = log_of(2, 1 << 20);
    let inside = disk.contents(&segment(1)).unwrap();
    let (wal, ..) = open(&disk, WalOptions::default());
    // The copy lies at every place of the alignment that a frame could have.
    for shift in 0..8 {
        let mut body = vec![0; shift];
        body.extend_from_slice(&inside);
        write(&wal, &body);
        write(&wal, b"behind");
    }
    for at in (0..disk.contents(&segment(3)).unwrap().len() as u64).step_by(3) {
        let damaged = disk.copy();
        damaged.corrupt(&segment(3), at, 0x55);
        let (_, seen) = replay(&damaged).unwrap();
        let repeated = seen.iter().filter(|frame| frame.1 == [1; 100]).count();
        assert_eq!(repeated, 1, "at {at}");
        assert!(seen.len() >= 17, "at {at}");
    }
}

#[test]
fn other_files_in_the_directory_are_left_alone() {
    let disk = log_of(2, 400);
    disk.plant(&Path::new(DIR).join("notes.txt"), b"not ours");
    disk.plant(&Path::new(DIR).join("1.wal"), b"not ours");
    assert_eq!(replay(&disk).unwrap().1.len(), 2);
}

#[test]
fn random_bytes_never_panic() {
    for seed in 0..2000 {
        let mut dice = crate::io::sim::Dice::new(seed);
        let mut bytes = log_of_bytes();
        for _ in 0..=dice.below(6) {
            let at = dice.below_len(bytes.len());
            bytes[at] = dice.next() as u8;
        }
        bytes.truncate(dice.below_len(bytes.len() + 1));
        super::super::fuzz::fuzz_wal(&bytes);
    }
}

fn log_of_bytes() -> Vec<u8> {
    thread_local! {
        static BYTES: Vec<u8> = log_of(5, 1 << 20).contents(&segment(1)).unwrap();
    }
    BYTES.with(Vec::clone)
}

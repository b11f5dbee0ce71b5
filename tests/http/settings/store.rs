//! What the engine may use of the machine, as a server sets it.

use std::path::Path;

use super::*;

const DAY: i64 = 86_400_000;

/// Samples of one series on each of so many days, in blocks.
fn fill_days(bed: &Bed, days: i64) {
    for day in 0..days {
        let text: String = (0..500)
            .map(|at| format!("up{{day=\"{day}\"}} {at} {}\n", NOON - day * DAY + at))
            .collect();
        assert_eq!(import(bed, &text).code, 204);
    }
    assert_eq!(bed.post("/api/v1/admin/tsdb/flush", "").code, 204);
}

/// Reads all samples.
fn read_days(bed: &Bed, days: i64) {
    let path = format!(
        "count_over_time(up%5B{}d%5D)&time={}",
        days + 1,
        NOON / 1000 + 60
    );
    let data = bed.get(&format!("/api/v1/query?query={path}")).data();
    assert_eq!(data["result"].as_array().unwrap().len() as i64, days);
}

/// Pushes new series until something is so.
fn push_until(bed: &Bed, what: &str, is_so: impl Fn() -> bool) {
    let mut next = 0;
    until(what, || {
        let text: String = (next..next + 1000)
            .map(|at| format!("x{at} 1 {NOON}\n"))
            .collect();
        next += 1000;
        assert_eq!(import(bed, &text).code, 204);
        is_so()
    });
}

/// Pushes until the store has written blocks by itself.
fn until_blocks(bed: &Bed) {
    let has_blocks = || figure(bed, "chronolith_metrics_blocks") > 0;
    push_until(bed, "entries go to blocks", has_blocks);
}

#[test]
fn entries_go_to_blocks_when_they_take_the_memory_that_they_may() {
    until_blocks(&bed(&[("store.head_bytes_max", "256KiB")]));
}

#[test]
fn entries_go_to_blocks_when_the_log_is_as_long_as_it_may_be() {
    until_blocks(&bed(&[("store.wal_bytes_max", "256KiB")]));
}

#[test]
fn pages_are_kept_for_repeated_reads_where_there_is_room_for_them() {
    let hits = |bed: &Bed| {
        fill_days(bed, 1);
        (0..3).for_each(|_| read_days(bed, 1));
        figure(bed, "chronolith_engine_cache_hits_total")
    };
    assert_eq!(hits(&bed(&[("store.cache_bytes_max", "0")])), 0);
    assert_ne!(hits(&bed(&[("store.cache_bytes_max", "10MiB")])), 0);
}

/// Files in this folder that the process has open.
fn open_blocks(folder: &Path) -> usize {
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let targets = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let is_block =
        |path: &Path| path.starts_with(folder) && path.extension().is_some_and(|end| end == "blk");
    targets.filter(|path| is_block(path)).count()
}

#[test]
fn no_more_files_of_blocks_stay_open_than_may() {
    let open = |max: &str| {
        let bed = bed(&[
            ("store.open_files_max", max),
            ("store.cache_bytes_max", "0"),
        ]);
        fill_days(&bed, 20);
        read_days(&bed, 20);
        open_blocks(&bed.folder.0.canonicalize().unwrap())
    };
    let (few, many) = (open("1"), open("100"));
    assert!(few <= 1 && many > 1, "{few} and {many}");
}

#[test]
fn as_much_is_set_aside_for_a_full_disk_as_is_wanted() {
    let bed = bed(&[("store.reserve_bytes", "64KiB")]);
    // It is made once there is more data than it is large.
    push_until(&bed, "the reserve is made", || {
        let reserve = std::fs::metadata(bed.folder.0.join("RESERVE"));
        reserve.is_ok_and(|reserve| reserve.len() == 64 << 10)
    });
}

/// How many syncs of the log pushes bring that were answered one after the other.
fn syncs(durability: &str) -> u64 {
    let bed = bed(&[("durability", durability)]);
    let count = || figure(&bed, "chronolith_engine_wal_syncs_total");
    let before = count();
    for at in 0..8 {
        assert_eq!(import(&bed, &format!("up {at} {}\n", NOON + at)).code, 204);
    }
    count() - before
}

#[test]
fn a_write_is_done_when_it_is_as_durable_as_is_wanted() {
    assert!(syncs("always") >= 8);
    assert_eq!(syncs("never"), 0);
    // The log is synced as it passes by, not for each of them.
    assert!(syncs("1h") < 8);
}

#[test]
fn merges_wait_to_be_asked_where_they_may_take_nothing_of_a_core() {
    let filled = |percent: &str| {
        let bed = bed(&[("store.compaction_percent", percent)]);
        for _ in 0..12 {
            fill_days(&bed, 1);
        }
        bed
    };
    let merges = |bed: &Bed| figure(bed, "chronolith_metrics_merges_total");
    let (resting, at_work) = (filled("0"), filled("100"));
    until("merges begin by themselves", || merges(&at_work) > 0);
    assert_eq!(merges(&resting), 0);
    assert_eq!(resting.post("/api/v1/admin/tsdb/compact", "").code, 204);
    assert_ne!(merges(&resting), 0);
}

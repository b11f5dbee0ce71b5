//! Budgets: small ones lead to freezes by themselves, and to bounded memory and log.

use chronolith_engine::{Options, Refusal};

use super::bed::{
    AHEAD_MS, Folder, all, numbered, offer, options, points, put, put_line, set, texts, with_limits,
};

#[test]
fn a_small_memory_budget_freezes_by_itself_and_bounds_the_head() {
    let folder = Folder::new();
    let bound = 256 << 10;
    let engine = folder.open_with(Options {
        head_bytes_max: bound,
        ..options()
    });
    let logs = engine.logs().unwrap();
    let text = "x".repeat(1000);
    for number in 0..4000 {
        put_line(&logs, &numbered(number % 8), number as i64, &text);
        // Writers wait where twice the bound is in use; one page of each stream is the grain.
        let used = engine.stats().head_bytes;
        assert!(
            used < 2 * bound + 8 * (70 << 10),
            "{used} bytes in memory after {number} lines"
        );
    }
    assert!(logs.stats().blocks > 0);
    assert_eq!(texts(&logs).len(), 4000);
    assert!(logs.damage().is_empty());
}

#[test]
fn a_small_log_budget_freezes_by_itself_and_bounds_the_log() {
    let folder = Folder::new();
    let bound = 128 << 10;
    let engine = folder.open_with(Options {
        wal_bytes_max: bound,
        ..options()
    });
    let metrics = engine.metrics().unwrap();
    // A store that wrote once and never again must not hold the log.
    put_line(&engine.logs().unwrap(), &numbered(1), 5, "once");
    for time in 0..20_000 {
        put(
            &metrics,
            &numbered(time as usize % 50),
            AHEAD_MS + time,
            time as f64 / 3.0,
        );
        let used = engine.stats().wal_bytes;
        assert!(used < 3 * bound, "{used} bytes of log after {time} samples");
    }
    let on_disk: u64 = folder
        .files("")
        .iter()
        .filter(|path| path.starts_with(wal(&folder)))
        .map(|path| std::fs::metadata(path).map_or(0, |data| data.len()))
        .sum();
    assert!(on_disk < 3 * bound, "{on_disk} bytes of log on disk");
    let count: usize = points(&metrics.snapshot(), &all())
        .iter()
        .map(|(_, points)| points.len())
        .sum();
    assert_eq!(count, 20_000);
    engine.close().unwrap();
    let engine = folder.open();
    assert_eq!(texts(&engine.logs().unwrap()), ["once"]);
    assert!(engine.damage().is_empty(), "{:?}", engine.damage());
}

#[test]
fn a_log_that_nobody_needs_takes_no_room() {
    let folder = Folder::new();
    let bound = 1 << 20;
    let engine = folder.open_with(Options {
        wal_bytes_max: bound,
        ..options()
    });
    let metrics = engine.metrics().unwrap();
    let round = |round: i64| {
        for time in 0..2_000 {
            let time = AHEAD_MS + round * 2_000 + time;
            put(&metrics, &numbered(time as usize % 50), time, time as f64);
        }
    };
    round(0);
    let before = engine.stats().wal_bytes;
    assert!(before > bound / 64, "{before}");
    metrics.freeze().unwrap();
    let after = engine.stats().wal_bytes;
    assert!(after < 1_000, "{after} bytes of log that nobody needs");
    // What comes afterwards is told whole, with series that the log knows no more.
    round(1);
    engine.close().unwrap();
    let engine = folder.open();
    let metrics = engine.metrics().unwrap();
    let counts = points(&metrics.snapshot(), &all());
    let count: usize = counts.iter().map(|(_, points)| points.len()).sum();
    assert_eq!(count, 4_000);
    assert!(engine.damage().is_empty(), "{:?}", engine.damage());
}

fn wal(folder: &Folder) -> std::path::PathBuf {
    folder.path().join("wal")
}

#[test]
fn at_the_cap_new_series_are_refused_until_idle_ones_are_forgotten() {
    let folder = Folder::new();
    let engine = folder.open_with(with_limits(|limits| limits.series_max = 100));
    let metrics = engine.metrics().unwrap();
    for round in 0..5 {
        for number in 0..100 {
            put(
                &metrics,
                &numbered(round * 100 + number),
                AHEAD_MS + round as i64,
                1.0,
            );
        }
        let refused = offer(&metrics, &numbered(99_999), AHEAD_MS, 1.0);
        assert_eq!(refused, Err(Refusal::SeriesLimit), "round {round}");
        metrics.freeze().unwrap();
    }
    assert_eq!(points(&metrics.snapshot(), &all()).len(), 500);
    assert_eq!(engine.stats().head_series, 0);
    engine.close().unwrap();
    let engine = folder.open();
    assert_eq!(
        points(&engine.metrics().unwrap().snapshot(), &all()).len(),
        500
    );
}

#[test]
fn a_snapshot_keeps_idle_series_known_and_its_end_lets_them_go() {
    let folder = Folder::new();
    let engine = folder.open();
    let metrics = engine.metrics().unwrap();
    put(&metrics, &numbered(1), 1, 1.0);
    let held = metrics.snapshot();
    metrics.freeze().unwrap();
    assert_eq!(engine.stats().head_series, 1);
    drop(held);
    put(&metrics, &set(&[("a", "b")]), 1, 1.0);
    metrics.freeze().unwrap();
    assert_eq!(engine.stats().head_series, 0);
}

#[test]
fn memory_of_the_head_is_given_back_by_a_freeze() {
    let folder = Folder::new();
    let engine = folder.open();
    let (metrics, logs) = (engine.metrics().unwrap(), engine.logs().unwrap());
    for number in 0..500 {
        put(&metrics, &numbered(number % 50), number as i64, 0.1);
        put_line(&logs, &numbered(number % 50), number as i64, "some text");
    }
    assert!(engine.stats().head_bytes > 0 && engine.stats().head_series == 100);
    metrics.freeze().unwrap();
    logs.freeze().unwrap();
    assert_eq!(
        (engine.stats().head_bytes, engine.stats().head_series),
        (0, 0)
    );
    let (samples, lines) = (metrics.stats(), logs.stats());
    assert_eq!((samples.block_entries, lines.block_entries), (500, 500));
    assert_eq!((samples.head_entries, lines.head_entries), (0, 0));
}

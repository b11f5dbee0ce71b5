//! By size: the oldest go first, in one store and over all, and the newest stay.

use chronolith_engine::time::Millis;

use super::super::bed::{all, only, points, put, put_line, texts};
use super::*;

/// One block of samples for each of `hours`, of about the same size, in partitions of two hours.
fn fill(
    stage: &Stage,
    store: &Store<chronolith_engine::metrics::Samples>,
    hours: usize,
) -> Vec<i64> {
    let mut times = Vec::new();
    for _ in 0..hours {
        put(store, &app("a"), now_ms(stage), 1.0);
        times.push(now_ms(stage));
        store.freeze().unwrap();
        advance_ms(stage, 2 * HOUR_MS);
    }
    times
}

fn sized(bytes_max: u64) -> Limits {
    Limits {
        retention_bytes_max: Some(bytes_max),
        ..Limits::default()
    }
}

#[test]
fn a_store_over_its_bound_drops_its_oldest_blocks_and_never_the_newest() {
    let stage = stage();
    let engine = stage.open(&options(Limits::default())).unwrap();
    let metrics = engine.metrics().unwrap();
    let times = fill(&stage, &metrics, 6);
    tend(&stage, &engine);
    let stats = metrics.stats();
    assert_eq!((stats.blocks, stats.expired_blocks), (6, 0));
    let one = stats.block_bytes / 6;
    let left = || -> Vec<i64> { only(&metrics).iter().map(|point| point.0).collect() };
    for (bytes_max, kept) in [
        (stats.block_bytes, 6),
        (one * 5, 5),
        (one * 2 + 40, 2),
        (1, 1),
    ] {
        metrics.set_limits(sized(bytes_max)).unwrap();
        tend(&stage, &engine);
        assert_eq!(left(), times[6 - kept..], "at most {bytes_max}");
        assert_eq!(block_files(&stage).len(), kept);
    }
    let stats = metrics.stats();
    assert_eq!((stats.blocks, stats.dropped_blocks), (1, 5));
    // The bound holds while the store goes on: the new block takes the place of the last.
    fill(&stage, &metrics, 1);
    tend(&stage, &engine);
    assert_eq!(block_files(&stage).len(), 1);
    assert_eq!(only(&metrics).len(), 1);
    assert_sound(&metrics);
}

#[test]
fn blocks_that_overlap_go_together_so_that_no_refused_value_comes_to_light() {
    let stage = stage();
    let engine = stage.open(&options(Limits::default())).unwrap();
    let metrics = engine.metrics().unwrap();
    let times = fill(&stage, &metrics, 2);
    // Another value for the time of the first block: it lost, and is in a block of its own.
    put(&metrics, &app("a"), times[0], 7.0);
    metrics.freeze().unwrap();
    let stats = metrics.stats();
    assert_eq!(stats.blocks, 3);
    metrics.set_limits(sized(stats.block_bytes - 1)).unwrap();
    tend(&stage, &engine);
    assert_eq!(metrics.stats().blocks, 1);
    let left: Vec<i64> = only(&metrics).iter().map(|point| point.0).collect();
    assert_eq!(left, times[1..]);
}

#[test]
fn all_stores_together_keep_to_the_engine_s_bound() {
    let stage = stage();
    let engine = stage.open(&options(Limits::default())).unwrap();
    let (one, two) = (engine.tenant("one").unwrap(), engine.tenant("two").unwrap());
    let times = fill(&stage, &one.metrics().unwrap(), 4);
    // Time for the lines that come after all.
    advance_ms(&stage, 6 * HOUR_MS);
    let logs = two.logs().unwrap();
    for number in 0..4 {
        // Between the second and the third of the metrics, and the last one after all.
        let time = times[2] - 10 + number * (HOUR_MS * 2);
        put_line(&logs, &app("a"), time * MS, "x");
        logs.freeze().unwrap();
    }
    let total = engine.stats().block_bytes;
    engine.close().unwrap();
    let bounded = |bytes: u64| Options {
        retention_bytes_max: Some(bytes),
        ..options(Limits::default())
    };
    for (bytes, metrics, lines) in [(total, 4, 4), (total - 1, 3, 4), (1, 1, 1)] {
        let engine = stage.open(&bounded(bytes)).unwrap();
        tend(&stage, &engine);
        let metrics_left = only(&engine.tenant("one").unwrap().metrics().unwrap());
        let lines_left = texts(&engine.tenant("two").unwrap().logs().unwrap());
        assert_eq!(
            (metrics_left.len(), lines_left.len()),
            (metrics, lines),
            "{bytes}"
        );
        assert_eq!(metrics_left.last().unwrap().0, times[3]);
        assert!(engine.stats().block_bytes <= bytes || bytes == 1);
        engine.close().unwrap();
    }
    assert_eq!(block_files(&stage).len(), 2);
}

#[test]
fn the_engine_s_bound_takes_the_oldest_whichever_store_they_are_in() {
    let stage = stage();
    let engine = stage.open(&options(Limits::default())).unwrap();
    let (one, two) = (engine.tenant("one").unwrap(), engine.tenant("two").unwrap());
    let (older, newer) = (one.metrics().unwrap(), two.metrics().unwrap());
    let old = fill(&stage, &older, 3);
    fill(&stage, &newer, 3);
    let (total, first) = (engine.stats().block_bytes, older.stats().block_bytes);
    engine.close().unwrap();
    let engine = stage
        .open(&Options {
            retention_bytes_max: Some(total - first / 2),
            ..options(Limits::default())
        })
        .unwrap();
    tend(&stage, &engine);
    let of = |name: &str| {
        let store = engine.tenant(name).unwrap().metrics().unwrap();
        points(
            &store.snapshot(),
            &all().between(Millis(0), Millis(i64::MAX)),
        )
    };
    let times: Vec<i64> = of("one")[0].1.iter().map(|point| point.0).collect();
    assert_eq!(times, old[2..]);
    assert_eq!(of("two")[0].1.len(), 3);
}

#[test]
fn on_a_full_disk_expiry_makes_room_and_writing_goes_on() {
    let stage = stage();
    let engine = stage.open(&options(keeping(4 * HOUR))).unwrap();
    let metrics = engine.metrics().unwrap();
    for number in 0..2000 {
        put(
            &metrics,
            &super::super::bed::numbered(number),
            now_ms(&stage),
            1.0,
        );
    }
    metrics.freeze().unwrap();
    let files_before = block_files(&stage).len();
    stage.disk.capacity(stage.disk.used() + 400);
    let mut batch = chronolith_engine::Batch::<chronolith_engine::metrics::Samples>::new();
    let labels: Vec<LabelSet> = (0..500).map(super::super::bed::numbered).collect();
    for (number, labels) in labels.iter().enumerate() {
        let time = Millis(now_ms(&stage) + 1 + number as i64);
        batch.push(
            labels.as_labels(),
            chronolith_engine::metrics::Sample::float(time, 0.1),
        );
    }
    let error = metrics.append(&batch).unwrap_err();
    assert_eq!(error.kind(), chronolith_engine::ErrorKind::Full);
    // Room for one small commit, and neither for the batch nor for a freeze.
    stage.disk.capacity(stage.disk.used() + 400);
    assert!(metrics.append(&batch).is_err());
    stage.disk.capacity(stage.disk.used() + 400);
    advance_ms(&stage, 5 * HOUR_MS);
    tend(&stage, &engine);
    assert!(block_files(&stage).len() < files_before);
    put(&metrics, &app("a"), now_ms(&stage), 1.0);
    assert_eq!(only(&metrics).len(), 1);
}

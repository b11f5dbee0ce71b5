//! Snapshots: whole batches, never blocking, exact for as long as they are held.

use std::sync::atomic::{AtomicBool, Ordering};

use chronolith_engine::labels::LabelSet;
use chronolith_engine::logs::{Line, Lines};
use chronolith_engine::metrics::{Sample, Samples};
use chronolith_engine::time::{Millis, Nanos};
use chronolith_engine::{Batch, Engine, Options};

use super::bed::{
    AHEAD_MS, Folder, all, bits, equal, logged, numbered, options, points, put, put_line, set,
};

#[test]
fn a_snapshot_sees_what_was_there_and_nothing_newer() {
    let folder = Folder::new();
    let engine = folder.open();
    let metrics = engine.metrics().unwrap();
    let empty = metrics.snapshot();
    put(&metrics, &numbered(1), 100, 1.0);
    let one = metrics.snapshot();
    put(&metrics, &numbered(1), 200, 2.0);
    put(&metrics, &numbered(1), 50, 0.5);
    put(&metrics, &numbered(2), 100, 9.0);
    let both = points(&metrics.snapshot(), &all());
    assert_eq!(points(&empty, &all()), []);
    let first = [(
        numbered(1).as_labels().to_string(),
        vec![(100, None, bits(1.0))],
    )];
    assert_eq!(points(&one, &all()), first);
    assert_eq!(one.label_values("n", &all(), 10).unwrap(), ["00001"]);
    assert_eq!(both.len(), 2);
}

#[test]
fn a_snapshot_held_while_everything_is_frozen_and_forgotten_stays_exact() {
    let folder = Folder::new();
    let engine = folder.open();
    let (metrics, logs) = (engine.metrics().unwrap(), engine.logs().unwrap());
    for number in 0..200 {
        put(
            &metrics,
            &numbered(number),
            100 + number as i64,
            number as f64,
        );
        put_line(&logs, &numbered(number), 100, &format!("line {number}"));
    }
    let (held, held_lines) = (metrics.snapshot(), logs.snapshot());
    // Nothing was asked of the snapshots yet: all they have is their place.
    for round in 0..3 {
        metrics.freeze().unwrap();
        logs.freeze().unwrap();
        // The keeper's rounds forget idle series; new ones take their numbers.
        for number in 0..300 {
            put(
                &metrics,
                &set(&[("round", &format!("{round} {number}"))]),
                AHEAD_MS,
                7.0,
            );
            put_line(
                &logs,
                &set(&[("round", &format!("{round} {number}"))]),
                100,
                "new",
            );
        }
    }
    let found = points(&held, &all());
    assert_eq!(found.len(), 200);
    for (number, (labels, points)) in found.iter().enumerate() {
        assert_eq!(*labels, numbered(number).as_labels().to_string());
        assert_eq!(
            points[..],
            [(100 + number as i64, None, bits(number as f64))]
        );
    }
    let lines = logged(&held_lines, &all());
    assert_eq!(lines.len(), 200);
    for (number, (_, lines)) in lines.iter().enumerate() {
        assert_eq!(lines[0].1, format!("line {number}"));
    }
    assert_eq!(held.label_names(&all(), 10).unwrap(), ["__name__", "n"]);
    assert_eq!(points(&metrics.snapshot(), &all()).len(), 200 + 900);
}

#[test]
fn an_untouched_snapshot_outlives_the_eviction_of_all_its_series() {
    let folder = Folder::new();
    let engine = folder.open();
    let metrics = engine.metrics().unwrap();
    for number in 0..50 {
        put(&metrics, &numbered(number), 100, 1.0);
    }
    let held = metrics.snapshot();
    // No batch comes in between: the snapshot stands at the very batch that is frozen.
    metrics.freeze().unwrap();
    // Each open of another store makes the keeper look, and each freeze forgets what is idle.
    for _ in 0..20 {
        metrics.freeze().unwrap();
        std::thread::yield_now();
    }
    assert_eq!(points(&held, &all()).len(), 50);
    drop(held);
    assert_eq!(points(&metrics.snapshot(), &all()).len(), 50);
}

/// Appends batches that write one value to every series, and freezes now and then.
fn write_rounds(engine: &Engine, series: &[LabelSet], rounds: i64, stop: &AtomicBool) {
    let (metrics, logs) = (engine.metrics().unwrap(), engine.logs().unwrap());
    for round in 0..rounds {
        let mut batch = Batch::<Samples>::new();
        let mut lines = Batch::<Lines>::new();
        let text = round.to_string();
        for labels in series {
            let time = AHEAD_MS + round;
            batch.push(
                labels.as_labels(),
                Sample::float(Millis(time), round as f64),
            );
            lines.push(labels.as_labels(), Line::new(Nanos(round), &text));
        }
        assert_eq!(
            metrics.append(&batch).unwrap().accepted,
            series.len() as u64
        );
        assert_eq!(logs.append(&lines).unwrap().accepted, series.len() as u64);
        if round % 40 == 39 {
            metrics.freeze().unwrap();
            logs.freeze().unwrap();
        }
    }
    stop.store(true, Ordering::Release);
}

/// Every series of a snapshot must hold the same number of entries.
fn check_whole(engine: &Engine, series: usize) -> usize {
    let snapshot = engine.metrics().unwrap().snapshot();
    let found = points(&snapshot, &all());
    let lines = logged(&engine.logs().unwrap().snapshot(), &all());
    for counts in [
        found
            .iter()
            .map(|(_, points)| points.len())
            .collect::<Vec<_>>(),
        lines.iter().map(|(_, lines)| lines.len()).collect(),
    ] {
        assert!(
            counts.is_empty() || counts.len() == series,
            "{} series",
            counts.len()
        );
        assert!(
            counts.windows(2).all(|pair| pair[0] == pair[1]),
            "batches are torn: {counts:?}"
        );
    }
    // The same snapshot asked again answers the same, whatever was frozen meanwhile.
    assert!(points(&snapshot, &all()) == found);
    found.first().map_or(0, |(_, points)| points.len())
}

#[test]
fn readers_see_every_batch_whole_while_writers_write_and_freeze() {
    let folder = Folder::new();
    // Small budgets make the keeper freeze as well.
    let engine = folder.open_with(Options {
        head_bytes_max: 256 << 10,
        ..options()
    });
    let series: Vec<LabelSet> = (0..80).map(numbered).collect();
    let (stop, rounds) = (AtomicBool::new(false), 200);
    std::thread::scope(|scope| {
        scope.spawn(|| write_rounds(&engine, &series, rounds, &stop));
        for _ in 0..2 {
            scope.spawn(|| {
                let mut seen = 0;
                while !stop.load(Ordering::Acquire) {
                    let now = check_whole(&engine, series.len());
                    assert!(now >= seen, "a later snapshot saw less: {now} after {seen}");
                    seen = now;
                }
            });
        }
    });
    assert_eq!(check_whole(&engine, series.len()), rounds as usize);
}

#[test]
fn what_an_append_acknowledged_is_in_the_next_snapshot_of_any_thread() {
    let folder = Folder::new();
    let engine = folder.open();
    let metrics = engine.metrics().unwrap();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let metrics = &metrics;
            scope.spawn(move || {
                let labels = numbered(writer);
                let own = equal("n", &format!("{writer:05}"));
                for time in 0..200 {
                    put(metrics, &labels, time, 1.0);
                    let found = points(&metrics.snapshot(), &own);
                    assert_eq!(found[0].1.len(), time as usize + 1);
                }
            });
        }
    });
}

#[test]
fn snapshots_outlive_the_engine() {
    let folder = Folder::new();
    let engine = folder.open();
    let metrics = engine.metrics().unwrap();
    put(&metrics, &numbered(1), 1, 1.0);
    metrics.freeze().unwrap();
    put(&metrics, &numbered(1), 2, 2.0);
    let held = metrics.snapshot();
    engine.close().unwrap();
    assert_eq!(points(&held, &all())[0].1.len(), 2);
}

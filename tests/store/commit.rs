//! Many writers at once, under every durability.

use std::time::Duration;

use chronolith_engine::{Durability, Options};

use super::bed::{Folder, all, numbered, options, points, put, put_line, texts};

fn write_from_eight_threads(durability: Durability) {
    const THREADS: usize = 8;
    const EACH: usize = 60;
    let folder = Folder::new();
    let engine = folder.open_with(Options {
        durability,
        ..options()
    });
    let (metrics, logs) = (engine.metrics().unwrap(), engine.logs().unwrap());
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (metrics, logs) = (&metrics, &logs);
            scope.spawn(move || {
                for time in 0..EACH {
                    put(metrics, &numbered(thread), time as i64, time as f64);
                    put_line(
                        logs,
                        &numbered(time % 3),
                        time as i64,
                        &format!("{thread} {time}"),
                    );
                }
            });
        }
    });
    let check = |engine: &chronolith_engine::Engine| {
        let found = points(&engine.metrics().unwrap().snapshot(), &all());
        assert_eq!(found.len(), THREADS);
        assert!(found.iter().all(|(_, points)| points.len() == EACH));
        let mut lines = texts(&engine.logs().unwrap());
        lines.sort();
        let mut wanted: Vec<String> = (0..THREADS * EACH)
            .map(|number| format!("{} {}", number / EACH, number % EACH))
            .collect();
        wanted.sort();
        assert_eq!(lines, wanted);
    };
    check(&engine);
    engine.close().unwrap();
    let engine = folder.open();
    check(&engine);
    assert!(engine.damage().is_empty());
}

#[test]
fn eight_threads_share_syncs_and_lose_nothing() {
    write_from_eight_threads(Durability::Always);
}

#[test]
fn eight_threads_write_while_another_syncs_now_and_then() {
    write_from_eight_threads(Durability::Interval(Duration::from_millis(1)));
}

#[test]
fn eight_threads_write_without_syncs() {
    write_from_eight_threads(Durability::Never);
}

//! Backfill of months in one go, while newer data is in the head.

use chronolith_engine::Engine;
use chronolith_engine::metrics::{Sample, Samples};
use chronolith_engine::time::{Millis, Nanos};
use chronolith_engine::{Batch, Store};

use super::bed::{
    AHEAD_MS, Folder, HOUR_MS, MS, PAST_MS, all, append_lines, at_every_stage, numbered, points,
    put, put_line, set, texts,
};

const DAYS: i64 = 240;

/// Every hour of eight months for a few series, in batches of one day.
fn backfill(metrics: &Store<Samples>) {
    let series: Vec<_> = (0..5).map(numbered).collect();
    for day in 0..DAYS {
        let mut batch = Batch::<Samples>::new();
        for labels in &series {
            batch.series(labels.as_labels().as_bytes());
            for hour in 0..24 {
                let time = PAST_MS + (day * 24 + hour) * HOUR_MS;
                batch.entry(Sample::float(Millis(time), hour as f64));
            }
        }
        assert_eq!(metrics.append(&batch).unwrap().accepted, 24 * 5);
    }
}

fn block_count(engine: &Engine) -> u64 {
    engine.metrics().unwrap().stats().blocks
}

#[test]
fn eight_months_are_taken_at_once_and_end_in_few_blocks() {
    let folder = Folder::new();
    at_every_stage(
        &folder,
        |engine| {
            let metrics = engine.metrics().unwrap();
            for number in 0..5 {
                put(&metrics, &numbered(number), AHEAD_MS, -1.0);
            }
            backfill(&metrics);
            for number in 0..5 {
                put(&metrics, &numbered(number), AHEAD_MS + 1, -2.0);
            }
        },
        |stage, engine| {
            let found = points(&engine.metrics().unwrap().snapshot(), &all());
            assert_eq!(found.len(), 5, "{stage}");
            for (_, points) in &found {
                assert_eq!(points.len() as i64, DAYS * 24 + 2, "{stage}");
                assert_eq!(points[DAYS as usize * 24].0, AHEAD_MS, "{stage}");
            }
            let two_days = all().between(
                Millis(PAST_MS + 100 * 24 * HOUR_MS),
                Millis(PAST_MS + 102 * 24 * HOUR_MS - 1),
            );
            let found = points(&engine.metrics().unwrap().snapshot(), &two_days);
            assert!(
                found.iter().all(|(_, points)| points.len() == 48),
                "{stage}"
            );
            // Partitions of eight days, and one for what is new.
            assert!(
                block_count(engine) <= DAYS as u64 / 8 + 2,
                "{stage}: {}",
                block_count(engine)
            );
        },
    );
}

#[test]
fn backfill_behind_a_frozen_head_merges_with_it() {
    let folder = Folder::new();
    at_every_stage(
        &folder,
        |engine| {
            let metrics = engine.metrics().unwrap();
            for day in 0..DAYS {
                put(
                    &metrics,
                    &numbered(0),
                    PAST_MS + day * 24 * HOUR_MS + 7,
                    1.0,
                );
            }
            metrics.freeze().unwrap();
            backfill(&metrics);
            metrics.freeze().unwrap();
            put(&metrics, &numbered(0), AHEAD_MS, 1.0);
        },
        |stage, engine| {
            let found = points(&engine.metrics().unwrap().snapshot(), &all());
            assert_eq!(found[0].1.len() as i64, DAYS * 25 + 1, "{stage}");
            assert!(
                block_count(engine) <= 2 * (DAYS as u64 / 8 + 1) + 1,
                "{stage}"
            );
        },
    );
}

#[test]
fn a_sparse_backfill_of_many_years_ends_in_as_many_blocks_as_it_has_partitions() {
    let folder = Folder::new();
    at_every_stage(
        &folder,
        |engine| {
            let metrics = engine.metrics().unwrap();
            for year in 0..50 {
                put(
                    &metrics,
                    &numbered(year % 3),
                    year as i64 * 365 * 24 * HOUR_MS,
                    1.0,
                );
            }
        },
        |stage, engine| {
            let found = points(&engine.metrics().unwrap().snapshot(), &all());
            let count: usize = found.iter().map(|(_, points)| points.len()).sum();
            assert_eq!(count, 50, "{stage}");
            assert!(block_count(engine) <= 50, "{stage}");
        },
    );
}

#[test]
fn lines_of_months_are_taken_at_once() {
    let folder = Folder::new();
    let stream = set(&[("app", "x")]);
    at_every_stage(
        &folder,
        |engine| {
            let logs = engine.logs().unwrap();
            put_line(&logs, &stream, AHEAD_MS * MS, "new");
            let text: Vec<String> = (0..DAYS).map(|day| format!("day {day}")).collect();
            let lines: Vec<_> = (0..DAYS)
                .map(|day| {
                    let time = Nanos((PAST_MS + day * 24 * HOUR_MS) * MS + 123_456);
                    chronolith_engine::logs::Line::new(time, &text[day as usize])
                })
                .collect();
            assert_eq!(append_lines(&logs, &stream, &lines).accepted, DAYS as u64);
        },
        |stage, engine| {
            let texts = texts(&engine.logs().unwrap());
            assert_eq!(texts.len() as i64, DAYS + 1, "{stage}");
            assert_eq!((&*texts[0], &*texts[240]), ("day 0", "new"), "{stage}");
            let blocks = engine.logs().unwrap().stats().blocks;
            assert!(blocks <= DAYS as u64 / 8 + 2, "{stage}: {blocks}");
        },
    );
}

//! The least and the greatest value of a series: what reading all of it would say, however it is
//! stored.

use chronolith_engine::labels::{MatchOp, Matcher};
use chronolith_engine::metrics::{Sample, Samples};
use chronolith_engine::testing::{ManualClock, SimDisk, Stage};
use chronolith_engine::time::Millis;
use chronolith_engine::{Deletion, Engine, EngineStats, Selector, Store};
use chronolith_tests::Random;

use super::bed::{PAST_MS, all, append_samples, options, put, set};

const STEP_MS: i64 = 10_000;

/// So long after, data lies in partitions of a day and more.
const LATER_MS: i64 = 400 * 86_400_000;

fn engine() -> Engine {
    let stage = Stage {
        disk: SimDisk::new(1),
        clock: ManualClock::new((PAST_MS + LATER_MS) * 1_000_000),
    };
    stage.open(&options()).unwrap()
}

/// Merged blocks of one series: a gauge of 3,000 samples.
fn merged(store: &Store<Samples>) {
    let value = |n: i64| ((n * 7919) % 10_007) as f64 / 10.0;
    for part in 0..3 {
        let sample = |n: i64| Sample::float(Millis(PAST_MS + n * STEP_MS), value(n));
        let samples: Vec<Sample<'_>> = (part * 1000..part * 1000 + 1000).map(sample).collect();
        let report = append_samples(store, &set(&[("__name__", "m")]), &samples);
        assert_eq!(report.accepted, 1000);
        store.freeze().unwrap();
    }
    store.compact().unwrap();
    assert_eq!(store.stats().blocks, 1);
}

/// What the statistics say, checked against every value.
fn told(store: &Store<Samples>, selector: &Selector) -> Option<(f64, f64)> {
    let series = store.snapshot().select(selector).unwrap().pop()?;
    let told = series.extremes().unwrap();
    let runs = series.read().unwrap();
    let values = runs.iter().flat_map(|run| run.floats().unwrap());
    let values: Vec<f64> = values.copied().filter(|value| !value.is_nan()).collect();
    let least = values.iter().copied().reduce(f64::min);
    assert_eq!(told, least.zip(values.iter().copied().reduce(f64::max)));
    told
}

fn pages(stats: &EngineStats) -> u64 {
    stats.cache_hits + stats.cache_misses
}

#[test]
fn extremes_of_merged_chunks_are_told_without_reading_a_page() {
    let engine = engine();
    let store = engine.metrics().unwrap();
    merged(&store);
    let series = store.snapshot().select(&all()).unwrap().remove(0);
    let before = pages(&engine.stats());
    let found = series.extremes().unwrap();
    assert_eq!(pages(&engine.stats()), before);
    assert_eq!(found, told(&store, &all()));
    assert!(pages(&engine.stats()) > before);
}

#[test]
fn extremes_are_those_of_what_is_shown_whatever_overlaps_or_is_deleted() {
    let engine = engine();
    let store = engine.metrics().unwrap();
    merged(&store);
    let labels = set(&[("__name__", "m")]);
    assert_eq!(told(&store, &all()).unwrap().0, 0.0);
    // Late samples overlap a chunk, others stand in the head; NaNs are nothing.
    put(&store, &labels, PAST_MS + 7, -5.0);
    store.freeze().unwrap();
    assert_eq!(told(&store, &all()).unwrap().0, -5.0);
    put(&store, &labels, PAST_MS + 3001 * STEP_MS, 5000.0);
    put(&store, &labels, PAST_MS + 3002 * STEP_MS, f64::NAN);
    assert_eq!(told(&store, &all()), Some((-5.0, 5000.0)));
    let metric = Matcher::new(MatchOp::Equal, "__name__", "m").unwrap();
    let late = Deletion::new(vec![metric]).between(Millis(PAST_MS), Millis(PAST_MS + 7));
    store.delete(&late).unwrap();
    assert!(told(&store, &all()).unwrap().0 > -5.0);
    let mut random = Random::new(1);
    for _ in 0..50 {
        let mut time = || Millis(PAST_MS + random.below(3_010) as i64 * STEP_MS);
        let (one, two) = (time(), time());
        told(&store, &all().between(one.min(two), one.max(two)));
    }
    let nothing = all().between(Millis(0), Millis(1));
    assert_eq!(told(&store, &nothing), None);
}

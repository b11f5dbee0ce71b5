//! Cardinality and counts: exact over head and blocks, however often a series is in each.

use std::collections::{BTreeMap, BTreeSet};

use chronolith_engine::labels::{MatchOp, Matcher};
use chronolith_engine::operations::{Cardinality, LabelCount, PairCount};
use chronolith_engine::testing::{ManualClock, SimDisk, Stage};
use chronolith_engine::time::Millis;
use chronolith_engine::{Deletion, Options, Selector, Store};
use chronolith_tests::Random;

use super::bed::{Folder, PAST_MS, all, options, points, put, put_line, set};

type Labels = Vec<(&'static str, String)>;

/// The same from the label sets themselves.
fn plain(sets: &BTreeSet<Labels>, limit: usize) -> Cardinality {
    let mut pairs: BTreeMap<(String, String), u64> = BTreeMap::new();
    for labels in sets {
        for (name, value) in labels {
            *pairs.entry((name.to_string(), value.clone())).or_default() += 1;
        }
    }
    let mut counts: Vec<PairCount> = pairs
        .iter()
        .map(|((name, value), series)| PairCount {
            name: name.clone(),
            value: value.clone(),
            series: *series,
        })
        .collect();
    // Stable: equal counts stay in label order.
    counts.sort_by_key(|count| std::cmp::Reverse(count.series));
    let of_metrics = counts.iter().filter(|count| count.name == "__name__");
    let metrics = of_metrics.take(limit).cloned().collect();
    let names: BTreeSet<&String> = pairs.keys().map(|(name, _)| name).collect();
    let mut labels: Vec<LabelCount> = names
        .into_iter()
        .map(|name| {
            let own = || pairs.iter().filter(|((other, _), _)| other == name);
            LabelCount {
                name: name.clone(),
                values: own().count() as u64,
                series: own().map(|(_, series)| series).sum(),
            }
        })
        .collect();
    labels.sort_by_key(|label| std::cmp::Reverse(label.values));
    labels.truncate(limit);
    counts.truncate(limit);
    Cardinality {
        series: sets.len() as u64,
        metrics,
        labels,
        pairs: counts,
    }
}

#[test]
fn counts_over_head_and_blocks_are_those_of_the_distinct_label_sets() {
    let stage = Stage {
        disk: SimDisk::new(1),
        clock: ManualClock::new(PAST_MS * 1_000_000),
    };
    let engine = stage.open(&options()).unwrap();
    let store = engine.metrics().unwrap();
    let mut random = Random::new(3);
    let mut sets: BTreeSet<Labels> = BTreeSet::new();
    for round in 0..5 {
        for step in 0..60 {
            let metric = format!("m{}", random.below(4));
            let pod = format!("pod-{}", random.below(30));
            let mut labels = vec![("__name__", metric), ("pod", pod)];
            if random.below(3) == 0 {
                labels.push(("zone", format!("z{}", random.below(3))));
            }
            let pairs: Vec<(&str, &str)> = labels.iter().map(|(n, v)| (*n, &**v)).collect();
            put(&store, &set(&pairs), PAST_MS + round * 1000 + step, 1.0);
            sets.insert(labels);
        }
        for limit in [0, 1, 3, 1_000] {
            let found = store.cardinality(limit).unwrap();
            assert_eq!(found, plain(&sets, limit), "round {round}, limit {limit}");
        }
        if round % 2 == 0 {
            store.freeze().unwrap();
            assert_eq!(store.cardinality(9).unwrap(), plain(&sets, 9));
        }
    }
    store.compact().unwrap();
    engine.close().unwrap();
    let engine = stage.open(&options()).unwrap();
    let found = engine.metrics().unwrap().cardinality(1_000).unwrap();
    assert_eq!(found, plain(&sets, 1_000));
    let empty = engine.logs().unwrap().cardinality(10).unwrap();
    assert_eq!(empty, Cardinality::default());
}

#[test]
fn a_series_that_comes_back_is_counted_once_and_a_dropped_block_takes_its_series_along() {
    let folder = Folder::new();
    let engine = folder.open_with(Options {
        compaction_percent: 0,
        ..options()
    });
    let logs = engine.logs().unwrap();
    let app = |name: &str| set(&[("app", name)]);
    put_line(&logs, &app("old"), 1, "x");
    put_line(&logs, &app("both"), 1, "x");
    logs.freeze().unwrap();
    put_line(&logs, &app("both"), 2, "y");
    put_line(&logs, &app("new"), 2, "y");
    assert_eq!(logs.cardinality(10).unwrap().series, 3);
    chronolith_engine::testing::drop_oldest_block(&logs).unwrap();
    let found = logs.cardinality(10).unwrap();
    assert_eq!((found.series, found.labels[0].values), (2, 2));
    assert_eq!(found.metrics, []);
}

#[test]
fn deleted_entries_and_series_of_which_nothing_is_left_do_not_count() {
    let folder = Folder::new();
    let engine = folder.open_with(Options {
        compaction_percent: 0,
        ..options()
    });
    let store = engine.metrics().unwrap();
    for pod in ["a", "b"] {
        for time in 0..10 {
            put(&store, &set(&[("pod", pod)]), time, 1.0);
        }
    }
    store.freeze().unwrap();
    put(&store, &set(&[("pod", "c")]), 5, 1.0);
    let delete = |value: &str| {
        let matcher = Matcher::new(MatchOp::Equal, "pod", value).unwrap();
        Deletion::new(vec![matcher])
    };
    store.delete(&delete("b")).unwrap();
    store.delete(&delete("c")).unwrap();
    store
        .delete(&delete("a").between(Millis(0), Millis(3)))
        .unwrap();
    let found = store.cardinality(10).unwrap();
    assert_eq!((found.series, found.pairs.len()), (1, 1));
    let (counted, read) = counted_and_read(&store, &all());
    assert_eq!(counted, read);
    assert_eq!(counted.iter().sum::<u64>(), 6);
}

/// What the series of a store count, and what reading them gives.
fn counted_and_read(
    store: &Store<chronolith_engine::metrics::Samples>,
    selector: &Selector,
) -> (Vec<u64>, Vec<u64>) {
    let snapshot = store.snapshot();
    let series = snapshot.select(selector).unwrap();
    let counted = series.iter().map(|series| series.count().unwrap());
    let read = series.iter().map(|series| {
        let runs = series.read().unwrap();
        runs.iter().map(|run| run.len() as u64).sum()
    });
    (counted.collect(), read.collect())
}

#[test]
fn a_count_is_what_reading_would_give_and_decodes_nothing_where_nothing_overlaps() {
    let stage = Stage {
        disk: SimDisk::new(1),
        clock: ManualClock::new(PAST_MS * 1_000_000),
    };
    let engine = stage.open(&options()).unwrap();
    let store = engine.metrics().unwrap();
    let labels = set(&[("__name__", "m")]);
    for block in 0..3 {
        for step in 0..50 {
            put(&store, &labels, PAST_MS + block * 1000 + step, 1.0);
        }
        store.freeze().unwrap();
    }
    let before = engine.stats();
    let snapshot = store.snapshot();
    let series = snapshot.select(&all()).unwrap();
    assert_eq!(series[0].count().unwrap(), 150);
    let after = engine.stats();
    let pages = |stats: &chronolith_engine::EngineStats| stats.cache_hits + stats.cache_misses;
    assert_eq!(pages(&after), pages(&before), "a page was read");
    // Late entries overlap a block, equal ones among them, and more are in the head.
    for step in 40..60 {
        put(&store, &labels, PAST_MS + 500 + step, 2.0);
    }
    for step in 45..55 {
        let report = super::bed::offer(&store, &labels, PAST_MS + step, 1.0);
        assert_eq!(report, Ok(()));
    }
    store.freeze().unwrap();
    put(&store, &labels, PAST_MS + 5000, 3.0);
    for (start, end) in [(0, 9999), (20, 1020), (45, 45), (500, 600), (3000, 9999)] {
        let selector = all().between(Millis(PAST_MS + start), Millis(PAST_MS + end));
        let (counted, read) = counted_and_read(&store, &selector);
        assert_eq!(counted, read, "from {start} to {end}");
    }
    let total: usize = points(&store.snapshot(), &all())
        .iter()
        .map(|(_, points)| points.len())
        .sum();
    assert_eq!(total, 150 + 20 + 5 + 1);
}

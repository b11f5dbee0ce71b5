//! Select, label names and label values, over the head and blocks alike.

use chronolith_engine::labels::{LabelSet, MatchOp, Matcher};
use chronolith_engine::{Engine, Selector};

use super::bed::{Folder, all, at_every_stage, equal, matching, points, put, set};

/// Series of which half go to a block where the stage allows it.
fn series() -> Vec<LabelSet> {
    [
        &[("__name__", "up"), ("job", "api"), ("zone", "eu")][..],
        &[("__name__", "up"), ("job", "api"), ("zone", "us")],
        &[("__name__", "up"), ("job", "web")],
        &[("__name__", "up"), ("job", "web"), ("größe", "ü")],
        &[("__name__", "down"), ("job", "api.v2")],
        &[("__name__", "down")],
        &[("zone", "eu")],
    ]
    .map(set)
    .into()
}

fn write(engine: &Engine) {
    let metrics = engine.metrics().unwrap();
    for (index, labels) in series().iter().enumerate() {
        put(&metrics, labels, 100, 1.0);
        if index == 3 {
            metrics.freeze().unwrap();
        }
    }
    // One series in both.
    put(&metrics, &series()[0], 200, 1.0);
}

/// What Prometheus' rules say: a label that is absent has the empty value.
fn expected(matchers: &[Matcher]) -> Vec<String> {
    let mut found: Vec<LabelSet> = series()
        .into_iter()
        .filter(|labels| {
            let value = |matcher: &Matcher| labels.as_labels().value(matcher.name()).unwrap_or("");
            matchers
                .iter()
                .all(|matcher| matcher.matches(value(matcher)))
        })
        .collect();
    found.sort();
    found
        .iter()
        .map(|labels| labels.as_labels().to_string())
        .collect()
}

fn names_of(engine: &Engine, selector: &Selector) -> Vec<String> {
    let snapshot = engine.metrics().unwrap().snapshot();
    let series = snapshot.select(selector).unwrap();
    series
        .iter()
        .map(|series| series.labels().to_string())
        .collect()
}

#[test]
fn every_kind_of_matcher_and_every_pair_of_them_selects_by_the_rules() {
    let folder = Folder::new();
    let patterns = [
        "", "api", "web", "eu", "up", "nothing", "api.v2", "ü", ".*", ".+", "api|web", "a.*",
        "e?u?", "^$", "(?i)API", "[^a].*", ".*p.*", "|eu",
    ];
    let mut matchers = Vec::new();
    for name in ["job", "zone", "__name__", "größe", "absent"] {
        for op in [
            MatchOp::Equal,
            MatchOp::NotEqual,
            MatchOp::Regex,
            MatchOp::NotRegex,
        ] {
            for pattern in patterns {
                matchers.push(Matcher::new(op, name, pattern).unwrap());
            }
        }
    }
    at_every_stage(&folder, write, |stage, engine| {
        for (index, one) in matchers.iter().enumerate() {
            let alone = std::slice::from_ref(one);
            assert_eq!(
                names_of(engine, &Selector::new(alone.into())),
                expected(alone),
                "{stage}"
            );
            let other = &matchers[(index * 37 + 11) % matchers.len()];
            let third = &matchers[(index * 101 + 5) % matchers.len()];
            let all = vec![one.clone(), other.clone(), third.clone()];
            let wanted = expected(&all);
            assert_eq!(
                names_of(engine, &Selector::new(all.clone())),
                wanted,
                "{stage}: {all:?}"
            );
        }
    });
}

#[test]
fn series_come_in_label_order_with_the_entries_of_all_places() {
    let folder = Folder::new();
    at_every_stage(&folder, write, |stage, engine| {
        let found = points(&engine.metrics().unwrap().snapshot(), &all());
        assert_eq!(found.len(), series().len(), "{stage}");
        let labels: Vec<String> = found.iter().map(|(labels, _)| labels.clone()).collect();
        assert_eq!(labels, expected(&[]), "{stage}");
        let both = series()[0].as_labels().to_string();
        let times: Vec<i64> = found
            .iter()
            .find(|(labels, _)| *labels == both)
            .map(|(_, points)| points.iter().map(|point| point.0).collect())
            .unwrap();
        assert_eq!(times, [100, 200], "{stage}");
    });
}

#[test]
fn label_names_and_values_know_matchers_and_limits() {
    let folder = Folder::new();
    at_every_stage(&folder, write, |stage, engine| {
        let snapshot = engine.metrics().unwrap().snapshot();
        let names = |selector: &Selector| snapshot.label_names(selector, 100).unwrap();
        let values =
            |name: &str, selector: &Selector| snapshot.label_values(name, selector, 100).unwrap();
        assert_eq!(
            names(&all()),
            ["__name__", "größe", "job", "zone"],
            "{stage}"
        );
        assert_eq!(
            names(&equal("job", "api")),
            ["__name__", "job", "zone"],
            "{stage}"
        );
        assert_eq!(names(&equal("__name__", "")), ["zone"], "{stage}");
        assert!(names(&equal("job", "none")).is_empty(), "{stage}");
        assert_eq!(values("job", &all()), ["api", "api.v2", "web"], "{stage}");
        assert_eq!(
            values("job", &equal("__name__", "down")),
            ["api.v2"],
            "{stage}"
        );
        let european = matching(MatchOp::Regex, "zone", "e.");
        assert_eq!(values("__name__", &european), ["up"], "{stage}");
        assert!(values("absent", &all()).is_empty(), "{stage}");
        assert_eq!(
            snapshot.label_names(&all(), 2).unwrap(),
            ["__name__", "größe"],
            "{stage}"
        );
        assert_eq!(
            snapshot.label_values("job", &all(), 1).unwrap(),
            ["api"],
            "{stage}"
        );
        assert!(
            snapshot.label_values("job", &all(), 0).unwrap().is_empty(),
            "{stage}"
        );
    });
}

#[test]
fn a_range_selects_the_entries_inside_with_both_ends() {
    let folder = Folder::new();
    let labels = set(&[("a", "b")]);
    let times: Vec<i64> = (0..3000).map(|step| 1_000 + step * 10).collect();
    at_every_stage(
        &folder,
        |engine| {
            let metrics = engine.metrics().unwrap();
            for (index, time) in times.iter().enumerate() {
                put(&metrics, &labels, *time, 1.0);
                if index % 900 == 700 {
                    metrics.freeze().unwrap();
                }
            }
        },
        |stage, engine| {
            let snapshot = engine.metrics().unwrap().snapshot();
            let ranges = [
                (i64::MIN, i64::MAX),
                (1_000, 1_000),
                (999, 1_001),
                (1_001, 1_009),
                (8_000, 8_010),
                (0, 999),
                (30_990, 90_000),
                (31_000, i64::MAX),
                (5_000, 4_000),
                (7_995, 26_015),
            ];
            for (start, end) in ranges {
                let wanted: Vec<i64> = times
                    .iter()
                    .copied()
                    .filter(|time| (start..=end).contains(time))
                    .collect();
                let selector = all().between(
                    chronolith_engine::time::Millis(start),
                    chronolith_engine::time::Millis(end),
                );
                let found: Vec<i64> = points(&snapshot, &selector)
                    .into_iter()
                    .flat_map(|(_, points)| points)
                    .map(|point| point.0)
                    .collect();
                assert_eq!(found, wanted, "{stage}: {start} to {end}");
            }
        },
    );
}

#[test]
fn names_and_values_outside_of_the_range_are_left_out() {
    let folder = Folder::new();
    let engine = folder.open();
    let metrics = engine.metrics().unwrap();
    let day = 24 * 3_600_000i64;
    put(&metrics, &set(&[("old", "1")]), day, 1.0);
    metrics.freeze().unwrap();
    put(&metrics, &set(&[("new", "1")]), 900 * day, 1.0);
    let snapshot = metrics.snapshot();
    let millis = chronolith_engine::time::Millis;
    let between = |start, end| all().between(millis(start), millis(end));
    assert_eq!(
        snapshot.label_names(&between(0, 2 * day), 9).unwrap(),
        ["old"]
    );
    assert_eq!(
        snapshot
            .label_names(&between(899 * day, 901 * day), 9)
            .unwrap(),
        ["new"]
    );
    assert_eq!(
        snapshot
            .label_values("old", &between(0, 2 * day), 9)
            .unwrap(),
        ["1"]
    );
    assert!(
        snapshot
            .label_values("old", &between(3 * day, i64::MAX), 9)
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        snapshot.select(&between(2 * day, 3 * day)).unwrap().len(),
        0
    );
}

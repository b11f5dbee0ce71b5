//! Deletes through the public door: what goes, what stays, what can be brought back.

mod crashes;
mod names;
mod order;
mod rules;

use chronolith_engine::labels::{MatchOp, Matcher};
use chronolith_engine::logs::{LineFilter, LineOp};
use chronolith_engine::time::{Millis as Ms, Nanos as Ns};
use chronolith_engine::{Deletion, Engine, Kind, Options, Store};

use super::bed::{
    AHEAD_MS, Folder, HOUR_MS, MS, all, at_every_stage, bits, compact, equal, logged, numbered,
    only, options, points, put, put_line, set, texts,
};

/// Deletes what has this label, at all times.
fn of(name: &str, value: &str) -> Deletion {
    Deletion::new(vec![Matcher::new(MatchOp::Equal, name, value).unwrap()])
}

fn number(number: usize) -> Deletion {
    of("n", &format!("{number:05}"))
}

fn filter(op: LineOp, text: &str) -> LineFilter {
    LineFilter::new(op, text).unwrap()
}

/// The times of the samples of the series `numbered(number)`.
fn times(store: &Store<chronolith_engine::metrics::Samples>, number: usize) -> Vec<i64> {
    let found = points(&store.snapshot(), &equal("n", &format!("{number:05}")));
    let samples = found.into_iter().flat_map(|(_, points)| points);
    samples.map(|point| point.0).collect()
}

/// The series of `number` with a sample every ten milliseconds from `start` on.
fn put_ten(engine: &Engine, number: usize, start: i64) {
    for step in 0..10 {
        let metrics = engine.metrics().unwrap();
        put(&metrics, &numbered(number), start + step * 10, step as f64);
    }
}

/// An engine that merges only when told to.
fn quiet(folder: &Folder) -> Engine {
    folder.open_with(Options {
        compaction_percent: 0,
        ..options()
    })
}

fn freeze(engine: &Engine) {
    engine.metrics().unwrap().freeze().unwrap();
    engine.logs().unwrap().freeze().unwrap();
}

#[test]
fn what_is_deleted_is_hidden_at_once_and_stays_so_at_every_stage() {
    let folder = Folder::new();
    let write = |engine: &Engine| {
        let (metrics, logs) = (engine.metrics().unwrap(), engine.logs().unwrap());
        for number in 0..3 {
            put_ten(engine, number, AHEAD_MS);
            put_line(&logs, &numbered(number), AHEAD_MS * MS, "old");
        }
        metrics.delete(&number(1)).unwrap();
        logs.delete(&number(1)).unwrap();
        assert_eq!(times(&metrics, 1), [0i64; 0]);
        put_line(&logs, &numbered(2), AHEAD_MS * MS + 1, "new");
    };
    at_every_stage(&folder, write, |stage, engine| {
        let metrics = engine.metrics().unwrap();
        let counts = [0, 1, 2].map(|number| times(&metrics, number).len());
        assert_eq!(counts, [10, 0, 10], "{stage}");
        assert_eq!(
            texts(&engine.logs().unwrap()),
            ["old", "old", "new"],
            "{stage}"
        );
        assert!(metrics.verify().unwrap().is_sound());
    });
}

#[test]
fn blocks_and_memory_are_hidden_alike() {
    let folder = Folder::new();
    let write = |engine: &Engine| {
        put_ten(engine, 1, AHEAD_MS);
        put_ten(engine, 2, AHEAD_MS);
        freeze(engine);
        put_ten(engine, 1, AHEAD_MS + HOUR_MS);
        put_ten(engine, 1, AHEAD_MS + 5);
        engine.metrics().unwrap().delete(&number(1)).unwrap();
    };
    at_every_stage(&folder, write, |stage, engine| {
        let metrics = engine.metrics().unwrap();
        assert_eq!(times(&metrics, 1), [0i64; 0], "{stage}");
        assert_eq!(times(&metrics, 2).len(), 10, "{stage}");
        assert_eq!(
            metrics
                .snapshot()
                .select(&equal("n", "00001"))
                .unwrap()
                .len(),
            0,
            "{stage}"
        );
    });
}

#[test]
fn a_range_takes_the_middle_out_of_a_chunk_with_both_of_its_ends() {
    let folder = Folder::new();
    let write = |engine: &Engine| {
        put_ten(engine, 1, 0);
        let metrics = engine.metrics().unwrap();
        metrics.delete(&number(1).between(Ms(20), Ms(40))).unwrap();
        metrics.delete(&number(1).between(Ms(61), Ms(69))).unwrap();
        metrics
            .delete(&number(1).between(Ms(90), Ms(1000)))
            .unwrap();
    };
    at_every_stage(&folder, write, |stage, engine| {
        let left = [0, 10, 50, 60, 70, 80];
        assert_eq!(times(&engine.metrics().unwrap(), 1), left, "{stage}");
    });
}

#[test]
fn overlapping_deletions_hide_what_any_of_them_does() {
    let folder = Folder::new();
    let write = |engine: &Engine| {
        let metrics = engine.metrics().unwrap();
        put_ten(engine, 1, 0);
        metrics.delete(&number(1).between(Ms(30), Ms(50))).unwrap();
        freeze(engine);
        put_ten(engine, 1, 100);
        metrics.delete(&number(1).between(Ms(45), Ms(120))).unwrap();
        metrics
            .delete(&Deletion::everything().between(Ms(0), Ms(5)))
            .unwrap();
    };
    at_every_stage(&folder, write, |stage, engine| {
        let left = [10, 20, 130, 140, 150, 160, 170, 180, 190];
        assert_eq!(times(&engine.metrics().unwrap(), 1), left, "{stage}");
    });
}

#[test]
fn lines_go_by_what_is_in_them() {
    let folder = Folder::new();
    let lines = [
        "user=1 ok",
        "user=2 ok",
        "user=1 failed",
        "USER=1 ok",
        "user=13 ok",
    ];
    let cases: [(&[LineFilter], &[usize]); 6] = [
        (&[filter(LineOp::Contains, "user=1")], &[1, 3]),
        (&[filter(LineOp::NotContains, "user=1")], &[0, 2, 4]),
        (&[filter(LineOp::Matches, r"user=1\b")], &[1, 3, 4]),
        (&[filter(LineOp::NotMatches, "(?i)user=1")], &[0, 2, 3, 4]),
        (
            &[
                filter(LineOp::Contains, "user=1"),
                filter(LineOp::NotContains, "ok"),
            ],
            &[0, 1, 3, 4],
        ),
        (&[filter(LineOp::Contains, "")], &[]),
    ];
    let write = |engine: &Engine| {
        let logs = engine.logs().unwrap();
        for (case, (filters, _)) in cases.iter().enumerate() {
            for (time, line) in lines.iter().enumerate() {
                put_line(&logs, &numbered(case), time as i64, line);
            }
            let deletion = filters.iter().fold(number(case), |deletion, filter| {
                deletion.lines(filter.clone())
            });
            logs.delete(&deletion).unwrap();
        }
    };
    at_every_stage(&folder, write, |stage, engine| {
        let logs = engine.logs().unwrap();
        for (case, (filters, left)) in cases.iter().enumerate() {
            let selector = equal("n", &format!("{case:05}"));
            let found = logged(&logs.snapshot(), &selector);
            let found: Vec<String> = found
                .into_iter()
                .flat_map(|(_, lines)| lines)
                .map(|(_, text, _)| text)
                .collect();
            let expected: Vec<&str> = left.iter().map(|place| lines[*place]).collect();
            assert_eq!(found, expected, "{stage}: {filters:?}");
        }
    });
}

#[test]
fn a_line_filter_looks_at_its_range_only() {
    let folder = Folder::new();
    let write = |engine: &Engine| {
        let logs = engine.logs().unwrap();
        for time in 0..6 {
            put_line(
                &logs,
                &set(&[("app", "x")]),
                time,
                &format!("secret {time}"),
            );
        }
        let deletion = of("app", "x").lines(filter(LineOp::Contains, "secret"));
        logs.delete(&deletion.between(Ns(2), Ns(3))).unwrap();
    };
    at_every_stage(&folder, write, |stage, engine| {
        let left = ["secret 0", "secret 1", "secret 4", "secret 5"];
        assert_eq!(texts(&engine.logs().unwrap()), left, "{stage}");
    });
}

/// The bytes of the only block.
fn block_bytes(folder: &Folder) -> u64 {
    let blocks = folder.files(".blk");
    assert!(blocks.len() <= 1, "{blocks:?}");
    blocks
        .first()
        .map_or(0, |path| std::fs::metadata(path).unwrap().len())
}

#[test]
fn a_merge_takes_the_bytes_off_the_disk_and_the_deletion_off_the_list() {
    let folder = Folder::new();
    let engine = quiet(&folder);
    let metrics = engine.metrics().unwrap();
    for number in 0..5 {
        for step in 0..200 {
            // Values that nothing makes small.
            let value = f64::from_bits(
                0x3ff0_0000_0000_0000 | (step as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 12,
            );
            put(&metrics, &numbered(number), AHEAD_MS + step * 10, value);
        }
    }
    freeze(&engine);
    compact(&engine);
    let before = block_bytes(&folder);
    let id = metrics.delete(&of("__name__", "m").between(Ms(AHEAD_MS), Ms(AHEAD_MS + 1979)));
    let listed = metrics.deletions();
    assert_eq!((listed[0].id, listed[0].blocks_left), (id.unwrap(), 1));
    assert!(!listed[0].is_begun && !listed[0].is_in_memory);
    compact(&engine);
    assert!(
        block_bytes(&folder) < before / 2,
        "{} of {before}",
        block_bytes(&folder)
    );
    assert_eq!(metrics.deletions(), []);
    assert_eq!(times(&metrics, 3), [AHEAD_MS + 1980, AHEAD_MS + 1990]);
    assert_eq!(metrics.stats().block_entries, 10);
    metrics.delete(&Deletion::everything()).unwrap();
    compact(&engine);
    assert_eq!(folder.files(".blk").len(), 0);
    engine.close().unwrap();
    let engine = folder.open();
    assert_eq!(times(&engine.metrics().unwrap(), 3), [0i64; 0]);
    assert_eq!(engine.metrics().unwrap().deletions(), []);
}

#[test]
fn a_cancelled_deletion_brings_everything_back() {
    let folder = Folder::new();
    let engine = quiet(&folder);
    let metrics = engine.metrics().unwrap();
    put_ten(&engine, 1, 0);
    freeze(&engine);
    put_ten(&engine, 1, 100);
    let kept = metrics.delete(&number(1).between(Ms(0), Ms(49))).unwrap();
    let id = metrics.delete(&number(1)).unwrap();
    assert_eq!(times(&metrics, 1), [0i64; 0]);
    assert!(metrics.cancel_delete(id).unwrap());
    assert_eq!(times(&metrics, 1).len(), 15);
    assert!(
        !metrics.cancel_delete(id).unwrap(),
        "it was cancelled before"
    );
    assert!(!metrics.cancel_delete(99).unwrap(), "there never was one");
    assert_eq!(metrics.deletions()[0].id, kept);
    // A value sent meanwhile gives way to the one that comes back.
    let id = metrics.delete(&number(1)).unwrap();
    put(&metrics, &numbered(1), 190, -1.0);
    assert_eq!(only(&metrics), [(190, None, bits(-1.0))]);
    engine.close().unwrap();
    let engine = quiet(&folder);
    let metrics = engine.metrics().unwrap();
    assert!(metrics.cancel_delete(id).unwrap());
    for stage in ["at once", "in blocks", "merged"] {
        match stage {
            "in blocks" => freeze(&engine),
            "merged" => compact(&engine),
            _ => {}
        }
        assert_eq!(times(&metrics, 1).len(), 15, "{stage}");
        assert_eq!(only(&metrics)[14], (190, None, bits(9.0)), "{stage}");
    }
}

#[test]
fn a_deletion_that_a_merge_has_begun_stays() {
    let folder = Folder::new();
    let engine = quiet(&folder);
    let metrics = engine.metrics().unwrap();
    put_ten(&engine, 1, AHEAD_MS);
    put_ten(&engine, 2, AHEAD_MS);
    freeze(&engine);
    // These stay in memory, so that the deletion cannot be done with.
    put_ten(&engine, 1, AHEAD_MS + 100);
    let id = metrics.delete(&number(1)).unwrap();
    let untouched = metrics.delete(&of("n", "none")).unwrap();
    compact(&engine);
    let listed = metrics.deletions();
    let shown: Vec<_> = listed
        .iter()
        .map(|status| (status.id, status.is_begun, status.is_in_memory))
        .collect();
    assert_eq!(shown, [(id, true, true), (untouched, false, true)]);
    assert!(!metrics.cancel_delete(id).unwrap());
    assert_eq!(times(&metrics, 1), [0i64; 0]);
    assert!(metrics.cancel_delete(untouched).unwrap());
    engine.close().unwrap();
    let engine = quiet(&folder);
    let metrics = engine.metrics().unwrap();
    assert!(!metrics.cancel_delete(id).unwrap(), "it is begun for ever");
    freeze(&engine);
    compact(&engine);
    assert_eq!(
        (times(&metrics, 1).len(), times(&metrics, 2).len()),
        (0, 10)
    );
    assert_eq!(metrics.deletions(), []);
}

#[test]
fn snapshots_from_before_a_delete_show_what_they_showed() {
    let folder = Folder::new();
    let engine = folder.open();
    let metrics = engine.metrics().unwrap();
    for number in 0..20 {
        put_ten(&engine, number, 0);
    }
    freeze(&engine);
    put_ten(&engine, 3, 500);
    let held = metrics.snapshot();
    let untouched = metrics.snapshot();
    let (before, names) = (points(&held, &all()), held.label_values("n", &all(), 99));
    let names = names.unwrap();
    metrics.delete(&Deletion::everything()).unwrap();
    let empty = metrics.snapshot();
    freeze(&engine);
    compact(&engine);
    put_ten(&engine, 50, 0);
    for held in [&held, &untouched] {
        assert_eq!(points(held, &all()), before);
        assert_eq!(held.label_values("n", &all(), 99).unwrap(), names);
    }
    assert_eq!(points(&empty, &all()), []);
    assert_eq!(points(&metrics.snapshot(), &all()).len(), 1);
}

#[test]
fn tenants_and_kinds_are_deleted_apart() {
    let folder = Folder::new();
    let engine = folder.open();
    for tenant in ["a", "b"] {
        let tenant = engine.tenant(tenant).unwrap();
        put(&tenant.metrics().unwrap(), &numbered(1), 1, 1.0);
        put_line(&tenant.logs().unwrap(), &numbered(1), 1, "x");
    }
    let a = engine.tenant("a").unwrap();
    a.metrics()
        .unwrap()
        .delete(&Deletion::everything())
        .unwrap();
    let check = |engine: &Engine| {
        let counts = ["a", "b"].map(|name| {
            let tenant = engine.tenant(name).unwrap();
            (
                times(&tenant.metrics().unwrap(), 1).len(),
                texts(&tenant.logs().unwrap()).len(),
            )
        });
        assert_eq!(counts, [(0, 1), (1, 1)]);
    };
    check(&engine);
    engine.close().unwrap();
    check(&folder.open());
}

/// How many series a store selects.
fn selected<K: Kind>(store: &Store<K>) -> usize {
    store.snapshot().select(&all()).unwrap().len()
}

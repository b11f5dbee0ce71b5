//! Label names, values and series lists do not show what only hidden entries have.

use chronolith_engine::metrics::{Sample, Samples};
use chronolith_engine::{Batch, BatchMode};

use super::*;

#[test]
fn names_and_values_that_only_hidden_series_have_vanish_at_once() {
    let folder = Folder::new();
    let write = |engine: &Engine| {
        let metrics = engine.metrics().unwrap();
        put(&metrics, &set(&[("job", "a"), ("zone", "z")]), 1, 1.0);
        put(&metrics, &set(&[("job", "b"), ("zone", "y")]), 1, 1.0);
        put(
            &metrics,
            &set(&[("job", "c"), ("only", "o"), ("zone", "y")]),
            1,
            1.0,
        );
        metrics.delete(&of("job", "a")).unwrap();
        metrics.delete(&of("job", "c")).unwrap();
    };
    at_every_stage(&folder, write, |stage, engine| {
        let snapshot = engine.metrics().unwrap().snapshot();
        assert_eq!(
            snapshot.label_names(&all(), 9).unwrap(),
            ["job", "zone"],
            "{stage}"
        );
        assert_eq!(
            snapshot.label_values("job", &all(), 9).unwrap(),
            ["b"],
            "{stage}"
        );
        assert_eq!(
            snapshot.label_values("zone", &all(), 9).unwrap(),
            ["y"],
            "{stage}"
        );
        let selector = equal("zone", "z");
        assert_eq!(
            snapshot.label_names(&selector, 9).unwrap().len(),
            0,
            "{stage}"
        );
        assert_eq!(snapshot.select(&selector).unwrap().len(), 0, "{stage}");
        assert_eq!(selected(&engine.metrics().unwrap()), 1, "{stage}");
    });
}

/// The series is known to the head as long as a snapshot is held, and a refused batch names it.
#[test]
fn a_batch_taken_back_lists_no_series_of_which_all_is_deleted() {
    let folder = Folder::new();
    let engine = folder.open();
    let metrics = engine.metrics().unwrap();
    put(&metrics, &set(&[("job", "a")]), 1, 1.0);
    let _held = metrics.snapshot();
    freeze(&engine);
    metrics.delete(&of("job", "a")).unwrap();
    put(&metrics, &set(&[("job", "b")]), 1, 1.0);
    let mut batch = Batch::<Samples>::with_mode(BatchMode::AllOrNothing);
    let (again, unlabelled) = (set(&[("job", "a")]), set(&[]));
    batch.push(again.as_labels(), Sample::float(Ms(2), 1.0));
    batch.push(unlabelled.as_labels(), Sample::float(Ms(2), 1.0));
    assert_eq!(metrics.append(&batch).unwrap().accepted, 0);
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.label_values("job", &all(), 9).unwrap(), ["b"]);
}

#[test]
fn a_series_is_listed_as_long_as_one_entry_of_it_shows() {
    let folder = Folder::new();
    let write = |engine: &Engine| {
        let metrics = engine.metrics().unwrap();
        for number in 0..4 {
            put_ten(engine, number, 0);
        }
        // The middle, the first half, all but an entry between two ranges, all.
        metrics.delete(&number(0).between(Ms(20), Ms(70))).unwrap();
        metrics.delete(&number(1).between(Ms(0), Ms(50))).unwrap();
        metrics.delete(&number(2).between(Ms(0), Ms(39))).unwrap();
        metrics.delete(&number(2).between(Ms(41), Ms(90))).unwrap();
        metrics.delete(&number(3).between(Ms(0), Ms(39))).unwrap();
        metrics.delete(&number(3).between(Ms(31), Ms(90))).unwrap();
    };
    at_every_stage(&folder, write, |stage, engine| {
        let snapshot = engine.metrics().unwrap().snapshot();
        let values = snapshot.label_values("n", &all(), 9).unwrap();
        assert_eq!(values, ["00000", "00001", "00002"], "{stage}");
        if stage.contains("merged") {
            // Nothing is hidden any more, and ranges are looked at by block again.
            return;
        }
        // Within a range that only hidden entries lie in, nothing is left of the second.
        let selector = all().between(Ms(10), Ms(45));
        let values = snapshot.label_values("n", &selector, 9).unwrap();
        assert_eq!(values, ["00000", "00002"], "{stage}");
    });
}

#[test]
fn streams_of_which_all_lines_are_hidden_vanish_and_others_stay() {
    let folder = Folder::new();
    let write = |engine: &Engine| {
        let logs = engine.logs().unwrap();
        for (app, lines) in [("a", ["x", "xy"]), ("b", ["x", "y"]), ("c", ["y", "y"])] {
            for (time, line) in lines.into_iter().enumerate() {
                put_line(&logs, &set(&[("app", app)]), time as i64, line);
            }
        }
        let deletion = Deletion::everything().lines(filter(LineOp::Contains, "x"));
        logs.delete(&deletion).unwrap();
    };
    at_every_stage(&folder, write, |stage, engine| {
        let snapshot = engine.logs().unwrap().snapshot();
        assert_eq!(
            snapshot.label_values("app", &all(), 9).unwrap(),
            ["b", "c"],
            "{stage}"
        );
    });
}

#[test]
fn what_comes_back_is_listed_again() {
    let folder = Folder::new();
    let engine = folder.open();
    let metrics = engine.metrics().unwrap();
    put_ten(&engine, 1, 0);
    metrics.delete(&number(1)).unwrap();
    let values = || metrics.snapshot().label_values("n", &all(), 9).unwrap();
    assert_eq!(values().len(), 0);
    put(&metrics, &numbered(1), 10, 1.0);
    assert_eq!(values(), ["00001"]);
    freeze(&engine);
    assert_eq!(values(), ["00001"]);
    compact(&engine);
    assert_eq!(values(), ["00001"]);
    assert_eq!(times(&metrics, 1), [10]);
}

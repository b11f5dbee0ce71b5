//! Before and after: what is sent again after a delete stays, whatever it repeats.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use chronolith_engine::Refusal;

use super::super::bed::{offer, offer_line, with_limits};
use super::*;

#[test]
fn what_is_sent_again_stays_also_where_it_repeats_what_was_deleted() {
    let folder = Folder::new();
    let write = |engine: &Engine| {
        let (metrics, logs) = (engine.metrics().unwrap(), engine.logs().unwrap());
        put_ten(engine, 1, 0);
        put_line(&logs, &set(&[("app", "x")]), 5, "again");
        put_line(&logs, &set(&[("app", "x")]), 6, "gone");
        metrics.delete(&number(1)).unwrap();
        logs.delete(&Deletion::everything()).unwrap();
        // The newest again, identical; an older one with another value; one between.
        put(&metrics, &numbered(1), 90, 9.0);
        put(&metrics, &numbered(1), 20, 7.0);
        put(&metrics, &numbered(1), 25, 8.0);
        put_line(&logs, &set(&[("app", "x")]), 5, "again");
    };
    at_every_stage(&folder, write, |stage, engine| {
        let expected = [
            (20, None, bits(7.0)),
            (25, None, bits(8.0)),
            (90, None, bits(9.0)),
        ];
        assert_eq!(only(&engine.metrics().unwrap()), expected, "{stage}");
        assert_eq!(texts(&engine.logs().unwrap()), ["again"], "{stage}");
    });
}

#[test]
fn a_delete_right_behind_another_leaves_hidden_what_the_first_hides() {
    let folder = Folder::new();
    let write = |engine: &Engine| {
        let (metrics, logs) = (engine.metrics().unwrap(), engine.logs().unwrap());
        put_ten(engine, 1, 0);
        put_ten(engine, 2, 0);
        metrics.delete(&number(1)).unwrap();
        assert!(times(&metrics, 1).is_empty());
        // The log goes on for another store, so the two deletes are not at one place in it.
        put_line(&logs, &set(&[("app", "x")]), 5, "between");
        metrics.delete(&number(3)).unwrap();
        metrics.delete(&number(2)).unwrap();
    };
    at_every_stage(&folder, write, |stage, engine| {
        let metrics = engine.metrics().unwrap();
        assert!(times(&metrics, 1).is_empty(), "{stage}");
        assert!(times(&metrics, 2).is_empty(), "{stage}");
    });
}

#[test]
fn deleting_and_sending_the_same_again_and_again_leaves_the_last() {
    let folder = Folder::new();
    let write = |engine: &Engine| {
        let metrics = engine.metrics().unwrap();
        for round in 0..40 {
            put_ten(engine, 1, 0);
            put(&metrics, &numbered(1), 1_000 + round, 0.0);
            metrics.delete(&number(1)).unwrap();
            if round % 9 == 4 {
                freeze(engine);
            }
            if round % 13 == 6 {
                compact(engine);
            }
        }
        put(&metrics, &numbered(1), 50, 5.0);
    };
    at_every_stage(&folder, write, |stage, engine| {
        assert_eq!(times(&engine.metrics().unwrap(), 1), [50], "{stage}");
    });
}

#[test]
fn late_entries_from_before_are_hidden_and_those_from_after_are_not() {
    let folder = Folder::new();
    let write = |engine: &Engine| {
        let metrics = engine.metrics().unwrap();
        put(&metrics, &numbered(1), AHEAD_MS, 1.0);
        freeze(engine);
        put(&metrics, &numbered(1), 5, 1.0);
        metrics.delete(&number(1).between(Ms(0), Ms(10))).unwrap();
        put(&metrics, &numbered(1), 6, 1.0);
        freeze(engine);
        put(&metrics, &numbered(1), 7, 1.0);
    };
    at_every_stage(&folder, write, |stage, engine| {
        assert_eq!(
            times(&engine.metrics().unwrap(), 1),
            [6, 7, AHEAD_MS],
            "{stage}"
        );
    });
}

#[test]
fn what_a_delete_hides_does_not_make_the_next_entry_late() {
    let folder = Folder::new();
    let open = || folder.open_with(with_limits(|limits| limits.late_max = Some(Duration::ZERO)));
    let engine = open();
    let (metrics, logs) = (engine.metrics().unwrap(), engine.logs().unwrap());
    for number in [1, 2] {
        put(&metrics, &numbered(number), 100, 1.0);
        put_line(&logs, &numbered(number), 100, "x");
    }
    metrics.delete(&number(1)).unwrap();
    logs.delete(&number(1)).unwrap();
    assert_eq!(offer(&metrics, &numbered(1), 100, 2.0), Ok(()));
    assert_eq!(
        offer(&metrics, &numbered(2), 99, 1.0),
        Err(Refusal::OutOfOrder)
    );
    assert_eq!(offer_line(&logs, &numbered(1), 50, "y"), Ok(()));
    assert_eq!(
        offer_line(&logs, &numbered(2), 50, "y"),
        Err(Refusal::OutOfOrder)
    );
    metrics.delete(&Deletion::everything()).unwrap();
    engine.close().unwrap();
    let engine = open();
    let metrics = engine.metrics().unwrap();
    // Recovery judges by the same windows.
    assert_eq!(offer(&metrics, &numbered(1), 10, 3.0), Ok(()));
    assert_eq!(
        offer(&metrics, &numbered(1), 9, 3.0),
        Err(Refusal::OutOfOrder)
    );
    let logs = engine.logs().unwrap();
    assert_eq!(
        offer_line(&logs, &numbered(2), 50, "y"),
        Err(Refusal::OutOfOrder)
    );
}

#[test]
fn a_deleted_line_ahead_of_all_others_does_not_make_them_too_old() {
    let folder = Folder::new();
    let open = || {
        let hour = Duration::from_secs(3600);
        folder.open_with(with_limits(|limits| limits.late_max = Some(hour)))
    };
    let engine = open();
    let logs = engine.logs().unwrap();
    put_line(&logs, &set(&[("app", "x")]), 0, "first");
    put_line(
        &logs,
        &set(&[("app", "wrong")]),
        5 * HOUR_MS * MS,
        "from the future",
    );
    let behind = 2 * HOUR_MS * MS;
    let offered = offer_line(&logs, &set(&[("app", "x")]), behind, "next");
    assert_eq!(offered, Err(Refusal::TooOld));
    logs.delete(&of("app", "wrong")).unwrap();
    assert_eq!(
        offer_line(&logs, &set(&[("app", "x")]), behind, "next"),
        Ok(())
    );
    // Also where the line stands in a block, and the store is opened again.
    freeze(&engine);
    engine.close().unwrap();
    let engine = open();
    let logs = engine.logs().unwrap();
    assert_eq!(
        offer_line(&logs, &set(&[("app", "x")]), behind + 1, "more"),
        Ok(())
    );
}

#[test]
fn entries_of_writers_that_run_beside_deletes_are_on_one_side_of_each() {
    let folder = Folder::new();
    let engine = folder.open();
    let metrics = engine.metrics().unwrap();
    let (begun, acknowledged) = (AtomicI64::new(-1), AtomicI64::new(-1));
    let stop = AtomicBool::new(false);
    let mut kept_from = 0;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for time in 0.. {
                begun.store(time, Ordering::SeqCst);
                put(&metrics, &numbered(1), time, 1.0);
                acknowledged.store(time, Ordering::SeqCst);
                if stop.load(Ordering::SeqCst) {
                    return;
                }
            }
        });
        for round in 0..60 {
            while acknowledged.load(Ordering::SeqCst) < kept_from {
                std::thread::yield_now();
            }
            let gone = acknowledged.load(Ordering::SeqCst);
            metrics.delete(&number(1)).unwrap();
            // Whatever begins from here on stays.
            kept_from = begun.load(Ordering::SeqCst) + 1;
            let left = times(&metrics, 1);
            assert!(
                left.first().is_none_or(|first| *first > gone),
                "{left:?} after {gone}"
            );
            if round % 10 == 3 {
                metrics.freeze().unwrap();
            }
        }
        stop.store(true, Ordering::SeqCst);
    });
    let (last, left) = (acknowledged.load(Ordering::SeqCst), times(&metrics, 1));
    assert!(left.is_sorted());
    let kept: Vec<i64> = left.into_iter().filter(|time| *time >= kept_from).collect();
    assert_eq!(kept, (kept_from..=last).collect::<Vec<_>>());
}

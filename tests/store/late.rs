//! Late entries: how far behind they may come, what is too old, and what is too far ahead.

use std::time::Duration;

use chronolith_engine::Refusal;

use super::bed::{
    AHEAD_MS, Folder, HOUR_MS, MS, PAST_MS, logged, numbered, offer, offer_line, only, put,
    put_line, set, texts, with_limits,
};
use super::bed::{all, options};

#[test]
fn by_default_anything_late_is_taken() {
    let folder = Folder::new();
    let engine = folder.open();
    let metrics = engine.metrics().unwrap();
    let times = [AHEAD_MS, 0, PAST_MS, -5, AHEAD_MS - 1, PAST_MS + 7, 1];
    for (index, time) in times.into_iter().enumerate() {
        put(&metrics, &numbered(1), time, index as f64);
        if index == 3 {
            metrics.freeze().unwrap();
        }
    }
    let mut sorted = times;
    sorted.sort_unstable();
    let found: Vec<_> = only(&metrics).iter().map(|point| point.0).collect();
    assert_eq!(found, sorted);

    let logs = engine.logs().unwrap();
    for time in [9, 3, 5, -1, 7] {
        put_line(&logs, &set(&[("app", "x")]), time, &time.to_string());
    }
    assert_eq!(texts(&logs), ["-1", "3", "5", "7", "9"]);
}

#[test]
fn a_window_of_zero_refuses_what_is_behind_the_newest_of_its_series() {
    let folder = Folder::new();
    let engine = folder.open_with(with_limits(|limits| limits.late_max = Some(Duration::ZERO)));
    let metrics = engine.metrics().unwrap();
    put(&metrics, &numbered(1), 1000, 1.0);
    assert_eq!(
        offer(&metrics, &numbered(1), 999, 2.0),
        Err(Refusal::OutOfOrder)
    );
    assert_eq!(offer(&metrics, &numbered(1), 1000, 1.0), Ok(()));
    assert_eq!(
        offer(&metrics, &numbered(1), 1000, 2.0),
        Err(Refusal::Conflict)
    );
    // Another series has a newest sample of its own.
    assert_eq!(offer(&metrics, &numbered(2), 5, 2.0), Ok(()));
    metrics.freeze().unwrap();
    assert_eq!(offer(&metrics, &numbered(2), 6, 2.0), Ok(()));
    assert_eq!(
        offer(&metrics, &numbered(2), 4, 2.0),
        Err(Refusal::OutOfOrder)
    );

    let logs = engine.logs().unwrap();
    put_line(&logs, &set(&[("app", "x")]), 1000, "a");
    put_line(&logs, &set(&[("app", "x")]), 1000, "b");
    let refused = offer_line(&logs, &set(&[("app", "x")]), 999, "c");
    assert_eq!(refused, Err(Refusal::OutOfOrder));
}

#[test]
fn with_a_window_of_zero_no_series_may_be_an_hour_behind_the_store() {
    let folder = Folder::new();
    let strict = || with_limits(|limits| limits.late_max = Some(Duration::ZERO));
    let mut engine = folder.open_with(strict());
    put(&engine.metrics().unwrap(), &numbered(1), 0, 1.0);
    put(&engine.metrics().unwrap(), &numbered(2), 3 * HOUR_MS, 1.0);
    for round in 0..3 {
        let metrics = engine.metrics().unwrap();
        let new = numbered(100 + round);
        // Of a new series, of one that is far behind, and behind what that has.
        for (series, time) in [
            (&new, 2 * HOUR_MS - 1),
            (&numbered(1), HOUR_MS),
            (&numbered(1), -1),
        ] {
            let refused = offer(&metrics, series, time, 2.0);
            assert_eq!(refused, Err(Refusal::OutOfBounds), "round {round}, {time}");
        }
        assert_eq!(offer(&metrics, &new, 2 * HOUR_MS, 2.0), Ok(()));
        let late = offer(&metrics, &new, 2 * HOUR_MS - 1, 2.0);
        assert_eq!(late, Err(Refusal::OutOfBounds));
        // Also when the newest sample is in a block, and when the log told of it.
        match round {
            0 => metrics.freeze().unwrap(),
            _ => {
                drop(metrics);
                drop(engine);
                engine = folder.open_with(strict());
            }
        }
    }
    // What is there already may be sent again.
    assert_eq!(
        offer(&engine.metrics().unwrap(), &numbered(2), 3 * HOUR_MS, 1.0),
        Ok(())
    );
}

#[test]
fn with_a_window_or_none_a_new_series_may_begin_at_any_time() {
    for window in [None, Some(Duration::from_secs(1))] {
        let folder = Folder::new();
        let engine = folder.open_with(with_limits(|limits| limits.late_max = window));
        let metrics = engine.metrics().unwrap();
        put(&metrics, &numbered(1), 3 * HOUR_MS, 1.0);
        put(&metrics, &numbered(2), 0, 1.0);
    }
}

#[test]
fn a_late_sample_may_be_as_far_behind_its_series_as_the_window_says() {
    let folder = Folder::new();
    let hour = Duration::from_secs(3600);
    let engine = folder.open_with(with_limits(|limits| limits.late_max = Some(hour)));
    let metrics = engine.metrics().unwrap();
    put(&metrics, &numbered(1), PAST_MS, 1.0);
    assert_eq!(
        offer(&metrics, &numbered(1), PAST_MS - HOUR_MS, 2.0),
        Ok(())
    );
    let too_old = offer(&metrics, &numbered(1), PAST_MS - HOUR_MS - 1, 2.0);
    assert_eq!(too_old, Err(Refusal::TooOld));
    // A series that lags behind the others is in order all the same.
    put(&metrics, &numbered(2), PAST_MS - 9 * HOUR_MS, 1.0);
    assert_eq!(
        offer(&metrics, &numbered(2), PAST_MS - 8 * HOUR_MS, 2.0),
        Ok(())
    );
    assert_eq!(
        offer(&metrics, &numbered(2), PAST_MS - 9 * HOUR_MS - 1, 2.0),
        Err(Refusal::TooOld)
    );
}

#[test]
fn the_late_window_does_not_end_with_a_freeze() {
    let folder = Folder::new();
    let hour = Duration::from_secs(3600);
    let engine = folder.open_with(with_limits(|limits| limits.late_max = Some(hour)));
    let (metrics, logs) = (engine.metrics().unwrap(), engine.logs().unwrap());
    let stream = set(&[("app", "x")]);
    put(&metrics, &numbered(1), PAST_MS, 1.0);
    put_line(&logs, &stream, PAST_MS * MS, "newest");
    // A snapshot from before keeps the series known.
    let _held = (metrics.snapshot(), logs.snapshot());
    metrics.freeze().unwrap();
    logs.freeze().unwrap();
    let late = PAST_MS - HOUR_MS - 1;
    assert_eq!(
        offer(&metrics, &numbered(1), late, 2.0),
        Err(Refusal::TooOld)
    );
    assert_eq!(
        offer_line(&logs, &stream, late * MS, "old"),
        Err(Refusal::TooOld)
    );
    assert_eq!(offer_line(&logs, &stream, (late + 1) * MS, "fine"), Ok(()));
    // For lines, a stream never seen before is measured by the newest of all.
    assert_eq!(
        offer_line(&logs, &set(&[("app", "y")]), late * MS, "old"),
        Err(Refusal::TooOld)
    );
}

#[test]
fn entries_older_than_the_retention_are_refused_whatever_the_late_window() {
    for late_max in [None, Some(Duration::ZERO), Some(Duration::from_secs(60))] {
        let folder = Folder::new();
        let engine = folder.open_with(with_limits(|limits| {
            limits.retention = Some(Duration::from_secs(24 * 3600));
            limits.late_max = late_max;
        }));
        let metrics = engine.metrics().unwrap();
        assert_eq!(
            offer(&metrics, &numbered(1), PAST_MS, 1.0),
            Err(Refusal::TooOld)
        );
        assert_eq!(offer(&metrics, &numbered(1), AHEAD_MS, 1.0), Ok(()));
        assert_ne!(offer(&metrics, &numbered(1), PAST_MS, 1.0), Ok(()));
        let logs = engine.logs().unwrap();
        let stream = set(&[("app", "x")]);
        assert_eq!(
            offer_line(&logs, &stream, PAST_MS * MS, "old"),
            Err(Refusal::TooOld)
        );
        assert_eq!(offer_line(&logs, &stream, AHEAD_MS * MS, "new"), Ok(()));
        assert_eq!(only(&metrics).len(), 1);
    }
}

#[test]
fn entries_too_far_ahead_of_the_clock_are_refused() {
    let folder = Folder::new();
    let engine = folder.open_with(with_limits(|limits| limits.future_max = Duration::ZERO));
    let metrics = engine.metrics().unwrap();
    assert_eq!(
        offer(&metrics, &numbered(1), AHEAD_MS, 1.0),
        Err(Refusal::TooFarAhead)
    );
    assert_eq!(
        offer(&metrics, &numbered(1), i64::MAX, 1.0),
        Err(Refusal::TooFarAhead)
    );
    assert_eq!(offer(&metrics, &numbered(1), PAST_MS, 1.0), Ok(()));
    let logs = engine.logs().unwrap();
    let refused = offer_line(&logs, &set(&[("app", "x")]), AHEAD_MS * MS, "x");
    assert_eq!(refused, Err(Refusal::TooFarAhead));
    assert!(logged(&logs.snapshot(), &all()).is_empty());
}

#[test]
fn the_lowest_time_is_refused_because_it_stands_for_none() {
    let folder = Folder::new();
    let engine = folder.open_with(options());
    let metrics = engine.metrics().unwrap();
    assert_eq!(
        offer(&metrics, &numbered(1), i64::MIN, 1.0),
        Err(Refusal::TooOld)
    );
    assert_eq!(offer(&metrics, &numbered(1), i64::MIN + 1, 1.0), Ok(()));
}

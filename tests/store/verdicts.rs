//! What becomes of each entry of a batch: equal timestamps, bad labels, all or nothing.

use chronolith_engine::labels::{LabelSet, put_label};
use chronolith_engine::logs::Line;
use chronolith_engine::metrics::{Sample, Samples};
use chronolith_engine::time::{Millis, Nanos};
use chronolith_engine::{Batch, BatchMode, Refusal};

use super::bed::{
    Folder, PAST_MS, all, append_lines, append_samples, at_every_stage, bits, logged, numbered,
    offer, only, points, put, put_line, set,
};

#[test]
fn an_identical_sample_is_accepted_again_and_another_value_is_a_conflict() {
    let folder = Folder::new();
    let engine = folder.open();
    let metrics = engine.metrics().unwrap();
    let series = numbered(1);
    for time in [100, 200, 300] {
        put(&metrics, &series, time, time as f64);
    }
    // In order, then late.
    for time in [300, 100, 200] {
        let same = Sample::float(Millis(time), time as f64);
        let other = Sample::float(Millis(time), -1.0);
        let report = append_samples(&metrics, &series, &[same, other, same]);
        assert_eq!((report.accepted, report.duplicates), (0, 2), "at {time}");
        assert_eq!(report.refusal(1), Some(&Refusal::Conflict), "at {time}");
        assert_eq!((report.refusal(0), report.refusal(2)), (None, None));
    }
    // A late sample, again, and another.
    put(&metrics, &series, 150, 1.5);
    assert_eq!(offer(&metrics, &series, 150, 1.5), Ok(()));
    assert_eq!(offer(&metrics, &series, 150, 2.5), Err(Refusal::Conflict));
    let kept: Vec<_> = only(&metrics)
        .into_iter()
        .map(|point| (point.0, point.2))
        .collect();
    assert_eq!(
        kept,
        [
            (100, bits(100.0)),
            (150, bits(1.5)),
            (200, bits(200.0)),
            (300, bits(300.0))
        ]
    );
}

#[test]
fn zeros_of_both_signs_and_different_nans_are_different_values() {
    let folder = Folder::new();
    let engine = folder.open();
    let metrics = engine.metrics().unwrap();
    put(&metrics, &numbered(1), 1, 0.0);
    assert_eq!(
        offer(&metrics, &numbered(1), 1, -0.0),
        Err(Refusal::Conflict)
    );
    put(&metrics, &numbered(2), 1, f64::NAN);
    assert_eq!(offer(&metrics, &numbered(2), 1, f64::NAN), Ok(()));
    let stale = f64::from_bits(chronolith_engine::metrics::STALE_NAN_BITS);
    assert_eq!(
        offer(&metrics, &numbered(2), 1, stale),
        Err(Refusal::Conflict)
    );
}

#[test]
fn the_first_acknowledged_value_wins_over_one_that_came_after_a_freeze() {
    let folder = Folder::new();
    let series = numbered(1);
    at_every_stage(
        &folder,
        |engine| {
            let metrics = engine.metrics().unwrap();
            for time in [100, 200, 300] {
                put(&metrics, &series, time, 1.0);
            }
            // While a snapshot keeps the series known, the head remembers its newest value.
            let _held = metrics.snapshot();
            metrics.freeze().unwrap();
            assert_eq!(offer(&metrics, &series, 300, 2.0), Err(Refusal::Conflict));
            put(&metrics, &series, 400, 4.0);
            let _ = offer(&metrics, &series, 200, 2.0);
            let _ = offer(&metrics, &series, 150, 3.0);
        },
        |stage, engine| {
            let found = only(&engine.metrics().unwrap());
            let found: Vec<_> = found.into_iter().map(|point| (point.0, point.2)).collect();
            let wanted = [
                (100, bits(1.0)),
                (150, bits(3.0)),
                (200, bits(1.0)),
                (300, bits(1.0)),
                (400, bits(4.0)),
            ];
            assert_eq!(found, wanted, "{stage}");
        },
    );
}

#[test]
fn lines_at_one_timestamp_stay_in_order_of_arrival_without_exact_duplicates() {
    let folder = Folder::new();
    let stream = set(&[("app", "x")]);
    at_every_stage(
        &folder,
        |engine| {
            let logs = engine.logs().unwrap();
            for text in ["b", "a", "b", "c", "a"] {
                put_line(&logs, &stream, 500, text);
            }
            put_line(&logs, &stream, 900, "later");
            // Late, and behind a freeze: the same rules.
            logs.freeze().unwrap();
            for text in ["d", "b", "d", ""] {
                put_line(&logs, &stream, 500, text);
            }
            let metadata = set(&[("k", "v")]);
            let line = Line {
                time: Nanos(500),
                text: "a",
                metadata: metadata.as_labels(),
            };
            append_lines(&logs, &stream, &[line, line]);
        },
        |stage, engine| {
            let found = logged(&engine.logs().unwrap().snapshot(), &all());
            let lines: Vec<_> = found[0]
                .1
                .iter()
                .map(|(time, text, more)| (*time, &**text, &**more))
                .collect();
            let wanted = [
                (500, "b", "{}"),
                (500, "a", "{}"),
                (500, "c", "{}"),
                (500, "d", "{}"),
                (500, "", "{}"),
                (500, "a", "{k=\"v\"}"),
                (900, "later", "{}"),
            ];
            assert_eq!(lines, wanted, "{stage}");
        },
    );
}

#[test]
fn hundreds_of_lines_at_one_timestamp_lose_only_their_duplicates() {
    let folder = Folder::new();
    let stream = set(&[("app", "x")]);
    at_every_stage(
        &folder,
        |engine| {
            let logs = engine.logs().unwrap();
            for round in 0..2 {
                for number in 0..300 {
                    put_line(&logs, &stream, 5, &format!("line {}", (number * 7) % 300));
                }
                if round == 0 {
                    logs.freeze().unwrap();
                }
            }
        },
        |stage, engine| {
            let found = logged(&engine.logs().unwrap().snapshot(), &all());
            let texts: Vec<_> = found[0].1.iter().map(|(_, text, _)| text.clone()).collect();
            let wanted: Vec<_> = (0..300)
                .map(|n| format!("line {}", (n * 7) % 300))
                .collect();
            assert_eq!(texts, wanted, "{stage}");
        },
    );
}

/// Label bytes that are not canonical, and a word of what the message must say.
fn bad_labels() -> Vec<(Vec<u8>, &'static str)> {
    let build = |pairs: &[(&str, &str)]| {
        let mut bytes = Vec::new();
        for (name, value) in pairs {
            put_label(&mut bytes, name, value);
        }
        bytes
    };
    vec![
        (build(&[("b", "1"), ("a", "1")]), "order"),
        (build(&[("a", "1"), ("a", "2")]), "twice"),
        (build(&[("a", "1"), ("a", "1")]), "twice"),
        (build(&[("", "1")]), "empty"),
        (build(&[("a", "")]), "empty value"),
        (vec![1, 0xff, 1, b'x'], "UTF-8"),
        (vec![1, b'a', 2, 0xc3, 0x28], "UTF-8"),
        (vec![0x81, 0, b'a', 1, b'b'], "padding"),
        (vec![5, b'a'], ""),
        (vec![1, b'a', 1, b'b', 9], ""),
        (Vec::new(), "at least one label"),
    ]
}

#[test]
fn bad_label_bytes_are_refused_by_series_and_hurt_no_other() {
    let folder = Folder::new();
    let engine = folder.open();
    let metrics = engine.metrics().unwrap();
    let bad = bad_labels();
    let good: Vec<LabelSet> = (0..bad.len()).map(numbered).collect();
    let mut batch = Batch::<Samples>::new();
    for (number, (bytes, _)) in bad.iter().enumerate() {
        batch.series(bytes);
        batch.entry(Sample::float(Millis(PAST_MS), 1.0));
        batch.entry(Sample::float(Millis(PAST_MS + 1), 1.0));
        batch.push(
            good[number].as_labels(),
            Sample::float(Millis(PAST_MS), number as f64),
        );
    }
    let report = metrics.append(&batch).unwrap();
    assert_eq!(report.accepted, bad.len() as u64);
    assert_eq!(report.refused.len(), 2 * bad.len());
    for (number, (bytes, word)) in bad.iter().enumerate() {
        for entry in [3 * number, 3 * number + 1] {
            let Some(Refusal::Labels(text)) = report.refusal(entry) else {
                panic!("{bytes:?} was taken");
            };
            assert!(text.contains(word), "{bytes:?}: {text}");
        }
        assert_eq!(report.refusal(3 * number + 2), None);
        assert_eq!(report.refused[2 * number].series, 2 * number);
    }
    assert_eq!(points(&metrics.snapshot(), &all()).len(), bad.len());
}

#[test]
fn an_all_or_nothing_batch_with_one_refusal_leaves_nothing_behind() {
    let folder = Folder::new();
    let engine = folder.open();
    let metrics = engine.metrics().unwrap();
    put(&metrics, &numbered(1), 100, 1.0);
    let before = engine.stats();
    let (old, new) = (numbered(1), numbered(2));
    let mut batch = Batch::<Samples>::with_mode(BatchMode::AllOrNothing);
    batch.push(new.as_labels(), Sample::float(Millis(100), 2.0));
    batch.push(old.as_labels(), Sample::float(Millis(200), 2.0));
    batch.push(old.as_labels(), Sample::float(Millis(100), 2.0));
    batch.push(new.as_labels(), Sample::float(Millis(200), 2.0));
    let report = metrics.append(&batch).unwrap();
    assert_eq!((report.accepted, report.refused.len()), (0, 1));
    assert_eq!(report.refusal(2), Some(&Refusal::Conflict));
    assert_eq!(only(&metrics), [(100, None, bits(1.0))]);
    assert_eq!(engine.stats().head_series, before.head_series);
    // What was taken back can be sent in another form.
    assert_eq!(offer(&metrics, &old, 150, 3.0), Ok(()));
    assert_eq!(offer(&metrics, &old, 200, 4.0), Ok(()));
}

#[test]
fn series_of_a_batch_taken_back_are_known_to_the_log_when_they_come_again() {
    let folder = Folder::new();
    let (one, two) = (numbered(1), numbered(2));
    let expected = [
        (one.as_labels().to_string(), vec![(100, None, bits(1.0))]),
        (two.as_labels().to_string(), vec![(300, None, bits(3.0))]),
    ];
    at_every_stage(
        &folder,
        |engine| {
            let metrics = engine.metrics().unwrap();
            put(&metrics, &one, 100, 1.0);
            let mut batch = Batch::<Samples>::with_mode(BatchMode::AllOrNothing);
            batch.push(two.as_labels(), Sample::float(Millis(300), 2.0));
            batch.push(one.as_labels(), Sample::float(Millis(100), 2.0));
            assert_eq!(metrics.append(&batch).unwrap().accepted, 0);
            put(&metrics, &two, 300, 3.0);
        },
        |stage, engine| {
            let found = points(&engine.metrics().unwrap().snapshot(), &all());
            assert_eq!(found, expected, "{stage}");
            assert_eq!(engine.metrics().unwrap().damage().len(), 0, "{stage}");
        },
    );
}

#[test]
fn an_all_or_nothing_batch_without_a_refusal_is_stored() {
    let folder = Folder::new();
    let engine = folder.open();
    let metrics = engine.metrics().unwrap();
    let series = [numbered(1), numbered(2)];
    let mut batch = Batch::<Samples>::with_mode(BatchMode::AllOrNothing);
    for labels in &series {
        batch.push(labels.as_labels(), Sample::float(Millis(1), 2.0));
        batch.push(labels.as_labels(), Sample::float(Millis(1), 2.0));
    }
    let report = metrics.append(&batch).unwrap();
    assert_eq!(
        (report.accepted, report.duplicates, report.refused.len()),
        (2, 2, 0)
    );
    assert_eq!(points(&metrics.snapshot(), &all()).len(), 2);
}

#[test]
fn a_series_may_stand_in_a_batch_more_than_once() {
    let folder = Folder::new();
    let series = [numbered(1), numbered(2)];
    at_every_stage(
        &folder,
        |engine| {
            let mut batch = Batch::<Samples>::new();
            for time in 0..10 {
                for labels in &series {
                    batch.push(labels.as_labels(), Sample::float(Millis(time), time as f64));
                }
            }
            assert_eq!(
                engine.metrics().unwrap().append(&batch).unwrap().accepted,
                20
            );
        },
        |stage, engine| {
            let found = points(&engine.metrics().unwrap().snapshot(), &all());
            assert_eq!(
                found.iter().map(|(_, points)| points.len()).sum::<usize>(),
                20,
                "{stage}"
            );
        },
    );
}

#[test]
fn an_empty_batch_is_nothing_to_do() {
    let folder = Folder::new();
    let engine = folder.open();
    let report = engine.metrics().unwrap().append(&Batch::new()).unwrap();
    assert_eq!(report, chronolith_engine::Report::default());
    engine.metrics().unwrap().freeze().unwrap();
    assert_eq!(
        engine.metrics().unwrap().stats(),
        chronolith_engine::StoreStats::default()
    );
}

//! Per selector: the first rule that accepts a series counts, for both kinds, wherever its entries
//! are.

use chronolith_engine::metrics::{Sample, Samples};
use chronolith_engine::time::Millis;
use chronolith_engine::{Batch, ErrorKind, Refusal};

use super::super::bed::{
    all, equal, logged, numbered, offer, offer_line, points, put, put_line, with_limits,
};
use super::*;

/// Sixteen rules, of which rule `n` keeps `app="a<n>"` for `n + 1` hours. Each also accepts what
/// the one before does, so that the order counts.
fn sixteen() -> Vec<RetentionRule> {
    (0..16u32)
        .map(|number| {
            let accepted = match number {
                0 => "a00".to_owned(),
                _ => format!("a{:02}|a{number:02}", number - 1),
            };
            RetentionRule {
                matchers: vec![
                    matcher(MatchOp::Regex, "app", &accepted),
                    matcher(MatchOp::NotEqual, "job", "default"),
                ],
                keep: Some((number + 1) * HOUR),
            }
        })
        .collect()
}

fn apps() -> Vec<LabelSet> {
    let ruled = (0..16).map(|number| app(&format!("a{number:02}")));
    let kept = set(&[("__name__", "m"), ("app", "a00"), ("job", "default")]);
    ruled.chain([app("zz"), kept]).collect()
}

/// Which of the series have entries left, by their places in `apps`.
fn left(engine: &Engine) -> (Vec<usize>, Vec<usize>) {
    let places = |found: Vec<String>| -> Vec<usize> {
        let apps: Vec<String> = apps()
            .iter()
            .map(|set| set.as_labels().to_string())
            .collect();
        let place = |text: &String| apps.iter().position(|app| app == text).unwrap();
        let mut places: Vec<usize> = found.iter().map(place).collect();
        places.sort_unstable();
        places
    };
    let samples = points(&engine.metrics().unwrap().snapshot(), &all());
    let lines = logged(&engine.logs().unwrap().snapshot(), &all());
    (
        places(samples.into_iter().map(|(labels, _)| labels).collect()),
        places(lines.into_iter().map(|(labels, _)| labels).collect()),
    )
}

#[test]
fn the_first_of_sixteen_rules_that_accepts_a_series_says_how_long_it_is_kept() {
    let stage = stage();
    // The default is longer than each rule.
    let options = options(ruled(&sixteen(), Some(20 * HOUR)));
    let mut engine = stage.open(&options).unwrap();
    for labels in apps() {
        put(&engine.metrics().unwrap(), &labels, START_MS, 1.0);
        put_line(&engine.logs().unwrap(), &labels, START_MS * MS, "x");
    }
    // A rule of one hour keeps for all of an hour: the next tick takes the entry.
    advance_ms(&stage, 1);
    let mut frozen_at = None;
    for hour in 0..20usize {
        let expected: Vec<usize> = (hour.min(16)..18).collect();
        assert_eq!(left(&engine), (expected.clone(), expected), "hour {hour}");
        // Half of the way in memory, then in blocks, and now and then in a new process.
        if hour == 5 {
            engine.metrics().unwrap().freeze().unwrap();
            engine.logs().unwrap().freeze().unwrap();
            frozen_at = Some(block_files(&stage).len());
        }
        if hour % 4 == 3 {
            engine.close().unwrap();
            engine = stage.open(&options).unwrap();
        }
        tend(&stage, &engine);
        advance_ms(&stage, HOUR_MS - MINUTE_MS);
    }
    // A block for each class of each kind; those that had expired before were written as well.
    assert_eq!(frozen_at, Some(34));
    assert_eq!(left(&engine), (vec![], vec![]));
    tend(&stage, &engine);
    assert!(block_files(&stage).is_empty());
}

#[test]
fn entries_of_many_partitions_and_classes_all_find_their_block() {
    let stage = stage();
    let options = options(ruled(&sixteen(), None));
    let engine = stage.open(&options).unwrap();
    let metrics = engine.metrics().unwrap();
    // Twelve hours in partitions of two, for 18 series in 17 classes: more blocks than are written
    // at once.
    advance_ms(&stage, 12 * HOUR_MS);
    let apps = apps();
    let mut expected = 0;
    for hour in 0..12 {
        let mut batch = Batch::<Samples>::new();
        for labels in &apps {
            let time = Millis(START_MS + hour * HOUR_MS + 1);
            batch.push(labels.as_labels(), Sample::float(time, hour as f64));
        }
        expected += metrics.append(&batch).unwrap().accepted as usize;
    }
    let before = points(&metrics.snapshot(), &all());
    let count = |found: &[(String, Vec<_>)]| found.iter().map(|(_, own)| own.len()).sum::<usize>();
    assert_eq!(count(&before), expected);
    metrics.freeze().unwrap();
    assert!(metrics.stats().blocks > 64, "{:?}", metrics.stats());
    assert_eq!(points(&metrics.snapshot(), &all()), before);
    engine.close().unwrap();
    let engine = stage.open(&options).unwrap();
    assert_eq!(
        points(&engine.metrics().unwrap().snapshot(), &all()),
        before
    );
    assert_sound(&engine.metrics().unwrap());
}

#[test]
fn the_door_judges_each_entry_by_the_rule_of_its_series() {
    let stage = stage();
    let rules = [rule("app", "short", Some(HOUR)), rule("app", "audit", None)];
    let engine = stage.open(&options(ruled(&rules, Some(4 * HOUR)))).unwrap();
    let (metrics, logs) = (engine.metrics().unwrap(), engine.logs().unwrap());
    let at = |hours: i64| START_MS - hours * HOUR_MS;
    // New series and known ones.
    for round in 0..2 {
        let value = f64::from(round);
        for (name, hours, verdict) in [
            ("short", 1, Ok(())),
            ("short", 2, Err(Refusal::TooOld)),
            ("other", 4, Ok(())),
            ("other", 5, Err(Refusal::TooOld)),
            ("audit", 90_000, Ok(())),
        ] {
            let time = at(hours) + i64::from(round);
            assert_eq!(offer(&metrics, &app(name), time, value), verdict, "{name}");
            assert_eq!(offer_line(&logs, &app(name), time * MS, "x"), verdict);
        }
    }
    // Other rules count for known series from the next batch on.
    let longer = ruled(&[rule("app", "short", Some(3 * HOUR))], Some(HOUR));
    metrics.set_limits(longer).unwrap();
    assert_eq!(offer(&metrics, &app("short"), at(2), 1.0), Ok(()));
    assert_eq!(
        offer(&metrics, &app("audit"), at(2), 1.0),
        Err(Refusal::TooOld)
    );
    // A number that another series has got meanwhile stands for that one.
    metrics.freeze().unwrap();
    advance_ms(&stage, 4 * HOUR_MS);
    tend(&stage, &engine);
    let at = |hours: i64| now_ms(&stage) - hours * HOUR_MS;
    for (name, verdict) in [("other", Err(Refusal::TooOld)), ("short", Ok(()))] {
        assert_eq!(offer(&metrics, &app(name), at(2), 1.0), verdict, "{name}");
    }
}

#[test]
fn seventeen_rules_and_endless_matchers_are_refused_by_name_of_the_limit() {
    let stage = stage();
    let mut rules = sixteen();
    rules.push(rule("app", "x", None));
    let error = |limits: Limits| {
        let error = stage.open(&options(limits)).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        error.to_string()
    };
    assert_eq!(
        error(ruled(&rules, None)),
        "limits.retention_rules has 17 rules: at most 16 are possible"
    );
    let long = [rule("app", "x", None), rule("app", &"x".repeat(4096), None)];
    assert_eq!(
        error(ruled(&long, None)),
        "limits.retention_rules[1] in bytes of its matchers is 4104: at most 4096 is possible"
    );
    let engine = stage.open(&options(ruled(&sixteen(), None))).unwrap();
    let metrics = engine.metrics().unwrap();
    let refused = metrics.set_limits(ruled(&rules, None)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Invalid);
    // What was refused has changed nothing.
    put(&metrics, &app("a00"), START_MS, 1.0);
    advance_ms(&stage, HOUR_MS + 1);
    assert!(points(&metrics.snapshot(), &all()).is_empty());
}

#[test]
fn tenants_and_kinds_have_rules_of_their_own_once_they_are_set() {
    let stage = stage();
    let engine = stage.open(&options(keeping(HOUR))).unwrap();
    let (one, two) = (engine.tenant("one").unwrap(), engine.tenant("two").unwrap());
    let rules = [rule("app", "a", Some(3 * HOUR))];
    let of_one = ruled(&rules, Some(HOUR));
    one.metrics().unwrap().set_limits(of_one).unwrap();
    for tenant in [&one, &two] {
        put(&tenant.metrics().unwrap(), &app("a"), START_MS, 1.0);
        put_line(&tenant.logs().unwrap(), &app("a"), START_MS * MS, "x");
        tenant.metrics().unwrap().freeze().unwrap();
        tenant.logs().unwrap().freeze().unwrap();
    }
    advance_ms(&stage, 2 * HOUR_MS);
    tend(&stage, &engine);
    assert_eq!(points(&one.metrics().unwrap().snapshot(), &all()).len(), 1);
    assert_eq!(block_files(&stage).len(), 1);
}

#[test]
fn on_a_real_disk_too_old_blocks_go_by_themselves() {
    use super::super::bed::Folder;
    let folder = Folder::new();
    let engine = folder.open();
    let metrics = engine.metrics().unwrap();
    put(&metrics, &numbered(1), super::super::bed::PAST_MS, 1.0);
    metrics.freeze().unwrap();
    engine.close().unwrap();
    assert_eq!(folder.files(".blk").len(), 1);
    // The past is years ago by any clock: invisible at once, whatever the keeper has done by now.
    let limits = with_limits(|limits| limits.retention = Some(HOUR));
    let engine = folder.open_with(limits);
    let metrics = engine.metrics().unwrap();
    assert!(points(&metrics.snapshot(), &equal("n", "00001")).is_empty());
    assert_eq!(metrics.stats().expired_blocks, 1);
}

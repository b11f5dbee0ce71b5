//! What a delete refuses, what it says of itself, and what else can be deleted.

use chronolith_engine::metrics::Exemplar;
use chronolith_engine::{DEFAULT_TENANT, ErrorKind};

use super::super::bed::with_limits;
use super::*;

#[test]
fn a_deletion_must_say_what_it_means() {
    let folder = Folder::new();
    let engine = folder.open();
    let (metrics, logs) = (engine.metrics().unwrap(), engine.logs().unwrap());
    let kind = |outcome: chronolith_engine::Result<u64>| outcome.unwrap_err().kind();
    assert_eq!(
        kind(metrics.delete(&Deletion::new(Vec::new()))),
        ErrorKind::Invalid
    );
    let reversed = number(1).between(Ms(2), Ms(1));
    assert_eq!(kind(metrics.delete(&reversed)), ErrorKind::Invalid);
    let lines = number(1).lines(filter(LineOp::Contains, "x"));
    assert_eq!(kind(metrics.delete(&lines)), ErrorKind::Invalid);
    assert!(logs.delete(&lines).is_ok());
    let long = of("job", &"x".repeat(64 << 10));
    assert_eq!(kind(metrics.delete(&long)), ErrorKind::Limit);
    assert_eq!(metrics.deletions(), []);
}

#[test]
fn only_so_many_deletions_are_in_force_at_once() {
    let folder = Folder::new();
    let engine = folder.open_with(Options {
        compaction_percent: 0,
        ..with_limits(|limits| limits.deletions_max = 3)
    });
    let metrics = engine.metrics().unwrap();
    put_ten(&engine, 1, 0);
    for _ in 0..3 {
        metrics.delete(&number(1)).unwrap();
    }
    let error = metrics.delete(&number(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
    assert!(error.to_string().contains("deletions_max"), "{error}");
    let last = metrics.deletions()[2].id;
    assert!(metrics.cancel_delete(last).unwrap());
    assert_eq!(
        metrics.delete(&number(1)).unwrap(),
        last + 1,
        "ids are never used twice"
    );
    freeze(&engine);
    compact(&engine);
    assert_eq!(metrics.delete(&number(1)).unwrap(), last + 2);
}

#[test]
fn a_deletion_is_listed_with_all_that_it_said() {
    let folder = Folder::new();
    let engine = folder.open();
    let logs = engine.logs().unwrap();
    put_line(&logs, &set(&[("app", "x")]), 7, "a");
    let regex = Matcher::new(MatchOp::NotRegex, "app", "y.*").unwrap();
    let deletion = Deletion::new(vec![regex])
        .between(Ns(5), Ns(9))
        .lines(filter(LineOp::NotMatches, "b+"));
    let id = logs.delete(&deletion).unwrap();
    let check = |engine: &Engine| {
        let listed = engine.logs().unwrap().deletions();
        assert_eq!(listed.len(), 1);
        let status = &listed[0];
        assert_eq!((status.id, &status.deletion), (id, &deletion));
        assert_eq!(status.deletion.to_string(), r#"{app!~"y.*"} !~ "b+""#);
        assert_eq!((status.blocks_left, status.is_in_memory), (0, true));
        assert!(status.created.0 > 1_700_000_000_000_000_000);
    };
    check(&engine);
    check(&folder.open_read_only());
    engine.close().unwrap();
    check(&folder.open());
}

#[test]
fn a_read_only_engine_shows_deletes_and_refuses_them() {
    let folder = Folder::new();
    let engine = folder.open();
    put_ten(&engine, 1, 0);
    let before = folder.open_read_only();
    let id = engine.metrics().unwrap().delete(&number(1)).unwrap();
    let reader = folder.open_read_only();
    let metrics = reader.metrics().unwrap();
    assert_eq!(times(&metrics, 1), [0i64; 0]);
    assert_eq!(times(&before.metrics().unwrap(), 1).len(), 10);
    assert_eq!(
        metrics.delete(&number(1)).unwrap_err().kind(),
        ErrorKind::ReadOnly
    );
    assert_eq!(
        metrics.cancel_delete(id).unwrap_err().kind(),
        ErrorKind::ReadOnly
    );
}

#[test]
fn a_closed_engine_deletes_nothing() {
    let folder = Folder::new();
    let engine = folder.open();
    let metrics = engine.metrics().unwrap();
    put_ten(&engine, 1, 0);
    let id = metrics.delete(&number(1)).unwrap();
    engine.close().unwrap();
    assert_eq!(
        metrics.delete(&number(1)).unwrap_err().kind(),
        ErrorKind::Closed
    );
    assert_eq!(
        metrics.cancel_delete(id).unwrap_err().kind(),
        ErrorKind::Closed
    );
}

#[test]
fn exemplars_are_deleted_by_a_verb_of_their_own() {
    let folder = Folder::new();
    let engine = folder.open();
    let tenant = engine.tenant(DEFAULT_TENANT).unwrap();
    put_ten(&engine, 1, 0);
    for time in [1, 2, 3] {
        let exemplar = Exemplar {
            time: Ms(time),
            value: time as f64,
            labels: set(&[("trace_id", "t")]),
        };
        let series = numbered(1);
        tenant
            .append_exemplars(&[(series.as_labels(), exemplar)])
            .unwrap();
    }
    let count = |engine: &Engine| {
        let found = engine
            .tenant(DEFAULT_TENANT)
            .unwrap()
            .exemplars(&all())
            .unwrap();
        found
            .iter()
            .map(|(_, exemplars)| exemplars.len())
            .sum::<usize>()
    };
    engine.metrics().unwrap().delete(&number(1)).unwrap();
    assert_eq!(count(&engine), 3, "samples and exemplars are deleted apart");
    let id = tenant
        .delete_exemplars(&number(1).between(Ms(2), Ms(2)))
        .unwrap();
    assert_eq!(count(&engine), 2);
    let listed = tenant.exemplar_deletions().unwrap();
    assert_eq!(
        listed[0].deletion.range(),
        chronolith_engine::time::TickRange::new(Ms(2), Ms(2))
    );
    engine.close().unwrap();
    let engine = folder.open();
    assert_eq!(count(&engine), 2);
    let tenant = engine.tenant(DEFAULT_TENANT).unwrap();
    assert!(tenant.cancel_exemplar_deletion(id).unwrap());
    assert_eq!(count(&engine), 3);
}

#[test]
fn many_deletes_in_a_row_leave_few_windows_and_few_blocks() {
    let folder = Folder::new();
    let engine = quiet(&folder);
    let metrics = engine.metrics().unwrap();
    put_ten(&engine, 1, 0);
    for _ in 0..100 {
        metrics.delete(&number(1)).unwrap();
    }
    freeze(&engine);
    assert_eq!(
        metrics.stats().blocks,
        1,
        "a window that is empty is no window"
    );
    for time in 0..100 {
        put(&metrics, &numbered(2), time, 1.0);
        metrics.delete(&number(1)).unwrap();
    }
    let blocks = metrics.stats().blocks;
    assert!(
        (80..=100).contains(&blocks),
        "{blocks} blocks: windows pile up"
    );
    assert_eq!(times(&metrics, 2).len(), 100);
    compact(&engine);
    assert_eq!(times(&metrics, 2).len(), 100);
}

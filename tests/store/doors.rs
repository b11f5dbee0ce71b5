//! Opening and closing: one writer, readers beside it, and what is left after the end.

use chronolith_engine::metrics::{Exemplar, MetricMetadata, Sample, Samples};
use chronolith_engine::time::Millis;
use chronolith_engine::{Batch, Engine, Error, ErrorKind, Progress, Tenant};

use super::bed::{
    AHEAD_MS, Folder, all, bits, numbered, only, options, points, put, put_line, set, texts,
};

fn append_one(tenant: &Tenant) -> Result<(), Error> {
    let labels = numbered(1);
    let mut batch = Batch::<Samples>::new();
    batch.push(labels.as_labels(), Sample::float(Millis(1), 1.0));
    tenant.metrics()?.append(&batch).map(|_| ())
}

/// Every way to write, and what it says.
fn writes(tenant: &Tenant) -> Vec<(&'static str, Result<(), Error>)> {
    let labels = numbered(1);
    let exemplar = Exemplar {
        time: Millis(1),
        value: 1.0,
        labels: set(&[("t", "1")]),
    };
    let exemplars = tenant.append_exemplars(&[(labels.as_labels(), exemplar)]);
    let metadata = tenant.set_metadata(&[("family", MetricMetadata::default())]);
    vec![
        ("append", append_one(tenant)),
        (
            "freeze",
            tenant.metrics().and_then(|metrics| metrics.freeze()),
        ),
        ("exemplars", exemplars.map(|_| ())),
        ("metadata", metadata),
    ]
}

#[test]
fn a_second_writer_is_told_that_the_directory_is_locked() {
    let folder = Folder::new();
    let engine = folder.open();
    let error = Engine::open(folder.path(), options())
        .map(|_| ())
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert_eq!(error.path(), Some(folder.path()));
    drop(engine);
    folder.open().close().unwrap();
}

#[test]
fn how_far_recovery_is_can_be_watched() {
    let folder = Folder::new();
    let engine = folder.open();
    put(&engine.metrics().unwrap(), &numbered(1), 1, 1.0);
    drop(engine);
    let progress = Progress::new();
    assert_eq!((progress.replayed_bytes(), progress.total_bytes()), (0, 0));
    let engine = Engine::open_watched(folder.path(), options(), &progress).unwrap();
    assert!(progress.total_bytes() > 0);
    assert_eq!(progress.replayed_bytes(), progress.total_bytes());
    engine.close().unwrap();
}

#[test]
fn a_directory_and_its_parents_are_made_where_they_are_missing() {
    let folder = Folder::new();
    let deep = folder.path().join("a/b/c");
    let engine = Engine::open(&deep, options()).unwrap();
    put(&engine.metrics().unwrap(), &numbered(1), 1, 1.0);
    engine.close().unwrap();
    let engine = Engine::open(&deep, options()).unwrap();
    assert_eq!(only(&engine.metrics().unwrap()).len(), 1);
}

#[test]
fn a_path_that_is_a_file_is_an_error_that_names_it() {
    let folder = Folder::new();
    let path = folder.path().join("file");
    std::fs::write(&path, "x").unwrap();
    let error = Engine::open(&path, options()).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert_eq!(error.path(), Some(&*path));
}

#[test]
fn a_reader_beside_a_live_writer_sees_what_was_acknowledged() {
    let folder = Folder::new();
    let engine = folder.open();
    let (metrics, logs) = (engine.metrics().unwrap(), engine.logs().unwrap());
    for round in 0..30 {
        put(&metrics, &numbered(round % 4), round as i64, round as f64);
        put_line(&logs, &numbered(1), round as i64, &round.to_string());
        match round % 7 {
            3 => metrics.freeze().unwrap(),
            5 => logs.freeze().unwrap(),
            _ => {}
        }
        let reader = folder.open_read_only();
        assert!(reader.damage().is_empty());
        let found = points(&reader.metrics().unwrap().snapshot(), &all());
        let count: usize = found.iter().map(|(_, points)| points.len()).sum();
        assert_eq!(count, round + 1);
        assert_eq!(texts(&reader.logs().unwrap()).len(), round + 1);
    }
}

#[test]
fn readers_open_while_a_writer_writes_and_freezes_without_pause() {
    let folder = Folder::new();
    let engine = folder.open();
    let acknowledged = std::sync::atomic::AtomicI64::new(0);
    let (count, order) = (&acknowledged, std::sync::atomic::Ordering::SeqCst);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let metrics = engine.metrics().unwrap();
            for time in 0..1500 {
                put(&metrics, &numbered(1), time, 1.0);
                count.store(time + 1, order);
                if time % 50 == 0 {
                    metrics.freeze().unwrap();
                }
            }
        });
        while count.load(order) < 1500 {
            let before = count.load(order);
            let reader = folder.open_read_only();
            let after = only(&reader.metrics().unwrap()).len() as i64;
            assert!(
                after >= before,
                "{before} were acknowledged, {after} are seen"
            );
            assert!(reader.damage().is_empty(), "{:?}", reader.damage());
        }
    });
}

#[test]
fn a_reader_keeps_what_it_opened_while_the_writer_goes_on() {
    let folder = Folder::new();
    let engine = folder.open();
    let metrics = engine.metrics().unwrap();
    put(&metrics, &numbered(1), 1, 1.0);
    let reader = folder.open_read_only();
    put(&metrics, &numbered(1), 2, 2.0);
    metrics.freeze().unwrap();
    assert_eq!(only(&reader.metrics().unwrap()), [(1, None, bits(1.0))]);
}

#[test]
fn a_reader_refuses_writes_and_leaves_no_trace() {
    let folder = Folder::new();
    let engine = folder.open();
    put(&engine.metrics().unwrap(), &numbered(1), 1, 1.0);
    engine.close().unwrap();
    let before = folder.files("");
    let reader = folder.open_read_only();
    for name in ["default", "unknown"] {
        let tenant = reader.tenant(name).unwrap();
        for (what, outcome) in writes(&tenant) {
            let error = outcome.expect_err(what);
            assert_eq!(error.kind(), ErrorKind::ReadOnly, "{name} {what}: {error}");
            assert!(error.to_string().contains("read-only"), "{error}");
        }
        assert!(
            tenant
                .logs()
                .unwrap()
                .snapshot()
                .select(&all())
                .unwrap()
                .is_empty()
        );
    }
    drop(reader);
    assert_eq!(folder.files(""), before);
}

#[test]
fn a_reader_of_nothing_reads_nothing() {
    let folder = Folder::new();
    let reader = folder.open_read_only();
    assert!(only(&reader.metrics().unwrap()).is_empty());
    assert!(reader.tenants().iter().all(|name| name == "default"));
    drop(reader);
    assert!(folder.files("").is_empty());
}

#[test]
fn stores_of_a_closed_engine_say_so() {
    let folder = Folder::new();
    let engine = folder.open();
    let tenant = engine.tenant("a").unwrap();
    append_one(&tenant).unwrap();
    let fresh = engine.tenant("never used").map(|_| ());
    assert!(fresh.is_err());
    let fresh = engine.tenant("never-used").unwrap();
    engine.close().unwrap();
    let before = folder.files("");
    for tenant in [tenant, fresh] {
        for (what, outcome) in writes(&tenant) {
            assert_eq!(outcome.expect_err(what).kind(), ErrorKind::Closed, "{what}");
        }
    }
    assert_eq!(folder.files(""), before, "a closed engine wrote");
}

#[test]
fn everything_is_there_after_drop_as_after_close() {
    let folder = Folder::new();
    for round in 0..5 {
        let engine = folder.open();
        let metrics = engine.metrics().unwrap();
        assert_eq!(only(&metrics).len(), round);
        put(&metrics, &numbered(1), AHEAD_MS + round as i64, 1.0);
        match round % 2 {
            0 => drop(engine),
            _ => engine.close().unwrap(),
        }
    }
}

#[test]
fn a_store_that_never_had_an_entry_is_no_damage_after_the_log_moved_on() {
    let folder = Folder::new();
    let small = chronolith_engine::Options {
        wal_bytes_max: 64 << 10,
        ..options()
    };
    let engine = folder.open_with(small.clone());
    engine.logs().unwrap();
    engine.tenant("idle").unwrap().metrics().unwrap();
    let metrics = engine.metrics().unwrap();
    for time in 0..5_000 {
        put(&metrics, &numbered(time as usize % 100), time, time as f64);
        if time % 1000 == 999 {
            metrics.freeze().unwrap();
        }
    }
    engine.close().unwrap();
    for _ in 0..2 {
        let engine = folder.open_with(small.clone());
        assert_eq!(engine.damage().len(), 0, "{:?}", engine.damage());
        put_line(
            &engine.logs().unwrap(),
            &numbered(1),
            AHEAD_MS,
            "late start",
        );
        engine.close().unwrap();
    }
    assert!(folder.open_read_only().damage().is_empty());
}

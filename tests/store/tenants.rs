//! Tenants are apart, and what stands beside the metrics survives what the metrics survive.

use chronolith_engine::labels::LabelSet;
use chronolith_engine::metrics::{Exemplar, MetricMetadata, Sample, Samples};
use chronolith_engine::time::Millis;
use chronolith_engine::{Batch, DEFAULT_TENANT, Deletion, ErrorKind};

use super::bed::{
    AHEAD_MS, Folder, PAST_MS, all, at_every_stage, equal, numbered, only, put, put_line, set,
    texts,
};

#[test]
fn tenants_do_not_see_each_other() {
    let folder = Folder::new();
    let names = ["a", "b", "A", "team!-_.*'()", "..."];
    at_every_stage(
        &folder,
        |engine| {
            for (index, name) in names.iter().enumerate() {
                let tenant = engine.tenant(name).unwrap();
                put(&tenant.metrics().unwrap(), &numbered(1), 100, index as f64);
                put_line(&tenant.logs().unwrap(), &numbered(1), 100, name);
                if index % 2 == 0 {
                    tenant.metrics().unwrap().freeze().unwrap();
                    tenant.logs().unwrap().freeze().unwrap();
                }
            }
        },
        |stage, engine| {
            for (index, name) in names.iter().enumerate() {
                let tenant = engine.tenant(name).unwrap();
                assert_eq!(tenant.name(), *name);
                let value = super::bed::bits(index as f64);
                assert_eq!(
                    only(&tenant.metrics().unwrap()),
                    [(100, None, value)],
                    "{stage}"
                );
                assert_eq!(texts(&tenant.logs().unwrap()), [*name], "{stage}");
            }
            assert!(only(&engine.metrics().unwrap()).is_empty(), "{stage}");
            let tenants = engine.tenants();
            assert!(
                names
                    .iter()
                    .all(|name| tenants.iter().any(|other| other == name)),
                "{stage}"
            );
        },
    );
}

#[test]
fn the_engine_s_own_stores_are_those_of_the_default_tenant() {
    let folder = Folder::new();
    let engine = folder.open();
    put(&engine.metrics().unwrap(), &numbered(1), 1, 1.0);
    let tenant = engine.tenant(DEFAULT_TENANT).unwrap();
    assert_eq!(only(&tenant.metrics().unwrap()).len(), 1);
}

#[test]
fn names_that_could_not_be_a_folder_are_refused() {
    let folder = Folder::new();
    let engine = folder.open();
    let long = "x".repeat(151);
    let bad = [
        "", ".", "..", "a/b", "../a", "a\\b", "a b", "a\0", "ü", "a:b", "a|b", &long,
    ];
    for name in bad {
        let error = engine.tenant(name).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{name:?}");
        assert!(error.to_string().contains("tenant name"), "{error}");
    }
    engine.tenant(&long[..150]).unwrap().metrics().unwrap();
}

#[test]
fn a_tenant_that_nobody_wrote_to_is_empty_and_leaves_nothing_behind() {
    let folder = Folder::new();
    let engine = folder.open();
    put(&engine.metrics().unwrap(), &numbered(1), 100, 1.0);
    let stranger = engine.tenant_to_read("stranger").unwrap();
    assert!(only(&stranger.metrics().unwrap()).is_empty());
    assert!(texts(&stranger.logs().unwrap()).is_empty());
    assert!(stranger.metadata().unwrap().is_empty());
    assert_eq!(engine.tenants(), [DEFAULT_TENANT]);
    assert!(!folder.path().join("tenants").join("stranger").exists());
    // What was opened to be read takes nothing, rather than to lose it.
    let mut batch = Batch::<Samples>::new();
    let labels = numbered(1);
    batch.push(labels.as_labels(), Sample::float(Millis(100), 1.0));
    let metrics = stranger.metrics().unwrap();
    let refused = metrics.append(&batch).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ReadOnly);
    assert!(refused.to_string().contains("Engine::tenant"), "{refused}");
    let deletion = Deletion::new(Vec::new());
    assert!(metrics.delete(&deletion).is_err());
    assert!(metrics.freeze().is_err());
    assert!(engine.tenant_to_read("../default").is_err());
    // Once it is written to, everybody sees the same tenant.
    let known = engine.tenant("stranger").unwrap();
    put(&known.metrics().unwrap(), &numbered(1), 100, 1.0);
    let seen = engine.tenant_to_read("stranger").unwrap();
    assert_eq!(only(&seen.metrics().unwrap()).len(), 1);
}

fn exemplar(time: i64, value: f64, trace: &str) -> Exemplar {
    let labels = set(&[("trace_id", trace)]);
    Exemplar {
        time: Millis(time),
        value,
        labels,
    }
}

#[test]
fn exemplars_survive_restarts_and_freezes_and_are_kept_once() {
    let folder = Folder::new();
    let (one, two) = (numbered(1), numbered(2));
    let kept = [
        (&one, exemplar(PAST_MS, 0.25, "aa")),
        (&one, exemplar(PAST_MS, 0.5, "aa")),
        (&one, exemplar(AHEAD_MS, f64::INFINITY, "bb")),
        (&two, exemplar(AHEAD_MS, -0.0, "cc")),
    ];
    at_every_stage(
        &folder,
        |engine| {
            let tenant = engine.tenant(DEFAULT_TENANT).unwrap();
            for _ in 0..2 {
                let all: Vec<_> = kept
                    .iter()
                    .map(|(labels, one)| (labels.as_labels(), one.clone()))
                    .collect();
                tenant.append_exemplars(&all).unwrap();
            }
        },
        |stage, engine| {
            let tenant = engine.tenant(DEFAULT_TENANT).unwrap();
            let found = tenant.exemplars(&all()).unwrap();
            let of = |labels: &LabelSet| -> Vec<Exemplar> {
                let own = kept.iter().filter(|(other, _)| *other == labels);
                own.map(|(_, exemplar)| exemplar.clone()).collect()
            };
            let wanted = [(one.clone(), of(&one)), (two.clone(), of(&two))];
            assert_eq!(found, wanted, "{stage}");
            let late = all().between(Millis(PAST_MS + 1), Millis(AHEAD_MS));
            assert_eq!(tenant.exemplars(&late).unwrap()[0].1.len(), 1, "{stage}");
            assert_eq!(
                tenant.exemplars(&equal("n", "00002")).unwrap().len(),
                1,
                "{stage}"
            );
            // They are no log lines of anybody.
            assert!(texts(&tenant.logs().unwrap()).is_empty(), "{stage}");
        },
    );
}

fn gauge(help: &str) -> MetricMetadata {
    MetricMetadata {
        kind: "gauge".into(),
        help: help.into(),
        unit: "bytes".into(),
    }
}

#[test]
fn metadata_survives_restarts_and_freezes_and_the_newest_counts() {
    let folder = Folder::new();
    at_every_stage(
        &folder,
        |engine| {
            let tenant = engine.tenant(DEFAULT_TENANT).unwrap();
            tenant
                .set_metadata(&[("a", gauge("old")), ("b", gauge("größe"))])
                .unwrap();
            put(&tenant.metrics().unwrap(), &numbered(1), 1, 1.0);
            tenant.metrics().unwrap().freeze().unwrap();
            tenant
                .set_metadata(&[("a", gauge("new")), ("c", gauge(""))])
                .unwrap();
        },
        |stage, engine| {
            let found = engine.tenant(DEFAULT_TENANT).unwrap().metadata().unwrap();
            let found: Vec<_> = found.into_iter().collect();
            let wanted = [("a", "new"), ("b", "größe"), ("c", "")];
            let wanted = wanted.map(|(name, help)| (name.to_owned(), gauge(help)));
            assert_eq!(found, wanted, "{stage}");
        },
    );
}

#[test]
fn metadata_alone_survives_a_freeze_without_a_sample() {
    let folder = Folder::new();
    let engine = folder.open();
    let tenant = engine.tenant("a").unwrap();
    tenant.set_metadata(&[("a", gauge("first"))]).unwrap();
    tenant.metrics().unwrap().freeze().unwrap();
    engine.close().unwrap();
    let engine = folder.open();
    assert!(engine.damage().is_empty());
    assert_eq!(
        engine.tenant("a").unwrap().metadata().unwrap()["a"],
        gauge("first")
    );
}

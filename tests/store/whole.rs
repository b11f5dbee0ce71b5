//! A store with something of everything, and all that it shows: for tests that compare directories.

use std::collections::BTreeSet;

use chronolith_engine::logs::Line;
use chronolith_engine::metrics::{Exemplar, MetricMetadata, Sample};
use chronolith_engine::time::{Millis, Nanos};
use chronolith_engine::{Engine, Kind, Store};

use super::bed::{
    MS, PAST_MS, all, append_lines, append_samples, logged, numbered, point_of, points, set,
};

const TENANTS: [&str; 2] = ["default", "team-b"];
const SERIES: usize = 5;

/// Writes a round of every kind to two tenants. No two rounds have an entry in common.
pub fn fill(engine: &Engine, round: usize) {
    for (place, name) in TENANTS.iter().enumerate() {
        let tenant = engine.tenant(name).unwrap();
        let (metrics, logs) = (tenant.metrics().unwrap(), tenant.logs().unwrap());
        for series in 0..SERIES {
            let time = |step: usize| PAST_MS + (round * 100 + step) as i64 * 1000;
            let value = |step: usize| (place * 1000 + series * 100 + round * 10 + step) as f64;
            let samples = [0, 1, 2].map(|step| Sample::float(Millis(time(step)), value(step)));
            append_samples(&metrics, &numbered(series), &samples);
            let texts = [0, 1, 2].map(|step| format!("round {round} line {step} of {name}"));
            let lines = [0, 1, 2].map(|step| Line::new(Nanos(time(step) * MS), &texts[step]));
            append_lines(&logs, &numbered(series), &lines);
        }
        let exemplar = Exemplar {
            time: Millis(PAST_MS + round as i64),
            value: round as f64,
            labels: set(&[("trace", &round.to_string())]),
        };
        let labels = numbered(0);
        let exemplars = [(labels.as_labels(), exemplar)];
        tenant.append_exemplars(&exemplars).unwrap();
        let metadata = MetricMetadata {
            help: format!("as of round {round}"),
            ..MetricMetadata::default()
        };
        tenant.set_metadata(&[("m", metadata)]).unwrap();
    }
}

/// Moves everything in memory to blocks.
pub fn freeze_all(engine: &Engine) {
    for name in TENANTS {
        let tenant = engine.tenant(name).unwrap();
        tenant.metrics().unwrap().freeze().unwrap();
        tenant.logs().unwrap().freeze().unwrap();
    }
}

/// Everything that all tenants show, a line each.
pub fn whole(engine: &Engine) -> Vec<String> {
    let mut shown = Vec::new();
    for name in engine.tenants() {
        let tenant = engine.tenant(&name).unwrap();
        let (metrics, logs) = (tenant.metrics().unwrap(), tenant.logs().unwrap());
        for (labels, points) in points(&metrics.snapshot(), &all()) {
            shown.extend(
                points
                    .iter()
                    .map(|point| format!("{name} {labels} {point:?}")),
            );
        }
        for (labels, lines) in logged(&logs.snapshot(), &all()) {
            shown.extend(lines.iter().map(|line| format!("{name} {labels} {line:?}")));
        }
        for (labels, exemplars) in tenant.exemplars(&all()).unwrap() {
            let each = exemplars.iter();
            shown.extend(each.map(|exemplar| format!("{name} {labels:?} {exemplar:?}")));
        }
        for (family, metadata) in tenant.metadata().unwrap() {
            shown.push(format!("{name} {family} {metadata:?}"));
        }
    }
    shown
}

/// Everything that can be read, as [`whole`] would show it, and how many errors were met. A store
/// of which nothing can be selected shows nothing.
pub fn readable(engine: &Engine) -> (BTreeSet<String>, usize) {
    let (mut shown, mut errors) = (BTreeSet::new(), 0);
    for name in engine.tenants() {
        let tenant = engine.tenant(&name).unwrap();
        let (metrics, logs) = (tenant.metrics().unwrap(), tenant.logs().unwrap());
        errors += each_run(&metrics, |labels, run| {
            let points = (0..run.len()).map(|index| point_of(&run.sample(index)));
            shown.extend(points.map(|point| format!("{name} {labels} {point:?}")));
        });
        errors += each_run(&logs, |labels, run| {
            shown.extend((0..run.len()).map(|index| {
                let text = String::from_utf8(run.line(index).to_vec()).unwrap();
                let metadata = run.metadata(index).to_string();
                let line = (run.times()[index], text, metadata);
                format!("{name} {labels} {line:?}")
            }));
        });
        match tenant.exemplars(&all()) {
            Err(_) => errors += 1,
            Ok(found) => {
                for (labels, exemplars) in found {
                    let each = exemplars.iter();
                    shown.extend(each.map(|one| format!("{name} {labels:?} {one:?}")));
                }
            }
        }
        for (family, metadata) in tenant.metadata().unwrap_or_default() {
            shown.insert(format!("{name} {family} {metadata:?}"));
        }
    }
    (shown, errors)
}

/// What is known to be damaged, of the engine and of every store.
pub fn damage(engine: &Engine) -> Vec<String> {
    let mut found: Vec<String> = engine.damage().iter().map(ToString::to_string).collect();
    for name in engine.tenants() {
        let tenant = engine.tenant(&name).unwrap();
        let metrics = tenant.metrics().unwrap().damage();
        let logs = tenant.logs().unwrap().damage();
        found.extend(metrics.iter().chain(&logs).map(ToString::to_string));
    }
    found
}

/// Calls `each` with every run of a store that can be read. Returns how many errors were met.
fn each_run<K: Kind>(store: &Store<K>, mut each: impl FnMut(&str, &K::Run)) -> usize {
    let Ok(found) = store.snapshot().select(&all()) else {
        return 1;
    };
    let mut errors = 0;
    for series in found {
        let labels = series.labels().to_string();
        for run in series.cursor().into_iter().flatten() {
            match run {
                Ok(run) => each(&labels, &run),
                Err(_) => errors += 1,
            }
        }
    }
    errors
}

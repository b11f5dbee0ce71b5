//! What the engine answers, in the model's terms.

use chronolith_engine::labels::{LabelSet, Labels};
use chronolith_engine::logs::Lines;
use chronolith_engine::metrics::{SampleValue, Samples};
use chronolith_engine::{Engine, Result, Selector, Snapshot};

use super::removal::{self, Listed};
use super::shelf::{Content, Shape};
use super::value::{Value, show_float, show_histogram};

/// Series that a store of the model may have.
pub const SERIES: usize = 9;

/// A number whose labels are not valid: none at all.
pub const INVALID: usize = SERIES;

/// The tenants.
pub const TENANTS: [&str; 2] = ["default", "other"];

/// The labels of a series.
pub fn labels(shape: Shape, series: usize) -> LabelSet {
    if series == INVALID {
        return LabelSet::default();
    }
    let name = format!("{shape:?}_{}", series % 3).to_lowercase();
    let host = format!("host-{}", series / 2);
    let mut pairs = vec![("__name__", name.as_str()), ("host", host.as_str())];
    if series % 2 == 1 {
        pairs.push(("zone", if series % 4 == 1 { "east" } else { "west" }));
    }
    LabelSet::from_pairs(pairs).unwrap()
}

/// The name of a metric family with metadata.
pub fn family(series: usize) -> String {
    format!("family_{series}")
}

fn number_of(shape: Shape, found: Labels<'_>) -> usize {
    // Labels that nobody sent get a number that no series has.
    (0..SERIES)
        .find(|series| labels(shape, *series).as_labels() == found)
        .unwrap_or(usize::MAX)
}

/// All that a store of a tenant answers.
pub fn read(engine: &Engine, tenant: usize, shape: Shape) -> Result<Content> {
    let tenant = engine.tenant(TENANTS[tenant])?;
    match shape {
        Shape::Samples => samples(&tenant.metrics()?.snapshot()),
        Shape::Lines => lines(&tenant.logs()?.snapshot()),
        Shape::Exemplars => {
            let mut content = Content::new();
            for (series, exemplars) in tenant.exemplars(&Selector::new(Vec::new()))? {
                let number = number_of(shape, series.as_labels());
                let shown = exemplars.into_iter().map(|exemplar| {
                    let text = format!("{:016x}", exemplar.value.to_bits());
                    (exemplar.time.0, Value::Line(text, exemplar.labels).show())
                });
                content.entry(number).or_default().extend(shown);
            }
            Ok(content)
        }
        Shape::Notes => {
            let families = tenant.metadata()?;
            let number = |name: &str| {
                (0..SERIES)
                    .find(|n| family(*n) == name)
                    .unwrap_or(usize::MAX)
            };
            let shown = families.into_iter();
            Ok(shown
                .map(|(name, note)| (number(&name), vec![(0, note.help)]))
                .collect())
        }
    }
}

/// All samples of a snapshot, read from the front or the back.
pub fn samples(snapshot: &Snapshot<Samples>) -> Result<Content> {
    let mut content = Content::new();
    for series in snapshot.select(&Selector::new(Vec::new()))? {
        let mut shown = Vec::new();
        for run in series.read()? {
            for index in 0..run.len() {
                let sample = run.sample(index);
                let start = sample.start.map(|start| start.0);
                let value = match sample.value {
                    SampleValue::Float(value) => show_float(value.to_bits(), start),
                    SampleValue::Histogram(histogram) => show_histogram(histogram, start),
                };
                shown.push((sample.time.0, value));
            }
        }
        if !shown.is_empty() {
            content
                .entry(number_of(Shape::Samples, series.labels()))
                .or_default()
                .extend(shown);
        }
    }
    Ok(content)
}

/// All lines of a snapshot.
pub fn lines(snapshot: &Snapshot<Lines>) -> Result<Content> {
    let mut content = Content::new();
    for series in snapshot.select(&Selector::new(Vec::new()))? {
        let mut shown = Vec::new();
        for run in series.read()? {
            for index in 0..run.len() {
                let text = String::from_utf8(run.line(index).to_vec()).unwrap();
                let value = Value::Line(text, run.metadata(index).to_set());
                shown.push((run.times()[index], value.show()));
            }
        }
        if !shown.is_empty() {
            content
                .entry(number_of(Shape::Lines, series.labels()))
                .or_default()
                .extend(shown);
        }
    }
    Ok(content)
}

/// The deletions that a store lists; of the metadata there are none.
pub fn deletions(engine: &Engine, tenant: usize, shape: Shape) -> Result<Vec<Listed>> {
    let tenant = engine.tenant(TENANTS[tenant])?;
    let listed = match shape {
        Shape::Samples => tenant.metrics()?.deletions(),
        Shape::Lines => tenant.logs()?.deletions(),
        Shape::Exemplars => tenant.exemplar_deletions()?,
        Shape::Notes => Vec::new(),
    };
    let listed = listed.iter().map(|status| Listed {
        // One that nobody asked for has a number that none has.
        number: removal::number_of(&status.deletion).unwrap_or(usize::MAX),
        id: status.id,
        is_begun: status.is_begun,
        blocks_left: status.blocks_left,
        is_in_memory: status.is_in_memory,
    });
    Ok(listed.collect())
}

/// The label names, and the values of `host`, that a snapshot answers with.
pub fn names(engine: &Engine, tenant: usize, shape: Shape) -> Result<(Vec<String>, Vec<String>)> {
    let tenant = engine.tenant(TENANTS[tenant])?;
    let all = Selector::new(Vec::new());
    match shape {
        Shape::Samples => {
            let snapshot = tenant.metrics()?.snapshot();
            Ok((
                snapshot.label_names(&all, 100)?,
                snapshot.label_values("host", &all, 100)?,
            ))
        }
        _ => {
            let snapshot = tenant.logs()?.snapshot();
            Ok((
                snapshot.label_names(&all, 100)?,
                snapshot.label_values("host", &all, 100)?,
            ))
        }
    }
}

/// The names and values that go with some content.
pub fn names_of(shape: Shape, content: &Content) -> (Vec<String>, Vec<String>) {
    let (mut names, mut hosts) = (Vec::new(), Vec::new());
    for series in content.keys() {
        let set = labels(shape, *series);
        names.extend(set.as_labels().iter().map(|(name, _)| name.to_owned()));
        hosts.extend(set.as_labels().value("host").map(str::to_owned));
    }
    for list in [&mut names, &mut hosts] {
        list.sort();
        list.dedup();
    }
    (names, hosts)
}

/// What the engine says is lost, for whoever reads a failure.
pub fn damage(engine: &Engine, tenant: usize, shape: Shape) -> Vec<String> {
    let mut damage: Vec<String> = engine.damage().iter().map(ToString::to_string).collect();
    let store = engine
        .tenant(TENANTS[tenant])
        .and_then(|tenant| match shape {
            Shape::Samples => Ok(tenant.metrics()?.damage()),
            _ => Ok(tenant.logs()?.damage()),
        });
    damage.extend(store.unwrap_or_default().iter().map(ToString::to_string));
    damage
}

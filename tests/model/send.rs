//! Sending: batches of the model as the engine takes them.

use chronolith_engine::labels::LabelSet;
use chronolith_engine::logs::{Line, Lines};
use chronolith_engine::metrics::{
    Exemplar, Histogram, MetricMetadata, Sample, SampleValue, Samples,
};
use chronolith_engine::testing;
use chronolith_engine::time::{Millis, Nanos};
use chronolith_engine::{Batch, BatchMode, Engine, Kind, Report, Result, Store};

use super::shelf::{Entry, Shape};
use super::show::{self, TENANTS};
use super::value::{Value, histogram};

/// The batches of a group as the engine takes them, each series once for neighbouring entries.
pub fn send_samples(
    engine: &Engine,
    tenant: usize,
    group: &[(BatchMode, Vec<Entry>)],
) -> Vec<Result<Report>> {
    let entries = || group.iter().flat_map(|(_, entries)| entries);
    let labels: Vec<LabelSet> = entries()
        .map(|entry| show::labels(Shape::Samples, entry.series))
        .collect();
    let histograms: Vec<Option<Histogram>> = entries()
        .map(|entry| match entry.value {
            Value::Histogram(number, _) => Some(histogram(number)),
            _ => None,
        })
        .collect();
    let (mut batches, mut at) = (Vec::new(), 0);
    for (mode, entries) in group {
        let mut batch = Batch::<Samples>::with_mode(*mode);
        for (place, entry) in entries.iter().enumerate() {
            if place == 0 || entries[place - 1].series != entry.series {
                batch.series(labels[at].as_labels().as_bytes());
            }
            let (start, value) = match (&entry.value, &histograms[at]) {
                (Value::Histogram(_, start), Some(histogram)) => {
                    (*start, SampleValue::Histogram(histogram))
                }
                (Value::Float(bits, start), _) => {
                    (*start, SampleValue::Float(f64::from_bits(*bits)))
                }
                _ => unreachable!("samples are floats or histograms"),
            };
            batch.entry(Sample {
                time: Millis(entry.time),
                start: start.map(Millis),
                value,
            });
            at += 1;
        }
        batches.push(batch);
    }
    let tenant = engine.tenant(TENANTS[tenant]);
    append(tenant.and_then(|tenant| tenant.metrics()), &batches)
}

pub fn send_lines(
    engine: &Engine,
    tenant: usize,
    group: &[(BatchMode, Vec<Entry>)],
) -> Vec<Result<Report>> {
    let entries = || group.iter().flat_map(|(_, entries)| entries);
    let labels: Vec<LabelSet> = entries()
        .map(|entry| show::labels(Shape::Lines, entry.series))
        .collect();
    let (mut batches, mut at) = (Vec::new(), 0);
    for (mode, entries) in group {
        let mut batch = Batch::<Lines>::with_mode(*mode);
        for entry in entries {
            let Value::Line(text, metadata) = &entry.value else {
                unreachable!("lines are lines")
            };
            let line = Line {
                time: Nanos(entry.time),
                text,
                metadata: metadata.as_labels(),
            };
            batch.push(labels[at].as_labels(), line);
            at += 1;
        }
        batches.push(batch);
    }
    let tenant = engine.tenant(TENANTS[tenant]);
    append(tenant.and_then(|tenant| tenant.logs()), &batches)
}

/// Appends batches as one group of the log.
fn append<K: Kind>(store: Result<Store<K>>, batches: &[Batch<'_, K>]) -> Vec<Result<Report>> {
    match (store, batches) {
        (Ok(store), [batch]) => vec![store.append(batch)],
        (Ok(store), _) => testing::append_together(&store, batches),
        (Err(error), _) => batches.iter().map(|_| Err(error.clone())).collect(),
    }
}

pub fn send_exemplars(engine: &Engine, tenant: usize, entries: &[Entry]) -> Result<Report> {
    let labels: Vec<LabelSet> = entries
        .iter()
        .map(|entry| show::labels(Shape::Exemplars, entry.series))
        .collect();
    let exemplars: Vec<_> = entries
        .iter()
        .zip(&labels)
        .map(|(entry, labels)| {
            let Value::Line(text, metadata) = &entry.value else {
                unreachable!("exemplars are lines of the model")
            };
            let value = f64::from_bits(u64::from_str_radix(text, 16).unwrap());
            let exemplar = Exemplar {
                time: Millis(entry.time),
                value,
                labels: metadata.clone(),
            };
            (labels.as_labels(), exemplar)
        })
        .collect();
    engine.tenant(TENANTS[tenant])?.append_exemplars(&exemplars)
}

pub fn send_notes(engine: &Engine, tenant: usize, entries: &[Entry]) -> Result<Report> {
    let names: Vec<String> = entries
        .iter()
        .map(|entry| show::family(entry.series))
        .collect();
    let families: Vec<(&str, MetricMetadata)> = names
        .iter()
        .zip(entries)
        .map(|(name, entry)| {
            let help = entry.value.show();
            (
                name.as_str(),
                MetricMetadata {
                    help,
                    ..MetricMetadata::default()
                },
            )
        })
        .collect();
    engine.tenant(TENANTS[tenant])?.set_metadata(&families)?;
    Ok(Report::default())
}

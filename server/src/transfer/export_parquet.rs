//! Metrics and logs as tables of Parquet, a row for each sample or line.
//!
//! `docs/decisions/parquet.md` says why the columns are as they are.

use std::path::Path;

use chronolith_engine::Snapshot;
use chronolith_engine::logs::Lines;
use chronolith_engine::metrics::Samples;
use parquet::data_type::ByteArray;

use super::export::{Range, Written, selected};
use super::fault::Result;
use super::parquet::{Column, Fill, Map, Table, map, map_of};
use super::progress::Progress;

/// The label that is a metric's name: a column of its own.
const METRIC_NAME: &str = "__name__";

const SAMPLES: &str = "
    message samples {
        required int64 timestamp (TIMESTAMP(MILLIS,true));
        required binary metric (STRING);
        required group labels (MAP) {
            repeated group key_value {
                required binary key (STRING);
                required binary value (STRING);
            }
        }
        required double value;
    }";

const LINES: &str = "
    message lines {
        required int64 timestamp (TIMESTAMP(NANOS,true));
        required binary line (STRING);
        required group labels (MAP) {
            repeated group key_value {
                required binary key (STRING);
                required binary value (STRING);
            }
        }
        required group metadata (MAP) {
            repeated group key_value {
                required binary key (STRING);
                required binary value (STRING);
            }
        }
    }";

/// Writes floats, series by series in label order. Histograms have no place in the table.
pub(crate) fn metrics(
    snapshot: &Snapshot<Samples>,
    range: &Range,
    path: &Path,
    progress: &mut Progress,
) -> Result<Written> {
    let mut table = Table::create(path, SAMPLES)?;
    let mut written = Written {
        files: 1,
        ..Written::default()
    };
    let (mut group, mut fill) = (SampleGroup::default(), Fill::default());
    for series in selected(snapshot, &range.in_millis())? {
        let all = || series.labels().iter();
        let name = all().find(|(name, _)| *name == METRIC_NAME);
        let name = ByteArray::from(name.map_or("", |(_, name)| name).as_bytes().to_vec());
        let labels = map(all().filter(|(name, _)| *name != METRIC_NAME));
        for run in series.cursor()? {
            let run = run?;
            let starts = run.starts().unwrap_or_default();
            written.starts_lost += starts.iter().filter(|start| **start != 0).count() as u64;
            let Some(values) = run.floats() else {
                written.left_out += run.len() as u64;
                continue;
            };
            for (time, value) in run.times().iter().zip(values) {
                group.push(*time, &name, &labels, *value);
                if fill.add(1, name.len() + bytes_of(&labels)) {
                    group.write(&mut table)?;
                    fill = Fill::default();
                }
            }
            written.entries += values.len() as u64;
            progress.show(|| format!("{} samples", written.entries));
        }
    }
    if !fill.is_empty() {
        group.write(&mut table)?;
    }
    table.finish()?;
    Ok(written)
}

/// Writes lines, stream by stream in label order.
pub(crate) fn logs(
    snapshot: &Snapshot<Lines>,
    range: &Range,
    path: &Path,
    progress: &mut Progress,
) -> Result<Written> {
    let mut table = Table::create(path, LINES)?;
    let mut written = Written {
        files: 1,
        ..Written::default()
    };
    let (mut group, mut fill) = (LineGroup::default(), Fill::default());
    for series in selected(snapshot, &range.in_nanos())? {
        let labels = map_of(series.labels());
        for run in series.cursor()? {
            let run = run?;
            for (index, time) in run.times().iter().enumerate() {
                let text = String::from_utf8_lossy(run.line(index)).into_owned();
                let metadata = map_of(run.metadata(index));
                let bytes = text.len() + bytes_of(&labels) + bytes_of(&metadata);
                group.push(*time, text, &labels, metadata);
                if fill.add(1, bytes) {
                    group.write(&mut table)?;
                    fill = Fill::default();
                }
            }
            written.entries += run.len() as u64;
            progress.show(|| format!("{} lines", written.entries));
        }
    }
    if !fill.is_empty() {
        group.write(&mut table)?;
    }
    table.finish()?;
    Ok(written)
}

fn bytes_of(map: &Map) -> usize {
    let pairs = map.iter();
    pairs.map(|(name, value)| name.len() + value.len()).sum()
}

/// Rows of samples that are not written yet.
#[derive(Default)]
struct SampleGroup {
    times: Vec<i64>,
    names: Vec<ByteArray>,
    labels: Vec<Map>,
    values: Vec<f64>,
}

impl SampleGroup {
    fn push(&mut self, time: i64, name: &ByteArray, labels: &Map, value: f64) {
        self.times.push(time);
        self.names.push(name.clone());
        self.labels.push(labels.clone());
        self.values.push(value);
    }

    fn write(&mut self, table: &mut Table) -> Result<()> {
        let group = std::mem::take(self);
        table.group(&[
            Column::Times(group.times),
            Column::Texts(group.names),
            Column::Maps(group.labels),
            Column::Doubles(group.values),
        ])
    }
}

/// Rows of lines that are not written yet.
#[derive(Default)]
struct LineGroup {
    times: Vec<i64>,
    texts: Vec<ByteArray>,
    labels: Vec<Map>,
    metadata: Vec<Map>,
}

impl LineGroup {
    fn push(&mut self, time: i64, text: String, labels: &Map, metadata: Map) {
        self.times.push(time);
        self.texts.push(ByteArray::from(text.into_bytes()));
        self.labels.push(labels.clone());
        self.metadata.push(metadata);
    }

    fn write(&mut self, table: &mut Table) -> Result<()> {
        let group = std::mem::take(self);
        table.group(&[
            Column::Times(group.times),
            Column::Texts(group.texts),
            Column::Maps(group.labels),
            Column::Maps(group.metadata),
        ])
    }
}

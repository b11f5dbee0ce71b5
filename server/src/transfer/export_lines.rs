//! Metrics and logs as JSON lines, plain or packed by the ending of the file's name.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use chronolith_engine::Snapshot;
use chronolith_engine::labels::Labels;
use chronolith_engine::logs::Lines;
use chronolith_engine::metrics::Samples;
use serde_json::{Map, Value as Json, json};

use super::export::{Range, Written, selected};
use super::fault::{Fault, Result};
use super::progress::Progress;
use crate::wire::vm_lines;

/// A file that is being written.
enum Out {
    Plain(BufWriter<File>),
    Gzip(flate2::write::GzEncoder<BufWriter<File>>),
    Zstd(zstd::stream::write::Encoder<'static, BufWriter<File>>),
}

impl Out {
    /// Makes a file that must not be there.
    fn create(path: &Path) -> Result<Out> {
        let file = File::create_new(path);
        let file = file.map_err(|error| Fault::io("cannot make", path, &error))?;
        let file = BufWriter::with_capacity(1 << 20, file);
        Ok(match path.extension().and_then(|kind| kind.to_str()) {
            Some("gz") => Out::Gzip(flate2::write::GzEncoder::new(file, Default::default())),
            Some("zst") => {
                let packed = zstd::stream::write::Encoder::new(file, 0);
                Out::Zstd(packed.map_err(|error| Fault::io("cannot write", path, &error))?)
            }
            _ => Out::Plain(file),
        })
    }

    fn put(&mut self, text: &str) -> std::io::Result<()> {
        match self {
            Out::Plain(out) => out.write_all(text.as_bytes()),
            Out::Gzip(out) => out.write_all(text.as_bytes()),
            Out::Zstd(out) => out.write_all(text.as_bytes()),
        }
    }

    /// Makes all of it durable.
    fn finish(self) -> std::io::Result<()> {
        let mut out = match self {
            Out::Plain(out) => out,
            Out::Gzip(out) => out.finish()?,
            Out::Zstd(out) => out.finish()?,
        };
        out.flush()?;
        out.get_ref().sync_all()
    }
}

/// Writes floats as VictoriaMetrics' export lines. Histograms have no place there.
pub(crate) fn metrics(
    snapshot: &Snapshot<Samples>,
    range: &Range,
    path: &Path,
    progress: &mut Progress,
) -> Result<Written> {
    let io = |error: std::io::Error| Fault::io("cannot write", path, &error);
    let mut out = Out::create(path)?;
    let mut written = Written {
        files: 1,
        ..Written::default()
    };
    for series in selected(snapshot, &range.in_millis())? {
        for run in series.cursor()? {
            let run = run?;
            let starts = run.starts().unwrap_or_default();
            written.starts_lost += starts.iter().filter(|start| **start != 0).count() as u64;
            match run.floats() {
                Some(values) => {
                    let line = vm_lines::encode(series.labels(), run.times(), values);
                    out.put(&line).map_err(io)?;
                    written.entries += values.len() as u64;
                }
                None => written.left_out += run.len() as u64,
            }
            progress.show(|| format!("{} samples", written.entries));
        }
    }
    out.finish().map_err(io)?;
    Ok(written)
}

/// Writes lines, each as an object with its time, its text, its labels and its metadata.
pub(crate) fn logs(
    snapshot: &Snapshot<Lines>,
    range: &Range,
    path: &Path,
    progress: &mut Progress,
) -> Result<Written> {
    let io = |error: std::io::Error| Fault::io("cannot write", path, &error);
    let mut out = Out::create(path)?;
    let mut written = Written {
        files: 1,
        ..Written::default()
    };
    for series in selected(snapshot, &range.in_nanos())? {
        let labels = object(series.labels());
        for run in series.cursor()? {
            let run = run?;
            for (index, time) in run.times().iter().enumerate() {
                let mut line = json!({
                    "timestamp": time.to_string(),
                    "line": String::from_utf8_lossy(run.line(index)),
                    "labels": labels,
                });
                let metadata = run.metadata(index);
                if !metadata.is_empty() {
                    line["metadata"] = object(metadata);
                }
                out.put(&format!("{line}\n")).map_err(io)?;
            }
            written.entries += run.len() as u64;
            progress.show(|| format!("{} lines", written.entries));
        }
    }
    out.finish().map_err(io)?;
    Ok(written)
}

fn object(labels: Labels<'_>) -> Json {
    let pairs = labels.iter();
    let members = pairs.map(|(name, value)| (name.to_owned(), Json::from(value)));
    Json::Object(members.collect::<Map<_, _>>())
}

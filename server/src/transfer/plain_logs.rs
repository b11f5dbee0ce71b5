//! Plain files of logs: a pattern tells where in a line its time stands, and what becomes a label.

use std::path::Path;

use chronolith_engine::labels::Labels;
use chronolith_query::logql::pipeline::{LabelsWanted, Pipeline};
use chronolith_query::logql::syntax::ast::Stage;
use serde_json::{Value as Json, json};

use super::fault::{Fault, Result};
use super::files::{LineFile, written_ms};
use super::job::Job;
use super::layouts::Layout;
use super::lines::{LineBatch, Pairs};

/// How lines are read.
pub(crate) struct Reading {
    /// `| regexp` or `| pattern` of LogQL.
    pub(crate) stage: Stage,
    /// The name in the pattern that is the time.
    pub(crate) time: String,
    pub(crate) layout: Layout,
    /// The year of layouts that name none; else that in which the file was written.
    pub(crate) year: Option<i64>,
    /// Labels of every line, and names in the pattern that are labels.
    pub(crate) labels: Pairs,
    pub(crate) label_names: Vec<String>,
    pub(crate) unmatched: Unmatched,
}

/// What becomes of lines that the pattern does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unmatched {
    Refused,
    /// They belong to the line before.
    Joined,
}

/// A line that waits for those that belong to it.
struct Waiting {
    labels: Pairs,
    time: i64,
    text: String,
}

/// The times of the last line: as it was told and as it was stored.
#[derive(Clone, Copy, Default)]
struct Last {
    told: i64,
    stored: i64,
}

impl Last {
    /// Lines that tell the same time stay apart, and in order, by a nanosecond each.
    fn next(&mut self, told: i64) -> i64 {
        let stored = match told == self.told {
            true => self.stored + 1,
            false => told,
        };
        *self = Last { told, stored };
        stored
    }
}

/// Imports a file.
pub(crate) fn import(job: &mut Job, path: &Path, reading: &Reading) -> Result<()> {
    let unit = path.display().to_string();
    let Some(position) = job.begin(&unit) else {
        return Ok(());
    };
    let pipeline = Pipeline::new(std::slice::from_ref(&reading.stage), &LabelsWanted::All)
        .map_err(|error| Fault::new(error.to_string()))?;
    let mut bound = pipeline.stream(Labels::EMPTY);
    let year = reading.year.unwrap_or(year_of(written_ms(path)?));
    let mut file = LineFile::open(path, position)?;
    let number = |key: &str, json: &Json| json[key].as_i64().unwrap_or(i64::MIN);
    let mut last = Last {
        told: number("told", job.detail()),
        stored: number("stored", job.detail()),
    };
    let (mut batch, mut waiting): (LineBatch, Option<Waiting>) = (LineBatch::default(), None);
    loop {
        let position = file.position();
        let Some(line) = file.next()? else { break };
        let text = String::from_utf8_lossy(line);
        let found = bound
            .process(0, text.as_bytes(), Labels::EMPTY)
            .and_then(|outcome| {
                let time = outcome.labels.value(&reading.time)?;
                let time = reading.layout.read(time, year)?;
                let own = reading.label_names.iter().filter_map(|name| {
                    let value = outcome.labels.value(name)?;
                    Some((name.clone(), value.to_owned()))
                });
                let mut labels: Pairs = reading.labels.iter().cloned().chain(own).collect();
                labels.sort();
                Some((labels, time))
            });
        match (found, &mut waiting, reading.unmatched) {
            (Some((labels, told)), _, _) => {
                flush(&mut batch, waiting.take(), &mut last)?;
                if batch.is_full() {
                    let detail = json!({"told": last.told, "stored": last.stored});
                    batch.store(job, position, detail)?;
                    job.show(|| format!("{unit}: {position} bytes"));
                }
                waiting = Some(Waiting {
                    labels,
                    time: told,
                    text: text.into_owned(),
                });
            }
            (None, Some(before), Unmatched::Joined) => {
                before.text.push('\n');
                before.text.push_str(&text);
            }
            _ if text.trim().is_empty() => {}
            _ => {
                let shown: String = text.chars().take(60).collect();
                let tally = job.tally();
                tally.read += 1;
                tally.refuse("the pattern does not fit, or finds no time", 1);
                tally.note(format!("the pattern does not fit: {shown}"));
            }
        }
    }
    flush(&mut batch, waiting, &mut last)?;
    batch.store(job, file.position(), Json::Null)?;
    job.end(None)
}

fn flush(batch: &mut LineBatch, waiting: Option<Waiting>, last: &mut Last) -> Result<()> {
    let Some(line) = waiting else { return Ok(()) };
    batch.add(&line.labels, last.next(line.time), line.text, Pairs::new())
}

/// The year of a time in milliseconds.
fn year_of(ms: i64) -> i64 {
    let text = crate::http::times::rfc3339_seconds(ms.saturating_mul(1_000_000));
    text.get(..4)
        .and_then(|year| year.parse().ok())
        .unwrap_or(1970)
}

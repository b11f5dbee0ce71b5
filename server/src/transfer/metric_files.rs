//! Files of metrics: the text format of Prometheus, OpenMetrics, and VictoriaMetrics' lines.

use std::path::Path;

use serde_json::Value as Json;

use super::fault::{Fault, Result};
use super::files::{LineFile, written_ms};
use super::job::Job;
use crate::wire::columns::Columns;
use crate::wire::text::{self, Dialect};
use crate::wire::vm_lines;

/// Text that is decoded together.
const PART_BYTES: usize = 4 << 20;

/// Samples that are stored together.
const BATCH_SAMPLES: usize = 100_000;

/// Imports a file of samples as text. A sample without a time gets that of the file.
pub(crate) fn text(job: &mut Job, path: &Path, dialect: Dialect) -> Result<()> {
    let unit = path.display().to_string();
    let Some(position) = job.begin(&unit) else {
        return Ok(());
    };
    let now = written_ms(path)?;
    let mut file = LineFile::open(path, position)?;
    let (mut part, mut ends_with_comment) = (String::new(), false);
    loop {
        let before = file.position();
        let line = file.next()?.map(String::from_utf8_lossy);
        let line = line.map(std::borrow::Cow::into_owned);
        let is_eof = |line: &String| dialect == Dialect::OpenMetrics && text::is_eof(line);
        let Some(line) = line.filter(|line| !is_eof(line)) else {
            if dialect == Dialect::OpenMetrics && file.position() == before {
                leave_out_last(job, &mut part);
            }
            store_text(job, &part, dialect, now)?;
            job.reach(file.position(), Json::Null)?;
            return job.end(None);
        };
        // The last line stays at hand until it is known that others follow, and what is told of a
        // family stays together.
        if part.len() > PART_BYTES && !ends_with_comment {
            store_text(job, &part, dialect, now)?;
            part.clear();
            job.reach(before, Json::Null)?;
            job.show(|| format!("{unit}: {before} bytes"));
        }
        ends_with_comment = line.starts_with('#');
        part.push_str(&line);
        part.push('\n');
    }
}

/// A file without its last line, which may be the beginning of what is missing: a number that was
/// cut is a number.
fn leave_out_last(job: &mut Job, part: &mut String) {
    let lines = part.trim_end_matches('\n');
    let last = lines.rfind('\n').map_or(0, |end| end + 1);
    let is_sample = !lines[last..].is_empty() && !lines[last..].starts_with('#');
    part.truncate(last);
    let tally = job.tally();
    if is_sample {
        tally.read += 1;
        tally.refuse("the last line of a file without # EOF may be cut", 1);
    }
    tally.doubt("a file does not end with # EOF: some of it is missing");
}

fn store_text(job: &mut Job, part: &str, dialect: Dialect, now: i64) -> Result<()> {
    if let Ok(columns) = text::decode(part, dialect, now) {
        return job.metrics(&columns);
    }
    // A line is wrong, or several are: those are left out and told.
    let mut sound = String::with_capacity(part.len());
    for line in part.lines() {
        match line.starts_with('#') || text::decode(line, dialect, now).is_ok() {
            true => {
                sound.push_str(line);
                sound.push('\n');
            }
            false => {
                let shown: String = line.chars().take(60).collect();
                let tally = job.tally();
                tally.read += 1;
                tally.refuse("the line cannot be read as a sample", 1);
                tally.note(format!("cannot be read as a sample: {shown}"));
            }
        }
    }
    job.metrics(&text::decode(&sound, dialect, now)?)
}

/// Imports a file of VictoriaMetrics' export lines: each has one series, its times and values.
pub(crate) fn victoria(job: &mut Job, path: &Path) -> Result<()> {
    let unit = path.display().to_string();
    let Some(position) = job.begin(&unit) else {
        return Ok(());
    };
    let mut file = LineFile::open(path, position)?;
    let mut columns = Columns::default();
    while let Some(line) = file.next()? {
        let read = std::str::from_utf8(line)
            .map_err(|_| Fault::new("no UTF-8"))
            .and_then(|line| Ok(vm_lines::decode(line, &mut columns)?));
        if let Err(why) = read {
            columns.drop_series();
            let at = file.position();
            let tally = job.tally();
            tally.read += 1;
            tally.refuse("the line cannot be read", 1);
            tally.note(format!("the line that ends at byte {at}: {why}"));
        }
        if columns.counts().0 >= BATCH_SAMPLES {
            job.metrics(&std::mem::take(&mut columns))?;
            job.reach(file.position(), Json::Null)?;
            job.show(|| format!("{unit}: {} bytes", file.position()));
        }
    }
    job.metrics(&columns)?;
    job.end(None)
}

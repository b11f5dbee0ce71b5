//! Files of logs as JSON lines: one object is one line, with its time and its labels.
//!
//! Reads what this program exports, what `logcli -o jsonl` and VictoriaLogs write, and what
//! programs log as JSON.

use std::path::Path;

use serde_json::{Map, Value as Json};

use super::fault::{Fault, Result};
use super::files::LineFile;
use super::job::Job;
use super::layouts;
use super::lines::{LineBatch, Pairs};

/// Where the time may stand, the first that is there counts.
const TIME_FIELDS: [&str; 5] = ["timestamp", "time", "ts", "@timestamp", "_time"];
/// Where the text may stand; without any the whole object is the text.
const LINE_FIELDS: [&str; 4] = ["line", "message", "msg", "_msg"];
const LABEL_FIELDS: [&str; 2] = ["labels", "stream"];
const METADATA_FIELDS: [&str; 2] = ["metadata", "structuredMetadata"];

/// Imports a file. `labels` are those of every line.
pub(crate) fn import(job: &mut Job, path: &Path, labels: &Pairs, from: &[String]) -> Result<()> {
    let unit = path.display().to_string();
    let Some(position) = job.begin(&unit) else {
        return Ok(());
    };
    let mut file = LineFile::open(path, position)?;
    let mut batch = LineBatch::default();
    while let Some(line) = file.next()? {
        if line.trim_ascii().is_empty() {
            continue;
        }
        match read(line, labels, from) {
            Ok(found) => batch.add(&found.labels, found.time, found.line, found.metadata)?,
            Err(why) => {
                let at = file.position();
                let tally = job.tally();
                tally.read += 1;
                tally.refuse("the line cannot be read", 1);
                tally.note(format!("the line that ends at byte {at}: {why}"));
            }
        }
        if batch.is_full() {
            batch.store(job, file.position(), Json::Null)?;
            job.show(|| format!("{unit}: {} bytes", file.position()));
        }
    }
    batch.store(job, file.position(), Json::Null)?;
    job.end(None)
}

struct Found {
    labels: Pairs,
    time: i64,
    line: String,
    metadata: Pairs,
}

fn read(line: &[u8], labels: &Pairs, from: &[String]) -> Result<Found> {
    let json: Json =
        serde_json::from_slice(line).map_err(|error| Fault::new(format!("no JSON: {error}")))?;
    let Json::Object(mut fields) = json else {
        return Err(Fault::new("no JSON object"));
    };
    let time = take(&mut fields, &TIME_FIELDS)
        .ok_or_else(|| Fault::new(format!("no time: one of {} is it", TIME_FIELDS.join(", "))))?;
    let time = text(&time).unwrap_or_default();
    let time = layouts::any(&time, 0).ok_or_else(|| Fault::new(format!("{time:?} is no time")))?;
    let mut labels = labels.clone();
    for field in LABEL_FIELDS {
        pairs(fields.get(field), &mut labels);
    }
    for field in from {
        let value = fields.remove(field).and_then(|value| text(&value));
        labels.extend(value.map(|value| (field.clone(), value)));
    }
    labels.sort();
    labels.dedup_by(|one, two| one.0 == two.0);
    let mut metadata = Pairs::new();
    let text_of_line = take(&mut fields, &LINE_FIELDS).and_then(|value| text(&value));
    let line = match text_of_line {
        Some(line) => {
            for field in METADATA_FIELDS {
                pairs(fields.get(field), &mut metadata);
            }
            // What else is told of the line stays with it.
            let others = fields.iter().filter_map(|(name, value)| {
                let is_own = LABEL_FIELDS.contains(&name.as_str())
                    || METADATA_FIELDS.contains(&name.as_str());
                (!is_own).then(|| Some((name.clone(), text(value)?)))?
            });
            metadata.extend(others);
            line
        }
        None => String::from_utf8_lossy(line).into_owned(),
    };
    Ok(Found {
        labels,
        time,
        line,
        metadata,
    })
}

/// Takes out the first of some fields.
fn take(fields: &mut Map<String, Json>, names: &[&str]) -> Option<Json> {
    names.iter().find_map(|name| fields.remove(*name))
}

/// A value that is not made of others, as text.
fn text(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn pairs(object: Option<&Json>, out: &mut Pairs) {
    let members = object.and_then(Json::as_object).into_iter().flatten();
    out.extend(members.filter_map(|(name, value)| Some((name.clone(), text(value)?))));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> Found {
        let labels = vec![("env".to_owned(), "test".to_owned())];
        read(line.as_bytes(), &labels, &["app".to_owned()]).unwrap()
    }

    #[test]
    fn every_sort_of_line_is_read() {
        let own = found(
            &(r#"{"timestamp":"1700000000000000001","line":"x","labels":{"a":"b"},"#.to_owned()
                + r#""metadata":{"t":"1"}}"#),
        );
        assert_eq!(
            (own.time, own.line.as_str()),
            (1_700_000_000_000_000_001, "x")
        );
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(own.labels, [pair("a", "b"), pair("env", "test")]);
        assert_eq!(own.metadata, [pair("t", "1")]);
        let other = found(r#"{"_time":"2023-11-14T22:13:20.5Z","_msg":"y","app":"shop","n":7}"#);
        assert_eq!(
            (other.time, other.line.as_str()),
            (1_700_000_000_500_000_000, "y")
        );
        assert_eq!(other.labels, [pair("app", "shop"), pair("env", "test")]);
        assert_eq!(other.metadata, [pair("n", "7")]);
        let plain = r#"{"time":1700000000.25,"level":"info"}"#;
        assert_eq!(
            (found(plain).time, found(plain).line),
            (1_700_000_000_250_000_000, plain.into())
        );
        for wrong in ["", "[]", "{}", r#"{"time":"soon"}"#, r#"{"time":[1]}"#] {
            assert!(
                read(wrong.as_bytes(), &Pairs::new(), &[]).is_err(),
                "{wrong}"
            );
        }
    }
}

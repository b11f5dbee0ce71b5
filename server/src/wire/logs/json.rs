//! Log lines as JSON, in the form of today and in that of `/api/prom/push`.

use std::borrow::Cow;

use super::super::protobuf::Malformed;
use super::scan::Scan;
use super::{LogColumns, Pair, STREAM_LABELS_MAX, StreamLabels};

/// Labels of one stream among which those of one name are looked for; others are told as faults.
const REPEATS_SOUGHT_MAX: usize = 128;

/// Reads a request. Times without a number of their own are read by `time_of`, as RFC 3339.
pub(crate) fn decode<'a>(
    text: &'a str,
    time_of: impl Fn(&str) -> Option<i64>,
) -> Result<LogColumns<'a>, Malformed> {
    let mut columns = LogColumns::default();
    let mut scan = Scan::new(text);
    // Nothing, as a request or as its streams, is no mistake of form.
    match scan.peek() {
        Some(b'n') => scan.skip()?,
        _ => scan.object(|scan, key| match &*key {
            "streams" if scan.peek() != Some(b'n') => {
                scan.array(|scan| stream(&mut columns, scan, &time_of))
            }
            _ => scan.skip(),
        })?,
    }
    // What stands behind the value is not looked at, as Loki does it.
    Ok(columns)
}

fn stream<'a>(
    columns: &mut LogColumns<'a>,
    scan: &mut Scan<'a>,
    time_of: &impl Fn(&str) -> Option<i64>,
) -> Result<(), Malformed> {
    let mut labels = StreamLabels::Pairs(Vec::new());
    scan.object(|scan, key| {
        match &*key {
            "stream" => labels = pairs(scan)?,
            "labels" => labels = StreamLabels::Text(scan.string()?),
            "values" => scan.array(|scan| value(columns, scan))?,
            "entries" => scan.array(|scan| entry(columns, scan, time_of))?,
            _ => scan.skip()?,
        }
        Ok(())
    })?;
    columns.end_stream(labels)
}

fn pairs<'a>(scan: &mut Scan<'a>) -> Result<StreamLabels<'a>, Malformed> {
    let mut pairs: Vec<Pair<'a>> = Vec::new();
    scan.object(|scan, name| {
        let value = scan.string()?;
        // Of members with one name the last one counts, as in any object.
        let mut known = pairs.iter_mut().take(REPEATS_SOUGHT_MAX);
        if let Some(known) = known.find(|(known, _)| *known == name) {
            known.1 = value;
        } else if pairs.len() <= STREAM_LABELS_MAX {
            // One more than are taken is kept, to tell that there were too many.
            pairs.push((name, value));
        }
        Ok(())
    })?;
    Ok(StreamLabels::Pairs(pairs))
}

/// `["<nanoseconds>", "line", {"name": "value"}]`.
fn value<'a>(columns: &mut LogColumns<'a>, scan: &mut Scan<'a>) -> Result<(), Malformed> {
    let (mut place, mut time, mut line) = (0, 0, Cow::Borrowed(""));
    scan.array(|scan| {
        match place {
            0 => time = nanos(scan)?,
            1 => line = scan.string()?,
            2 => scan.object(|scan, name| {
                let value = scan.string()?;
                columns.metadata(name, value)
            })?,
            _ => scan.skip()?,
        }
        place += 1;
        Ok(())
    })?;
    if place < 2 {
        return Err(scan.fault("a value without a time or a line"));
    }
    columns.entry(time, line)
}

fn nanos(scan: &mut Scan<'_>) -> Result<i64, Malformed> {
    let text = scan.string()?;
    text.parse()
        .map_err(|_| scan.fault(&format!("{text:?} is no number of nanoseconds")))
}

/// `{"ts": "<RFC 3339>", "line": "..."}`.
fn entry<'a>(
    columns: &mut LogColumns<'a>,
    scan: &mut Scan<'a>,
    time_of: &impl Fn(&str) -> Option<i64>,
) -> Result<(), Malformed> {
    let (mut time, mut line) = (None, Cow::Borrowed(""));
    scan.object(|scan, key| {
        match &*key {
            "ts" | "timestamp" => {
                let text = scan.string()?;
                time = text.parse().ok().or_else(|| time_of(&text));
            }
            "line" => line = scan.string()?,
            "structuredMetadata" => scan.object(|scan, name| {
                let value = scan.string()?;
                columns.metadata(name, value)
            })?,
            _ => scan.skip()?,
        }
        Ok(())
    })?;
    let time = time.ok_or_else(|| scan.fault("an entry without a time"))?;
    columns.entry(time, line)
}

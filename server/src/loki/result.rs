//! Results of queries in Loki's JSON.
//!
//! `resultType` and `encodingFlags` come before `result`, which Grafana reads while it comes.

use std::time::{Duration, Instant};

use axum::http::HeaderMap;
use chronolith_query::logql::{LinesAnswer, MetricAnswer, ResultEntry};
use chronolith_query::promql::{Point, ResultSeries, Value};

use crate::http::json::Json;
use crate::http::problem::Problem;

use super::stats::{Cost, write_stats};

/// The header by which a client asks for another form of lines.
const FLAGS: &str = "x-loki-response-encoding-flags";

/// The flag that keeps labels apart by where they come from.
const CATEGORIZE: &str = "categorize-labels";

/// Lines or points after which a part of the answer may be sent.
const PER_PASS: usize = 256;

/// What forms of lines are asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Flags(Vec<String>);

impl Flags {
    /// Reads the header, whose flags are told again whether they are known or not.
    pub(super) fn read(headers: &HeaderMap) -> Flags {
        let all = headers.get_all(FLAGS).iter();
        let texts = all.filter_map(|value| value.to_str().ok());
        let flags = texts.flat_map(|text| text.split(','));
        Flags(
            flags
                .filter(|flag| !flag.is_empty())
                .map(str::to_owned)
                .collect(),
        )
    }

    /// Whether labels are to be told apart by where they come from.
    pub(super) fn is_categorized(&self) -> bool {
        self.0.iter().any(|flag| flag == CATEGORIZE)
    }

    /// Tells the flags again.
    pub(super) fn write(&self, json: &mut Json) {
        if !self.0.is_empty() {
            json.raw(",\"encodingFlags\":");
            json.texts(&self.0);
        }
    }
}

/// How long a query waited and took.
pub(super) struct Timings {
    pub(super) queued: Duration,
    pub(super) evaluated: Duration,
}

impl Timings {
    /// Of a query that was asked for and begun at these moments, and has ended now.
    pub(super) fn new(asked: Instant, began: Instant) -> Timings {
        Timings {
            queued: began - asked,
            evaluated: began.elapsed(),
        }
    }
}

/// Writes what a query for lines answers.
pub(super) fn write_lines(
    json: &mut Json,
    answer: &LinesAnswer,
    flags: &Flags,
    timings: &Timings,
) -> Result<(), Problem> {
    json.raw("{\"status\":\"success\",\"data\":{\"resultType\":\"streams\"");
    flags.write(json);
    json.raw(",\"result\":[");
    match flags.is_categorized() {
        true => {
            for (place, stream) in answer.streams.iter().enumerate() {
                begin_stream(json, place, stream.labels.as_labels().iter());
                write_entries(json, stream.entries.iter(), write_parts)?;
            }
        }
        false => {
            for (place, stream) in answer.merged().iter().enumerate() {
                begin_stream(json, place, stream.labels.iter());
                write_entries(json, stream.entries.iter().copied(), |_, _| {})?;
            }
        }
    }
    json.raw("],\"stats\":");
    let cost = Cost {
        stats: answer.stats,
        entries: answer.entries() as u64,
    };
    write_stats(json, &cost, timings);
    json.raw("}}\n");
    Ok(())
}

fn begin_stream<'l>(
    json: &mut Json,
    place: usize,
    labels: impl Iterator<Item = (&'l str, &'l str)>,
) {
    json.raw(if place > 0 { "," } else { "" });
    json.raw("{\"stream\":");
    json.page_object(labels);
    json.raw(",\"values\":[");
}

fn write_entries<'e>(
    json: &mut Json,
    entries: impl Iterator<Item = &'e ResultEntry>,
    write_rest: impl Fn(&mut Json, &ResultEntry),
) -> Result<(), Problem> {
    for (place, entry) in entries.enumerate() {
        json.raw(if place > 0 { ",[\"" } else { "[\"" });
        json.raw(itoa::Buffer::new().format(entry.time));
        json.raw("\",");
        json.page_text(&entry.line);
        write_rest(json, entry);
        json.raw("]");
        if place % PER_PASS == PER_PASS - 1 {
            json.pass()?;
        }
    }
    json.raw("]}");
    json.pass()?;
    Ok(())
}

/// Writes labels by where they come from.
pub(super) fn write_parts(json: &mut Json, entry: &ResultEntry) {
    json.raw(",{");
    let (metadata, parsed) = (&entry.metadata, &entry.parsed);
    if !metadata.is_empty() {
        json.raw("\"structuredMetadata\":");
        json.page_object(metadata.iter());
    }
    if !parsed.is_empty() {
        json.raw(if metadata.is_empty() { "" } else { "," });
        json.raw("\"parsed\":");
        json.page_object(parsed.iter());
    }
    json.raw("}");
}

/// Writes what a query for numbers answers.
pub(super) fn write_numbers(
    json: &mut Json,
    answer: &MetricAnswer,
    timings: &Timings,
) -> Result<(), Problem> {
    json.raw("{\"status\":\"success\"");
    if !answer.warnings.is_empty() {
        json.raw(",\"warnings\":");
        json.texts(&answer.warnings);
    }
    json.raw(",\"data\":{\"resultType\":\"");
    let entries = match &answer.value {
        Value::Scalar(time, value) => {
            json.raw("scalar\",\"result\":[");
            json.seconds(*time);
            json.raw(",");
            json.quoted_plain_float(*value);
            json.raw("]");
            1
        }
        Value::Text(text) => return Err(Problem::bad_data(format!("{text:?} is no number"))),
        Value::Vector(series) => {
            json.raw("vector\",\"result\":");
            write_all(json, series, |json, series| {
                json.raw(",\"value\":");
                match series.points.first() {
                    Some(point) => write_point(json, point),
                    None => json.raw("[]"),
                }
                Ok(())
            })?
        }
        Value::Matrix(series) => {
            json.raw("matrix\",\"result\":");
            write_all(json, series, write_points)?
        }
    };
    json.raw(",\"stats\":");
    let cost = Cost {
        stats: answer.stats,
        entries,
    };
    write_stats(json, &cost, timings);
    json.raw("}}\n");
    Ok(())
}

/// Writes series, and gives how many there are.
fn write_all(
    json: &mut Json,
    all: &[ResultSeries],
    write: impl Fn(&mut Json, &ResultSeries) -> Result<(), Problem>,
) -> Result<u64, Problem> {
    json.raw("[");
    for (place, series) in all.iter().enumerate() {
        json.raw(if place > 0 { "," } else { "" });
        json.raw("{\"metric\":");
        json.object(series.labels.as_labels().iter());
        write(json, series)?;
        json.raw("}");
        json.pass()?;
    }
    json.raw("]");
    Ok(all.len() as u64)
}

fn write_points(json: &mut Json, series: &ResultSeries) -> Result<(), Problem> {
    json.raw(",\"values\":[");
    for (place, point) in series.points.iter().enumerate() {
        json.raw(if place > 0 { "," } else { "" });
        write_point(json, point);
        if place % PER_PASS == PER_PASS - 1 {
            json.pass()?;
        }
    }
    json.raw("]");
    Ok(())
}

fn write_point(json: &mut Json, point: &Point) {
    json.raw("[");
    json.seconds(point.time);
    json.raw(",");
    // Queries of logs make no histograms.
    json.quoted_plain_float(point.sample.as_float().unwrap_or(f64::NAN));
    json.raw("]");
}

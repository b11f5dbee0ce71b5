//! Results of queries in Prometheus' JSON.

use std::time::Duration;

use chronolith_query::promql::histogram::Histogram;
use chronolith_query::promql::{Answer, Explanation, Point, ResultSeries, Sample, Value};
use serde_json::json;

use crate::http::json::Json;
use crate::http::problem::Problem;

use super::answer::{Notes, TRUNCATED};
use super::query::Wanted;

/// Points after which a part of the answer may be sent.
const POINTS_PER_PASS: usize = 1024;

/// How long a query waited and took.
pub(super) struct Timings {
    pub(super) queued: Duration,
    pub(super) evaluated: Duration,
}

/// Writes what a query answers, and gives what there is to say beside it. `time` is that of a text,
/// which has none of its own.
pub(super) fn write_data(
    json: &mut Json,
    answer: &Answer,
    wanted: Wanted,
    time: i64,
    timings: &Timings,
    query: &str,
) -> Result<Notes, Problem> {
    let mut notes = Notes {
        warnings: answer.annotations.warnings(query),
        infos: answer.annotations.infos(query),
    };
    let limit = wanted.limit.unwrap_or(usize::MAX);
    json.raw("{\"resultType\":\"");
    match &answer.value {
        Value::Scalar(time, value) => {
            json.raw("scalar\",\"result\":[");
            json.seconds(*time);
            json.raw(",");
            json.quoted_plain_float(*value);
            json.raw("]");
        }
        Value::Text(text) => {
            json.raw("string\",\"result\":[");
            json.seconds(time);
            json.raw(",");
            json.text(text);
            json.raw("]");
        }
        Value::Vector(series) => {
            json.raw("vector\",\"result\":");
            write_all(json, series, limit, write_sample)?;
            notes.cut(series.len() > limit);
        }
        Value::Matrix(series) => {
            json.raw("matrix\",\"result\":");
            write_all(json, series, limit, write_samples)?;
            notes.cut(series.len() > limit);
        }
    }
    if wanted.has_stats {
        json.raw(",\"stats\":");
        json.raw(&stats(answer, timings).to_string());
    }
    if let Some(explanation) = &answer.explanation {
        json.raw(",\"explain\":");
        write_explanation(json, explanation);
    }
    json.raw("}");
    Ok(notes)
}

impl Notes {
    fn cut(&mut self, was_cut: bool) {
        if was_cut {
            self.warnings.push(TRUNCATED.to_owned());
        }
    }
}

type Write = fn(&mut Json, &ResultSeries) -> Result<(), Problem>;

fn write_all(
    json: &mut Json,
    series: &[ResultSeries],
    limit: usize,
    write: Write,
) -> Result<(), Problem> {
    json.raw("[");
    for (place, series) in series.iter().take(limit).enumerate() {
        if place > 0 {
            json.raw(",");
        }
        json.raw("{\"metric\":");
        json.object(series.labels.as_labels().iter());
        write(json, series)?;
        json.raw("}");
        json.pass()?;
    }
    json.raw("]");
    Ok(())
}

fn write_sample(json: &mut Json, series: &ResultSeries) -> Result<(), Problem> {
    match series.points.first() {
        Some(Point {
            time,
            sample: Sample::Float(value),
        }) => {
            json.raw(",\"value\":");
            json.float_at(*time, *value);
        }
        Some(Point {
            time,
            sample: Sample::Histogram(histogram),
        }) => {
            json.raw(",\"histogram\":");
            write_histogram(json, *time, histogram);
        }
        None => {}
    }
    Ok(())
}

fn write_samples(json: &mut Json, series: &ResultSeries) -> Result<(), Problem> {
    let mut count = 0;
    for (key, is_float) in [(",\"values\":[", true), (",\"histograms\":[", false)] {
        let of_sort = |point: &&Point| matches!(point.sample, Sample::Float(_)) == is_float;
        let mut points = series.points.iter().filter(of_sort).peekable();
        if points.peek().is_none() {
            continue;
        }
        json.raw(key);
        for (place, point) in points.enumerate() {
            if place > 0 {
                json.raw(",");
            }
            match &point.sample {
                Sample::Float(value) => json.float_at(point.time, *value),
                Sample::Histogram(histogram) => write_histogram(json, point.time, histogram),
            }
            count += 1;
            if count % POINTS_PER_PASS == 0 {
                json.pass()?;
            }
        }
        json.raw("]");
    }
    Ok(())
}

fn write_histogram(json: &mut Json, time: i64, histogram: &Histogram) {
    json.raw("[");
    json.seconds(time);
    json.raw(",{\"count\":");
    json.quoted_float(histogram.count);
    json.raw(",\"sum\":");
    json.quoted_float(histogram.sum);
    let buckets = histogram.all_buckets();
    let mut filled = buckets
        .iter()
        .filter(|bucket| bucket.count != 0.0)
        .peekable();
    if filled.peek().is_some() {
        json.raw(",\"buckets\":");
        json.array(filled, |json, bucket| {
            json.raw(match (bucket.lower_inclusive, bucket.upper_inclusive) {
                (false, true) => "[0,",
                (true, false) => "[1,",
                (false, false) => "[2,",
                (true, true) => "[3,",
            });
            for (number, behind) in [
                (bucket.lower, ","),
                (bucket.upper, ","),
                (bucket.count, "]"),
            ] {
                json.quoted_float(number);
                json.raw(behind);
            }
        });
    }
    json.raw("}]");
}

/// Parts are as deep as the query, whose depth is limited.
fn write_explanation(json: &mut Json, explanation: &Explanation) {
    json.raw("{\"operator\":");
    json.text(&explanation.operator);
    json.raw(",\"query\":");
    json.text(&explanation.text);
    let numbers = json!({
        "steps": explanation.steps,
        "series": explanation.series,
        "samplesRead": explanation.samples_read,
        "bytesRead": explanation.bytes_read,
        "seconds": explanation.time.as_secs_f64(),
        "repeated": explanation.is_repeated,
    });
    for (name, number) in numbers.as_object().into_iter().flatten() {
        json.raw(",");
        json.text(name);
        json.raw(":");
        json.raw(&number.to_string());
    }
    json.raw(",\"parts\":");
    json.array(&explanation.parts, write_explanation);
    json.raw("}");
}

fn stats(answer: &Answer, timings: &Timings) -> serde_json::Value {
    let (queued, evaluated) = (
        timings.queued.as_secs_f64(),
        timings.evaluated.as_secs_f64(),
    );
    json!({
        "timings": {
            "evalTotalTime": evaluated,
            "resultSortTime": 0,
            "queryPreparationTime": 0,
            "innerEvalTime": evaluated,
            "execQueueTime": queued,
            "execTotalTime": queued + evaluated,
        },
        "samples": {
            "totalQueryableSamples": answer.samples_read,
            "samplesRead": answer.samples_read,
            "peakSamples": answer.samples_peak,
        },
    })
}

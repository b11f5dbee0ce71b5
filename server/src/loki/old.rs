//! Queries of lines as they were answered before `/loki/api/v1`: streams alone, with their labels
//! as text.

use std::fmt::Write;
use std::time::Instant;

use axum::http::HeaderMap;
use chronolith_query::logql::{EngineLines, LinesAnswer, LinesRequest, LogQuery};

use crate::app::Scope;
use crate::http::json::Json;
use crate::http::params::Params;
use crate::http::problem::Problem;
use crate::http::stream;
use crate::http::times;

use super::answer::{Answer, Fault, bad};
use super::params::{self, LIMIT};
use super::query::{entries_within, note, options, problem};
use super::result::Timings;
use super::stats::{Cost, write_stats};

/// Finds lines; `regexp` is one more filter on them.
pub(super) async fn query(app: Scope, headers: HeaderMap, asked: Params) -> Answer {
    let (start, end) = params::range(&asked)?;
    let request = LinesRequest {
        start,
        end,
        limit: entries_within(&app, params::limit(&asked, LIMIT)?)?,
        direction: params::direction(&asked)?,
        interval: 0,
    };
    let query = LogQuery::parse(&filtered(asked.value("query"), asked.value("regexp")));
    let query = query.map_err(|error| Fault(problem(error)))?;
    if !query.is_lines() {
        return Err(bad("legacy endpoints only support streams result type"));
    }
    let (options, stop) = options(&app, &headers, &asked);
    let store = app.logs()?;
    let queued = Instant::now();
    let lane = app.clone();
    let answer = stream::answer(&lane.queries, move |json| {
        let began = Instant::now();
        let source = EngineLines::new(store.snapshot());
        let outcome = query.lines(&source, &request, &options);
        let stats = outcome.as_ref().ok().map(|answer| &answer.stats);
        note(&app, &asked, began, stats);
        let answer = outcome.map_err(problem)?;
        write(json, &answer, &Timings::new(queued, began))
    });
    let answered = answer.await;
    drop(stop);
    Ok(answered?)
}

fn filtered(query: &str, regexp: &str) -> String {
    match regexp {
        "" => query.to_owned(),
        regexp => {
            let escaped = regexp.replace('\\', "\\\\").replace('"', "\\\"");
            format!("{query} |~ \"{}\"", escaped.replace('\n', "\\n"))
        }
    }
}

fn write(json: &mut Json, answer: &LinesAnswer, timings: &Timings) -> Result<(), Problem> {
    json.raw("{\"streams\":[");
    for (place, stream) in answer.merged().iter().enumerate() {
        json.raw(if place > 0 { "," } else { "" });
        json.raw("{\"labels\":");
        json.text(&label_text(stream.labels.iter()));
        json.raw(",\"entries\":[");
        for (place, entry) in stream.entries.iter().enumerate() {
            json.raw(if place > 0 {
                ",{\"ts\":\""
            } else {
                "{\"ts\":\""
            });
            json.raw(&times::rfc3339_nanos_text(entry.time));
            json.raw("\",\"line\":");
            json.page_text(&entry.line);
            json.raw("}");
        }
        json.raw("]}");
        json.pass()?;
    }
    json.raw("],\"stats\":");
    let cost = Cost {
        stats: answer.stats,
        entries: answer.entries() as u64,
    };
    write_stats(json, &cost, timings);
    json.raw("}\n");
    Ok(())
}

fn label_text<'l>(labels: impl Iterator<Item = (&'l str, &'l str)>) -> String {
    let mut text = String::from("{");
    for (place, (name, value)) in labels.enumerate() {
        let comma = if place > 0 { ", " } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(text, "{comma}{name}={value:?}");
    }
    text + "}"
}

//! Queries carried out: parameters to a run of the query crate, and how it is stopped.

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use chronolith_query::logql::{
    CancelFlag, EngineLines, Error, ErrorKind, Limits, LinesRequest, LogQuery, Options,
    SeriesBeyond, Stats,
};

use crate::app::{Place, Scope, Sort};
use crate::http::params::Params;
use crate::http::problem::{Cause, Problem};
use crate::http::stream;
use crate::meters::Limit;

use super::answer::{Answer, Fault, bad, beyond};
use super::params::{self, LIMIT};
use super::result::{self, Flags, Timings};

/// What a query is told that takes too long.
const TOO_LONG: &str = "request timed out, decrease the duration of the request or add more label \
                        matchers (prefer exact match over regex match)";

/// Who asks: a comma between pairs.
const TAGS: &str = "x-query-tags";

/// The tag of Logs Drilldown, which would rather have some series than none.
const DRILLDOWN: (&str, &str) = ("source", "grafana-lokiexplore-app");

/// Evaluates a query at one time.
pub(super) async fn instant(app: Scope, headers: HeaderMap, asked: Params) -> Answer {
    let time = params::time_if_given(&asked, "time")?.unwrap_or_else(params::now);
    params::limit(&asked, LIMIT)?;
    params::direction(&asked)?;
    let query = parsed(&asked)?;
    if query.is_lines() {
        return Err(bad(
            "log queries are not supported as an instant query type, please change your query to a \
             range query type",
        ));
    }
    let (options, stop) = options(&app, &headers, &asked);
    let store = app.logs()?;
    let queued = Instant::now();
    let lane = app.clone();
    let answer = stream::answer(&lane.queries, move |json| {
        let began = begun(queued, options.limits.timeout)?;
        let source = EngineLines::new(store.snapshot());
        let outcome = query.instant(&source, time, &options);
        let stats = outcome.as_ref().ok().map(|answer| &answer.stats);
        note(&app, &asked, began, stats);
        let answer = outcome.map_err(problem)?;
        let timings = Timings::new(queued, began);
        result::write_numbers(json, &answer, &timings)
    });
    let answered = typed(answer.await);
    drop(stop);
    answered
}

/// Evaluates a query over a range.
pub(super) async fn range(app: Scope, headers: HeaderMap, asked: Params) -> Answer {
    let (start, end) = params::range(&asked)?;
    if end < start {
        return Err(bad(
            "end timestamp must not be before or equal to start time",
        ));
    }
    let limit = params::limit(&asked, LIMIT)?;
    let direction = params::direction(&asked)?;
    let step = params::step(&asked, (start, end))?;
    let interval = params::interval(&asked)?;
    let query = parsed(&asked)?;
    let (options, stop) = options(&app, &headers, &asked);
    let flags = Flags::read(&headers);
    if query.is_lines() {
        entries_within(&app, limit)?;
    }
    let store = app.logs()?;
    let queued = Instant::now();
    let lane = app.clone();
    let answer = stream::answer(&lane.queries, move |json| {
        let began = begun(queued, options.limits.timeout)?;
        let source = EngineLines::new(store.snapshot());
        if query.is_metric() {
            let range = (start, end, step);
            let outcome = query.range(&source, range, &options);
            let stats = outcome.as_ref().ok().map(|answer| &answer.stats);
            note(&app, &asked, began, stats);
            let answer = outcome.map_err(problem)?;
            return result::write_numbers(json, &answer, &Timings::new(queued, began));
        }
        let request = LinesRequest {
            start,
            end,
            limit,
            direction,
            interval,
        };
        let outcome = query.lines(&source, &request, &options);
        let stats = outcome.as_ref().ok().map(|answer| &answer.stats);
        note(&app, &asked, began, stats);
        let answer = outcome.map_err(problem)?;
        result::write_lines(json, &answer, &flags, &Timings::new(queued, began))
    });
    let answered = typed(answer.await);
    drop(stop);
    answered
}

/// Tells the journal of a query that took long.
pub(super) fn note(app: &Scope, asked: &Params, began: Instant, stats: Option<&Stats>) {
    let read = stats.map(|stats| [("lines", stats.lines), ("bytes", stats.bytes)]);
    let read = read.as_ref().map_or(&[][..], |read| &read[..]);
    app.note_query("logql", asked.value("query"), began.elapsed(), read);
}

/// So many lines, unless that is more than a query may ask for.
pub(super) fn entries_within(app: &Scope, limit: usize) -> Result<usize, Fault> {
    let entries_max = app.settings().logs.entries_max;
    match limit <= entries_max {
        true => Ok(limit),
        false => {
            let why = format!(
                "max entries limit per query exceeded, limit > max_entries_limit_per_query \
                 ({limit} > {entries_max})"
            );
            Err(beyond(Limit::LogEntries, why))
        }
    }
}

/// A range of time, unless it is longer than a query may look at. Lists and statistics are bound by
/// that too.
pub(super) fn length_within(app: &Scope, (start, end): (i64, i64)) -> Result<(i64, i64), Fault> {
    let limits = Limits {
        length_max: app.settings().logs.range_max,
        ..Limits::default()
    };
    let checked = limits.check_length(start, end);
    checked.map_err(|error| Fault(problem(error)))?;
    Ok((start, end))
}

/// When a query begins that was asked for at this moment, unless that was too long ago.
fn begun(asked: Instant, timeout: Duration) -> Result<Instant, Problem> {
    let began = Instant::now();
    match began - asked < timeout {
        true => Ok(began),
        false => Err(too_long()),
    }
}

fn too_long() -> Problem {
    Problem::new(Cause::Timeout, TOO_LONG).limited(Limit::LogQueryTimeout)
}

/// Loki's type of JSON.
fn typed(answer: Result<Response, Problem>) -> Answer {
    let mut response = answer?;
    let kind = HeaderValue::from_static("application/json; charset=UTF-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

/// The query that is asked for.
pub(super) fn parsed(asked: &Params) -> Result<LogQuery, Fault> {
    let parsed = LogQuery::parse(asked.value("query"));
    parsed.map_err(|error| Fault(problem(error)))
}

/// How queries are evaluated for whoever sent these headers, and the place of this one among those
/// at hand: when the request is dropped, which happens when the client goes away, the query stops.
pub(super) fn options(app: &Scope, headers: &HeaderMap, asked: &Params) -> (Options, Place) {
    let settings = app.settings();
    let limits = &settings.logs;
    let stop = CancelFlag::new();
    let options = Options {
        limits: Limits {
            entries_max: limits.entries_max,
            series_max: limits.series_max,
            series_beyond: match is_drilldown(headers) {
                true => SeriesBeyond::LeftOut,
                false => SeriesBeyond::Refused,
            },
            length_max: limits.range_max,
            timeout: limits.query_timeout,
            samples_max: settings.query.samples_max,
            cancel: Some(stop.clone()),
            room: Some(app.room.clone()),
            ..Limits::default()
        },
        ..Options::default()
    };
    let (text, timeout) = (asked.value("query"), Some(limits.query_timeout));
    let place = app.enter(Sort::LOGS, text, timeout, &stop);
    (options, place)
}

fn is_drilldown(headers: &HeaderMap) -> bool {
    let tags = headers.get(TAGS).and_then(|tags| tags.to_str().ok());
    tags.unwrap_or("").split(',').any(|tag| {
        let pair = tag.split_once('=');
        pair.is_some_and(|(name, value)| {
            name.trim().eq_ignore_ascii_case(DRILLDOWN.0)
                && value.trim().eq_ignore_ascii_case(DRILLDOWN.1)
        })
    })
}

/// What went wrong with a query, in Loki's words where it is not the query's own fault.
pub(super) fn problem(error: Error) -> Problem {
    match error.kind() {
        ErrorKind::BadData | ErrorKind::Execution => Problem::bad_data(error.to_string()),
        ErrorKind::Limit => Problem::bad_data(error.to_string()).limited(Limit::LogQuery),
        ErrorKind::Busy => {
            Problem::new(Cause::Unavailable, error.to_string()).limited(Limit::AllSamples)
        }
        ErrorKind::Timeout => too_long(),
        ErrorKind::Canceled => {
            Problem::new(Cause::Canceled, "the request was cancelled by the client")
        }
        _ => Problem::new(Cause::Internal, error.to_string()),
    }
}

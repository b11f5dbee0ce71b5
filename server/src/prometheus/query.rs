//! Queries carried out: parameters to a run of the query crate, and how it is stopped.

use std::time::{Duration, Instant, SystemTime};

use axum::response::Response;
use chronolith_query::promql::signatures::ValueType;
use chronolith_query::promql::{
    Answer, CancelFlag, EngineSource, Error, ErrorKind, Limits, Options, Query,
};

use crate::app::{Place, Scope, Sort};
use crate::http::params::Params;
use crate::http::problem::{Cause, Problem};
use crate::http::stream;
use crate::http::times;
use crate::meters;

use super::answer;
use super::result::{Timings, write_data};

/// Steps of a range query.
const STEPS_MAX: u64 = 11_000;

/// Evaluates a query at one time.
pub(crate) async fn instant(app: Scope, params: Params) -> Result<Response, Problem> {
    let wanted = Wanted::read(&params)?;
    let time = params.time_if_given("time")?.unwrap_or_else(now);
    let (options, stop) = options(&app, &params)?;
    let query = parsed(&params)?;
    let timeout = options.limits.timeout;
    let run = move |source: &EngineSource| query.instant(source, time, &options);
    let wanted = Wanted { timeout, ..wanted };
    let answered = answered(&app, wanted, time, params.value("query"), run).await;
    drop(stop);
    answered
}

/// Evaluates a query over a range.
pub(crate) async fn range(app: Scope, params: Params) -> Result<Response, Problem> {
    let wanted = Wanted::read(&params)?;
    let (start, end) = (params.time("start")?, params.time("end")?);
    if end < start {
        let why = "end timestamp must not be before start time";
        return Err(Problem::parameter("end", why));
    }
    let step = params.length_ms("step")?;
    if step <= 0 {
        let why = "zero or negative query resolution step widths are not accepted. Try a positive \
                   integer";
        return Err(Problem::parameter("step", why));
    }
    if end.abs_diff(start) / step.unsigned_abs() > STEPS_MAX {
        return Err(Problem::bad_data(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query \
             resolution (?step=XX)",
        )
        .limited(meters::Limit::QuerySteps));
    }
    let (options, stop) = options(&app, &params)?;
    let query = parsed(&params)?;
    if !matches!(query.value_type(), ValueType::Scalar | ValueType::Vector) {
        let kind = query.value_type().name();
        let why = format!(
            "invalid expression type {kind:?} for range query, must be Scalar or instant Vector"
        );
        return Err(Problem::parameter("query", why));
    }
    let timeout = options.limits.timeout;
    let run = move |source: &EngineSource| query.range(source, (start, end, step), &options);
    let wanted = Wanted { timeout, ..wanted };
    let answered = answered(&app, wanted, end, params.value("query"), run).await;
    drop(stop);
    answered
}

/// What of an answer is wanted.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) limit: Option<usize>,
    pub(super) has_stats: bool,
    timeout: Duration,
}

impl Wanted {
    fn read(params: &Params) -> Result<Wanted, Problem> {
        Ok(Wanted {
            limit: params.limit()?,
            has_stats: !params.value("stats").is_empty(),
            // Until the options are read.
            timeout: Duration::ZERO,
        })
    }
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}

/// How a query is evaluated, and its place among those at hand: when the request is dropped, which
/// happens when the client goes away, the query stops.
fn options(app: &Scope, params: &Params) -> Result<(Options, Place), Problem> {
    let allowed = app.settings();
    let allowed = &allowed.query;
    let mut options = Options {
        lookback_ms: i64::try_from(allowed.lookback.as_millis()).unwrap_or(i64::MAX),
        explains: params.value("explain") == "true",
        ..Options::default()
    };
    let timeout = params
        .length_if_given("timeout")?
        .map(|ms| ms.max(0).unsigned_abs());
    let lookback = params.value("lookback_delta");
    if !lookback.is_empty() {
        let why = |why| format!("error parsing lookback delta duration: {why}");
        let asked = times::length_ms(lookback).map_err(|error| Problem::bad_data(why(error)))?;
        // One that looks nowhere asks for the usual one, as in Prometheus.
        if asked > 0 {
            options.lookback_ms = asked;
        }
    }
    let stop = CancelFlag::new();
    options.limits = Limits {
        // Whatever a client asks for, no query takes longer than is allowed.
        timeout: timeout.map_or(allowed.timeout, |ms| {
            allowed.timeout.min(Duration::from_millis(ms))
        }),
        samples_max: allowed.samples_max,
        cancel: Some(stop.clone()),
        room: Some(app.room.clone()),
        ..Limits::default()
    };
    let text = params.value("query");
    let place = app.enter(Sort::METRICS, text, Some(options.limits.timeout), &stop);
    Ok((options, place))
}

fn parsed(params: &Params) -> Result<Query, Problem> {
    Query::parse(params.value("query")).map_err(|error| Problem::parameter("query", error))
}

async fn answered(
    app: &Scope,
    wanted: Wanted,
    time: i64,
    text: &str,
    run: impl FnOnce(&EngineSource) -> Result<Answer, Error> + Send + 'static,
) -> Result<Response, Problem> {
    let store = app.metrics()?;
    let text = text.to_owned();
    let asked = Instant::now();
    let told = app.clone();
    stream::answer(&app.queries, move |json| {
        let began = Instant::now();
        if began - asked >= wanted.timeout {
            let late = Problem::new(Cause::Timeout, "query timed out in query queue");
            return Err(late.limited(meters::Limit::QueryTimeout));
        }
        let source = EngineSource::new(store.snapshot());
        let outcome = run(&source);
        let read = outcome.as_ref().ok().map(read);
        let read = read.as_ref().map_or(&[][..], |read| &read[..]);
        told.note_query("promql", &text, began.elapsed(), read);
        let answer = outcome.map_err(problem)?;
        let timings = Timings {
            queued: began - asked,
            evaluated: began.elapsed(),
        };
        answer::write(json, |json| {
            write_data(json, &answer, wanted, time, &timings, &text)
        })
    })
    .await
}

/// How much a query has read.
fn read(answer: &Answer) -> [(&'static str, u64); 2] {
    [
        ("samples", answer.samples_read as u64),
        ("bytes", answer.bytes_read),
    ]
}

fn problem(error: Error) -> Problem {
    let limit = match error.kind() {
        ErrorKind::Limit => Some(meters::Limit::QuerySamples),
        ErrorKind::Busy => Some(meters::Limit::AllSamples),
        ErrorKind::Timeout => Some(meters::Limit::QueryTimeout),
        _ => None,
    };
    let cause = match error.kind() {
        ErrorKind::BadData => return Problem::parameter("query", error),
        ErrorKind::Execution | ErrorKind::Limit => Cause::Execution,
        ErrorKind::Busy => Cause::Unavailable,
        ErrorKind::Timeout => Cause::Timeout,
        ErrorKind::Canceled => Cause::Canceled,
        _ => Cause::Internal,
    };
    let problem = Problem::new(cause, error.to_string());
    match limit {
        Some(limit) => problem.limited(limit),
        None => problem,
    }
}

//! What a query may use, and how it is stopped.

use std::time::Duration;

use chronolith_query::logql::{
    CancelFlag, Direction, ErrorKind, Limits, LinesRequest, LogQuery, Options, Result, SeriesBeyond,
};
use chronolith_query::promql::Value;

use crate::shop::{OPENS, SECOND, line, memory};

const LINES: &str = r#"{shop="east"}"#;
const NUMBERS: &str = r#"sum by (n) (count_over_time({shop="east"} | logfmt n [5m]))"#;

fn source() -> chronolith_query::logql::MemoryLines {
    let lines = (0..100).map(|n| line(&[("shop", "east")], n, &format!("n={n}")));
    memory(&lines.collect::<Vec<_>>())
}

fn lines(limits: Limits, limit: usize) -> Result<usize> {
    let options = Options {
        limits,
        ..Options::default()
    };
    let request = LinesRequest {
        start: OPENS,
        end: OPENS + 3_600 * SECOND,
        limit,
        direction: Direction::Forward,
        interval: 0,
    };
    let answer = LogQuery::parse(LINES)?.lines(&source(), &request, &options)?;
    Ok(answer.entries())
}

fn numbers(limits: Limits) -> Result<(usize, Vec<String>)> {
    let options = Options {
        limits,
        ..Options::default()
    };
    let range = (OPENS, OPENS + 100 * SECOND, 10 * SECOND);
    let answer = LogQuery::parse(NUMBERS)?.range(&source(), range, &options)?;
    let Value::Matrix(series) = answer.value else {
        panic!("a range query gives a matrix");
    };
    Ok((series.len(), answer.warnings))
}

fn told<T: std::fmt::Debug>(outcome: Result<T>, kind: ErrorKind) -> String {
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    error.to_string()
}

#[test]
fn more_lines_than_allowed_may_not_be_asked_for() {
    assert_eq!(lines(Limits::default(), 5_000).unwrap(), 100);
    let error = told(lines(Limits::default(), 5_001), ErrorKind::BadData);
    assert_eq!(
        error,
        "max entries limit per query exceeded, limit > max_entries_limit_per_query (5001 > 5000)"
    );
    let error = told(lines(Limits::default(), 0), ErrorKind::BadData);
    assert_eq!(error, "limit must be a positive value");
}

#[test]
fn series_beyond_the_bound_are_refused_or_left_out() {
    let limits = |series_max, series_beyond| Limits {
        series_max,
        series_beyond,
        ..Limits::default()
    };
    let (count, warnings) = numbers(limits(100, SeriesBeyond::Refused)).unwrap();
    assert_eq!((count, warnings.len()), (100, 0));
    let error = told(numbers(limits(99, SeriesBeyond::Refused)), ErrorKind::Limit);
    assert!(error.starts_with("maximum number of series (99) reached for a single query; "));
    let (count, warnings) = numbers(limits(99, SeriesBeyond::LeftOut)).unwrap();
    assert_eq!((count, warnings.len()), (99, 1));
}

#[test]
fn what_is_read_and_held_is_bounded() {
    let lines_max = |lines_max| Limits {
        lines_max,
        ..Limits::default()
    };
    assert_eq!(lines(lines_max(100), 100).unwrap(), 100);
    told(lines(lines_max(99), 100), ErrorKind::Limit);
    let bytes_max = |bytes_max| Limits {
        bytes_max,
        ..Limits::default()
    };
    assert_eq!(lines(bytes_max(390), 100).unwrap(), 100);
    told(lines(bytes_max(389), 100), ErrorKind::Limit);
    let samples_max = |samples_max| Limits {
        samples_max,
        ..Limits::default()
    };
    assert!(numbers(samples_max(1_100)).is_ok());
    told(numbers(samples_max(1_099)), ErrorKind::Limit);
}

#[test]
fn a_range_may_not_be_too_long_nor_have_too_many_steps() {
    let length_max = |seconds| Limits {
        length_max: Duration::from_secs(seconds),
        ..Limits::default()
    };
    assert!(lines(length_max(3_600), 1).is_ok());
    let error = told(lines(length_max(3_599), 1), ErrorKind::Limit);
    assert_eq!(
        error,
        "the query time range exceeds the limit (query length: 1h0m0s, limit: 59m59s)"
    );
    assert!(lines(length_max(0), 1).is_ok());
    let steps_max = |steps_max| Limits {
        steps_max,
        ..Limits::default()
    };
    assert!(numbers(steps_max(10)).is_ok());
    let error = told(numbers(steps_max(9)), ErrorKind::BadData);
    assert!(error.starts_with("exceeded maximum resolution of 9 points per time series."));
    // Moving both ends to multiples of the step may add one, which is let through.
    let options = Options {
        limits: steps_max(2),
        ..Options::default()
    };
    let query = LogQuery::parse("vector(1)").unwrap();
    let range = (OPENS + SECOND, OPENS + 21 * SECOND, 10 * SECOND);
    assert!(query.range(&source(), range, &options).is_ok());
    let range_max = |seconds| Limits {
        range_max: Duration::from_secs(seconds),
        ..Limits::default()
    };
    assert!(numbers(range_max(300)).is_ok());
    let error = told(numbers(range_max(299)), ErrorKind::BadData);
    assert_eq!(error, "[interval] value exceeds limit: [5m] > [4m59s]");
}

#[test]
fn a_query_stops_when_told_or_when_its_time_is_over() {
    let cancel = CancelFlag::new();
    cancel.cancel();
    let stopped = || Limits {
        cancel: Some(cancel.clone()),
        ..Limits::default()
    };
    told(lines(stopped(), 1), ErrorKind::Canceled);
    told(numbers(stopped()), ErrorKind::Canceled);
    let late = || Limits {
        timeout: Duration::ZERO,
        ..Limits::default()
    };
    let error = told(lines(late(), 1), ErrorKind::Timeout);
    assert!(error.starts_with("request timed out, decrease the duration of the request"));
    told(numbers(late()), ErrorKind::Timeout);
}

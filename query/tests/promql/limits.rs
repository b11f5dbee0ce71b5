//! What a query may use, and how it is stopped.

use std::time::Duration;

use chronolith_engine::labels::LabelSet;
use chronolith_query::promql::source::{Request, Source, SourceSeries};
use chronolith_query::promql::{
    CancelFlag, ErrorKind, Limits, MemorySource, Options, Query, Result, Sample,
};

fn thousand_samples() -> MemorySource {
    let mut source = MemorySource::new();
    for number in 0..10 {
        let n = number.to_string();
        let labels = LabelSet::from_pairs([("__name__", "m"), ("n", &n)]).unwrap();
        for minute in 0..100 {
            source.push(&labels, minute * 60_000, Sample::Float(1.0), 0);
        }
    }
    source
}

fn range(query: &str, source: &dyn Source, limits: Limits) -> Result<usize> {
    let options = Options {
        limits,
        ..Options::default()
    };
    let answer = Query::parse(query)?.range(source, (0, 5_940_000, 60_000), &options)?;
    Ok(answer.samples_peak)
}

#[test]
fn samples_beyond_the_bound_are_refused() {
    let source = thousand_samples();
    let held = range("sum(rate(m[10m]))", &source, Limits::default()).unwrap();
    for samples_max in [held, 0] {
        let limits = Limits {
            samples_max,
            ..Limits::default()
        };
        let outcome = range("sum(rate(m[10m]))", &source, limits);
        if samples_max == held {
            assert_eq!(outcome.unwrap(), held);
        } else {
            assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Limit);
        }
    }
}

#[test]
fn steps_beyond_the_bound_are_refused() {
    let limits = |steps_max| Limits {
        steps_max,
        ..Limits::default()
    };
    let source = thousand_samples();
    range("m", &source, limits(99)).unwrap();
    let error = range("m", &source, limits(98)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadData);
    assert!(error.to_string().contains("98 points per timeseries"));
}

#[test]
fn a_query_out_of_time_stops() {
    let limits = Limits {
        timeout: Duration::ZERO,
        ..Limits::default()
    };
    let error = range("rate(m[5m])", &thousand_samples(), limits).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
}

/// Raises the flag when it is asked.
struct Impatient(MemorySource, CancelFlag);

impl Source for Impatient {
    fn select(&self, request: &Request<'_>) -> Result<Vec<SourceSeries>> {
        self.1.cancel();
        self.0.select(request)
    }
}

#[test]
fn a_cancelled_query_stops() {
    let flag = CancelFlag::new();
    let limits = Limits {
        cancel: Some(flag.clone()),
        ..Limits::default()
    };
    let source = Impatient(thousand_samples(), flag);
    let error = range("sum(m) / sum(m)", &source, limits).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Canceled);
}

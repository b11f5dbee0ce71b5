//! The newest sample of each selected series, in the text format that Prometheus scrapes.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::SystemTime;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use chronolith_engine::labels::{LabelSet, Matcher};
use chronolith_engine::metrics::{STALE_NAN_BITS, SampleColumn, Samples};
use chronolith_engine::time::Millis;
use chronolith_engine::{Selector, Snapshot};
use chronolith_query::promql::syntax::parse_selector;

use crate::app::Scope;
use crate::http::json::put_float;
use crate::http::params::Params;
use crate::http::problem::Problem;

/// How old the newest sample may be, in milliseconds.
const LOOKBACK_MS: i64 = 5 * 60 * 1000;

const METRIC_NAME: &str = "__name__";

/// The time and value of the newest sample of each series, by metric name and labels.
type Newest = BTreeMap<(String, LabelSet), (i64, f64)>;

/// Answers a scrape by another Prometheus.
pub(crate) async fn federate(app: Scope, params: Params) -> Result<Response, Problem> {
    let mut sets = Vec::new();
    for text in params.values("match[]") {
        match parse_selector(text) {
            Ok(set) => sets.push(set),
            // A scraper is no client of the API: it reads text.
            Err(error) => return Ok(Problem::bad_data(error.describe(text)).into_text()),
        }
    }
    let store = app.metrics()?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
    let work = app.queries.run(move || {
        let newest = newest(&store.snapshot(), sets, now)?;
        Ok(text(&newest))
    });
    let content_type = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    Ok((content_type, work.await?).into_response())
}

/// The newest sample of each series. Series that have ended and native
/// histograms, which the format cannot carry, are left out.
fn newest(
    snapshot: &Snapshot<Samples>,
    sets: Vec<Vec<Matcher>>,
    now: i64,
) -> Result<Newest, Problem> {
    let mut found = BTreeMap::new();
    for matchers in sets {
        let selector = Selector::new(matchers).between(Millis(now - LOOKBACK_MS + 1), Millis(now));
        for series in snapshot.select(&selector)? {
            let Some(run) = series.cursor()?.next_back().transpose()? else {
                continue;
            };
            let (Some(time), SampleColumn::Floats(values)) = (run.times().last(), run.values())
            else {
                continue;
            };
            match values.last() {
                Some(value) if value.to_bits() != STALE_NAN_BITS => {
                    let labels = series.labels().to_set();
                    let name = series.labels().value(METRIC_NAME).unwrap_or_default();
                    found.insert((name.to_owned(), labels), (*time, *value));
                }
                _ => {}
            }
        }
    }
    Ok(found)
}

fn text(newest: &Newest) -> String {
    let (mut out, mut family) = (String::new(), None);
    for ((name, labels), (time, value)) in newest {
        // Writing to a String cannot fail.
        if family != Some(name) {
            let _ = writeln!(out, "# TYPE {} untyped", quoted_unless_plain(name));
            family = Some(name);
        }
        let _ = write_series(&mut out, name, labels);
        let mut digits = Vec::new();
        put_float(&mut digits, *value);
        let _ = writeln!(out, " {} {time}", String::from_utf8_lossy(&digits));
    }
    out
}

fn write_series(out: &mut String, name: &str, labels: &LabelSet) -> std::fmt::Result {
    let is_plain = is_plain(name);
    let mut parts = Vec::new();
    if !is_plain {
        parts.push(quoted(name));
    }
    let mut has_instance = false;
    for (label, value) in labels
        .as_labels()
        .iter()
        .filter(|(label, _)| *label != METRIC_NAME)
    {
        has_instance |= label == "instance";
        parts.push(format!("{}={}", quoted_unless_plain(label), quoted(value)));
    }
    // Or the scraper would put its own there.
    if !has_instance {
        parts.push("instance=\"\"".to_owned());
    }
    if is_plain {
        out.push_str(name);
    }
    write!(out, "{{{}}}", parts.join(","))
}

/// Whether a name can stand without quotes.
fn is_plain(name: &str) -> bool {
    let letters = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | ':');
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name.chars().all(letters)
}

fn quoted_unless_plain(name: &str) -> String {
    match is_plain(name) {
        true => name.to_owned(),
        false => quoted(name),
    }
}

fn quoted(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_written_by_name_with_their_time() {
        let set = |pairs: &[(&str, &str)]| LabelSet::from_pairs(pairs.iter().copied()).unwrap();
        let odd = set(&[("__name__", "b.c"), ("x.y", "a\"b\nc\\")]);
        let up = set(&[("__name__", "up"), ("instance", "a:1")]);
        let newest = BTreeMap::from([
            (("up".to_owned(), up), (1000, 1.5)),
            (("b.c".to_owned(), odd), (2000, f64::INFINITY)),
        ]);
        let expected = "# TYPE \"b.c\" untyped\n\
                        {\"b.c\",\"x.y\"=\"a\\\"b\\nc\\\\\",instance=\"\"} +Inf 2000\n\
                        # TYPE up untyped\n\
                        up{instance=\"a:1\"} 1.5 1000\n";
        assert_eq!(text(&newest), expected);
    }
}

//! The newest sample of each selected series, in the text format that Prometheus scrapes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::SystemTime;

use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use chronolith_engine::labels::{LabelSet, Matcher};
use chronolith_engine::metrics::{STALE_NAN_BITS, SampleColumn, Samples};
use chronolith_engine::time::Millis;
use chronolith_engine::{Selector, Snapshot};
use chronolith_query::promql::syntax::parse_selector;
use chronolith_query::text::number::general;

use crate::app::Scope;
use crate::http::params::Params;
use crate::http::problem::Problem;

/// How old the newest sample may be, in milliseconds.
const LOOKBACK_MS: i64 = 5 * 60 * 1000;

const METRIC_NAME: &str = "__name__";

/// The time and value of the newest sample of each series, by metric name and labels.
type Newest = BTreeMap<(String, LabelSet), (i64, f64)>;

/// What becomes of names that Prometheus did not take before it took all of UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escaping {
    /// They stand in quotes: the scraper says that it can read them.
    AllowUtf8,
    /// Each character that was not allowed becomes an underscore.
    Underscores,
}

impl Escaping {
    /// What the header `Accept` of a scraper asks for.
    fn of(headers: &HeaderMap) -> Escaping {
        let accepted = headers.get_all(header::ACCEPT).iter();
        let mut parameters = accepted
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split([',', ';']));
        match parameters.any(|parameter| parameter.trim() == "escaping=allow-utf-8") {
            true => Escaping::AllowUtf8,
            false => Escaping::Underscores,
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Escaping::AllowUtf8 => "text/plain; version=0.0.4; charset=utf-8; escaping=allow-utf-8",
            Escaping::Underscores => {
                "text/plain; version=0.0.4; charset=utf-8; escaping=underscores"
            }
        }
    }

    fn name(self, name: &str) -> Cow<'_, str> {
        if self == Escaping::AllowUtf8 || is_plain(name) {
            return Cow::Borrowed(name);
        }
        let mut is_first = true;
        let escape = |letter: char| {
            let is_digit = letter.is_ascii_digit() && !std::mem::take(&mut is_first);
            is_first = false;
            match letter {
                'a'..='z' | 'A'..='Z' | '_' | ':' => letter,
                digit if is_digit => digit,
                _ => '_',
            }
        };
        Cow::Owned(name.chars().map(escape).collect())
    }
}

/// Answers a scrape by another Prometheus.
pub(crate) async fn federate(
    app: Scope,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, Problem> {
    let escaping = Escaping::of(&headers);
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
        Ok(text(&newest, escaping))
    });
    let content_type = [(header::CONTENT_TYPE, escaping.content_type())];
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

fn text(newest: &Newest, escaping: Escaping) -> String {
    let (mut out, mut family) = (String::new(), None);
    for ((name, labels), (time, value)) in newest {
        // Writing to a String cannot fail.
        if family != Some(name) {
            let shown = escaping.name(name);
            let _ = writeln!(out, "# TYPE {} untyped", quoted_unless_plain(&shown));
            family = Some(name);
        }
        let _ = write_series(&mut out, name, labels, escaping);
        let _ = writeln!(out, " {} {time}", general(*value));
    }
    out
}

fn write_series(
    out: &mut String,
    name: &str,
    labels: &LabelSet,
    escaping: Escaping,
) -> std::fmt::Result {
    let name = escaping.name(name);
    let is_plain = is_plain(&name);
    let mut parts = Vec::new();
    if !is_plain {
        parts.push(quoted(&name));
    }
    let mut has_instance = false;
    for (label, value) in labels
        .as_labels()
        .iter()
        .filter(|(label, _)| *label != METRIC_NAME)
    {
        has_instance |= label == "instance";
        let label = escaping.name(label);
        parts.push(format!("{}={}", quoted_unless_plain(&label), quoted(value)));
    }
    // Or the scraper would put its own there.
    if !has_instance {
        parts.push("instance=\"\"".to_owned());
    }
    if is_plain {
        out.push_str(&name);
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

    fn set(pairs: &[(&str, &str)]) -> LabelSet {
        LabelSet::from_pairs(pairs.iter().copied()).unwrap()
    }

    #[test]
    fn series_are_written_by_name_with_their_time() {
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
        assert_eq!(text(&newest, Escaping::AllowUtf8), expected);
        let escaped = "# TYPE b_c untyped\n\
                       b_c{x_y=\"a\\\"b\\nc\\\\\",instance=\"\"} +Inf 2000\n\
                       # TYPE up untyped\n\
                       up{instance=\"a:1\"} 1.5 1000\n";
        assert_eq!(text(&newest, Escaping::Underscores), escaped);
    }

    #[test]
    fn floats_are_written_as_go_writes_them() {
        for (value, expected) in [
            (123_456_789.0, "1.23456789e+08"),
            (100_000.0, "100000"),
            (1e21, "1e+21"),
            (1e-7, "1e-07"),
            (-0.25, "-0.25"),
            (f64::NAN, "NaN"),
        ] {
            let newest = BTreeMap::from([(("a".to_owned(), set(&[])), (7, value))]);
            let expected = format!("# TYPE a untyped\na{{instance=\"\"}} {expected} 7\n");
            assert_eq!(text(&newest, Escaping::Underscores), expected);
        }
    }

    #[test]
    fn names_stand_as_they_are_for_a_scraper_that_can_read_them() {
        let asked = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().unwrap());
            Escaping::of(&headers)
        };
        let new = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,*/*;q=0.2";
        assert_eq!(asked(new), Escaping::AllowUtf8);
        assert_eq!(
            asked("text/plain; escaping=allow-utf-8"),
            Escaping::AllowUtf8
        );
        assert_eq!(asked("text/plain;version=0.0.4"), Escaping::Underscores);
        assert_eq!(asked("text/plain;escaping=dots"), Escaping::Underscores);
        assert_eq!(Escaping::of(&HeaderMap::new()), Escaping::Underscores);
        for (name, escaped) in [("1a2", "_a2"), ("a.é:b", "a__:b"), ("a_1", "a_1")] {
            assert_eq!(Escaping::Underscores.name(name), escaped);
        }
    }
}

//! Series, values and times as Prometheus writes them.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use crate::cli::period::rfc3339_ms;

/// The label that names a metric.
const METRIC_NAME: &str = "__name__";

/// How times of samples are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Times {
    /// Seconds since 1970.
    Seconds,
    /// RFC 3339 in UTC.
    Utc,
}

/// Labels as a selector: `up{job="node"}`.
pub(super) fn series(labels: &BTreeMap<String, String>) -> String {
    let name = labels.get(METRIC_NAME).map(String::as_str);
    let plain = name.filter(|name| is_name(name, ":"));
    let mut text = plain.unwrap_or_default().to_owned();
    let mut pairs: Vec<String> = Vec::new();
    if let (Some(name), None) = (name, plain) {
        pairs.push(quoted(name));
    }
    for (label, value) in labels.iter().filter(|(label, _)| *label != METRIC_NAME) {
        let label = match is_name(label, "") {
            true => label.clone(),
            false => quoted(label),
        };
        pairs.push(format!("{label}={}", quoted(value)));
    }
    if !pairs.is_empty() || text.is_empty() {
        let _ = write!(text, "{{{}}}", pairs.join(", "));
    }
    text
}

fn is_name(text: &str, more: &str) -> bool {
    let is_digit_first = text.starts_with(|first: char| first.is_ascii_digit());
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let all = text
        .chars()
        .all(|letter| is_part(letter) || more.contains(letter));
    !text.is_empty() && !is_digit_first && all
}

/// A text in quotes, as both query languages read it.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// The value of a sample: a number in a text, or a histogram.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::String(number) => number.clone(),
        Value::Object(_) => histogram(value),
        other => other.to_string(),
    }
}

fn histogram(value: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let mut parts = vec![
        format!("count:{}", text(&value["count"])),
        format!("sum:{}", text(&value["sum"])),
    ];
    for bucket in value["buckets"].as_array().into_iter().flatten() {
        let (open, close) = match bucket[0].as_u64() {
            Some(0) => ('(', ']'),
            Some(1) => ('[', ')'),
            Some(2) => ('(', ')'),
            _ => ('[', ']'),
        };
        let (low, high, count) = (text(&bucket[1]), text(&bucket[2]), text(&bucket[3]));
        parts.push(format!("{open}{low},{high}{close}:{count}"));
    }
    format!("{{{}}}", parts.join(", "))
}

/// The time of a sample, which answers tell in seconds.
pub(super) fn time(time: &Value, times: Times) -> String {
    match (times, time.as_f64()) {
        (Times::Utc, Some(seconds)) => {
            // The cast saturates: an absurd time is the end of time.
            let ms = (seconds * 1000.0).round() as i64;
            rfc3339_ms(ms.saturating_mul(1_000_000))
        }
        _ => time.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| ((*name).into(), (*value).into()))
            .collect()
    }

    #[test]
    fn series_are_written_as_selectors() {
        let shown = |pairs: &[(&str, &str)]| series(&labels(pairs));
        assert_eq!(shown(&[("__name__", "up")]), "up");
        assert_eq!(
            shown(&[("__name__", "up"), ("a", "b\"\n")]),
            "up{a=\"b\\\"\\n\"}"
        );
        assert_eq!(shown(&[]), "{}");
        assert_eq!(
            shown(&[("__name__", "a.b"), ("c.d", "e")]),
            "{\"a.b\", \"c.d\"=\"e\"}"
        );
    }

    #[test]
    fn values_and_times_are_written_as_prometheus_does() {
        assert_eq!(value(&json!("1.5")), "1.5");
        let histogram = json!({"count": "3", "sum": "5", "buckets": [[0, "1", "2", "3"]]});
        assert_eq!(value(&histogram), "{count:3, sum:5, (1,2]:3}");
        assert_eq!(
            time(&json!(1768476600.123), Times::Seconds),
            "1768476600.123"
        );
        assert_eq!(
            time(&json!(1768476600), Times::Utc),
            "2026-01-15T11:30:00.000Z"
        );
    }
}

//! The labels of a stream: read, judged, completed with the name of the service.

use std::borrow::Cow;

use chronolith_engine::labels::put_label;

use crate::settings::LogLimits;
use crate::wire::logs::{Pair, StreamLabels, labels};

use super::levels::{LEVEL_FIELDS, Level};

/// The label by which readers list services.
const SERVICE_NAME: &str = "service_name";

/// Labels that name a service, the first that is there counts.
pub(crate) const SERVICE_LABELS: [&str; 13] = [
    "service",
    "app",
    "application",
    "app_name",
    "name",
    "app_kubernetes_io_name",
    "container",
    "container_name",
    "k8s_container_name",
    "component",
    "workload",
    "job",
    "k8s_job_name",
];

/// The service of streams that name none.
const UNKNOWN_SERVICE: &str = "unknown_service";

/// What the labels of a stream say beside themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    /// The level that all its lines have.
    pub(crate) level: Option<Level>,
}

/// Writes the canonical labels of a stream behind `out`. On an error, which is a sentence for the
/// sender, that stays as it was.
pub(crate) fn resolve(
    labels: &StreamLabels<'_>,
    limits: &LogLimits,
    out: &mut Vec<u8>,
) -> Result<Stream, String> {
    let mut pairs: Vec<(&str, &str)> = Vec::with_capacity(16);
    let parsed;
    let given = match labels {
        StreamLabels::Text(text) => {
            parsed = labels::parse(text).map_err(unreadable)?;
            &parsed
        }
        StreamLabels::Pairs(given) => {
            check_names(given)?;
            given
        }
    };
    pairs.extend(
        given
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(as_strs),
    );
    if !pairs.iter().any(|(name, _)| *name == SERVICE_NAME) {
        pairs.push((SERVICE_NAME, service(&pairs)));
    }
    pairs.sort_by_key(|(name, _)| *name);
    judge(&pairs, limits)?;
    for (name, value) in &pairs {
        put_label(out, name, value);
    }
    let mut fields = LEVEL_FIELDS.iter();
    let level = fields.find_map(|field| {
        let found = pairs.iter().find(|(name, _)| name == field)?;
        Level::of_value(found.1)
    });
    Ok(Stream { level })
}

fn as_strs<'p>((name, value): &'p Pair<'_>) -> (&'p str, &'p str) {
    (name, value)
}

fn unreadable(why: String) -> String {
    format!("couldn't parse labels: {why}")
}

/// Names that come one by one are what they would be as text.
fn check_names(pairs: &[Pair<'_>]) -> Result<(), String> {
    let is_name = |name: &str| {
        name.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && name.starts_with(|first: char| !first.is_ascii_digit())
    };
    if pairs.iter().all(|(name, _)| is_name(name)) {
        return Ok(());
    }
    let text = text_of(pairs.iter().map(as_strs));
    match labels::parse(&text) {
        Err(why) => Err(unreadable(why)),
        Ok(_) => Err(unreadable("a label has no name".to_owned())),
    }
}

fn service<'p>(pairs: &[(&'p str, &'p str)]) -> &'p str {
    let value = |label: &str| pairs.iter().find(|(name, _)| *name == label);
    let found = SERVICE_LABELS.iter().find_map(|label| value(label));
    found.map_or(UNKNOWN_SERVICE, |(_, value)| *value)
}

fn judge(pairs: &[(&str, &str)], limits: &LogLimits) -> Result<(), String> {
    let stream = || text_of(pairs.iter().copied());
    let count = pairs
        .iter()
        .filter(|(name, _)| *name != SERVICE_NAME)
        .count();
    if count > limits.labels_max {
        let max = limits.labels_max;
        return Err(format!(
            "entry for stream '{}' has {count} label names; limit {max}",
            stream()
        ));
    }
    let mut before = "";
    for (name, value) in pairs {
        if name.len() > limits.label_name_bytes_max {
            return Err(format!(
                "stream '{}' has label name too long: '{name}'",
                stream()
            ));
        }
        if value.len() > limits.label_value_bytes_max {
            return Err(format!(
                "stream '{}' has label value too long: '{value}'",
                stream()
            ));
        }
        if *name == before {
            return Err(format!(
                "stream '{}' has duplicate label name: '{name}'",
                stream()
            ));
        }
        before = name;
    }
    Ok(())
}

/// Labels as a selector writes them.
pub(crate) fn text_of<'p>(pairs: impl Iterator<Item = (&'p str, &'p str)>) -> String {
    let pairs = pairs.map(|(name, value)| format!("{name}={}", quoted(value)));
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
}

/// A string as Go quotes it.
fn quoted(text: &str) -> Cow<'_, str> {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            letter if letter.is_control() && letter < '\u{80}' => {
                out.push_str(&format!("\\x{:02x}", u32::from(letter)));
            }
            letter => out.push(letter),
        }
    }
    out.push('"');
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use chronolith_engine::labels::Labels;

    use super::*;

    fn resolved(text: &str) -> Result<(String, Option<Level>), String> {
        let mut bytes = Vec::new();
        let labels = StreamLabels::Text(text.into());
        let stream = resolve(&labels, &LogLimits::default(), &mut bytes)?;
        let labels = Labels::from_bytes(&bytes).unwrap();
        Ok((text_of(labels.iter()), stream.level))
    }

    #[test]
    fn every_stream_has_a_service_name() {
        for (given, expected) in [
            ("{}", "{service_name=\"unknown_service\"}"),
            (
                "{job=\"j\", app=\"a\"}",
                "{app=\"a\", job=\"j\", service_name=\"a\"}",
            ),
            (
                "{z=\"\", service_name=\"s\", app=\"a\"}",
                "{app=\"a\", service_name=\"s\"}",
            ),
        ] {
            assert_eq!(resolved(given).unwrap().0, expected);
        }
    }

    #[test]
    fn a_label_tells_the_level_of_all_lines() {
        assert_eq!(
            resolved("{severity=\"WARN\"}").unwrap().1,
            Some(Level::Warn)
        );
        assert_eq!(resolved("{level=\"loud\"}").unwrap().1, None);
    }

    #[test]
    fn labels_beyond_the_limits_are_told_with_their_stream() {
        let many: Vec<String> = (0..16).map(|number| format!("l{number}=\"x\"")).collect();
        let error = resolved(&format!("{{{}}}", many.join(","))).unwrap_err();
        assert!(error.ends_with("' has 16 label names; limit 15"), "{error}");
        let long = "n".repeat(1025);
        let error = resolved(&format!("{{{long}=\"x\"}}")).unwrap_err();
        assert!(error.ends_with(&format!("has label name too long: '{long}'")));
        let long = "v".repeat(2049);
        let error = resolved(&format!("{{a=\"{long}\"}}")).unwrap_err();
        assert!(error.ends_with(&format!("has label value too long: '{long}'")));
        let error = resolved("{a=\"x\", a=\"y\"}").unwrap_err();
        assert!(error.ends_with("has duplicate label name: 'a'"), "{error}");
    }

    #[test]
    fn names_that_come_one_by_one_are_judged_as_in_a_text() {
        let labels = StreamLabels::Pairs(vec![("bad-name".into(), "x".into())]);
        let error = resolve(&labels, &LogLimits::default(), &mut Vec::new()).unwrap_err();
        assert_eq!(
            error,
            "couldn't parse labels: 1:5: parse error: unexpected character inside braces: '-'"
        );
        let labels = StreamLabels::Pairs(vec![("".into(), "x".into())]);
        assert!(resolve(&labels, &LogLimits::default(), &mut Vec::new()).is_err());
    }
}

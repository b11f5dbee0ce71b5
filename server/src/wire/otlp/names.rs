//! Names of OpenTelemetry as names of Prometheus: underscores for what is no letter or digit, and
//! suffixes for the unit and for counters.

use crate::settings::Translation;

impl Translation {
    fn escapes(self) -> bool {
        matches!(
            self,
            Translation::UnderscoresAndSuffixes | Translation::Underscores
        )
    }

    fn has_suffixes(self) -> bool {
        matches!(
            self,
            Translation::UnderscoresAndSuffixes | Translation::Suffixes
        )
    }

    /// The name of a metric.
    pub(super) fn metric(self, name: &str, unit: &str, sort: Sort) -> String {
        match (self.escapes(), self.has_suffixes()) {
            (true, true) => metric(name, unit, sort),
            (true, false) => metric(name, "", Sort::Other),
            (false, true) => suffixed(name, unit, sort),
            (false, false) => name.to_owned(),
        }
    }

    /// The name of a label.
    pub(super) fn label(self, name: &str) -> String {
        match self.escapes() {
            true => label(name),
            false => name.to_owned(),
        }
    }
}

/// A name as it is with the suffixes that it lacks.
fn suffixed(name: &str, unit: &str, sort: Sort) -> String {
    let last = last_word(unit, sort);
    let mut out = name.to_owned();
    if let Some(last) = last {
        let bare = out
            .strip_suffix(last)
            .map(|rest| rest.trim_end_matches('_'));
        if let Some(bare) = bare {
            out = bare.to_owned();
        }
    }
    for word in unit_words(unit) {
        if !out.ends_with(&word) {
            out.push('_');
            out.push_str(&word);
        }
    }
    if let Some(last) = last {
        out.push('_');
        out.push_str(last);
    }
    out
}

/// The suffix that says what a metric is.
fn last_word(unit: &str, sort: Sort) -> Option<&'static str> {
    match sort {
        Sort::Counter => Some("total"),
        Sort::Gauge if unit.trim() == "1" => Some("ratio"),
        Sort::Gauge | Sort::Other => None,
    }
}

/// What decides about a name's suffix besides its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    /// Only rises.
    Counter,
    /// A value of the moment.
    Gauge,
    /// Anything else.
    Other,
}

/// Units and the words that stand for them.
const UNITS: [(&str, &str); 29] = [
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tibibytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("By/s", "bytes_per_second"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("1", ""),
    ("%", "percent"),
    ("bit", "bits"),
    ("kg", "kilograms"),
];

/// What a unit is per.
const PER_UNITS: [(&str, &str); 7] = [
    ("s", "second"),
    ("m", "minute"),
    ("h", "hour"),
    ("d", "day"),
    ("w", "week"),
    ("mo", "month"),
    ("y", "year"),
];

/// The name of a metric.
pub(super) fn metric(name: &str, unit: &str, sort: Sort) -> String {
    let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == ':';
    let words = name
        .split(|letter| !is_part(letter))
        .filter(|word| !word.is_empty());
    let mut words: Vec<String> = words.map(str::to_owned).collect();
    for word in unit_words(unit) {
        if !words.contains(&word) {
            words.push(word);
        }
    }
    if let Some(last) = last_word(unit, sort) {
        words.retain(|word| word != last);
        words.push(last.to_owned());
    }
    let joined = words.join("_");
    match joined.starts_with(|first: char| first.is_ascii_digit()) {
        true => format!("_{joined}"),
        false => joined,
    }
}

/// The suffixes that a unit gives.
fn unit_words(unit: &str) -> Vec<String> {
    let known = |units: &[(&str, &str)], unit: &str| {
        let found = units.iter().find(|(short, _)| *short == unit);
        found.map_or_else(|| cleaned(unit), |(_, word)| (*word).to_owned())
    };
    // What stands in braces is a comment.
    let is_told = |unit: &str| !unit.is_empty() && !unit.contains(['{', '}']);
    let (main, per) = unit.split_once('/').unwrap_or((unit, ""));
    let (main, per) = (main.trim(), per.trim());
    let mut words = Vec::new();
    if is_told(main) {
        words.push(known(&UNITS, main));
    }
    if is_told(per) {
        words.push(format!("per_{}", known(&PER_UNITS, per)));
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Letters and digits, and one underscore for what is between.
fn cleaned(text: &str) -> String {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    words
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("_")
}

/// The name of a label.
pub(crate) fn label(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        out.push_str("key_");
    }
    for letter in name.chars() {
        let is_kept = letter.is_ascii_alphanumeric();
        // Several in a row become one, unless they begin the name.
        if is_kept || !out.ends_with('_') || out == "_" {
            out.push(if is_kept { letter } else { '_' });
        }
    }
    if out.starts_with('_') && !out.starts_with("__") {
        out.insert_str(0, "key");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_get_their_unit_and_what_they_are() {
        for (name, unit, sort, expected) in [
            (
                "http.server.duration",
                "s",
                Sort::Other,
                "http_server_duration_seconds",
            ),
            (
                "http.server.duration",
                "ms",
                Sort::Other,
                "http_server_duration_milliseconds",
            ),
            (
                "system.disk.io",
                "By",
                Sort::Counter,
                "system_disk_io_bytes_total",
            ),
            (
                "requests_total",
                "{request}",
                Sort::Counter,
                "requests_total",
            ),
            (
                "system.cpu.utilization",
                "1",
                Sort::Gauge,
                "system_cpu_utilization_ratio",
            ),
            ("speed", "m/s", Sort::Gauge, "speed_meters_per_second"),
            (
                "process.uptime.seconds",
                "s",
                Sort::Gauge,
                "process_uptime_seconds",
            ),
            ("2.things", "", Sort::Other, "_2_things"),
            ("odd", "foo-bar", Sort::Other, "odd_foo_bar"),
        ] {
            assert_eq!(metric(name, unit, sort), expected);
        }
    }

    #[test]
    fn each_translation_does_what_its_name_says() {
        let told = |translation: Translation| {
            (
                translation.metric("http.wait time", "ms", Sort::Counter),
                translation.label("http.route"),
            )
        };
        let expected = [
            ("http_wait_time_milliseconds_total", "http_route"),
            ("http_wait_time", "http_route"),
            ("http.wait time_milliseconds_total", "http.route"),
            ("http.wait time", "http.route"),
        ];
        for ((_, translation), (metric, label)) in Translation::NAMES.into_iter().zip(expected) {
            assert_eq!(told(translation), (metric.to_owned(), label.to_owned()));
        }
    }

    #[test]
    fn suffixes_that_are_there_are_not_added_again() {
        for (name, unit, sort, expected) in [
            ("a_seconds_total", "s", Sort::Counter, "a_seconds_total"),
            ("a_seconds", "s", Sort::Gauge, "a_seconds"),
            ("load", "1", Sort::Gauge, "load_ratio"),
        ] {
            assert_eq!(suffixed(name, unit, sort), expected);
        }
    }

    #[test]
    fn labels_keep_letters_digits_and_underscores() {
        for (name, expected) in [
            ("service.name", "service_name"),
            ("http..route", "http_route"),
            ("0day", "key_0day"),
            ("_private", "key_private"),
            ("__name", "__name"),
            ("größe", "gr_e"),
        ] {
            assert_eq!(label(name), expected);
        }
    }
}

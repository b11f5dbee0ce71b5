//! `check metrics`: samples in text format, read as a push reads them, and what is customary for
//! their names.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Command, value_parser};

use crate::cli::output::{Found, Out, Stop};
use crate::reach::Failure;
use crate::wire::text::{self, Dialect};

/// Units that are parts of others, with the base unit that names are to say.
const UNITS: [(&str, &str); 14] = [
    ("milliseconds", "seconds"),
    ("microseconds", "seconds"),
    ("nanoseconds", "seconds"),
    ("minutes", "seconds"),
    ("hours", "seconds"),
    ("days", "seconds"),
    ("kilobytes", "bytes"),
    ("megabytes", "bytes"),
    ("gigabytes", "bytes"),
    ("bits", "bytes"),
    ("percent", "ratio"),
    ("fahrenheit", "celsius"),
    ("kilometers", "meters"),
    ("milligrams", "grams"),
];

/// Endings that say of a name what its type has to be.
const ENDINGS: [(&str, &[&str]); 3] = [
    ("_bucket", &["histogram"]),
    ("_count", &["histogram", "summary"]),
    ("_sum", &["histogram", "summary"]),
];

/// The flags of `check metrics`.
pub(super) fn command() -> Command {
    Command::new("metrics")
        .about("Check samples in Prometheus' text format: their syntax and their names")
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("What is checked [default: standard input]"),
        )
}

pub(super) fn check(flags: &ArgMatches) -> Result<Found, Stop> {
    let text = match flags.get_one::<PathBuf>("file") {
        Some(path) => std::fs::read_to_string(path).map_err(|error| {
            Failure::misused(format!("cannot read {}: {error}", path.display()))
        })?,
        None => {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            read.map_err(|error| Failure::broken(format!("cannot read standard input: {error}")))?;
            text
        }
    };
    if let Err(error) = text::decode(&text, Dialect::Prometheus, 0) {
        return Err(Failure::broken(error).into());
    }
    let problems = lint(&text);
    let mut out = Out::open();
    for problem in &problems {
        out.text(&format!("{problem}\n"))?;
    }
    out.flush()?;
    match problems.len() {
        0 => Ok(Found::Something),
        count => Err(Failure::broken(format!("{count} things are not as is customary")).into()),
    }
}

/// What a text says of one family.
#[derive(Default)]
struct Family<'t> {
    has_help: bool,
    kind: &'t str,
    has_samples: bool,
    labels: BTreeSet<&'t str>,
}

/// What is not as is customary, by name.
fn lint(text: &str) -> BTreeSet<String> {
    let mut families: BTreeMap<&str, Family<'_>> = BTreeMap::new();
    let mut problems = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for line in text.lines().map(str::trim) {
        if let Some(comment) = line.strip_prefix('#') {
            note(&mut families, comment);
        } else if !line.is_empty() {
            let (series, name, labels) = series_of(line);
            if !seen.insert(series) {
                problems.insert(format!("{series}: the series is there twice"));
            }
            let family = family_of(&families, name);
            let family = families.entry(family).or_default();
            family.has_samples = true;
            family.labels.extend(labels);
        }
    }
    for (name, family) in families.iter().filter(|(_, family)| family.has_samples) {
        let found = faults(name, family).into_iter();
        problems.extend(found.map(|fault| format!("{name}: {fault}")));
    }
    problems
}

/// Keeps what a comment says of a family.
fn note<'t>(families: &mut BTreeMap<&'t str, Family<'t>>, comment: &'t str) {
    let mut words = comment.trim().splitn(3, [' ', '\t']);
    let (word, name) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let rest = words.next().unwrap_or("").trim();
    let name = name.trim_matches('"');
    match word {
        "HELP" => families.entry(name).or_default().has_help = !rest.is_empty(),
        "TYPE" => families.entry(name).or_default().kind = rest,
        _ => {}
    }
}

/// The series of a line that has been read well already, with its name and its labels' names.
fn series_of(line: &str) -> (&str, &str, Vec<&str>) {
    let mut is_quoted = false;
    let mut escaped = false;
    let end = line.char_indices().find(|(_, letter)| {
        let is_end = match letter {
            '"' if !escaped => {
                is_quoted = !is_quoted;
                false
            }
            '}' => !is_quoted,
            ' ' | '\t' => !is_quoted && !line.contains('{'),
            _ => false,
        };
        escaped = *letter == '\\' && !escaped;
        is_end
    });
    let end = end.map_or(line.len(), |(at, letter)| match letter {
        '}' => at + 1,
        _ => at,
    });
    let series = &line[..end];
    let (name, inside) = series.split_once('{').unwrap_or((series, ""));
    let mut labels = Vec::new();
    // A value ends with a quote and the next label begins behind the comma.
    for part in inside.split('"').step_by(2) {
        let label = part
            .trim_start_matches(',')
            .trim()
            .trim_end_matches('=')
            .trim();
        if !label.is_empty() && label != "}" {
            labels.push(label);
        }
    }
    (series, name.trim(), labels)
}

/// The family that a sample belongs to: that of a histogram or summary for its parts.
fn family_of<'t>(families: &BTreeMap<&'t str, Family<'t>>, name: &'t str) -> &'t str {
    for (ending, kinds) in ENDINGS {
        let base = name.strip_suffix(ending);
        if let Some(base) = base
            && let Some(family) = families.get(base)
            && kinds.contains(&family.kind)
        {
            return base;
        }
    }
    name
}

fn faults(name: &str, family: &Family<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    if !family.has_help {
        faults.push("there is no help text (# HELP)".to_owned());
    }
    let is_counter = family.kind == "counter";
    if is_counter && !name.ends_with("_total") {
        faults.push("the name of a counter ends with _total".to_owned());
    }
    if !is_counter && !family.kind.is_empty() && name.ends_with("_total") {
        faults.push(format!(
            "only the name of a counter ends with _total, not of a {}",
            family.kind
        ));
    }
    for (ending, kinds) in ENDINGS {
        if name.ends_with(ending) && !kinds.contains(&family.kind) {
            faults.push(format!(
                "a name that ends with {ending} is part of a {}",
                kinds.join(" or ")
            ));
        }
    }
    for (label, kind) in [("le", "histogram"), ("quantile", "summary")] {
        if family.labels.contains(label) && family.kind != kind {
            faults.push(format!("the label {label} is for a {kind}"));
        }
    }
    for part in name.split('_') {
        if let Some((_, base)) = UNITS.iter().find(|(unit, _)| *unit == part) {
            faults.push(format!("the unit is {base}, not {part}"));
        }
        if ["counter", "gauge", "histogram", "summary"].contains(&part) {
            faults.push(format!("the name need not say that it is a {part}"));
        }
    }
    let names = std::iter::once(name).chain(family.labels.iter().copied());
    for name in names.filter(|name| is_camel_case(name)) {
        faults.push(format!(
            "{name} is written with underscores, not with capitals"
        ));
    }
    faults
}

fn is_camel_case(name: &str) -> bool {
    let letters = name.as_bytes().windows(2);
    letters
        .into_iter()
        .any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_named_metrics_have_no_faults() {
        let text = "# HELP a_requests_total Requests.\n# TYPE a_requests_total counter\n\
                    a_requests_total{path=\"/x}\",code=\"200\"} 1\n\
                    a_requests_total{path=\"a b\",code=\"200\"} 1\n\
                    # HELP a_seconds Time.\n# TYPE a_seconds histogram\n\
                    a_seconds_bucket{le=\"+Inf\"} 1\na_seconds_sum 1\na_seconds_count 1\n";
        assert_eq!(lint(text), BTreeSet::new());
    }

    #[test]
    fn each_planted_fault_is_found() {
        let planted = [
            ("x 1", "no help"),
            ("# TYPE x counter\nx 1", "ends with _total"),
            (
                "# TYPE x_total gauge\nx_total 1",
                "only the name of a counter",
            ),
            ("x_bucket 1", "part of a histogram"),
            ("x{le=\"1\"} 1", "the label le"),
            ("x_milliseconds 1", "the unit is seconds"),
            ("x_gauge 1", "need not say"),
            ("fooBar 1", "fooBar is written"),
            ("x{fooBar=\"1\"} 1", "fooBar is written"),
            ("x 1\nx 2", "twice"),
        ];
        for (text, fault) in planted {
            let found = lint(text);
            assert!(
                found.iter().any(|it| it.contains(fault)),
                "{text}: {found:?}"
            );
        }
    }
}

//! `stats` and `cardinality`: what is stored, where, and what makes it large.

use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::Value;

use crate::cli::access;
use crate::cli::output::{self, Format, Found, Out, Stop};
use crate::cli::period::rfc3339_ms;
use crate::cli::progress::Progress;
use crate::cli::table::{Side, Table};
use crate::reach::{Access, Door, read_whole};

/// The flags of `stats`.
pub(super) fn stats_command() -> Command {
    Command::new("stats")
        .about("Tell how much is stored, in memory and on disk")
        .arg(output::format_argument())
        .args(access::arguments())
}

/// The flags of `cardinality`.
pub(super) fn cardinality_command() -> Command {
    Command::new("cardinality")
        .about("Tell what makes the stores large: metrics, labels and streams, memory and disk")
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("COUNT")
                .value_parser(value_parser!(u64).range(1..=10_000))
                .default_value("10")
                .help("So many of each sort, the largest first"),
        )
        .arg(output::format_argument())
        .args(access::arguments())
}

pub(super) fn run_stats(flags: &ArgMatches) -> ExitCode {
    output::exit(flags, stats(flags))
}

pub(super) fn run_cardinality(flags: &ArgMatches) -> ExitCode {
    output::exit(flags, cardinality(flags))
}

fn stats(flags: &ArgMatches) -> Result<Found, Stop> {
    let reach = access::open(flags, Door::Prometheus, Access::Read)?;
    let answer = reach.ask(Door::Prometheus, "/api/v1/status/stores", &[])?;
    let data = read_whole(answer)?;
    let mut out = Out::open();
    let format = output::format(flags);
    if format == Format::Json {
        out.text(&format!("{data:#}\n"))?;
        out.flush()?;
        return Ok(Found::Something);
    }
    let columns = [
        ("FIGURE", Side::Left),
        ("METRICS", Side::Right),
        ("LOGS", Side::Right),
        ("ENGINE", Side::Right),
    ];
    let mut table = Table::new(&columns, format);
    for (title, key, shape) in FIGURES {
        let cell = |part: &str| shape(&data[part][key], part);
        let row = vec![
            (*title).to_owned(),
            cell("metrics"),
            cell("logs"),
            cell("engine"),
        ];
        table.row(&mut out, row)?;
    }
    table.end(&mut out)?;
    Ok(Found::Something)
}

type Shape = fn(&Value, &str) -> String;

/// Figures, where they stand in the answer, and how they are shown.
const FIGURES: &[(&str, &str, Shape)] = &[
    ("series in memory", "headSeries", count),
    ("entries in memory", "headEntries", count),
    ("bytes in memory", "headBytes", bytes),
    (
        "oldest entry in memory, seconds ago",
        "windowSeconds",
        count,
    ),
    ("log on disk", "walBytes", bytes),
    ("blocks", "blocks", count),
    ("bytes of blocks", "blockBytes", bytes),
    ("entries in blocks", "blockEntries", count),
    ("blocks not merged yet", "freshBlocks", count),
    ("no entry is older than", "oldest", oldest),
    ("deletions in force", "deletions", count),
    ("blocks expired", "expiredBlocks", count),
    ("blocks dropped by retention", "droppedBlocks", count),
    ("page reads from the cache", "cacheHits", count),
    ("page reads from the disk", "cacheMisses", count),
    ("damaged places", "damaged", count),
];

fn count(value: &Value, _: &str) -> String {
    value
        .as_u64()
        .map_or_else(String::new, |count| count.to_string())
}

fn oldest(value: &Value, part: &str) -> String {
    let nanos = value.as_i64().map(|ticks| match part {
        "metrics" => ticks.saturating_mul(1_000_000),
        _ => ticks,
    });
    nanos.map_or_else(String::new, rfc3339_ms)
}

fn bytes(value: &Value, _: &str) -> String {
    value.as_u64().map_or_else(String::new, bytes_text)
}

/// A number of bytes with a unit, to three or four digits.
pub(super) fn bytes_text(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        (value, unit) = (value / 1024.0, unit + 1);
    }
    match unit {
        0 => format!("{bytes} B"),
        _ => format!("{value:.1} {}", UNITS[unit]),
    }
}

fn cardinality(flags: &ArgMatches) -> Result<Found, Stop> {
    let reach = access::open(flags, Door::Prometheus, Access::Read)?;
    let limit = flags
        .get_one::<u64>("limit")
        .copied()
        .unwrap_or(10)
        .to_string();
    let progress = Progress::start("going through all indexes", "");
    let path = "/api/v1/status/cardinality";
    let answer = reach.ask(Door::Prometheus, path, &[("limit", &limit)])?;
    let data = read_whole(answer)?;
    drop(progress);
    let mut out = Out::open();
    let format = output::format(flags);
    if format == Format::Json {
        out.text(&format!("{data:#}\n"))?;
        out.flush()?;
        return Ok(Found::Something);
    }
    let columns = [
        ("OF", Side::Left),
        ("WHAT", Side::Left),
        ("NAME", Side::Left),
        ("VALUES", Side::Right),
        ("SERIES", Side::Right),
        ("LINES", Side::Right),
    ];
    let mut table = Table::new(&columns, format);
    for part in ["metrics", "logs"] {
        for row in rows(part, &data[part]) {
            table.row(&mut out, row)?;
        }
    }
    table.end(&mut out)?;
    Ok(Found::Something)
}

/// The rows of one store.
fn rows(part: &str, data: &Value) -> Vec<Vec<String>> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let number = |value: &Value| count(value, part);
    let row = |what: &str, name: String, [values, series, lines]: [&Value; 3]| {
        let figures = [values, series, lines].map(number);
        let begin = [part.to_owned(), what.to_owned(), name];
        begin.into_iter().chain(figures).collect::<Vec<_>>()
    };
    let none = &Value::Null;
    let list = |key: &str| data[key].as_array().cloned().unwrap_or_default();
    let mut rows = vec![row("all", String::new(), [none, &data["series"], none])];
    for name in list("names") {
        rows.push(row(
            "metric",
            text(&name["value"]),
            [none, &name["series"], none],
        ));
    }
    for label in list("labels") {
        let figures = [&label["values"], &label["series"], none];
        rows.push(row("label", text(&label["name"]), figures));
    }
    for pair in list("pairs") {
        let name = format!("{}={:?}", text(&pair["name"]), text(&pair["value"]));
        rows.push(row("value", name, [none, &pair["series"], none]));
    }
    for stream in list("streams") {
        rows.push(row(
            "stream",
            text(&stream["stream"]),
            [none, none, &stream["lines"]],
        ));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_a_unit() {
        assert_eq!(bytes_text(0), "0 B");
        assert_eq!(bytes_text(1023), "1023 B");
        assert_eq!(bytes_text(1536), "1.5 KiB");
        assert_eq!(bytes_text(3 << 40), "3.0 TiB");
    }
}

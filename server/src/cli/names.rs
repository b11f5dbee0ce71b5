//! `labels` and `series`: what there is to ask for.

use std::collections::BTreeMap;
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::Value;

use crate::cli::access;
use crate::cli::notation;
use crate::cli::output::{self, Format, Found, JsonList, Out, Stop};
use crate::cli::period::{self, Period};
use crate::cli::progress::Progress;
use crate::cli::table::{Side, Table};
use crate::reach::{Access, Answer, Door, Item, Reach, read_items};

/// The flags of `labels`.
pub(super) fn labels_command() -> Command {
    shared(Command::new("labels").about("List label names, or the values of one label"))
        .arg(
            Arg::new("name")
                .value_name("NAME")
                .help("The label whose values are listed; without it the names are"),
        )
        .arg(
            Arg::new("match")
                .long("match")
                .value_name("SELECTOR")
                .action(ArgAction::Append)
                .help("Only of these series"),
        )
}

/// The flags of `series`.
pub(super) fn series_command() -> Command {
    shared(Command::new("series").about("List the series, or streams of logs, of selectors")).arg(
        Arg::new("match")
            .value_name("SELECTOR")
            .required(true)
            .num_args(1..)
            .help("Such as 'up{job=\"node\"}', or with --logs '{app=\"api\"}'"),
    )
}

fn shared(command: Command) -> Command {
    command
        .arg(
            Arg::new("logs")
                .long("logs")
                .action(ArgAction::SetTrue)
                .help("Of logs instead of metrics"),
        )
        .arg(
            Arg::new("limit")
                .long("limit")
                .value_name("COUNT")
                .value_parser(value_parser!(u64).range(1..))
                .help("At most so many [default: all]"),
        )
        .args(period::arguments())
        .arg(output::format_argument())
        .arg(output::fail_empty())
        .args(access::arguments())
}

pub(super) fn run_labels(flags: &ArgMatches) -> ExitCode {
    output::exit(flags, list_labels(flags))
}

pub(super) fn run_series(flags: &ArgMatches) -> ExitCode {
    output::exit(flags, list_series(flags))
}

/// Which API the flags mean.
fn door(flags: &ArgMatches) -> Door {
    match flags.get_flag("logs") {
        true => Door::Loki,
        false => Door::Prometheus,
    }
}

fn list_labels(flags: &ArgMatches) -> Result<Found, Stop> {
    let door = door(flags);
    let reach = access::open(flags, door, Access::Read)?;
    let name = flags.get_one::<String>("name");
    let base = match door {
        Door::Prometheus => "/api/v1",
        Door::Loki => "/loki/api/v1",
    };
    let path = match name {
        Some(name) => format!("{base}/label/{}/values", in_path(name)),
        None => format!("{base}/labels"),
    };
    list(
        &reach,
        flags,
        door,
        &path,
        if name.is_some() { "VALUE" } else { "NAME" },
    )
}

fn list_series(flags: &ArgMatches) -> Result<Found, Stop> {
    let door = door(flags);
    let reach = access::open(flags, door, Access::Read)?;
    let path = match door {
        Door::Prometheus => "/api/v1/series",
        Door::Loki => "/loki/api/v1/series",
    };
    list(&reach, flags, door, path, "SERIES")
}

/// Asks for a list and shows it as it comes.
fn list(
    reach: &Reach,
    flags: &ArgMatches,
    door: Door,
    path: &str,
    title: &'static str,
) -> Result<Found, Stop> {
    let mut parameters: Vec<(&str, String)> = Vec::new();
    let matches = flags.get_many::<String>("match").into_iter().flatten();
    let selectors: Vec<&String> = matches.collect();
    match door {
        Door::Loki if path.ends_with("/series") => {
            parameters.extend(selectors.iter().map(|it| ("match[]", (*it).clone())));
        }
        Door::Loki => parameters.extend(selectors.iter().map(|it| ("query", (*it).clone()))),
        Door::Prometheus => {
            parameters.extend(selectors.iter().map(|it| ("match[]", (*it).clone())));
        }
    }
    // Loki takes the last hours if nobody says a range, Prometheus all of time.
    if door == Door::Loki || period::is_given(flags) {
        let period = Period::read(flags)?;
        let text = |nanos: i64| match door {
            Door::Prometheus => period::seconds(nanos),
            Door::Loki => nanos.to_string(),
        };
        parameters.push(("start", text(period.from)));
        parameters.push(("end", text(period.to)));
    }
    let limit = flags.get_one::<u64>("limit").copied();
    if let Some(limit) = limit.filter(|_| door == Door::Prometheus) {
        parameters.push(("limit", limit.to_string()));
    }
    let progress = Progress::start("listing", "elements");
    let parameters: Vec<(&str, &str)> = parameters
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    let answer = reach.ask(door, path, &parameters)?;
    show(
        answer,
        output::format(flags),
        title,
        limit.unwrap_or(u64::MAX),
        &progress,
    )
}

fn show(
    answer: Answer,
    format: Format,
    title: &'static str,
    limit: u64,
    progress: &Progress,
) -> Result<Found, Stop> {
    let mut out = Out::open();
    if out.is_terminal() {
        progress.hide();
    }
    let mut table = Table::new(&[(title, Side::Left)], format);
    let mut json = match format {
        Format::Json => Some(JsonList::begin(&mut out)?),
        Format::Table | Format::Csv => None,
    };
    let mut count = 0;
    let notes = read_items::<Stop>(answer, |item| {
        let Item::Listed(value) = item else {
            return Ok(());
        };
        if count == limit {
            return Ok(());
        }
        count += 1;
        progress.add(1);
        match &mut json {
            Some(list) => list.add(&mut out, &value.to_string()),
            None => table.row(&mut out, vec![named(&value)]),
        }
    })?;
    match &json {
        Some(list) => list.end(&mut out)?,
        None => table.end(&mut out)?,
    }
    output::tell(&notes);
    Ok(Found::from_count(count))
}

/// A name as it is, or labels as a selector.
fn named(value: &Value) -> String {
    match value {
        Value::String(name) => name.clone(),
        Value::Object(labels) => {
            let pairs = labels.iter().map(|(name, value)| {
                let value = value.as_str().unwrap_or_default();
                (name.clone(), value.to_owned())
            });
            notation::series(&pairs.collect::<BTreeMap<_, _>>())
        }
        other => other.to_string(),
    }
}

/// A name as a part of a path.
fn in_path(name: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let mut path = String::new();
    for byte in name.bytes() {
        match plain(&byte) {
            true => path.push(char::from(byte)),
            false => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_path_is_escaped() {
        assert_eq!(in_path("http.route"), "http.route");
        assert_eq!(in_path("a/b ä"), "a%2Fb%20%C3%A4");
    }
}

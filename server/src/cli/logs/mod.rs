//! `logs`: a LogQL query. Lines come page by page, through more than a server answers at once, or
//! live as they are stored; numbers come as those of `query-range` do.

mod border;
mod follow;
mod lines;
mod pages;

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::cli::access;
use crate::cli::output::{self, Format, Found, Out, Stop};
use crate::cli::period::{self, Period};
use crate::cli::progress::Progress;
use crate::cli::samples;
use crate::reach::{Access, Door, Failure};

use lines::{Form, Writer};

/// Lines that are shown if nobody says how many.
const LIMIT: &str = "30";

/// Lines that are asked for at once.
const BATCH: &str = "1000";

/// The flags of `logs`.
pub(super) fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| {
        let flag = Arg::new(name).long(name).help(help);
        flag.action(ArgAction::SetTrue)
    };
    let count = |name: &'static str, default: &'static str, help: &'static str| {
        let count = Arg::new(name).long(name).value_name("COUNT").help(help);
        count.default_value(default)
    };
    Command::new("logs")
        .about("Show the lines, or the numbers, that a LogQL query selects")
        .arg(
            Arg::new("expr")
                .value_name("QUERY")
                .required(true)
                .help("Such as '{app=\"api\"} |= \"error\"'"),
        )
        .args(period::arguments())
        .arg(
            count(
                "limit",
                LIMIT,
                "At most so many lines; 0 for all of the range",
            )
            .value_parser(value_parser!(u64)),
        )
        .arg(
            count("batch", BATCH, "Lines that are asked for at once")
                .value_parser(value_parser!(u64).range(1..)),
        )
        .arg(flag("forward", "Oldest lines first"))
        .arg(flag("tail", "Follow new lines until interrupted").conflicts_with("to"))
        .arg(
            Arg::new("output")
                .long("output")
                .short('o')
                .value_name("FORM")
                .value_parser(["default", "raw", "jsonl", "csv"])
                .default_value("default")
                .help("How lines are shown: with time and labels, alone, or as JSON"),
        )
        .arg(flag("no-labels", "Show no labels"))
        .arg(
            Arg::new("color")
                .long("color")
                .value_name("WHEN")
                .value_parser(["auto", "always", "never"])
                .default_value("auto")
                .help("Whether to use colours; auto: on a terminal, unless NO_COLOR is set"),
        )
        .arg(period::length_argument(
            "step",
            "From one step of numbers to the next [default: a 250th of the range]".to_owned(),
        ))
        .arg(flag("instant", "Numbers at --to only"))
        .arg(samples::utc_argument().help("Show times of numbers as RFC 3339 in UTC"))
        .arg(output::fail_empty())
        .args(access::arguments())
}

pub(super) fn run(flags: &ArgMatches) -> ExitCode {
    output::exit(flags, logs(flags))
}

/// What is asked for.
struct Asked<'f> {
    flags: &'f ArgMatches,
    expr: &'f str,
    period: Period,
    /// None for all lines.
    limit: Option<u64>,
    batch: u64,
    is_forward: bool,
}

fn logs(flags: &ArgMatches) -> Result<Found, Stop> {
    let count = |name: &str| flags.get_one::<u64>(name).copied().unwrap_or(0);
    let asked = Asked {
        flags,
        expr: flags.get_one::<String>("expr").map_or("", String::as_str),
        period: Period::read(flags)?,
        limit: Some(count("limit")).filter(|limit| *limit > 0),
        batch: count("batch"),
        is_forward: flags.get_flag("forward"),
    };
    let mut out = Out::open();
    let mut writer = writer(flags, &out)?;
    let reach = access::open(flags, Door::Loki, Access::Read)?;
    if flags.get_flag("tail") {
        return follow::follow(&reach, &asked, &mut writer, &mut out);
    }
    let progress = Progress::start("querying", "lines");
    if out.is_terminal() {
        progress.hide();
    }
    if flags.get_flag("instant") {
        return pages::instant(&reach, &asked, &mut out);
    }
    pages::pages(&reach, &asked, &mut writer, &mut out, &progress)
}

fn writer(flags: &ArgMatches, out: &Out) -> Result<Writer, Failure> {
    let form = match flags.get_one::<String>("output").map(String::as_str) {
        Some("raw") => Form::Raw,
        Some("jsonl") => Form::JsonLines,
        Some("csv") => Form::Csv,
        _ => Form::Full,
    };
    let allowed = std::env::var_os("NO_COLOR").is_none_or(|text| text.is_empty());
    let is_colored = match flags.get_one::<String>("color").map(String::as_str) {
        Some("always") => true,
        Some("never") => false,
        _ => out.is_terminal() && allowed,
    };
    Ok(Writer {
        form,
        has_labels: !flags.get_flag("no-labels"),
        is_colored,
        is_terminal: out.is_terminal(),
    })
}

/// The form in which numbers are shown where lines have this one.
fn form_of_numbers(flags: &ArgMatches) -> Format {
    match flags.get_one::<String>("output").map(String::as_str) {
        Some("jsonl") => Format::Json,
        Some("csv") => Format::Csv,
        _ => Format::Table,
    }
}

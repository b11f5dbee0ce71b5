//! `export`: a data directory, served or not, as files that other programs read.

use std::path::PathBuf;
use std::process::ExitCode;

use chronolith_engine::DEFAULT_TENANT;
use chronolith_query::promql::syntax::parse_selector;
use clap::{Arg, ArgMatches, Command, value_parser};

use crate::cli::FAILED;
use crate::cli::output::{self, Found, Out, Stop};
use crate::cli::period::time_argument;
use crate::reach::{Access, Failure, has_tenant, open_engine};
use crate::transfer::export::{Range, Written};
use crate::transfer::progress::Progress;
use crate::transfer::{export_blocks, export_lines, export_parquet};

pub(super) fn command() -> Command {
    Command::new("export")
        .about("Write a data directory, served or not, as files that other programs read")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(kind(
            "prometheus",
            "Metrics as blocks of Prometheus",
            "An empty folder for the blocks",
        ))
        .subcommand(kind(
            "victoriametrics",
            "Metrics as VictoriaMetrics' export lines; native histograms have no place there",
            "A file that is not there yet; .gz and .zst are packed",
        ))
        .subcommand(kind(
            "parquet",
            "Metrics as a table of Parquet; native histograms have no place there",
            "A file that is not there yet",
        ))
        .subcommand(kind(
            "log-parquet",
            "Logs as a table of Parquet",
            "A file that is not there yet",
        ))
        .subcommand(kind(
            "log-lines",
            "Logs as JSON lines",
            "A file that is not there yet; .gz and .zst are packed",
        ))
}

fn kind(name: &'static str, about: &'static str, out: &'static str) -> Command {
    let flag = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    Command::new(name).about(about).args([
        Arg::new("OUT")
            .required(true)
            .help(out)
            .value_parser(value_parser!(PathBuf)),
        flag("data", "DIR", "The data directory [default: data]")
            .value_parser(value_parser!(PathBuf)),
        flag("tenant", "NAME", "Whose data it is [default: default]"),
        flag(
            "match",
            "SELECTOR",
            "Which series, such as '{job=\"node\"}' [default: all]",
        ),
        time_argument("start", "From when on [default: the first]"),
        time_argument("end", "Until when, included [default: the last]"),
    ])
}

pub(super) fn run(flags: &ArgMatches) -> ExitCode {
    let Some((name, flags)) = flags.subcommand() else {
        return ExitCode::from(FAILED);
    };
    output::exit(flags, exported(name, flags))
}

fn exported(name: &str, flags: &ArgMatches) -> Result<Found, Stop> {
    let written = export(name, flags)?;
    let mut text = format!("{} entries in {} files\n", written.entries, written.files);
    if written.left_out > 0 {
        let left = written.left_out;
        text += &format!("note: {left} native histograms have no place in the format\n");
    }
    if written.starts_lost > 0 {
        let lost = written.starts_lost;
        text += &format!("note: {lost} start timestamps have no place in the format\n");
    }
    let mut out = Out::open();
    out.text(&text)?;
    out.flush()?;
    Ok(Found::from_count(written.entries))
}

fn range(flags: &ArgMatches) -> Result<Range, Failure> {
    // The flags have nanoseconds.
    let time = |name: &str| {
        flags
            .get_one::<i64>(name)
            .map(|nanos| nanos.div_euclid(1_000_000))
    };
    let matchers = match flags.get_one::<String>("match") {
        None => Vec::new(),
        Some(text) => parse_selector(text)
            .map_err(|error| Failure::misused(format!("--match {}", error.describe(text))))?,
    };
    Ok(Range {
        matchers,
        start: time("start"),
        end: time("end"),
    })
}

fn export(name: &str, flags: &ArgMatches) -> Result<Written, Failure> {
    let data: PathBuf = flags
        .get_one("data")
        .cloned()
        .unwrap_or_else(|| "data".into());
    let out: PathBuf = flags.get_one("OUT").cloned().unwrap_or_default();
    let range = range(flags)?;
    let engine = open_engine(&data, Access::Read)?;
    let tenant = flags.get_one::<String>("tenant").map(String::as_str);
    let tenant = tenant.unwrap_or(DEFAULT_TENANT);
    has_tenant(&engine, &data, tenant)?;
    let tenant = engine.tenant(tenant).map_err(Failure::broken)?;
    let metrics = || Ok::<_, Failure>(tenant.metrics().map_err(Failure::broken)?.snapshot());
    let logs = || Ok::<_, Failure>(tenant.logs().map_err(Failure::broken)?.snapshot());
    let mut progress = Progress::new();
    let seen = &mut progress;
    let written = match name {
        "log-lines" => export_lines::logs(&logs()?, &range, &out, seen),
        "log-parquet" => export_parquet::logs(&logs()?, &range, &out, seen),
        "parquet" => export_parquet::metrics(&metrics()?, &range, &out, seen),
        "victoriametrics" => export_lines::metrics(&metrics()?, &range, &out, seen),
        _ => export_blocks::export(&metrics()?, &range, &out, seen),
    };
    let written = written.map_err(Failure::broken)?;
    progress.end();
    engine.close().map_err(Failure::broken)?;
    Ok(written)
}

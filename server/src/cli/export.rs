//! `export`: a data directory, served or not, as files that other programs read.

use std::path::PathBuf;
use std::process::ExitCode;

use chronolith_engine::{Engine, Options};
use chronolith_query::promql::syntax::parse_selector;
use clap::{Arg, ArgMatches, Command, value_parser};

use crate::cli::{FAILED, fail, say};
use crate::http::times;
use crate::transfer::export::{Range, Written};
use crate::transfer::fault::{Fault, Result};
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
        flag(
            "start",
            "TIME",
            "From when on: RFC 3339 or seconds since 1970 [default: the first]",
        ),
        flag("end", "TIME", "Until when, included [default: the last]"),
    ])
}

pub(super) fn run(flags: &ArgMatches) -> ExitCode {
    let Some((name, flags)) = flags.subcommand() else {
        return ExitCode::from(FAILED);
    };
    match export(name, flags) {
        Ok(written) => {
            let mut text = format!("{} entries in {} files\n", written.entries, written.files);
            if written.left_out > 0 {
                let left = written.left_out;
                text += &format!("note: {left} native histograms have no place in the format\n");
            }
            if written.starts_lost > 0 {
                let lost = written.starts_lost;
                text += &format!("note: {lost} start timestamps have no place in the format\n");
            }
            say(&text);
            ExitCode::SUCCESS
        }
        Err(fault) => fail(&fault.to_string()),
    }
}

fn range(flags: &ArgMatches) -> Result<Range> {
    let time = |name: &str| match flags.get_one::<String>(name) {
        None => Ok(None),
        Some(text) => times::time(text).map(Some).ok_or_else(|| {
            Fault::new(format!(
                "--{name} {text:?} is no time: write RFC 3339, or seconds since 1970"
            ))
        }),
    };
    let matchers = match flags.get_one::<String>("match") {
        None => Vec::new(),
        Some(text) => parse_selector(text)
            .map_err(|error| Fault::new(format!("--match {}", error.describe(text))))?,
    };
    Ok(Range {
        matchers,
        start: time("start")?,
        end: time("end")?,
    })
}

fn export(name: &str, flags: &ArgMatches) -> Result<Written> {
    let data: PathBuf = flags
        .get_one("data")
        .cloned()
        .unwrap_or_else(|| "data".into());
    let out: PathBuf = flags.get_one("OUT").cloned().unwrap_or_default();
    let range = range(flags)?;
    let engine = Engine::open_read_only(&data, Options::default())?;
    let tenant = flags.get_one::<String>("tenant").map(String::as_str);
    let tenant = engine.tenant(tenant.unwrap_or(chronolith_engine::DEFAULT_TENANT))?;
    let mut progress = Progress::new();
    let seen = &mut progress;
    let written = match name {
        "log-lines" => export_lines::logs(&tenant.logs()?.snapshot(), &range, &out, seen),
        "log-parquet" => export_parquet::logs(&tenant.logs()?.snapshot(), &range, &out, seen),
        "parquet" => export_parquet::metrics(&tenant.metrics()?.snapshot(), &range, &out, seen),
        "victoriametrics" => {
            export_lines::metrics(&tenant.metrics()?.snapshot(), &range, &out, seen)
        }
        _ => export_blocks::export(&tenant.metrics()?.snapshot(), &range, &out, seen),
    }?;
    progress.end();
    engine.close()?;
    Ok(written)
}

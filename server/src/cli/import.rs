//! `import`: other stores' data into a data directory that nobody serves meanwhile.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use chronolith_query::logql::syntax::ast::Stage;
use chronolith_query::promql::syntax::parse_selector;
use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::cli::period::{self, time_argument};
use crate::cli::{FAILED, MISUSED, fail, say};
use crate::duration;
use crate::transfer::fault::{Fault, Result};
use crate::transfer::layouts::Layout;
use crate::transfer::loki::{self, LogWish};
use crate::transfer::plain_logs::{self, Reading, Unmatched};
use crate::transfer::remote::Remote;
use crate::transfer::remote_read::{self, Wish};
use crate::transfer::{Into, Job, Outcome, Pairs, Target, json_logs, metric_files, prometheus};
use crate::wire::text::Dialect;

/// Flags tell nanoseconds, what is imported here has milliseconds.
const NANOS_A_MS: i64 = 1_000_000;

pub(super) fn command() -> Command {
    Command::new("import")
        .about("Bring other stores' data into a data directory that is not being served")
        .after_help(
            "An import that broke off is continued by the same command. It ends with 1 if \
             anything was refused or the counts do not agree.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([
            kind(
                "prometheus",
                "Blocks and write-ahead log of a Prometheus that is stopped, or of a copy",
            )
            .arg(source("DIR", "What its --storage.tsdb.path names")),
            kind("openmetrics", "Files of samples as OpenMetrics").arg(files()),
            kind("text", "Files of samples in the text format of Prometheus").arg(files()),
            kind("victoriametrics", "Files of VictoriaMetrics' export lines").arg(files()),
            kind("log-lines", "Files of logs as JSON lines")
                .arg(files())
                .args(labels()),
            plain(),
            kind("remote-read", "What a running Prometheus or Thanos has")
                .arg(source("URL", "Its address, such as http://127.0.0.1:9090"))
                .args(server("1h", "{__name__=~\".+\"}")),
            kind("loki", "What a running Loki has")
                .arg(source("URL", "Its address, such as http://127.0.0.1:3100"))
                .args(server("1d", "{service_name=~\".+\"}"))
                .arg(
                    flag("page", "LINES", "Lines asked for at once [default: 5000]")
                        .value_parser(value_parser!(usize)),
                ),
        ])
}

fn kind(name: &'static str, about: &'static str) -> Command {
    Command::new(name).about(about).args([
        flag("data", "DIR", "The data directory [default: data]")
            .value_parser(value_parser!(PathBuf)),
        flag("tenant", "NAME", "Whose data it becomes [default: default]"),
    ])
}

fn plain() -> Command {
    let layouts = Layout::NAMES.map(|(name, _)| name);
    kind("log-file", "Plain files of logs")
        .arg(files())
        .args(labels())
        .args([
            flag(
                "pattern",
                "PATTERN",
                "How a line looks, as LogQL's pattern stage: '<time> <level> <_>'",
            )
            .required_unless_present("regex"),
            flag(
                "regex",
                "REGEX",
                "The same as a regular expression with named groups",
            )
            .conflicts_with("pattern"),
            flag(
                "time-name",
                "NAME",
                "What in the pattern is the time [default: time]",
            ),
            flag(
                "time-layout",
                "LAYOUT",
                "How times are written [default: any]",
            )
            .value_parser(PossibleValuesParser::new(layouts)),
            flag(
                "year",
                "YEAR",
                "The year of syslog's times [default: the file's]",
            )
            .value_parser(value_parser!(i64)),
            flag(
                "join",
                "",
                "A line that the pattern does not fit belongs to the one before",
            )
            .action(ArgAction::SetTrue),
        ])
}

fn flag(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn source(name: &'static str, help: &'static str) -> Arg {
    Arg::new("SOURCE")
        .value_name(name)
        .required(true)
        .help(help)
}

fn files() -> Arg {
    Arg::new("SOURCE")
        .value_name("FILE")
        .required(true)
        .num_args(1..)
        .help("Files, plain, .gz or .zst")
}

fn labels() -> [Arg; 2] {
    [
        flag("label", "NAME=VALUE", "A label of every line").action(ArgAction::Append),
        flag(
            "label-from",
            "NAME",
            "A field, or a name in the pattern, that is a label",
        )
        .action(ArgAction::Append),
    ]
}

fn server(window: &'static str, selector: &'static str) -> [Arg; 5] {
    [
        time_argument("start", "From when on").required(true),
        time_argument("end", "Until when [default: now]"),
        flag("match", "SELECTOR", "What is wanted").default_value(selector),
        flag("window", "DURATION", "The time asked for at once").default_value(window),
        flag(
            "header",
            "NAME: VALUE",
            "Goes with every request, such as X-Scope-OrgID: a",
        )
        .action(ArgAction::Append),
    ]
}

pub(super) fn run(flags: &ArgMatches) -> ExitCode {
    let Some((name, flags)) = flags.subcommand() else {
        return ExitCode::from(FAILED);
    };
    if let Some(missing) = missing(name, flags) {
        say(&format!(
            "chronolith: there is no {missing}: nothing was imported\n"
        ));
        return ExitCode::from(MISUSED);
    }
    match import(name, flags) {
        Ok(outcome) => {
            let text = outcome.tally.text();
            say(&format!("{text}new        {}\n", outcome.grown));
            match outcome.tally.is_whole() {
                true => ExitCode::SUCCESS,
                false => fail("not everything that was read is stored"),
            }
        }
        Err(fault) => fail(&fault.to_string()),
    }
}

/// A source that is not there. It is looked for before anything is made where data would go.
fn missing<'a>(name: &str, flags: &'a ArgMatches) -> Option<&'a str> {
    let sources = flags.get_many::<String>("SOURCE").into_iter().flatten();
    match name {
        "remote-read" | "loki" => None,
        _ => sources
            .map(String::as_str)
            .find(|source| !Path::new(source).exists()),
    }
}

fn import(name: &str, flags: &ArgMatches) -> Result<Outcome> {
    let given: Vec<String> = flags
        .get_many::<String>("SOURCE")
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let paths: Vec<PathBuf> = given.iter().map(|path| absolute(path)).collect();
    match name {
        "prometheus" => {
            let mut job = open(flags, name, &paths, Into::Metrics)?;
            for path in &paths {
                prometheus::import(&mut job, path)?;
            }
            job.finish()
        }
        "openmetrics" | "text" | "victoriametrics" => {
            let mut job = open(flags, name, &paths, Into::Metrics)?;
            for path in &paths {
                match name {
                    "openmetrics" => metric_files::text(&mut job, path, Dialect::OpenMetrics)?,
                    "text" => metric_files::text(&mut job, path, Dialect::Prometheus)?,
                    _ => metric_files::victoria(&mut job, path)?,
                }
            }
            job.finish()
        }
        "log-lines" => {
            let (labels, from) = (label_pairs(flags)?, many(flags, "label-from"));
            let mut job = open(flags, name, &paths, Into::Logs)?;
            for path in &paths {
                json_logs::import(&mut job, path, &labels, &from)?;
            }
            job.finish()
        }
        "log-file" => {
            let reading = reading(flags)?;
            let mut job = open(flags, name, &paths, Into::Logs)?;
            for path in &paths {
                plain_logs::import(&mut job, path, &reading)?;
            }
            job.finish()
        }
        _ => from_server(name, flags, &given.concat()),
    }
}

fn from_server(name: &str, flags: &ArgMatches, url: &str) -> Result<Outcome> {
    let text = |name: &str| flags.get_one::<String>(name).map_or("", String::as_str);
    let headers = many(flags, "header").into_iter().map(|header| {
        let split = header.split_once(':').ok_or_else(|| {
            Fault::new(format!(
                "--header {header:?} is none: write it like 'Name: value'"
            ))
        });
        split.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
    });
    let remote = Remote::new(url, headers.collect::<Result<_>>()?)?;
    let moment = |name: &str| flags.get_one::<i64>(name).copied();
    let start = moment("start").unwrap_or(0).div_euclid(NANOS_A_MS);
    let end = moment("end")
        .unwrap_or_else(period::now)
        .div_euclid(NANOS_A_MS);
    let window = duration::parse(text("window"))
        .filter(|window| !window.is_zero())
        .ok_or_else(|| Fault::new(format!("--window {:?} is no duration", text("window"))))?;
    let source = [
        PathBuf::from(url),
        text("match").into(),
        start.to_string().into(),
    ];
    if name == "loki" {
        let nanos = |ms: i64| ms.saturating_mul(NANOS_A_MS);
        let wish = LogWish {
            query: text("match").to_owned(),
            start: nanos(start),
            end: nanos(end),
            window: length(window.as_nanos()),
            page: flags.get_one("page").copied().unwrap_or(5000).max(1),
        };
        let mut job = open(flags, name, &source, Into::Logs)?;
        loki::import(&mut job, &remote, &wish)?;
        return job.finish();
    }
    let matchers = parse_selector(text("match"))
        .map_err(|error| Fault::new(format!("--match {}", error.describe(text("match")))))?;
    let wish = Wish {
        matchers,
        start,
        end,
        window: length(window.as_millis()),
    };
    let mut job = open(flags, name, &source, Into::Metrics)?;
    remote_read::import(&mut job, &remote, &wish)?;
    job.finish()
}

fn length(ticks: u128) -> i64 {
    i64::try_from(ticks).unwrap_or(i64::MAX)
}

fn open(flags: &ArgMatches, name: &str, sources: &[PathBuf], into: Into) -> Result<Job> {
    let tenant = flags.get_one::<String>("tenant").cloned();
    let target = Target {
        data: flags
            .get_one("data")
            .cloned()
            .unwrap_or_else(|| "data".into()),
        tenant: tenant.unwrap_or_else(|| chronolith_engine::DEFAULT_TENANT.to_owned()),
    };
    let shown: Vec<String> = sources
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    Job::open(&target, into, &format!("{name} {}", shown.join(" ")))
}

/// A path as the checkpoint knows it, from whichever folder it is given.
fn absolute(path: &str) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| Path::new(path).to_owned())
}

fn many(flags: &ArgMatches, name: &str) -> Vec<String> {
    let given = flags.get_many::<String>(name).into_iter().flatten();
    given.cloned().collect()
}

fn label_pairs(flags: &ArgMatches) -> Result<Pairs> {
    let pairs = many(flags, "label").into_iter().map(|label| {
        let split = label.split_once('=');
        let split = split.map(|(name, value)| (name.to_owned(), value.to_owned()));
        split.ok_or_else(|| Fault::new(format!("--label {label:?} is none: write NAME=VALUE")))
    });
    pairs.collect()
}

fn reading(flags: &ArgMatches) -> Result<Reading> {
    let text = |name: &str| flags.get_one::<String>(name).cloned();
    let stage = match (text("pattern"), text("regex")) {
        (Some(pattern), _) => Stage::Pattern(pattern),
        (None, regex) => Stage::Regexp(regex.unwrap_or_default()),
    };
    let layout = text("time-layout");
    let layout = Layout::NAMES
        .iter()
        .find(|(name, _)| Some(*name) == layout.as_deref());
    Ok(Reading {
        stage,
        time: text("time-name").unwrap_or_else(|| "time".to_owned()),
        layout: layout.map_or(Layout::Any, |(_, layout)| *layout),
        year: flags.get_one("year").copied(),
        labels: label_pairs(flags)?,
        label_names: many(flags, "label-from"),
        unmatched: match flags.get_flag("join") {
            true => Unmatched::Joined,
            false => Unmatched::Refused,
        },
    })
}

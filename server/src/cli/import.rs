//! `import`: other stores' data into a data directory that nobody serves meanwhile.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};

use crate::cli::{FAILED, fail, say};
use crate::transfer::fault::Result;
use crate::transfer::{self, Into, Job, Outcome, Target};

pub(super) fn command() -> Command {
    Command::new("import")
        .about("Bring other stores' data into a data directory that is not being served")
        .after_help(
            "An import that broke off is continued by the same command. It ends with 1 if \
             anything was refused or the counts do not agree.",
        )
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(kind(
            "prometheus",
            "Blocks and write-ahead log of a Prometheus that is stopped, or of a copy",
            [path("DIR", "What its --storage.tsdb.path names")],
        ))
}

fn kind<const N: usize>(name: &'static str, about: &'static str, own: [Arg; N]) -> Command {
    Command::new(name).about(about).args(own).args([
        Arg::new("data")
            .long("data")
            .value_name("DIR")
            .help("The data directory [default: data]")
            .value_parser(value_parser!(PathBuf)),
        Arg::new("tenant")
            .long("tenant")
            .value_name("NAME")
            .help("Whose data it becomes [default: default]"),
    ])
}

fn path(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .required(true)
        .help(help)
        .value_parser(value_parser!(PathBuf))
}

pub(super) fn run(flags: &ArgMatches) -> ExitCode {
    let Some((name, flags)) = flags.subcommand() else {
        return ExitCode::from(FAILED);
    };
    match import(name, flags) {
        Ok(outcome) => {
            say(&told(&outcome));
            match outcome.tally.is_whole() {
                true => ExitCode::SUCCESS,
                false => fail("not everything that was read is stored"),
            }
        }
        Err(fault) => fail(&fault.to_string()),
    }
}

fn told(outcome: &Outcome) -> String {
    let text = outcome.tally.text();
    format!("{text}new        {}\n", outcome.grown)
}

fn target(flags: &ArgMatches) -> Target {
    let data = flags.get_one("data").cloned();
    let tenant = flags.get_one::<String>("tenant").cloned();
    Target {
        data: data.unwrap_or_else(|| PathBuf::from("data")),
        tenant: tenant.unwrap_or_else(|| chronolith_engine::DEFAULT_TENANT.to_owned()),
    }
}

/// A path as the checkpoint knows it, from whichever folder it is given.
fn absolute(path: &std::path::Path) -> String {
    let found = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    found.display().to_string()
}

fn import(name: &str, flags: &ArgMatches) -> Result<Outcome> {
    let target = target(flags);
    let directory: PathBuf = flags.get_one("DIR").cloned().unwrap_or_default();
    let source = format!("{name} {}", absolute(&directory));
    let mut job = Job::open(&target, Into::Metrics, &source)?;
    transfer::import_prometheus(&mut job, &directory)?;
    job.finish()
}

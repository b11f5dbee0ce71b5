//! `check`: whether something makes sense before it is used. Each thing that can be checked is a
//! file of this folder.

mod config;
mod metrics;

use std::process::ExitCode;

use clap::{ArgMatches, Command};

use crate::cli::output;

/// One thing that can be checked.
struct Check {
    command: fn() -> Command,
    run: fn(&ArgMatches) -> ExitCode,
}

/// All of them, as help lists them.
const CHECKS: &[Check] = &[
    Check {
        command: config::command,
        run: config::run,
    },
    Check {
        command: metrics::command,
        run: |flags| output::exit(flags, metrics::check(flags)),
    },
];

/// The flags of `check`.
pub(super) fn command() -> Command {
    Command::new("check")
        .about("Tell whether something makes sense before it is used")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(CHECKS.iter().map(|check| (check.command)()))
}

pub(super) fn run(flags: &ArgMatches) -> ExitCode {
    let Some((name, flags)) = flags.subcommand() else {
        return ExitCode::from(crate::cli::MISUSED);
    };
    let called = CHECKS
        .iter()
        .find(|check| (check.command)().get_name() == name);
    match called {
        Some(check) => (check.run)(flags),
        None => ExitCode::from(crate::cli::MISUSED),
    }
}

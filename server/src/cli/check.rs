//! `check`: looks at files before anything runs with them.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};

use crate::cli::{FAILED, MISUSED, say};
use crate::config;

/// The groups of things that can be checked.
pub(super) fn command() -> Command {
    let file = Arg::new("file")
        .value_name("FILE")
        .required(true)
        .help("The configuration file")
        .value_parser(value_parser!(PathBuf));
    let config = Command::new("config")
        .about("Say which keys or values of a configuration file are wrong, with their lines")
        .arg(file);
    Command::new("check")
        .about("Look at files before anything runs with them")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(config)
}

/// Looks at what the flags name.
pub(super) fn run(flags: &ArgMatches) -> ExitCode {
    match flags.subcommand() {
        Some(("config", flags)) => check_config(flags),
        _ => ExitCode::from(MISUSED),
    }
}

fn check_config(flags: &ArgMatches) -> ExitCode {
    let Some(path) = flags.get_one::<PathBuf>("file") else {
        return ExitCode::from(MISUSED);
    };
    match config::check_file(path, super::serve::environment()) {
        Ok(count) => {
            say(&format!(
                "{}: {count} settings, all right\n",
                path.display()
            ));
            ExitCode::SUCCESS
        }
        Err(complaints) => {
            say(&format!("{complaints}\n"));
            ExitCode::from(FAILED)
        }
    }
}

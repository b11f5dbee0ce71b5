//! `check config`: a configuration file, before anything runs with it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};

use crate::cli::{FAILED, MISUSED, say};
use crate::config;

/// Its flags.
pub(super) fn command() -> Command {
    let file = Arg::new("file")
        .value_name("FILE")
        .required(true)
        .help("The configuration file")
        .value_parser(value_parser!(PathBuf));
    Command::new("config")
        .about("Say which keys or values of a configuration file are wrong, with their lines")
        .arg(file)
}

/// Looks at the file.
pub(super) fn run(flags: &ArgMatches) -> ExitCode {
    let Some(path) = flags.get_one::<PathBuf>("file") else {
        return ExitCode::from(MISUSED);
    };
    match config::check_file(path, crate::cli::serve::environment()) {
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

//! `check config`: a configuration file, before anything runs with it.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};

use crate::cli::{FAILED, MISUSED, say};
use crate::config;
use crate::security::Security;

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
    let looked = config::check_file(path, crate::cli::serve::environment());
    // The file that says who may ask is part of it, with the certificates that it names.
    let checked = looked.map_err(|complaints| complaints.to_string());
    let checked = checked.and_then(|(settings, count)| {
        Security::open(&settings).map_err(|why| format!("web_config_file: {why}"))?;
        Ok(count)
    });
    match checked {
        Ok(count) => {
            say(&format!(
                "{}: {count} settings, all right\n",
                path.display()
            ));
            ExitCode::SUCCESS
        }
        Err(why) => {
            say(&format!("{why}\n"));
            ExitCode::from(FAILED)
        }
    }
}

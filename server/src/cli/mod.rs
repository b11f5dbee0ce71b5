//! The command line: which commands there are, and what the process ends with.
//!
//! A command is a file of this room: the flags that it takes, and what it does with them.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{ArgMatches, Command};

mod access;
mod bench;
mod check;
mod export;
mod holdings;
mod import;
mod logs;
mod names;
mod notation;
mod output;
mod period;
mod progress;
mod push;
mod query;
mod query_range;
mod samples;
mod serve;
mod shell;
mod table;
mod upkeep;

/// What the process ends with if it could not do what it was asked to.
pub(crate) const FAILED: u8 = 1;
/// What it ends with if it did not understand what it was asked to do.
pub(crate) const MISUSED: u8 = 2;
/// What it ends with if there was no result and that was to be told.
pub(crate) const EMPTY: u8 = 3;

/// One command of the program.
struct Verb {
    /// Its flags, and what help says of it. Its name is the word that calls it.
    command: fn() -> Command,
    run: fn(&ArgMatches) -> ExitCode,
}

/// All commands, as help lists them.
const VERBS: &[Verb] = &[
    Verb::new(serve::command, serve::run),
    Verb::new(query::command, query::run),
    Verb::new(query_range::command, query_range::run),
    Verb::new(names::labels_command, names::run_labels),
    Verb::new(names::series_command, names::run_series),
    Verb::new(logs::command, logs::run),
    Verb::new(push::command, push::run),
    Verb::new(holdings::stats_command, holdings::run_stats),
    Verb::new(holdings::cardinality_command, holdings::run_cardinality),
    Verb::new(upkeep::backup_command, upkeep::run_backup),
    Verb::new(upkeep::verify_command, upkeep::run_verify),
    Verb::new(upkeep::repair_command, upkeep::run_repair),
    Verb::new(import::command, import::run),
    Verb::new(export::command, export::run),
    Verb::new(check::command, check::run),
    Verb::new(bench::command, bench::run),
    Verb::new(shell::completion_command, shell::run_completion),
    Verb::new(shell::man_command, shell::run_man),
];

impl Verb {
    const fn new(command: fn() -> Command, run: fn(&ArgMatches) -> ExitCode) -> Verb {
        Verb { command, run }
    }
}

/// What help says below everything else.
const AFTER_HELP: &str = "\
Commands end with 0 if all went well, 1 if they failed, 2 if they were misused, and 3 if there was
no result and --fail-empty asks for that.";

/// Runs the program with its arguments, the first of which is its name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let matches = match program().try_get_matches_from(arguments) {
        Ok(matches) => matches,
        Err(error) => {
            let is_mistake = error.use_stderr();
            let text = error.render().to_string();
            return if is_mistake {
                say(&text);
                ExitCode::from(MISUSED)
            } else {
                let _ = std::io::stdout().write_all(text.as_bytes());
                ExitCode::SUCCESS
            };
        }
    };
    let called = matches.subcommand().and_then(|(name, flags)| {
        let verb = VERBS
            .iter()
            .find(|verb| (verb.command)().get_name() == name);
        verb.map(|verb| (verb.run)(flags))
    });
    called.unwrap_or(ExitCode::from(MISUSED))
}

/// The whole command line, for help, completion and the manual.
pub(crate) fn program() -> Command {
    Command::new("chronolith")
        .about("One store for metrics and logs, behind the APIs of Prometheus and Loki")
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(AFTER_HELP)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands(VERBS.iter().map(|verb| (verb.command)()))
}

/// Says why it did not go well, and what the process ends with.
pub(crate) fn fail(why: &str) -> ExitCode {
    say(&format!("chronolith: {why}\n"));
    ExitCode::from(FAILED)
}

/// Says something to whoever started the process; nobody has to listen.
pub(crate) fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

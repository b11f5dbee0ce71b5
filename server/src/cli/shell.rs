//! `completion` and `man`: the command line told to shells and to readers of manuals.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::output::{self, Found, Out, Stop};
use crate::cli::program;
use crate::reach::Failure;

/// The flags of `completion`.
pub(super) fn completion_command() -> Command {
    Command::new("completion")
        .about("Print a script that completes commands and flags in a shell")
        .arg(
            Arg::new("shell")
                .value_name("SHELL")
                .required(true)
                .value_parser(value_parser!(Shell))
                .help("Which shell"),
        )
}

/// The flags of `man`.
pub(super) fn man_command() -> Command {
    Command::new("man")
        .about("Print the manual page, or write the pages of all commands into a folder")
        .arg(
            Arg::new("folder")
                .value_name("FOLDER")
                .value_parser(value_parser!(PathBuf))
                .help("Where chronolith.1, chronolith-query.1 and so on go"),
        )
}

pub(super) fn run_completion(flags: &ArgMatches) -> ExitCode {
    output::exit(flags, completion(flags))
}

pub(super) fn run_man(flags: &ArgMatches) -> ExitCode {
    output::exit(flags, man(flags))
}

fn completion(flags: &ArgMatches) -> Result<Found, Stop> {
    let mut script = Vec::new();
    if let Some(shell) = flags.get_one::<Shell>("shell").copied() {
        let mut program = program();
        let name = program.get_name().to_owned();
        clap_complete::generate(shell, &mut program, name, &mut script);
    }
    said(&script)
}

fn man(flags: &ArgMatches) -> Result<Found, Stop> {
    match flags.get_one::<PathBuf>("folder") {
        None => said(&page(program())?),
        Some(folder) => {
            let mut program = program().disable_help_subcommand(true);
            program.build();
            write_pages(folder, &program, "")?;
            Ok(Found::Something)
        }
    }
}

fn said(text: &[u8]) -> Result<Found, Stop> {
    let mut out = Out::open();
    out.text(&String::from_utf8_lossy(text))?;
    out.flush()?;
    Ok(Found::Something)
}

/// The page of one command.
fn page(command: Command) -> Result<Vec<u8>, Failure> {
    let mut page = Vec::new();
    let written = Man::new(command).render(&mut page);
    written.map_err(|error| Failure::broken(format!("cannot write a manual page: {error}")))?;
    Ok(page)
}

/// Writes the page of a command, and those of the commands below it.
fn write_pages(folder: &Path, command: &Command, above: &str) -> Result<(), Failure> {
    let name = match above {
        "" => command.get_name().to_owned(),
        above => format!("{above}-{}", command.get_name()),
    };
    let path = folder.join(format!("{name}.1"));
    let failed = |error| Failure::broken(format!("cannot write {}: {error}", path.display()));
    std::fs::create_dir_all(folder).map_err(failed)?;
    // A page is found by its title, which says all words of the command.
    let titled = command.clone().display_name(&name);
    std::fs::write(&path, page(titled)?).map_err(failed)?;
    for below in command.get_subcommands() {
        write_pages(folder, below, &name)?;
    }
    Ok(())
}

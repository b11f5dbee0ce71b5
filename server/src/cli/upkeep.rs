//! `backup`, `verify` and `repair`: what an operator does with a data directory.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bytes::Bytes;
use chronolith_engine::operations::{RepairReport, Verification};
use chronolith_engine::{Engine, Options};
use clap::{Arg, ArgMatches, Command, value_parser};

use crate::cli::access;
use crate::cli::holdings::bytes_text;
use crate::cli::output::{self, Found, Out, Stop};
use crate::cli::progress::Progress;
use crate::reach::{Access, Door, Failure, Reach, exists, explained, open_engine, read_whole};

/// The flags of `backup`.
pub(super) fn backup_command() -> Command {
    Command::new("backup")
        .about("Make a copy that is a data directory of its own, while a server runs or without")
        .arg(
            Arg::new("folder")
                .value_name("FOLDER")
                .value_parser(value_parser!(PathBuf))
                .help("With --data, where it goes: empty or missing. A server chooses itself"),
        )
        .args(access::arguments())
}

/// The flags of `verify`.
pub(super) fn verify_command() -> Command {
    Command::new("verify")
        .about("Read everything in a data directory or a backup and tell what is damaged")
        .arg(data())
}

/// The flags of `repair`.
pub(super) fn repair_command() -> Command {
    Command::new("repair")
        .about("Take what is damaged out of a data directory; nothing is thrown away")
        .arg(data())
}

fn data() -> Arg {
    Arg::new("data")
        .long("data")
        .value_name("DIR")
        .value_parser(value_parser!(PathBuf))
        .default_value("data")
        .help("The data directory")
}

pub(super) fn run_backup(flags: &ArgMatches) -> ExitCode {
    output::exit(flags, backup(flags))
}

pub(super) fn run_verify(flags: &ArgMatches) -> ExitCode {
    output::exit(flags, verify(flags))
}

pub(super) fn run_repair(flags: &ArgMatches) -> ExitCode {
    output::exit(flags, repair(flags))
}

fn backup(flags: &ArgMatches) -> Result<Found, Stop> {
    let folder = flags.get_one::<PathBuf>("folder");
    let progress = Progress::start("backing up", "");
    let text = match (access::directory(flags), folder) {
        (Some(data), Some(folder)) => copy(data, folder)?,
        (Some(_), None) => {
            return Err(
                Failure::misused("name the folder that the backup of --data goes to").into(),
            );
        }
        (None, Some(_)) => {
            let why = "a server puts its backups beside its data directory: leave the folder out, \
                       or name a directory that no server has open with --data";
            return Err(Failure::misused(why).into());
        }
        (None, None) => {
            let reach = access::open(flags, Door::Prometheus, Access::Read)?;
            snapshot(&reach)?
        }
    };
    drop(progress);
    said(&text)
}

fn said(text: &str) -> Result<Found, Stop> {
    let mut out = Out::open();
    out.text(text)?;
    out.flush()?;
    Ok(Found::Something)
}

/// Backs up a directory that nobody has open.
fn copy(data: &Path, folder: &Path) -> Result<String, Failure> {
    exists(data)?;
    let engine = open_engine(data, Access::Write)?;
    let report = engine.backup(folder).map_err(|error| {
        Failure::broken(format!("cannot back up to {}: {error}", folder.display()))
    })?;
    engine.close().map_err(|error| explained(data, &error))?;
    let mut text = format!(
        "{}: {} blocks of {}, {} of them copied and the others linked, and {} of log\n",
        folder.display(),
        report.blocks,
        bytes_text(report.block_bytes),
        report.blocks_copied,
        bytes_text(report.log_bytes)
    );
    for damage in &report.damage {
        text += &format!("damaged already, and so not in the backup: {damage}\n");
    }
    Ok(text)
}

/// Has a server make one, and tells where it is.
fn snapshot(reach: &Reach) -> Result<String, Failure> {
    let door = Door::Prometheus;
    let answer = reach.post(door, "/api/v1/admin/tsdb/snapshot", &[], Bytes::new())?;
    let made = read_whole(answer)?;
    let place = made["path"].as_str().or(made["name"].as_str());
    Ok(format!("{}\n", place.unwrap_or_default()))
}

/// The data directory that the flags name.
fn named(flags: &ArgMatches) -> Result<&Path, Failure> {
    let path = flags.get_one::<PathBuf>("data").map(PathBuf::as_path);
    let path = path.unwrap_or(Path::new("data"));
    exists(path)?;
    Ok(path)
}

fn verify(flags: &ArgMatches) -> Result<Found, Stop> {
    let path = named(flags)?;
    let progress = Progress::start("verifying", "");
    let found = open_engine(path, Access::Read)?
        .verify()
        .map_err(|error| explained(path, &error))?;
    drop(progress);
    said(&checked(&found))?;
    match found.damage.len() {
        0 => Ok(Found::Something),
        count => Err(Failure::broken(format!(
            "{} has {count} damaged places: restore a backup, or stop its server and take them \
             out with `chronolith repair`",
            path.display()
        ))
        .into()),
    }
}

fn checked(found: &Verification) -> String {
    let mut text = format!(
        "read {}: {} stores, {} blocks with {} series and {} entries, {} records of log\n",
        bytes_text(found.bytes),
        found.stores,
        found.blocks,
        found.series,
        found.entries,
        found.log_records
    );
    if found.log_torn_bytes > 0 {
        text += &format!(
            "the log ends with {} bytes that are no whole record, as after a crash\n",
            found.log_torn_bytes
        );
    }
    for path in &found.litter {
        text += &format!("nothing names {}, which does no harm\n", path.display());
    }
    for damage in &found.damage {
        text += &format!("damaged: {damage}\n");
    }
    if found.is_sound() {
        text += "nothing is damaged\n";
    }
    text
}

fn repair(flags: &ArgMatches) -> Result<Found, Stop> {
    let path = named(flags)?;
    let progress = Progress::start("repairing", "");
    let report =
        Engine::repair(path, Options::default()).map_err(|error| explained(path, &error))?;
    drop(progress);
    said(&repaired(&report))
}

fn repaired(report: &RepairReport) -> String {
    if report.is_sound() {
        return "nothing is damaged, and nothing was changed\n".to_owned();
    }
    let mut text = String::new();
    for block in &report.blocks {
        text += &format!(
            "block {}: {} entries of {} series are lost\n",
            block.path.display(),
            block.entries_lost,
            block.series_lost
        );
        for error in &block.errors {
            text += &format!("  {error}\n");
        }
        for series in &block.series {
            text += &format!(
                "  {} entries of {}\n",
                series.entries,
                series.labels.as_labels()
            );
        }
    }
    for error in &report.manifests {
        text += &format!("manifest: {error}\n");
    }
    if report.recovered_blocks > 0 {
        text += &format!(
            "{} blocks that no manifest named are back\n",
            report.recovered_blocks
        );
    }
    for damage in &report.log {
        text += &format!("log: {}\n", damage.error);
        if let Some((first, last)) = damage.records {
            text += &format!("  the records {first} to {last} are lost\n");
        }
    }
    for path in &report.set_aside {
        text += &format!("set aside: {}\n", path.display());
    }
    text
}

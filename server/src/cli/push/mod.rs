//! `push`: samples as text, or lines of a log, to a server or into a data directory.
//!
//! What is read goes in batches. A batch that finds the server busy or away is sent again, with the
//! times that it had, so nothing is stored twice.

mod input;
mod sender;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use serde_json::{Value, json};

use crate::cli::access;
use crate::cli::output::{self, Found, Stop};
use crate::cli::period::{length_argument, now};
use crate::cli::progress::Progress;
use crate::cli::say;
use crate::reach::{Access, Door, Failure};

use input::{Batch, Input};
use sender::{Sender, Sent};

const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];
const TEXT: [(&str, &str); 1] = [("Content-Type", "text/plain; version=0.0.4")];

/// How long a server may be away or busy if nobody says so.
const RETRY_FOR: Duration = Duration::from_secs(60);

/// The flags of `push`.
pub(super) fn command() -> Command {
    Command::new("push")
        .about("Send samples or log lines from files or standard input")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(shared(Command::new("metrics").about(
            "Send samples in Prometheus' text format; those without a time get the present",
        )))
        .subcommand(
            shared(
                Command::new("logs").about("Send lines, each with the time at which it is read"),
            )
            .arg(
                Arg::new("label")
                    .long("label")
                    .short('l')
                    .value_name("NAME=VALUE")
                    .action(ArgAction::Append)
                    .required(true)
                    .help("A label of the stream; one at least"),
            ),
        )
}

fn shared(command: Command) -> Command {
    command
        .arg(
            Arg::new("file")
                .value_name("FILE")
                .action(ArgAction::Append)
                .value_parser(value_parser!(PathBuf))
                .help("What is sent [default: standard input]"),
        )
        .arg(length_argument(
            "retry-for",
            format!(
                "How long a batch is tried again while the server is away or busy [default: {}]",
                crate::duration::format(RETRY_FOR)
            ),
        ))
        .args(access::arguments())
}

pub(super) fn run(flags: &ArgMatches) -> ExitCode {
    match flags.subcommand() {
        Some(("metrics", flags)) => output::exit(flags, push_metrics(flags)),
        Some(("logs", flags)) => output::exit(flags, push_logs(flags)),
        _ => ExitCode::from(crate::cli::MISUSED),
    }
}

fn input(flags: &ArgMatches) -> Result<Input, Failure> {
    let files = flags.get_many::<PathBuf>("file").into_iter().flatten();
    Input::open(files.cloned().collect())
}

fn retry_for(flags: &ArgMatches) -> Duration {
    let told = flags.get_one::<Duration>("retry-for").copied();
    told.unwrap_or(RETRY_FOR)
}

fn push_metrics(flags: &ArgMatches) -> Result<Found, Stop> {
    let mut input = input(flags)?;
    let reach = access::open(flags, Door::Prometheus, Access::Write)?;
    let progress = Progress::start("pushing samples", "lines");
    let mut sender = Sender::new(&reach, retry_for(flags));
    // One time for all, so that a batch that is sent again is the same.
    let target = format!("/api/v1/import/prometheus?timestamp={}", now() / 1_000_000);
    let mut tally = Tally::default();
    while let Some(batch) = input.next()? {
        let body = batch
            .lines
            .iter()
            .fold(String::new(), |body, line| body + &line.text + "\n");
        let sent = sender.send(Door::Prometheus, &target, &TEXT, body.into());
        tally.note(&batch, sent)?;
        progress.add(batch.lines.len() as u64);
    }
    drop(progress);
    tally.end()
}

fn push_logs(flags: &ArgMatches) -> Result<Found, Stop> {
    let labels = labels(flags)?;
    let mut input = input(flags)?;
    let reach = access::open(flags, Door::Loki, Access::Write)?;
    let progress = Progress::start("pushing", "lines");
    let mut sender = Sender::new(&reach, retry_for(flags));
    let mut tally = Tally::default();
    while let Some(batch) = input.next()? {
        let entries = batch.lines.iter().filter(|line| !line.text.is_empty());
        let values: Vec<Value> = entries
            .map(|line| json!([line.time.to_string(), line.text]))
            .collect();
        if !values.is_empty() {
            let body = json!({"streams": [{"stream": labels, "values": values}]}).to_string();
            let sent = sender.send(Door::Loki, "/loki/api/v1/push", &JSON, Bytes::from(body));
            tally.note(&batch, sent)?;
        }
        progress.add(batch.lines.len() as u64);
    }
    drop(progress);
    tally.end()
}

/// The labels of the stream.
fn labels(flags: &ArgMatches) -> Result<Value, Failure> {
    let mut labels = serde_json::Map::new();
    for pair in flags.get_many::<String>("label").into_iter().flatten() {
        match pair.split_once('=') {
            Some((name, value)) if !name.is_empty() && !value.is_empty() => {
                labels.insert(name.to_owned(), value.into());
            }
            _ => {
                let why = format!("{pair:?} is no label: write --label name=value");
                return Err(Failure::misused(why));
            }
        }
    }
    Ok(labels.into())
}

/// What became of the batches.
#[derive(Default)]
struct Tally {
    lines: u64,
    refused: u64,
}

impl Tally {
    /// Counts a batch. One that was refused, whole or in part, is told and the next ones go on.
    fn note(&mut self, batch: &Batch, sent: Result<Sent, Failure>) -> Result<(), Failure> {
        let (first, count) = (batch.first_line, batch.lines.len() as u64);
        let last = first + count - 1;
        match sent {
            Ok(Sent::Stored) => self.lines += count,
            Ok(Sent::Refused(why)) => {
                self.refused += 1;
                let why = in_file(&why, first);
                say(&format!("chronolith: of lines {first} to {last}: {why}\n"));
            }
            Err(failure) => {
                let stored = self.lines;
                return Err(Failure::new(
                    failure.cause(),
                    format!(
                        "{failure}; {stored} lines were pushed before, begin again with line \
                         {first}"
                    ),
                ));
            }
        }
        Ok(())
    }

    fn end(self) -> Result<Found, Stop> {
        match self.refused {
            0 => {
                say(&format!("chronolith: pushed {} lines\n", self.lines));
                Ok(Found::from_count(self.lines))
            }
            refused => Err(Failure::broken(format!(
                "{} lines were pushed whole; {refused} batches were refused, or some of what is in \
                 them",
                self.lines
            ))
            .into()),
        }
    }
}

/// A reason that begins with the line of its batch, with that of the file instead.
fn in_file(why: &str, first: u64) -> String {
    let told = why.strip_prefix("line ").and_then(|rest| {
        let (number, rest) = rest.split_once(':')?;
        let number: u64 = number.parse().ok()?;
        Some(format!("line {}:{rest}", number + first - 1))
    });
    told.unwrap_or_else(|| why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_batch_becomes_that_of_the_file() {
        assert_eq!(in_file("line 3: no value", 1001), "line 1003: no value");
        assert_eq!(in_file("lines are long", 1001), "lines are long");
    }
}

//! `query`: a PromQL expression at one time.

use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};

use crate::cli::access;
use crate::cli::output::{self, Format, Found, Out, Stop};
use crate::cli::period::{self, time_argument};
use crate::cli::progress::Progress;
use crate::cli::samples::{self, Samples};
use crate::reach::{Access, Answer, Door, read_items};

/// The flags of `query`.
pub(super) fn command() -> Command {
    Command::new("query")
        .about("Evaluate a PromQL expression at one time")
        .arg(expression())
        .arg(time_argument("time", "When [default: now]"))
        .args(shared_arguments())
        .args(access::arguments())
}

/// The expression.
pub(super) fn expression() -> Arg {
    Arg::new("expr")
        .value_name("EXPR")
        .required(true)
        .help("The expression, such as 'rate(http_requests_total[5m])'")
}

/// The flags that all queries for numbers have.
pub(super) fn shared_arguments() -> [Arg; 3] {
    [
        output::format_argument(),
        samples::utc_argument(),
        output::fail_empty(),
    ]
}

pub(super) fn run(flags: &ArgMatches) -> ExitCode {
    output::exit(flags, query(flags))
}

fn query(flags: &ArgMatches) -> Result<Found, Stop> {
    let reach = access::open(flags, Door::Prometheus, Access::Read)?;
    let time = flags.get_one::<i64>("time").copied();
    let time = period::seconds(time.unwrap_or_else(period::now));
    let progress = Progress::start("querying", "series");
    let parameters = [("query", expression_of(flags)), ("time", &time)];
    let answer = reach.ask(Door::Prometheus, "/api/v1/query", &parameters)?;
    show(answer, flags, output::format(flags), &progress)
}

/// The expression that the flags have.
pub(super) fn expression_of(flags: &ArgMatches) -> &str {
    flags.get_one::<String>("expr").map_or("", String::as_str)
}

/// Shows an answer as it comes.
pub(super) fn show(
    answer: Answer,
    flags: &ArgMatches,
    format: Format,
    progress: &Progress,
) -> Result<Found, Stop> {
    show_on(&mut Out::open(), answer, flags, format, progress)
}

/// Shows an answer on an output that is open already.
pub(super) fn show_on(
    out: &mut Out,
    answer: Answer,
    flags: &ArgMatches,
    format: Format,
    progress: &Progress,
) -> Result<Found, Stop> {
    if out.is_terminal() {
        progress.hide();
    }
    let mut samples = Samples::begin(out, format, samples::times(flags))?;
    let notes = read_items::<Stop>(answer, |item| {
        progress.add(1);
        samples.show(out, item)
    })?;
    let count = samples.end(out)?;
    output::tell(&notes);
    Ok(Found::from_count(count))
}

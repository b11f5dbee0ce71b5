//! `query-range`: a PromQL expression at each step of a range.

use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgMatches, Command};

use crate::cli::output::{self, Found, Stop};
use crate::cli::period::{self, Period};
use crate::cli::progress::Progress;
use crate::cli::{access, query};
use crate::duration;
use crate::reach::{Access, Door};

/// Steps of a range if nobody says how long one is.
const STEPS: i64 = 250;

const SECOND: i64 = 1_000_000_000;

/// The flags of `query-range`.
pub(super) fn command() -> Command {
    Command::new("query-range")
        .about("Evaluate a PromQL expression at each step of a range of time")
        .arg(query::expression())
        .args(period::arguments())
        .arg(period::length_argument(
            "step",
            format!("From one step to the next [default: a {STEPS}th of the range]"),
        ))
        .args(query::shared_arguments())
        .args(access::arguments())
}

pub(super) fn run(flags: &ArgMatches) -> ExitCode {
    output::exit(flags, query_range(flags))
}

fn query_range(flags: &ArgMatches) -> Result<Found, Stop> {
    let period = Period::read(flags)?;
    let step = step(flags, period);
    let reach = access::open(flags, Door::Prometheus, Access::Read)?;
    let progress = Progress::start("querying", "series");
    let (from, to) = (period::seconds(period.from), period::seconds(period.to));
    let parameters = [
        ("query", query::expression_of(flags)),
        ("start", &from),
        ("end", &to),
        ("step", &step),
    ];
    let answer = reach.ask(Door::Prometheus, "/api/v1/query_range", &parameters)?;
    query::show(answer, flags, output::format(flags), &progress)
}

/// The step that is asked for, or whole seconds that divide the range into about `STEPS`.
pub(super) fn step(flags: &ArgMatches, period: Period) -> String {
    match flags.get_one::<Duration>("step") {
        Some(step) => duration::format(*step),
        None => {
            let seconds = period.to.saturating_sub(period.from) / SECOND / STEPS;
            format!("{}s", seconds.max(1))
        }
    }
}

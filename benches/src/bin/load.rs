//! Writers and readers at once at the release build of the server, through HTTP; `docs/testing.md`
//! says what must hold.
//!
//! Ends with 1 if anything that was acknowledged is missing or doubled, if a request is answered
//! with what it should not be, or if memory is over its budget.

use std::process::ExitCode;
use std::time::Duration;

use chronolith_benches::loads::say;
use chronolith_benches::process::RunDirectory;
use chronolith_benches::traffic::{Length, Limits, Traffic, built_beside};

const USAGE: &str = "load [--minutes N | --seconds N | --pushes N] [--writers N] [--readers N] \
                     [--kills N] [--series N] [--lines N] [--writer-pause MS] [--reader-pause MS] \
                     [--memory-max MIB] [--seed N] [--low-limits] [-- FLAGS OF THE SERVER]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<bool, Box<dyn std::error::Error>> {
    let directory = RunDirectory::new("load");
    let mut traffic = Traffic::new(built_beside()?, directory.path().join("data"));
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match &argument[..] {
            "--low-limits" => traffic.limits = Limits::Low,
            "--" => traffic.flags = arguments.by_ref().cloned().collect(),
            option => {
                let number: u64 = arguments.next().ok_or(USAGE)?.parse()?;
                set(&mut traffic, option, number)?;
            }
        }
    }
    let mut report = traffic.run()?;
    for line in report.lines() {
        say(&line);
    }
    Ok(report.is_good())
}

fn set(traffic: &mut Traffic, option: &str, number: u64) -> Result<(), &'static str> {
    let count = usize::try_from(number).map_err(|_| USAGE)?;
    let lasting = |seconds| Length::Lasting(Duration::from_secs(seconds));
    match option {
        "--minutes" => traffic.length = lasting(number * 60),
        "--seconds" => traffic.length = lasting(number),
        "--pushes" => traffic.length = Length::Pushes(number),
        "--writers" => traffic.writers = count,
        "--readers" => traffic.readers = count,
        "--kills" => traffic.kills = number,
        "--series" => traffic.series = count,
        "--lines" => traffic.lines = count,
        "--writer-pause" => traffic.writer_pause = Duration::from_millis(number),
        "--reader-pause" => traffic.reader_pause = Duration::from_millis(number),
        "--memory-max" => traffic.memory_bytes_max = number << 20,
        "--seed" => traffic.seed = number,
        _ => return Err(USAGE),
    }
    Ok(())
}

//! What a command says: to standard output, in the form that was asked for, until whoever reads it
//! has had enough.

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};
use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgMatches};

use crate::cli::{EMPTY, FAILED, MISUSED, say};
use crate::reach::{Cause, Failure, Notes};

/// Why a command ends before its end.
#[derive(Debug)]
pub(crate) enum Stop {
    /// It failed.
    Failure(Failure),
    /// Nobody reads what it writes any more, which is no failure.
    Closed,
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Stop::Failure(failure)
    }
}

/// What a command found. Only those who ask for it end differently without a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Something,
    Nothing,
}

impl Found {
    pub(crate) fn from_count(count: u64) -> Found {
        match count {
            0 => Found::Nothing,
            _ => Found::Something,
        }
    }
}

/// The flag by which a script learns that there was no result.
pub(super) fn fail_empty() -> Arg {
    Arg::new("fail-empty")
        .long("fail-empty")
        .action(ArgAction::SetTrue)
        .help("End with 3 if there is no result")
}

/// What the process ends with.
pub(super) fn exit(flags: &ArgMatches, outcome: Result<Found, Stop>) -> ExitCode {
    match outcome {
        Ok(Found::Something) | Err(Stop::Closed) => ExitCode::SUCCESS,
        Ok(Found::Nothing) => {
            let minds = flags.try_get_one::<bool>("fail-empty");
            match minds.ok().flatten() {
                Some(true) => ExitCode::from(EMPTY),
                _ => ExitCode::SUCCESS,
            }
        }
        Err(Stop::Failure(failure)) => {
            say(&format!("chronolith: {failure}\n"));
            ExitCode::from(match failure.cause() {
                Cause::Misused => MISUSED,
                _ => FAILED,
            })
        }
    }
}

/// The form of what is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// Aligned columns.
    Table,
    Json,
    Csv,
}

/// The flag that chooses it.
pub(super) fn format_argument() -> Arg {
    Arg::new("output")
        .long("output")
        .short('o')
        .value_name("FORM")
        .value_parser(["table", "json", "csv"])
        .default_value("table")
        .help("How results are shown")
}

/// What it says.
pub(super) fn format(flags: &ArgMatches) -> Format {
    match flags.get_one::<String>("output").map(String::as_str) {
        Some("json") => Format::Json,
        Some("csv") => Format::Csv,
        _ => Format::Table,
    }
}

/// Standard output.
pub(crate) struct Out {
    writer: BufWriter<StdoutLock<'static>>,
    is_terminal: bool,
}

impl Out {
    pub(crate) fn open() -> Out {
        let stdout = io::stdout();
        Out {
            is_terminal: stdout.is_terminal(),
            writer: BufWriter::with_capacity(64 << 10, stdout.lock()),
        }
    }

    /// Whether a person sees it at once.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    pub(crate) fn text(&mut self, text: &str) -> Result<(), Stop> {
        self.writer.write_all(text.as_bytes()).map_err(stopped)
    }

    /// Shows what has been said so far.
    pub(crate) fn flush(&mut self) -> Result<(), Stop> {
        self.writer.flush().map_err(stopped)
    }
}

fn stopped(error: io::Error) -> Stop {
    match error.kind() {
        io::ErrorKind::BrokenPipe => Stop::Closed,
        _ => Failure::broken(format!("cannot write to standard output: {error}")).into(),
    }
}

/// Tells what a server said beside its answer.
pub(super) fn tell(notes: &Notes) {
    for warning in &notes.warnings {
        say(&format!("chronolith: warning: {warning}\n"));
    }
    for note in &notes.infos {
        say(&format!("chronolith: note: {note}\n"));
    }
}

/// Elements as a list in JSON, one a line.
pub(super) struct JsonList {
    count: u64,
}

impl JsonList {
    pub(super) fn begin(out: &mut Out) -> Result<JsonList, Stop> {
        out.text("[")?;
        Ok(JsonList { count: 0 })
    }

    pub(super) fn add(&mut self, out: &mut Out, element: &str) -> Result<(), Stop> {
        out.text(if self.count == 0 { "\n" } else { ",\n" })?;
        self.count += 1;
        out.text(element)
    }

    pub(super) fn end(&self, out: &mut Out) -> Result<(), Stop> {
        out.text(if self.count == 0 { "]\n" } else { "\n]\n" })?;
        out.flush()
    }
}

//! Measures another database on the input of a load, and then this engine on the same.
//!
//! `docs/benchmarks.md` says which command measures what.

use std::process::ExitCode;

use chronolith_benches::{compare, loads};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match compare::run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            loads::say(&format!("failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

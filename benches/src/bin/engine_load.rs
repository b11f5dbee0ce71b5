//! Whole-process loads on one engine: each sub-command prints one line a figure.
//!
//! `docs/benchmarks.md` says which command measures which promise.

use std::process::ExitCode;

use chronolith_benches::loads::{self, Load};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = Load::parse(&arguments).and_then(|load| loads::run(&load));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            loads::say(&format!("failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

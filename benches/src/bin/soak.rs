//! Soaks the engine for so many seconds, and fails where memory, files or disk go on rising.

use std::process::ExitCode;
use std::time::Duration;

use chronolith_benches::{loads, soak};

/// Twenty minutes, if nothing else is said.
const SECONDS: u64 = 20 * 60;

fn main() -> ExitCode {
    let seconds = std::env::args().nth(1).map(|text| text.parse::<u64>());
    let Ok(seconds) = seconds.unwrap_or(Ok(SECONDS)) else {
        loads::say("give the duration in seconds");
        return ExitCode::FAILURE;
    };
    match soak::run(Duration::from_secs(seconds)) {
        Ok(true) => {
            loads::say("settled");
            ExitCode::SUCCESS
        }
        Ok(false) => {
            loads::say("not settled");
            ExitCode::FAILURE
        }
        Err(error) => {
            loads::say(&format!("failed: {error}"));
            ExitCode::FAILURE
        }
    }
}

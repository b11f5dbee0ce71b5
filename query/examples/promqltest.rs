//! Runs scripts of Prometheus' test language: `promqltest FILE...`.
#![allow(clippy::print_stdout, clippy::print_stderr)] // A command-line tool speaks on its streams.

use std::process::ExitCode;

use chronolith_query::promql::script;

fn main() -> ExitCode {
    let (mut passed, mut failed) = (0, 0);
    for path in std::env::args().skip(1) {
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                eprintln!("{path}: {error}");
                failed += 1;
                continue;
            }
        };
        let report = script::run(&text);
        for failure in &report.failures {
            println!("{path}:{}: {}", failure.line, failure.message);
        }
        println!(
            "{path}: {} passed, {} failed",
            report.passed,
            report.failures.len()
        );
        passed += report.passed;
        failed += report.failures.len();
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

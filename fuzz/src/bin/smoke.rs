//! Seeded mutations of the corpus over all targets for a number of seconds, on plain stable.
//!
//! `smoke [SECONDS] [SEED] [TARGET]`: the seed is printed, and the input under test is written out
//! before a panic unwinds, so that a failure is kept as a file that the replay test runs again.
#![allow(clippy::print_stdout, clippy::print_stderr)] // A command-line tool speaks on its streams.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use chronolith_fuzz::{Mutator, TARGETS, Target, corpus};

/// A look at the clock is dear beside a short input: one look per so many inputs.
const INPUTS_PER_LOOK: u64 = 256;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let seconds = arguments
        .next()
        .map_or(Some(60), |text| text.parse::<u64>().ok());
    let seed = arguments
        .next()
        .map_or(Some(1), |text| text.parse::<u64>().ok());
    let only = arguments.next();
    let (Some(seconds), Some(seed)) = (seconds, seed) else {
        eprintln!("usage: smoke [SECONDS] [SEED] [TARGET]");
        return ExitCode::FAILURE;
    };
    let chosen = TARGETS
        .iter()
        .filter(|(name, _)| only.as_deref().is_none_or(|only| only == *name));
    let chosen: Vec<_> = chosen.collect();
    let Some(share) = Duration::from_secs(seconds).checked_div(chosen.len() as u32) else {
        eprintln!("no target of that name");
        return ExitCode::FAILURE;
    };
    let mut passed = true;
    for (name, target) in chosen {
        passed &= smoke(name, *target, share, seed);
    }
    if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs one target for its share of the time; false if an input made it panic.
fn smoke(name: &str, target: Target, share: Duration, seed: u64) -> bool {
    let inputs = match corpus(name) {
        Ok(inputs) if !inputs.is_empty() => inputs,
        _ => {
            println!("{name}: no corpus");
            return false;
        }
    };
    let inputs: Vec<Vec<u8>> = inputs.into_iter().map(|(_, bytes)| bytes).collect();
    let mut mutator = Mutator::new(seed);
    let (start, mut count) = (Instant::now(), 0u64);
    while !count.is_multiple_of(INPUTS_PER_LOOK) || start.elapsed() < share {
        let input = mutator.mutate(&inputs);
        if std::panic::catch_unwind(|| target(&input)).is_err() {
            let kept = std::env::temp_dir().join(format!("chronolith-fuzz-{name}-{seed}-{count}"));
            let place = match std::fs::write(&kept, &input) {
                Ok(()) => kept.display().to_string(),
                Err(error) => format!("nowhere ({error})"),
            };
            println!("{name}: seed {seed} input {count} panicked; kept at {place}");
            return false;
        }
        count += 1;
    }
    println!("{name}: seed {seed}, {count} inputs, no panic");
    true
}

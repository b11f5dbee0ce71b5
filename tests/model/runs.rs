//! The runs: thousands of seeds, every disk call of some histories, and bugs that must be noticed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use chronolith_engine::Durability;
use chronolith_engine::testing::{Fault, Plant};

use super::check::Check;
use super::world::{Bug, Death, Setup, Strike, World};
use super::years::Deeds;

/// Seeds of the random runs, by default: debug builds are many times slower.
const SEEDS: u64 = if cfg!(debug_assertions) { 60 } else { 8_000 };

/// Steps of a random run.
const STEPS: usize = 70;

/// Histories that are crashed at every disk call, and those that get an error at every one.
const HISTORIES: u64 = if cfg!(debug_assertions) { 2 } else { 50 };
const FAULTY_HISTORIES: u64 = if cfg!(debug_assertions) { 1 } else { 8 };

/// Steps of a history that is run once per disk call.
const HISTORY_STEPS: usize = 14;

/// With so many deaths, everything that a run may do must have been done somewhere.
const DEATHS_MIN: u32 = 500;

/// Lines of the trace that a failure shows, unless CHRONOLITH_TRACE says otherwise.
const TRACE_LINES: u64 = 40;
const LINE_CHARS: usize = 6000;

fn number_from(variable: &str, default: u64) -> u64 {
    std::env::var(variable)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// The seeds to run: CHRONOLITH_SEEDS of them, from CHRONOLITH_SEED on.
fn seeds() -> std::ops::Range<u64> {
    let first = number_from("CHRONOLITH_SEED", 0);
    first..first + number_from("CHRONOLITH_SEEDS", SEEDS)
}

fn setup(seed: u64) -> Setup {
    Setup {
        seed,
        steps: STEPS,
        durability: Durability::Always,
        death: if seed.is_multiple_of(4) {
            Death::Kill
        } else {
            Death::Power
        },
        bug: None,
        strike: None,
    }
}

/// Runs once; a panic is a violation too.
fn attempt(setup: Setup) -> (World, Check) {
    let mut world = World::new(setup);
    let outcome = catch_unwind(AssertUnwindSafe(|| world.run()));
    let checked = outcome.unwrap_or_else(|_| Err("the engine panicked, see above".into()));
    (world, checked)
}

fn run(setup: Setup) -> World {
    let (world, checked) = attempt(setup);
    let story = checked.err().map(|what| story(&world, &setup, &what));
    assert!(story.is_none(), "{}", story.unwrap_or_default());
    world
}

/// A failure with what led to it.
fn story(world: &World, setup: &Setup, what: &str) -> String {
    let lines = number_from("CHRONOLITH_TRACE", TRACE_LINES) as usize;
    let from = world.trace.len().saturating_sub(lines);
    let short = |line: &String| line.chars().take(LINE_CHARS).collect::<String>();
    let steps: Vec<String> = world.trace[from..].iter().map(short).collect();
    format!("{what}\nlast steps:\n{}\nwith {setup:?}", steps.join("\n"))
}

/// Runs all seeds and tells of every one that failed, of the first in full.
fn run_seeds(setups: impl Iterator<Item = Setup>) {
    let (mut deeds, mut failed, mut first) = (Deeds::default(), Vec::new(), None);
    for setup in setups {
        let (world, checked) = attempt(setup);
        deeds.add(world.deeds);
        if let Err(what) = checked {
            let line = what.lines().next().unwrap_or_default();
            failed.push(format!("seed {}: {line}", setup.seed));
            first.get_or_insert_with(|| story(&world, &setup, &what));
        }
    }
    assert!(
        failed.is_empty(),
        "{} seeds failed\n{}\nthe first: {}",
        failed.len(),
        failed.join("\n"),
        first.unwrap_or_default()
    );
    // A few seeds by hand need not do everything.
    let is_enough = deeds.are_all_done() || (1..DEATHS_MIN).contains(&deeds.deaths);
    assert!(is_enough, "something was never done: {deeds:?}");
}

#[test]
fn whatever_was_acknowledged_survives_and_nothing_is_invented() {
    run_seeds(seeds().map(setup));
}

/// A tenth of the seeds under the settings that sync late or never.
fn run_lazily(death: Death) {
    let lazy = [
        Durability::Never,
        Durability::Interval(Duration::from_secs(3600)),
    ];
    run_seeds(seeds().step_by(10).flat_map(|seed| {
        lazy.map(|durability| Setup {
            durability,
            death,
            ..setup(seed)
        })
    }));
}

#[test]
fn a_killed_process_loses_nothing_whatever_the_durability() {
    run_lazily(Death::Kill);
}

#[test]
fn a_power_loss_without_sync_tears_no_batch_and_invents_nothing() {
    run_lazily(Death::Power);
}

/// Runs a history once per disk call, with that call struck.
fn strike_everywhere(seed: u64, faults: &[Fault]) {
    let quiet = Setup {
        steps: HISTORY_STEPS,
        death: Death::Power,
        strike: Some(None),
        ..setup(seed + 1_000_000)
    };
    let calls = run(quiet).longest;
    for operation in 0..calls {
        for fault in faults {
            let strike = Strike {
                operation,
                fault: *fault,
            };
            run(Setup {
                strike: Some(Some(strike)),
                ..quiet
            });
        }
    }
}

#[test]
fn a_crash_at_any_disk_call_loses_nothing() {
    for seed in 0..HISTORIES {
        strike_everywhere(seed, &[Fault::CrashHere]);
    }
}

#[test]
fn an_error_at_any_disk_call_loses_nothing() {
    for seed in 0..FAULTY_HISTORIES {
        strike_everywhere(seed, &[Fault::Eio, Fault::Enospc, Fault::ShortWriteThenEio]);
    }
}

#[test]
fn a_seed_replays_exactly() {
    for seed in 0..10 {
        assert_eq!(
            run(setup(seed)).trace,
            run(setup(seed)).trace,
            "seed {seed}"
        );
    }
}

#[test]
fn every_planted_bug_is_noticed() {
    let bugs = [
        Bug::LogNotSynced,
        Bug::LogDirectoryNotSynced,
        Bug::Engine(Plant::EarlyAcknowledgement),
        Bug::Engine(Plant::FloorTooSoon),
        Bug::Engine(Plant::DefinitionLost),
        Bug::Engine(Plant::TombstoneLost),
        Bug::Engine(Plant::InputsUnlinkedEarly),
    ];
    for bug in bugs {
        let is_noticed = |seed: u64| {
            attempt(Setup {
                bug: Some(bug),
                death: Death::Power,
                ..setup(seed)
            })
            .1
            .is_err()
        };
        assert!(
            (0..SEEDS).any(is_noticed),
            "nobody noticed {bug:?} in {SEEDS} seeds"
        );
    }
}

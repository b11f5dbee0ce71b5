//! Retention through the public door, on a simulated disk whose clock is moved by hand.

use std::path::PathBuf;
use std::time::Duration;

use chronolith_engine::labels::{LabelSet, MatchOp, Matcher};
use chronolith_engine::testing::{self, ManualClock, SimDisk, Stage};
use chronolith_engine::{Durability, Engine, Limits, Options, RetentionRule, Store};

use super::bed::{HOUR_MS, MS, set};

mod changes;
mod crashes;
mod merges;
mod model;
mod rules;
mod size;
mod time;

/// Where the clock stands when a stage is made.
const START_MS: i64 = 1_700_000_000_000;

const MINUTE_MS: i64 = 60_000;
const HOUR: Duration = Duration::from_secs(3600);

fn stage() -> Stage {
    Stage {
        disk: SimDisk::new(7),
        clock: ManualClock::new(START_MS * MS),
    }
}

/// Windows are not frozen for their age, so that each test says what is in a block.
fn options(limits: Limits) -> Options {
    Options {
        durability: Durability::Always,
        window_span_max: Duration::from_secs(1_000 * 24 * 3600),
        limits,
        ..Options::default()
    }
}

/// Retention by time for all series.
fn keeping(retention: Duration) -> Limits {
    Limits {
        retention: Some(retention),
        ..Limits::default()
    }
}

fn matcher(op: MatchOp, name: &str, value: &str) -> Matcher {
    Matcher::new(op, name, value).unwrap()
}

/// A rule for the series with one label of this value.
fn rule(name: &str, value: &str, keep: Option<Duration>) -> RetentionRule {
    RetentionRule {
        matchers: vec![matcher(MatchOp::Equal, name, value)],
        keep,
    }
}

fn ruled(rules: &[RetentionRule], retention: Option<Duration>) -> Limits {
    Limits {
        retention,
        retention_rules: rules.into(),
        ..Limits::default()
    }
}

fn app(name: &str) -> LabelSet {
    set(&[("__name__", "m"), ("app", name)])
}

fn now_ms(stage: &Stage) -> i64 {
    stage.clock.nanos() / MS
}

fn advance_ms(stage: &Stage, ms: i64) {
    stage.clock.advance(ms * MS);
}

/// Lets the keeper's minute pass and housekeeping come to rest.
fn tend(stage: &Stage, engine: &Engine) {
    advance_ms(stage, MINUTE_MS);
    while testing::tend(engine).unwrap() {}
}

/// The block files on the disk.
fn block_files(stage: &Stage) -> Vec<PathBuf> {
    let files = stage.disk.files().into_iter().map(|(path, _)| path);
    files
        .filter(|path| path.extension().is_some_and(|ending| ending == "blk"))
        .collect()
}

/// No store lost, invented or damaged anything on the way.
fn assert_sound<K: chronolith_engine::Kind>(store: &Store<K>) {
    let found = [store.damage(), store.verify().unwrap().damage].concat();
    assert!(found.is_empty(), "{found:?}");
}

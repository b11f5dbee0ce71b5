//! Settings that change what a server does: each is set as a configuration file sets it, and what
//! it changes is seen from outside. `tests/settings.rs` tells which test guards which setting.

mod connections;
mod ingest;
mod logs;
mod queries;
mod store;

use std::time::{Duration, Instant};

use chronolith_server::testing::set;

use super::bed::{Bed, NOON, Reply};

/// How long a server has to do what a setting says: less than it would take by default.
pub(super) const SOON: Duration = Duration::from_secs(8);

/// A server on an empty folder with these settings.
pub(super) fn bed(settings: &[(&str, &str)]) -> Bed {
    Bed::with(|all| {
        for (path, text) in settings {
            set(all, path, text).unwrap();
        }
    })
}

/// Waits until something is so.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < SOON, "not in time: {what}");
    }
}

/// A number among the server's own metrics.
fn figure(bed: &Bed, name: &str) -> u64 {
    let metrics = bed.get("/metrics").text();
    let begin = format!("{name} ");
    let found = metrics.lines().find_map(|line| line.strip_prefix(&begin));
    found.ok_or(name).unwrap().parse().unwrap()
}

/// How often a limit was met.
fn met(bed: &Bed, limit: &str) -> u64 {
    figure(
        bed,
        &format!("chronolith_limited_total{{limit=\"{limit}\"}}"),
    )
}

/// Sends metrics as text, with their times in milliseconds.
fn import(bed: &Bed, text: &str) -> Reply {
    bed.ask("POST", "/api/v1/import/prometheus", &[], text.as_bytes())
}

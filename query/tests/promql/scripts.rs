//! Scripts in Prometheus' test language: ours, and those of a shared folder where there is one.

use std::path::{Path, PathBuf};

use chronolith_query::promql::MemorySource;
use chronolith_query::promql::script::{Report, Shelf, run_over};

use super::shelf::{EngineShelf, Stage};

/// The scripts of a folder in order of their names.
fn scripts(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_script = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "test");
    let mut found: Vec<PathBuf> = paths.filter(is_script).collect();
    found.sort();
    assert!(!found.is_empty(), "no script in {}", folder.display());
    found
}

fn assert_holds(path: &Path, shelf: &mut dyn Shelf) -> usize {
    let report: Report = run_over(&std::fs::read_to_string(path).unwrap(), shelf);
    let failures = report.failures.iter();
    let shown = failures.map(|failure| format!("{}: {}", failure.line, failure.message));
    let shown: Vec<String> = shown.collect();
    let name = path.display();
    assert!(shown.is_empty(), "{name}:\n{}", shown.join("\n"));
    assert!(report.passed > 0, "{name} evaluates nothing");
    report.passed
}

fn own() -> Vec<PathBuf> {
    scripts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/promql/scripts"))
}

/// The scripts of Prometheus, where `CHRONOLITH_SHARED` names a folder that has them.
fn shared() -> Vec<PathBuf> {
    let Some(shared) = std::env::var_os("CHRONOLITH_SHARED") else {
        return Vec::new();
    };
    scripts(&PathBuf::from(shared).join("conformance/promql/testdata"))
}

#[test]
fn our_scripts_hold_over_memory() {
    for path in own() {
        assert_holds(&path, &mut MemorySource::new());
    }
}

#[test]
fn our_scripts_hold_over_the_head_of_an_engine() {
    for path in own() {
        assert_holds(&path, &mut EngineShelf::new(Stage::Head));
    }
}

#[test]
fn our_scripts_hold_over_blocks_of_an_engine() {
    for path in own() {
        assert_holds(&path, &mut EngineShelf::new(Stage::Block));
    }
}

#[test]
fn the_scripts_of_prometheus_hold_over_memory() {
    for path in shared() {
        assert_holds(&path, &mut MemorySource::new());
    }
}

#[test]
fn the_scripts_of_prometheus_hold_over_an_engine() {
    for path in shared() {
        assert_holds(&path, &mut EngineShelf::new(Stage::Head));
    }
}

//! The coverage-guided search: libFuzzer over the target that `CHRONOLITH_FUZZ_TARGET` names.
//!
//! How to build and run it on plain stable is told in docs/fuzzing.md.
#![no_main]

use std::sync::OnceLock;

use chronolith_fuzz::{TARGETS, Target};
use libfuzzer_sys::fuzz_target;

static CHOSEN: OnceLock<Target> = OnceLock::new();

fn choose() -> Target {
    let name = std::env::var("CHRONOLITH_FUZZ_TARGET").unwrap_or_default();
    let found = TARGETS.iter().find(|(candidate, _)| *candidate == name);
    let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert!(
        found.is_some(),
        "CHRONOLITH_FUZZ_TARGET is {name:?}: name one of {names:?}"
    );
    let (_, target) = found.expect("asserted above");
    *target
}

fuzz_target!(|bytes: &[u8]| CHOSEN.get_or_init(choose)(bytes));

//! What the workspace links: only licences that deny.toml allows, and nothing async below the
//! server.
//!
//! `cargo deny` checks more (`.ci/deny`); this needs cargo alone, and reads the same list.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use chronolith_tests::workspace_root;
use serde_json::Value;

/// The crates that people embed.
const EMBEDDED: [&str; 2] = ["chronolith-engine", "chronolith-query"];

/// What an embedded crate must never pull in.
const RUNTIMES: [&str; 5] = ["async-std", "futures-executor", "mio", "smol", "tokio"];

/// Everything that cargo knows of the workspace as it is built on this machine.
fn metadata() -> Value {
    let host = Command::new("rustc").arg("-vV").output().unwrap().stdout;
    let host = String::from_utf8(host).unwrap();
    let host = host
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .unwrap();
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--offline"])
        .args(["--filter-platform", host])
        .current_dir(workspace_root())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The licences in the list of deny.toml.
fn allowed() -> BTreeSet<String> {
    let text = std::fs::read_to_string(workspace_root().join("deny.toml")).unwrap();
    let (_, list) = text.split_once("\nallow = [").unwrap();
    let (list, _) = list.split_once(']').unwrap();
    list.split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

/// Whether a licence expression can be met. `WITH` is part of a name; `/` is an old way to write
/// `OR`.
fn is_met(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = any(&words, &mut at, allowed);
    met && at == words.len()
}

fn any(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut met = all(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= all(words, at, allowed);
    }
    met
}

fn all(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut met = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(words, at, allowed);
    }
    met
}

fn one(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let word = words.get(*at).copied().unwrap_or_default();
    *at += 1;
    if word == "(" {
        let met = any(words, at, allowed);
        *at += 1;
        return met;
    }
    let mut name = word.to_owned();
    if words.get(*at) == Some(&"WITH") {
        name = format!(
            "{word} WITH {}",
            words.get(*at + 1).copied().unwrap_or_default()
        );
        *at += 2;
    }
    allowed.contains(&name)
}

#[test]
fn expressions_are_read_as_they_are_meant() {
    let allowed: BTreeSet<String> = ["MIT", "ISC", "A WITH x"].map(str::to_owned).into();
    for met in [
        "MIT",
        "GPL OR MIT",
        "MIT/GPL",
        "(GPL OR MIT) AND ISC",
        "A WITH x AND MIT",
    ] {
        assert!(is_met(met, &allowed), "{met}");
    }
    for unmet in [
        "GPL",
        "",
        "GPL AND MIT",
        "(GPL OR MIT) AND X",
        "A",
        "A WITH y",
        "MIT )",
    ] {
        assert!(!is_met(unmet, &allowed), "{unmet}");
    }
}

#[test]
fn every_licence_is_an_allowed_one_and_nothing_embedded_is_async() {
    let (metadata, allowed) = (metadata(), allowed());
    assert!(
        allowed.contains("MIT"),
        "the list of deny.toml was not found"
    );
    let packages = metadata["packages"].as_array().unwrap();
    let mut names = BTreeMap::new();
    for package in packages {
        let name = package["name"].as_str().unwrap();
        names.insert(package["id"].as_str().unwrap(), name);
        let licence = package["license"].as_str().unwrap_or("none given");
        assert!(is_met(licence, &allowed), "{name} comes under {licence}");
    }
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let edges: BTreeMap<&str, &Value> = nodes
        .iter()
        .map(|node| (node["id"].as_str().unwrap(), &node["deps"]))
        .collect();
    for root in EMBEDDED {
        let start = names
            .iter()
            .find(|(_, name)| **name == root)
            .map(|(id, _)| *id)
            .unwrap();
        let (mut seen, mut left) = (BTreeSet::new(), vec![start]);
        while let Some(id) = left.pop() {
            assert!(
                !RUNTIMES.contains(&names[id]),
                "{root} pulls in {}",
                names[id]
            );
            if seen.insert(id) {
                left.extend(edges[id].as_array().unwrap().iter().filter_map(linked));
            }
        }
    }
}

/// The package behind an edge, unless it serves only the tests of the crate at its start.
fn linked(edge: &Value) -> Option<&str> {
    let kinds = edge["dep_kinds"].as_array()?;
    let is_dev = kinds.iter().all(|kind| kind["kind"] == "dev");
    if is_dev { None } else { edge["pkg"].as_str() }
}

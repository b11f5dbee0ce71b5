//! The house rules that a machine can check, over every file of the workspace.
//!
//! Imports go down the floors only; files, functions and lines keep their size; some words and
//! calls stay away; docs/architecture.md names the rooms that exist; no text names a path of
//! somebody's machine.

use std::fs;
use std::path::Path;

use chronolith_tests::workspace_root;

use imports::{FLOORS, floor, room};
use rules::{FILE_LINES_MAX, LONG_FILES};
use source::Source;

mod imports;
mod rules;
mod source;

/// Folders that hold nothing of ours to read.
const SKIPPED_FOLDERS: [&str; 3] = ["target", ".git", "corpus"];

/// The paths of all files, from the workspace root, with forward slashes, in order.
fn files() -> Vec<String> {
    let root = workspace_root();
    let (mut found, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && !SKIPPED_FOLDERS.contains(&name) {
                folders.push(path);
            } else if path.is_file() && name != ".git" {
                let below = path.strip_prefix(&root).unwrap().to_str().unwrap();
                found.push(below.replace('\\', "/"));
            }
        }
    }
    found.sort();
    found
}

/// Every source file of the workspace.
pub(crate) fn sources() -> Vec<Source> {
    let root = workspace_root();
    let rust = files().into_iter().filter(|path| path.ends_with(".rs"));
    rust.map(|path| Source::new(&path, &fs::read_to_string(root.join(&path)).unwrap()))
        .collect()
}

fn assert_none(found: &[String]) {
    assert!(
        found.is_empty(),
        "{} found:\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn every_import_goes_down() {
    let sources = sources();
    assert!(
        sources.len() > 20,
        "the walk over the workspace found next to nothing"
    );
    assert_none(&sources.iter().flat_map(imports::check).collect::<Vec<_>>());
}

#[test]
fn every_source_file_keeps_the_house_rules() {
    assert_none(&sources().iter().flat_map(rules::check).collect::<Vec<_>>());
}

#[test]
fn the_list_of_long_files_only_shrinks() {
    for path in LONG_FILES {
        let text = fs::read_to_string(workspace_root().join(path)).unwrap();
        let lines = Source::new(path, &text).lines_outside_tests();
        assert!(
            lines > FILE_LINES_MAX,
            "{path} has {lines} lines: take it off the list"
        );
    }
}

/// The rooms that the table of the page names, with their floors: rows such as "| 2 | `wal/` |
/// ...".
fn rooms_of_page(page: &str) -> Vec<(String, u8)> {
    let row = |line: &str| {
        let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
        let floor = cells.next()?.parse().ok()?;
        let room = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
        let room = room
            .strip_suffix('/')
            .or_else(|| room.strip_suffix(".rs"))?;
        Some((room.to_owned(), floor))
    };
    page.lines().filter_map(row).collect()
}

#[test]
fn the_architecture_page_names_exactly_the_rooms_that_exist() {
    let page = fs::read_to_string(workspace_root().join("docs/architecture.md")).unwrap();
    let told = rooms_of_page(&page);
    let mut exist: Vec<String> = files()
        .iter()
        .filter_map(|path| room(path))
        .map(str::to_owned)
        .collect();
    exist.dedup();
    for room in &exist {
        assert!(
            told.iter().any(|(name, _)| name == room),
            "the page does not name room {room}"
        );
    }
    for (name, number) in &told {
        assert!(
            exist.contains(name),
            "the page names room {name}, which does not exist"
        );
        assert_eq!(
            floor(name),
            Some(*number),
            "the page puts {name} on another floor"
        );
    }
    assert!(FLOORS.len() >= told.len());
}

/// Whether a line names a path that only one machine has.
fn names_a_machine_path(line: &str) -> bool {
    let roots = ["work", "home", "tmp", "root", "Users"];
    roots.iter().any(|root| {
        let path = format!("/{root}/");
        line.match_indices(&path).any(|(at, _)| {
            // Behind a letter it is part of a relative path or of an address.
            let before = line[..at].chars().next_back();
            before.is_none_or(|before| !before.is_alphanumeric() && !"._-})*".contains(before))
        })
    })
}

#[test]
fn no_text_names_a_path_of_one_machine() {
    let mut found = Vec::new();
    for path in files() {
        // What is not UTF-8 is a fixture, not text.
        let Ok(text) = fs::read_to_string(workspace_root().join(&path)) else {
            continue;
        };
        for (index, line) in text.lines().enumerate() {
            if names_a_machine_path(line) {
                found.push(format!("{path}:{}: {line}", index + 1));
            }
        }
    }
    assert_none(&found);
}

#[test]
fn a_planted_machine_path_and_a_planted_room_are_found() {
    assert!(names_a_machine_path(concat!("see /ho", "me/someone/notes")));
    assert!(names_a_machine_path(concat!("`/wo", "rk/x`")));
    assert!(!names_a_machine_path(concat!(
        "docs/wo",
        "rk/x and https://example.org/ho",
        "me/x"
    )));
    let page =
        "| floor | room | what |\n|---|---|---|\n| 2 | `wal/` | log |\n| 0 | `time.rs` | t |";
    assert_eq!(
        rooms_of_page(page),
        [("wal".to_owned(), 2), ("time".to_owned(), 0)]
    );
}

#[test]
fn the_top_level_holds_only_what_readers_and_tools_expect() {
    let expected = [
        ".ci",
        ".git",
        ".gitignore",
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "benches",
        "clippy.toml",
        "deny.toml",
        "docs",
        "engine",
        "fuzz",
        "query",
        "rust-toolchain.toml",
        "rustfmt.toml",
        "server",
        "target",
        "tests",
    ];
    for entry in fs::read_dir(workspace_root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(expected.contains(&&*name), "{name} has no place at the top");
    }
    assert!(Path::new(&workspace_root()).join("LICENSE").is_file());
}

//! Which rooms a file of the engine or of the server reaches for, and whether it may.

use super::source::{Source, is_name, name_at, skip_space};

/// The rooms of the engine and their floors; docs/architecture.md says what each is for.
pub(crate) const FLOORS: &[(&str, u8)] = &[
    ("error", 0),
    ("time", 0),
    ("config", 1),
    ("io", 0),
    ("codec", 0),
    ("labels", 1),
    ("kind", 2),
    ("wal", 2),
    ("index", 2),
    ("block", 3),
    ("manifest", 4),
    ("head", 5),
    ("compact", 5),
    ("store", 6),
    ("engine", 7),
    ("tenant", 7),
    ("exemplars", 7),
    ("metadata", 7),
    ("lib", 7),
    ("testing", 7),
];

/// The rooms of the server and their floors.
pub(crate) const SERVER_FLOORS: &[(&str, u8)] = &[
    ("client", 0),
    ("duration", 0),
    ("supervisor", 0),
    ("meters", 0),
    ("settings", 0),
    ("config", 1),
    ("http", 1),
    ("journal", 1),
    ("wire", 1),
    ("ingest", 2),
    ("security", 2),
    ("app", 3),
    ("doors", 4),
    ("reload", 4),
    ("loki", 5),
    ("prometheus", 5),
    ("transfer", 6),
    ("reach", 6),
    ("server", 7),
    ("cli", 7),
    ("main", 7),
    ("lib", 7),
    ("testing", 7),
];

/// On the ground floor, on the one above it and behind the door the rooms may know each other.
const SHARED_FLOORS: [u8; 3] = [0, 1, 7];

pub(crate) fn floor(room: &str) -> Option<u8> {
    floor_in(FLOORS, room)
}

fn floor_in(floors: &[(&str, u8)], room: &str) -> Option<u8> {
    floors
        .iter()
        .find(|(name, _)| *name == room)
        .map(|(_, floor)| *floor)
}

/// The room that a path below `engine/src/` belongs to.
pub(crate) fn room(path: &str) -> Option<&str> {
    room_below("engine/src/", path)
}

fn room_below<'p>(folder: &str, path: &'p str) -> Option<&'p str> {
    let below = path.strip_prefix(folder)?;
    let first = below.split('/').next()?;
    Some(first.strip_suffix(".rs").unwrap_or(first))
}

/// Says what is wrong with what the file imports.
pub(crate) fn check(source: &Source) -> Vec<String> {
    let mut found = check_crate("engine/src/", FLOORS, source);
    found.extend(check_crate("server/src/", SERVER_FLOORS, source));
    found
}

fn check_crate(folder: &str, floors: &[(&str, u8)], source: &Source) -> Vec<String> {
    let Some(home) = room_below(folder, &source.path) else {
        return Vec::new();
    };
    let Some(home_floor) = floor_in(floors, home) else {
        return vec![format!(
            "{}: room {home} has no floor in tests/floors/imports.rs",
            source.path
        )];
    };
    let mut found = Vec::new();
    for (at, target) in targets(source) {
        let place = format!("{}:{}", source.path, source.line(at));
        match floor_in(floors, &target) {
            _ if target == home || home_floor == 7 => {}
            // Tests of the server borrow its encoder of messages.
            _ if target == "testing" && source.is_test(at) => {}
            None => found.push(format!(
                "{place}: crate::{target} is no room: name the room it is in"
            )),
            Some(floor) if floor < home_floor => {}
            Some(floor) if floor == home_floor && SHARED_FLOORS.contains(&floor) => {}
            Some(floor) => found.push(format!(
                "{place}: {home} (floor {home_floor}) may not import {target} (floor {floor})"
            )),
        }
    }
    found
}

/// What stands directly below the crate root in every path of the file, with its place.
fn targets(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for at in source.words("crate") {
        found.extend(
            first_segments(&source.code, at + "crate".len())
                .into_iter()
                .map(|name| (at, name)),
        );
    }
    let depth = file_depth(&source.path);
    for at in source.words("super") {
        let chained = source.code[..at].trim_end().ends_with("super::");
        let (ups, behind) = supers(&source.code, at);
        if !chained && ups == depth + inline_depth(&source.code, at) {
            found.extend(
                first_segments(&source.code, behind)
                    .into_iter()
                    .map(|name| (at, name)),
            );
        }
    }
    found
}

/// The names that a path names first behind its root, which ends at `end`: `::a`, or `::{a::x, b}`.
pub(crate) fn first_segments(code: &str, end: usize) -> Vec<String> {
    let Some(rest) = code[end..].strip_prefix("::") else {
        return Vec::new();
    };
    let rest = rest.trim_start();
    if !rest.starts_with('{') {
        let name = if rest.starts_with('*') {
            "*"
        } else {
            name_at(rest, 0)
        };
        return vec![name.to_owned()];
    }
    let (mut names, mut depth, mut fresh) = (Vec::new(), 0usize, false);
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            b'{' => (depth, fresh) = (depth + 1, depth == 0),
            b'}' if depth == 1 => break,
            b'}' => depth -= 1,
            b',' if depth == 1 => fresh = true,
            _ if fresh && (is_name(byte) || byte == b'*') => {
                let name = if byte == b'*' { "*" } else { name_at(rest, at) };
                names.push(name.to_owned());
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

/// How often `super::` repeats from `at`, and the place in front of the last `::`.
fn supers(code: &str, at: usize) -> (usize, usize) {
    let (mut ups, mut behind) = (0, at);
    while name_at(code, behind) == "super" {
        (ups, behind) = (ups + 1, behind + "super".len());
        let next = skip_space(code, behind + 2);
        if !code[behind..].starts_with("::") || name_at(code, next) != "super" {
            break;
        }
        behind = next;
    }
    (ups, behind)
}

/// How many modules deep a file lies below the crate root.
fn file_depth(path: &str) -> usize {
    let below = path
        .strip_prefix("engine/src/")
        .or_else(|| path.strip_prefix("server/src/"));
    let below = below.unwrap_or(path);
    let slashes = below.matches('/').count();
    if below.ends_with("/mod.rs") {
        slashes
    } else {
        slashes + 1
    }
}

/// How many inline modules are open at `at`.
fn inline_depth(code: &str, at: usize) -> usize {
    let mut open: Vec<bool> = Vec::new();
    for (place, byte) in code.bytes().enumerate().take(at) {
        match byte {
            b'{' => open.push(opens_module(&code[..place])),
            b'}' => drop(open.pop()),
            _ => {}
        }
    }
    open.iter().filter(|module| **module).count()
}

fn opens_module(before: &str) -> bool {
    let named = before.trim_end();
    let keyword = named.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_');
    keyword.len() < named.len() && keyword.ends_with("mod ") && {
        let start = keyword.len() - "mod ".len();
        start == 0 || !is_name(keyword.as_bytes()[start - 1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, text: &str) -> usize {
        check(&Source::new(path, text)).len()
    }

    #[test]
    fn a_lower_floor_and_the_own_room_may_be_imported() {
        let text = "use crate::error::Result;\nuse crate::{codec::bytes, time::Ticks, wal};";
        assert_eq!(complaints("engine/src/wal/frame.rs", text), 0);
        assert_eq!(
            complaints("engine/src/io/sim.rs", "use crate::codec::bytes;"),
            0
        );
    }

    #[test]
    fn a_higher_floor_and_a_neighbour_may_not() {
        assert_eq!(
            complaints("engine/src/wal/mod.rs", "use crate::store::Store;"),
            1
        );
        assert_eq!(
            complaints("engine/src/wal/mod.rs", "use crate::index::Postings;"),
            1
        );
        assert_eq!(
            complaints("engine/src/codec/mod.rs", "fn f() { crate::wal::open() }"),
            1
        );
        let group = "use crate::{\n error::{Error, Result},\n head,\n block::{self, wal},\n};";
        assert_eq!(complaints("engine/src/index/mod.rs", group), 2);
    }

    #[test]
    fn the_root_and_unknown_rooms_are_named_as_such() {
        assert_eq!(complaints("engine/src/wal/mod.rs", "use crate::Error;"), 1);
        assert_eq!(complaints("engine/src/wal/mod.rs", "use crate::*;"), 1);
        assert_eq!(complaints("engine/src/attic/mod.rs", ""), 1);
    }

    #[test]
    fn super_is_followed_to_the_root() {
        assert_eq!(
            complaints("engine/src/wal/mod.rs", "use super::store::Store;"),
            1
        );
        assert_eq!(
            complaints("engine/src/wal/frame.rs", "use super::segment::Segment;"),
            0
        );
        assert_eq!(
            complaints("engine/src/wal/frame.rs", "use super::super::store::Store;"),
            1
        );
        assert_eq!(
            complaints("engine/src/wal/mod.rs", "mod tests { use super::*; }"),
            0
        );
        assert_eq!(
            complaints(
                "engine/src/wal/mod.rs",
                "mod tests { use super::super::head; }"
            ),
            1
        );
    }

    #[test]
    fn the_rooms_of_the_server_have_floors_too() {
        let up = "use crate::prometheus::router;";
        assert_eq!(complaints("server/src/http/body.rs", up), 1);
        assert_eq!(complaints("server/src/server.rs", up), 0);
        assert_eq!(complaints("server/src/attic.rs", ""), 1);
    }

    #[test]
    fn comments_and_strings_import_nothing() {
        let text = "// use crate::store::Store;\nconst A: &str = \"crate::store\"; struct MyCrate;";
        assert_eq!(complaints("engine/src/wal/mod.rs", text), 0);
    }
}

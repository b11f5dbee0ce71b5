//! The rules for one source file: size, words, and what may be called where.

use super::imports::first_segments;
use super::source::{Source, closing_brace, name_at, skip_space};

/// No file may have more lines than this outside its tests.
pub(crate) const FILE_LINES_MAX: usize = 600;

/// No function may have more lines than this.
const FUNCTION_LINES_MAX: usize = 70;

/// No line may be wider than this.
const LINE_COLUMNS_MAX: usize = 100;

/// Files that are over [`FILE_LINES_MAX`]: the list may only shrink.
pub(crate) const LONG_FILES: &[&str] = &[];

/// The only files that may say `unsafe`.
const UNSAFE_FILES: [&str; 2] = ["engine/src/codec/simd.rs", "engine/src/io/mmap.rs"];

/// The only files that may touch the real file system.
const DISK_FILES: [&str; 2] = ["engine/src/io/disk.rs", "engine/src/io/mmap.rs"];

/// Words that say nothing, wherever they stand in a name.
const EMPTY_WORDS: [&str; 8] = [
    "manager", "helper", "helpers", "util", "utils", "misc", "handler", "data2",
];

/// Words that say nothing as the last word of a name: `common_prefix` is a fine name, `wal_common`
/// is not.
const EMPTY_ENDINGS: [&str; 3] = ["common", "info", "inner"];

/// What each rule finds in `source`, as "path:line: what".
pub(crate) fn check(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let mut say = |at: usize, what: String| {
        found.push(format!("{}:{}: {what}", source.path, source.line(at)));
    };
    if !source.text.starts_with("//!") {
        say(0, "the file does not open with //!".into());
    }
    let lines = source.lines_outside_tests();
    if lines > FILE_LINES_MAX && !source.is_test_file() && !LONG_FILES.contains(&&*source.path) {
        say(
            0,
            format!("{lines} lines outside tests, at most {FILE_LINES_MAX}"),
        );
    }
    for (at, what) in wide_lines(source).into_iter().chain(unfinished(source)) {
        say(at, what);
    }
    for (at, what) in names(source).into_iter().chain(long_functions(source)) {
        say(at, what);
    }
    for (at, what) in calls(source).into_iter().chain(places(source)) {
        say(at, what);
    }
    found
}

fn wide_lines(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut at = 0;
    for line in source.text.split_inclusive('\n') {
        let columns = line.trim_end_matches('\n').chars().count();
        if columns > LINE_COLUMNS_MAX {
            found.push((at, format!("{columns} columns, at most {LINE_COLUMNS_MAX}")));
        }
        at += line.len();
    }
    found
}

/// Marks of unfinished work, in code and in comments.
fn unfinished(source: &Source) -> Vec<(usize, String)> {
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("#[ig", "nore"),
    ];
    let macros = [
        concat!("to", "do!"),
        concat!("unimple", "mented!"),
        concat!("d", "bg!"),
    ];
    let mut found = Vec::new();
    for mark in marks {
        found.extend(
            source
                .text
                .match_indices(mark)
                .map(|(at, _)| (at, format!("{mark} is left"))),
        );
    }
    for call in macros {
        found.extend(
            source
                .code
                .match_indices(call)
                .map(|(at, _)| (at, format!("{call} is left"))),
        );
    }
    found
}

fn names(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for keyword in ["mod", "struct", "enum", "trait", "type", "fn"] {
        for at in source.words(keyword) {
            let name = name_at(&source.code, skip_space(&source.code, at + keyword.len()));
            if is_empty_name(name) || (keyword == "fn" && is_empty_verb(name)) {
                found.push((at, format!("the name {name} says nothing")));
            }
        }
    }
    found
}

fn is_empty_verb(name: &str) -> bool {
    name.starts_with("get_") || name.starts_with("handle_")
}

fn is_empty_name(name: &str) -> bool {
    let mut spaced = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() || letter == '_' {
            spaced.push(' ');
        }
        spaced.extend(letter.to_lowercase());
    }
    let words: Vec<&str> = spaced
        .split([' ', '_'])
        .filter(|word| !word.is_empty())
        .collect();
    // `into_inner` is the standard library's own name for what it does.
    let ending = words
        .last()
        .is_some_and(|last| EMPTY_ENDINGS.contains(last));
    (ending && name != "into_inner") || words.iter().any(|word| EMPTY_WORDS.contains(word))
}

fn long_functions(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for at in source.words("fn") {
        let name_start = skip_space(&source.code, at + "fn".len());
        let name = name_at(&source.code, name_start);
        let Some(open) = body(&source.code, name_start) else {
            continue;
        };
        let close = closing_brace(&source.code, open);
        let lines = source.line(close.saturating_sub(1)) - source.line(at) + 1;
        if !name.is_empty() && lines > FUNCTION_LINES_MAX && !source.is_test(at) {
            found.push((
                at,
                format!("fn {name} has {lines} lines, at most {FUNCTION_LINES_MAX}"),
            ));
        }
    }
    found
}

/// The brace that opens the body of the function whose signature `from` lies in; a declaration has
/// none.
fn body(code: &str, from: usize) -> Option<usize> {
    let mut depth = 0i32;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b'{' if depth == 0 => return Some(at),
            b';' if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Calls that may not stand outside tests.
fn calls(source: &Source) -> Vec<(usize, String)> {
    let mut banned = vec![".unwrap()"];
    if is_library(&source.path) {
        banned.extend(["println!", "eprintln!", "print!(", "eprint!("]);
    }
    let mut found = Vec::new();
    for call in banned {
        for (at, _) in source.code.match_indices(call) {
            if !source.is_test(at) {
                found.push((at, format!("{call} outside tests")));
            }
        }
    }
    found
}

/// Things that only some places may do.
fn places(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    if !UNSAFE_FILES.contains(&&*source.path) {
        let unsafe_code = source.words("unsafe").into_iter();
        found.extend(unsafe_code.map(|at| (at, format!("unsafe outside {UNSAFE_FILES:?}"))));
    }
    if !is_library(&source.path) {
        return found;
    }
    for word in ["async", "await"] {
        let uses = source.words(word).into_iter();
        found.extend(uses.map(|at| (at, format!("{word} in a crate that runs none"))));
    }
    for at in source.words("std") {
        let names = first_segments(&source.code, at + "std".len());
        let allowed = source.is_test(at) || DISK_FILES.contains(&&*source.path);
        if names.iter().any(|name| name == "fs") && !allowed {
            found.push((at, format!("std::fs outside {DISK_FILES:?}")));
        }
    }
    found
}

/// Whether the file belongs to the crates that people embed.
fn is_library(path: &str) -> bool {
    path.starts_with("engine/src/") || path.starts_with("query/src/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(path: &str, body: &str) -> Vec<String> {
        check(&Source::new(path, &format!("//! A file.\n{body}\n")))
    }

    fn is_found(body: &str) -> bool {
        !complaints("engine/src/wal/frame.rs", body).is_empty()
    }

    #[test]
    fn each_planted_violation_is_found() {
        let wide = format!("// {}", "x".repeat(LINE_COLUMNS_MAX));
        let long_function = format!("fn f() {{\n{}}}", "a();\n".repeat(FUNCTION_LINES_MAX));
        let long_file = "const A: u8 = 0;\n".repeat(FILE_LINES_MAX);
        let planted = [
            &*wide,
            &long_function,
            &long_file,
            concat!("// TO", "DO: later"),
            concat!("fn f() { to", "do!() }"),
            concat!("#[ig", "nore]\nfn f() {}"),
            "fn f() { g().unwrap(); }",
            "fn f() { println!(\"x\"); }",
            "use std::fs;",
            "use std::{io, fs::File};",
            "fn f() { unsafe { g() } }",
            "async fn f() {}",
            "mod util;",
            "struct BlockManager;",
            "fn get_block() {}",
            "fn handle_push() {}",
            "enum SeriesInfo {}",
        ];
        for body in planted {
            assert!(is_found(body), "nothing found in {body}");
        }
        assert_eq!(
            check(&Source::new("engine/src/wal/frame.rs", "fn f() {}\n")).len(),
            1
        );
    }

    #[test]
    fn what_is_allowed_is_left_alone() {
        let fine = [
            "// an unsafe, async println! in a comment",
            "const A: &str = \"std::fs and .unwrap()\";",
            "#![deny(unsafe_code)]",
            "fn common_prefix() {}",
            "fn information() {}",
            "#[cfg(test)]\nmod tests {\n fn f() { g().unwrap(); std::fs::read(p); }\n}",
            "type Callback = fn(&[u8]);",
            "fn f(a: [u8; 4]) -> u8;",
        ];
        for body in fine {
            assert!(
                !is_found(body),
                "{:?}",
                complaints("engine/src/wal/frame.rs", body)
            );
        }
        assert!(complaints("engine/src/io/disk.rs", "use std::fs::File;").is_empty());
        assert!(complaints("engine/src/io/mmap.rs", "fn f() { unsafe {} }").is_empty());
        assert!(complaints("server/src/main.rs", "async fn f() { println!(\"x\"); }").is_empty());
    }

    #[test]
    fn tests_do_not_count_towards_the_size_of_a_file() {
        let tests = "fn a() {}\n".repeat(FILE_LINES_MAX);
        assert!(!is_found(&format!("#[cfg(test)]\nmod tests {{\n{tests}}}")));
    }
}

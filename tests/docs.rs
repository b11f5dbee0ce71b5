//! The documentation is run: every command line of ours that a page shows is one that the program
//! understands, and those that end by themselves are carried out as they stand, in a folder that
//! has the files which they name.

use std::fs;

use chronolith_server::testing::misunderstood;
use chronolith_tests::workspace_root;

mod lines;
mod world;

use lines::{Line, inline, lines, words};
use world::World;

/// The pages that people copy from.
const PAGES: [&str; 8] = [
    "README.md",
    "docs/cli.md",
    "docs/config.md",
    "docs/getting-started.md",
    "docs/http.md",
    "docs/migration.md",
    "docs/operations.md",
    "docs/security.md",
];

fn page(path: &str) -> String {
    fs::read_to_string(workspace_root().join(path)).unwrap()
}

#[test]
fn every_command_line_of_the_documentation_is_understood() {
    let (mut seen, mut wrong) = (0, Vec::new());
    for path in PAGES {
        let text = page(path);
        let shown = lines(&text).into_iter().map(|line| line.command);
        for command in shown.chain(inline(&text)) {
            for arguments in words(&command) {
                seen += 1;
                if let Some(why) = misunderstood(&arguments) {
                    wrong.push(format!("{path}: {command}\n{why}"));
                }
            }
        }
    }
    assert!(seen > 40, "only {seen} command lines were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a line ends by itself and is of this program alone.
fn ends(line: &Line) -> bool {
    let other = ["serve", "--tail", "tail -f", "journalctl", "promtool"];
    line.command.contains("chronolith ") && !other.iter().any(|it| line.command.contains(it))
}

/// Carries out what a page shows, in its order. What was printed, line by line of the page.
fn carry_out(path: &str, world: &World) -> Vec<(Line, String)> {
    let shown = lines(&page(path)).into_iter().filter(ends);
    let done: Vec<(Line, String)> = shown
        .map(|line| {
            let printed = world.run(&line.command);
            (line, printed)
        })
        .collect();
    assert!(!done.is_empty(), "{path} shows nothing to carry out");
    done
}

#[test]
fn commands_of_the_command_line_page_print_what_it_shows() {
    let world = World::new();
    for (line, printed) in carry_out("docs/cli.md", &world) {
        // Columns are as wide as what stands in them.
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let Some(shown) = line.shown.first().filter(|shown| is_heading(shown)) else {
            continue;
        };
        let found = printed.lines().next().unwrap_or("");
        assert_eq!(squeezed(found), squeezed(shown), "{}", line.command);
    }
}

/// Whether a line has the names of columns and nothing else.
fn is_heading(line: &str) -> bool {
    line.chars()
        .all(|letter| letter.is_ascii_uppercase() || letter == ' ')
}

#[test]
fn commands_of_the_first_pages_are_carried_out() {
    let world = World::new();
    world.run("chronolith import text metrics.prom");
    carry_out("README.md", &world);
    carry_out("docs/getting-started.md", &world);
}

#[test]
fn everything_that_the_page_on_moving_shows_is_moved() {
    let world = World::new();
    let done = carry_out("docs/migration.md", &world);
    for (line, printed) in &done {
        if !line.command.starts_with("chronolith import") {
            continue;
        }
        let count = |name: &str| -> u64 {
            let found = printed.lines().find_map(|line| line.strip_prefix(name));
            found
                .unwrap()
                .split_whitespace()
                .next()
                .unwrap()
                .parse()
                .unwrap()
        };
        assert!(count("read") > 0, "{}: {printed}", line.command);
        assert_eq!(count("refused"), 0, "{}: {printed}", line.command);
    }
    for file in [
        "blocks",
        "metrics.jsonl.zst",
        "logs.jsonl.zst",
        "samples.parquet",
        "lines.parquet",
    ] {
        let made = fs::metadata(world.path(file)).unwrap();
        assert!(made.is_dir() || made.len() > 0, "{file}");
    }
}

#[test]
fn configurations_that_the_page_shows_are_right() {
    let world = World::new();
    let text = page("docs/config.md");
    let blocks = lines::indented(&text);
    let blocks = blocks.iter().filter(|block| block.contains(":\n"));
    let mut checked = 0;
    for block in blocks.filter(|block| !block.contains("chronolith ")) {
        fs::write(world.path("chronolith.yml"), block).unwrap();
        world.run("chronolith check config chronolith.yml");
        checked += 1;
    }
    assert_eq!(checked, 2);
}

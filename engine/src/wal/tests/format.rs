//! The bytes on disk are those of docs/format/wal.md.

use super::*;
use std::fmt::Write;

/// The example of the page: a first segment with two records.
fn example() -> Vec<u8> {
    let disk = new_disk(1);
    let (wal, ..) = open(&disk, WalOptions::default());
    wal.submit(wal.era(), "acme", 1, 2, b"hello").unwrap();
    wal.wait(Lsn(1)).unwrap();
    wal.submit(wal.era(), "acme", 2, 1, b"").unwrap();
    wal.wait(Lsn(2)).unwrap();
    let path = super::super::segment::segment_path(Path::new(DIR), 1);
    disk.contents(&path).unwrap()
}

/// Lines of `offset  bytes`, eight bytes a line.
fn dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (index, line) in bytes.chunks(8).enumerate() {
        write!(text, "{:04x} ", index * 8).unwrap();
        for byte in line {
            write!(text, " {byte:02x}").unwrap();
        }
        text.push('\n');
    }
    text
}

#[test]
fn the_example_of_the_format_page_is_what_is_written() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/format/wal.md");
    let page = std::fs::read_to_string(page).unwrap();
    // The page annotates each line behind the bytes.
    let example = dump(&example());
    let wanted: Vec<&str> = example.lines().collect();
    let is_dump = |line: &&str| line.len() > 6 && u16::from_str_radix(&line[..4], 16).is_ok();
    let found: Vec<&str> = page
        .lines()
        .filter(is_dump)
        .map(|line| line.split("  | ").next().unwrap().trim_end())
        .collect();
    assert_eq!(found, wanted, "the page shows other bytes:\n{example}");
}

#[test]
fn version_one_stays_readable() {
    let disk = new_disk(1);
    let path = super::super::segment::segment_path(Path::new(DIR), 1);
    let bytes: Vec<u8> = GOLDEN
        .split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect();
    assert_eq!(bytes, example());
    disk.plant(&path, &bytes);
    let (_, report, seen) = open(&disk, WalOptions::default());
    assert_eq!(seen, [(1, b"hello".to_vec()), (2, Vec::new())]);
    assert_eq!((report.last, report.durable), (Lsn(2), Lsn(1)));
}

/// A segment as version 1 wrote it. Never to be changed: old files do not change either.
const GOLDEN: &str = "
    43 48 52 4f 4e 57 41 4c 01 00 00 00 00 00 00 00
    01 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00
    00 00 00 00 00 00 00 00 00 00 00 00 9c 6d 02 ea
    f7 46 52 9a 09 00 00 00 01 00 00 00 00 00 00 00
    00 00 00 00 00 00 00 00 04 01 02 00 6e 37 c8 a9
    ce 10 52 87 61 63 6d 65 68 65 6c 6c 6f 00 00 00
    f7 46 52 9a 04 00 00 00 02 00 00 00 00 00 00 00
    01 00 00 00 00 00 00 00 04 02 01 00 3e ba c4 05
    ff 86 39 0c 61 63 6d 65
";

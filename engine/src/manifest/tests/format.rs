//! The bytes: round trips, hostile input, the format page and the golden files.

use super::*;
use crate::error::ErrorKind;
use crate::manifest::file::{decode, encode};
use crate::manifest::fuzz::{example, fuzz_manifest, seeds_manifest};

const PAGE: &str = include_str!("../../../../docs/format/manifest.md");
const DELTA_1: &[u8] = include_bytes!("golden/delta_v1.man");
const CHECKPOINT_1: &[u8] = include_bytes!("golden/checkpoint_v1.man");
const DELTA_2: &[u8] = include_bytes!("golden/delta_v2.man");
const CHECKPOINT_2: &[u8] = include_bytes!("golden/checkpoint_v2.man");

/// The bytes that the page spells out: hex in front of a bar, in fenced lines.
fn bytes_of_page() -> Vec<u8> {
    let (_, example) = PAGE
        .split_once("## An example\n")
        .and_then(|(_, section)| section.split_once("```hex\n"))
        .expect("the page has an example");
    let (example, _) = example.split_once("```").expect("the example ends");
    let hex = example.lines().filter_map(|line| line.split('|').next());
    let pairs = hex.flat_map(str::split_whitespace);
    pairs
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

#[test]
fn the_page_shows_the_bytes_that_are_written() {
    let bytes = encode(&example()).unwrap();
    let (first, second) = bytes.split_at(bytes.len() / 2);
    assert_eq!(first, second);
    assert_eq!(bytes_of_page(), first, "written: {first:02x?}");
}

/// What the example is without that which format 1 did not have.
fn example_of_format_1() -> Record {
    let mut record = example();
    record.change.next_tombstone = None;
    record.change.begin_tombstones.clear();
    record.change.add_blocks[0].applied = 0;
    record.change.add_tombstones[0].created = Ticks(0);
    record.change.add_tombstones[0].predicate.clear();
    record
}

#[test]
fn files_of_format_1_are_read_for_ever() {
    let expected = example_of_format_1();
    assert_eq!(decode(8, DELTA_1).unwrap(), expected);
    let checkpoint = decode(9, CHECKPOINT_1).unwrap();
    assert_eq!(checkpoint.form, Form::Checkpoint);
    assert_eq!(checkpoint.change.add_blocks, expected.change.add_blocks);
}

#[test]
fn files_of_format_2_are_written_and_read() {
    assert_eq!(decode(8, DELTA_2).unwrap(), example());
    let checkpoint = decode(9, CHECKPOINT_2).unwrap();
    assert_eq!(checkpoint.form, Form::Checkpoint);
    assert_eq!(checkpoint.change.add_blocks, example().change.add_blocks);
    assert_eq!(seeds_manifest()[..2], [DELTA_2, CHECKPOINT_2]);
}

#[test]
fn a_folder_of_format_1_opens_and_goes_on_in_format_2() {
    let disk = SimDisk::new(1);
    disk.plant(&file_path(Path::new(DIR), 9), CHECKPOINT_1);
    let (mut manifest, opened) = open(&disk).unwrap();
    assert!(opened.damage.is_empty(), "{:?}", opened.damage);
    let expected = example_of_format_1().change;
    assert_eq!(opened.version.blocks, expected.add_blocks);
    assert_eq!(opened.version.tombstones, expected.add_tombstones);
    // The id that the old file's tombstone has is never given to another one.
    assert_eq!(opened.version.next_tombstone, 8);
    let change = Change {
        remove_tombstones: vec![7],
        ..Change::default()
    };
    manifest.commit(&change).unwrap();
    let version = reopened(&disk.crash_to_synced()).version;
    assert_eq!((version.tombstones.len(), version.next_tombstone), (0, 8));
}

#[test]
fn a_record_is_read_as_it_was_written() {
    let record = example();
    assert_eq!(
        decode(record.number, &encode(&record).unwrap()).unwrap(),
        record
    );
    assert!(decode(record.number + 1, &encode(&record).unwrap()).is_err());
}

#[test]
fn a_single_copy_with_any_flipped_bit_or_cut_is_refused() {
    let bytes = encode(&example()).unwrap();
    let copy = &bytes[..bytes.len() / 2];
    assert_eq!(decode(8, copy).unwrap(), example());
    for cut in 0..copy.len() {
        assert_eq!(
            decode(8, &copy[..cut]).unwrap_err().kind(),
            ErrorKind::Corrupt
        );
    }
    for bit in 0..copy.len() * 8 {
        let mut flipped = copy.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(decode(8, &flipped).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn a_later_format_is_unsupported_and_never_taken_for_a_torn_file() {
    let mut bytes = encode(&example()).unwrap();
    bytes[4] = 3;
    let crc = crc32fast::hash(&bytes[..28]).to_le_bytes();
    bytes[28..32].copy_from_slice(&crc);
    let copy = bytes[..bytes.len() / 2].to_vec();
    assert_eq!(decode(8, &copy).unwrap_err().kind(), ErrorKind::Unsupported);
    let disk = SimDisk::new(1);
    disk.plant(&file_path(Path::new(DIR), 8), &copy);
    assert_eq!(
        open(&disk).map(|_| ()).unwrap_err().kind(),
        ErrorKind::Unsupported
    );
}

#[test]
fn hostile_payloads_are_survived() {
    for seed in seeds_manifest() {
        for cut in 0..seed.len() {
            fuzz_manifest(&seed[..cut]);
        }
        for at in 0..seed.len() {
            for byte in [0, 1, 0x7f, 0x80, 0xff] {
                let mut changed = seed.clone();
                changed[at] = byte;
                fuzz_manifest(&changed);
            }
        }
    }
}

//! The bytes: round trips, hostile input, the format page and the golden files.

use super::*;
use crate::error::ErrorKind;
use crate::manifest::file::{decode, encode};
use crate::manifest::fuzz::{example, fuzz_manifest, seeds_manifest};

const PAGE: &str = include_str!("../../../../docs/format/manifest.md");
const GOLDEN_DELTA: &[u8] = include_bytes!("golden/delta_v1.man");
const GOLDEN_CHECKPOINT: &[u8] = include_bytes!("golden/checkpoint_v1.man");

/// The bytes that the page spells out: hex in front of a bar, in fenced lines.
fn bytes_of_page() -> Vec<u8> {
    let (_, example) = PAGE
        .split_once("```hex\n")
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

#[test]
fn files_of_format_1_are_read_for_ever() {
    assert_eq!(decode(8, GOLDEN_DELTA).unwrap(), example());
    let checkpoint = decode(9, GOLDEN_CHECKPOINT).unwrap();
    assert_eq!(checkpoint.form, Form::Checkpoint);
    assert_eq!(checkpoint.change.add_blocks, example().change.add_blocks);
    assert_eq!(seeds_manifest()[..2], [GOLDEN_DELTA, GOLDEN_CHECKPOINT]);
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
    bytes[4] = 2;
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

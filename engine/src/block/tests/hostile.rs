//! Blocks whose damage stands behind right checksums: the fuzz bodies survive them.

use super::super::*;
use super::{open, planted, sealed_small};
use crate::io::sim::Dice;

#[test]
fn fuzz_bodies_survive_blocks_with_damage_behind_right_checksums() {
    let (_, bytes, _) = sealed_small();
    fuzz::fuzz_block(&bytes);
    let reader = open(&planted(&bytes)).unwrap();
    for place in reader.pages_end() as usize..bytes.len() - footer::TRAILER_BYTES {
        for flip in [1, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[place] ^= flip;
            reseal(&mut damaged);
            fuzz::fuzz_block(&damaged);
            fuzz::fuzz_index(&damaged[place..]);
        }
    }
}

#[test]
fn fuzz_bodies_survive_many_changes_at_once() {
    let (_, bytes, _) = sealed_small();
    let start = open(&planted(&bytes)).unwrap().pages_end();
    let span = bytes.len() as u64 - footer::TRAILER_BYTES as u64 - start;
    for seed in 0..3_000 {
        let mut dice = Dice::new(seed);
        let mut damaged = bytes.clone();
        for _ in 0..=dice.below(6) {
            let place = (start + dice.below(span)) as usize;
            damaged[place] = [0, 1, 0x7f, 0x80, 0xff, dice.next() as u8][dice.below(6) as usize];
        }
        reseal(&mut damaged);
        // A panic names no seed by itself; this is printed only if the test fails.
        println!("seed {seed}");
        fuzz::fuzz_block(&damaged);
    }
}

/// Makes every checksum of the index and the footer right again.
fn reseal(bytes: &mut [u8]) {
    let footer_start = bytes.len() - footer::TRAILER_BYTES - footer::FOOTER_BYTES;
    for section in 0..footer::SECTIONS.len() {
        let entry = footer_start + 41 + section * 21;
        let number = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        let (offset, length) = (number(entry + 1) as usize, number(entry + 9) as usize);
        let Some(section) = bytes.get(offset..offset.saturating_add(length)) else {
            continue;
        };
        let crc = crc32fast::hash(section);
        bytes[entry + 17..entry + 21].copy_from_slice(&crc.to_le_bytes());
    }
    let trailer = bytes.len() - footer::TRAILER_BYTES;
    let crc = crc32fast::hash(&bytes[footer_start..trailer]);
    bytes[trailer + 12..trailer + 16].copy_from_slice(&crc.to_le_bytes());
}

//! The class table: what the numbers of retention classes mean, for as long as a block uses them.
//!
//! A note of the manifest, put by the very commit that names the first block of a class and taken
//! away by the one that drops its last: so a version and the classes of its blocks cannot part
//! (I25). The bytes are told in docs/format/records.md.

use std::collections::{BTreeMap, BTreeSet};

use crate::codec::bytes::{Cursor, put_prefixed, put_varint};
use crate::error::{Error, ErrorKind, Result};
use crate::labels::classes::Terms;
use crate::manifest::{Change, Version};

/// The first byte of the keys of a store's own notes: no UTF-8 text begins with it, so no metric
/// family is called like one.
pub(crate) const OWN_NOTE: u8 = 0xff;

/// The key of the note.
const KEY: &[u8] = b"\xffclasses";

/// The version of the note's bytes.
const FORMAT_VERSION: u8 = 1;

/// The class of series that no rule accepts. Its horizon is the store's default as it is set now,
/// so the table does not have it.
pub(crate) const CLASS_DEFAULT: u8 = 0;

/// The class of series whose rule found no free number: kept until a merge finds one.
pub(crate) const CLASS_WAITING: u8 = u8::MAX;

/// Whether a class is one that the table explains.
fn has_terms(class: u8) -> bool {
    class != CLASS_DEFAULT && class != CLASS_WAITING
}

/// What each class number means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClassTable {
    pub(crate) terms: BTreeMap<u8, Terms>,
}

impl ClassTable {
    /// The table of a version; empty where it has none.
    pub(crate) fn of(version: &Version) -> Result<Self> {
        match version.notes.get(KEY) {
            Some(bytes) => ClassTable::decode(bytes)
                .map_err(|error| error.context("the class table in the manifest")),
            None => Ok(ClassTable::default()),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = vec![FORMAT_VERSION];
        for (class, terms) in &self.terms {
            assert!(has_terms(*class), "class {class} has no terms of its own");
            out.push(*class);
            // Nothing is kept for 2^64 - 1 nanoseconds: see `nanos_of` in `retention.rs`.
            put_varint(&mut out, terms.keep_nanos.map_or(0, |nanos| nanos + 1));
            put_prefixed(&mut out, terms.matchers.as_bytes());
        }
        out
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let mut cursor = Cursor::new(bytes);
        let version = cursor.u8()?;
        if version != FORMAT_VERSION {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("class table {version} is unknown, this build reads {FORMAT_VERSION}"),
            ));
        }
        let mut terms = BTreeMap::new();
        let mut last = CLASS_DEFAULT;
        while !cursor.is_empty() {
            let class = cursor.u8()?;
            if class <= last || !has_terms(class) {
                return Err(Error::corrupt(format!(
                    "class {class} is out of order or has no terms"
                )));
            }
            last = class;
            let keep_nanos = cursor.varint()?.checked_sub(1);
            let matchers = cursor.text()?.into();
            terms.insert(
                class,
                Terms {
                    matchers,
                    keep_nanos,
                },
            );
        }
        Ok(ClassTable { terms })
    }
}

/// The change, with the table that its blocks need: the terms of all classes in use are taken from
/// the present table or from `terms_of`, who knows the classes that are at work.
pub(crate) fn with_table(
    version: &Version,
    mut change: Change,
    terms_of: impl Fn(u8) -> Option<Terms>,
) -> Result<Change> {
    let adds_classes = change.add_blocks.iter().any(|block| block.class != 0);
    if !adds_classes && !version.notes.contains_key(KEY) {
        return Ok(change);
    }
    let before = ClassTable::of(version)?;
    let gone: BTreeSet<u64> = change.remove_blocks.iter().copied().collect();
    let kept = version.blocks.iter();
    let kept = kept.filter(|block| !gone.contains(&block.number));
    let used: BTreeSet<u8> = kept
        .chain(&change.add_blocks)
        .map(|block| block.class)
        .filter(|class| has_terms(*class))
        .collect();
    let with_terms = |class: u8| {
        let terms = before.terms.get(&class).cloned();
        Some((class, terms.or_else(|| terms_of(class))?))
    };
    let after = ClassTable {
        terms: used.into_iter().filter_map(with_terms).collect(),
    };
    if after == before {
        return Ok(change);
    }
    match after.terms.is_empty() {
        true => change.remove_notes.push(KEY.to_vec()),
        false => change.put_notes.push((KEY.to_vec(), after.encode())),
    }
    Ok(change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::BlockEntry;
    use crate::time::{TickRange, Ticks};

    const PAGE: &str = include_str!("../../../docs/format/records.md");

    fn terms(matchers: &str, keep_nanos: Option<u64>) -> Terms {
        Terms {
            matchers: matchers.into(),
            keep_nanos,
        }
    }

    /// The example of the page.
    fn example() -> ClassTable {
        ClassTable {
            terms: BTreeMap::from([
                (1, terms("{app=\"audit\"}", None)),
                (3, terms("{level=~\"debug\"}", Some(3_600_000_000_000))),
            ]),
        }
    }

    /// The bytes that the page spells out below its heading on the class table.
    fn bytes_of_page() -> Vec<u8> {
        let (_, section) = PAGE.split_once("## Example of a class table").unwrap();
        let (_, example) = section.split_once("```hex\n").unwrap();
        let (example, _) = example.split_once("```").unwrap();
        let hex = example.lines().filter_map(|line| line.split('|').next());
        hex.flat_map(str::split_whitespace)
            .map(|pair| u8::from_str_radix(pair, 16).unwrap())
            .collect()
    }

    #[test]
    fn the_page_shows_the_bytes_of_a_class_table() {
        let bytes = example().encode();
        assert_eq!(bytes_of_page(), bytes, "written: {bytes:02x?}");
        assert_eq!(ClassTable::decode(&bytes).unwrap(), example());
    }

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let full = (1..CLASS_WAITING).map(|class| {
            let keep = Some(u64::from(class) << 40);
            (class, terms(&format!("{{n=\"{class}\"}}"), keep))
        });
        let full = ClassTable {
            terms: full.collect(),
        };
        for table in [ClassTable::default(), example(), full] {
            assert_eq!(ClassTable::decode(&table.encode()).unwrap(), table);
        }
    }

    #[test]
    fn a_table_cut_at_any_byte_or_with_any_flipped_bit_is_refused_or_another_table() {
        let bytes = example().encode();
        // Where a class ends a table ends: the manifest's checksum is what tells.
        let second = bytes.iter().rposition(|byte| *byte == 3).unwrap();
        for cut in 0..bytes.len() {
            let outcome = ClassTable::decode(&bytes[..cut]);
            assert_eq!(outcome.is_ok(), cut == 1 || cut == second, "cut at {cut}");
        }
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            match ClassTable::decode(&flipped) {
                Ok(table) => assert_ne!(table, example(), "bit {bit}"),
                Err(error) => assert!(matches!(
                    error.kind(),
                    ErrorKind::Corrupt | ErrorKind::Unsupported
                )),
            }
        }
    }

    #[test]
    fn classes_that_ask_for_no_terms_or_come_out_of_order_are_refused() {
        let entry = |class: u8| [class, 0, 0].to_vec();
        let table = |classes: &[u8]| {
            let entries = classes.iter().flat_map(|class| entry(*class));
            [FORMAT_VERSION]
                .into_iter()
                .chain(entries)
                .collect::<Vec<u8>>()
        };
        assert!(ClassTable::decode(&table(&[1, 2, 254])).is_ok());
        for classes in [&[0][..], &[255], &[2, 2], &[2, 1]] {
            let error = ClassTable::decode(&table(classes)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{classes:?}");
        }
        let error = ClassTable::decode(&[2]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
    }

    fn block(number: u64, class: u8) -> BlockEntry {
        BlockEntry {
            number,
            range: TickRange::new(Ticks(0), Ticks(0)),
            partition: TickRange::ALL,
            lsn_min: number,
            lsn_max: number,
            level: 0,
            class,
            bytes: 1,
            series: 1,
            entries: 1,
            applied: 0,
        }
    }

    #[test]
    fn the_table_says_what_the_blocks_of_its_version_need_and_no_more() {
        let terms_of = |class: u8| {
            let known = (1..=9).contains(&class);
            known.then(|| terms(&format!("rule {class}"), Some(u64::from(class))))
        };
        let classes_of = |version: &Version| -> Vec<u8> {
            let table = ClassTable::of(version).unwrap();
            table.terms.into_keys().collect()
        };
        let step = |version: &Version, add: &[(u64, u8)], remove: &[u64]| {
            let change = Change {
                add_blocks: add
                    .iter()
                    .map(|(number, class)| block(*number, *class))
                    .collect(),
                remove_blocks: remove.to_vec(),
                ..Change::default()
            };
            let change = with_table(version, change, terms_of).unwrap();
            version.apply(&change).unwrap()
        };
        let plain = step(&Version::default(), &[(1, 0)], &[]);
        assert!(plain.notes.is_empty());
        let two = step(&plain, &[(2, 4), (3, 2), (4, 0), (5, CLASS_WAITING)], &[]);
        assert_eq!(classes_of(&two), [2, 4]);
        // What a number means stays as long as a block uses it, whoever is asked then.
        let change = Change {
            add_blocks: vec![block(6, 2)],
            ..Change::default()
        };
        let other = |_: u8| Some(terms("other", None));
        assert_eq!(with_table(&two, change.clone(), other).unwrap(), change);
        let one = step(&two, &[(7, 4)], &[3]);
        assert_eq!(classes_of(&one), [4]);
        let same = step(&one, &[], &[2]);
        assert_eq!(classes_of(&same), [4]);
        let none = step(&same, &[], &[7]);
        assert!(none.notes.is_empty());
    }
}

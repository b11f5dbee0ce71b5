//! Hostile bytes for the manifest's decoders, and the example that its format page shows.

use crate::time::{TickRange, Ticks};

use super::file::{self, Form, Record};
use super::version::{BlockEntry, Change, Tombstone, Version};

/// Reads bytes as a file and, past the checksums that would shield it, as a payload.
pub fn fuzz_manifest(bytes: &[u8]) {
    let number = bytes.get(8..16).and_then(|field| field.try_into().ok());
    let number = u64::from_le_bytes(number.unwrap_or_default());
    if let Ok(record) = file::decode(number, bytes) {
        survives(&record.change);
    }
    for version in [1, 2] {
        if let Ok(change) = file::decode_change(version, bytes) {
            survives(&change);
        }
    }
}

/// What was decoded must encode to bytes that decode to the same, and so must the version that it
/// makes.
fn survives(change: &Change) {
    // The first format leaves this open, as a change in memory may.
    let resolved = change.next_tombstone.or(Some(u64::MAX));
    round_trips(&Change {
        next_tombstone: resolved,
        ..change.clone()
    });
    if let Ok(version) = Version::default().apply(change) {
        let again = version.as_change();
        round_trips(&again);
        assert_eq!(Version::default().apply(&again).ok(), Some(version));
    }
}

fn round_trips(change: &Change) {
    let bytes = file::encode_change(change);
    let decoded = file::decode_change(file::FORMAT_VERSION, &bytes).expect("own bytes decode");
    assert_eq!(&decoded, change);
}

/// A delta, a checkpoint, and the bare payload of each.
pub fn seeds_manifest() -> Vec<Vec<u8>> {
    let delta = example();
    let version = Version::default().apply(&Change {
        remove_blocks: Vec::new(),
        remove_tombstones: Vec::new(),
        begin_tombstones: vec![7],
        ..delta.change.clone()
    });
    let checkpoint = Record {
        number: 9,
        form: Form::Checkpoint,
        change: version
            .expect("the example's additions make a version")
            .as_change(),
    };
    let records = [delta, checkpoint];
    let files = records
        .iter()
        .map(|record| file::encode(record).expect("the example is short"));
    let payloads = records
        .iter()
        .map(|record| file::encode_change(&record.change));
    files.chain(payloads).collect()
}

/// The record that the format page spells out byte by byte: it has one of everything.
pub(crate) fn example() -> Record {
    let block = BlockEntry {
        number: 5,
        range: TickRange::new(Ticks(1_000), Ticks(1_999)),
        partition: TickRange::new(Ticks(0), Ticks(7_199_999)),
        lsn_min: 40,
        lsn_max: 47,
        level: 1,
        class: 0,
        bytes: 300,
        series: 2,
        entries: 16,
        applied: 2,
    };
    let tombstone = Tombstone {
        id: 7,
        lsn: 45,
        range: TickRange::new(Ticks(-1), Ticks(500)),
        created: Ticks(2_000),
        matchers: b"m".to_vec(),
        predicate: b"p".to_vec(),
        is_begun: false,
    };
    Record {
        number: 8,
        form: Form::Delta { base: 6 },
        change: Change {
            add_blocks: vec![block],
            remove_blocks: vec![3, 4],
            wal_floor: Some(48),
            next_block: Some(6),
            next_tombstone: Some(8),
            add_tombstones: vec![tombstone],
            begin_tombstones: vec![2],
            remove_tombstones: vec![2],
            put_notes: vec![(b"k".to_vec(), b"v1".to_vec())],
            remove_notes: vec![b"old".to_vec()],
        },
    }
}

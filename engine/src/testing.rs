//! The side door for tests, fuzzing and benches, open only with the feature `testing`.
//!
//! Nothing here is for programs that embed the engine, and none of it is promised to stay. A
//! `fuzz_*` function takes any bytes at all and returns: a panic is a bug in the decoder that it
//! drives. A `seeds_*` function gives small valid inputs for the target of that name.

use std::collections::BTreeMap;

use crate::config::Limits;
use crate::error::Result;
use crate::kind::samples::Samples;
use crate::labels::set::{LabelSet, Labels};

mod chunks;
pub mod codec;
mod decoders;
mod lookup;
mod seeds;
mod stage;
mod text;

pub use crate::store::plant::Plant;
pub use chunks::{
    ColumnCodec, CompactedChunk, Decimals, compacted_chunks, decimal_integers, float_chunk_bytes,
    read_float_chunk,
};
pub use decoders::{
    fuzz_deletion, fuzz_filter, fuzz_lines_chunk, fuzz_metadata, fuzz_notes, fuzz_record,
    fuzz_samples_chunk,
};
pub use lookup::{count_in_blocks, count_in_head};
pub use seeds::{
    seeds_block, seeds_deletion, seeds_filter, seeds_float_chunk, seeds_histogram,
    seeds_histogram_chunk, seeds_index, seeds_ints, seeds_lines_chunk, seeds_metadata, seeds_notes,
    seeds_re2, seeds_record, seeds_samples_chunk, seeds_statistics, seeds_stream,
    seeds_tiled_chunk,
};
pub use stage::{
    Fault, ManualClock, SimDisk, Stage, append_together, drop_oldest_block, keep_small_pages,
    merge, merge_meanwhile, plant, tend,
};
pub use text::TextCodec;

pub use crate::manifest::{fuzz_manifest, seeds_manifest};

/// Reads bytes as a label set; one that is accepted must survive being taken apart and built again.
pub fn fuzz_labels(bytes: &[u8]) {
    let Ok(labels) = Labels::from_bytes(bytes) else {
        return;
    };
    let rebuilt = LabelSet::from_pairs(labels.iter());
    let rebuilt = rebuilt.expect("an accepted set has sorted, unique, filled labels");
    assert_eq!(rebuilt.as_labels().id(), labels.id());
}

/// Replays bytes as a segment of the log.
pub fn fuzz_wal(bytes: &[u8]) {
    crate::wal::fuzz_wal(bytes);
}

/// Takes bytes as a pattern behind its length, and a text.
pub fn fuzz_re2(bytes: &[u8]) {
    crate::labels::re2::fuzz::fuzz_re2(bytes);
}

/// Takes bytes as a strip of texts behind its length.
pub fn fuzz_text(bytes: &[u8]) {
    crate::codec::text::fuzz::fuzz_text(bytes);
}

/// Encoded strips of texts behind their length.
pub fn seeds_text() -> Vec<Vec<u8>> {
    crate::codec::text::fuzz::seeds_text()
}

/// Takes bytes as a block file.
pub fn fuzz_block(bytes: &[u8]) {
    crate::block::fuzz::fuzz_block(bytes);
}

/// Takes bytes as the sections of a block's index.
pub fn fuzz_index(bytes: &[u8]) {
    crate::block::fuzz::fuzz_index(bytes);
}

/// Label sets as a scrape and a log shipper send them.
pub fn seeds_labels() -> Vec<Vec<u8>> {
    let sets: [&[(&str, &str)]; 3] = [
        &[("__name__", "up"), ("instance", "a:9100"), ("job", "node")],
        &[("app", "checkout"), ("level", "warn")],
        &[("k", "schlüssel"), ("z", "\u{1f512}")],
    ];
    sets.iter()
        .map(|pairs| label_set_bytes(pairs).expect("the pairs above are a valid set"))
        .collect()
}

/// The canonical bytes of a label set: what the benchmark of label building drives.
pub fn label_set_bytes(pairs: &[(&str, &str)]) -> Result<Vec<u8>> {
    let set = LabelSet::from_pairs(pairs.iter().copied())?;
    Ok(set.as_labels().as_bytes().to_vec())
}

/// Rules of retention, compiled: what the benchmark of classes drives.
pub struct RetentionClasses {
    classes: crate::labels::classes::Classes,
}

impl RetentionClasses {
    /// The rules of these limits, for metrics.
    pub fn new(limits: &Limits) -> Self {
        let classes = crate::store::retention::number_rules::<Samples>(limits, BTreeMap::new());
        RetentionClasses { classes }
    }

    /// The class that a series is stored in.
    pub fn class_of(&self, labels: Labels<'_>) -> u8 {
        self.classes.class_of(labels)
    }
}

//! The bodies of the fuzz targets above the codecs: records, sealed chunks, filters, notes.
//!
//! A count or a number that bytes claim must not size an allocation, so counts go to the decoders
//! as they stand in the input.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::codec::bytes::{Cursor, put_prefixed};
use crate::codec::tokens::Needle;
use crate::config::Options;
use crate::error::{Error, Result};
use crate::head::Head;
use crate::head::budget::Budget;
use crate::head::record::{self, RecordReader};
use crate::head::replay::{Proof, Recovery};
use crate::index::filter::Filter;
use crate::kind::lines::Lines;
use crate::kind::samples::Samples;
use crate::kind::{Columns, Effort, Kind, Parts, Scratch, StoredChunk, Wanted};
use crate::metadata;
use crate::store::class_table::ClassTable;
use crate::store::deletion;
use crate::store::notes::Notes;
use crate::testing::{ManualClock, SimDisk, Stage};
use crate::time::{TickRange, Ticks};
use crate::wal::Lsn;

/// Fuzz body: the record of a batch, read by itself and then into an empty head.
pub fn fuzz_record(data: &[u8]) {
    replay::<Samples>(data);
    replay::<Lines>(data);
}

/// Fuzz body: a sealed chunk of samples. Its encoding, its count in four bytes, its strip; with
/// 128 more in the encoding, its range and the column that it shares stand before the strip.
pub fn fuzz_samples_chunk(data: &[u8]) {
    check_chunk::<Samples>(data);
}

/// Fuzz body: a sealed chunk of lines. Its encoding, its count in four bytes, its strips, each but
/// the last behind its length.
pub fn fuzz_lines_chunk(data: &[u8]) {
    check_chunk::<Lines>(data);
}

/// Fuzz body: the filter over the tokens of a page. The hashes asked for are the input's words.
pub fn fuzz_filter(data: &[u8]) {
    let Ok(filter) = Filter::read(data) else {
        return;
    };
    // No hash at all is no question.
    assert!(filter.may_hold(&Needle::default()));
    let (words, _) = data.as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    for hash in [0, 1, u64::MAX].into_iter().chain(words) {
        let asked = Needle {
            text: Vec::new(),
            tokens: vec![hash],
            words: vec![hash],
            ids: vec![hash],
        };
        let _ = filter.may_hold(&asked);
    }
}

/// Fuzz body: the metadata of a metric family.
pub fn fuzz_metadata(data: &[u8]) {
    if let Ok(decoded) = metadata::decode(data) {
        let again = metadata::decode(&metadata::encode(&decoded));
        assert_eq!(again.ok(), Some(decoded));
    }
}

/// Fuzz body: notes as the log has them and as the manifest has them, the metadata in them, and the
/// store's own note of its classes.
pub fn fuzz_notes(data: &[u8]) {
    let saved = BTreeMap::from([(b"up".to_vec(), data.to_vec())]);
    if let Ok(table) = ClassTable::decode(data) {
        let again = ClassTable::decode(&table.encode());
        assert_eq!(again.ok(), Some(table));
    }
    // Whether bytes are notes is not asserted here, only that to ask is safe.
    let _ = Notes::recovered(&saved);
    let stage = Stage {
        disk: SimDisk::new(0),
        clock: ManualClock::new(0),
    };
    let engine = stage.open(&Options::default()).expect("an empty disk");
    let tenant = engine.tenant(crate::DEFAULT_TENANT).expect("the first one");
    let store = tenant.metrics().expect("a store on an empty disk");
    let _ = store.core.replay_notes(data, Lsn(1));
    let _ = tenant.metadata();
    let _ = engine.close();
}

/// Fuzz body: the matchers of a tombstone, and its line filters. Patterns stay short: what a long
/// one costs is the business of the target of regular expressions.
pub fn fuzz_deletion(data: &[u8]) {
    const PATTERN_BYTES_MAX: usize = 64;
    if data.len() > PATTERN_BYTES_MAX {
        return;
    }
    if let Ok(matchers) = deletion::decode_matchers(data) {
        let again = deletion::decode_matchers(&deletion::encode_matchers(&matchers));
        assert_eq!(again.ok(), Some(matchers));
    }
    if let Ok(filters) = deletion::decode_filters(data) {
        let again = deletion::decode_filters(&deletion::encode_filters(&filters));
        assert_eq!(again.ok(), Some(filters));
    }
}

/// Counts what a record says.
#[derive(Default)]
struct Count {
    definitions: usize,
    entries: usize,
}

impl<K: Parts> RecordReader<K> for Count {
    fn pair(&mut self, _: u32, _: &[u8]) -> Result<()> {
        self.definitions += 1;
        Ok(())
    }

    fn series(&mut self, _: u32, _: &[u32]) -> Result<()> {
        self.definitions += 1;
        Ok(())
    }

    fn entry(&mut self, _: u32, _: &K::Entry<'_>) -> Result<()> {
        self.entries += 1;
        Ok(())
    }
}

fn replay<K: Kind>(data: &[u8]) {
    let mut count = Count::default();
    let outcome = record::read::<K, _>(data, &mut count);
    // Each takes two bytes at least.
    assert!(count.definitions + count.entries <= data.len() / 2);
    let budget = Arc::new(Budget::new(u64::MAX, u64::MAX));
    let (head, window) = Head::<K>::new(Lsn(1), Ticks(i64::MIN), 0, budget);
    let mut recovery = Recovery::default();
    for proof in [Proof::Open, Proof::Acknowledged] {
        let lost = head.replay(data, proof, Ticks(0), &mut recovery);
        assert!(outcome.is_ok() || lost.is_err(), "half a record was taken");
        assert!(lost.is_err() || lost.is_ok_and(|lost| lost <= count.entries as u64));
    }
    head.finish_replay(Ticks(0), &mut recovery, &[]);
    window.each_open(|_, open| {
        let decode = |view| K::decode(view, TickRange::ALL, Wanted::Everything);
        let runs = K::view(open, u64::MAX).map_or(Ok(Vec::new()), decode);
        let runs = runs.expect("the head reads what it holds");
        for run in &runs {
            assert!(run.ticks().is_sorted(), "a run is out of order");
        }
    });
}

/// Opens a chunk; what is read must be sealed and read again without a change.
fn check_chunk<K: Kind>(data: &[u8]) {
    let Some(run) = Chunk::split::<K>(data).and_then(|chunk| chunk.open::<K>()) else {
        return;
    };
    for effort in [Effort::Quick, Effort::Best] {
        let mut entries = 0;
        for chunk in Chunk::seal::<K>(&run, effort) {
            entries += chunk.count as usize;
            let back = chunk.open::<K>();
            let back = back.expect("a chunk reads what it has written");
            assert_eq!(back.count(), chunk.count as usize);
            // Of a part of a run compaction may choose another span of time to cut at.
            let again = Chunk::seal::<K>(&back, effort);
            assert!(
                again.len() > 1 || again == [chunk],
                "another chunk came back"
            );
        }
        assert_eq!(entries, run.count(), "entries were left out");
    }
}

/// With the encoding of a chunk target's input: its range and the column that it shares follow.
const IS_PLACED: u8 = 0x80;

/// What a chunk target's input says.
#[derive(PartialEq)]
struct Chunk {
    encoding: u8,
    count: u32,
    range: TickRange,
    shared: Vec<u8>,
    strips: Vec<Vec<u8>>,
}

impl Chunk {
    /// The encoding, the count, where it is placed the range and the shared column behind its
    /// length, then the strips, each but the last behind its length.
    fn split<K: Parts>(data: &[u8]) -> Option<Chunk> {
        let mut cursor = Cursor::new(data);
        let (encoding, count) = (cursor.u8().ok()?, cursor.u32().ok()?);
        let (mut range, mut shared) = (TickRange::ALL, Vec::new());
        if encoding & IS_PLACED != 0 {
            range = TickRange::new(Ticks(cursor.i64().ok()?), Ticks(cursor.i64().ok()?));
            shared = cursor.prefixed().ok()?.to_vec();
        }
        let mut strips = Vec::new();
        for _ in 1..K::strip_packing(Effort::Quick).len() {
            strips.push(cursor.prefixed().ok()?.to_vec());
        }
        strips.push(cursor.rest().to_vec());
        Some(Chunk {
            encoding: encoding & !IS_PLACED,
            count,
            range,
            shared,
            strips,
        })
    }

    fn open<K: Parts>(&self) -> Option<K::Run> {
        let open = |shown| {
            K::open_chunk(&StoredChunk {
                range: self.range,
                count: self.count,
                encoding: self.encoding,
                wanted: Wanted::Everything,
                shown,
                strip: &|strip| {
                    let strip = self.strips.get(strip).map(Vec::as_slice);
                    strip.ok_or_else(|| Error::corrupt("a chunk has no such strip"))
                },
                shared: &|| Ok(&self.shared[..]),
            })
        };
        // To ask for a part must be as safe; what it gives is for tests of the codec.
        let middle = Ticks(self.range.start.0 / 2 + self.range.end.0 / 2);
        let _ = open(TickRange::new(middle, middle));
        open(TickRange::ALL).ok()
    }

    fn seal<K: Parts>(run: &K::Run, effort: Effort) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        let sealed = K::seal(run, effort, &mut Scratch::default(), &mut |chunk| {
            chunks.push(Chunk {
                encoding: chunk.encoding,
                count: chunk.count,
                range: chunk.range,
                shared: chunk.shared.to_vec(),
                strips: chunk.strips.iter().map(|strip| strip.to_vec()).collect(),
            });
            Ok(())
        });
        sealed.expect("sealing fails only where its sink does");
        chunks
    }

    /// The bytes that [`Chunk::split`] takes apart.
    fn joined(&self) -> Vec<u8> {
        let mut bytes = vec![self.encoding | IS_PLACED];
        bytes.extend_from_slice(&self.count.to_le_bytes());
        bytes.extend_from_slice(&self.range.start.0.to_le_bytes());
        bytes.extend_from_slice(&self.range.end.0.to_le_bytes());
        put_prefixed(&mut bytes, &self.shared);
        let (last, before) = self.strips.split_last().expect("a chunk has strips");
        before
            .iter()
            .for_each(|strip| put_prefixed(&mut bytes, strip));
        bytes.extend_from_slice(last);
        bytes
    }
}

/// Chunks of these runs as inputs of a chunk target.
pub(super) fn chunks_of<K: Parts>(runs: &[K::Run]) -> Vec<Vec<u8>> {
    let sealed = |effort| {
        let chunks = runs
            .iter()
            .flat_map(move |run| Chunk::seal::<K>(run, effort));
        chunks.map(|chunk| chunk.joined())
    };
    sealed(Effort::Quick).chain(sealed(Effort::Best)).collect()
}

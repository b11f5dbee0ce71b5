//! Blocks from outside: round trips, damage at every byte, random models.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::codec::Packing;
use crate::codec::chunk::SealedChunk;
use crate::codec::tokens::{Needle, TokenSet};
use crate::error::{ErrorKind, Result};
use crate::io::Fs;
use crate::io::disk::Disk;
use crate::io::pool::FilePool;
use crate::io::sim::{Fault, SimDisk};
use crate::labels::matcher::{MatchOp, Matcher};
use crate::labels::set::{LabelSet, SeriesId};
use crate::time::Ticks;

mod carried;
mod format;
mod hostile;

const NUMBER: u64 = 42;
const START: i64 = 1_000_000;

/// A chunk as a test remembers it.
#[derive(Clone, Debug, PartialEq)]
struct Chunk {
    start: i64,
    end: i64,
    count: u32,
    encoding: u8,
    strips: Vec<Vec<u8>>,
    summary: Vec<u8>,
    shared: Vec<u8>,
}

type Model = BTreeMap<LabelSet, Vec<Chunk>>;

fn dir() -> PathBuf {
    PathBuf::from("/blocks")
}

fn disk() -> SimDisk {
    let disk = SimDisk::new(1);
    disk.create_dir_all(&dir()).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    disk
}

fn header() -> BlockHeader {
    BlockHeader {
        kind: 2,
        ticks_per_second: 1_000,
        level: 1,
        class: 3,
        partition: TickRange::new(Ticks(START), Ticks(START + 7_199_999)),
        lsn_min: 10,
        lsn_max: 99,
    }
}

fn paging(strips: u8, page_bytes: usize) -> Paging {
    Paging {
        strips,
        page_bytes,
        packing: [
            Packing::AsIs,
            Packing::Frame(3),
            Packing::Frame(1),
            Packing::Frame(3),
        ],
        full: None,
    }
}

fn write(fs: &dyn Fs, model: &Model, paging: Paging) -> Result<BlockSummary> {
    let mut writer = BlockWriter::create(fs, &dir(), NUMBER, header(), paging)?;
    for (labels, chunks) in model {
        let labels = labels.as_labels();
        writer.series(labels.id(), labels)?;
        for chunk in chunks {
            let strips: Vec<&[u8]> = chunk.strips.iter().map(Vec::as_slice).collect();
            let mut tokens = TokenSet::new();
            tokens.add_line(strips[strips.len() - 1]);
            writer.chunk(SealedChunk {
                range: TickRange::new(Ticks(chunk.start), Ticks(chunk.end)),
                count: chunk.count,
                encoding: chunk.encoding,
                strips: &strips,
                tokens: &tokens.sorted(),
                summary: &chunk.summary,
                shared: &chunk.shared,
            })?;
        }
    }
    writer.finish()
}

fn files(fs: &(impl Fs + Clone)) -> Arc<FilePool> {
    FilePool::new(Arc::new(fs.clone()), 1)
}

fn open(disk: &SimDisk) -> Result<Arc<BlockReader>> {
    BlockReader::open(
        &files(disk),
        &block_path(&dir(), NUMBER),
        NUMBER,
        PageCache::new(1 << 20),
    )
}

fn labels_of(reader: &BlockReader, ordinal: u32) -> Result<LabelSet> {
    let mut bytes = Vec::new();
    reader.labels(ordinal, &mut bytes)?;
    Ok(crate::labels::set::Labels::from_bytes(&bytes)
        .unwrap()
        .to_set())
}

fn chunks_of(reader: &BlockReader, ordinal: u32) -> Result<Vec<Chunk>> {
    let mut metas = Vec::new();
    reader.chunks(ordinal, &mut metas)?;
    let read = |meta: &ChunkMeta| {
        let strips: Result<Vec<Vec<u8>>> = (0..reader.strip_count())
            .map(|strip| reader.strip(meta, strip).map(|slice| slice.to_vec()))
            .collect();
        Ok(Chunk {
            start: meta.range.start.0,
            end: meta.range.end.0,
            count: meta.count,
            encoding: meta.encoding,
            strips: strips?,
            summary: reader.summary(meta)?.to_vec(),
            shared: match meta.shared {
                Some(_) => reader.shared(meta)?.to_vec(),
                None => Vec::new(),
            },
        })
    };
    metas.iter().map(read).collect()
}

/// Asserts that the block says what the model says.
fn assert_holds(reader: &BlockReader, model: &Model) {
    assert_eq!(reader.series_count() as usize, model.len());
    for (ordinal, (labels, chunks)) in model.iter().enumerate() {
        let ordinal = ordinal as u32;
        assert_eq!(&labels_of(reader, ordinal).unwrap(), labels);
        assert_eq!(&chunks_of(reader, ordinal).unwrap(), chunks);
        let id = labels.as_labels().id();
        assert_eq!(reader.series_id(ordinal).unwrap(), id);
        assert_eq!(reader.ordinal_of(id).unwrap(), Some(ordinal));
    }
    assert_eq!(reader.ordinal_of(SeriesId([7; 16])).unwrap(), None);
    let all = reader.select(&[]).unwrap();
    let mut sets = model.keys();
    let each = |_, labels: crate::labels::set::Labels<'_>| {
        assert_eq!(sets.next().unwrap().as_labels(), labels);
        Ok(ControlFlow::Continue(()))
    };
    reader.for_each_labels(&all, each).unwrap();
    let errors = reader.verify();
    assert!(errors.is_empty(), "{errors:?}");
    assert_stands_hold(reader);
}

/// Whatever was read before with the same stand, a series has the chunks that it has.
fn assert_stands_hold(reader: &BlockReader) {
    let count = reader.series_count();
    let (mut fresh, mut found) = (Vec::new(), Vec::new());
    for step in 1..=3 {
        let mut stand = Stand::default();
        let forward = (0..count).step_by(step);
        // Again from the front, and twice the same.
        let back = (0..count)
            .rev()
            .step_by(7)
            .flat_map(|ordinal| [ordinal, ordinal]);
        for ordinal in forward.clone().chain(back).chain(forward) {
            reader.chunks(ordinal, &mut fresh).unwrap();
            reader.chunks_on(ordinal, &mut stand, &mut found).unwrap();
            assert_eq!(found, fresh, "series {ordinal}");
        }
        assert!(reader.chunks_on(count, &mut stand, &mut found).is_err());
    }
}

fn chunks(strips: usize) -> impl Strategy<Value = Vec<Chunk>> {
    let bytes = prop::collection::vec(prop::sample::select(&b"abc  =e"[..]), 0..60);
    let chunk = (
        (0..3_000i64, 0..3_000i64, 1..1_000_000u32, 0..3u8),
        prop::collection::vec(bytes, strips..=strips),
        prop::collection::vec(any::<u8>(), 0..5),
        // Few, so that some are shared.
        prop::collection::vec(prop::sample::select(&b"xy"[..]), 0..4),
    );
    prop::collection::vec(chunk, 0..5).prop_map(|chunks| {
        let mut end = START;
        let make = |((gap, length, count, encoding), strips, summary, shared)| {
            let start = end + gap;
            end = start + length;
            Chunk {
                start,
                end,
                count,
                encoding,
                strips,
                summary,
                shared,
            }
        };
        chunks.into_iter().map(make).collect()
    })
}

fn models() -> impl Strategy<Value = (usize, Model)> {
    (1..=STRIPS_MAX).prop_flat_map(|strips| {
        let label = (
            prop::sample::select(&["job", "pod", "zone"][..]),
            "[a-c]{1,3}",
        );
        let set = prop::collection::btree_map(label.0, label.1, 0..4)
            .prop_map(|pairs| LabelSet::from_pairs(pairs).unwrap());
        let model = prop::collection::btree_map(set, chunks(strips), 0..60);
        (Just(strips), model)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn any_block_reads_back_as_written((strips, model) in models(), page_bytes in 1usize..2_000) {
        let disk = disk();
        let summary = write(&disk, &model, paging(strips as u8, page_bytes)).unwrap();
        let reader = open(&disk).unwrap();
        prop_assert_eq!(reader.header(), &header());
        let chunks = model.values().flatten();
        prop_assert_eq!(summary.chunks, chunks.clone().count() as u64);
        prop_assert_eq!(summary.entries, chunks.map(|chunk| u64::from(chunk.count)).sum::<u64>());
        prop_assert_eq!(summary.bytes, disk.files()[0].1);
        assert_holds(&reader, &model);
    }

    #[test]
    fn a_filter_never_hides_a_page_that_holds_the_needle(
        (strips, model) in models(),
        needle in "[abc =e]{0,8}",
    ) {
        let disk = disk();
        write(&disk, &model, paging(strips as u8, 100)).unwrap();
        let reader = open(&disk).unwrap();
        let asked = Needle::new(needle.as_bytes());
        let mut metas = Vec::new();
        for ordinal in 0..reader.series_count() {
            reader.chunks(ordinal, &mut metas).unwrap();
            for meta in &metas {
                let lines = reader.strip(meta, strips - 1).unwrap();
                if memchr::memmem::find(&lines, needle.as_bytes()).is_some() {
                    prop_assert!(reader.page_may_hold(meta.page, &asked).unwrap());
                }
            }
        }
    }
}

/// A block with several pages and a filter, small enough to damage at every byte.
fn small() -> (Model, Paging) {
    let mut model = Model::new();
    for number in 0..5i64 {
        let job = if number < 3 { "api" } else { "db" };
        let pod = format!("pod-{number}");
        let set = LabelSet::from_pairs([("job", job), ("pod", pod.as_str())]).unwrap();
        let chunk = Chunk {
            start: START + number,
            end: START + 60_000 + number,
            count: 4,
            encoding: 1,
            strips: vec![
                vec![number as u8; 10],
                format!("line {number} ").repeat(6).into_bytes(),
            ],
            summary: vec![number as u8; 2],
            shared: vec![number as u8 / 2; 3],
        };
        model.insert(set, vec![chunk]);
    }
    (model, paging(2, 80))
}

fn sealed_small() -> (SimDisk, Vec<u8>, Model) {
    let (model, paging) = small();
    let disk = disk();
    write(&disk, &model, paging).unwrap();
    let bytes = disk.contents(&block_path(&dir(), NUMBER)).unwrap();
    (disk, bytes, model)
}

fn planted(bytes: &[u8]) -> SimDisk {
    let disk = SimDisk::new(1);
    disk.plant(&block_path(&dir(), NUMBER), bytes);
    disk
}

#[test]
fn a_cut_at_every_byte_is_told_when_the_block_is_opened() {
    let (_, bytes, _) = sealed_small();
    for end in 0..bytes.len() {
        let error = open(&planted(&bytes[..end])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "cut at {end}: {error}");
        assert!(error.path().is_some(), "cut at {end}: {error}");
    }
    let mut longer = bytes;
    longer.push(0);
    assert_eq!(
        open(&planted(&longer)).unwrap_err().kind(),
        ErrorKind::Corrupt
    );
}

/// Either the right answer or an error that says `Corrupt` and where.
fn right_or_corrupt<T: PartialEq + std::fmt::Debug>(
    found: Result<T>,
    right: &T,
    place: usize,
) -> bool {
    match found {
        Ok(found) => {
            assert_eq!(&found, right, "byte {place} was flipped");
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "byte {place}: {error}");
            assert!(
                error.path().is_some() && error.offset().is_some(),
                "byte {place}: {error}"
            );
            false
        }
    }
}

#[test]
fn a_flip_of_every_byte_gives_the_right_answer_or_an_error_that_says_where() {
    let (_, bytes, model) = sealed_small();
    let intact = open(&planted(&bytes)).unwrap();
    let api = [Matcher::new(MatchOp::Regex, "job", "a.*").unwrap()];
    let selected = intact.select(&api).unwrap();
    for place in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x10;
        let reader = match open(&planted(&damaged)) {
            Ok(reader) => reader,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Corrupt, "byte {place}: {error}");
                continue;
            }
        };
        assert!(
            !reader.verify().is_empty(),
            "byte {place}: verify found nothing"
        );
        right_or_corrupt(reader.select(&api), &selected, place);
        let mut series_served = 0;
        for (ordinal, (labels, chunks)) in model.iter().enumerate() {
            let ordinal = ordinal as u32;
            right_or_corrupt(labels_of(&reader, ordinal), labels, place);
            let id = labels.as_labels().id();
            right_or_corrupt(reader.series_id(ordinal), &id, place);
            right_or_corrupt(reader.ordinal_of(id), &Some(ordinal), place);
            let served = right_or_corrupt(chunks_of(&reader, ordinal), chunks, place);
            series_served += u32::from(served);
        }
        // Every page has one chunk here: damage in a page may cost that chunk and nothing else.
        // The page of shared columns has those of all.
        let columns = intact.shared_columns().unwrap().page(0).unwrap().stored;
        let left = match (place as u64).checked_sub(columns.offset) {
            Some(within) if within < columns.stored.into() => 0,
            _ => reader.series_count() - 1,
        };
        if (place as u64) < reader.pages_end() {
            assert_eq!(series_served, left, "byte {place}");
        }
        let present = Needle::new(b" line ");
        right_or_corrupt(reader.page_may_hold(0, &present), &true, place);
    }
}

#[test]
fn damage_in_the_rows_spares_selection() {
    let (_, bytes, _) = sealed_small();
    let place = open(&planted(&bytes))
        .unwrap()
        .section_place(footer::Section::Rows);
    let mut damaged = bytes;
    damaged[place] ^= 1;
    let reader = open(&planted(&damaged)).unwrap();
    assert!(reader.labels(0, &mut Vec::new()).is_err());
    let db = Matcher::new(MatchOp::Equal, "job", "db").unwrap();
    assert_eq!(reader.select(&[db]).unwrap().len(), 2);
    assert!(reader.chunks(0, &mut Vec::new()).is_ok());
}

type Each<'e> = &'e mut dyn FnMut(&str) -> ControlFlow<()>;

#[test]
fn names_and_values_come_in_order_and_can_be_narrowed() {
    let (disk, _, _) = sealed_small();
    let reader = open(&disk).unwrap();
    let db = reader
        .select(&[Matcher::new(MatchOp::Equal, "job", "db").unwrap()])
        .unwrap();
    let list = |ask: &dyn Fn(Each<'_>) -> Result<()>| {
        let mut out = Vec::new();
        ask(&mut |text: &str| {
            out.push(text.to_owned());
            ControlFlow::Continue(())
        })
        .unwrap();
        out
    };
    assert_eq!(list(&|each| reader.label_names(None, each)), ["job", "pod"]);
    assert_eq!(
        list(&|each| reader.label_values("job", None, each)),
        ["api", "db"]
    );
    assert_eq!(
        list(&|each| reader.label_values("pod", Some(&db), each)),
        ["pod-3", "pod-4"]
    );
    assert!(list(&|each| reader.label_values("none", None, each)).is_empty());
}

#[test]
fn a_page_is_decoded_once_while_the_cache_holds_it() {
    let (disk, _, _) = sealed_small();
    let cache = PageCache::new(1 << 20);
    let path = block_path(&dir(), NUMBER);
    let reader = BlockReader::open(&files(&disk), &path, NUMBER, Arc::clone(&cache)).unwrap();
    let mut metas = Vec::new();
    reader.chunks(0, &mut metas).unwrap();
    let first = reader.strip(&metas[0], 1).unwrap();
    let reads = disk.reads();
    assert_eq!(&*reader.strip(&metas[0], 1).unwrap(), &*first);
    assert_eq!(disk.reads(), reads);
    assert_eq!((cache.counts().hits, cache.counts().misses), (1, 1));
    assert!(reader.strip(&metas[0], 2).is_err());
}

#[test]
fn a_column_that_many_chunks_have_is_stored_once() {
    let column: Vec<u8> = (0..2_000u32).map(|n| ((n * 7919) >> 3) as u8).collect();
    let series = |shared: &dyn Fn(i64) -> Vec<u8>| {
        let chunk = |number: i64| Chunk {
            start: START + number,
            end: START + number,
            count: 1,
            encoding: 0,
            strips: vec![vec![7]],
            summary: Vec::new(),
            shared: shared(number),
        };
        let set = |number: i64| LabelSet::from_pairs([("n", format!("{number:03}"))]).unwrap();
        let model: Model = (0..100)
            .map(|number| (set(number), vec![chunk(number)]))
            .collect();
        let disk = disk();
        let summary = write(&disk, &model, paging(1, 100)).unwrap();
        assert_holds(&open(&disk).unwrap(), &model);
        summary.bytes
    };
    let (alone, shared) = (series(&|_| Vec::new()), series(&|_| column.clone()));
    assert!(shared < alone + 2_400, "{alone} {shared}");
    let two = series(&|number| column[number as usize % 2..].to_vec());
    assert!(two < alone + 4_400, "{alone} {two}");
}

#[test]
fn the_writer_refuses_what_readers_could_not_trust() {
    let disk = disk();
    let set = |job: &str| LabelSet::from_pairs([("job", job)]).unwrap();
    let spec = SealedChunk {
        range: TickRange::new(Ticks(START), Ticks(START + 10)),
        count: 1,
        encoding: 0,
        strips: &[b"x"],
        tokens: &[],
        summary: &[],
        shared: &[],
    };
    let mut writer = BlockWriter::create(&disk, &dir(), 1, header(), paging(1, 100)).unwrap();
    let refused = |result: Result<()>| result.unwrap_err().kind() == ErrorKind::Invalid;
    assert!(refused(writer.chunk(spec)));
    writer
        .series(SeriesId([1; 16]), set("b").as_labels())
        .unwrap();
    assert!(refused(
        writer.series(SeriesId([2; 16]), set("b").as_labels())
    ));
    assert!(refused(
        writer.series(SeriesId([2; 16]), set("a").as_labels())
    ));
    assert!(refused(writer.chunk(SealedChunk { count: 0, ..spec })));
    assert!(refused(writer.chunk(SealedChunk {
        strips: &[b"x", b"y"],
        ..spec
    })));
    let early = TickRange::new(Ticks(START - 1), Ticks(START));
    assert!(refused(writer.chunk(SealedChunk {
        range: early,
        ..spec
    })));
    writer.chunk(spec).unwrap();
    assert!(refused(writer.chunk(spec)));
    let touching = TickRange::new(Ticks(START + 10), Ticks(START + 10));
    writer
        .chunk(SealedChunk {
            range: touching,
            ..spec
        })
        .unwrap();
    writer.finish().unwrap();
    assert!(BlockWriter::create(&disk, &dir(), 1, header(), paging(1, 100)).is_err());
    let none = Paging {
        strips: 0,
        ..paging(1, 100)
    };
    assert!(BlockWriter::create(&disk, &dir(), 2, header(), none).is_err());
}

#[test]
fn a_block_on_a_real_disk_is_mapped_and_reads_the_same() {
    let (_, bytes, model) = sealed_small();
    let dir = std::env::temp_dir().join(format!("chronolith-block-{}", std::process::id()));
    let path = block_path(&dir, NUMBER);
    Disk.create_dir_all(&dir).unwrap();
    Disk.create_new(&path).unwrap().append(&bytes).unwrap();
    let reader = BlockReader::open(&files(&Disk), &path, NUMBER, PageCache::new(0)).unwrap();
    Disk.remove_file(&path).unwrap();
    assert_holds(&reader, &model);
    std::fs::remove_dir(&dir).unwrap();
}

#[test]
fn a_finished_block_survives_the_hardest_crash() {
    let (disk, _, model) = sealed_small();
    assert_holds(&open(&disk.crash_to_synced()).unwrap(), &model);
}

#[test]
fn a_fault_at_every_call_is_an_error_and_never_half_a_block_that_opens() {
    let (model, paging) = small();
    for fault in [Fault::Eio, Fault::Enospc, Fault::ShortWriteThenEio] {
        for operation in 0.. {
            let disk = disk();
            disk.fail_at(disk.operations() + operation, fault);
            match write(&disk, &model, paging) {
                Ok(_) => {
                    assert!(operation > 4, "only {operation} calls");
                    break;
                }
                Err(error) => assert!(error.path().is_some(), "{error}"),
            }
            disk.heal();
            if let Ok(reader) = open(&disk) {
                assert_holds(&reader, &model);
            }
        }
    }
}

#[test]
fn a_block_under_another_name_is_refused() {
    let (_, bytes, _) = sealed_small();
    let disk = SimDisk::new(1);
    let path = block_path(&dir(), 43);
    disk.plant(&path, &bytes);
    let error = BlockReader::open(&files(&disk), &path, 43, PageCache::new(0)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
}

#[test]
fn names_and_numbers_of_files_go_both_ways() {
    assert_eq!(block_name(42), "00000000000000000042.blk");
    assert_eq!(block_number(&block_name(u64::MAX)), Some(u64::MAX));
    for wrong in [
        "42.blk",
        "00000000000000000042",
        "+0000000000000000042.blk",
        "x.blk",
        "",
    ] {
        assert_eq!(block_number(wrong), None, "{wrong}");
    }
}

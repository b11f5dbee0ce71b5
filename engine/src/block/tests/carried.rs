//! Pages carried from one block to another as they are stored.

use super::super::*;
use super::{Chunk, Model, NUMBER, START, chunks_of, dir, disk, files, header, open, paging};
use super::{planted, write};
use crate::codec::tokens::Needle;
use crate::error::{ErrorKind, Result};
use crate::io::sim::SimDisk;
use crate::labels::set::LabelSet;

/// Two series with two chunks each, nothing beside them.
fn plain(page_bytes: usize) -> (SimDisk, Model) {
    let mut model = Model::new();
    for name in ["a", "b"] {
        let set = LabelSet::from_pairs([("pod", name)]).unwrap();
        let chunks = (0..2).map(|number| Chunk {
            start: START + number * 10,
            end: START + number * 10 + 9,
            count: 3 + number as u32,
            encoding: number as u8,
            strips: vec![
                vec![number as u8; 7],
                format!("{name} met thing{number} ").repeat(5).into_bytes(),
            ],
            summary: Vec::new(),
            shared: Vec::new(),
        });
        model.insert(set, chunks.collect());
    }
    let disk = disk();
    write(&disk, &model, paging(2, page_bytes)).unwrap();
    (disk, model)
}

fn carried(reader: &BlockReader, ordinal: u32, raw_bytes_min: usize) -> Result<Vec<bool>> {
    let mut metas = Vec::new();
    reader.chunks(ordinal, &mut metas)?;
    let carry = |meta: &ChunkMeta| Ok(reader.carry(meta, raw_bytes_min)?.is_some());
    metas.iter().map(carry).collect()
}

#[test]
fn carried_pages_hold_the_same_chunks_and_are_found_as_before() {
    let (disk, model) = plain(80);
    let from = open(&disk).unwrap();
    let to = BlockHeader {
        level: 2,
        ..header()
    };
    let mut writer = BlockWriter::create(&disk, &dir(), NUMBER + 1, to, paging(2, 80)).unwrap();
    for (ordinal, (labels, chunks)) in model.iter().enumerate() {
        writer
            .series(labels.as_labels().id(), labels.as_labels())
            .unwrap();
        let mut metas = Vec::new();
        from.chunks(ordinal as u32, &mut metas).unwrap();
        assert_eq!(metas.len(), chunks.len());
        for meta in &metas {
            writer
                .carried(&from.carry(meta, 50).unwrap().unwrap())
                .unwrap();
        }
    }
    let written = writer.finish().unwrap();
    assert_eq!((written.chunks, written.entries), (4, 14));
    let path = block_path(&dir(), NUMBER + 1);
    let cache = PageCache::new(1 << 20);
    let back = BlockReader::open(&files(&disk), &path, NUMBER + 1, cache).unwrap();
    let pages = |number: u64, reader: &BlockReader| {
        let bytes = disk.contents(&block_path(&dir(), number)).unwrap();
        bytes[64..reader.pages_end() as usize].to_vec()
    };
    assert_eq!(pages(NUMBER + 1, &back), pages(NUMBER, &from));
    for (ordinal, chunks) in model.values().enumerate() {
        assert_eq!(&chunks_of(&back, ordinal as u32).unwrap(), chunks);
    }
    assert_eq!(back.range(), from.range());
    for page in 0..4 {
        for token in [" thing0 ", " thing1 ", " met ", " absent77 "] {
            let needle = Needle::new(token.as_bytes());
            assert_eq!(
                back.page_may_hold(page, &needle).unwrap(),
                from.page_may_hold(page, &needle).unwrap(),
                "{token} in page {page}"
            );
        }
    }
    assert!(!back.page_may_hold(0, &Needle::new(b" thing1 ")).unwrap());
}

#[test]
fn small_pages_and_pages_of_several_chunks_are_packed_again() {
    let (disk, _) = plain(80);
    let reader = open(&disk).unwrap();
    assert_eq!(carried(&reader, 0, 50).unwrap(), [true, true]);
    assert_eq!(carried(&reader, 0, 200).unwrap(), [false, false]);
    let (disk, _) = plain(4096);
    let reader = open(&disk).unwrap();
    assert_eq!(carried(&reader, 0, 1).unwrap(), [false, false]);
    assert_eq!(carried(&reader, 1, 1).unwrap(), [false, false]);
}

#[test]
fn a_damaged_page_is_told_and_not_carried() {
    let (disk, _) = plain(80);
    let bytes = disk.contents(&block_path(&dir(), NUMBER)).unwrap();
    let end = open(&disk).unwrap().pages_end() as usize;
    for place in 64..end {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1;
        let reader = open(&planted(&damaged)).unwrap();
        let errors: Vec<_> = (0..2)
            .filter_map(|ordinal| carried(&reader, ordinal, 50).err())
            .collect();
        assert_eq!(errors.len(), 1, "flip at {place}");
        assert_eq!(errors[0].kind(), ErrorKind::Corrupt, "{}", errors[0]);
    }
}

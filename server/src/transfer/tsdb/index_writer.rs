//! Writes the file `index` of a block, version 2: symbols, series, postings, and what finds them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use chronolith_engine::labels::LabelSet;

use super::super::fault::{Fault, Result};
use super::index::{ChunkRef, HEADER_BYTES, MAGIC, SERIES_ALIGNMENT, Toc};
use crate::wire::bytes::{crc32c, put_prefixed, put_uvarint, put_varint};

const VERSION: u8 = 2;
/// Lists of postings begin at a multiple of this.
const POSTINGS_ALIGNMENT: u64 = 4;

/// A series that goes into an index.
pub(crate) struct IndexedSeries {
    pub(crate) labels: LabelSet,
    pub(crate) chunks: Vec<ChunkRef>,
}

/// Writes the index of some series, which are in label order.
pub(crate) fn write(path: &Path, series: &[IndexedSeries]) -> Result<()> {
    let io = |error: std::io::Error| Fault::io("cannot write", path, &error);
    let file = File::create(path).map_err(io)?;
    let mut out = Out {
        file: BufWriter::with_capacity(1 << 20, file),
        at: 0,
    };
    write_to(&mut out, series)
        .map_err(|fault| fault.at(path.display()))?
        .sync_all()
        .map_err(io)
}

/// What has been written, and how far that is.
struct Out {
    file: BufWriter<File>,
    at: u64,
}

impl Out {
    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.at += bytes.len() as u64;
        let put = self.file.write_all(bytes);
        put.map_err(|error| Fault::new(format!("cannot be written: {error}")))
    }

    fn align(&mut self, to: u64) -> Result<()> {
        let missing = self.at.next_multiple_of(to) - self.at;
        self.put(&[0; 16][..missing as usize])
    }

    /// Puts a section between its length and its checksum.
    fn section(&mut self, bytes: &[u8]) -> Result<()> {
        let length = u32::try_from(bytes.len())
            .map_err(|_| Fault::new("a section would be beyond 4 GiB: export a shorter range"))?;
        self.put(&length.to_be_bytes())?;
        self.put(bytes)?;
        self.put(&crc32c(bytes).to_be_bytes())
    }
}

fn write_to(out: &mut Out, series: &[IndexedSeries]) -> Result<File> {
    out.put(&MAGIC.to_be_bytes())?;
    out.put(&[VERSION])?;
    debug_assert_eq!(out.at, HEADER_BYTES);
    let mut toc = Toc {
        symbols: out.at,
        ..Toc::default()
    };
    let symbols = put_symbols(out, series)?;
    let references = put_series(out, series, &symbols, &mut toc)?;
    put_postings(out, series, &references, &mut toc)?;
    out.put(&toc.encode())?;
    out.file
        .flush()
        .and_then(|()| out.file.get_ref().try_clone())
        .map_err(|error| Fault::new(format!("cannot be written: {error}")))
}

/// All texts in order, each once. Gives what each is called.
fn put_symbols<'s>(out: &mut Out, series: &'s [IndexedSeries]) -> Result<HashMap<&'s str, u32>> {
    let mut texts = BTreeSet::new();
    for one in series {
        for (name, value) in one.labels.as_labels().iter() {
            texts.extend([name, value]);
        }
    }
    let count = u32::try_from(texts.len())
        .map_err(|_| Fault::new("there are too many texts: export a shorter range"))?;
    let mut section = count.to_be_bytes().to_vec();
    for text in &texts {
        put_prefixed(&mut section, text.as_bytes());
    }
    out.section(&section)?;
    Ok(texts.into_iter().zip(0..count).collect())
}

/// Gives what each series is called.
fn put_series(
    out: &mut Out,
    series: &[IndexedSeries],
    symbols: &HashMap<&str, u32>,
    toc: &mut Toc,
) -> Result<Vec<u32>> {
    out.align(SERIES_ALIGNMENT)?;
    toc.series = out.at;
    let mut references = Vec::with_capacity(series.len());
    let (mut body, mut length) = (Vec::new(), Vec::new());
    for one in series {
        out.align(SERIES_ALIGNMENT)?;
        let reference = u32::try_from(out.at / SERIES_ALIGNMENT)
            .map_err(|_| Fault::new("there are too many series: export a shorter range"))?;
        references.push(reference);
        body.clear();
        put_uvarint(&mut body, one.labels.as_labels().iter().count() as u64);
        for (name, value) in one.labels.as_labels().iter() {
            put_uvarint(&mut body, u64::from(symbols[name]));
            put_uvarint(&mut body, u64::from(symbols[value]));
        }
        put_chunks(&mut body, &one.chunks);
        length.clear();
        put_uvarint(&mut length, body.len() as u64);
        out.put(&length)?;
        out.put(&body)?;
        out.put(&crc32c(&body).to_be_bytes())?;
    }
    Ok(references)
}

fn put_chunks(body: &mut Vec<u8>, chunks: &[ChunkRef]) {
    put_uvarint(body, chunks.len() as u64);
    let mut before: Option<&ChunkRef> = None;
    for chunk in chunks {
        match before {
            None => put_varint(body, chunk.min_time),
            Some(before) => put_uvarint(body, (chunk.min_time - before.max_time) as u64),
        }
        put_uvarint(body, (chunk.max_time - chunk.min_time) as u64);
        match before {
            None => put_uvarint(body, chunk.reference),
            Some(before) => put_varint(body, chunk.reference.wrapping_sub(before.reference) as i64),
        }
        before = Some(chunk);
    }
}

/// For each label the series that have it; the label without name or value stands for all.
fn put_postings(
    out: &mut Out,
    series: &[IndexedSeries],
    references: &[u32],
    toc: &mut Toc,
) -> Result<()> {
    let mut lists: BTreeMap<(&str, &str), Vec<u32>> = BTreeMap::new();
    lists.insert(("", ""), references.to_vec());
    for (one, reference) in series.iter().zip(references) {
        for label in one.labels.as_labels().iter() {
            lists.entry(label).or_default().push(*reference);
        }
    }
    out.align(POSTINGS_ALIGNMENT)?;
    toc.postings = out.at;
    let mut table = (lists.len() as u32).to_be_bytes().to_vec();
    for ((name, value), members) in &lists {
        out.align(POSTINGS_ALIGNMENT)?;
        // The label is a name and a value.
        table.push(2);
        put_prefixed(&mut table, name.as_bytes());
        put_prefixed(&mut table, value.as_bytes());
        put_uvarint(&mut table, out.at);
        let mut section = (members.len() as u32).to_be_bytes().to_vec();
        section.extend(members.iter().flat_map(|member| member.to_be_bytes()));
        out.section(&section)?;
    }
    toc.postings_offsets = out.at;
    out.section(&table)
}

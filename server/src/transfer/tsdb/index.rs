//! The file `index` of a block, versions 1 and 2: symbols, and the series in label order.
//!
//! Postings are not needed: a walk over the section of series meets all of them once.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::super::fault::{Fault, Result};
use crate::wire::bytes::{Reader, crc32c};

pub(crate) const MAGIC: u32 = 0xbaaa_d700;
pub(crate) const HEADER_BYTES: u64 = 5;
/// Six places and a checksum at the end of the file.
pub(crate) const TOC_BYTES: usize = 6 * 8 + 4;
/// From version 2 on a series begins at a multiple of this, and is called by that.
pub(crate) const SERIES_ALIGNMENT: u64 = 16;

/// Text of all symbols: they are kept in memory.
const SYMBOL_BYTES_MAX: u64 = 4 << 30;
/// More than this no series takes.
const SERIES_BYTES_MAX: usize = 64 << 20;

/// The texts that series refer to.
pub(crate) struct Symbols {
    bytes: Vec<u8>,
    /// By what a reference says: in version 2 the place in the list, in version 1 the offset.
    starts: Vec<(u32, u32)>,
    version: u8,
}

impl Symbols {
    /// Reads the section behind its length. `offset` is where its first symbol stands in the file.
    pub(crate) fn decode(section: &[u8], offset: u32, version: u8) -> Result<Symbols> {
        let mut reader = Reader::new(section);
        let count = reader.be32()?;
        let mut starts = Vec::with_capacity((count as usize).min(reader.left()));
        for place in 0..count {
            let start = section.len() - reader.left();
            let start = u32::try_from(start).map_err(|_| Fault::new("symbols beyond 4 GiB"))?;
            let text = reader.prefixed()?;
            std::str::from_utf8(text)
                .map_err(|_| Fault::new(format!("symbol {place}: no UTF-8")))?;
            // The count in front of the symbols takes four bytes.
            let name = match version {
                1 => offset.wrapping_add(start - 4),
                _ => place,
            };
            starts.push((name, start));
        }
        Ok(Symbols {
            bytes: section.to_vec(),
            starts,
            version,
        })
    }

    fn text(&self, reference: u64) -> Result<&[u8]> {
        let unknown = || Fault::new(format!("symbol {reference} is not there"));
        let wanted = u32::try_from(reference).map_err(|_| unknown())?;
        let start = match self.version {
            1 => {
                let place = self.starts.binary_search_by_key(&wanted, |(name, _)| *name);
                self.starts[place.map_err(|_| unknown())?].1
            }
            _ => self.starts.get(wanted as usize).ok_or_else(unknown)?.1,
        };
        Ok(Reader::new(&self.bytes[start as usize..]).prefixed()?)
    }
}

/// One series of an index.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct SeriesEntry<'s> {
    /// Names and values in name order.
    pub(crate) labels: Vec<(&'s [u8], &'s [u8])>,
    pub(crate) chunks: Vec<ChunkRef>,
}

/// Where a chunk lies, and the times of its first and last sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkRef {
    pub(crate) min_time: i64,
    pub(crate) max_time: i64,
    pub(crate) reference: u64,
}

/// Reads the bytes of a series between its length and its checksum.
pub(crate) fn decode_series<'s>(bytes: &[u8], symbols: &'s Symbols) -> Result<SeriesEntry<'s>> {
    let mut reader = Reader::new(bytes);
    let mut entry = SeriesEntry::default();
    for _ in 0..reader.count(2)? {
        let (name, value) = (reader.uvarint()?, reader.uvarint()?);
        entry
            .labels
            .push((symbols.text(name)?, symbols.text(value)?));
    }
    let chunks = reader.count(3)?;
    entry.chunks.reserve(chunks);
    let (mut time, mut reference) = (0i64, 0u64);
    for place in 0..chunks {
        let step = match place {
            0 => reader.varint()?,
            _ => reader.uvarint()? as i64,
        };
        let min_time = time.wrapping_add(step);
        let max_time = min_time.wrapping_add(reader.uvarint()? as i64);
        reference = match place {
            0 => reader.uvarint()?,
            _ => reference.wrapping_add(reader.varint()? as u64),
        };
        time = max_time;
        entry.chunks.push(ChunkRef {
            min_time,
            max_time,
            reference,
        });
    }
    Ok(entry)
}

/// Where sections begin; 0 for one that is not there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Toc {
    pub(crate) symbols: u64,
    pub(crate) series: u64,
    pub(crate) label_indices: u64,
    pub(crate) label_offsets: u64,
    pub(crate) postings: u64,
    pub(crate) postings_offsets: u64,
}

impl Toc {
    pub(crate) fn decode(bytes: &[u8]) -> Result<Toc> {
        let mut reader = Reader::new(bytes);
        let body = reader.take(TOC_BYTES - 4)?;
        if reader.be32()? != crc32c(body) {
            return Err(Fault::new(
                "the checksum of its table of contents does not match",
            ));
        }
        let mut reader = Reader::new(body);
        let mut next = || reader.be64();
        Ok(Toc {
            symbols: next()?,
            series: next()?,
            label_indices: next()?,
            label_offsets: next()?,
            postings: next()?,
            postings_offsets: next()?,
        })
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let places = [
            self.symbols,
            self.series,
            self.label_indices,
            self.label_offsets,
            self.postings,
            self.postings_offsets,
        ];
        let mut bytes: Vec<u8> = places
            .iter()
            .flat_map(|place| place.to_be_bytes())
            .collect();
        bytes.extend_from_slice(&crc32c(&bytes).to_be_bytes());
        bytes
    }

    /// Where the section of series ends: where the next one begins.
    fn series_end(&self, toc_start: u64) -> u64 {
        let others = [
            self.symbols,
            self.label_indices,
            self.label_offsets,
            self.postings,
            self.postings_offsets,
            toc_start,
        ];
        let behind = others.into_iter().filter(|place| *place > self.series);
        behind.min().unwrap_or(self.series)
    }
}

/// A walk over the series of an index.
pub(crate) struct Index {
    path: PathBuf,
    symbols: Symbols,
    file: BufReader<File>,
    /// Where the next byte is read from.
    at: u64,
    end: u64,
    buffer: Vec<u8>,
}

impl Index {
    pub(crate) fn open(path: &Path) -> Result<Index> {
        Index::try_open(path).map_err(|fault| fault.at(path.display()))
    }

    fn try_open(path: &Path) -> Result<Index> {
        let io = |error: std::io::Error| Fault::new(format!("cannot be read: {error}"));
        let mut file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let toc_start = length
            .checked_sub(TOC_BYTES as u64)
            .filter(|start| *start >= HEADER_BYTES)
            .ok_or_else(|| Fault::new("too short for an index"))?;
        let read = |offset: u64, count: usize| {
            let mut bytes = vec![0; count];
            let read = file.read_exact_at(&mut bytes, offset);
            read.map_err(io).map(|()| bytes)
        };
        let header = read(0, HEADER_BYTES as usize)?;
        let mut reader = Reader::new(&header);
        if reader.be32()? != MAGIC {
            return Err(Fault::new("no index of Prometheus"));
        }
        let version = reader.u8()?;
        if !matches!(version, 1 | 2) {
            return Err(Fault::new(format!(
                "version {version} is unknown: 1 and 2 are read"
            )));
        }
        let toc = Toc::decode(&read(toc_start, TOC_BYTES)?)?;
        let size = u64::from(Reader::new(&read(toc.symbols, 4)?).be32()?);
        let end = toc.symbols.checked_add(4 + size + 4);
        if size > SYMBOL_BYTES_MAX || end.is_none_or(|end| end > toc_start) {
            return Err(Fault::new(format!("its symbols claim {size} bytes")));
        }
        let section = read(toc.symbols + 4, size as usize + 4)?;
        let (section, crc) = section.split_at(size as usize);
        if Reader::new(crc).be32()? != crc32c(section) {
            return Err(Fault::new("the checksum of its symbols does not match"));
        }
        let first = u32::try_from(toc.symbols + 8).unwrap_or(u32::MAX);
        let symbols = Symbols::decode(section, first, version)?;
        file.seek(SeekFrom::Start(toc.series)).map_err(io)?;
        Ok(Index {
            path: path.to_owned(),
            symbols,
            file: BufReader::with_capacity(1 << 20, file),
            at: toc.series,
            end: toc.series_end(toc_start),
            buffer: Vec::new(),
        })
    }

    /// The next series and its reference, by which tombstones call it.
    pub(crate) fn next(&mut self) -> Result<Option<(u64, SeriesEntry<'_>)>> {
        let start = match self.load() {
            Ok(Some(start)) => start,
            Ok(None) => return Ok(None),
            Err(fault) => return Err(fault.at(self.path.display())),
        };
        let reference = match self.symbols.version {
            1 => start,
            _ => start / SERIES_ALIGNMENT,
        };
        let entry = decode_series(&self.buffer, &self.symbols);
        let entry = entry.map_err(|fault| {
            fault.at(format_args!("{}: series at {start}", self.path.display()))
        })?;
        Ok(Some((reference, entry)))
    }

    /// Brings the next series into the buffer. Where it begins, unless there is none.
    fn load(&mut self) -> Result<Option<u64>> {
        // Padding is of zeros, and no series is empty.
        let (start, first) = loop {
            if self.at >= self.end {
                return Ok(None);
            }
            match self.byte()? {
                0 => {}
                byte => break (self.at - 1, byte),
            }
        };
        let (mut length, mut shift, mut byte) = (0u64, 0, first);
        loop {
            length |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
            shift += 7;
            if shift > 28 {
                return Err(Fault::new(format!(
                    "the length of the series at {start} does not end"
                )));
            }
            byte = self.byte()?;
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > SERIES_BYTES_MAX || self.at + length as u64 + 4 > self.end {
            return Err(Fault::new(format!(
                "the series at {start} claims {length} bytes"
            )));
        }
        self.buffer.resize(length + 4, 0);
        std::io::Read::read_exact(&mut self.file, &mut self.buffer)
            .map_err(|error| Fault::new(format!("cannot be read: {error}")))?;
        self.at += length as u64 + 4;
        let (body, crc) = self.buffer.split_at(length);
        if Reader::new(crc).be32()? != crc32c(body) {
            return Err(Fault::new(format!(
                "the checksum of the series at {start} does not match"
            )));
        }
        self.buffer.truncate(length);
        Ok(Some(start))
    }

    fn byte(&mut self) -> Result<u8> {
        let held = self
            .file
            .fill_buf()
            .map_err(|error| Fault::new(format!("cannot be read: {error}")))?;
        let byte = *held
            .first()
            .ok_or_else(|| Fault::new("it ends too early"))?;
        self.file.consume(1);
        self.at += 1;
        Ok(byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::bytes::{put_prefixed, put_uvarint, put_varint};

    fn section() -> Vec<u8> {
        let mut section = 4u32.to_be_bytes().to_vec();
        for text in ["", "__name__", "job", "up"] {
            put_prefixed(&mut section, text.as_bytes());
        }
        section
    }

    fn series(references: [u64; 4]) -> Vec<u8> {
        let mut bytes = vec![2];
        references
            .iter()
            .for_each(|reference| put_uvarint(&mut bytes, *reference));
        bytes.push(2);
        put_varint(&mut bytes, -100);
        put_uvarint(&mut bytes, 50);
        put_uvarint(&mut bytes, 8);
        put_uvarint(&mut bytes, 10);
        put_uvarint(&mut bytes, 5);
        put_varint(&mut bytes, 90);
        bytes
    }

    #[test]
    fn series_of_both_versions_are_read() {
        // In version 1 symbols are called by where they stand: here 13, 14, 23 and 27.
        for (version, references) in [(2, [1, 3, 2, 1]), (1, [14, 27, 23, 14])] {
            let symbols = Symbols::decode(&section(), 13, version).unwrap();
            let bytes = series(references);
            let entry = decode_series(&bytes, &symbols).unwrap();
            let labels: Vec<(&[u8], &[u8])> = vec![(b"__name__", b"up"), (b"job", b"__name__")];
            assert_eq!(entry.labels, labels);
            let chunk = |min_time, max_time, reference| ChunkRef {
                min_time,
                max_time,
                reference,
            };
            assert_eq!(entry.chunks, [chunk(-100, -50, 8), chunk(-40, -35, 98)]);
            for length in 0..bytes.len() {
                assert!(decode_series(&bytes[..length], &symbols).is_err());
            }
            assert!(decode_series(&series([9; 4]), &symbols).is_err());
        }
    }

    #[test]
    fn a_table_of_contents_comes_back() {
        let toc = Toc {
            symbols: 5,
            series: 100,
            postings: 200,
            ..Toc::default()
        };
        let bytes = toc.encode();
        assert_eq!(Toc::decode(&bytes).unwrap(), toc);
        assert_eq!(toc.series_end(300), 200);
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 4;
            assert!(Toc::decode(&damaged).is_err());
        }
    }
}

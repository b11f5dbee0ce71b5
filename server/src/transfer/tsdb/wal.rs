//! The log of a Prometheus, segment by segment: records put together from pages, and unpacked.
//!
//! The newest checkpoint comes first, then the segments behind it, as Prometheus replays them.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::super::fault::{Fault, Result};
use super::segments::is_segment_name;
use crate::wire::bytes::{Reader, crc32c};

const PAGE_BYTES: usize = 32 << 10;
/// Type, length, checksum.
const HEADER_BYTES: usize = 7;
/// More than this no record takes, unpacked or not.
const RECORD_BYTES_MAX: usize = 256 << 20;

/// Of a fragment's type: what it is of a record, and how the record is packed.
const KIND_MASK: u8 = 0b111;
const SNAPPY: u8 = 1 << 3;
const ZSTD: u8 = 1 << 4;
const CHECKPOINT: &str = "checkpoint.";

/// The segments of a log in the order in which they are read.
pub(crate) fn segments(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut newest) = (Vec::new(), None);
    for name in names(folder)? {
        if is_segment_name(&name) {
            found.push(name);
        } else if let Some(number) = name.strip_prefix(CHECKPOINT)
            && is_segment_name(number)
        {
            newest = newest.max(number.parse::<u64>().ok().map(|parsed| (parsed, name)));
        }
    }
    found.sort_by_key(|name| name.parse::<u64>().ok());
    let mut paths = Vec::new();
    if let Some((number, name)) = newest {
        found.retain(|segment| segment.parse::<u64>().is_ok_and(|segment| segment > number));
        let checkpoint = folder.join(name);
        let mut inside = names(&checkpoint)?;
        inside.retain(|name| is_segment_name(name));
        inside.sort();
        paths.extend(inside.into_iter().map(|name| checkpoint.join(name)));
    }
    paths.extend(found.into_iter().map(|name| folder.join(name)));
    Ok(paths)
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let list = match std::fs::read_dir(folder) {
        Ok(list) => list,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Fault::io("cannot list", folder, &error)),
    };
    let names = list.map(|entry| {
        let entry = entry.map_err(|error| Fault::io("cannot list", folder, &error))?;
        Ok(entry.file_name().to_string_lossy().into_owned())
    });
    names.collect()
}

/// A walk over the records of one segment.
pub(crate) struct SegmentReader<R> {
    source: R,
    page: Vec<u8>,
    at: usize,
    /// The fragments of the record at hand, one behind the other.
    record: Vec<u8>,
    unpacked: Vec<u8>,
}

impl SegmentReader<File> {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| Fault::io("cannot read", path, &error))?;
        Ok(SegmentReader::new(file))
    }
}

impl<R: Read> SegmentReader<R> {
    pub(crate) fn new(source: R) -> Self {
        SegmentReader {
            source,
            page: Vec::new(),
            at: 0,
            record: Vec::new(),
            unpacked: Vec::new(),
        }
    }

    /// The next record, unpacked. An error stands for the rest of the segment.
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>> {
        self.record.clear();
        let mut is_begun = false;
        loop {
            if self.at >= self.page.len() && !self.turn_page()? {
                return match is_begun {
                    false => Ok(None),
                    true => Err(Fault::new("the last record breaks off")),
                };
            }
            let rest = &self.page[self.at..];
            if rest[0] & KIND_MASK == 0 {
                self.at = self.page.len();
                continue;
            }
            let (kind, data) = fragment(rest)?;
            let (part, packing) = (kind & KIND_MASK, kind & !KIND_MASK);
            match (part, is_begun) {
                (1, false) | (2, false) | (3, true) | (4, true) => is_begun = true,
                _ => {
                    return Err(Fault::new(format!(
                        "a fragment of type {part} is out of place"
                    )));
                }
            }
            if self.record.len() + data.len() > RECORD_BYTES_MAX {
                return Err(Fault::new("a record is too long"));
            }
            let is_last = matches!(part, 1 | 4);
            self.record.extend_from_slice(data);
            self.at += HEADER_BYTES + data.len();
            if is_last {
                return self.unpack(packing).map(Some);
            }
        }
    }

    fn turn_page(&mut self) -> Result<bool> {
        self.page.clear();
        self.at = 0;
        let mut page = self.source.by_ref().take(PAGE_BYTES as u64);
        page.read_to_end(&mut self.page)
            .map_err(|error| Fault::new(format!("cannot be read: {error}")))?;
        Ok(!self.page.is_empty())
    }

    fn unpack(&mut self, packing: u8) -> Result<&[u8]> {
        self.unpacked.clear();
        match packing {
            0 => return Ok(&self.record),
            SNAPPY => {
                let wrong = |error| Fault::new(format!("a record is not snappy: {error}"));
                let length = snap::raw::decompress_len(&self.record).map_err(wrong)?;
                if length > RECORD_BYTES_MAX {
                    return Err(Fault::new("a record is too long"));
                }
                self.unpacked.resize(length, 0);
                let mut decoder = snap::raw::Decoder::new();
                let unpacked = decoder.decompress(&self.record, &mut self.unpacked);
                self.unpacked.truncate(unpacked.map_err(wrong)?);
            }
            ZSTD => {
                let wrong = |error| Fault::new(format!("a record is not zstd: {error}"));
                let decoder = zstd::stream::read::Decoder::with_buffer(&self.record[..]);
                let mut limited = decoder.map_err(wrong)?.take(RECORD_BYTES_MAX as u64 + 1);
                limited.read_to_end(&mut self.unpacked).map_err(wrong)?;
                if self.unpacked.len() > RECORD_BYTES_MAX {
                    return Err(Fault::new("a record is too long"));
                }
            }
            other => return Err(Fault::new(format!("records packed as {other} are unknown"))),
        }
        Ok(&self.unpacked)
    }
}

fn fragment(rest: &[u8]) -> Result<(u8, &[u8])> {
    let mut reader = Reader::new(rest);
    let (kind, length, crc) = (reader.u8()?, reader.be16()?, reader.be32()?);
    let data = reader.take(usize::from(length))?;
    match crc32c(data) == crc {
        true => Ok((kind, data)),
        false => Err(Fault::new("the checksum of a record does not match")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fragment as Prometheus writes it.
    fn put_fragment(out: &mut Vec<u8>, kind: u8, data: &[u8]) {
        out.push(kind);
        out.extend_from_slice(&(data.len() as u16).to_be_bytes());
        out.extend_from_slice(&crc32c(data).to_be_bytes());
        out.extend_from_slice(data);
    }

    fn records(bytes: &[u8]) -> (Vec<Vec<u8>>, Option<String>) {
        let (mut reader, mut found) = (SegmentReader::new(bytes), Vec::new());
        loop {
            match reader.next() {
                Ok(Some(record)) => found.push(record.to_vec()),
                Ok(None) => return (found, None),
                Err(fault) => return (found, Some(fault.to_string())),
            }
        }
    }

    /// A whole record, one over two pages, and one of each packing.
    fn segment() -> (Vec<u8>, Vec<Vec<u8>>) {
        let long: Vec<u8> = (0..40_000u32).map(|n| (n * n) as u8).collect();
        let mut bytes = Vec::new();
        put_fragment(&mut bytes, 1, b"whole");
        let room = PAGE_BYTES - bytes.len() - HEADER_BYTES;
        put_fragment(&mut bytes, 2, &long[..room]);
        put_fragment(&mut bytes, 4, &long[room..]);
        bytes.resize(2 * PAGE_BYTES, 0);
        let packed = snap::raw::Encoder::new()
            .compress_vec(b"snappy snappy")
            .unwrap();
        put_fragment(&mut bytes, 1 | SNAPPY, &packed);
        put_fragment(
            &mut bytes,
            1 | ZSTD,
            &zstd::encode_all(&b"zstd"[..], 1).unwrap(),
        );
        let expected = [&b"whole"[..], &long, b"snappy snappy", b"zstd"];
        (bytes, expected.map(<[u8]>::to_vec).to_vec())
    }

    #[test]
    fn records_are_put_together_and_unpacked() {
        let (bytes, expected) = segment();
        assert_eq!(records(&bytes), (expected, None));
    }

    #[test]
    fn a_segment_that_breaks_off_gives_the_records_before() {
        let (bytes, expected) = segment();
        for length in (0..bytes.len()).step_by(61) {
            let (found, _) = records(&bytes[..length]);
            assert_eq!(found, expected[..found.len()]);
        }
        let mut damaged = bytes;
        damaged[HEADER_BYTES] ^= 1;
        assert!(records(&damaged).1.unwrap().contains("checksum"));
    }

    #[test]
    fn a_bomb_is_refused() {
        let bomb = zstd::encode_all(std::io::repeat(0).take(RECORD_BYTES_MAX as u64 + 5), 1);
        let mut bytes = Vec::new();
        put_fragment(&mut bytes, 1 | ZSTD, &bomb.unwrap());
        assert!(records(&bytes).1.unwrap().contains("too long"));
    }
}

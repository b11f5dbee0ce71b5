//! The files of chunks of a block: `chunks/000001` and those that follow.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::super::fault::{Fault, Result};
use crate::wire::bytes::{Reader, crc32c};

/// What a file begins with: magic, version, padding.
pub(crate) const MAGIC: u32 = 0x85bd_40dd;
pub(crate) const VERSION: u8 = 1;
pub(crate) const HEADER_BYTES: usize = 8;

/// How much is read at once: neighbouring chunks come along.
const WINDOW_BYTES: usize = 256 << 10;
/// More than this no chunk takes.
const CHUNK_BYTES_MAX: usize = 16 << 20;
/// A chunk's length takes no more than this.
const LENGTH_BYTES_MAX: usize = 5;
const CRC_BYTES: usize = 4;

/// All files of one block, opened.
pub(crate) struct Segments {
    files: Vec<Segment>,
}

struct Segment {
    path: PathBuf,
    file: File,
    length: u64,
    /// What was read last, and from where.
    window: Vec<u8>,
    start: u64,
}

impl Segments {
    /// Opens all files of a folder.
    pub(crate) fn open(folder: &Path) -> Result<Segments> {
        let mut paths = Vec::new();
        let list =
            std::fs::read_dir(folder).map_err(|error| Fault::io("cannot list", folder, &error))?;
        for entry in list {
            let entry = entry.map_err(|error| Fault::io("cannot list", folder, &error))?;
            let name = entry.file_name();
            if name.to_str().is_some_and(is_segment_name) {
                paths.push(entry.path());
            }
        }
        paths.sort();
        let files = paths.into_iter().map(Segment::open);
        Ok(Segments {
            files: files.collect::<Result<_>>()?,
        })
    }

    /// The encoding and the bytes of a chunk. Its reference is the place of its file among the
    /// files, and its place in the file.
    pub(crate) fn chunk(&mut self, reference: u64) -> Result<(u8, &[u8])> {
        let (place, offset) = (reference >> 32, reference & u64::from(u32::MAX));
        let count = self.files.len();
        let segment = usize::try_from(place)
            .ok()
            .and_then(|place| self.files.get_mut(place));
        let segment = segment.ok_or_else(|| {
            Fault::new(format!("chunk {reference} lies in file {place} of {count}"))
        })?;
        let path = segment.path.clone();
        segment
            .chunk(offset)
            .map_err(|fault| fault.at(format_args!("{}: chunk at {offset}", path.display())))
    }
}

/// Whether a name is a number.
pub(super) fn is_segment_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

impl Segment {
    fn open(path: PathBuf) -> Result<Segment> {
        let io = |error: std::io::Error| Fault::io("cannot read", &path, &error);
        let file = File::open(&path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let mut segment = Segment {
            file,
            length,
            window: Vec::new(),
            start: 0,
            path: path.clone(),
        };
        let header = segment.bytes(0, HEADER_BYTES)?;
        let mut reader = Reader::new(header);
        if reader.be32()? != MAGIC || reader.u8()? != VERSION {
            return Err(Fault::new(format!(
                "{} is no file of chunks of version {VERSION}",
                path.display()
            )));
        }
        Ok(segment)
    }

    fn chunk(&mut self, offset: u64) -> Result<(u8, &[u8])> {
        let announced = usize::try_from(self.length.saturating_sub(offset))
            .unwrap_or(usize::MAX)
            .min(LENGTH_BYTES_MAX);
        let mut reader = Reader::new(self.bytes(offset, announced)?);
        let length = usize::try_from(reader.uvarint()?).unwrap_or(usize::MAX);
        if length > CHUNK_BYTES_MAX {
            return Err(Fault::new(format!("it claims {length} bytes")));
        }
        let begin = offset + (announced - reader.left()) as u64;
        let whole = self.bytes(begin, 1 + length + CRC_BYTES)?;
        let (body, crc) = whole.split_at(1 + length);
        if Reader::new(crc).be32()? != crc32c(body) {
            return Err(Fault::new("its checksum does not match"));
        }
        Ok((body[0], &body[1..]))
    }

    /// Some bytes of the file, all of which have to be there.
    fn bytes(&mut self, offset: u64, length: usize) -> Result<&[u8]> {
        let end = offset.checked_add(length as u64);
        if end.is_none_or(|end| end > self.length) {
            return Err(Fault::new(format!(
                "{} ends at {}, before what is looked for",
                self.path.display(),
                self.length
            )));
        }
        let held = self.start + self.window.len() as u64;
        if offset < self.start || offset + length as u64 > held {
            let left = usize::try_from(self.length - offset).unwrap_or(usize::MAX);
            self.window.resize(left.min(WINDOW_BYTES.max(length)), 0);
            self.file
                .read_exact_at(&mut self.window, offset)
                .map_err(|error| Fault::io("cannot read", &self.path, &error))?;
            self.start = offset;
        }
        let from = (offset - self.start) as usize;
        Ok(&self.window[from..from + length])
    }
}

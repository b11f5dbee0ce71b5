//! Reads one segment, frame by frame, and finds the next frame behind damage.
//!
//! Promises: a frame it hands out passed every checksum, LSNs only rise, and memory is bounded by a
//! chunk or the longest valid frame. Whether a bad stretch is a torn tail or damage is not decided
//! here.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use super::frame::{self, FRAME_ALIGN, FRAME_BYTES_MIN, FRAME_HEADER_BYTES, FrameHeader, MARKER};
use super::segment::SEGMENT_HEADER_BYTES;
use crate::io::ReadFile;

/// How much is read at once: large enough that the calls cost nothing, small enough to stay in the
/// cache.
const CHUNK_BYTES: usize = 1 << 20;

/// One segment being read.
pub(super) struct SegmentReader {
    file: Arc<dyn ReadFile>,
    /// The first LSN by the file's name: it outlives a damaged header.
    first: u64,
    /// The length when the file was opened: a live writer may append meanwhile.
    length: u64,
    /// Where the next frame is looked for.
    at: u64,
    /// The LSN that the next frame has if nothing is lost.
    expected: u64,
    chunk: Vec<u8>,
    chunk_at: u64,
}

/// What comes next in a segment.
pub(super) enum Step<'a> {
    Frame {
        header: FrameHeader,
        tenant: &'a str,
        body: &'a [u8],
    },
    /// Bytes that are no frame; a valid frame with LSN `next` follows them, or nothing does.
    Bad {
        offset: u64,
        bytes: u64,
        next: Option<u64>,
    },
    End,
}

/// What lies at an offset.
enum Found {
    Frame(FrameHeader),
    /// The header is sound and says how far the frame reaches, but its payload is not.
    BadPayload(u64),
    Nothing,
}

impl SegmentReader {
    pub(super) fn new(file: Arc<dyn ReadFile>, first: u64, length: u64) -> Self {
        SegmentReader {
            file,
            first,
            length,
            at: SEGMENT_HEADER_BYTES as u64,
            expected: first,
            chunk: Vec::new(),
            chunk_at: 0,
        }
    }

    pub(super) fn expected(&self) -> u64 {
        self.expected
    }

    pub(super) fn step(&mut self) -> io::Result<Step<'_>> {
        if self.at >= self.length {
            return Ok(Step::End);
        }
        let header = match self.look(self.at, self.expected)? {
            Found::Frame(header) => header,
            Found::BadPayload(end) => return self.skip(end),
            Found::Nothing => return self.skip(self.at + FRAME_ALIGN as u64),
        };
        let start = self.at;
        self.at = start + header.frame_bytes() as u64;
        self.expected = header.lsn + 1;
        let bytes = self.held_slice(self.held(start, header.frame_bytes()));
        let (tenant, body) = header
            .split(&bytes[FRAME_HEADER_BYTES..])
            .expect("look has checked it");
        Ok(Step::Frame {
            header,
            tenant,
            body,
        })
    }

    /// Goes on behind a bad frame: from `resume` to the next valid frame or the end.
    fn skip(&mut self, mut resume: u64) -> io::Result<Step<'_>> {
        let offset = self.at;
        let mut next = None;
        while let Some(candidate) = self.find_marker(resume)? {
            // No more frames can be lost than fit into the bytes that were skipped.
            let lost_max = (candidate - offset) / FRAME_BYTES_MIN as u64;
            match self.look(candidate, self.expected.saturating_add(lost_max))? {
                Found::Frame(header) => {
                    self.expected = header.lsn;
                    self.at = candidate;
                    next = Some(header.lsn);
                    break;
                }
                Found::BadPayload(end) => resume = end,
                Found::Nothing => resume = candidate + FRAME_ALIGN as u64,
            }
        }
        if next.is_none() {
            self.at = self.length;
        }
        Ok(Step::Bad {
            offset,
            bytes: self.at - offset,
            next,
        })
    }

    /// Whether a frame lies at `offset` whose LSN is between the expected one and `lsn_max`.
    fn look(&mut self, offset: u64, lsn_max: u64) -> io::Result<Found> {
        let left = self.length - offset;
        if left < FRAME_HEADER_BYTES as u64 {
            return Ok(Found::Nothing);
        }
        let bytes = self.hold(offset, FRAME_HEADER_BYTES)?;
        let first = self.first;
        let Some(header) = frame::decode(self.held_slice(bytes), first, offset) else {
            return Ok(Found::Nothing);
        };
        if header.lsn < self.expected || header.lsn > lsn_max || header.durable >= header.lsn {
            return Ok(Found::Nothing);
        }
        let end = offset + header.frame_bytes() as u64;
        if end > self.length {
            return Ok(Found::BadPayload(self.length));
        }
        let bytes = self.hold(offset, header.frame_bytes())?;
        let behind = &self.held_slice(bytes)[FRAME_HEADER_BYTES..];
        if header.matches(behind) && header.split(behind).is_some() {
            return Ok(Found::Frame(header));
        }
        Ok(Found::BadPayload(end))
    }

    /// The first place from `from` on where a frame may start.
    fn find_marker(&mut self, from: u64) -> io::Result<Option<u64>> {
        let mut at = from;
        while at < self.length && self.length - at >= FRAME_HEADER_BYTES as u64 {
            let range = self.hold(at, FRAME_HEADER_BYTES)?;
            let chunk = &self.chunk[range.start..];
            let places = chunk.chunks_exact(FRAME_ALIGN);
            let count = places.len();
            for (index, place) in places.enumerate() {
                if place[..MARKER.len()] == MARKER {
                    return Ok(Some(at + (index * FRAME_ALIGN) as u64));
                }
            }
            at += (count * FRAME_ALIGN) as u64;
        }
        Ok(None)
    }

    /// Makes the chunk hold `count` bytes from `offset` on, which the file has, and says where.
    fn hold(&mut self, offset: u64, count: usize) -> io::Result<Range<usize>> {
        let held_to = self.chunk_at + self.chunk.len() as u64;
        if offset < self.chunk_at || offset + count as u64 > held_to {
            let left = usize::try_from(self.length - offset).unwrap_or(usize::MAX);
            // An emptied chunk claims nothing if the read fails.
            let mut chunk = std::mem::take(&mut self.chunk);
            chunk.resize(count.max(CHUNK_BYTES).min(left), 0);
            self.file.read_exact_at(&mut chunk, offset)?;
            self.chunk = chunk;
            self.chunk_at = offset;
        }
        Ok(self.held(offset, count))
    }

    /// Where in the chunk bytes lie that it holds.
    fn held(&self, offset: u64, count: usize) -> Range<usize> {
        let start = usize::try_from(offset - self.chunk_at).expect("an offset in the chunk fits");
        start..start + count
    }

    fn held_slice(&self, range: Range<usize>) -> &[u8] {
        &self.chunk[range]
    }
}

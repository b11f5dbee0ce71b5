//! The chunks of every series in a few bytes each: when, how many, where.
//!
//! A chunk is written as its difference to what the one before lets expect: neighbours mostly come
//! from the same scrape, page and encoding. Series are grouped, and each group starts with
//! everything that its first chunk is told relative to, so a group is read without what lies before
//! it.
//!
//! Layout: the groups; for each group `u32 first series, u32 offset of the group`; `u32` number of
//! groups. A group: `varint page, varint offset` for each strip, then for each series `varint
//! number of chunks` and the chunks. A chunk: a byte of flags ([`NEXT_PAGE`], [`NEW_ENCODING`],
//! [`HAS_SUMMARY`], [`HAS_SHARED`]); signed varints for start, duration and count; a varint length
//! for each strip; then, if flagged, an encoding byte, a prefixed summary and a signed varint for a
//! shared column.

use crate::block::{ChunkMeta, STRIP_BYTES_MAX, STRIPS_MAX, StripPlace};
use crate::codec::bytes::{Cursor, put_prefixed, put_varint, put_varint_signed};
use crate::error::{Error, Result};
use crate::time::{TickRange, Ticks};

/// The chunk is the first of the next page.
const NEXT_PAGE: u8 = 1;
/// An encoding byte follows; otherwise it is the one of the chunk before.
const NEW_ENCODING: u8 = 2;
/// A summary follows.
const HAS_SUMMARY: u8 = 4;
/// The number of a shared column follows.
const HAS_SHARED: u8 = 8;
/// The flags of a block without shared columns.
const FLAGS_ALONE: u8 = NEXT_PAGE | NEW_ENCODING | HAS_SUMMARY;

/// A group ends after so many series, or so many chunks.
const GROUP_SERIES_MAX: u32 = 32;
const GROUP_CHUNKS_MAX: u32 = 64;

const GROUP_BYTES: usize = 8;

/// The least bytes of a chunk: flags, start, duration, count and one strip.
const CHUNK_BYTES_MIN: usize = 5;

/// What the next chunk is told relative to.
#[derive(Clone, Copy)]
struct Expectation {
    /// Where the first chunk of the series before started.
    series_start: i64,
    /// What the next chunk's start is told from: the end of the chunk before, or `series_start`.
    start: i64,
    duration: i64,
    count: u32,
    encoding: u8,
    page: u32,
    offsets: [u32; STRIPS_MAX],
    /// Behind the shared column of the chunk before that had one.
    shared: u32,
}

impl Expectation {
    /// At the start of a group, with the place to write next.
    fn new(partition: TickRange, page: u32, offsets: [u32; STRIPS_MAX]) -> Self {
        Expectation {
            series_start: partition.start.0,
            start: partition.start.0,
            duration: 0,
            count: 0,
            encoding: 0,
            page,
            offsets,
            shared: 0,
        }
    }

    fn learn(&mut self, meta: &ChunkMeta, first: bool) {
        if first {
            self.series_start = meta.range.start.0;
        }
        self.start = meta.range.end.0;
        self.duration = meta.range.end.0.wrapping_sub(meta.range.start.0);
        self.count = meta.count;
        self.encoding = meta.encoding;
        self.page = meta.page;
        if let Some(shared) = meta.shared {
            self.shared = shared.saturating_add(1);
        }
        for (offset, place) in self.offsets.iter_mut().zip(&meta.strips) {
            *offset = place.offset + place.length;
        }
    }
}

/// Writes the chunks of series after series.
pub(crate) struct ChunksWriter {
    strips: usize,
    partition: TickRange,
    bytes: Vec<u8>,
    groups: Vec<u8>,
    next: Option<Expectation>,
    group_series: u32,
    group_chunks: u32,
    series: u32,
}

impl ChunksWriter {
    pub(crate) fn new(partition: TickRange, strips: u8) -> Self {
        ChunksWriter {
            strips: usize::from(strips),
            partition,
            bytes: Vec::new(),
            groups: Vec::new(),
            next: None,
            group_series: 0,
            group_chunks: 0,
            series: 0,
        }
    }

    /// Writes the chunks of the next series, each with its summary. They lie behind each other, and
    /// behind those of the series before: `page` and `offsets` say where the first would if it did
    /// not start a page.
    pub(crate) fn series(
        &mut self,
        chunks: &[(ChunkMeta, Vec<u8>)],
        page: u32,
        offsets: [u32; STRIPS_MAX],
    ) -> Result<()> {
        let full = self.group_series >= GROUP_SERIES_MAX || self.group_chunks >= GROUP_CHUNKS_MAX;
        let mut next = match self.next {
            Some(next) if !full => next,
            _ => self.start_group(page, offsets)?,
        };
        put_varint(&mut self.bytes, chunks.len() as u64);
        next.start = next.series_start;
        for (index, (meta, summary)) in chunks.iter().enumerate() {
            self.chunk(&next, meta, summary);
            next.learn(meta, index == 0);
        }
        self.group_series += 1;
        let chunks = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
        self.group_chunks = self.group_chunks.saturating_add(chunks);
        self.series += 1;
        self.next = Some(next);
        Ok(())
    }

    fn start_group(&mut self, page: u32, offsets: [u32; STRIPS_MAX]) -> Result<Expectation> {
        let start = u32::try_from(self.bytes.len())
            .map_err(|_| Error::limit("the chunk list of a block exceeds 4 GiB"))?;
        self.groups.extend_from_slice(&self.series.to_le_bytes());
        self.groups.extend_from_slice(&start.to_le_bytes());
        put_varint(&mut self.bytes, u64::from(page));
        for offset in &offsets[..self.strips] {
            put_varint(&mut self.bytes, u64::from(*offset));
        }
        (self.group_series, self.group_chunks) = (0, 0);
        Ok(Expectation::new(self.partition, page, offsets))
    }

    fn chunk(&mut self, next: &Expectation, meta: &ChunkMeta, summary: &[u8]) {
        let flag = |flag: u8, set: bool| if set { flag } else { 0 };
        self.bytes.push(
            flag(NEXT_PAGE, meta.page != next.page)
                | flag(NEW_ENCODING, meta.encoding != next.encoding)
                | flag(HAS_SUMMARY, !summary.is_empty())
                | flag(HAS_SHARED, meta.shared.is_some()),
        );
        let (start, end) = (meta.range.start.0, meta.range.end.0);
        // Wrapping differences are undone by wrapping sums, whatever the ticks are.
        put_varint_signed(&mut self.bytes, start.wrapping_sub(next.start));
        let duration = end.wrapping_sub(start);
        put_varint_signed(&mut self.bytes, duration.wrapping_sub(next.duration));
        put_varint_signed(
            &mut self.bytes,
            i64::from(meta.count) - i64::from(next.count),
        );
        for place in &meta.strips[..self.strips] {
            put_varint(&mut self.bytes, u64::from(place.length));
        }
        if meta.encoding != next.encoding {
            self.bytes.push(meta.encoding);
        }
        if !summary.is_empty() {
            put_prefixed(&mut self.bytes, summary);
        }
        if let Some(shared) = meta.shared {
            let step = i64::from(shared) - i64::from(next.shared);
            put_varint_signed(&mut self.bytes, step);
        }
    }

    pub(crate) fn finish(mut self) -> Vec<u8> {
        let groups = (self.groups.len() / GROUP_BYTES) as u32;
        self.bytes.extend_from_slice(&self.groups);
        self.bytes.extend_from_slice(&groups.to_le_bytes());
        self.bytes
    }
}

/// The chunk list over borrowed bytes.
#[derive(Clone, Copy)]
pub(crate) struct Chunks<'a> {
    strips: usize,
    partition: TickRange,
    series: u32,
    pages: u32,
    flags: u8,
    bytes: &'a [u8],
    groups: &'a [[u8; GROUP_BYTES]],
}

/// Where a walk over the chunks of a block was left. Of use in that block alone.
#[derive(Clone, Default)]
pub(crate) struct Stand(Option<Standing>);

#[derive(Clone, Copy)]
struct Standing {
    /// The series that comes next.
    series: u32,
    /// The first one of the group behind.
    end: u32,
    position: usize,
    next: Expectation,
}

impl Standing {
    fn is_before(&self, ordinal: u32) -> bool {
        self.series <= ordinal && ordinal < self.end
    }
}

/// Whether chunks of a block may have shared columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    Possible,
    Absent,
}

impl<'a> Chunks<'a> {
    pub(crate) fn read(
        section: &'a [u8],
        partition: TickRange,
        strips: u8,
        series: u32,
        pages: u32,
        sharing: Sharing,
    ) -> Result<Self> {
        let Some((rest, count)) = section.split_last_chunk::<4>() else {
            return Err(Error::corrupt("the chunk list is cut"));
        };
        let groups = u32::from_le_bytes(*count) as usize;
        let split = groups
            .checked_mul(GROUP_BYTES)
            .and_then(|table| rest.len().checked_sub(table));
        let Some(split) = split.filter(|_| (groups == 0) == (series == 0)) else {
            return Err(Error::corrupt(format!(
                "the chunk list cannot have {groups} groups"
            )));
        };
        let (bytes, groups) = rest.split_at(split);
        Ok(Chunks {
            strips: usize::from(strips),
            partition,
            series,
            pages,
            flags: match sharing {
                Sharing::Possible => FLAGS_ALONE | HAS_SHARED,
                Sharing::Absent => FLAGS_ALONE,
            },
            bytes,
            groups: groups.as_chunks().0,
        })
    }

    /// Puts the chunks of one series into `out`, in order of time. From where `stand` is left, the
    /// series behind are near.
    pub(crate) fn of_series(
        &self,
        ordinal: u32,
        stand: &mut Stand,
        out: &mut Vec<ChunkMeta>,
    ) -> Result<()> {
        if ordinal >= self.series {
            return Err(Error::corrupt(format!(
                "series {ordinal} is asked for, the block has {}",
                self.series
            )));
        }
        let (mut walk, first) = match stand.0.take() {
            Some(found) if found.is_before(ordinal) => (self.go_on(&found)?, found),
            _ => self.walk_to(ordinal)?,
        };
        for _ in first.series..ordinal {
            walk.series(|_| ())?;
        }
        out.clear();
        walk.series(|meta| out.push(meta))?;
        stand.0 = Some(Standing {
            series: ordinal + 1,
            position: walk.base + walk.cursor.position(),
            next: walk.next,
            ..first
        });
        Ok(())
    }

    /// A walk at the start of the group that this series is in.
    fn walk_to(&self, ordinal: u32) -> Result<(GroupWalk<'_, 'a>, Standing)> {
        let first_series = |group: &[u8; GROUP_BYTES]| {
            u32::from_le_bytes([group[0], group[1], group[2], group[3]])
        };
        let after = self
            .groups
            .partition_point(|group| first_series(group) <= ordinal);
        let Some(group) = after.checked_sub(1).map(|group| &self.groups[group]) else {
            return Err(Error::corrupt(
                "the chunk list does not begin with the first series",
            ));
        };
        let position = u32::from_le_bytes([group[4], group[5], group[6], group[7]]) as usize;
        let walk = self.start_group(self.from(position)?, position)?;
        let standing = Standing {
            series: first_series(group),
            end: self.groups.get(after).map_or(self.series, first_series),
            position,
            next: walk.next,
        };
        Ok((walk, standing))
    }

    /// A walk that goes on where one was left.
    fn go_on(&self, found: &Standing) -> Result<GroupWalk<'_, 'a>> {
        Ok(GroupWalk {
            chunks: self,
            cursor: Cursor::new(self.from(found.position)?),
            base: found.position,
            next: found.next,
        })
    }

    fn from(&self, position: usize) -> Result<&'a [u8]> {
        let bytes = self.bytes.get(position..);
        bytes.ok_or_else(|| Error::corrupt("a group of chunks lies outside of its section"))
    }

    fn start_group(&self, bytes: &'a [u8], base: usize) -> Result<GroupWalk<'_, 'a>> {
        let mut cursor = Cursor::new(bytes);
        let page = cursor.length(u32::MAX as usize, "a page number")?;
        let mut offsets = [0; STRIPS_MAX];
        for offset in &mut offsets[..self.strips] {
            // The limit is far below 32 bits.
            *offset = cursor.length(STRIP_BYTES_MAX, "an offset in a page")? as u32;
        }
        let page = u32::try_from(page).map_err(|_| Error::corrupt("a page number is too large"))?;
        Ok(GroupWalk {
            chunks: self,
            cursor,
            base,
            next: Expectation::new(self.partition, page, offsets),
        })
    }

    /// The bytes of a chunk's summary.
    pub(crate) fn summary(&self, place: StripPlace) -> Result<&'a [u8]> {
        let start = place.offset as usize;
        self.bytes
            .get(start..start.saturating_add(place.length as usize))
            .ok_or_else(|| Error::corrupt("a chunk's summary lies outside of its section"))
    }
}

/// Reads the series of a group one after the other.
struct GroupWalk<'c, 'a> {
    chunks: &'c Chunks<'a>,
    cursor: Cursor<'a>,
    /// Where the cursor's bytes begin in the section.
    base: usize,
    next: Expectation,
}

impl GroupWalk<'_, '_> {
    fn series(&mut self, mut each: impl FnMut(ChunkMeta)) -> Result<()> {
        let max = self.cursor.remaining() / CHUNK_BYTES_MIN;
        let count = self.cursor.length(max, "the number of a series' chunks")?;
        self.next.start = self.next.series_start;
        for index in 0..count {
            let meta = self.chunk()?;
            if index > 0 && meta.range.start.0 < self.next.start {
                return Err(Error::corrupt("the chunks of a series overlap"));
            }
            self.next.learn(&meta, index == 0);
            each(meta);
        }
        Ok(())
    }

    fn chunk(&mut self) -> Result<ChunkMeta> {
        let flags = self.cursor.u8()?;
        if flags & !self.chunks.flags != 0 {
            return Err(Error::corrupt(format!(
                "a chunk has unknown flags {flags:#x}"
            )));
        }
        let start = self.next.start.wrapping_add(self.cursor.varint_signed()?);
        let duration = self
            .next
            .duration
            .wrapping_add(self.cursor.varint_signed()?);
        let range = TickRange::new(Ticks(start), Ticks(start.wrapping_add(duration)));
        let count = i64::from(self.next.count).checked_add(self.cursor.varint_signed()?);
        let count = count
            .and_then(|count| u32::try_from(count).ok())
            .filter(|&count| count > 0);
        let partition = &self.chunks.partition;
        let inside = partition.contains(range.start) && partition.contains(range.end);
        let (Some(count), true) = (count, inside && range.start <= range.end) else {
            return Err(Error::corrupt(
                "a chunk has no entries or leaves its partition",
            ));
        };
        let mut next = self.next;
        if flags & NEXT_PAGE != 0 {
            next.page = next.page.saturating_add(1);
            next.offsets = [0; STRIPS_MAX];
        }
        if next.page >= self.chunks.pages {
            return Err(Error::corrupt(format!(
                "a chunk lies in page {}, which is not",
                next.page
            )));
        }
        let strips = self.strip_places(next.offsets)?;
        let encoding = match flags & NEW_ENCODING {
            0 => next.encoding,
            _ => self.cursor.u8()?,
        };
        let summary = match flags & HAS_SUMMARY {
            0 => StripPlace::default(),
            _ => self.summary_place()?,
        };
        let shared = match flags & HAS_SHARED {
            0 => None,
            _ => Some(self.shared_column()?),
        };
        Ok(ChunkMeta {
            range,
            count,
            encoding,
            page: next.page,
            strips,
            summary,
            shared,
        })
    }

    fn shared_column(&mut self) -> Result<u32> {
        let step = self.cursor.varint_signed()?;
        let column = i64::from(self.next.shared).checked_add(step);
        column
            .and_then(|column| u32::try_from(column).ok())
            .ok_or_else(|| Error::corrupt("a chunk shares a column that cannot be"))
    }

    fn strip_places(&mut self, offsets: [u32; STRIPS_MAX]) -> Result<[StripPlace; STRIPS_MAX]> {
        let mut strips = [StripPlace::default(); STRIPS_MAX];
        for (place, offset) in strips.iter_mut().zip(offsets).take(self.chunks.strips) {
            let max = STRIP_BYTES_MAX.saturating_sub(offset as usize);
            // The limit is far below 32 bits.
            let length = self.cursor.length(max, "the length of a strip")? as u32;
            *place = StripPlace { offset, length };
        }
        Ok(strips)
    }

    fn summary_place(&mut self) -> Result<StripPlace> {
        let length = self.cursor.prefixed()?.len();
        let end = self.base + self.cursor.position();
        // The section is below 4 GiB: its writer checked, and offsets of groups have 32 bits.
        match (u32::try_from(end - length), u32::try_from(length)) {
            (Ok(offset), Ok(length)) => Ok(StripPlace { offset, length }),
            _ => Err(Error::corrupt("a chunk's summary lies beyond 4 GiB")),
        }
    }
}

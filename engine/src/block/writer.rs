//! Writes a block, series after series in label order, and makes it durable.
//!
//! Chunks stream out page by page; what grows with the block is only the index. A block is finished
//! or it is litter: nothing names it before `finish` has returned, and a writer that is dropped
//! earlier leaves a file that the caller removes.

use std::path::{Path, PathBuf};

use crate::block::carried::CarriedPage;
use crate::block::chunks::ChunksWriter;
use crate::block::footer::{FOOTER_BYTES, Footer, SECTIONS, SectionPlace, TRAILER_BYTES};
use crate::block::header::BlockHeader;
use crate::block::ids::write_ids;
use crate::block::page::PageEncoder;
use crate::block::shared::SharedWriter;
use crate::block::{ChunkMeta, STRIP_BYTES_MAX, STRIPS_MAX, StripPlace, block_path};
use crate::codec::Packing;
use crate::codec::chunk::SealedChunk;
use crate::codec::tokens::{Keys, TokenSet};
use crate::error::{Error, Result};
use crate::index::build::IndexBuilder;
use crate::index::filter::{write_filter, write_key_filter};
use crate::io::{Fs, WriteFile};
use crate::labels::set::{Labels, SeriesId};
use crate::time::{TickRange, Ticks};

/// Bytes are collected up to this before they are given to the file.
const BUFFER_BYTES: usize = 1 << 20;

/// How chunks are gathered into pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paging {
    /// How many strips every chunk has.
    pub(crate) strips: u8,
    /// A page is closed before it would exceed this many raw bytes; a larger chunk gets a page of
    /// its own.
    pub(crate) page_bytes: usize,
    /// How each strip is stored.
    pub(crate) packing: [Packing; STRIPS_MAX],
    /// From how many raw bytes on a page is stored in another way, and in which.
    pub(crate) full: Option<(usize, [Packing; STRIPS_MAX])>,
}

impl Paging {
    /// As many strips as packings are told; at most [`STRIPS_MAX`].
    pub(crate) fn new(told: &[Packing], page_bytes: usize) -> Self {
        Paging {
            strips: told.len() as u8,
            page_bytes,
            packing: padded(told),
            full: None,
        }
    }

    /// Packs pages of so many raw bytes or more like this.
    pub(crate) fn with_full_pages(mut self, bytes_min: usize, told: &[Packing]) -> Self {
        self.full = Some((bytes_min, padded(told)));
        self
    }
}

fn padded(told: &[Packing]) -> [Packing; STRIPS_MAX] {
    let mut packing = [Packing::AsIs; STRIPS_MAX];
    packing[..told.len()].copy_from_slice(told);
    packing
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockSummary {
    pub(crate) number: u64,
    pub(crate) bytes: u64,
    pub(crate) series: u32,
    pub(crate) chunks: u64,
    pub(crate) entries: u64,
    /// The hull of all chunks; empty where there is none.
    pub(crate) range: TickRange,
}

/// Where blocks are written to: the caller names their files and learns what they hold.
pub(crate) trait BlockSink<'f> {
    /// Begins the block of a partition and retention class.
    fn begin(&mut self, partition: TickRange, class: u8) -> Result<BlockWriter<'f>>;
    /// From how many raw bytes on a page of one chunk is packed for long: later merges carry it as
    /// it is. Absent where longer chunks are worth packing again.
    fn full_page_bytes(&self) -> Option<usize>;
    /// Takes the finished block.
    fn done(&mut self, partition: TickRange, class: u8, block: BlockSummary);
}

/// See the file comment.
pub(crate) struct BlockWriter<'f> {
    fs: &'f dyn Fs,
    dir: PathBuf,
    path: PathBuf,
    out: Output,
    number: u64,
    header: BlockHeader,
    page_bytes: usize,
    index: IndexBuilder,
    ids: Vec<SeriesId>,
    chunks: ChunksWriter,
    /// The chunks of the series that is being written, and where the first might have continued.
    series_chunks: Vec<(ChunkMeta, Vec<u8>)>,
    series_start: (u32, [u32; STRIPS_MAX]),
    encoder: PageEncoder,
    page: OpenPage,
    filters: Filters,
    shared: SharedWriter,
    totals: Totals,
}

/// The page that chunks go to.
struct OpenPage {
    strips: Vec<Vec<u8>>,
    chunks: u32,
    tokens: TokenSet,
}

#[derive(Default)]
struct Filters {
    bytes: Vec<u8>,
    ends: Vec<u8>,
    told_any: bool,
}

struct Totals {
    chunks: u64,
    entries: u64,
    range: TickRange,
}

/// The file with a buffer before it, and how far it has come.
struct Output {
    file: Box<dyn WriteFile>,
    buffer: Vec<u8>,
    offset: u64,
}

impl<'f> BlockWriter<'f> {
    /// Creates the file of a block that does not exist yet.
    pub(crate) fn create(
        fs: &'f dyn Fs,
        dir: &Path,
        number: u64,
        header: BlockHeader,
        paging: Paging,
    ) -> Result<Self> {
        header.check()?;
        let strips = usize::from(paging.strips);
        if !(1..=STRIPS_MAX).contains(&strips) || paging.page_bytes > STRIP_BYTES_MAX {
            return Err(Error::invalid(format!(
                "a block has 1 to {STRIPS_MAX} strips and pages of at most {STRIP_BYTES_MAX} bytes"
            )));
        }
        let encoder = PageEncoder::new(&paging)?;
        let path = block_path(dir, number);
        let file = fs
            .create_new(&path)
            .map_err(|error| Error::io(error, "creating a block", &path))?;
        let mut out = Output {
            file,
            buffer: Vec::new(),
            offset: 0,
        };
        out.put(&header.encode(number, paging.strips));
        Ok(BlockWriter {
            fs,
            dir: dir.to_path_buf(),
            path,
            out,
            number,
            header,
            page_bytes: paging.page_bytes,
            index: IndexBuilder::new(),
            ids: Vec::new(),
            chunks: ChunksWriter::new(header.partition, paging.strips),
            series_chunks: Vec::new(),
            series_start: (0, [0; STRIPS_MAX]),
            encoder,
            page: OpenPage {
                strips: vec![Vec::new(); strips],
                chunks: 0,
                tokens: TokenSet::new(),
            },
            filters: Filters::default(),
            shared: SharedWriter::default(),
            totals: Totals {
                chunks: 0,
                entries: 0,
                range: TickRange::new(Ticks(i64::MAX), Ticks(i64::MIN)),
            },
        })
    }

    /// Starts the next series. Label sets come in strictly ascending order.
    pub(crate) fn series(&mut self, id: SeriesId, labels: Labels<'_>) -> Result<()> {
        // The index looks at the order first, so that a refused series leaves the block as it was.
        self.index.push(labels)?;
        self.end_series()?;
        self.ids.push(id);
        self.series_start = (self.encoder.pages(), self.offsets());
        Ok(())
    }

    /// Adds the next chunk of the series, not before the end of the one before.
    pub(crate) fn chunk(&mut self, spec: SealedChunk<'_>) -> Result<()> {
        self.check_chunk(&spec)?;
        let bytes: usize = spec.strips.iter().map(|strip| strip.len()).sum();
        let held: usize = self.page.strips.iter().map(Vec::len).sum();
        if self.page.chunks > 0 && held + bytes > self.page_bytes {
            self.close_page()?;
        }
        let shared = match spec.shared {
            [] => None,
            column => Some(self.share(column)?),
        };
        let mut strips = [StripPlace::default(); STRIPS_MAX];
        for ((place, page), strip) in strips
            .iter_mut()
            .zip(&mut self.page.strips)
            .zip(spec.strips)
        {
            // Offsets and lengths are at most the limit of a strip, far below 32 bits.
            *place = StripPlace {
                offset: page.len() as u32,
                length: strip.len() as u32,
            };
            page.extend_from_slice(strip);
        }
        self.page.chunks += 1;
        if !spec.tokens.is_empty() {
            self.filters.told_any = true;
            self.page.tokens.add_hashes(spec.tokens);
        }
        let meta = ChunkMeta {
            range: spec.range,
            count: spec.count,
            encoding: spec.encoding,
            page: self.encoder.pages(),
            strips,
            summary: StripPlace::default(),
            shared,
        };
        self.note_chunk(meta, spec.summary.to_vec());
        Ok(())
    }

    /// Adds the next chunk of the series with the page that it fills, as another block stored it.
    pub(crate) fn carried(&mut self, carried: &CarriedPage) -> Result<()> {
        let CarriedPage { chunk, strips, .. } = carried;
        self.check_place(chunk.range, chunk.count, strips.len())?;
        if self.page.chunks > 0 {
            self.close_page()?;
        }
        let meta = ChunkMeta {
            page: self.encoder.pages(),
            ..*chunk
        };
        self.encoder.append_stored(strips, self.out.offset)?;
        for strip in strips {
            self.out.put(&strip.bytes);
        }
        self.filters.page_as_stored(&carried.filter)?;
        self.note_chunk(meta, Vec::new());
        self.flush_much()
    }

    fn note_chunk(&mut self, meta: ChunkMeta, summary: Vec<u8>) {
        self.totals.chunks += 1;
        self.totals.entries += u64::from(meta.count);
        let hull = &mut self.totals.range;
        hull.start = hull.start.min(meta.range.start);
        hull.end = hull.end.max(meta.range.end);
        self.series_chunks.push((meta, summary));
    }

    /// Writes the index, makes the file and its name durable, and says what the block holds.
    pub(crate) fn finish(mut self) -> Result<BlockSummary> {
        self.end_series()?;
        if self.page.chunks > 0 {
            self.close_page()?;
        }
        if self.shared.has_open_page() {
            self.close_shared_page()?;
        }
        let series = self.index.series_count();
        let pages = self.encoder.pages();
        let index = self.index.finish()?;
        let sections: [Vec<u8>; SECTIONS.len()] = [
            index.symbols,
            index.postings,
            index.rows,
            write_ids(&self.ids)?,
            self.chunks.finish(),
            self.encoder.finish(),
            self.filters.finish(),
            self.shared.finish(),
        ];
        let mut places = [SectionPlace::default(); SECTIONS.len()];
        let failed = |error| Error::io(error, "writing a block", &self.path);
        for (place, section) in places.iter_mut().zip(sections) {
            *place = SectionPlace {
                offset: self.out.offset,
                length: section.len() as u64,
                crc: crc32fast::hash(&section),
            };
            self.out.put(&section);
            self.out.flush().map_err(failed)?;
        }
        let footer = Footer {
            series,
            pages,
            chunks: self.totals.chunks,
            entries: self.totals.entries,
            range: self.totals.range,
            sections: places,
        };
        self.out.put(&footer.encode(self.out.offset));
        self.out.flush().map_err(failed)?;
        debug_assert!(self.out.offset >= (FOOTER_BYTES + TRAILER_BYTES) as u64);
        // The file before its name: a name that survives a crash must not lead to half a block.
        self.out
            .file
            .sync()
            .map_err(|error| Error::io(error, "syncing a block", &self.path))?;
        self.fs
            .sync_dir(&self.dir)
            .map_err(|error| Error::io(error, "syncing a block's directory", &self.dir))?;
        Ok(BlockSummary {
            number: self.number,
            bytes: self.out.offset,
            series,
            chunks: self.totals.chunks,
            entries: self.totals.entries,
            range: self.totals.range,
        })
    }

    fn check_chunk(&self, spec: &SealedChunk<'_>) -> Result<()> {
        self.check_place(spec.range, spec.count, spec.strips.len())?;
        let strips: usize = spec.strips.iter().map(|strip| strip.len()).sum();
        let bytes = strips.max(spec.shared.len());
        if bytes > STRIP_BYTES_MAX {
            return Err(Error::limit(format!(
                "a chunk of {bytes} bytes, at most {STRIP_BYTES_MAX} can be stored"
            )));
        }
        Ok(())
    }

    /// Whether a chunk may come next.
    fn check_place(&self, range: TickRange, count: u32, strips: usize) -> Result<()> {
        if self.ids.is_empty() {
            return Err(Error::invalid("a chunk comes before any series"));
        }
        if strips != self.page.strips.len() {
            return Err(Error::invalid(format!(
                "a chunk has {strips} strips, its block has {}",
                self.page.strips.len()
            )));
        }
        let partition = &self.header.partition;
        let inside = partition.contains(range.start) && partition.contains(range.end);
        if count == 0 || !inside || range.start > range.end {
            return Err(Error::invalid(format!(
                "a chunk of {count} entries over {range:?} does not fit partition {partition:?}"
            )));
        }
        // Equal ticks may meet at a border: many log lines can share one.
        if let Some((last, _)) = self.series_chunks.last()
            && last.range.end > range.start
        {
            return Err(Error::invalid(
                "a chunk starts before the end of the one before it",
            ));
        }
        Ok(())
    }

    fn offsets(&self) -> [u32; STRIPS_MAX] {
        let mut offsets = [0; STRIPS_MAX];
        for (offset, strip) in offsets.iter_mut().zip(&self.page.strips) {
            // A page's strip is at most the limit, far below 32 bits.
            *offset = strip.len() as u32;
        }
        offsets
    }

    fn end_series(&mut self) -> Result<()> {
        if !self.ids.is_empty() {
            let (page, offsets) = self.series_start;
            self.chunks.series(&self.series_chunks, page, offsets)?;
            self.series_chunks.clear();
        }
        Ok(())
    }

    fn close_page(&mut self) -> Result<()> {
        let offset = self.out.offset;
        let before = self.out.buffer.len();
        let keys = self
            .encoder
            .encode(&self.page.strips, offset, &mut self.out.buffer)?;
        self.out.offset += (self.out.buffer.len() - before) as u64;
        self.page.strips.iter_mut().for_each(Vec::clear);
        self.page.chunks = 0;
        match keys {
            Some(keys) => self.filters.page_of_keys(&keys)?,
            None => self.filters.page(&mut self.page.tokens)?,
        }
        self.flush_much()
    }

    /// The number of a shared column, which is stored if it is not known.
    fn share(&mut self, column: &[u8]) -> Result<u32> {
        if let Some(number) = self.shared.find(column) {
            return Ok(number);
        }
        if self.shared.is_full_for(column) {
            self.close_shared_page()?;
        }
        self.shared.add(column)
    }

    fn close_shared_page(&mut self) -> Result<()> {
        let (offset, before) = (self.out.offset, self.out.buffer.len());
        self.shared.close_page(offset, &mut self.out.buffer);
        self.out.offset += (self.out.buffer.len() - before) as u64;
        self.flush_much()
    }

    fn flush_much(&mut self) -> Result<()> {
        if self.out.buffer.len() < BUFFER_BYTES {
            return Ok(());
        }
        let flushed = self.out.flush();
        flushed.map_err(|error| Error::io(error, "writing a block", &self.path))
    }
}

impl Filters {
    fn page(&mut self, tokens: &mut TokenSet) -> Result<()> {
        write_filter(&tokens.sorted(), &mut self.bytes);
        tokens.clear();
        self.end_page()
    }

    fn page_of_keys(&mut self, keys: &Keys) -> Result<()> {
        write_key_filter(keys, &mut self.bytes);
        self.told_any = true;
        self.end_page()
    }

    fn page_as_stored(&mut self, filter: &[u8]) -> Result<()> {
        self.bytes.extend_from_slice(filter);
        self.told_any = true;
        self.end_page()
    }

    fn end_page(&mut self) -> Result<()> {
        let end = u32::try_from(self.bytes.len())
            .map_err(|_| Error::limit("the token filters of a block exceed 4 GiB"))?;
        self.ends.extend_from_slice(&end.to_le_bytes());
        Ok(())
    }

    /// The section: for each page the `u32` end of its filter, then the filters. Empty if no chunk
    /// told tokens.
    fn finish(mut self) -> Vec<u8> {
        if !self.told_any {
            return Vec::new();
        }
        self.ends.append(&mut self.bytes);
        self.ends
    }
}

impl Output {
    fn put(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        self.offset += bytes.len() as u64;
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.append(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

//! Reads a block: opens it by its ends, answers from its index, and fetches strips of pages.
//!
//! Opening checks the length, the trailer, the footer and the header, and maps the index. A
//! section's checksum is verified when the section is first needed, and the verdict kept: opening a
//! thousand blocks touches a thousand footers and not their indexes, and damage in one section
//! spares every answer that does not need it. Pages are read by position and checked each time they
//! come from the disk.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use roaring::RoaringBitmap;

use crate::block::ChunkMeta;
use crate::block::cache::PageCache;
use crate::block::chunks::{Chunks, Sharing, Stand};
use crate::block::footer::{Footer, SECTIONS, Section, TRAILER_BYTES, Trailer};
use crate::block::header::{BlockHeader, HEADER_BYTES, StoredHeader};
use crate::block::ids::Ids;
use crate::block::page::{PageTable, StoredStrip};
use crate::block::walk::LabelWalk;
use crate::codec::tokens::Needle;
use crate::error::{Error, Result};
use crate::index::filter::Filter;
use crate::index::rows::Rows;
use crate::index::sealed::SealedIndex;
use crate::index::select;
use crate::index::symbols::{SymbolDirectory, Symbols};
use crate::io::pool::{FilePool, PooledFile};
use crate::io::{Mapped, ReadFile};
use crate::labels::matcher::Matcher;
use crate::labels::set::{Labels, SeriesId};
use crate::time::TickRange;

/// An open block. Cheap to keep: a map, its footer, and a file handle while it is read.
pub(crate) struct BlockReader {
    pub(super) path: PathBuf,
    pub(super) file: PooledFile,
    number: u64,
    bytes: u64,
    header: BlockHeader,
    strips: u8,
    pub(super) footer: Footer,
    /// Every section, from the first byte of the first.
    index: Mapped,
    verdicts: [OnceLock<Result<()>>; SECTIONS.len()],
    symbols: OnceLock<Result<SymbolDirectory>>,
    pub(super) cache: Arc<PageCache>,
    pub(super) owner: u64,
}

impl std::fmt::Debug for BlockReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "block {} at {}", self.number, self.path.display())
    }
}

impl BlockReader {
    /// Opens a sealed block; `number` is what the manifest calls it.
    pub(crate) fn open(
        files: &Arc<FilePool>,
        path: &Path,
        number: u64,
        cache: Arc<PageCache>,
    ) -> Result<Arc<BlockReader>> {
        let failed = |error| Error::io(error, "opening a block", path);
        let pooled = files.open(path).map_err(failed)?;
        let file = pooled.handle().map_err(failed)?;
        let length = file.length().map_err(failed)?;
        if length < (HEADER_BYTES + TRAILER_BYTES) as u64 {
            return Err(
                Error::corrupt(format!("a file of {length} bytes is no block")).at_path(path),
            );
        }
        let mut header = [0; HEADER_BYTES];
        read(&*file, path, &mut header, 0)?;
        let StoredHeader {
            header,
            strips,
            version,
        } = BlockHeader::decode(&header, number)
            .map_err(|error| error.at_path(path).at_offset(0))?;
        let footer = read_footer(&*file, path, version, length)?;
        let first = footer.sections[0];
        let last = footer.sections[SECTIONS.len() - 1];
        let index = file
            .map(first.offset..last.offset + last.length)
            .map_err(|error| Error::io(error, "mapping a block's index", path))?;
        Ok(Arc::new(BlockReader {
            path: path.to_path_buf(),
            file: pooled,
            number,
            bytes: length,
            header,
            strips,
            footer,
            index,
            verdicts: Default::default(),
            symbols: OnceLock::new(),
            owner: PageCache::owner(),
            cache,
        }))
    }

    pub(crate) fn header(&self) -> &BlockHeader {
        &self.header
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Its number among all readers that the process has had.
    pub(crate) fn owner(&self) -> u64 {
        self.owner
    }

    /// The length of the file.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Unlinks the file once the last reader, of any snapshot, has gone.
    pub(crate) fn unlink_when_dropped(&self) {
        self.file.unlink_when_dropped();
    }

    pub(crate) fn strip_count(&self) -> usize {
        usize::from(self.strips)
    }

    pub(crate) fn series_count(&self) -> u32 {
        self.footer.series
    }

    pub(crate) fn page_count(&self) -> u32 {
        self.footer.pages
    }

    /// Where the pages end and the index begins.
    pub(super) fn pages_end(&self) -> u64 {
        self.footer.sections[0].offset
    }

    pub(crate) fn chunk_count(&self) -> u64 {
        self.footer.chunks
    }

    pub(crate) fn entry_count(&self) -> u64 {
        self.footer.entries
    }

    /// The hull of all chunks; empty where there is none.
    pub(crate) fn range(&self) -> TickRange {
        self.footer.range
    }

    /// The ordinals of the series that all matchers select.
    pub(crate) fn select(&self, matchers: &[Matcher]) -> Result<RoaringBitmap> {
        let index = self.index_with(Section::Postings)?;
        select::select(&index, matchers).map_err(|error| self.placed(error, Section::Postings))
    }

    /// The id of a series.
    pub(crate) fn series_id(&self, ordinal: u32) -> Result<SeriesId> {
        self.ids()?.id(ordinal).ok_or_else(|| {
            let error = Error::corrupt(format!("series {ordinal} is not in the block"));
            self.placed(error, Section::Ids)
        })
    }

    /// The ordinal of a series, if the block has it.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn ordinal_of(&self, id: SeriesId) -> Result<Option<u32>> {
        self.ids()?
            .ordinal_of(id)
            .map_err(|error| self.placed(error, Section::Ids))
    }

    /// Appends the canonical bytes of a series' label set.
    pub(crate) fn labels(&self, ordinal: u32, out: &mut Vec<u8>) -> Result<()> {
        let (rows, index) = (self.rows()?, self.index_with(Section::Symbols)?);
        let mut row = Vec::new();
        rows.row(ordinal, &mut row)
            .and_then(|()| index.label_texts().append(&row, out))
            .map_err(|error| self.placed(error, Section::Rows))
    }

    /// Calls `each` with the ordinal and label set of some series, in label order: cheaper than one
    /// by one.
    pub(crate) fn for_each_labels(
        &self,
        within: &RoaringBitmap,
        mut each: impl FnMut(u32, Labels<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let Some(first) = within.min() else {
            return Ok(());
        };
        let mut walk = LabelWalk::from(self, first)?;
        for ordinal in within {
            if each(ordinal, walk.labels(ordinal)?)?.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Puts the chunks of a series into `out`, in order of time.
    pub(crate) fn chunks(&self, ordinal: u32, out: &mut Vec<ChunkMeta>) -> Result<()> {
        self.chunks_on(ordinal, &mut Stand::default(), out)
    }

    /// The same where a walk over this block was left at `stand`: cheap for one series behind the
    /// other.
    pub(crate) fn chunks_on(
        &self,
        ordinal: u32,
        stand: &mut Stand,
        out: &mut Vec<ChunkMeta>,
    ) -> Result<()> {
        let chunks = self.chunk_list()?;
        chunks
            .of_series(ordinal, stand, out)
            .map_err(|error| self.placed(error, Section::Chunks))
    }

    /// The bytes that the writer kept beside a chunk's place.
    pub(crate) fn summary(&self, chunk: &ChunkMeta) -> Result<&[u8]> {
        let chunks = self.chunk_list()?;
        chunks
            .summary(chunk.summary)
            .map_err(|error| self.placed(error, Section::Chunks))
    }

    /// Whether a text that contains this needle may be in a page.
    pub(crate) fn page_may_hold(&self, page: u32, needle: &Needle) -> Result<bool> {
        let section = self.section(Section::Filters)?;
        if section.is_empty() {
            return Ok(true);
        }
        self.filter(section, page)
            .map(|filter| filter.may_hold(needle))
            .map_err(|error| self.placed(error, Section::Filters))
    }

    /// Calls `each` with the label names in order: all, or those that a series of `within` has.
    pub(crate) fn label_names(
        &self,
        within: Option<&RoaringBitmap>,
        each: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<()> {
        let needed = within.map_or(Section::Symbols, |_| Section::Postings);
        let index = self.index_with(needed)?;
        index
            .label_names(within, each)
            .map_err(|error| self.placed(error, needed))
    }

    /// Calls `each` with the values of a label in order: all, or those that a series of `within`
    /// has.
    pub(crate) fn label_values(
        &self,
        name: &str,
        within: Option<&RoaringBitmap>,
        each: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<()> {
        let needed = within.map_or(Section::Symbols, |_| Section::Postings);
        let index = self.index_with(needed)?;
        index
            .label_values(name, within, each)
            .map_err(|error| self.placed(error, needed))
    }

    /// The index, with symbols and, if that is the section named, postings and rows.
    pub(super) fn index_with(&self, needed: Section) -> Result<SealedIndex<'_>> {
        let section = self.section(Section::Symbols)?;
        let directory = self.symbols.get_or_init(|| SymbolDirectory::read(section));
        let directory = directory
            .as_ref()
            .map_err(|error| self.placed(error.clone(), Section::Symbols))?;
        let wanted = needed == Section::Postings;
        Ok(SealedIndex {
            symbols: Symbols::new(section, directory),
            postings: if wanted {
                self.section(Section::Postings)?
            } else {
                &[]
            },
            // Rows only make some answers cheaper: where they are damaged, postings answer alone.
            rows: if wanted { self.rows().ok() } else { None },
            series_count: self.footer.series,
        })
    }

    pub(super) fn rows(&self) -> Result<Rows<'_>> {
        let rows = Rows::read(self.section(Section::Rows)?);
        let rows = rows.map_err(|error| self.placed(error, Section::Rows))?;
        if rows.count() != self.footer.series {
            let error = Error::corrupt("the label rows are not as many as the series");
            return Err(self.placed(error, Section::Rows));
        }
        Ok(rows)
    }

    pub(super) fn ids(&self) -> Result<Ids<'_>> {
        Ids::read(self.section(Section::Ids)?, self.footer.series)
            .map_err(|error| self.placed(error, Section::Ids))
    }

    fn chunk_list(&self) -> Result<Chunks<'_>> {
        let section = self.section(Section::Chunks)?;
        let footer = &self.footer;
        let partition = self.header.partition;
        let sharing = match footer.sections[Section::Shared.index()].length {
            0 => Sharing::Absent,
            _ => Sharing::Possible,
        };
        let (series, pages) = (footer.series, footer.pages);
        Chunks::read(section, partition, self.strips, series, pages, sharing)
            .map_err(|error| self.placed(error, Section::Chunks))
    }

    /// Whether the page table can be read and has this page.
    pub(crate) fn has_page(&self, page: u32) -> bool {
        (0..self.strip_count()).all(|strip| self.stored_strip(page, strip).is_ok())
    }

    /// Where a strip of a page is stored.
    pub(super) fn stored_strip(&self, page: u32, strip: usize) -> Result<StoredStrip> {
        let section = self.section(Section::Pages)?;
        let within = self.footer.pages_range(HEADER_BYTES as u64);
        PageTable::read(section, self.strips, self.footer.pages, within)
            .and_then(|table| table.strip(page, strip))
            .map_err(|error| self.placed(error, Section::Pages))
    }

    fn filter<'s>(&self, section: &'s [u8], page: u32) -> Result<Filter<'s>> {
        self.filter_bytes(section, page).and_then(Filter::read)
    }

    /// The bytes of a page's filter; the section is not empty.
    pub(super) fn filter_bytes<'s>(&self, section: &'s [u8], page: u32) -> Result<&'s [u8]> {
        let table = (self.footer.pages as usize).saturating_mul(4);
        let (ends, filters) = section
            .split_at_checked(table)
            .filter(|_| page < self.footer.pages)
            .ok_or_else(|| Error::corrupt(format!("there is no token filter for page {page}")))?;
        let (ends, _) = ends.as_chunks::<4>();
        let end_of = |page: usize| u32::from_le_bytes(ends[page]) as usize;
        let page = page as usize;
        let start = page.checked_sub(1).map_or(0, end_of);
        filters
            .get(start..end_of(page))
            .ok_or_else(|| Error::corrupt("a token filter lies outside of its section"))
    }

    /// The bytes of a section, once its checksum is known to be right.
    pub(super) fn section(&self, section: Section) -> Result<&[u8]> {
        let place = self.footer.sections[section.index()];
        let base = self.footer.sections[0].offset;
        let bytes = usize::try_from(place.offset - base)
            .ok()
            .zip(usize::try_from(place.length).ok())
            .and_then(|(start, length)| self.index.get(start..start.checked_add(length)?));
        let Some(bytes) = bytes else {
            let error = Error::corrupt(format!("section {} is not mapped", section.name()));
            return Err(self.placed(error, section));
        };
        let verdict = self.verdicts[section.index()].get_or_init(|| {
            match crc32fast::hash(bytes) == place.crc {
                true => Ok(()),
                false => {
                    let message = format!("section {}: crc mismatch", section.name());
                    Err(self.placed(Error::corrupt(message), section))
                }
            }
        });
        match verdict {
            Ok(()) => Ok(bytes),
            Err(error) => Err(error.clone()),
        }
    }

    #[cfg(test)]
    pub(super) fn section_place(&self, section: Section) -> usize {
        self.footer.sections[section.index()].offset as usize
    }

    /// Names the file and the section's place in an error about it.
    pub(super) fn placed(&self, error: Error, section: Section) -> Error {
        error
            .at_path(&self.path)
            .at_offset(self.footer.sections[section.index()].offset)
    }
}

fn read_footer(file: &dyn ReadFile, path: &Path, version: u16, length: u64) -> Result<Footer> {
    let trailer_offset = length - TRAILER_BYTES as u64;
    let mut trailer = [0; TRAILER_BYTES];
    read(file, path, &mut trailer, trailer_offset)?;
    let trailer = Trailer::decode(&trailer, version, length)
        .map_err(|error| error.at_path(path).at_offset(trailer_offset))?;
    let offset = trailer.footer_offset;
    let damaged = |error: Error| error.at_path(path).at_offset(offset);
    // The trailer's length was checked to be that of a footer, so this allocates little.
    let mut footer = vec![0; usize::try_from(trailer_offset - offset).unwrap_or(0)];
    read(file, path, &mut footer, offset)?;
    if crc32fast::hash(&footer) != trailer.footer_crc {
        return Err(damaged(Error::corrupt("block footer: crc mismatch")));
    }
    Footer::decode(&footer, version, HEADER_BYTES as u64, offset).map_err(damaged)
}

/// Reads by position; a file that ends before is damage, not a failure of the disk.
pub(super) fn read(file: &dyn ReadFile, path: &Path, bytes: &mut [u8], offset: u64) -> Result<()> {
    file.read_exact_at(bytes, offset)
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                let message = format!("{} bytes are not there: the file is cut", bytes.len());
                Error::corrupt(message).at_path(path).at_offset(offset)
            }
            _ => Error::io(error, "reading a block", path).at_offset(offset),
        })
}

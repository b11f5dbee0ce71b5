//! Lines as sealed chunks of four strips: times, metadata, lengths, text. A count needs the first
//! only.
//!
//! Metadata and text are lists of texts (`codec::text`). After a compaction a page packs them as
//! shapes and columns, which tell lengths: [`LISTS`]. After a freeze it packs them as frames, which
//! tell nothing, so lengths stand in a column as well: [`MEASURED`]. Chunks of the encoding
//! [`PLAIN`] are read.

use std::ops::{Deref, Range};

use crate::codec::bytes::Cursor;
use crate::codec::chunk::SealedChunk;
use crate::codec::{ints, text, times};
use crate::error::{Error, Result};
use crate::kind::lines::repeats::Repeats;
use crate::kind::lines::run::{LineRun, Texts};
use crate::kind::{ChunkSink, Effort, Scratch, SearchSource, StripSource, Wanted};
use crate::labels::set::Labels;
use crate::time::{TickRange, Ticks};

/// Metadata and text behind each other, with a column of lengths. Not written any more.
const PLAIN: u8 = 0;
/// Metadata and text as lists; no column of lengths.
const LISTS: u8 = 1;
/// The same, and a column of lengths beside them.
const MEASURED: u8 = 2;

const TIMES: usize = 0;
const METADATA: usize = 1;
const LENGTHS: usize = 2;
const TEXT: usize = 3;

/// Lines of one chunk at most.
const CHUNK_LINES_MAX: usize = 65_536;

/// About how many bytes of text a chunk has; a single line may have more.
fn chunk_bytes(effort: Effort) -> usize {
    match effort {
        // With its lengths it fills a page of its own.
        Effort::Quick => 240 << 10,
        Effort::Best => 960 << 10,
    }
}

pub(crate) fn seal(
    run: &LineRun,
    effort: Effort,
    scratch: &mut Scratch,
    sink: &mut ChunkSink<'_>,
) -> Result<()> {
    let mut start = 0;
    let bytes_max = match effort {
        Effort::Quick => chunk_bytes(effort),
        Effort::Best => even_bytes(run, chunk_bytes(effort)),
    };
    while start < run.len() {
        let end = chunk_end(run, start, bytes_max);
        scratch.strips.iter_mut().for_each(Vec::clear);
        times::encode(&run.times[start..end], &mut scratch.strips[TIMES]);
        let encoding = match effort {
            Effort::Quick => MEASURED,
            Effort::Best => LISTS,
        };
        fill(run, start..end, scratch);
        if encoding == MEASURED {
            let lengths = (start..end).map(|index| run.line(index).len() as i64);
            ints::encode(&lengths.collect::<Vec<_>>(), &mut scratch.strips[LENGTHS]);
        }
        let [times, metadata, lengths, text] = &scratch.strips;
        sink(SealedChunk {
            range: TickRange {
                start: Ticks(run.times[start]),
                end: Ticks(run.times[end - 1]),
            },
            count: (end - start) as u32,
            encoding,
            strips: &[times, metadata, lengths, text],
            tokens: &[],
            summary: &[],
            shared: &[],
        })?;
        start = end;
    }
    Ok(())
}

/// The bytes of a chunk that cut a run into about equal ones, a half more or less than `usual`:
/// none is left over that is too small to be carried by later merges.
fn even_bytes(run: &LineRun, usual: usize) -> usize {
    let bytes = run.texts.bytes.len();
    let chunks = (bytes + usual / 2) / usual;
    if chunks == 0 {
        return usual;
    }
    // A cut falls behind the last line that fits, so a line's length is left for it.
    let longest = (0..run.len()).map(|index| run.line(index).len()).max();
    bytes / chunks + longest.unwrap_or(0).min(usual / 2)
}

/// Where the chunk that begins at `start` ends: at least one line, whatever its size.
fn chunk_end(run: &LineRun, start: usize, bytes_max: usize) -> usize {
    let ends = &run.texts.ends;
    let from = if start == 0 {
        0
    } else {
        ends[start - 1] as usize
    };
    let fitting = ends[start..].partition_point(|end| *end as usize - from <= bytes_max);
    start + fitting.clamp(1, CHUNK_LINES_MAX)
}

/// The metadata column, if a line of the range has any.
fn metadata_of(run: &LineRun, mut lines: Range<usize>) -> Option<&Repeats> {
    let metadata = run.metadata.as_ref()?;
    let has_some = lines.any(|index| !metadata.at(index).is_empty());
    has_some.then_some(metadata)
}

fn fill(run: &LineRun, lines: Range<usize>, scratch: &mut Scratch) {
    if let Some(metadata) = metadata_of(run, lines.clone()) {
        let texts = lines.clone().map(|index| metadata.at(index));
        text::put_chunk(texts, &mut scratch.strips[METADATA]);
    }
    let texts = lines.map(|index| run.line(index));
    text::put_chunk(texts, &mut scratch.strips[TEXT]);
}

pub(crate) fn open_chunk<B: Deref<Target = [u8]>>(
    encoding: u8,
    count: u32,
    wanted: Wanted,
    strip: &StripSource<'_, B>,
) -> Result<LineRun> {
    if !matches!(encoding, PLAIN | LISTS | MEASURED) {
        return Err(Error::corrupt(format!(
            "chunk encoding {encoding} is unknown"
        )));
    }
    let count = count as usize;
    // A column of a few bytes may stand for any number of lines, so the count sizes allocations.
    if count > CHUNK_LINES_MAX {
        return Err(Error::corrupt(format!(
            "chunk claims {count} lines, at most {CHUNK_LINES_MAX} are valid"
        )));
    }
    let mut run = LineRun {
        times: decode_numbers(&strip(TIMES)?, count, times::decode)?,
        texts: Texts {
            bytes: Vec::new(),
            ends: vec![0; count],
        },
        metadata: None,
    };
    if wanted.has_metadata() {
        let metadata = strip(METADATA)?;
        run.metadata = match encoding {
            PLAIN => decode_metadata(&metadata, count)?,
            _ => decode_metadata_list(&metadata, count)?,
        };
    }
    if wanted.has_text() || wanted.is_of_lengths() {
        run.texts = match encoding {
            PLAIN => decode_texts(decode_ends(&strip(LENGTHS)?, count)?, &strip(TEXT)?)?,
            MEASURED if !wanted.has_text() => Texts {
                bytes: Vec::new(),
                ends: decode_ends(&strip(LENGTHS)?, count)?,
            },
            _ => decode_list(&strip(TEXT)?, count, wanted)?,
        };
    }
    Ok(run)
}

/// Lines of a chunk that a search finds, with their times and metadata.
pub(crate) fn search_chunk<B: Deref<Target = [u8]>>(
    encoding: u8,
    count: u32,
    wanted: Wanted,
    strip: &StripSource<'_, B>,
    search: &SearchSource<'_>,
) -> Result<Option<LineRun>> {
    if encoding == MEASURED && wanted.is_of_lengths() {
        return open_chunk(encoding, count, wanted, strip).map(Some);
    }
    if encoding == PLAIN {
        return Ok(None);
    }
    let Some(found) = search(TEXT)? else {
        return Ok(None);
    };
    if found.count != count as usize {
        return Err(Error::corrupt(
            "a chunk has another number of texts than its index says",
        ));
    }
    if found.places.is_empty() {
        return Ok(Some(LineRun::default()));
    }
    let rest = match wanted.has_metadata() {
        true => Wanted::Metadata,
        false => Wanted::Times,
    };
    let all = open_chunk(encoding, count, rest, strip)?;
    if found.places.len() == all.len() {
        return Ok(Some(LineRun {
            texts: Texts {
                bytes: found.bytes,
                ends: found.ends,
            },
            ..all
        }));
    }
    let places = || found.places.iter().map(|place| *place as usize);
    let metadata = all.metadata.as_ref().map(|metadata| {
        let mut picked = Repeats::default();
        places().for_each(|place| picked.push(metadata.at(place)));
        picked
    });
    Ok(Some(LineRun {
        times: places().map(|place| all.times[place]).collect(),
        texts: Texts {
            bytes: found.bytes,
            ends: found.ends,
        },
        metadata,
    }))
}

fn decode_list(bytes: &[u8], count: usize, wanted: Wanted) -> Result<Texts> {
    let (ends, texts) = text::read_chunk(bytes, count)?;
    let bytes = match wanted.has_text() {
        true => texts.to_vec(),
        false => Vec::new(),
    };
    Ok(Texts { bytes, ends })
}

fn decode_metadata_list(bytes: &[u8], count: usize) -> Result<Option<Repeats>> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let (ends, texts) = text::read_chunk(bytes, count)?;
    let mut start = 0;
    let list = ends.iter().map(|end| {
        let text = &texts[start..*end as usize];
        start = *end as usize;
        text
    });
    let check = |text: &[u8]| Labels::from_bytes(text).map(drop);
    Ok(Some(Repeats::read(list, check)?))
}

/// Where lines end, from a column of their lengths.
fn decode_ends(column: &[u8], count: usize) -> Result<Vec<u32>> {
    let lengths = decode_numbers(column, count, ints::decode)?;
    let (mut ends, mut end) = (Vec::with_capacity(count), 0u32);
    for length in lengths {
        end = u32::try_from(length)
            .ok()
            .and_then(|length| end.checked_add(length))
            .ok_or_else(|| Error::corrupt("lengths of lines are negative, or beyond 4 GiB"))?;
        ends.push(end);
    }
    Ok(ends)
}

/// Texts behind each other that end at these places.
fn decode_texts(ends: Vec<u32>, text: &[u8]) -> Result<Texts> {
    match ends.last().map_or(0, |end| *end as usize) == text.len() {
        true => Ok(Texts {
            bytes: text.to_vec(),
            ends,
        }),
        false => Err(Error::corrupt(
            "lines of a chunk are not as long as its text",
        )),
    }
}

fn decode_numbers(
    bytes: &[u8],
    count: usize,
    decode: impl Fn(&mut Cursor<'_>, usize, &mut Vec<i64>) -> Result<()>,
) -> Result<Vec<i64>> {
    let (mut cursor, mut numbers) = (Cursor::new(bytes), Vec::new());
    decode(&mut cursor, count, &mut numbers)?;
    match cursor.is_empty() {
        true => Ok(numbers),
        false => Err(Error::corrupt("bytes behind a column")),
    }
}

fn decode_metadata(bytes: &[u8], count: usize) -> Result<Option<Repeats>> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let (mut cursor, mut column) = (Cursor::new(bytes), Repeats::default());
    for _ in 0..count {
        let entry = cursor.prefixed()?;
        Labels::from_bytes(entry)?;
        column.push(entry);
    }
    match cursor.is_empty() {
        true => Ok(Some(column)),
        false => Err(Error::corrupt("bytes behind the metadata of a chunk")),
    }
}

#[cfg(test)]
mod tests;

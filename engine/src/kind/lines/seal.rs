//! Lines as sealed chunks of four strips: times, metadata, lengths, text. A count needs the first
//! only.

use std::ops::Deref;

use crate::codec::bytes::{Cursor, put_prefixed};
use crate::codec::tokens::for_each_token_hash;
use crate::codec::{ints, times};
use crate::error::{Error, Result};
use crate::kind::lines::run::{LineRun, Texts};
use crate::kind::{ChunkSink, Scratch, SealedChunk, StripSource};
use crate::time::{TickRange, Ticks};

/// The chunk encoding of this kind.
const PLAIN: u8 = 0;

const TIMES: usize = 0;
const METADATA: usize = 1;
const LENGTHS: usize = 2;
const TEXT: usize = 3;

/// Lines and bytes of one chunk at most.
const CHUNK_LINES_MAX: usize = 65_536;
const CHUNK_BYTES_MAX: usize = 256 << 10;

pub(crate) fn seal(run: &LineRun, scratch: &mut Scratch, sink: &mut ChunkSink<'_>) -> Result<()> {
    let mut start = 0;
    while start < run.len() {
        let end = chunk_end(run, start);
        fill(run, start, end, scratch);
        let [times, metadata, lengths, text] = &scratch.strips;
        sink(SealedChunk {
            range: TickRange {
                start: Ticks(run.times[start]),
                end: Ticks(run.times[end - 1]),
            },
            count: (end - start) as u32,
            encoding: PLAIN,
            strips: &[times, metadata, lengths, text],
            tokens: &scratch.tokens,
            summary: &[],
        })?;
        start = end;
    }
    Ok(())
}

/// Where the chunk that begins at `start` ends: at least one line, whatever its size.
fn chunk_end(run: &LineRun, start: usize) -> usize {
    let ends = &run.texts.ends;
    let from = if start == 0 {
        0
    } else {
        ends[start - 1] as usize
    };
    let fitting = ends[start..].partition_point(|end| *end as usize - from <= CHUNK_BYTES_MAX);
    start + fitting.clamp(1, CHUNK_LINES_MAX)
}

fn fill(run: &LineRun, start: usize, end: usize, scratch: &mut Scratch) {
    scratch.strips.iter_mut().for_each(Vec::clear);
    scratch.tokens.clear();
    times::encode(&run.times[start..end], &mut scratch.strips[TIMES]);
    if let Some(metadata) = &run.metadata
        && (start..end).any(|index| !metadata.at(index).is_empty())
    {
        for index in start..end {
            put_prefixed(&mut scratch.strips[METADATA], metadata.at(index));
        }
    }
    scratch.numbers.clear();
    for index in start..end {
        let line = run.line(index);
        scratch.numbers.push(line.len() as i64);
        scratch.strips[TEXT].extend_from_slice(line);
        for_each_token_hash(line, |hash| scratch.tokens.push(hash));
    }
    ints::encode(&scratch.numbers, &mut scratch.strips[LENGTHS]);
}

pub(crate) fn open_chunk<B: Deref<Target = [u8]>>(
    encoding: u8,
    count: u32,
    strip: &StripSource<'_, B>,
) -> Result<LineRun> {
    if encoding != PLAIN {
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
    let times = decode_numbers(&strip(TIMES)?, count, times::decode)?;
    let lengths = decode_numbers(&strip(LENGTHS)?, count, ints::decode)?;
    let text = strip(TEXT)?;
    let mut texts = Texts {
        bytes: Vec::new(),
        ends: Vec::with_capacity(count),
    };
    let mut end = 0usize;
    for length in lengths {
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= text.len() - end);
        let Some(length) = length else {
            return Err(Error::corrupt("a line's length goes beyond its chunk"));
        };
        end += length;
        texts
            .ends
            .push(u32::try_from(end).map_err(|_| Error::corrupt("chunk beyond 4 GiB"))?);
    }
    if end != text.len() {
        return Err(Error::corrupt("text behind the last line of a chunk"));
    }
    texts.bytes.extend_from_slice(&text);
    let metadata = decode_metadata(&strip(METADATA)?, count)?;
    Ok(LineRun {
        times,
        texts,
        metadata,
    })
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

fn decode_metadata(bytes: &[u8], count: usize) -> Result<Option<Texts>> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let (mut cursor, mut column) = (Cursor::new(bytes), Texts::default());
    for _ in 0..count {
        let entry = cursor.prefixed()?;
        crate::labels::set::Labels::from_bytes(entry)?;
        column.push(entry);
    }
    match cursor.is_empty() {
        true => Ok(Some(column)),
        false => Err(Error::corrupt("bytes behind the metadata of a chunk")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::lines::Line;
    use crate::time::Nanos;

    #[test]
    fn the_example_of_the_format_page_is_what_is_written() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/format/lines.md");
        let page = std::fs::read_to_string(page).unwrap();
        let (_, example_on) = page.split_once("```hex\n").unwrap();
        let (shown, _) = example_on.split_once("```").unwrap();
        let shown: Vec<u8> = shown
            .lines()
            .flat_map(|line| line.split('|').next().unwrap().split_whitespace())
            .map(|byte| u8::from_str_radix(byte, 16).unwrap())
            .collect();
        let mut run = LineRun::default();
        run.push(&Line::new(Nanos(1_000), "ok"));
        run.push(&Line::new(Nanos(3_000), "GET /b"));
        let mut written = Vec::new();
        seal(&run, &mut Scratch::default(), &mut |chunk| {
            assert!(chunk.strips[METADATA].is_empty());
            written.extend(chunk.strips.concat());
            Ok(())
        })
        .unwrap();
        assert_eq!(shown, written, "the page shows other bytes: {written:02x?}");
    }
}

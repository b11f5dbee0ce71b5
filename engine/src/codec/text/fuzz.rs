//! The body of the fuzz target of encoded strips, and its seeds.

use crate::codec::Sought;
use crate::codec::bytes::Cursor;

use super::span::Strip;
use super::{
    Abridge, Abridged, Filling, Scratch, TextPacker, Unsqueeze, abridge, decode, measure,
    put_chunk, search,
};

/// A strip is claimed to have at most so many bytes: a few bytes may rightly stand for as many as a
/// page has, which would make every run slow.
const STRIP_BYTES_MAX: u32 = 1 << 18;

/// Fuzz body: the length of a strip in four bytes, then its encoded bytes. What decodes is searched
/// for parts of it, which must be found where they are, and packed, and must come back.
pub(crate) fn fuzz_text(data: &[u8]) {
    let mut cursor = Cursor::new(data);
    let Some(length) = cursor
        .u32()
        .ok()
        .filter(|length| *length <= STRIP_BYTES_MAX)
    else {
        return;
    };
    let mut frames = zstd::bulk::Decompressor::new().expect("memory for a decompressor");
    let mut frame = |packed: &[u8], raw: &mut [u8]| frames.decompress_to_buffer(packed, raw);
    let mut strip = vec![0; length as usize];
    if decode(
        cursor.rest(),
        &mut strip,
        &mut frame,
        &mut Scratch::default(),
    )
    .is_err()
    {
        return;
    }
    check_search(cursor.rest(), &strip, &mut frame);
    check_abridged(cursor.rest(), &strip, &mut frame);
    check_measured(cursor.rest(), &strip, &mut frame);
    let mut packer = TextPacker::new().expect("memory for compressors");
    let packed = packer.pack(&strip, Sought::ByContent);
    // The packer compares what comes back by itself, and falls back to a frame where it differs.
    assert!(packed.is_ok(), "a strip that was decoded is not a strip");
}

/// Puts all pieces of all shapes together again.
struct Everything;

impl Abridge for Everything {
    fn shape(&self, pieces: &[&[u8]]) -> Option<Abridged> {
        let (last, before) = pieces.split_last()?;
        let parts = before.iter().enumerate();
        Some(Abridged {
            parts: parts.map(|(hole, piece)| (piece.to_vec(), hole)).collect(),
            last: last.to_vec(),
            fillings: vec![Filling::Quoted; before.len()],
        })
    }
}

fn check_abridged(encoded: &[u8], strip: &[u8], frame: &mut Unsqueeze<'_>) {
    let scratch = &mut Scratch::default();
    let found = abridge(encoded, strip.len(), &Everything, frame, scratch);
    let Some(found) = found.expect("what decodes can be abridged") else {
        return;
    };
    let texts = Strip::read(strip).expect("a strip that was decoded").texts;
    let mut start = 0;
    for (text, end) in texts.iter().zip(&found.ends) {
        let whole = &found.bytes[start..*end as usize];
        assert!(whole == text.of(strip), "a text has changed");
        start = *end as usize;
    }
    assert_eq!(found.ends.len(), texts.len(), "a text is missing");
}

fn check_measured(encoded: &[u8], strip: &[u8], frame: &mut Unsqueeze<'_>) {
    let scratch = &mut Scratch::default();
    let found = measure(encoded, strip.len(), frame, scratch);
    let Some(found) = found.expect("what decodes can be measured") else {
        return;
    };
    let texts = Strip::read(strip).expect("a strip that was decoded").texts;
    let mut end = 0;
    let ends = texts.iter().map(|text| {
        end += text.length;
        end
    });
    assert!(ends.eq(found.ends), "a text has another length");
}

fn check_search(encoded: &[u8], strip: &[u8], frame: &mut Unsqueeze<'_>) {
    let texts = Strip::read(strip).expect("a strip that was decoded").texts;
    let Some(text) = texts.get(texts.len() / 2).map(|text| text.of(strip)) else {
        return;
    };
    for length in [1, 3, 9] {
        let start = text.len().saturating_sub(length) / 2;
        let needle = &text[start..(start + length).min(text.len())];
        let scratch = &mut Scratch::default();
        let found = search(encoded, strip.len(), &[needle], frame, scratch);
        let Some(found) = found.expect("what decodes can be searched") else {
            continue;
        };
        let finder = memchr::memmem::Finder::new(needle);
        let has = |place: &usize| finder.find(texts[*place].of(strip)).is_some();
        let wanted = (0..texts.len()).filter(has).map(|place| place as u32);
        assert!(wanted.eq(found.places), "other texts are found");
    }
}

/// Strips of several makes behind their length.
pub(crate) fn seeds_text() -> Vec<Vec<u8>> {
    let line = |number: u64| {
        let id = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        format!(
            "2026-11-07T10:00:{:02}.{:03}Z level={} id={id:016x} took={}.{:02}ms \
             uuid={:08x}-{:04x}-4000-8000-{:012x} from 10.0.{}.{} \"GET /items/{}?page={}\" {}",
            number % 60,
            id % 1000,
            ["info", "warn"][(id >> 9) as usize % 2],
            id >> 60,
            id >> 40 & 63,
            id as u32,
            id as u16,
            id >> 16,
            id >> 8 & 255,
            id & 255,
            id >> 44,
            id >> 62,
            ["done", "failed", "retry 3 of 5"][number as usize % 3],
        )
    };
    let mut packer = TextPacker::new().expect("memory for compressors");
    let mut seeds = Vec::new();
    for count in [24, 60] {
        let lines: Vec<String> = (0..count).map(line).collect();
        let mut strip = Vec::new();
        put_chunk(lines.iter().map(String::as_bytes), &mut strip);
        put_chunk(lines[..5].iter().map(String::as_bytes), &mut strip);
        let packed = packer
            .pack(&strip, Sought::Never)
            .expect("a strip that was just made");
        let mut seed = (strip.len() as u32).to_le_bytes().to_vec();
        seed.extend(packed.bytes.unwrap_or_default());
        seeds.push(seed);
    }
    seeds
}

//! Texts come back byte for byte, whatever they are, and damage never passes for them unnoticed.

use proptest::prelude::*;

use super::sections::Squeeze;
use super::span::{Span, Strip};
use super::typed::{Make, make_of};
use super::*;

fn strip_of(chunks: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let mut strip = Vec::new();
    for chunk in chunks {
        put_chunk(chunk.iter().map(Vec::as_slice), &mut strip);
    }
    strip
}

fn encoded(strip: &[u8]) -> Option<Vec<u8>> {
    let texts = Strip::read(strip).unwrap();
    encode::encode(strip, &texts, &mut Squeeze::new().unwrap(), None).unwrap()
}

fn decoded(bytes: &[u8], length: usize) -> Result<Vec<u8>> {
    let mut frames = zstd::bulk::Decompressor::new().unwrap();
    let mut strip = vec![0; length];
    let mut frame = |packed: &[u8], raw: &mut [u8]| frames.decompress_to_buffer(packed, raw);
    decode(bytes, &mut strip, &mut frame, &mut Scratch::default())?;
    Ok(strip)
}

fn assert_comes_back(chunks: &[Vec<Vec<u8>>]) {
    let strip = strip_of(chunks);
    if let Some(bytes) = encoded(&strip) {
        assert!(decoded(&bytes, strip.len()).unwrap() == strip, "{chunks:?}");
        assert_is_measured(&bytes, &strip, chunks.len());
    }
    let mut packer = TextPacker::new().unwrap();
    let packed = packer.pack(&strip, Sought::ByContent).unwrap();
    if let Some(bytes) = packed.bytes.filter(|bytes| bytes.first() == Some(&TAG)) {
        assert!(decoded(&bytes, strip.len()).unwrap() == strip);
    }
}

/// Lengths that are told without the texts are those of the texts.
fn assert_is_measured(bytes: &[u8], strip: &[u8], chunks: usize) {
    let mut frames = zstd::bulk::Decompressor::new().unwrap();
    let mut frame = |packed: &[u8], raw: &mut [u8]| frames.decompress_to_buffer(packed, raw);
    let measured = measure(bytes, strip.len(), &mut frame, &mut Scratch::default()).unwrap();
    assert_eq!(measured.is_some(), chunks == 1);
    let Some(measured) = measured else { return };
    let mut end = 0;
    let ends = Strip::read(strip).unwrap().texts.into_iter().map(|text| {
        end += text.length;
        end
    });
    assert!(ends.eq(measured.ends));
    assert!(measured.bytes.is_empty());
}

/// A field of every make, the makes mixed where the number says so.
fn field(make: u8, number: u64) -> String {
    match make % 14 {
        0 => (number % 1_000).to_string(),
        1 => (number % 1_000_000_000_000_000_000).to_string(),
        2 => format!("{}.{:03}", number % 1_000, number % 997),
        3 => format!("{:016x}", number),
        4 => format!("{:07X}", number % 0xfff_ffff),
        5 => format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            number as u32,
            number as u16,
            number >> 16 & 0xffff,
            number >> 32 & 0xffff,
            number >> 16
        ),
        6 => format!(
            "{}.{}.{}.{}",
            number & 255,
            number >> 8 & 255,
            number >> 16 & 255,
            7
        ),
        7 => format!(
            "2026-11-07T10:{:02}:{:02}.{:06}Z",
            number % 60,
            number / 60 % 60,
            number % 999_983
        ),
        8 => format!("{}ms", number % 5_000),
        9 => ["GET", "POST", "DELETE", "1", ""][number as usize % 5].to_owned(),
        10 => format!(
            "/api/v{}/items/{}?q={}",
            number % 3,
            number % 99_991,
            number % 7
        ),
        11 => format!("{:05}", number % 100_000),
        12 => "0".repeat(number as usize % 30),
        _ => format!("{}.{}", number % 300, number % 17).repeat(number as usize % 3),
    }
}

fn lines() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let shape = prop_oneof![
        Just("{} done in {}"),
        Just("level=info msg=\"{} and {}\" ok={}"),
        Just("{\"a\":\"{}\",\"b\":{},\"c\":[{},{}]}"),
        Just("[{}] ({}) <{}>:{}. {}"),
        Just("{}{}{}"),
        Just("no hole at all"),
        Just(""),
        Just("schl\u{fc}ssel \u{1f512} {} \\\" \"{}"),
        Just("\u{0}\n\t\r\u{7f}{}"),
    ];
    let shapes = prop::collection::vec((shape, prop::collection::vec(any::<u8>(), 5)), 1..6);
    (
        shapes,
        prop::collection::vec((any::<usize>(), any::<u64>()), 0..120),
    )
        .prop_map(|(shapes, picks)| {
            let line = |(pick, number): (usize, u64)| {
                let (shape, makes) = &shapes[pick % shapes.len()];
                let mut text = shape.to_string();
                for make in makes {
                    // Now and then a field of another make.
                    let make = make.wrapping_add(u8::from(number % 31 == 0));
                    text =
                        text.replacen("{}", &field(make, number.rotate_left(u32::from(make))), 1);
                }
                text.into_bytes()
            };
            picks.into_iter().map(line).collect()
        })
}

proptest! {
    #[test]
    fn lines_of_any_fields_come_back(chunks in prop::collection::vec(lines(), 1..4)) {
        assert_comes_back(&chunks);
    }

    #[test]
    fn any_bytes_come_back(
        chunks in prop::collection::vec(
            prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..60), 0..4),
    ) {
        assert_comes_back(&chunks);
    }

    #[test]
    fn text_of_any_characters_comes_back(
        texts in prop::collection::vec("(\\PC|[0-9=\":. ]){0,60}", 0..80),
    ) {
        assert_comes_back(&[texts.into_iter().map(String::into_bytes).collect()]);
    }

    #[test]
    fn decoding_arbitrary_bytes_never_panics(
        mut bytes in prop::collection::vec(any::<u8>(), 0..300), length in 0usize..4000,
    ) {
        bytes.insert(0, TAG);
        let _ = decoded(&bytes, length);
    }
}

fn sample() -> Vec<Vec<u8>> {
    let line = |number: u64| {
        let id = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let fields: Vec<String> = (0..12).map(|make| field(make, id.rotate_left(7))).collect();
        format!("at={} {}", field(7, number), fields.join(" x ")).into_bytes()
    };
    (0..64).map(line).collect()
}

#[test]
fn long_lines_repeated_lines_and_empty_ones_come_back() {
    let long = vec![b'7'; 300_000];
    let wordy = "word=1 ".repeat(20_000).into_bytes();
    assert_comes_back(&[vec![long.clone(), wordy.clone(), long, wordy, Vec::new()]]);
    assert_comes_back(&[
        vec![b"the same 1".to_vec(); 500],
        vec![],
        vec![Vec::new(); 500],
    ]);
    let every_byte: Vec<u8> = (0..=255).collect();
    assert_comes_back(&[vec![every_byte; 40]]);
}

#[test]
fn a_strip_cut_at_any_byte_is_an_error() {
    let strip = strip_of(&[sample()]);
    let bytes = encoded(&strip).unwrap();
    assert!(bytes.len() * 3 < strip.len());
    for end in 0..bytes.len() {
        assert!(decoded(&bytes[..end], strip.len()).is_err(), "cut at {end}");
    }
    for length in [0, 1, strip.len() - 1, strip.len() + 1] {
        assert!(decoded(&bytes, length).is_err(), "as {length} bytes");
    }
}

#[test]
fn a_strip_with_any_bit_flipped_never_panics() {
    let strip = strip_of(&[sample()[..30].to_vec()]);
    let mut bytes = encoded(&strip).unwrap();
    for place in 0..bytes.len() {
        for bit in 0..8 {
            bytes[place] ^= 1 << bit;
            let _ = decoded(&bytes, strip.len());
            bytes[place] ^= 1 << bit;
        }
    }
}

/// The make of a column with these texts.
fn make(texts: &[&str]) -> Option<Make> {
    let (mut bytes, mut spans) = (Vec::new(), Vec::new());
    for text in texts {
        spans.push(Span::between(bytes.len(), bytes.len() + text.len()));
        bytes.extend_from_slice(text.as_bytes());
    }
    make_of(&bytes, &spans)
}

#[test]
fn columns_get_the_type_of_their_texts() {
    assert!(matches!(make(&["7", "0", "120"]), Some(Make::Integers(_))));
    assert!(matches!(
        make(&["0.50", "12.25"]),
        Some(Make::Decimals { places: 2, .. })
    ));
    let Some(Make::Masked { varying, .. }) = make(&["10:06:40", "10:07:41"]) else {
        panic!("a clock is digits at fixed places");
    };
    assert_eq!(varying, [4, 7]);
    assert!(matches!(
        make(&["00ff", "12ab"]),
        Some(Make::Hex { digits: 4, .. })
    ));
    assert!(matches!(
        make(&["10.0.0.1", "9.255.0.77"]),
        Some(Make::Addresses(_))
    ));
    let uuids = [
        "401478bc-5887-4cff-aa45-0a33ef6ff86c",
        "02fc1efe-0fcc-472d-ad06-d2051c9d6d82",
    ];
    assert!(matches!(make(&uuids), Some(Make::Uuids { .. })));
    for unlike in [
        &["7", "x"][..],
        &["07", "7"],
        &["1.5", "1.55"],
        &["256.0.0.1", "1.1.1.1"],
        &["aB12", "12ab"],
        &["1.2.3", "1.2.3.4"],
        &["-1", "22"],
    ] {
        assert!(make(unlike).is_none(), "{unlike:?}");
    }
}

#[test]
fn what_lines_share_is_stored_once() {
    let line =
        |number: u32| format!("level=info msg=\"request completed\" took={number}ms").into_bytes();
    let lines: Vec<Vec<u8>> = (0..4_000u32)
        .map(|n| line((crate::codec::tokens::token_hash(&n.to_le_bytes()) >> 54) as u32))
        .collect();
    let strip = strip_of(&[lines]);
    // Ten random bits a line.
    let bytes = encoded(&strip).unwrap().len();
    assert!((5_000..5_400).contains(&bytes), "{bytes} bytes");
}

#[test]
fn a_page_of_lines_without_anything_in_common_is_one_frame() {
    let line = |number: u64| {
        let word = |n: u64| ["ka", "lo", "mi", "re", "tu", "zo", "ne", "si"][(n % 8) as usize];
        let mut state = number;
        let mut text = String::new();
        for _ in 0..30 {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            text.push_str(word(state >> 60));
            text.push([' ', '-', ',', '/'][(state >> 50) as usize % 4]);
        }
        text.into_bytes()
    };
    let strip = strip_of(&[(0..400).map(line).collect()]);
    assert_eq!(encoded(&strip), None);
    let packed = TextPacker::new()
        .unwrap()
        .pack(&strip, Sought::ByContent)
        .unwrap();
    assert_ne!(packed.bytes.unwrap()[0], TAG);
    assert!(!packed.keys.unwrap().words().unwrap().is_empty());
}

#[test]
fn the_example_of_the_format_page_is_what_is_written() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/format/lines.md");
    let page = std::fs::read_to_string(page).unwrap();
    let (_, section) = page.split_once("### Packed texts").unwrap();
    let (_, example_on) = section.split_once("```hex\n").unwrap();
    let (shown, _) = example_on.split_once("```").unwrap();
    let shown: Vec<u8> = shown
        .lines()
        .flat_map(|line| line.split('|').next().unwrap().split_whitespace())
        .map(|byte| u8::from_str_radix(byte, 16).unwrap_or_default())
        .collect();
    let lines = ["took 7 ms", "took 12 ms", "took 7 ms"];
    let strip = strip_of(&[lines.map(|line| line.as_bytes().to_vec()).to_vec()]);
    let written = encoded(&strip).unwrap();
    assert_eq!(shown, written, "the page shows other bytes: {written:02x?}");
    assert_eq!(decoded(&shown, strip.len()).unwrap(), strip);
}

/// The texts with all needles, as a look at each tells.
fn plainly_found(texts: &[Vec<u8>], needles: &[&[u8]]) -> Found {
    let mut found = Found {
        count: texts.len(),
        ..Found::default()
    };
    for (place, text) in texts.iter().enumerate() {
        let has = |needle: &&[u8]| {
            needle.is_empty() || text.windows(needle.len()).any(|part| part == *needle)
        };
        if needles.iter().all(has) {
            found.places.push(place as u32);
            found.bytes.extend_from_slice(text);
            found.ends.push(found.bytes.len() as u32);
        }
    }
    found
}

fn found(bytes: &[u8], length: usize, needles: &[&[u8]]) -> Result<Option<Found>> {
    let mut frames = zstd::bulk::Decompressor::new().unwrap();
    let mut frame = |packed: &[u8], raw: &mut [u8]| frames.decompress_to_buffer(packed, raw);
    search(bytes, length, needles, &mut frame, &mut Scratch::default())
}

fn assert_finds(texts: &[Vec<u8>], bytes: &[u8], length: usize, needles: &[&[u8]]) {
    let shown = || {
        needles
            .iter()
            .map(|needle| needle.escape_ascii().to_string())
    };
    let found = found(bytes, length, needles).unwrap();
    if needles.iter().all(|needle| needle.is_empty()) {
        assert_eq!(found, None);
        return;
    }
    let (found, wanted) = (found.unwrap(), plainly_found(texts, needles));
    assert!(found == wanted, "{:?}", shown().collect::<Vec<_>>());
}

/// Parts of a text of all lengths around its middle, and what is next to such parts.
fn parts_of(text: &[u8], from: usize) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    for length in [1, 2, 3, 4, 5, 7, 9, 12, 17, 24, 40, 70, 255, 256, 300] {
        let start = from % (text.len() + 1);
        let part = &text[start..(start + length).min(text.len())];
        parts.push(part.to_vec());
        for (place, byte) in [(0, b'0'), (part.len() / 2, b'7'), (part.len(), b' ')] {
            let mut other = part.to_vec();
            other.insert(place, byte);
            parts.push(other);
        }
    }
    parts
}

proptest! {
    #[test]
    fn a_search_finds_what_a_look_at_each_line_finds(
        texts in lines(),
        picks in prop::collection::vec((any::<usize>(), any::<usize>()), 1..4),
        other in "[0-9a-f.: =\"x-]{0,4}",
    ) {
        let strip = strip_of(std::slice::from_ref(&texts));
        if let Some(bytes) = encoded(&strip) {
            for (pick, from) in &picks {
                let empty = Vec::new();
                let text = texts.get(pick % texts.len().max(1)).unwrap_or(&empty);
                for part in parts_of(text, *from) {
                    assert_finds(&texts, &bytes, strip.len(), &[&part]);
                }
                let (start, end) = (from % (text.len() + 1), text.len());
                let both = [other.as_bytes(), &text[start..(start + 6).min(end)]];
                assert_finds(&texts, &bytes, strip.len(), &both);
            }
            assert_finds(&texts, &bytes, strip.len(), &[other.as_bytes()]);
        }
    }

    #[test]
    fn a_search_of_any_bytes_finds_what_a_look_at_each_finds(
        texts in prop::collection::vec(
            prop::collection::vec(prop::sample::select(b"01a=\" \n\xc3\xbc".as_slice()), 0..30),
            0..60,
        ),
        needle in prop::collection::vec(
            prop::sample::select(b"01a=\" \n\xc3\xbc".as_slice()), 0..5),
    ) {
        let strip = strip_of(std::slice::from_ref(&texts));
        if let Some(bytes) = encoded(&strip) {
            assert_finds(&texts, &bytes, strip.len(), &[&needle]);
        }
    }

    #[test]
    fn searching_arbitrary_bytes_never_panics(
        mut bytes in prop::collection::vec(any::<u8>(), 0..300), length in 0usize..4000,
    ) {
        bytes.insert(0, TAG);
        let _ = found(&bytes, length, &[b"1"]);
    }
}

#[test]
fn every_part_of_a_line_is_found_where_it_is_and_nowhere_else() {
    let texts = sample();
    let strip = strip_of(std::slice::from_ref(&texts));
    let bytes = encoded(&strip).unwrap();
    for text in [&texts[3], &texts[40]] {
        for start in 0..text.len() {
            for length in [1, 2, 3, 5, 8, 13, 30] {
                let part = &text[start..(start + length).min(text.len())];
                assert_finds(&texts, &bytes, strip.len(), &[part]);
            }
        }
    }
}

#[test]
fn a_search_of_a_damaged_strip_never_panics() {
    let strip = strip_of(&[sample()[..30].to_vec()]);
    let mut bytes = encoded(&strip).unwrap();
    for end in 0..bytes.len() {
        assert!(found(&bytes[..end], strip.len(), &[b" x "]).is_err());
    }
    for place in 0..bytes.len() {
        for bit in 0..8 {
            bytes[place] ^= 1 << bit;
            let needle = [&b"x"[..], b"7 x 0", b"GET"][(place + bit) % 3];
            let _ = found(&bytes, strip.len(), &[needle]);
            bytes[place] ^= 1 << bit;
        }
    }
}

#[test]
fn a_strip_of_several_lists_is_to_be_decoded() {
    let strip = strip_of(&[sample(), sample()]);
    let bytes = encoded(&strip).unwrap();
    assert_eq!(found(&bytes, strip.len(), &[b"x"]).unwrap(), None);
}

//! Abridged texts are what a look at each text gives.

use super::super::TextPacker;
use super::super::filling::Filling;
use super::super::put_chunk;
use super::*;
use crate::codec::Sought;

/// Takes every shape apart and puts all of it together again.
struct Everything;

impl Abridge for Everything {
    fn shape(&self, pieces: &[&[u8]]) -> Option<Abridged> {
        let (last, before) = pieces.split_last()?;
        let parts = before.iter().enumerate();
        Some(Abridged {
            parts: parts.map(|(hole, piece)| (piece.to_vec(), hole)).collect(),
            last: last.to_vec(),
            fillings: vec![Filling::Any; before.len()],
        })
    }
}

/// Of lines that begin with `A`, the holes behind `k=`, which must be of a sort.
struct Keyed(Filling);

impl Abridge for Keyed {
    fn shape(&self, pieces: &[&[u8]]) -> Option<Abridged> {
        if !pieces[0].starts_with(b"A") {
            return None;
        }
        let (_, before) = pieces.split_last()?;
        let mut made = Abridged {
            last: b">".to_vec(),
            ..Abridged::default()
        };
        for (hole, piece) in before.iter().enumerate() {
            let is_key = piece.ends_with(b"k=");
            made.fillings
                .push(if is_key { self.0 } else { Filling::Any });
            if is_key {
                made.parts.push((b"<".to_vec(), hole));
            }
        }
        Some(made)
    }
}

fn abridged(lines: &[String], reader: &dyn Abridge) -> Option<Vec<String>> {
    let mut strip = Vec::new();
    put_chunk(lines.iter().map(String::as_bytes), &mut strip);
    let packed = TextPacker::new()
        .unwrap()
        .pack(&strip, Sought::Never)
        .unwrap();
    let bytes = packed.bytes.unwrap();
    let mut frames = zstd::bulk::Decompressor::new().unwrap();
    let mut frame = |packed: &[u8], raw: &mut [u8]| frames.decompress_to_buffer(packed, raw);
    let scratch = &mut Scratch::default();
    let found = abridge(&bytes, strip.len(), reader, &mut frame, scratch).unwrap()?;
    assert_eq!(found.count, lines.len());
    assert!(found.places.iter().copied().eq(0..lines.len() as u32));
    let mut start = 0;
    let ends = found.ends.iter().map(|end| *end as usize);
    let texts = ends.map(|end| {
        let text = &found.bytes[start..end];
        start = end;
        String::from_utf8(text.to_vec()).unwrap()
    });
    Some(texts.collect())
}

/// Lines of two sorts that share a column, and some of the first with it twice.
fn lines(value: impl Fn(u64) -> String) -> Vec<String> {
    let line = |number: u64| {
        let (one, two) = (value(number), value(number + 7));
        match number % 5 {
            0 | 1 => format!("A line k={one} id={:016x} of {number}", number * 977),
            2 => format!("A line k={one} id={:016x} and k={two}", number * 977),
            3 => format!("B line k={one} id={:016x} with {number}ms", number * 977),
            _ => format!("A line of {number} without any"),
        }
    };
    (0..300).map(line).collect()
}

#[test]
fn all_parts_of_all_shapes_are_the_lines_again() {
    for value in [|n: u64| n.to_string(), |n: u64| format!("w{}", n % 5)] {
        let lines = lines(value);
        assert_eq!(abridged(&lines, &Everything), Some(lines));
    }
}

#[test]
fn some_holes_of_some_shapes_are_those_of_each_line() {
    let values: [fn(u64) -> String; 6] = [
        |n| (n * 31 % 1000).to_string(),
        |n| format!("{}.{:02}", n % 70, n % 97),
        |n| format!("{:08x}", n * 0x9e37_79b9),
        |n| format!("10.0.{}.{}", n % 9, n % 250),
        |n| ["GET", "PUT"][n as usize % 2].to_owned(),
        |n| format!("/a/{}/b{}", n * 7919 % 10_007, n % 3),
    ];
    for value in values {
        let lines = lines(value);
        let found = abridged(&lines, &Keyed(Filling::Quoted)).unwrap();
        for (line, found) in lines.iter().zip(found) {
            let words = line.split(' ').filter_map(|word| word.strip_prefix("k="));
            let expected: String = words.map(|word| format!("<{word}")).collect();
            match line.starts_with('A') {
                true => assert_eq!(found, format!("{expected}>"), "{line}"),
                false => assert_eq!(&found, line),
            }
        }
    }
}

#[test]
fn where_a_hole_holds_something_else_lines_stay_whole() {
    use Filling::{Number, Quoted, Run, Word};
    let plain: fn(u64) -> &'static str = |n| ["5", "-7", "1e3"][n as usize % 3];
    // What one text of many is, and which fillings allow it.
    let cases: [(&str, &[Filling]); 8] = [
        ("12", &[Quoted, Word, Number, Run]),
        ("-x5", &[Quoted, Word, Number, Run]),
        ("true", &[Quoted, Word, Run]),
        ("truely", &[Quoted, Run]),
        ("x:y", &[Quoted, Run]),
        (r"a\\", &[Quoted]),
        (r"a\", &[]),
        (r"5\n", &[Quoted]),
    ];
    for (odd, allowed) in cases {
        for filling in [Quoted, Word, Number, Run] {
            let lines = lines(|n| if n == 100 { odd } else { plain(n) }.to_owned());
            let found = abridged(&lines, &Keyed(filling));
            let is_abridged = found.is_some_and(|found| found[0] == "<5>");
            assert_eq!(is_abridged, allowed.contains(&filling), "{odd} {filling:?}");
        }
    }
}

#[test]
fn what_has_a_quote_cannot_stand_between_quotes() {
    for (text, is_met) in [
        ("a", true),
        ("", true),
        (r#"a\"b"#, true),
        (r#"a"b"#, false),
        (r#"\\""#, false),
    ] {
        let asked = Keyed(Filling::Quoted);
        let line = |number: u64| match number {
            50 => format!("A k={text} {number}"),
            _ => format!("A k=v{} {number}", number % 40),
        };
        let lines: Vec<String> = (0..200).map(line).collect();
        // A quote is where a hole ends, so that it stands in a piece or in a hole.
        if let Some(found) = abridged(&lines, &asked)
            && is_met
        {
            assert_eq!(found[0], "<v0>");
        }
        assert_eq!(
            super::super::filling::Filling::Quoted.is_met_by(text.as_bytes()),
            is_met
        );
    }
}

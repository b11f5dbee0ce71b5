//! Writes a strip of texts as shapes and columns, each column in the smallest form that is found.

use hashbrown::HashMap;

use crate::codec::bytes::put_varint;
use crate::codec::ints;
use crate::codec::tokens::{ID_BYTES_MIN, Keys};
use crate::error::Result;

use super::lexer::Grain;
use super::sections::{Sections, Squeeze};
use super::shapes::{Shape, Shapes, hash_bytes};
use super::span::{Span, Strip};
use super::typed::{Case, Make, make_of};
use super::{
    COLUMN_ADDRESSES, COLUMN_AFFIXED, COLUMN_DECIMALS, COLUMN_DICTIONARY, COLUMN_HEX,
    COLUMN_INTEGERS, COLUMN_MASKED, COLUMN_PLAIN, COLUMN_SHAPES, COLUMN_SMALL, COLUMN_UUIDS,
    symbols,
};

/// Columns of fewer texts, or of fewer bytes, are not worth a body of their own.
const SMALL_TEXTS: usize = 8;
const SMALL_BYTES: usize = 64;

/// Where in the whole a column stands: what may still be done with it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Fields of a line: may have shapes of their own.
    Field,
    /// Tokens of a field.
    Token,
    /// Entries of a dictionary, and what is inside of affixes.
    Entry,
}

/// Encodes a strip whose texts are `strip`, or says that nothing is gained by it. Tells the keys of
/// its texts; told keys that are too many do no harm.
pub(super) fn encode(
    bytes: &[u8],
    strip: &Strip,
    squeeze: &mut Squeeze,
    keys: Option<&mut Keys>,
) -> Result<Option<Vec<u8>>> {
    let Some(shapes) = Shapes::gather(bytes, &strip.texts, Grain::Coarse) else {
        return Ok(None);
    };
    let mut encoder = Encoder {
        bytes,
        sections: Sections::default(),
        squeeze,
        keys,
    };
    put_varint(&mut encoder.sections.structure, strip.counts.len() as u64);
    for count in &strip.counts {
        put_varint(&mut encoder.sections.structure, u64::from(*count));
    }
    encoder.shapes(&shapes, Depth::Field)?;
    let mut out = vec![super::TAG];
    encoder.sections.finish(encoder.squeeze, &mut out)?;
    Ok(Some(out))
}

struct Encoder<'a> {
    bytes: &'a [u8],
    sections: Sections,
    squeeze: &'a mut Squeeze,
    /// What a filter is told: fixed texts and dictionaries once, whatever their number of uses.
    /// Neither pieces nor columns cut a token in two.
    keys: Option<&'a mut Keys>,
}

impl Encoder<'_> {
    fn tell(&mut self, texts: &[Span]) {
        if let Some(keys) = &mut self.keys {
            texts
                .iter()
                .for_each(|text| keys.add_text(text.of(self.bytes)));
        }
    }

    fn shapes(&mut self, shapes: &Shapes, depth: Depth) -> Result<()> {
        // A column that never changes is part of the shapes that have it.
        let bytes = self.bytes;
        let mut number = 0;
        let numbers: Vec<Option<u32>> = shapes
            .columns
            .iter()
            .map(|column| {
                let first = column.first()?.of(bytes);
                let changes = column.iter().any(|text| text.of(bytes) != first);
                changes.then(|| {
                    number += 1;
                    number - 1
                })
            })
            .collect();
        put_varint(&mut self.sections.structure, u64::from(number));
        put_varint(&mut self.sections.structure, shapes.shapes.len() as u64);
        for shape in &shapes.shapes {
            self.shape(shape, shapes, &numbers);
        }
        symbols::write(
            &shapes.ids,
            shapes.shapes.len(),
            &mut self.sections,
            self.squeeze,
        )?;
        for (column, number) in shapes.columns.iter().zip(&numbers) {
            if number.is_some() {
                self.column(column, depth)?;
            }
        }
        Ok(())
    }

    fn shape(&mut self, shape: &Shape, shapes: &Shapes, numbers: &[Option<u32>]) {
        let holes = || {
            let numbered = |(hole, column): &(Span, u32)| Some((*hole, numbers[*column as usize]?));
            shapes.holes(shape).iter().filter_map(numbered)
        };
        let out = &mut self.sections;
        put_varint(&mut out.structure, holes().count() as u64);
        let mut from = shape.text.start as usize;
        for (hole, column) in holes() {
            let piece = &self.bytes[from..hole.start as usize];
            put_varint(&mut out.structure, piece.len() as u64);
            put_varint(&mut out.structure, u64::from(column));
            out.texts.extend_from_slice(piece);
            if let Some(keys) = &mut self.keys {
                keys.add_text(piece);
            }
            from = hole.end();
        }
        let piece = &self.bytes[from..shape.text.end()];
        put_varint(&mut out.structure, piece.len() as u64);
        out.texts.extend_from_slice(piece);
        if let Some(keys) = &mut self.keys {
            keys.add_text(piece);
        }
    }

    fn column(&mut self, texts: &[Span], depth: Depth) -> Result<()> {
        let length: usize = texts.iter().map(|text| text.length as usize).sum();
        if texts.len() < SMALL_TEXTS || length < SMALL_BYTES {
            self.small(texts);
            return Ok(());
        }
        let made = make_of(self.bytes, texts);
        let made_bytes = made.as_ref().map_or(usize::MAX, |made| made.size_bytes());
        let dictionary = match depth {
            Depth::Entry => None,
            _ => Dictionary::of(self.bytes, texts),
        };
        if let Some(dictionary) = &dictionary
            && (made.is_some() || dictionary.entries.len() * 8 <= texts.len())
            && dictionary.size_bytes() < made_bytes
        {
            return self.dictionary(dictionary);
        }
        if let Some(made) = made {
            self.tell_made(&made, texts);
            return self.made(&made, texts);
        }
        if self.affixed(texts)? {
            return Ok(());
        }
        if depth == Depth::Field
            && let Some(shapes) = Shapes::gather(self.bytes, texts, Grain::Fine)
            && shapes.columns.iter().any(|column| !column.is_empty())
        {
            self.sections.structure.push(COLUMN_SHAPES);
            return self.shapes(&shapes, Depth::Token);
        }
        match dictionary {
            Some(dictionary) => self.dictionary(&dictionary),
            None => {
                self.plain(texts);
                Ok(())
            }
        }
    }

    fn small(&mut self, texts: &[Span]) {
        self.tell(texts);
        self.sections.structure.push(COLUMN_SMALL);
        for text in texts {
            put_varint(&mut self.sections.structure, u64::from(text.length));
            self.sections.texts.extend_from_slice(text.of(self.bytes));
        }
    }

    fn plain(&mut self, texts: &[Span]) {
        self.tell(texts);
        self.sections.structure.push(COLUMN_PLAIN);
        let lengths: Vec<i64> = texts.iter().map(|text| i64::from(text.length)).collect();
        ints::encode(&lengths, &mut self.sections.bodies);
        for text in texts {
            self.sections.texts.extend_from_slice(text.of(self.bytes));
        }
    }

    fn dictionary(&mut self, dictionary: &Dictionary) -> Result<()> {
        self.sections.structure.push(COLUMN_DICTIONARY);
        let entries = dictionary.entries.len();
        put_varint(&mut self.sections.structure, entries as u64);
        self.column(&dictionary.entries, Depth::Entry)?;
        symbols::write(&dictionary.ids, entries, &mut self.sections, self.squeeze)
    }

    /// Writes the column without what all of its texts begin or end with, if the rest is of one
    /// make.
    fn affixed(&mut self, texts: &[Span]) -> Result<bool> {
        let (prefix, suffix) = affixes(self.bytes, texts);
        if prefix + suffix == 0 {
            return Ok(false);
        }
        let rest: Vec<Span> = texts
            .iter()
            .map(|text| Span::between(text.start as usize + prefix, text.end() - suffix))
            .collect();
        let Some(made) = make_of(self.bytes, &rest) else {
            return Ok(false);
        };
        let out = &mut self.sections;
        out.structure.push(COLUMN_AFFIXED);
        put_varint(&mut out.structure, prefix as u64);
        put_varint(&mut out.structure, suffix as u64);
        let first = texts[0].of(self.bytes);
        out.texts.extend_from_slice(&first[..prefix]);
        out.texts.extend_from_slice(&first[first.len() - suffix..]);
        self.tell(texts);
        self.made(&made, &rest)?;
        Ok(true)
    }

    /// Tells the keys of a typed column, which has none where its numbers are short.
    fn tell_made(&mut self, made: &Make, texts: &[Span]) {
        let longest = texts.iter().map(|text| text.length).max().unwrap_or(0) as usize;
        match made {
            Make::Addresses(_) => {}
            Make::Integers(_) | Make::Decimals { .. } if longest < ID_BYTES_MIN => {}
            // All have the words of the first, and other tokens with digits.
            Make::Masked { .. } if longest < ID_BYTES_MIN => self.tell(&texts[..1]),
            Make::Hex { .. } => {
                if let Some(keys) = &mut self.keys {
                    texts
                        .iter()
                        .for_each(|text| keys.add_token(text.of(self.bytes)));
                }
            }
            _ => self.tell(texts),
        }
    }

    fn made(&mut self, made: &Make, texts: &[Span]) -> Result<()> {
        let out = &mut self.sections;
        let case = |case: &Case| case.tag();
        match made {
            Make::Integers(numbers) => {
                out.structure.push(COLUMN_INTEGERS);
                numbers.write(&mut out.bodies);
            }
            Make::Decimals { places, scaled } => {
                out.structure.extend([COLUMN_DECIMALS, *places]);
                scaled.write(&mut out.bodies);
            }
            Make::Masked { varying, numbers } => {
                out.structure.push(COLUMN_MASKED);
                put_varint(&mut out.structure, u64::from(texts[0].length));
                put_varint(&mut out.structure, varying.len() as u64);
                for place in varying {
                    put_varint(&mut out.structure, u64::from(*place));
                }
                out.texts.extend_from_slice(texts[0].of(self.bytes));
                numbers.write(&mut out.bodies);
            }
            Make::Hex {
                digits,
                case: of,
                packed,
            } => {
                out.structure.extend([COLUMN_HEX, case(of)]);
                put_varint(&mut out.structure, u64::from(*digits));
                out.bodies.extend_from_slice(packed);
            }
            Make::Uuids { case: of, packed } => {
                out.structure.extend([COLUMN_UUIDS, case(of)]);
                out.bodies.extend_from_slice(packed);
            }
            Make::Addresses(planes) => {
                out.structure.push(COLUMN_ADDRESSES);
                for plane in planes {
                    let packed = self.squeeze.numbers(plane.clone())?;
                    put_varint(&mut self.sections.structure, packed.len() as u64);
                    self.sections.bodies.extend_from_slice(&packed);
                }
            }
        }
        Ok(())
    }
}

impl Make {
    /// About how many bytes it takes.
    fn size_bytes(&self) -> usize {
        match self {
            Make::Integers(numbers)
            | Make::Decimals {
                scaled: numbers, ..
            }
            | Make::Masked { numbers, .. } => numbers.size_bytes(),
            Make::Hex { packed, .. } | Make::Uuids { packed, .. } => packed.len(),
            Make::Addresses(planes) => planes.iter().map(Vec::len).sum(),
        }
    }
}

/// How much all texts begin and end with. Digits at the border stay with the rest, which is then a
/// number; one byte of each text stays at least.
fn affixes(bytes: &[u8], texts: &[Span]) -> (usize, usize) {
    let first = texts[0].of(bytes);
    let (mut prefix, mut suffix) = (first.len(), first.len());
    for text in texts {
        let text = text.of(bytes);
        let same = text.iter().zip(first).take(prefix);
        prefix = same.take_while(|(left, right)| left == right).count();
        let same = text.iter().rev().zip(first.iter().rev()).take(suffix);
        suffix = same.take_while(|(left, right)| left == right).count();
        if prefix + suffix == 0 {
            return (0, 0);
        }
    }
    let shortest = texts.iter().map(|text| text.length as usize).min();
    let shortest = shortest.unwrap_or(0);
    while prefix > 0 && (first[prefix - 1].is_ascii_digit() || prefix >= shortest) {
        prefix -= 1;
    }
    while suffix > 0
        && (first[first.len() - suffix].is_ascii_digit() || prefix + suffix >= shortest)
    {
        suffix -= 1;
    }
    (prefix, suffix)
}

/// The distinct texts of a column.
struct Dictionary {
    entries: Vec<Span>,
    ids: Vec<u32>,
    counts: Vec<u32>,
}

/// So many texts are looked at before a column is called one without repetitions.
const TRIAL_TEXTS: usize = 256;

impl Dictionary {
    /// None where too few texts come again.
    fn of(bytes: &[u8], texts: &[Span]) -> Option<Dictionary> {
        let mut found = Dictionary {
            entries: Vec::new(),
            ids: Vec::with_capacity(texts.len()),
            counts: Vec::new(),
        };
        // By hash alone: where two texts have one, the strip does not come back and is not written.
        let mut places: HashMap<u64, u32, foldhash::fast::FixedState> = HashMap::default();
        for text in texts {
            let next = found.entries.len() as u32;
            let hash = hash_bytes(1, text.of(bytes));
            let id = *places.entry(hash).or_insert(next);
            if id == next {
                found.entries.push(*text);
                found.counts.push(0);
            }
            found.counts[id as usize] += 1;
            found.ids.push(id);
            let seen = found.ids.len();
            if seen >= TRIAL_TEXTS && found.entries.len() * 4 > seen * 3 {
                return None;
            }
        }
        (found.entries.len() * 2 <= texts.len()).then_some(found)
    }

    /// About how many bytes it takes: the ids at their entropy, the entries compressed.
    fn size_bytes(&self) -> usize {
        let total = self.ids.len() as f64;
        let bits: f64 = self
            .counts
            .iter()
            .map(|count| f64::from(*count) * (total / f64::from(*count)).log2())
            .sum();
        let entries: usize = self.entries.iter().map(|e| e.length as usize / 2 + 2).sum();
        (bits / 8.0) as usize + entries + 24
    }
}

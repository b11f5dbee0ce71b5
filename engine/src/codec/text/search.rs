//! Finds the texts of a strip that contain some needles, and puts no others together.
//!
//! Owns the question where a needle can be: in a piece of a shape, then all texts of the shape have
//! it; in a text of a column; or over borders of the two, then what stands at the ends of a
//! column's texts decides. Columns answer by their make where they can (there is no letter in a
//! number), and are rendered only where they cannot. What is marked so is a superset of what is
//! sought: each text is put together and searched before it is given out.

use memchr::memmem::Finder;

use crate::error::{Error, Result};

use super::assemble::Assembly;
use super::columns::{Canvas, Rows};
use super::marks::{Ends, NEEDLE_BYTES_MAX, Seeker, are_many};
use super::sections::Unsqueeze;
use super::{Scratch, decode};

/// The texts of a list that contain all needles.
#[derive(Debug, Default, PartialEq)]
pub struct Found {
    /// How many texts the list has.
    pub(crate) count: usize,
    /// Which of them these are, ascending.
    pub(crate) places: Vec<u32>,
    /// The texts one behind the other, and where each ends.
    pub(crate) bytes: Vec<u8>,
    pub(crate) ends: Vec<u32>,
}

/// Searches a strip that has `strip_bytes` bytes when it is decoded. None where it has to be
/// decoded instead: it has other than one list, or there is nothing to search for.
pub(crate) fn search(
    encoded: &[u8],
    strip_bytes: usize,
    needles: &[&[u8]],
    unsqueeze: &mut Unsqueeze<'_>,
    scratch: &mut Scratch,
) -> Result<Option<Found>> {
    let longest = needles.iter().max_by_key(|needle| needle.len());
    let Some(needle) = longest.filter(|needle| !needle.is_empty()) else {
        return Ok(None);
    };
    let opened = decode::open(encoded, strip_bytes, unsqueeze)?;
    let canvas = std::mem::take(&mut scratch.canvas);
    let (mut parsed, mut canvas) = decode::parse(&opened, strip_bytes, unsqueeze, canvas)?;
    let found = match parsed.counts.len() {
        1 => {
            let needle = &needle[..needle.len().min(NEEDLE_BYTES_MAX)];
            let seeker = Seeker::new(needle, &canvas.bytes);
            let rows = &mut parsed.rows;
            let marks = seeker.rows(rows, Ends::default(), Ends::default(), &mut canvas)?;
            Some(gather(rows, marks, needles, strip_bytes, &mut canvas)?)
        }
        _ => None,
    };
    scratch.canvas = canvas.bytes;
    Ok(found)
}

/// Puts marked texts together and keeps those that have all needles.
fn gather(
    rows: &mut Rows<'_>,
    marks: Option<Vec<bool>>,
    needles: &[&[u8]],
    strip_bytes: usize,
    canvas: &mut Canvas<'_>,
) -> Result<Found> {
    let count = rows.ids.len();
    let Some(marks) = marks else {
        return Ok(Found {
            count,
            ..Found::default()
        });
    };
    let finders: Vec<Finder<'_>> = needles.iter().map(Finder::new).collect();
    let has_all = |text: &[u8]| finders.iter().all(|finder| finder.find(text).is_some());
    if are_many(&marks) {
        return all_of(rows, &marks, has_all, strip_bytes, canvas);
    }
    let mut found = Found {
        count,
        ..Found::default()
    };
    for (place, _) in marks.iter().enumerate().filter(|(_, marked)| **marked) {
        let start = found.bytes.len();
        rows.put(place, canvas, &mut found.bytes)?;
        if found.bytes.len() > strip_bytes {
            return Err(wrong_length());
        }
        match has_all(&found.bytes[start..]) {
            true => found.note(place),
            false => found.bytes.truncate(start),
        }
    }
    Ok(found)
}

/// The same where many are marked: all are put together, and those that are not sought taken out.
fn all_of(
    rows: &Rows<'_>,
    marks: &[bool],
    has_all: impl Fn(&[u8]) -> bool,
    strip_bytes: usize,
    canvas: &mut Canvas<'_>,
) -> Result<Found> {
    let count = rows.ids.len();
    let assembly = Assembly::of(rows, canvas, Vec::new())?;
    let length = assembly.text_bytes();
    // A list is a count, a length for each text, and the texts.
    if length.saturating_add(4).saturating_add(4 * count) != strip_bytes {
        return Err(wrong_length());
    }
    let mut found = Found {
        count,
        bytes: vec![0; length],
        places: Vec::with_capacity(count),
        ends: Vec::with_capacity(count),
    };
    let mut spans = Vec::with_capacity(count);
    assembly.write_texts(&canvas.bytes, &mut found.bytes, 0, &mut spans)?;
    let mut end = 0;
    for (place, (text, _)) in spans
        .iter()
        .zip(marks)
        .enumerate()
        .filter(|(_, (_, m))| **m)
    {
        if !has_all(text.of(&found.bytes)) {
            continue;
        }
        let start = text.start as usize;
        if start != end {
            found.bytes.copy_within(start..text.end(), end);
        }
        end += text.length as usize;
        found.places.push(place as u32);
        found.ends.push(end as u32);
    }
    found.bytes.truncate(end);
    Ok(found)
}

impl Found {
    /// Takes note of the text that was put last.
    fn note(&mut self, place: usize) {
        // A strip, and so its texts, is below 4 GiB.
        self.places.push(place as u32);
        self.ends.push(self.bytes.len() as u32);
    }
}

#[cold]
fn wrong_length() -> Error {
    Error::corrupt("the texts of a strip have another length than the strip")
}

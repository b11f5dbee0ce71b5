//! The bytes of one manifest file: docs/format/manifest.md is the format's page.
//!
//! A file holds its record twice, so that one damaged byte, wherever it falls, loses nothing. Every
//! decoder here takes any bytes and returns an error for those that it did not write.

use crate::codec::bytes::{Cursor, put_prefixed, put_varint, put_varint_signed};
use crate::error::{Error, ErrorKind, Result};
use crate::time::{TickRange, Ticks};

use super::version::{BlockEntry, Change, Tombstone};

const MAGIC: [u8; 4] = *b"CMAN";
pub(crate) const FORMAT_VERSION: u16 = 2;

/// The first format: without what deletes need.
const FORMAT_VERSION_FIRST: u16 = 1;

const HEADER_BYTES: usize = 32;
const HEADER_CRC_AT: usize = 28;
const CRC_BYTES: usize = 4;

/// A payload is never longer: about a million blocks.
const PAYLOAD_BYTES_MAX: usize = 64 << 20;

/// No file is longer than two copies of the longest record.
pub(crate) const FILE_BYTES_MAX: usize = 2 * (HEADER_BYTES + PAYLOAD_BYTES_MAX + CRC_BYTES);

/// The fewest bytes that a block, a tombstone, and a note with its key and value can take in any
/// format version.
const BLOCK_BYTES_MIN: usize = 12;
const TOMBSTONE_BYTES_MIN: usize = 5;
const NOTE_BYTES_MIN: usize = 2;

const _: () = assert!(HEADER_CRC_AT + CRC_BYTES == HEADER_BYTES);
const _: () = assert!(PAYLOAD_BYTES_MAX <= u32::MAX as usize);

/// Whether a record stands for itself or changes the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Applies to the empty version.
    Checkpoint,
    /// Applies to the version of the file with this number.
    Delta { base: u64 },
}

/// What one file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) number: u64,
    pub(crate) form: Form,
    pub(crate) change: Change,
}

/// The bytes of a file: the record, twice.
pub(crate) fn encode(record: &Record) -> Result<Vec<u8>> {
    let payload = encode_change(&record.change);
    if payload.len() > PAYLOAD_BYTES_MAX {
        let length = payload.len();
        return Err(Error::limit(format!(
            "a manifest record of {length} bytes is over the limit of {PAYLOAD_BYTES_MAX}"
        )));
    }
    let (form, base) = match record.form {
        Form::Checkpoint => (1, 0),
        Form::Delta { base } => (2, base),
    };
    let copy_bytes = HEADER_BYTES + payload.len() + CRC_BYTES;
    let mut out = Vec::with_capacity(2 * copy_bytes);
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    out.extend_from_slice(&[form, 0]);
    out.extend_from_slice(&record.number.to_le_bytes());
    out.extend_from_slice(&base.to_le_bytes());
    // The limit above is below 4 GiB.
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    let header_crc = crc32fast::hash(&out);
    out.extend_from_slice(&header_crc.to_le_bytes());
    out.extend_from_slice(&payload);
    let crc = crc32fast::hash(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    assert_eq!(out.len(), copy_bytes);
    out.extend_from_within(..);
    Ok(out)
}

/// Reads the file with this number from whichever of its copies is whole.
///
/// An `Unsupported` error means a sound file of a later format, any other a file with no whole
/// copy.
pub(crate) fn decode(number: u64, bytes: &[u8]) -> Result<Record> {
    let first = match decode_copy(number, bytes) {
        Err(error) if error.kind() != ErrorKind::Unsupported => error,
        outcome => return outcome,
    };
    // The copies are equally long, so the second is found even where the first one's length is
    // damaged.
    decode_copy(number, &bytes[bytes.len() / 2..]).map_err(|second| match second.kind() {
        ErrorKind::Unsupported => second,
        _ => first.context("neither copy is whole"),
    })
}

/// How many of a file's two copies are whole.
pub(crate) fn whole_copies(number: u64, bytes: &[u8]) -> usize {
    let copies = [bytes, &bytes[bytes.len() / 2..]];
    let is_whole = |copy: &&&[u8]| decode_copy(number, copy).is_ok();
    copies.iter().filter(is_whole).count()
}

fn decode_copy(number: u64, bytes: &[u8]) -> Result<Record> {
    let mut cursor = Cursor::new(bytes);
    let header = cursor.take(HEADER_BYTES)?;
    let mut fields = Cursor::new(header);
    if fields.array::<4>()? != MAGIC {
        return Err(Error::corrupt("the file does not begin as a manifest does"));
    }
    let version = fields.u16()?;
    let (form, reserved) = (fields.u8()?, fields.u8()?);
    let (own_number, base, length) = (fields.u64()?, fields.u64()?, fields.u32()?);
    if fields.u32()? != crc32fast::hash(&header[..HEADER_CRC_AT]) {
        return Err(Error::corrupt("header crc mismatch"));
    }
    if !(FORMAT_VERSION_FIRST..=FORMAT_VERSION).contains(&version) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "manifest format {version} is unknown, this build reads \
                 {FORMAT_VERSION_FIRST} to {FORMAT_VERSION}"
            ),
        ));
    }
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > PAYLOAD_BYTES_MAX {
        return Err(Error::corrupt(format!(
            "payload of {length} bytes is over the limit"
        )));
    }
    let payload = cursor.take(length)?;
    if cursor.u32()? != crc32fast::hash(&bytes[..HEADER_BYTES + length]) {
        return Err(Error::corrupt("record crc mismatch"));
    }
    let form = match (form, base, reserved) {
        (1, 0, 0) => Form::Checkpoint,
        (2, base, 0) if base < own_number => Form::Delta { base },
        _ => {
            return Err(Error::corrupt(
                "form, base and reserved byte do not fit together",
            ));
        }
    };
    if own_number != number {
        return Err(Error::corrupt(format!(
            "the file says it is number {own_number}"
        )));
    }
    let change = decode_change(version, payload)?;
    Ok(Record {
        number,
        form,
        change,
    })
}

pub(crate) fn encode_change(change: &Change) -> Vec<u8> {
    let resolved = "a record holds resolved numbers";
    let mut out = Vec::new();
    put_varint(&mut out, change.next_block.expect(resolved));
    put_varint(&mut out, change.next_tombstone.expect(resolved));
    put_varint(&mut out, change.wal_floor.expect(resolved));
    put_numbers(&mut out, &change.remove_blocks);
    put_varint(&mut out, change.add_blocks.len() as u64);
    for block in &change.add_blocks {
        put_block(&mut out, block);
    }
    put_numbers(&mut out, &change.remove_tombstones);
    put_varint(&mut out, change.add_tombstones.len() as u64);
    for tombstone in &change.add_tombstones {
        put_tombstone(&mut out, tombstone);
    }
    put_numbers(&mut out, &change.begin_tombstones);
    put_varint(&mut out, change.remove_notes.len() as u64);
    for key in &change.remove_notes {
        put_prefixed(&mut out, key);
    }
    put_varint(&mut out, change.put_notes.len() as u64);
    for (key, value) in &change.put_notes {
        put_prefixed(&mut out, key);
        put_prefixed(&mut out, value);
    }
    out
}

/// Reads a payload of a format version that this build knows.
pub(crate) fn decode_change(version: u16, payload: &[u8]) -> Result<Change> {
    let mut cursor = Cursor::new(payload);
    let cursor = &mut cursor;
    let is_first = version == FORMAT_VERSION_FIRST;
    let next_block = Some(cursor.varint()?);
    let next_tombstone = match is_first {
        true => None,
        false => Some(cursor.varint()?),
    };
    let wal_floor = Some(cursor.varint()?);
    let remove_blocks = list(cursor, 1, Cursor::varint)?;
    let add_blocks = list(cursor, BLOCK_BYTES_MIN, |cursor| block(version, cursor))?;
    let remove_tombstones = list(cursor, 1, Cursor::varint)?;
    let add_tombstones = list(cursor, TOMBSTONE_BYTES_MIN, |cursor| {
        tombstone(version, cursor)
    })?;
    let begin_tombstones = match is_first {
        true => Vec::new(),
        false => list(cursor, 1, Cursor::varint)?,
    };
    let remove_notes = list(cursor, 1, |cursor| Ok(cursor.prefixed()?.to_vec()))?;
    let put_notes = list(cursor, NOTE_BYTES_MIN, |cursor| {
        Ok((cursor.prefixed()?.to_vec(), cursor.prefixed()?.to_vec()))
    })?;
    if !cursor.is_empty() {
        return Err(Error::corrupt(format!(
            "{} bytes are left over",
            cursor.remaining()
        )));
    }
    Ok(Change {
        add_blocks,
        remove_blocks,
        wal_floor,
        next_block,
        next_tombstone,
        add_tombstones,
        begin_tombstones,
        remove_tombstones,
        put_notes,
        remove_notes,
    })
}

/// A count and that many items of at least `bytes_min` each, so that no count outgrows the bytes at
/// hand.
fn list<'a, T>(
    cursor: &mut Cursor<'a>,
    bytes_min: usize,
    read: impl Fn(&mut Cursor<'a>) -> Result<T>,
) -> Result<Vec<T>> {
    let count = cursor.length(cursor.remaining() / bytes_min, "a count")?;
    let mut items = Vec::with_capacity(count);
    for _ in 0..count {
        items.push(read(cursor)?);
    }
    Ok(items)
}

fn put_numbers(out: &mut Vec<u8>, numbers: &[u64]) {
    put_varint(out, numbers.len() as u64);
    for number in numbers {
        put_varint(out, *number);
    }
}

fn put_range(out: &mut Vec<u8>, range: TickRange) {
    put_varint_signed(out, range.start.0);
    put_varint_signed(out, range.end.0);
}

fn range(cursor: &mut Cursor) -> Result<TickRange> {
    let start = Ticks(cursor.varint_signed()?);
    Ok(TickRange::new(start, Ticks(cursor.varint_signed()?)))
}

fn put_block(out: &mut Vec<u8>, block: &BlockEntry) {
    put_varint(out, block.number);
    put_range(out, block.range);
    put_range(out, block.partition);
    put_varint(out, block.lsn_min);
    put_varint(out, block.lsn_max);
    out.extend_from_slice(&[block.level, block.class]);
    put_varint(out, block.bytes);
    put_varint(out, block.series);
    put_varint(out, block.entries);
    put_varint(out, block.applied);
}

fn block(version: u16, cursor: &mut Cursor) -> Result<BlockEntry> {
    Ok(BlockEntry {
        number: cursor.varint()?,
        range: range(cursor)?,
        partition: range(cursor)?,
        lsn_min: cursor.varint()?,
        lsn_max: cursor.varint()?,
        level: cursor.u8()?,
        class: cursor.u8()?,
        bytes: cursor.varint()?,
        series: cursor.varint()?,
        entries: cursor.varint()?,
        applied: match version {
            FORMAT_VERSION_FIRST => 0,
            _ => cursor.varint()?,
        },
    })
}

fn put_tombstone(out: &mut Vec<u8>, tombstone: &Tombstone) {
    put_varint(out, tombstone.id);
    put_varint(out, tombstone.lsn);
    put_range(out, tombstone.range);
    put_prefixed(out, &tombstone.matchers);
    put_varint_signed(out, tombstone.created.0);
    put_prefixed(out, &tombstone.predicate);
}

fn tombstone(version: u16, cursor: &mut Cursor) -> Result<Tombstone> {
    let (id, lsn, range) = (cursor.varint()?, cursor.varint()?, range(cursor)?);
    let matchers = cursor.prefixed()?.to_vec();
    let (created, predicate) = match version {
        FORMAT_VERSION_FIRST => (Ticks(0), Vec::new()),
        _ => (Ticks(cursor.varint_signed()?), cursor.prefixed()?.to_vec()),
    };
    Ok(Tombstone {
        id,
        lsn,
        range,
        created,
        matchers,
        predicate,
        is_begun: false,
    })
}

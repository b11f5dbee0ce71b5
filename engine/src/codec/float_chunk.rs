//! The sealed chunk of floats: a column of times, an optional one of start times, a column of
//! values.
//!
//! A flags byte comes first. The count of entries is kept beside the chunk by whoever stores it,
//! and so is the checksum: a chunk is only read when its bytes are known to be those that were
//! written, yet no bytes make the reader panic or take more memory than a full chunk does.

use super::bytes::Cursor;
use super::{CHUNK_ENTRIES_MAX, floats, ints, times as time_column};
use crate::error::{Error, Result};

const HAS_STARTS: u8 = 1;

/// Appends a chunk of as many values as times; there are at most [`CHUNK_ENTRIES_MAX`].
pub(crate) fn encode(times: &[i64], starts: Option<&[i64]>, values: &[f64], out: &mut Vec<u8>) {
    assert_eq!(times.len(), values.len(), "a value for each time");
    encode_times(times, starts, out);
    floats::encode(values, out);
}

/// The part that chunks of floats and of histograms share: flags, times and start times.
pub(crate) fn encode_times(times: &[i64], starts: Option<&[i64]>, out: &mut Vec<u8>) {
    assert!(
        times.len() <= CHUNK_ENTRIES_MAX,
        "a chunk holds at most {CHUNK_ENTRIES_MAX} entries"
    );
    out.push(if starts.is_some() { HAS_STARTS } else { 0 });
    time_column::encode(times, out);
    if let Some(starts) = starts {
        assert_eq!(times.len(), starts.len(), "a start for each time");
        ints::encode(starts, out);
    }
}

/// Appends the `count` entries of a chunk. Where only some chunks have start times, 0 stands for
/// "none".
///
/// After an error the vectors may hold a part of the chunk.
pub(crate) fn decode(
    bytes: &[u8],
    count: usize,
    times: &mut Vec<i64>,
    starts: &mut Option<Vec<i64>>,
    values: &mut Vec<f64>,
) -> Result<()> {
    let mut cursor = Cursor::new(bytes);
    decode_times(&mut cursor, count, times, starts)?;
    floats::decode(&mut cursor, count, values)?;
    finish(&cursor)
}

/// Reads back what [`encode_times`] wrote.
pub(crate) fn decode_times(
    cursor: &mut Cursor<'_>,
    count: usize,
    times: &mut Vec<i64>,
    starts: &mut Option<Vec<i64>>,
) -> Result<()> {
    if count > CHUNK_ENTRIES_MAX {
        return Err(Error::corrupt(format!(
            "a chunk of {count} entries, at most {CHUNK_ENTRIES_MAX} are valid"
        )));
    }
    let flags = cursor.u8()?;
    if flags & !HAS_STARTS != 0 {
        return Err(Error::corrupt(format!("chunk flags {flags} are unknown")));
    }
    let before = times.len();
    time_column::decode(cursor, count, times)?;
    if flags & HAS_STARTS != 0 {
        let starts = starts.get_or_insert_with(|| vec![0; before]);
        ints::decode(cursor, count, starts)?;
    } else if let Some(starts) = starts {
        starts.resize(starts.len() + count, 0);
    }
    Ok(())
}

/// Refuses bytes behind the last column: the count or the chunk is not what it should be.
pub(crate) fn finish(cursor: &Cursor<'_>) -> Result<()> {
    if cursor.is_empty() {
        return Ok(());
    }
    Err(Error::corrupt(format!(
        "{} bytes behind the end of a chunk",
        cursor.remaining()
    )))
}

#[cfg(test)]
mod tests;

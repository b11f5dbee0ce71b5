//! `logproto.PushRequest`, as promtail and its kin send it.

use super::super::protobuf::{Fields, Malformed, Value};
use super::{LogColumns, StreamLabels, text};

/// Nanoseconds of a second.
const SECOND: i64 = 1_000_000_000;

/// Reads a request.
pub(crate) fn decode(message: &[u8]) -> Result<LogColumns<'_>, Malformed> {
    let (mut fields, mut columns) = (Fields::new(message), LogColumns::default());
    while let Some((number, value)) = fields.next()? {
        if number == 1 {
            stream(&mut columns, value.bytes()?)?;
        }
    }
    Ok(columns)
}

fn stream<'a>(columns: &mut LogColumns<'a>, message: &'a [u8]) -> Result<(), Malformed> {
    let (mut fields, mut labels) = (Fields::new(message), &[][..]);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => labels = value.bytes()?,
            2 => entry(columns, value.bytes()?)?,
            _ => {}
        }
    }
    columns.end_stream(StreamLabels::Text(text(labels)))
}

fn entry<'a>(columns: &mut LogColumns<'a>, message: &'a [u8]) -> Result<(), Malformed> {
    let (mut fields, mut time, mut line) = (Fields::new(message), 0, &[][..]);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => time = timestamp(value)?,
            2 => line = value.bytes()?,
            3 => {
                let (name, value) = pair(value.bytes()?)?;
                columns.metadata(text(name), text(value))?;
            }
            _ => {}
        }
    }
    columns.entry(time, text(line))
}

/// Seconds and nanoseconds since 1970.
fn timestamp(value: Value<'_>) -> Result<i64, Malformed> {
    let (mut fields, mut seconds, mut nanos) = (Fields::new(value.bytes()?), 0i64, 0i64);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => seconds = value.signed()?,
            2 => nanos = value.signed()?,
            _ => {}
        }
    }
    let time = seconds.checked_mul(SECOND);
    time.and_then(|time| time.checked_add(nanos))
        .ok_or_else(|| Malformed::new(format!("a timestamp is out of range: {seconds} seconds")))
}

fn pair(message: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let (mut fields, mut name, mut found) = (Fields::new(message), &[][..], &[][..]);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => name = value.bytes()?,
            2 => found = value.bytes()?,
            _ => {}
        }
    }
    Ok((name, found))
}

//! Messages of OpenTelemetry as JSON, written as the protobuf messages that say the same: so there
//! is one reader of each.
//!
//! Names stand in camel case or with underscores. Integers of 64 bits may stand in quotes, ids are
//! hexadecimal digits, and bytes base64, as OpenTelemetry's mapping says. What is not known is
//! passed over.

mod schema;

use serde_json::Value as Json;

use super::super::message::Message;
use super::super::protobuf::Malformed;
use schema::{Field, Shape};

pub(crate) use schema::{LOGS, METRICS};

/// How deep messages may hold messages; a value in a value is two.
const DEPTH_MAX: usize = 48;

/// The protobuf message of a request in JSON.
pub(crate) fn to_protobuf(text: &[u8], fields: &[Field]) -> Result<Vec<u8>, Malformed> {
    let request: Json = serde_json::from_slice(text)
        .map_err(|error| Malformed::new(format!("the body is no JSON: {error}")))?;
    if !request.is_object() {
        return Err(Malformed::new("the body is no JSON object".to_owned()));
    }
    Ok(message(&request, fields, 0)?.into_bytes())
}

fn message(holder: &Json, fields: &[Field], depth: usize) -> Result<Message, Malformed> {
    if depth > DEPTH_MAX {
        let why = format!("the message is nested deeper than {DEPTH_MAX}");
        return Err(Malformed::new(why));
    }
    let mut written = Message::new();
    let Some(members) = holder.as_object() else {
        return Err(Malformed::new(format!("{} is no object", shown(holder))));
    };
    for field in fields {
        let found = members
            .get(field.name)
            .or_else(|| members.get(&underscored(field.name)));
        if let Some(found) = found.filter(|found| !found.is_null()) {
            let named = |error: Malformed| Malformed::new(format!("{}: {error}", field.name));
            written = put(written, field, found, depth).map_err(named)?;
        }
    }
    Ok(written)
}

fn put(out: Message, field: &Field, found: &Json, depth: usize) -> Result<Message, Malformed> {
    let number = field.number;
    Ok(match field.shape {
        Shape::Text => out.bytes(number, text(found)?),
        Shape::Id => out.bytes(number, id(found)?),
        Shape::Base64 => out.bytes(number, base64(found)?),
        Shape::Integer => out.integer(number, integer(found)?),
        Shape::Zigzag => out.zigzag(number, integer(found)?),
        Shape::Fixed => out.fixed64(number, integer(found)?),
        Shape::Double => out.double(number, float(found)?),
        Shape::Truth => out.integer(number, i64::from(truth(found)?)),
        Shape::Temporality => out.integer(number, temporality(found)?),
        Shape::Message(fields) => out.message(number, message(found, fields(), depth + 1)?),
        Shape::Messages(fields) => {
            let each = list(found)?.iter();
            each.map(|element| message(element, fields(), depth + 1))
                .try_fold(out, |out, element| Ok(out.message(number, element?)))?
        }
        Shape::Doubles => {
            let values: Result<Vec<f64>, _> = list(found)?.iter().map(float).collect();
            out.packed_doubles(number, &values?)
        }
        Shape::Integers => {
            let values: Result<Vec<u64>, _> = list(found)?.iter().map(unsigned).collect();
            out.packed(number, &values?)
        }
        Shape::FixedIntegers => {
            let values: Result<Vec<u64>, _> = list(found)?.iter().map(unsigned).collect();
            let bytes: Vec<u8> = values?
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect();
            out.bytes(number, bytes)
        }
    })
}

/// `timeUnixNano` as `time_unix_nano`.
fn underscored(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

/// A value in an error, cut where it is long.
fn shown(found: &Json) -> String {
    found.to_string().chars().take(60).collect()
}

fn wrong<T>(found: &Json, what: &str) -> Result<T, Malformed> {
    Err(Malformed::new(format!("{} is no {what}", shown(found))))
}

fn list(found: &Json) -> Result<&[Json], Malformed> {
    match found {
        Json::Array(elements) => Ok(elements),
        other => wrong(other, "list"),
    }
}

fn text(found: &Json) -> Result<&str, Malformed> {
    match found {
        Json::String(text) => Ok(text),
        other => wrong(other, "string"),
    }
}

fn truth(found: &Json) -> Result<bool, Malformed> {
    match found {
        Json::Bool(truth) => Ok(*truth),
        other => wrong(other, "truth value"),
    }
}

/// Integers of 64 bits stand in quotes, others need not. Those without a sign are told by their
/// bits.
fn integer(found: &Json) -> Result<i64, Malformed> {
    let read = match found {
        Json::String(text) => {
            let unsigned = || text.parse().ok().map(u64::cast_signed);
            text.parse().ok().or_else(unsigned)
        }
        Json::Number(number) => {
            let unsigned = || number.as_u64().map(u64::cast_signed);
            number.as_i64().or_else(unsigned)
        }
        _ => None,
    };
    read.map_or_else(|| wrong(found, "integer of 64 bits"), Ok)
}

fn unsigned(found: &Json) -> Result<u64, Malformed> {
    integer(found).map(i64::cast_unsigned)
}

fn float(found: &Json) -> Result<f64, Malformed> {
    let read = match found {
        // Also `NaN`, `Infinity` and `-Infinity`.
        Json::String(text) => text.parse().ok(),
        other => other.as_f64(),
    };
    read.map_or_else(|| wrong(found, "number"), Ok)
}

/// A number, or one of the names that it has.
fn temporality(found: &Json) -> Result<i64, Malformed> {
    match found.as_str() {
        Some("AGGREGATION_TEMPORALITY_UNSPECIFIED") => Ok(0),
        Some("AGGREGATION_TEMPORALITY_DELTA") => Ok(1),
        Some("AGGREGATION_TEMPORALITY_CUMULATIVE") => Ok(2),
        _ => integer(found),
    }
}

/// An id of hexadecimal digits.
fn id(found: &Json) -> Result<Vec<u8>, Malformed> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pairs = text(found)?.as_bytes().chunks(2);
    let bytes: Option<Vec<u8>> = pairs
        .map(|two| match two {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect();
    bytes.map_or_else(|| wrong(found, "id of hexadecimal digits"), Ok)
}

/// Bytes, in either alphabet of base64, padded or not.
fn base64(found: &Json) -> Result<Vec<u8>, Malformed> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    };
    let digits = text(found)?.trim_end_matches('=').bytes().map(digit);
    let Some(digits) = digits.collect::<Option<Vec<u8>>>() else {
        return wrong(found, "base64");
    };
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    for four in digits.chunks(4) {
        let joined = four
            .iter()
            .fold(0u32, |joined, digit| joined << 6 | u32::from(*digit));
        let joined = joined << (6 * (4 - four.len()));
        let [_, one, two, three] = joined.to_be_bytes();
        match four.len() {
            4 => bytes.extend([one, two, three]),
            3 => bytes.extend([one, two]),
            2 => bytes.push(one),
            _ => return wrong(found, "base64"),
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;

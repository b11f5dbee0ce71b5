//! Logs of OpenTelemetry as JSON: written as the protobuf message that says the same, so that there
//! is one reader of records.

use serde_json::{Map, Value as Json};

use super::super::message::Message;
use super::super::protobuf::Malformed;

/// How deep values may hold values.
const DEPTH_MAX: usize = 16;

/// The protobuf message of a request in JSON.
pub(crate) fn to_protobuf(text: &[u8]) -> Result<Vec<u8>, Malformed> {
    let request: Json = serde_json::from_slice(text)
        .map_err(|error| Malformed::new(format!("the body is no JSON: {error}")))?;
    let mut message = Message::new();
    for resource in list(&request, "resourceLogs", "resource_logs") {
        message = message.message(1, resource_logs(resource)?);
    }
    Ok(message.into_bytes())
}

fn resource_logs(resource: &Json) -> Result<Message, Malformed> {
    let mut message = Message::new();
    if let Some(found) = member(resource, "resource", "resource") {
        message = message.message(1, attributes(Message::new(), 1, found)?);
    }
    for scope in list(resource, "scopeLogs", "scope_logs") {
        message = message.message(2, scope_logs(scope)?);
    }
    Ok(message)
}

fn scope_logs(scope_logs: &Json) -> Result<Message, Malformed> {
    let mut message = Message::new();
    if let Some(scope) = member(scope_logs, "scope", "scope") {
        let mut found = attributes(Message::new(), 3, scope)?;
        found = string(found, 1, member(scope, "name", "name"))?;
        found = string(found, 2, member(scope, "version", "version"))?;
        let dropped = member(scope, "droppedAttributesCount", "dropped_attributes_count");
        found = integer(found, 4, dropped)?;
        message = message.message(1, found);
    }
    for found in list(scope_logs, "logRecords", "log_records") {
        message = message.message(2, record(found)?);
    }
    Ok(message)
}

fn record(record: &Json) -> Result<Message, Malformed> {
    let of = |camel: &str, snake: &str| member(record, camel, snake);
    let mut message = attributes(Message::new(), 6, record)?;
    message = fixed(message, 1, of("timeUnixNano", "time_unix_nano"))?;
    message = fixed(
        message,
        11,
        of("observedTimeUnixNano", "observed_time_unix_nano"),
    )?;
    message = integer(message, 2, of("severityNumber", "severity_number"))?;
    message = string(message, 3, of("severityText", "severity_text"))?;
    message = string(message, 12, of("eventName", "event_name"))?;
    let dropped = of("droppedAttributesCount", "dropped_attributes_count");
    message = integer(message, 7, dropped)?;
    message = integer(message, 8, of("flags", "flags"))?;
    message = id(message, 9, of("traceId", "trace_id"))?;
    message = id(message, 10, of("spanId", "span_id"))?;
    if let Some(body) = of("body", "body") {
        message = message.message(5, value(body, 0)?);
    }
    Ok(message)
}

/// Adds what stands in `attributes`.
fn attributes(mut message: Message, field: u32, holder: &Json) -> Result<Message, Malformed> {
    for attribute in list(holder, "attributes", "attributes") {
        message = message.message(field, pair(attribute, 0)?);
    }
    Ok(message)
}

fn pair(attribute: &Json, depth: usize) -> Result<Message, Malformed> {
    let message = string(Message::new(), 1, member(attribute, "key", "key"))?;
    match member(attribute, "value", "value") {
        Some(found) => Ok(message.message(2, value(found, depth)?)),
        None => Ok(message),
    }
}

/// A value of any type: an object of which the one member says which.
fn value(found: &Json, depth: usize) -> Result<Message, Malformed> {
    if depth > DEPTH_MAX {
        let why = format!("a value is nested deeper than {DEPTH_MAX}");
        return Err(Malformed::new(why));
    }
    let Some((name, inside)) = found.as_object().and_then(|members| members.iter().next()) else {
        return Ok(Message::new());
    };
    let message = Message::new();
    match (name.as_str(), inside) {
        ("stringValue" | "string_value", Json::String(text)) => Ok(message.bytes(1, text)),
        ("boolValue" | "bool_value", Json::Bool(truth)) => {
            Ok(message.integer(2, i64::from(*truth)))
        }
        ("intValue" | "int_value", number) => Ok(message.integer(3, signed(number)?)),
        ("doubleValue" | "double_value", number) => Ok(message.double(4, float(number)?)),
        ("arrayValue" | "array_value", array) => {
            let mut values = Message::new();
            for element in list(array, "values", "values") {
                values = values.message(1, value(element, depth + 1)?);
            }
            Ok(message.message(5, values))
        }
        ("kvlistValue" | "kvlist_value", map) => {
            let mut pairs = Message::new();
            for member in list(map, "values", "values") {
                pairs = pairs.message(1, pair(member, depth + 1)?);
            }
            Ok(message.message(6, pairs))
        }
        // Bytes are base64 already, which is what becomes of them.
        ("bytesValue" | "bytes_value", Json::String(text)) => Ok(message.bytes(1, text)),
        (name, _) => Err(Malformed::new(format!(
            "{name:?} is no value that is known"
        ))),
    }
}

fn member<'j>(holder: &'j Json, camel: &str, snake: &str) -> Option<&'j Json> {
    let members: &Map<String, Json> = holder.as_object()?;
    let found = members.get(camel).or_else(|| members.get(snake))?;
    (!found.is_null()).then_some(found)
}

fn list<'j>(holder: &'j Json, camel: &str, snake: &str) -> &'j [Json] {
    let found = member(holder, camel, snake).and_then(Json::as_array);
    found.map_or(&[], Vec::as_slice)
}

fn string(message: Message, field: u32, found: Option<&Json>) -> Result<Message, Malformed> {
    match found {
        None => Ok(message),
        Some(Json::String(text)) => Ok(message.bytes(field, text)),
        Some(other) => Err(Malformed::new(format!("{other} is no string"))),
    }
}

fn integer(message: Message, field: u32, found: Option<&Json>) -> Result<Message, Malformed> {
    match found {
        None => Ok(message),
        Some(number) => Ok(message.integer(field, signed(number)?)),
    }
}

/// Eight bytes, as an integer of 64 bits.
fn fixed(message: Message, field: u32, found: Option<&Json>) -> Result<Message, Malformed> {
    match found {
        None => Ok(message),
        Some(number) => Ok(message.fixed64(field, signed(number)?)),
    }
}

/// An id of hexadecimal digits.
fn id(message: Message, field: u32, found: Option<&Json>) -> Result<Message, Malformed> {
    let Some(found) = found else {
        return Ok(message);
    };
    let wrong = || Malformed::new(format!("{found} is no id of hexadecimal digits"));
    let text = found.as_str().ok_or_else(wrong)?;
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let bytes: Option<Vec<u8>> = text
        .as_bytes()
        .chunks(2)
        .map(|two| match two {
            [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
            _ => None,
        })
        .collect();
    Ok(message.bytes(field, bytes.ok_or_else(wrong)?))
}

/// Integers of 64 bits stand in quotes, others need not.
fn signed(found: &Json) -> Result<i64, Malformed> {
    let number = match found {
        Json::String(text) => text.parse().ok(),
        Json::Number(number) => number.as_i64(),
        _ => None,
    };
    number.ok_or_else(|| Malformed::new(format!("{found} is no integer of 64 bits")))
}

fn float(found: &Json) -> Result<f64, Malformed> {
    let number = match found {
        Json::String(text) => text.parse().ok(),
        other => other.as_f64(),
    };
    number.ok_or_else(|| Malformed::new(format!("{found} is no number")))
}

//! Attributes of OpenTelemetry as labels.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::super::protobuf::{Fields, Malformed};
use crate::settings::Translation;

/// Attributes of one resource or data point.
const ATTRIBUTES_MAX: usize = 1024;

/// How deep values may hold values.
const DEPTH_MAX: usize = 8;

/// Integers of this size are floats exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Attributes by their names, not yet translated.
#[derive(Debug, Default)]
pub(super) struct Attributes {
    pairs: BTreeMap<String, String>,
}

impl Attributes {
    /// Adds one from its message.
    pub(super) fn push(&mut self, message: &[u8]) -> Result<(), Malformed> {
        if self.pairs.len() >= ATTRIBUTES_MAX {
            return Err(Malformed::new(format!(
                "there are more than {ATTRIBUTES_MAX} attributes"
            )));
        }
        let (key, value) = pair(message, 0)?;
        self.pairs.insert(key, as_text(value));
        Ok(())
    }

    /// Takes one out.
    pub(super) fn take(&mut self, name: &str) -> Option<String> {
        self.pairs.remove(name)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// As they are.
    pub(super) fn into_pairs(self) -> impl Iterator<Item = (String, String)> {
        self.pairs.into_iter()
    }

    /// As labels. Values of attributes that become one label are put one behind the other.
    pub(super) fn labels(&self, translation: Translation) -> BTreeMap<String, String> {
        let mut labels: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in &self.pairs {
            let text = labels.entry(translation.label(name)).or_default();
            if !text.is_empty() {
                text.push(';');
            }
            text.push_str(value);
        }
        labels
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A float, as an integer where it is one; JSON has no words for what is not finite.
fn json_number(value: f64) -> Json {
    match value.fract() == 0.0 && value.abs() < EXACT {
        // Whole and in range, so the cast loses nothing.
        true => Json::from(value as i64),
        false => serde_json::Number::from_f64(value)
            .map_or_else(|| value.to_string().into(), Json::Number),
    }
}

/// The text of a value: strings as they are, others as JSON.
pub(in crate::wire) fn as_text(value: Json) -> String {
    match value {
        Json::String(text) => text,
        Json::Null => String::new(),
        other => other.to_string(),
    }
}

fn pair(message: &[u8], depth: usize) -> Result<(String, Json), Malformed> {
    let (mut fields, mut key, mut found) = (Fields::new(message), String::new(), Json::Null);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => key = text(value.bytes()?),
            2 => found = any(value.bytes()?, depth)?,
            _ => {}
        }
    }
    Ok((key, found))
}

/// A value of any type.
pub(in crate::wire) fn any(message: &[u8], depth: usize) -> Result<Json, Malformed> {
    if depth > DEPTH_MAX {
        return Err(Malformed::new(format!(
            "a value is nested deeper than {DEPTH_MAX}"
        )));
    }
    let (mut fields, mut found) = (Fields::new(message), Json::Null);
    while let Some((number, value)) = fields.next()? {
        found = match number {
            1 => text(value.bytes()?).into(),
            2 => (value.unsigned()? != 0).into(),
            3 => value.signed()?.into(),
            4 => json_number(value.double()?),
            5 => Json::Array(list(value.bytes()?, depth + 1)?),
            6 => Json::Object(map(value.bytes()?, depth + 1)?),
            7 => base64(value.bytes()?).into(),
            _ => found,
        };
    }
    Ok(found)
}

fn list(message: &[u8], depth: usize) -> Result<Vec<Json>, Malformed> {
    let (mut fields, mut found) = (Fields::new(message), Vec::new());
    while let Some((number, value)) = fields.next()? {
        if number == 1 && found.len() < ATTRIBUTES_MAX {
            found.push(any(value.bytes()?, depth)?);
        }
    }
    Ok(found)
}

fn map(message: &[u8], depth: usize) -> Result<serde_json::Map<String, Json>, Malformed> {
    let (mut fields, mut found) = (Fields::new(message), serde_json::Map::new());
    while let Some((number, value)) = fields.next()? {
        if number == 1 && found.len() < ATTRIBUTES_MAX {
            found.extend([pair(value.bytes()?, depth)?]);
        }
    }
    Ok(found)
}

fn base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for part in bytes.chunks(3) {
        let word = part
            .iter()
            .fold(0u32, |word, byte| word << 8 | u32::from(*byte));
        let word = word << (8 * (3 - part.len()));
        for place in 0..4 {
            let sign = BASE64[(word >> (18 - 6 * place)) as usize & 0x3f];
            out.push(if place > part.len() {
                '='
            } else {
                char::from(sign)
            });
        }
    }
    out
}

/// Bytes of an id as they are written.
pub(in crate::wire) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Message;

    fn attribute(name: &str, value: Message) -> Message {
        Message::new().bytes(1, name).message(2, value)
    }

    #[test]
    fn values_of_every_type_become_text() {
        let text = |value: &str| Message::new().bytes(1, value);
        let list = Message::new()
            .message(1, text("x"))
            .message(1, Message::new().integer(3, 7));
        let map = Message::new().message(1, attribute("k", Message::new().integer(2, 1)));
        let mut attributes = Attributes::default();
        for (name, value) in [
            ("text", text("a b")),
            ("bool", Message::new().integer(2, 1)),
            ("int", Message::new().integer(3, -5)),
            ("double", Message::new().double(4, 0.5)),
            ("list", Message::new().message(5, list)),
            ("map", Message::new().message(6, map)),
            ("bytes", Message::new().bytes(7, [0xff, 0x00, 0x7f, 0x80])),
            ("a.b", text("1")),
            ("a_b", text("2")),
        ] {
            attributes
                .push(&attribute(name, value).into_bytes())
                .unwrap();
        }
        let labels = attributes.labels(Translation::default());
        for (name, value) in [
            ("text", "a b"),
            ("bool", "true"),
            ("int", "-5"),
            ("double", "0.5"),
            ("list", "[\"x\",7]"),
            ("map", "{\"k\":true}"),
            ("bytes", "/wB/gA=="),
            ("a_b", "1;2"),
        ] {
            assert_eq!(labels[name], value, "{name}");
        }
    }

    #[test]
    fn values_nested_without_end_are_refused() {
        let mut value = Message::new().integer(3, 1);
        for _ in 0..20 {
            value = Message::new().message(5, Message::new().message(1, value));
        }
        let mut attributes = Attributes::default();
        assert!(
            attributes
                .push(&attribute("deep", value).into_bytes())
                .is_err()
        );
    }
}

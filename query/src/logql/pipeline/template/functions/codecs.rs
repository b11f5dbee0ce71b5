//! Functions from one way of writing to another: URLs, base64, HTML, JavaScript, JSON.

use std::collections::BTreeMap;

use super::{Arguments, Made, text};
use crate::logql::pipeline::json::scan::{Quoted, Scanner, Value as Json};
use crate::logql::pipeline::template::printf;
use crate::logql::pipeline::template::value::Value;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// How deep arrays and objects may lie in one another.
const DEPTH_MAX: usize = 128;

pub(super) fn call(name: &str, arguments: &Arguments<'_>) -> Option<Made> {
    Some(match name {
        "urlencode" => arguments.bytes(0).and_then(|value| text(url_encode(value))),
        "urlquery" => text(url_encode(&printf::print(arguments.0))),
        "urldecode" => arguments
            .bytes(0)
            .and_then(|value| text(url_decode(value)?)),
        "b64enc" => arguments
            .bytes(0)
            .and_then(|value| text(base64_encode(value))),
        "b64dec" => arguments
            .bytes(0)
            .and_then(|value| text(base64_decode(value)?)),
        "html" => text(html(&printf::print(arguments.0))),
        "js" => text(js(&printf::print(arguments.0))),
        "fromJson" => arguments
            .bytes(0)
            .map(|value| from_json(value).unwrap_or(Value::Nil)),
        _ => return None,
    })
}

fn url_encode(value: &[u8]) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(*byte));
            }
            b' ' => out.push('+'),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

fn url_decode(value: &[u8]) -> Result<Vec<u8>, String> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let mut out = Vec::with_capacity(value.len());
    let mut at = 0;
    while let Some(byte) = value.get(at) {
        at += 1;
        match byte {
            b'+' => out.push(b' '),
            b'%' => match (digit(value.get(at)), digit(value.get(at + 1))) {
                (Some(high), Some(low)) => {
                    out.push(u8::try_from(high * 16 + low).unwrap_or(0));
                    at += 2;
                }
                _ => {
                    let rest = &value[at - 1..value.len().min(at + 2)];
                    let quoted = crate::text::quote::quote_bytes(rest);
                    return Err(format!("invalid URL escape {quoted}"));
                }
            },
            other => out.push(*other),
        }
    }
    Ok(out)
}

fn base64_encode(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len().div_ceil(3) * 4);
    for chunk in value.chunks(3) {
        let mut bits = 0u32;
        for at in 0..3 {
            bits = bits << 8 | u32::from(chunk.get(at).copied().unwrap_or(0));
        }
        for at in 0..4 {
            out.push(match at <= chunk.len() {
                true => BASE64[(bits >> (18 - 6 * at) & 63) as usize],
                false => b'=',
            });
        }
    }
    out
}

fn base64_decode(value: &[u8]) -> Result<Vec<u8>, String> {
    let wrong = |at: usize| format!("illegal base64 data at input byte {at}");
    let letters = value
        .iter()
        .enumerate()
        .filter(|(_, byte)| !matches!(byte, b'\n' | b'\r'));
    let mut out = Vec::with_capacity(value.len() / 4 * 3);
    let (mut bits, mut count, mut padding) = (0u32, 0usize, 0usize);
    for (at, byte) in letters {
        let is_padding = *byte == b'=' && count % 4 >= 2;
        match BASE64.iter().position(|known| known == byte) {
            Some(digit) if padding == 0 => {
                bits = bits << 6 | u32::try_from(digit).unwrap_or(0);
            }
            None if is_padding => {
                bits <<= 6;
                padding += 1;
            }
            _ => return Err(wrong(at)),
        }
        count += 1;
        if count.is_multiple_of(4) {
            let group = bits.to_be_bytes();
            out.extend_from_slice(&group[1..4 - padding]);
            bits = 0;
        }
    }
    match count.is_multiple_of(4) {
        true => Ok(out),
        false => Err(wrong(value.len())),
    }
}

fn html(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for byte in value {
        match byte {
            0 => out.extend_from_slice("\u{fffd}".as_bytes()),
            b'"' => out.extend_from_slice(b"&#34;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            other => out.push(*other),
        }
    }
    out
}

fn js(value: &[u8]) -> String {
    let mut out = String::with_capacity(value.len());
    for letter in String::from_utf8_lossy(value).chars() {
        match letter {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' | '>' | '&' | '=' | '\0'..' ' | '\x7f' => {
                out.push_str(&format!("\\u{:04X}", u32::from(letter)));
            }
            other => out.push(other),
        }
    }
    out
}

/// A whole text as JSON; `None` if it is none.
fn from_json(value: &[u8]) -> Option<Value> {
    // Numbers and words need something that ends them.
    let mut ended = Vec::with_capacity(value.len() + 1);
    ended.extend_from_slice(value);
    ended.push(b' ');
    let mut scanner = Scanner::new(&ended);
    let found = json_value(&mut scanner, 0)?;
    scanner.peek().is_none().then_some(found)
}

fn json_value(scanner: &mut Scanner<'_>, depth: usize) -> Option<Value> {
    if depth > DEPTH_MAX {
        return None;
    }
    match scanner.peek()? {
        b'{' => {
            scanner.take(b'{');
            let mut map = BTreeMap::new();
            while let Some(key) = scanner.key().ok()? {
                let key = String::from_utf8_lossy(&json_text(key)?).into_owned();
                map.insert(key, json_value(scanner, depth + 1)?);
                if !scanner.more().ok()? {
                    break;
                }
            }
            Some(Value::Map(map.into()))
        }
        b'[' => {
            scanner.take(b'[');
            let mut list = Vec::new();
            while !scanner.take(b']') {
                list.push(json_value(scanner, depth + 1)?);
                if !scanner.take(b',') && scanner.peek() != Some(b']') {
                    return None;
                }
            }
            Some(Value::List(list.into()))
        }
        _ => Some(match scanner.value().ok()? {
            Json::String(quoted) => Value::text(json_text(quoted)?),
            Json::Number(raw) => Value::Float(std::str::from_utf8(raw).ok()?.parse().ok()?),
            Json::Bool(raw) => Value::Bool(raw == b"true"),
            Json::Null => Value::Nil,
            Json::Array(_) | Json::Object(_) => return None,
        }),
    }
}

fn json_text(quoted: Quoted<'_>) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(quoted.raw.len());
    quoted.unescape(&mut out)?;
    Some(out)
}

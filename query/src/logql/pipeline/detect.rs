//! Which fields the text of a line has, and what their values look like: what a user may parse
//! before a query says so.

use std::borrow::Cow;

use super::json::DEPTH_MAX;
use super::json::scan::{Fault, Quoted, Scanner, Value};
use super::labels::EXTRACTED;
use super::logfmt::Pairs;
use super::name::{name_text, push_name, value_text};
use crate::text::amounts;

/// What reads the fields of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Parser {
    /// `| json`.
    Json,
    /// `| logfmt`.
    Logfmt,
}

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is named as it is")]
pub enum FieldType {
    Int,
    Float,
    Boolean,
    Duration,
    Bytes,
    String,
}

/// A field of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The label that it would be; the other name where the stream has this one.
    pub name: String,
    /// Its value.
    pub value: String,
    /// The keys that lead to it in a line of JSON.
    pub path: Vec<String>,
}

impl Parser {
    /// Its name in a query.
    pub fn name(self) -> &'static str {
        match self {
            Parser::Json => "json",
            Parser::Logfmt => "logfmt",
        }
    }
}

impl FieldType {
    /// What a value looks like: the first type, in the order of the list, that it can be read as.
    pub fn of(value: &str) -> FieldType {
        const BOOLEANS: [&str; 10] = [
            "t", "T", "true", "TRUE", "True", "f", "F", "false", "FALSE", "False",
        ];
        if value.parse::<i64>().is_ok() {
            FieldType::Int
        } else if amounts::float(value).is_ok() {
            FieldType::Float
        } else if BOOLEANS.contains(&value) {
            FieldType::Boolean
        } else if amounts::duration(value).is_ok() {
            FieldType::Duration
        } else if amounts::bytes(value).is_ok() {
            FieldType::Bytes
        } else {
            FieldType::String
        }
    }

    /// Its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            FieldType::Int => "int",
            FieldType::Float => "float",
            FieldType::Boolean => "boolean",
            FieldType::Duration => "duration",
            FieldType::Bytes => "bytes",
            FieldType::String => "string",
        }
    }
}

/// The fields of a line and what reads them: JSON if the line is an object, else logfmt; `None` if
/// it has no fields. `is_of_stream` tells the names that the stream has.
pub fn fields(line: &[u8], is_of_stream: impl Fn(&str) -> bool) -> Option<(Parser, Vec<Field>)> {
    let (parser, mut found) = match json_fields(line) {
        Ok(found) if !found.is_empty() => (Parser::Json, found),
        _ => (Parser::Logfmt, logfmt_fields(line)),
    };
    for field in &mut found {
        if is_of_stream(&field.name) {
            field.name.push_str(EXTRACTED);
        }
    }
    (!found.is_empty()).then_some((parser, found))
}

fn push(found: &mut Vec<Field>, field: Field) {
    let is_new = !found.iter().any(|other| other.name == field.name);
    if is_new && !field.name.is_empty() {
        found.push(field);
    }
}

fn logfmt_fields(line: &[u8]) -> Vec<Field> {
    let mut found = Vec::new();
    let mut pairs = Pairs::new(line);
    while let Some(pair) = pairs.next() {
        let Some(pair) = pair.ok().filter(|pair| !pair.value.is_empty()) else {
            continue;
        };
        let mut name = Vec::new();
        push_name(&mut name, pair.key);
        let name = name_text(&name).to_owned();
        let value = pair.text().into_owned();
        let path = Vec::new();
        push(&mut found, Field { name, value, path });
    }
    found
}

fn json_fields(line: &[u8]) -> Result<Vec<Field>, Fault> {
    let mut scanner = Scanner::new(line);
    let mut found = Vec::new();
    let mut path: Vec<String> = Vec::new();
    if !scanner.take(b'{') {
        return Err(Fault::Object);
    }
    loop {
        if let Some(key) = scanner.key()? {
            path.push(text(key).into_owned());
            if scanner.take(b'{') {
                match path.len() > DEPTH_MAX {
                    true => return Err(Fault::Deep),
                    false => continue,
                }
            }
            if let Some(value) = shown(scanner.value()?) {
                let field = Field {
                    name: joined(&path),
                    value: value.into_owned(),
                    path: path.clone(),
                };
                push(&mut found, field);
            }
            path.pop();
            if scanner.more()? {
                continue;
            }
        }
        loop {
            if path.pop().is_none() {
                return Ok(found);
            }
            if scanner.more()? {
                break;
            }
        }
    }
}

fn joined(path: &[String]) -> String {
    let mut name = Vec::new();
    for key in path {
        if !name.is_empty() {
            name.push(b'_');
        }
        push_name(&mut name, key.as_bytes());
    }
    name_text(&name).to_owned()
}

fn text(quoted: Quoted<'_>) -> Cow<'_, str> {
    if !quoted.has_escapes {
        return value_text(quoted.raw);
    }
    let mut out = Vec::with_capacity(quoted.raw.len());
    let _ = quoted.unescape(&mut out);
    value_text(&out).into_owned().into()
}

fn shown(value: Value<'_>) -> Option<Cow<'_, str>> {
    match value {
        Value::String(quoted) => Some(text(quoted)),
        Value::Number(raw) | Value::Bool(raw) => Some(value_text(raw)),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> String {
        let Some((parser, fields)) = fields(line.as_bytes(), |name| name == "pod") else {
            return String::new();
        };
        let shown = fields.iter().map(|field| {
            let Field { name, value, path } = field;
            let of = FieldType::of(value).name();
            format!(" {name}={value}:{of}@{}", path.join("."))
        });
        parser.name().to_owned() + &shown.collect::<String>()
    }

    #[test]
    fn a_line_is_read_as_json_or_else_as_logfmt() {
        let cases = [
            (
                r#"{"a":{"b-c":1,"d":[1]},"pod":"x","e":true,"a_b_c":2}"#,
                "json a_b_c=1:int@a.b-c pod_extracted=x:string@pod e=true:boolean@e",
            ),
            (
                "took=1.5ms size=3MB n=-1.5 pod=p flag empty= took=x",
                "logfmt took=1.5ms:duration@ size=3MB:bytes@ n=-1.5:float@ pod_extracted=p:string@",
            ),
            ("just words", ""),
            ("{}", ""),
            ("", ""),
        ];
        for (line, fields) in cases {
            assert_eq!(found(line), fields, "{line}");
        }
        assert_eq!(fields("{\"a\":".repeat(9000).as_bytes(), |_| false), None);
    }
}

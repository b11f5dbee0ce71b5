//! `| json a="x.y[0]["k"]"`: values by their place.

use super::JSON_ERROR;
use super::scan::{Fault, Scanner, Value};
use crate::logql::pipeline::labels::{LineLabels, Repeated};
use crate::logql::pipeline::name::value_text;

/// One step to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Index(usize),
}

/// The way to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::logql::pipeline) struct Path {
    steps: Vec<Step>,
}

/// The labels that a stage asks for.
pub(in crate::logql::pipeline) struct JsonPaths {
    wanted: Vec<(String, Path)>,
}

impl JsonPaths {
    pub(in crate::logql::pipeline) fn new(wanted: Vec<(String, Path)>) -> JsonPaths {
        JsonPaths { wanted }
    }

    /// Sets a label for each expression: an empty one if the line has no such value.
    pub(in crate::logql::pipeline) fn parse(&self, line: &[u8], labels: &mut LineLabels<'_>) {
        let Some(first) = line.first() else {
            return;
        };
        if !matches!(first, b'"' | b'{' | b'[') {
            return labels.fail(JSON_ERROR, "");
        }
        for (name, path) in &self.wanted {
            let found = path.find(line).unwrap_or_else(|fault| {
                labels.fail(JSON_ERROR, fault.text());
                None
            });
            match found {
                Some(value) => {
                    let text = show(value);
                    labels.extract(name, &value_text(&text), Repeated::LastWins);
                }
                None if labels.value(name).is_none() => {
                    labels.extract(name, "", Repeated::LastWins);
                }
                None => {}
            }
        }
    }
}

/// The text of a value; objects and arrays are themselves.
fn show(value: Value<'_>) -> std::borrow::Cow<'_, [u8]> {
    match value {
        Value::String(quoted) if quoted.has_escapes => {
            let mut out = Vec::with_capacity(quoted.raw.len());
            let _ = quoted.unescape(&mut out);
            out.into()
        }
        Value::String(quoted) => quoted.raw.into(),
        Value::Null => (&[] as &[u8]).into(),
        Value::Number(raw) | Value::Bool(raw) | Value::Array(raw) | Value::Object(raw) => {
            raw.into()
        }
    }
}

impl Path {
    /// Reads an expression such as `x.y[0]["k"]`; the error is what a parser of such would say.
    pub(in crate::logql::pipeline) fn parse(text: &str) -> Result<Path, String> {
        let fail = |what: &str| Err(format!("cannot parse expression [{text}]: {what}"));
        let unexpected = |found: &str, wanted: &str| {
            let expecting = match wanted {
                "" => String::new(),
                _ => format!(", expecting {wanted}"),
            };
            fail(&format!("syntax error: unexpected {found}{expecting}"))
        };
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() || steps.is_empty() {
            if let Some(inside) = rest.strip_prefix('[') {
                match index(inside) {
                    Ok((step, behind)) => {
                        steps.push(step);
                        rest = behind;
                        continue;
                    }
                    Err((found, wanted)) => return unexpected(found, wanted),
                }
            }
            let (body, wanted) = match rest.strip_prefix('.') {
                _ if steps.is_empty() => (rest, "LSB or FIELD"),
                Some(body) => (body, "FIELD"),
                None => ("", ""),
            };
            let length = body
                .find(|letter: char| !is_field_letter(letter))
                .unwrap_or(body.len());
            if length > 0 && !body.starts_with(|letter: char| letter.is_ascii_digit()) {
                steps.push(Step::Key(body[..length].to_owned()));
                rest = &body[length..];
                continue;
            }
            let place = if wanted.is_empty() { rest } else { body };
            return match token(place) {
                Some(found) => unexpected(found, wanted),
                None => {
                    let letter = place.chars().next().unwrap_or(' ');
                    fail(&format!("unexpected char {letter}"))
                }
            };
        }
        Ok(Path { steps })
    }

    /// The value, if it is there. Only a value at the end of the way can be unsound; what stands
    /// before it is passed over as far as it is sound.
    fn find<'l>(&self, line: &'l [u8]) -> Result<Option<Value<'l>>, Fault> {
        let mut inside = line;
        let mut found = None;
        for (at, step) in self.steps.iter().enumerate() {
            let value = match step.find(inside) {
                Some(Ok(value)) => value,
                Some(Err(fault)) if at + 1 == self.steps.len() => return Err(fault),
                Some(Err(_)) | None => return Ok(None),
            };
            inside = match value {
                Value::Object(raw) | Value::Array(raw) => raw,
                _ => &[],
            };
            found = Some(value);
        }
        Ok(found)
    }
}

impl Step {
    /// The value at this step below an object or an array, or what is wrong with it.
    fn find<'l>(&self, inside: &'l [u8]) -> Option<Result<Value<'l>, Fault>> {
        let mut scanner = Scanner::new(inside);
        match self {
            Step::Key(wanted) => {
                if !scanner.take(b'{') {
                    return None;
                }
                while let Some(key) = scanner.key().ok()? {
                    let value = scanner.value();
                    if is_key(key, wanted) {
                        return Some(value);
                    }
                    value.ok()?;
                    if !scanner.more().ok()? {
                        break;
                    }
                }
                None
            }
            Step::Index(wanted) => {
                if !scanner.take(b'[') || scanner.peek() == Some(b']') {
                    return None;
                }
                for _ in 0..*wanted {
                    scanner.value().ok()?;
                    if !scanner.take(b',') {
                        return None;
                    }
                }
                Some(scanner.value())
            }
        }
    }
}

fn is_key(key: super::scan::Quoted<'_>, wanted: &str) -> bool {
    if !key.has_escapes {
        return key.raw == wanted.as_bytes();
    }
    let mut out = Vec::with_capacity(key.raw.len());
    key.unescape(&mut out).is_some() && out == wanted.as_bytes()
}

fn is_field_letter(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '-'
}

/// What a scanner of expressions calls the next token.
fn token(text: &str) -> Option<&'static str> {
    match text.chars().next() {
        None => Some("$end"),
        Some('.') => Some("DOT"),
        Some('[') => Some("LSB"),
        Some(']') => Some("RSB"),
        Some('"') => Some("STRING"),
        Some(letter) if letter.is_ascii_digit() => Some("INDEX"),
        Some(letter) if is_field_letter(letter) => Some("FIELD"),
        Some(_) => None,
    }
}

/// What stands behind a bracket: an index or a quoted key, and the closing bracket.
fn index(text: &str) -> Result<(Step, &str), (&'static str, &'static str)> {
    let unknown = |text| token(text).unwrap_or("$unk");
    if let Some(quoted) = text.strip_prefix('"') {
        let mut key = String::new();
        let mut letters = quoted.char_indices();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => {
                    let behind = &quoted[at + 1..];
                    let rest = behind.strip_prefix(']');
                    return match rest {
                        Some(rest) => Ok((Step::Key(key), rest)),
                        None => Err((unknown(behind), "RSB")),
                    };
                }
                '\\' => key.extend(letters.next().map(|(_, escaped)| escaped)),
                _ => key.push(letter),
            }
        }
        return Err(("$end", "RSB"));
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, behind) = text.split_at(digits);
    match (number.parse(), behind.strip_prefix(']')) {
        (Ok(place), Some(rest)) => Ok((Step::Index(place), rest)),
        (Ok(_), None) => Err((unknown(behind), "RSB")),
        (Err(_), _) => Err((unknown(text), "STRING or INDEX")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &[u8] = br#"{"a":{"b":[1,"two",{"c d":true}]},"n":null,"q\"x":"\u00e9"}"#;

    fn found(path: &str) -> Option<String> {
        let value = Path::parse(path).unwrap().find(LINE).unwrap()?;
        Some(String::from_utf8(show(value).into_owned()).unwrap())
    }

    #[test]
    fn a_path_leads_to_a_value_or_to_none() {
        let cases = [
            ("a.b[0]", Some("1")),
            ("a.b[1]", Some("two")),
            ("a.b[2][\"c d\"]", Some("true")),
            ("a[\"b\"][2]", Some("{\"c d\":true}")),
            ("a", Some("{\"b\":[1,\"two\",{\"c d\":true}]}")),
            ("[\"q\\\"x\"]", Some("é")),
            ("n", Some("")),
            ("a.b[3]", None),
            ("a.x", None),
            ("a.b.c", None),
            ("a.b[0].c", None),
        ];
        for (path, value) in cases {
            assert_eq!(found(path).as_deref(), value, "{path}");
        }
    }

    #[test]
    fn a_value_that_is_cut_off_is_a_fault_and_one_behind_it_is_missing() {
        let find = |path: &str| Path::parse(path).unwrap().find(b"{\"a\":1,\"b\":\"cut");
        assert_eq!(find("a"), Ok(Some(Value::Number(b"1"))));
        assert_eq!(find("b"), Err(Fault::String));
        assert_eq!(find("b.c"), Ok(None));
        assert_eq!(find("c"), Ok(None));
    }

    #[test]
    fn a_wrong_expression_is_told_as_its_parser_would() {
        let cases = [
            ("..b", "unexpected DOT, expecting LSB or FIELD"),
            ("b[", "unexpected $end, expecting STRING or INDEX"),
            ("b[0", "unexpected $end, expecting RSB"),
            ("b.", "unexpected $end, expecting FIELD"),
            ("", "unexpected $end, expecting LSB or FIELD"),
        ];
        for (text, what) in cases {
            let error = format!("cannot parse expression [{text}]: syntax error: {what}");
            assert_eq!(Path::parse(text), Err(error), "{text}");
        }
        for text in [
            "a b", "]", "a]", "a[\"b", "a[\"b\"c", "a[x]", "é.ü", "0", "a\"b\"",
        ] {
            let _ = Path::parse(text);
        }
    }
}

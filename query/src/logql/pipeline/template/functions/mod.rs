//! The functions of templates: their names, how many arguments they take, and what they give.

mod codecs;
mod maths;
mod moments;
mod texts;

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use chronolith_engine::labels::Re2;

use super::exec::Exec;
use super::value::Value;
use super::{TEXT_BYTES_MAX, compare, printf};

/// The function that gives the line.
pub(super) const LINE: &str = "__line__";
/// How many compiled patterns are kept.
const REGEXES_MAX: usize = 64;

/// Functions with the fewest and the most arguments they take.
const KNOWN: [(&str, usize, usize); 85] = [
    (LINE, 0, 0),
    ("Replace", 4, 4),
    ("ToLower", 1, 1),
    ("ToUpper", 1, 1),
    ("Trim", 2, 2),
    ("TrimLeft", 2, 2),
    ("TrimPrefix", 2, 2),
    ("TrimRight", 2, 2),
    ("TrimSpace", 1, 1),
    ("TrimSuffix", 2, 2),
    ("__timestamp__", 0, 0),
    ("add", 0, MANY),
    ("addf", 0, MANY),
    ("alignLeft", 2, 2),
    ("alignRight", 2, 2),
    ("and", 1, MANY),
    ("b64dec", 1, 1),
    ("b64enc", 1, 1),
    ("bytes", 1, 1),
    ("ceil", 1, 1),
    ("contains", 2, 2),
    ("count", 2, 2),
    ("date", 2, 2),
    ("default", 1, MANY),
    ("div", 2, 2),
    ("divf", 1, MANY),
    ("duration", 1, 1),
    ("duration_seconds", 1, 1),
    ("eq", 1, MANY),
    ("float64", 1, 1),
    ("floor", 1, 1),
    ("fromJson", 1, 1),
    ("ge", 2, 2),
    ("gt", 2, 2),
    ("hasPrefix", 2, 2),
    ("hasSuffix", 2, 2),
    ("html", 0, MANY),
    ("indent", 2, 2),
    ("index", 1, MANY),
    ("int", 1, 1),
    ("js", 0, MANY),
    ("le", 2, 2),
    ("len", 1, 1),
    ("lower", 1, 1),
    ("lt", 2, 2),
    ("max", 1, MANY),
    ("maxf", 1, MANY),
    ("min", 1, MANY),
    ("minf", 1, MANY),
    ("mod", 2, 2),
    ("mul", 1, MANY),
    ("mulf", 1, MANY),
    ("ne", 2, 2),
    ("nindent", 2, 2),
    ("not", 1, 1),
    ("now", 0, 0),
    ("or", 1, MANY),
    ("print", 0, MANY),
    ("printf", 1, MANY),
    ("println", 0, MANY),
    ("regexReplaceAll", 3, 3),
    ("regexReplaceAllLiteral", 3, 3),
    ("repeat", 2, 2),
    ("replace", 3, 3),
    ("round", 2, MANY),
    ("slice", 1, 4),
    ("sub", 2, 2),
    ("subf", 1, MANY),
    ("substr", 3, 3),
    ("title", 1, 1),
    ("toDate", 2, 2),
    ("toDateInZone", 3, 3),
    ("trim", 1, 1),
    ("trimAll", 2, 2),
    ("trimPrefix", 2, 2),
    ("trimSuffix", 2, 2),
    ("trunc", 2, 2),
    ("unixEpoch", 1, 1),
    ("unixEpochMillis", 1, 1),
    ("unixEpochNanos", 1, 1),
    ("unixToTime", 1, 1),
    ("upper", 1, 1),
    ("urldecode", 1, 1),
    ("urlencode", 1, 1),
    ("urlquery", 0, MANY),
];

const MANY: usize = usize::MAX;

/// Compiled patterns, by their text.
#[derive(Default)]
pub(in super::super) struct Regexes {
    compiled: HashMap<String, Re2>,
}

/// What a function gives, or what is wrong.
type Made = Result<Value, String>;

/// The name of a function, if there is one of this name.
pub(super) fn known(name: &str) -> Option<&'static str> {
    KNOWN
        .iter()
        .find(|(known, ..)| *known == name)
        .map(|(known, ..)| *known)
}

/// What to say of a wrong number of arguments: how many are wanted.
pub(super) fn wrong_count(name: &str, count: usize) -> Option<String> {
    let (_, fewest, most) = KNOWN.iter().find(|(known, ..)| *known == name)?;
    match (count < *fewest || count > *most, *most) {
        (false, _) => None,
        (true, MANY) => Some(format!("at least {fewest}")),
        (true, _) => Some(fewest.to_string()),
    }
}

/// Calls a function with as many arguments as it takes.
pub(super) fn call(name: &'static str, arguments: &[Value], exec: &mut Exec<'_, '_, '_>) -> Made {
    if let ("index", [Value::Map(map), Value::Text(key)]) = (name, arguments) {
        return Ok(exec.member(map, &String::from_utf8_lossy(key)));
    }
    let arguments = Arguments(arguments);
    match name {
        LINE => return Ok(Value::text(exec.context.line)),
        "__timestamp__" => return Ok(moments::of_line(exec.context.time)),
        "count" | "regexReplaceAll" | "regexReplaceAllLiteral" => {
            return texts::with_regex(name, &arguments, exec.regexes);
        }
        _ => {}
    }
    let made = builtin(name, &arguments)
        .or_else(|| texts::call(name, &arguments))
        .or_else(|| maths::call(name, &arguments))
        .or_else(|| moments::call(name, &arguments))
        .or_else(|| codecs::call(name, &arguments));
    let value = made.unwrap_or_else(|| Err("no such function".to_owned()))?;
    match &value {
        Value::Text(text) if text.len() > TEXT_BYTES_MAX => Err("the text is too long".to_owned()),
        _ => Ok(value),
    }
}

impl Regexes {
    fn compile(&mut self, pattern: &str) -> Result<&Re2, String> {
        if !self.compiled.contains_key(pattern) {
            if self.compiled.len() >= REGEXES_MAX {
                self.compiled.clear();
            }
            let compiled = Re2::compile(pattern).map_err(|error| error.to_string())?;
            self.compiled.insert(pattern.to_owned(), compiled);
        }
        Ok(&self.compiled[pattern])
    }
}

/// Arguments of a call, as many as the function takes.
struct Arguments<'a>(&'a [Value]);

impl<'a> Arguments<'a> {
    fn at(&self, at: usize) -> &'a Value {
        self.0.get(at).unwrap_or(&Value::Nil)
    }

    fn bytes(&self, at: usize) -> Result<&'a [u8], String> {
        match self.at(at) {
            Value::Text(text) => Ok(text),
            other => Err(wrong_type("string", other)),
        }
    }

    fn text(&self, at: usize) -> Result<Cow<'a, str>, String> {
        self.bytes(at).map(String::from_utf8_lossy)
    }

    fn int(&self, at: usize) -> Result<i64, String> {
        match self.at(at) {
            Value::Int(value) => Ok(*value),
            other => Err(wrong_type("int", other)),
        }
    }
}

fn wrong_type(wanted: &str, got: &Value) -> String {
    let got = got.type_name();
    format!("wrong type for value; expected {wanted}; got {got}")
}

fn text(text: impl AsRef<[u8]>) -> Made {
    Ok(Value::text(text.as_ref()))
}

/// The functions that Go's templates have.
fn builtin(name: &str, arguments: &Arguments<'_>) -> Option<Made> {
    let first = || arguments.at(0);
    let order = |is_meant: fn(Ordering) -> bool| {
        let order = compare::order(arguments.at(0), arguments.at(1))?;
        Ok(Value::Bool(order.is_some_and(is_meant)))
    };
    Some(match name {
        "eq" if arguments.0.len() < 2 => Err("missing argument for comparison".to_owned()),
        "eq" => compare::equal(first(), &arguments.0[1..]).map(Value::Bool),
        "ne" => compare::equal(first(), &arguments.0[1..]).map(|is_equal| Value::Bool(!is_equal)),
        "lt" => order(Ordering::is_lt),
        "le" => order(Ordering::is_le),
        "gt" => order(Ordering::is_gt),
        "ge" => order(Ordering::is_ge),
        "not" => Ok(Value::Bool(!first().is_true())),
        "len" => length(first()),
        "index" => arguments.0[1..]
            .iter()
            .try_fold(first().clone(), |value, key| index(&value, key)),
        "slice" => slice(arguments),
        "print" => text(printf::print(arguments.0)),
        "println" => text(printf::println(arguments.0)),
        "printf" => arguments
            .bytes(0)
            .and_then(|format| printf::printf(format, &arguments.0[1..]))
            .map(Value::text),
        "default" => Ok(match arguments.0 {
            [default] => default.clone(),
            [default, given, ..] if is_empty(given) => default.clone(),
            [_, given, ..] => given.clone(),
            [] => Value::Nil,
        }),
        _ => return None,
    })
}

/// Whether `default` takes its default for it.
fn is_empty(value: &Value) -> bool {
    !matches!(value, Value::Time(_)) && !value.is_true()
}

fn count(length: usize) -> Value {
    Value::Int(i64::try_from(length).unwrap_or(i64::MAX))
}

fn length(value: &Value) -> Made {
    match value {
        Value::Text(text) => Ok(count(text.len())),
        Value::List(list) => Ok(count(list.len())),
        Value::Map(map) => Ok(count(map.len())),
        Value::Nil => Err("len of nil pointer".to_owned()),
        other => Err(format!("len of type {}", other.type_name())),
    }
}

fn index(value: &Value, key: &Value) -> Made {
    let place = |length: usize| match key {
        Value::Int(at) => usize::try_from(*at)
            .ok()
            .filter(|at| *at < length)
            .ok_or_else(|| format!("index out of range: {at}")),
        other => Err(format!(
            "cannot index slice/array with type {}",
            other.type_name()
        )),
    };
    match (value, key) {
        (Value::Map(map), Value::Text(key)) => {
            let found = map.get(&*String::from_utf8_lossy(key));
            Ok(found.cloned().unwrap_or(Value::Nil))
        }
        (Value::Map(_), other) => Err(wrong_type("string", other)),
        (Value::List(list), _) => Ok(list[place(list.len())?].clone()),
        (Value::Text(text), _) => Ok(Value::Int(i64::from(text[place(text.len())?]))),
        (Value::Nil, _) => Err("index of untyped nil".to_owned()),
        (other, _) => Err(format!("can't index item of type {}", other.type_name())),
    }
}

fn slice(arguments: &Arguments<'_>) -> Made {
    let length = match arguments.at(0) {
        Value::Text(text) => text.len(),
        Value::List(list) => list.len(),
        Value::Nil => return Err("slice of untyped nil".to_owned()),
        other => return Err(format!("can't slice item of type {}", other.type_name())),
    };
    let place = |at: usize, default: usize| match arguments.0.get(at) {
        None => Ok(default),
        Some(Value::Int(place)) => usize::try_from(*place)
            .ok()
            .filter(|place| *place <= length)
            .ok_or_else(|| format!("index out of range: {place}")),
        Some(other) => Err(format!(
            "cannot index slice/array with type {}",
            other.type_name()
        )),
    };
    let (start, end) = (place(1, 0)?, place(2, length)?);
    if start > end {
        return Err(format!("invalid slice index: {start} > {end}"));
    }
    match arguments.at(0) {
        Value::Text(_) if arguments.0.len() > 3 => Err("cannot 3-index slice a string".to_owned()),
        Value::Text(text) => Ok(Value::text(&text[start..end])),
        Value::List(list) => Ok(Value::List(Arc::from(&list[start..end]))),
        _ => Ok(Value::Nil),
    }
}

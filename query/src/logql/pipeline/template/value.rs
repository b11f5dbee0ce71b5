//! [`Value`]: what a template computes with, and how Go prints it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::times::Time;
use crate::text::number;

/// A value of a template.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// Bytes, since functions may cut a character.
    Text(Arc<[u8]>),
    List(Arc<[Value]>),
    Map(Arc<BTreeMap<String, Value>>),
    Time(Time),
}

impl Value {
    pub(super) fn text(bytes: impl Into<Arc<[u8]>>) -> Value {
        Value::Text(bytes.into())
    }

    /// What errors call the type.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Value::Nil => "nil",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float64",
            Value::Text(_) => "string",
            Value::List(_) => "[]interface {}",
            Value::Map(_) => "map[string]interface {}",
            Value::Time(_) => "time.Time",
        }
    }

    /// Whether `if` and its kin take it as true.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Value::Nil => false,
            Value::Bool(value) => *value,
            Value::Int(value) => *value != 0,
            Value::Float(value) => *value != 0.0,
            Value::Text(text) => !text.is_empty(),
            Value::List(list) => !list.is_empty(),
            Value::Map(map) => !map.is_empty(),
            Value::Time(_) => true,
        }
    }

    /// Appends it as Go's `%v` prints it.
    pub(super) fn show(&self, out: &mut Vec<u8>) {
        match self {
            Value::Nil => out.extend_from_slice(b"<nil>"),
            Value::Bool(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Value::Int(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Value::Float(value) => out.extend_from_slice(number::general(*value).as_bytes()),
            Value::Text(text) => out.extend_from_slice(text),
            Value::List(list) => {
                out.push(b'[');
                for (at, value) in list.iter().enumerate() {
                    if at > 0 {
                        out.push(b' ');
                    }
                    value.show(out);
                }
                out.push(b']');
            }
            Value::Map(map) => {
                out.extend_from_slice(b"map[");
                for (at, (key, value)) in map.iter().enumerate() {
                    if at > 0 {
                        out.push(b' ');
                    }
                    out.extend_from_slice(key.as_bytes());
                    out.push(b':');
                    value.show(out);
                }
                out.push(b']');
            }
            Value::Time(time) => out.extend_from_slice(time.show().as_bytes()),
        }
    }

    /// As Go's `%v` prints it.
    pub(super) fn shown(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.show(&mut out);
        out
    }
}

//! `eq`, `ne`, `lt` and their kin.

use std::cmp::Ordering;

use super::value::Value;

const INCOMPATIBLE: &str = "incompatible types for comparison";

/// Whether the first value equals any of the others.
pub(super) fn equal(first: &Value, others: &[Value]) -> Result<bool, String> {
    for other in others {
        if is_equal(first, other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_equal(left: &Value, right: &Value) -> Result<bool, String> {
    Ok(match (left, right) {
        (Value::Nil, Value::Nil) => true,
        (Value::Nil, _) | (_, Value::Nil) => false,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Int(left), Value::Int(right)) => left == right,
        (Value::Float(left), Value::Float(right)) => left == right,
        (Value::Text(left), Value::Text(right)) => left == right,
        (Value::Time(left), Value::Time(right)) => left.unix_ns() == right.unix_ns(),
        (Value::List(_) | Value::Map(_), _) | (_, Value::List(_) | Value::Map(_)) => {
            return Err("uncomparable type for comparison".to_owned());
        }
        _ => return Err(INCOMPATIBLE.to_owned()),
    })
}

/// How two values are ordered; none where one of them is no number.
pub(super) fn order(left: &Value, right: &Value) -> Result<Option<Ordering>, String> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Ok(Some(left.cmp(right))),
        (Value::Float(left), Value::Float(right)) => Ok(left.partial_cmp(right)),
        (Value::Text(left), Value::Text(right)) => Ok(Some(left.cmp(right))),
        (
            Value::Int(_) | Value::Float(_) | Value::Text(_),
            Value::Int(_) | Value::Float(_) | Value::Text(_),
        ) => Err(INCOMPATIBLE.to_owned()),
        _ => Err("invalid type for comparison".to_owned()),
    }
}

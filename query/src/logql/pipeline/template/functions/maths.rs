//! Functions on numbers. Texts are read as numbers; what is none counts as 0.

use super::{Arguments, Made};
use crate::logql::pipeline::template::decimal::{self, Operation};
use crate::logql::pipeline::template::value::Value;
use crate::text::amounts;

pub(super) fn call(name: &str, arguments: &Arguments<'_>) -> Option<Made> {
    let ints = || arguments.0.iter().map(to_int);
    let floats = || arguments.0.iter().map(to_float);
    let first = || to_float(arguments.at(0));
    let int = |value: Option<i64>| Ok(Value::Int(value.unwrap_or(0)));
    let float = |value: f64| Ok(Value::Float(value));
    Some(match name {
        "add" => int(Some(ints().fold(0, i64::wrapping_add))),
        "sub" => int(ints().reduce(i64::wrapping_sub)),
        "mul" => int(ints().reduce(i64::wrapping_mul)),
        "div" | "mod" => divide(name, to_int(arguments.at(0)), to_int(arguments.at(1))),
        "max" => int(ints().max()),
        "min" => int(ints().min()),
        "addf" => decimals(Operation::Add, arguments),
        "subf" => decimals(Operation::Sub, arguments),
        "mulf" => decimals(Operation::Mul, arguments),
        "divf" => decimals(Operation::Div, arguments),
        "maxf" => float(floats().fold(first(), f64::max)),
        "minf" => float(floats().fold(first(), f64::min)),
        "ceil" => float(first().ceil()),
        "floor" => float(first().floor()),
        "round" => round(arguments),
        "int" => int(Some(to_int(arguments.at(0)))),
        "float64" => float(first()),
        "bytes" => arguments.text(0).and_then(|text| {
            #[expect(clippy::cast_precision_loss)] // Sizes are floats here.
            let size = amounts::bytes(&text)? as f64;
            float(size)
        }),
        "duration" | "duration_seconds" => arguments.text(0).and_then(|text| {
            #[expect(clippy::cast_precision_loss)] // Seconds are floats here.
            let seconds = amounts::duration(&text)? as f64 / 1e9;
            float(seconds)
        }),
        _ => return None,
    })
}

/// A value as an integer: texts lose what is behind the point, and are 0 if they are none.
pub(super) fn to_int(value: &Value) -> i64 {
    match value {
        Value::Int(value) => *value,
        // The cast cuts to what fits.
        #[expect(clippy::cast_possible_truncation)]
        Value::Float(value) => *value as i64,
        Value::Bool(value) => i64::from(*value),
        Value::Text(text) => parse_int(&String::from_utf8_lossy(text)).unwrap_or(0),
        Value::Nil | Value::List(_) | Value::Map(_) | Value::Time(_) => 0,
    }
}

fn parse_int(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match (digits.get(..2), digits) {
        (Some("0x" | "0X"), _) => (16, &digits[2..]),
        (Some("0b" | "0B"), _) => (2, &digits[2..]),
        (Some("0o" | "0O"), _) => (8, &digits[2..]),
        _ => (10, digits),
    };
    let digits = match digits.split_once('.') {
        Some((whole, fraction)) if fraction.bytes().all(|byte| byte.is_ascii_digit()) => whole,
        Some(_) => return None,
        None => digits,
    };
    let is_number = digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let value = i64::from_str_radix(digits, radix).ok()?;
    is_number.then_some(sign * value)
}

#[expect(clippy::cast_precision_loss)] // As Go converts integers.
fn to_float(value: &Value) -> f64 {
    match value {
        Value::Float(value) => *value,
        Value::Text(text) => amounts::float(&String::from_utf8_lossy(text)).unwrap_or(0.0),
        other => to_int(other) as f64,
    }
}

fn divide(name: &str, left: i64, right: i64) -> Made {
    if right == 0 {
        return Err("runtime error: integer divide by zero".to_owned());
    }
    Ok(Value::Int(match name {
        "div" => left.wrapping_div(right),
        _ => left.wrapping_rem(right),
    }))
}

fn decimals(operation: Operation, arguments: &Arguments<'_>) -> Made {
    let mut numbers = arguments.0.iter().map(to_float);
    let start = match operation {
        Operation::Add => 0.0,
        _ => numbers.next().unwrap_or(0.0),
    };
    numbers
        .try_fold(start, |left, right| decimal::apply(operation, left, right))
        .map(Value::Float)
}

/// To so many digits behind the point, up from the fraction that may follow. What is below zero is
/// rounded down.
fn round(arguments: &Arguments<'_>) -> Made {
    let from = match arguments.0.get(2) {
        Some(from) => to_float(from),
        None => 0.5,
    };
    let digits = i32::try_from(arguments.int(1)?).unwrap_or(0);
    let power = 10f64.powi(digits);
    let shifted = power * to_float(arguments.at(0));
    let rounded = match shifted.fract() >= from {
        true => shifted.ceil(),
        false => shifted.floor(),
    };
    Ok(Value::Float(rounded / power))
}

//! `| json` without a list: every value of the line, its name the keys that lead to it.
//!
//! Keys are joined with `_`; arrays and nulls are left out.

use std::ops::ControlFlow;

use super::scan::{Fault, Quoted, Scanner, Value};
use crate::logql::pipeline::name::{name_text, push_name, value_text};

/// How deep objects may lie in one another.
pub(in crate::logql) const DEPTH_MAX: usize = 256;

/// Begins names that nobody looks at; no name has it.
const UNWANTED: u8 = b'-';

/// What flattening needs from line to line.
#[derive(Default)]
pub(in crate::logql) struct Flattened {
    name: Vec<u8>,
    /// How long the name was before each object that is open.
    lengths: Vec<usize>,
    unescaped: Vec<u8>,
}

/// What looks at flattened values.
pub(in crate::logql) trait Sink {
    /// Whether a value of this name would be looked at.
    fn wants(&self, name: &[u8]) -> bool;
    /// Whether a name that begins with this byte may be wanted.
    fn may_begin(&self, byte: u8) -> bool;
    /// A value. Whether it was the last one that is looked at.
    fn value(&mut self, name: &str, value: &str) -> ControlFlow<()>;
}

/// Sends every value of a line into `sink`, as far as the line is sound and `sink` wants more.
pub(in crate::logql) fn flatten(
    line: &[u8],
    state: &mut Flattened,
    sink: &mut impl Sink,
) -> Result<(), Fault> {
    let mut scanner = Scanner::new(line);
    if !scanner.take(b'{') {
        return Err(Fault::Object);
    }
    state.name.clear();
    state.lengths.clear();
    loop {
        let length = state.name.len();
        match scanner.key()? {
            None => {}
            Some(key) => {
                push_key(state, key, sink)?;
                if scanner.peek() == Some(b'{') {
                    scanner.take(b'{');
                    state.lengths.push(length);
                    if state.lengths.len() > DEPTH_MAX {
                        return Err(Fault::Deep);
                    }
                    continue;
                }
                match is_wanted(&state.name, sink) {
                    true if emit(state, scanner.value()?, sink).is_break() => return Ok(()),
                    true => {}
                    false => scanner.skip()?,
                }
                state.name.truncate(length);
                if scanner.more()? {
                    continue;
                }
            }
        }
        // An object has ended; so may those around it.
        loop {
            let Some(length) = state.lengths.pop() else {
                return Ok(());
            };
            state.name.truncate(length);
            if scanner.more()? {
                break;
            }
        }
    }
}

#[inline]
fn is_wanted(name: &[u8], sink: &impl Sink) -> bool {
    let is_known = name.first().is_some_and(|first| *first != UNWANTED);
    is_known && sink.wants(name)
}

#[inline]
fn push_key(state: &mut Flattened, key: Quoted<'_>, sink: &impl Sink) -> Result<(), Fault> {
    let raw = match key.has_escapes {
        false => key.raw,
        true => {
            state.unescaped.clear();
            key.unescape(&mut state.unescaped).ok_or(Fault::Escape)?;
            &state.unescaped
        }
    };
    match (state.name.is_empty(), raw.first()) {
        // A name that nobody looks at need not be put together, nor what lies below it.
        (true, Some(first)) if first.is_ascii_alphabetic() && !sink.may_begin(*first) => {
            state.name.push(UNWANTED);
            return Ok(());
        }
        (true, _) => {}
        (false, _) => state.name.push(b'_'),
    }
    push_name(&mut state.name, raw);
    Ok(())
}

fn emit(state: &mut Flattened, value: Value<'_>, sink: &mut impl Sink) -> ControlFlow<()> {
    let raw = match value {
        Value::String(quoted) if quoted.has_escapes => {
            state.unescaped.clear();
            // A wrong escape makes the value empty.
            let _ = quoted.unescape(&mut state.unescaped);
            &state.unescaped
        }
        Value::String(quoted) => quoted.raw,
        Value::Number(raw) | Value::Bool(raw) => raw,
        Value::Null | Value::Array(_) | Value::Object(_) => return ControlFlow::Continue(()),
    };
    sink.value(name_text(&state.name), &value_text(raw))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Found(Vec<String>);

    impl Sink for Found {
        fn wants(&self, name: &[u8]) -> bool {
            name != b"unwanted"
        }

        fn may_begin(&self, _: u8) -> bool {
            true
        }

        fn value(&mut self, name: &str, value: &str) -> ControlFlow<()> {
            self.0.push(format!("{name}={value}"));
            match name {
                "last" => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }

    fn flat(line: &[u8]) -> (String, Result<(), Fault>) {
        let mut found = Found::default();
        let result = flatten(line, &mut Flattened::default(), &mut found);
        (found.0.join(" "), result)
    }

    #[test]
    fn keys_are_joined_and_values_kept_as_written() {
        let cases = [
            (r#"{"a":1,"b":"x","c":true}"#, "a=1 b=x c=true"),
            (
                r#"{"v": -1.50e+3 , "big":12345678901234567890}"#,
                "v=-1.50e+3 big=12345678901234567890",
            ),
            (r#"{"a":{"b":{"c":"d"},"e":2},"f":3}"#, "a_b_c=d a_e=2 f=3"),
            (r#"{"a":[1,{"b":2}],"n":null,"o":{},"s":""}"#, "s="),
            (
                r#"{"dotted.key":1,"1x":2,"p":{"1x":3}}"#,
                "dotted_key=1 _1x=2 p_1x=3",
            ),
            (r#"{"a":"bad \x","unwanted":1,"b":"\u00e9"}"#, "a= b=é"),
            (r#"{"":1,"a":{"":2}} garbage"#, "a_=2"),
            (r#"{"a":1,}"#, "a=1"),
            (r#"{"a":{"b":1},"last":"x" cut off"#, "a_b=1 last=x"),
            ("{}", ""),
        ];
        for (line, values) in cases {
            assert_eq!(flat(line.as_bytes()), (values.to_owned(), Ok(())), "{line}");
        }
    }

    #[test]
    fn what_is_found_before_a_fault_is_kept() {
        let cases = [
            (r#"{"id":7,"kind":"cut"#, "id=7", Fault::String),
            (r#"{"id":7,"kind":{"a":1}"#, "id=7 kind_a=1", Fault::Object),
            (r#"{"id" 7}"#, "", Fault::Syntax),
            (r#"{"id":}"#, "", Fault::Unknown),
            (r#"["array"]"#, "", Fault::Object),
            ("null", "", Fault::Object),
            ("", "", Fault::Object),
        ];
        for (line, values, fault) in cases {
            assert_eq!(
                flat(line.as_bytes()),
                (values.to_owned(), Err(fault)),
                "{line}"
            );
        }
        let deep = r#"{"a":"#.repeat(100_000);
        assert_eq!(flat(deep.as_bytes()).1, Err(Fault::Deep));
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let line = br#"{"a":{"b":[1,{"c":"\ud83d\ude00"}],"d":-1.5},"e":"x\"y","f":null}"#;
        for cut in 0..line.len() {
            flat(&line[..cut]).1.unwrap_err();
            for byte in [0, b'"', b'\\', b'{', b'}', 0xff] {
                let mut changed = line.to_vec();
                changed[cut] = byte;
                let _ = flat(&changed);
            }
        }
    }
}

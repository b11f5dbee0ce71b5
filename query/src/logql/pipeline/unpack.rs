//! `| unpack`: undoes what a sender's `pack` did. The line becomes what is under `_entry`, the
//! other texts become labels.

use super::json::scan::{Fault, Quoted, Scanner, Value};
use super::labels::{LineLabels, Repeated};
use super::name::{name_text, push_name, value_text};

/// The key of the line in a packed line.
const ENTRY: &[u8] = b"_entry";

/// Unpacks a line into `out` and labels; tells whether there was a packed line, or what is wrong
/// with it. Without one nothing is changed.
pub(super) fn unpack(
    line: &[u8],
    out: &mut Vec<u8>,
    labels: &mut LineLabels<'_>,
    wants: impl Fn(&str) -> bool,
) -> Result<bool, &'static str> {
    if line.is_empty() {
        return Ok(false);
    }
    let mut fields = Vec::new();
    match read(line, &mut fields)? {
        Some(entry) => {
            for (key, value) in fields {
                let mut name = Vec::new();
                push_name(&mut name, &text(key));
                let name = name_text(&name);
                if !name.is_empty() && wants(name) {
                    labels.extract(name, &value_text(&text(value)), Repeated::LastWins);
                }
            }
            out.clear();
            out.extend_from_slice(&text(entry));
            Ok(true)
        }
        None => Ok(false),
    }
}

/// The texts of a packed line, and the line itself if there is one.
fn read<'l>(
    line: &'l [u8],
    fields: &mut Vec<(Quoted<'l>, Quoted<'l>)>,
) -> Result<Option<Quoted<'l>>, &'static str> {
    let mut scanner = Scanner::new(line);
    if !scanner.take(b'{') {
        return Err("expecting json object(6), but it is not");
    }
    let mut entry = None;
    while let Some(key) = scanner.key().map_err(Fault::text)? {
        if let Value::String(value) = scanner.value().map_err(Fault::text)? {
            match key.raw == ENTRY {
                true => entry = Some(value),
                false => fields.push((key, value)),
            }
        }
        if !scanner.more().map_err(Fault::text)? {
            break;
        }
    }
    Ok(entry)
}

fn text<'l>(quoted: Quoted<'l>) -> std::borrow::Cow<'l, [u8]> {
    if !quoted.has_escapes {
        return quoted.raw.into();
    }
    let mut out = Vec::with_capacity(quoted.raw.len());
    // A wrong escape makes the text empty.
    let _ = quoted.unescape(&mut out);
    out.into()
}

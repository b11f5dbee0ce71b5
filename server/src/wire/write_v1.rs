//! Remote write 1.0: `prometheus.WriteRequest`.

use super::columns::{Columns, EXEMPLAR_CHARS_MAX, WireMetadata};
use super::histogram::{self, HistogramFault};
use super::labels::LabelScratch;
use super::protobuf::{Fields, Malformed};

/// Reads a request. Series whose labels make none are left out and counted, as Prometheus does.
pub(crate) fn decode(message: &[u8]) -> Result<Columns<'_>, Malformed> {
    let (mut columns, mut scratch) = (Columns::default(), LabelScratch::default());
    let mut fields = Fields::new(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => series(value.bytes()?, &mut columns, &mut scratch)?,
            3 => {
                if let Some(found) = metadata(value.bytes()?)? {
                    columns.metadata(found)?;
                }
            }
            _ => {}
        }
    }
    Ok(columns)
}

fn series<'a>(
    message: &'a [u8],
    columns: &mut Columns<'a>,
    scratch: &mut LabelScratch<'a>,
) -> Result<(), Malformed> {
    scratch.clear();
    let mut fields = Fields::new(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => {
                let (name, value) = label(value.bytes()?)?;
                scratch.push(name, value);
            }
            2 => sample(value.bytes()?, columns)?,
            3 => exemplar(value.bytes()?, columns)?,
            4 => match histogram::read(value.bytes()?) {
                Ok((timed, numbers)) => columns.histogram(timed, numbers)?,
                Err(HistogramFault::Malformed(malformed)) => return Err(malformed),
                // Nothing of such a request is stored.
                Err(HistogramFault::Invalid(why)) => return Err(Malformed::new(why)),
            },
            _ => {}
        }
    }
    match scratch.settle() {
        Ok(()) => columns.end_series(scratch)?,
        Err(_) => {
            columns.drop_series();
            columns.skipped += 1;
        }
    }
    Ok(())
}

/// A label as every sender writes it: a name, then a value, both shorter than 128 bytes.
#[inline]
fn plain_label(message: &[u8]) -> Option<(&[u8], &[u8])> {
    let [0x0a, length @ 0..0x80, rest @ ..] = message else {
        return None;
    };
    let (name, rest) = rest.split_at_checked(usize::from(*length))?;
    let [0x12, length @ 0..0x80, value @ ..] = rest else {
        return None;
    };
    (usize::from(*length) == value.len()).then_some((name, value))
}

#[inline]
fn label(message: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    if let Some(label) = plain_label(message) {
        return Ok(label);
    }
    let (mut fields, mut name, mut text) = (Fields::new(message), &[][..], &[][..]);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => name = value.bytes()?,
            2 => text = value.bytes()?,
            _ => {}
        }
    }
    Ok((name, text))
}

#[inline]
fn sample(message: &[u8], columns: &mut Columns<'_>) -> Result<(), Malformed> {
    let (mut fields, mut number_value, mut time) = (Fields::new(message), 0.0, 0);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => number_value = value.double()?,
            2 => time = value.signed()?,
            _ => {}
        }
    }
    columns.sample(time, 0, number_value)
}

fn exemplar<'a>(message: &'a [u8], columns: &mut Columns<'a>) -> Result<(), Malformed> {
    let (mut fields, mut labels, mut number_value, mut time) =
        (Fields::new(message), Vec::new(), 0.0, 0);
    while let Some((number, value)) = fields.next()? {
        match number {
            // More labels than may have a character each make it too long anyway.
            1 if labels.len() > EXEMPLAR_CHARS_MAX => {}
            1 => {
                let (name, value) = label(value.bytes()?)?;
                labels.push((name.into(), value.into()));
            }
            2 => number_value = value.double()?,
            3 => time = value.signed()?,
            _ => {}
        }
    }
    columns.exemplar(time, number_value, labels)
}

/// Types by their number, as Prometheus names them.
const KINDS: [&str; 8] = [
    "unknown",
    "counter",
    "gauge",
    "histogram",
    "gaugehistogram",
    "summary",
    "info",
    "stateset",
];

/// The name of a metric type; both versions number them alike.
pub(crate) fn kind(number: u64) -> &'static str {
    let place = usize::try_from(number).unwrap_or(0);
    KINDS.get(place).copied().unwrap_or(KINDS[0])
}

fn metadata(message: &[u8]) -> Result<Option<WireMetadata<'_>>, Malformed> {
    let mut found = WireMetadata {
        family: b""[..].into(),
        kind: KINDS[0],
        help: b"",
        unit: b"",
    };
    let mut fields = Fields::new(message);
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => found.kind = kind(value.unsigned()?),
            2 => found.family = value.bytes()?.into(),
            4 => found.help = value.bytes()?,
            5 => found.unit = value.bytes()?,
            _ => {}
        }
    }
    Ok((!found.family.is_empty()).then_some(found))
}

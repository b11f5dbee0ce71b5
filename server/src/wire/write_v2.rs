//! Remote write 2.0: `io.prometheus.write.v2.Request`, with its texts in one table of symbols.
//!
//! Each series stands alone here: what is wrong with one is noted, and the others are read.

use super::columns::{Columns, WireMetadata};
use super::histogram::{self, HistogramFault};
use super::labels::LabelScratch;
use super::protobuf::{Fields, Malformed, Value};
use super::write_v1::kind;

/// Symbols of one request.
const SYMBOLS_MAX: usize = 2_000_000;

/// Label references of one exemplar or series: two for each label.
const REFERENCES_MAX: usize = 4096;

/// Suffixes of the series that a histogram or summary consists of.
const PART_SUFFIXES: [&[u8]; 3] = [b"_bucket", b"_count", b"_sum"];

/// Reads a request.
pub(crate) fn decode(message: &[u8]) -> Result<Columns<'_>, Malformed> {
    let symbols = symbols(message)?;
    let mut reader = Reader {
        symbols,
        columns: Columns::default(),
        scratch: LabelScratch::default(),
        references: Vec::new(),
    };
    let mut fields = Fields::new(message);
    while let Some((number, value)) = fields.next()? {
        if number == 5 {
            reader.series(value.bytes()?)?;
        }
    }
    Ok(reader.columns)
}

fn symbols(message: &[u8]) -> Result<Vec<&[u8]>, Malformed> {
    let (mut fields, mut symbols) = (Fields::new(message), Vec::new());
    while let Some((number, value)) = fields.next()? {
        if number != 4 {
            continue;
        }
        if symbols.len() >= SYMBOLS_MAX {
            let why = format!("a request may hold {SYMBOLS_MAX} symbols: send less at once");
            return Err(Malformed::new(why));
        }
        symbols.push(value.bytes()?);
    }
    match symbols.first() {
        Some(first) if !first.is_empty() => {
            Err(Malformed::new("the first symbol must be the empty string"))
        }
        _ => Ok(symbols),
    }
}

struct Reader<'a> {
    symbols: Vec<&'a [u8]>,
    columns: Columns<'a>,
    scratch: LabelScratch<'a>,
    references: Vec<u32>,
}

/// Metadata of one series, still as references.
#[derive(Clone, Copy, Default)]
struct MetadataReferences {
    kind: u64,
    help: u64,
    unit: u64,
}

impl<'a> Reader<'a> {
    fn series(&mut self, message: &'a [u8]) -> Result<(), Malformed> {
        self.scratch.clear();
        self.references.clear();
        let (mut fields, mut created) = (Fields::new(message), 0);
        let (mut metadata, mut entries) = (None, 0u64);
        // Senders of earlier drafts give one start for the whole series.
        let mut search = fields;
        while let Some((number, value)) = search.next()? {
            if number == 6 {
                created = value.signed()?;
            }
        }
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => read_references(value, &mut self.references)?,
                2 => {
                    self.sample(value.bytes()?, created)?;
                    entries += 1;
                }
                3 => {
                    self.histogram(value.bytes()?, created)?;
                    entries += 1;
                }
                4 => self.exemplar(value.bytes()?)?,
                5 => metadata = Some(metadata_references(value.bytes()?)?),
                _ => {}
            }
        }
        if let Err(why) = self.settle(entries) {
            self.columns.drop_series();
            let text = self.scratch.text();
            self.columns.faults.add(|| format!("series {text}: {why}"));
            return Ok(());
        }
        self.columns.end_series(&self.scratch)?;
        match metadata {
            Some(metadata) => self.metadata(metadata),
            None => Ok(()),
        }
    }

    /// Looks up the labels and checks them.
    fn settle(&mut self, entries: u64) -> Result<(), String> {
        if !self.references.len().is_multiple_of(2) {
            let count = self.references.len();
            return Err(format!(
                "{count} label references: names and values must come in pairs"
            ));
        }
        for pair in self.references.chunks_exact(2) {
            let (name, value) = (self.symbol(pair[0])?, self.symbol(pair[1])?);
            self.scratch.push(name, value);
        }
        self.scratch.settle().map_err(|fault| fault.to_string())?;
        match entries {
            0 => Err("a series must have a sample or a histogram".to_owned()),
            _ => Ok(()),
        }
    }

    fn symbol(&self, reference: u32) -> Result<&'a [u8], String> {
        let place = usize::try_from(reference).unwrap_or(usize::MAX);
        self.symbols.get(place).copied().ok_or_else(|| {
            format!(
                "reference to symbol {reference}, there are {}",
                self.symbols.len()
            )
        })
    }

    fn sample(&mut self, message: &[u8], created: i64) -> Result<(), Malformed> {
        let (mut fields, mut number_value, mut time) = (Fields::new(message), 0.0, 0);
        let mut start = created;
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => number_value = value.double()?,
                2 => time = value.signed()?,
                3 => start = value.signed()?,
                _ => {}
            }
        }
        self.columns.sample(time, start, number_value)
    }

    fn histogram(&mut self, message: &[u8], created: i64) -> Result<(), Malformed> {
        match histogram::read(message) {
            Ok((mut timed, numbers)) => {
                if timed.start == 0 {
                    timed.start = created;
                }
                self.columns.histogram(timed, numbers)
            }
            Err(HistogramFault::Malformed(malformed)) => Err(malformed),
            Err(HistogramFault::Invalid(why)) => {
                self.columns.faults.add(|| format!("a histogram: {why}"));
                Ok(())
            }
        }
    }

    fn exemplar(&mut self, message: &[u8]) -> Result<(), Malformed> {
        let (mut fields, mut number_value, mut time) = (Fields::new(message), 0.0, 0);
        let mut references = Vec::new();
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => read_references(value, &mut references)?,
                2 => number_value = value.double()?,
                3 => time = value.signed()?,
                _ => {}
            }
        }
        let looked_up: Result<Vec<_>, String> = references
            .chunks(2)
            .map(|pair| match pair {
                [name, value] => Ok((self.symbol(*name)?.into(), self.symbol(*value)?.into())),
                _ => Err("names and values must come in pairs".to_owned()),
            })
            .collect();
        match looked_up {
            Ok(labels) => self.columns.exemplar(time, number_value, labels),
            Err(why) => {
                self.columns.faults.add(|| format!("an exemplar: {why}"));
                Ok(())
            }
        }
    }

    /// Metadata stands at a series; it is kept for the family. References that lead nowhere make
    /// no text: metadata is no reason to refuse samples.
    fn metadata(&mut self, references: MetadataReferences) -> Result<(), Malformed> {
        let text = |reference: u64| {
            let reference = u32::try_from(reference).unwrap_or(u32::MAX);
            self.symbol(reference).unwrap_or_default()
        };
        let (help, unit) = (text(references.help), text(references.unit));
        let Some(name) = self.scratch.metric_name() else {
            return Ok(());
        };
        if references.kind == 0 && help.is_empty() && unit.is_empty() {
            return Ok(());
        }
        let kind = kind(references.kind);
        self.columns.metadata(WireMetadata {
            family: family(name, kind).into(),
            kind,
            help,
            unit,
        })
    }
}

/// The family that a series of this name and kind belongs to.
fn family<'a>(name: &'a [u8], kind: &str) -> &'a [u8] {
    if !matches!(kind, "histogram" | "gaugehistogram" | "summary") {
        return name;
    }
    let mut stripped = PART_SUFFIXES
        .iter()
        .filter_map(|suffix| name.strip_suffix(*suffix));
    stripped.find(|rest| !rest.is_empty()).unwrap_or(name)
}

fn read_references(value: Value<'_>, into: &mut Vec<u32>) -> Result<(), Malformed> {
    value.varints(|reference| {
        if into.len() >= REFERENCES_MAX {
            return Err(Malformed::new(format!(
                "a series or exemplar may have {} labels",
                REFERENCES_MAX / 2
            )));
        }
        // What is beyond 32 bits leads nowhere, as the largest reference does.
        into.push(u32::try_from(reference).unwrap_or(u32::MAX));
        Ok(())
    })
}

fn metadata_references(message: &[u8]) -> Result<MetadataReferences, Malformed> {
    let (mut fields, mut found) = (Fields::new(message), MetadataReferences::default());
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => found.kind = value.unsigned()?,
            3 => found.help = value.unsigned()?,
            4 => found.unit = value.unsigned()?,
            _ => {}
        }
    }
    Ok(found)
}

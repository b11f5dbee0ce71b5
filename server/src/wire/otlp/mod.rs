//! Metrics of OpenTelemetry: `ExportMetricsServiceRequest` to series of Prometheus.
//!
//! Names are translated as the operator says. Sums that only rise are counters,
//! histograms become the series that a classic histogram has, exponential ones native histograms.
//! What is told as a difference to the point before is added up (`deltas`).

pub(in crate::wire) mod attributes;
pub(crate) mod deltas;
mod exponential;
pub(crate) mod json;
pub(crate) mod names;
mod points;

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::columns::{Columns, Faults, WireMetadata};
use super::labels::LabelScratch;
use super::protobuf::{Fields, Malformed, Value, each_field};
use crate::settings::Translation;
use attributes::Attributes;
use chronolith_engine::metrics::STALE_NAN_BITS;
use deltas::Turn;
use names::Sort;

/// Attributes that name a resource, and become `job` and `instance`.
const SERVICE_NAME: &str = "service.name";
const SERVICE_NAMESPACE: &str = "service.namespace";
const SERVICE_INSTANCE: &str = "service.instance.id";

/// The series that carries the other attributes of a resource.
const TARGET_INFO: &str = "target_info";

/// Points that say how much came since the point before.
const DELTA: u64 = 1;

/// What a request holds, and which of its points are not taken. Only points of delta temporality
/// make it wait for others that have such.
pub(crate) fn decode<'a>(
    message: &'a [u8],
    translation: Translation,
    turn: &mut Turn<'_>,
) -> Result<(Columns<'a>, Faults), Malformed> {
    let mut writer = Writer {
        translation,
        turn,
        is_delta: false,
        columns: Columns::default(),
        faults: Faults::default(),
        resource: BTreeMap::new(),
        newest: 0,
    };
    let mut fields = Fields::new(message);
    while let Some((number, value)) = fields.next()? {
        if number == 1 {
            writer.resource(value.bytes()?)?;
        }
    }
    Ok((writer.columns, writer.faults))
}

struct Writer<'a, 't, 'd> {
    translation: Translation,
    turn: &'t mut Turn<'d>,
    /// Whether the points of the metric at hand say how much came since the one before.
    is_delta: bool,
    columns: Columns<'a>,
    faults: Faults,
    /// The labels that every series of the resource at hand has.
    resource: BTreeMap<String, String>,
    /// The newest time of the resource at hand, in milliseconds.
    newest: i64,
}

/// One metric: what its points have in common.
struct Metric<'a> {
    name: Cow<'a, str>,
    help: &'a [u8],
    unit: &'a [u8],
    data: Option<(u32, &'a [u8])>,
}

/// The kinds of data by the field that holds them.
const GAUGE: u32 = 5;
const SUM: u32 = 7;
const HISTOGRAM: u32 = 9;
const EXPONENTIAL: u32 = 10;
const SUMMARY: u32 = 11;

impl<'a> Writer<'a, '_, '_> {
    fn resource(&mut self, message: &'a [u8]) -> Result<(), Malformed> {
        let mut attributes = Attributes::default();
        each_field(message, 1, |resource| {
            each_field(resource, 1, |attribute| attributes.push(attribute))
        })?;
        self.resource = identity(&mut attributes);
        self.newest = 0;
        each_field(message, 2, |scope| {
            each_field(scope, 2, |metric| self.metric(metric))
        })?;
        if self.newest != 0 && !attributes.is_empty() && !self.resource.is_empty() {
            let newest = self.newest;
            self.float(
                TARGET_INFO,
                attributes.labels(self.translation),
                (newest, 0),
                1.0,
            )?;
        }
        Ok(())
    }

    fn metric(&mut self, message: &'a [u8]) -> Result<(), Malformed> {
        let mut metric = Metric {
            name: Cow::Borrowed(""),
            help: b"",
            unit: b"",
            data: None,
        };
        let mut fields = Fields::new(message);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => metric.name = String::from_utf8_lossy(value.bytes()?),
                2 => metric.help = value.bytes()?,
                3 => metric.unit = value.bytes()?,
                GAUGE | SUM | HISTOGRAM | EXPONENTIAL | SUMMARY => {
                    metric.data = Some((number, value.bytes()?));
                }
                _ => {}
            }
        }
        match metric.data {
            Some((kind, data)) => self.points(&metric, kind, data),
            None => Ok(()),
        }
    }

    fn points(&mut self, metric: &Metric<'a>, kind: u32, data: &'a [u8]) -> Result<(), Malformed> {
        let (temporality, is_monotonic) = (varint(data, 2)?, varint(data, 3)? != 0);
        let sort = match kind {
            SUM if is_monotonic => Sort::Counter,
            SUM | GAUGE => Sort::Gauge,
            _ => Sort::Other,
        };
        let name =
            self.translation
                .metric(&metric.name, &String::from_utf8_lossy(metric.unit), sort);
        let has_temporality = matches!(kind, SUM | HISTOGRAM | EXPONENTIAL);
        self.is_delta = has_temporality && temporality == DELTA;
        self.columns.metadata(WireMetadata {
            family: name.clone().into_bytes().into(),
            kind: match (kind, sort) {
                (_, Sort::Counter) => "counter",
                (HISTOGRAM | EXPONENTIAL, _) => "histogram",
                (SUMMARY, _) => "summary",
                _ => "gauge",
            },
            help: metric.help,
            unit: metric.unit,
        })?;
        each_field(data, 1, |point| match kind {
            HISTOGRAM => self.histogram(&name, point),
            EXPONENTIAL => self.exponential(&name, point),
            SUMMARY => self.summary(&name, point),
            _ => self.number(&name, point),
        })
    }

    /// Adds a sample of a series. `times` are when it was taken and since when it counts.
    fn float(
        &mut self,
        name: &str,
        mut labels: BTreeMap<String, String>,
        times: (i64, i64),
        value: f64,
    ) -> Result<(), Malformed> {
        let (value, start) = match self.is_delta && value.to_bits() != STALE_NAN_BITS {
            false => (value, times.1),
            true => {
                let series = key(name, &self.resource, &labels);
                match self.turn.deltas().add(series, times, value) {
                    Ok(sum) => sum,
                    Err(why) => {
                        self.faults.add(|| format!("{name}: {why}"));
                        return Ok(());
                    }
                }
            }
        };
        self.columns.sample(times.0, start, value)?;
        self.newest = self.newest.max(times.0);
        self.end_series(name, &mut labels)
    }

    /// Ends a series whose entries have been added.
    fn end_series(
        &mut self,
        name: &str,
        labels: &mut BTreeMap<String, String>,
    ) -> Result<(), Malformed> {
        let shared = self
            .resource
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()));
        labels.extend(shared);
        labels.insert("__name__".to_owned(), name.to_owned());
        let mut scratch = LabelScratch::default();
        for (name, value) in labels.iter() {
            scratch.push(name.as_bytes(), value.as_bytes());
        }
        match scratch.settle() {
            Ok(()) => self.columns.end_series(&scratch),
            Err(fault) => {
                self.columns.drop_series();
                self.faults.add(|| format!("{name}: {fault}"));
                Ok(())
            }
        }
    }
}

/// Bytes that tell a series from others.
fn key(
    name: &str,
    resource: &BTreeMap<String, String>,
    labels: &BTreeMap<String, String>,
) -> Vec<u8> {
    let mut key = name.as_bytes().to_vec();
    for (name, value) in resource.iter().chain(labels) {
        for text in [name, value] {
            key.push(0xff);
            key.extend_from_slice(text.as_bytes());
        }
    }
    key
}

/// Takes out of a resource's attributes those that name it, as labels.
fn identity(attributes: &mut Attributes) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    let namespace = attributes
        .take(SERVICE_NAMESPACE)
        .filter(|text| !text.is_empty());
    if let Some(name) = attributes.take(SERVICE_NAME) {
        let job = namespace.map_or_else(|| name.clone(), |space| format!("{space}/{name}"));
        labels.insert("job".to_owned(), job);
    }
    if let Some(instance) = attributes.take(SERVICE_INSTANCE) {
        labels.insert("instance".to_owned(), instance);
    }
    labels
}

/// The integer in a field, 0 where there is none. Another type there is another kind's field.
fn varint(message: &[u8], field: u32) -> Result<u64, Malformed> {
    let (mut fields, mut found) = (Fields::new(message), 0);
    while let Some((number, value)) = fields.next()? {
        if let (true, Value::Varint(integer)) = (number == field, value) {
            found = integer;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;

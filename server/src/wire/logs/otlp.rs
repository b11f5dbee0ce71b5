//! Logs of OpenTelemetry: `ExportLogsServiceRequest` to streams.
//!
//! Attributes that name where a resource runs become labels of its stream, all others and what a
//! record says beside its body become structured metadata of the line.

use std::borrow::Cow;

use serde_json::Value as Json;

use super::super::otlp::attributes::{any, as_text, hex};
use super::super::otlp::names;
use super::super::protobuf::{Fields, Malformed, Value, each_field};
use super::{LogColumns, Pair, StreamLabels, text};

/// Attributes of a resource that become labels of its stream.
pub(crate) const STREAM_ATTRIBUTES: [&str; 18] = [
    "service.name",
    "service.namespace",
    "service.instance.id",
    "deployment.environment",
    "deployment.environment.name",
    "cloud.region",
    "cloud.availability_zone",
    "k8s.cluster.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.container.name",
    "container.name",
    "k8s.replicaset.name",
    "k8s.deployment.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.cronjob.name",
    "k8s.job.name",
];

/// Attributes of one resource, scope or record.
const ATTRIBUTES_MAX: usize = 1024;

/// How deep maps become names; what is deeper is text.
const FLAT_DEPTH_MAX: usize = 8;

/// Reads a request. Records without any time get `now`.
pub(crate) fn decode(message: &[u8], now: i64) -> Result<LogColumns<'_>, Malformed> {
    let (mut fields, mut columns) = (Fields::new(message), LogColumns::default());
    while let Some((number, value)) = fields.next()? {
        if number == 1 {
            resource(&mut columns, value.bytes()?, now)?;
        }
    }
    Ok(columns)
}

fn resource<'a>(
    columns: &mut LogColumns<'a>,
    message: &'a [u8],
    now: i64,
) -> Result<(), Malformed> {
    let mut attributes = Vec::new();
    each_field(message, 1, |resource| {
        attributes_of(resource, 1, &mut attributes)
    })?;
    let is_label = |name: &str| STREAM_ATTRIBUTES.contains(&name);
    let (labels, beside): (Vec<Pair<'a>>, Vec<Pair<'a>>) =
        attributes.into_iter().partition(|(name, _)| is_label(name));
    let labels = labels
        .into_iter()
        .map(|(name, value)| (Cow::Owned(names::label(&name)), value));
    let labels = labels.collect();
    let mut records = 0;
    each_field(message, 2, |scope| {
        records += scope_logs(columns, scope, &beside, now)?;
        Ok(())
    })?;
    match records {
        0 => Ok(()),
        _ => columns.end_stream(StreamLabels::Pairs(labels)),
    }
}

/// Adds the records of one scope; how many there are.
fn scope_logs<'a>(
    columns: &mut LogColumns<'a>,
    message: &'a [u8],
    of_resource: &[Pair<'a>],
    now: i64,
) -> Result<usize, Malformed> {
    let (mut shared, mut records) = (of_resource.to_vec(), 0);
    each_field(message, 1, |scope| {
        attributes_of(scope, 3, &mut shared)?;
        let mut fields = Fields::new(scope);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => add(&mut shared, "scope_name", text(value.bytes()?)),
                2 => add(&mut shared, "scope_version", text(value.bytes()?)),
                4 => count(
                    &mut shared,
                    "scope_dropped_attributes_count",
                    value.unsigned()?,
                ),
                _ => {}
            }
        }
        Ok(())
    })?;
    each_field(message, 2, |message| {
        records += 1;
        record(columns, message, &shared, now)
    })?;
    Ok(records)
}

fn record<'a>(
    columns: &mut LogColumns<'a>,
    message: &'a [u8],
    shared: &[Pair<'a>],
    now: i64,
) -> Result<(), Malformed> {
    let (mut fields, mut time, mut observed, mut severity) = (Fields::new(message), 0, 0, 0);
    let (mut line, mut own) = (Cow::Borrowed(""), Vec::new());
    attributes_of(message, 6, &mut own)?;
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => time = fixed(value)?,
            2 => severity = u8::try_from(value.unsigned()?).unwrap_or(0),
            3 => add(&mut own, "severity_text", text(value.bytes()?)),
            5 => line = value_text(value.bytes()?)?,
            7 => count(&mut own, "dropped_attributes_count", value.unsigned()?),
            8 => count(&mut own, "flags", flags(value)?),
            9 => add(&mut own, "trace_id", Cow::Owned(hex(value.bytes()?))),
            10 => add(&mut own, "span_id", Cow::Owned(hex(value.bytes()?))),
            11 => observed = fixed(value)?,
            12 => add(&mut own, "event_name", text(value.bytes()?)),
            _ => {}
        }
    }
    count(&mut own, "severity_number", u64::from(severity));
    count(&mut own, "observed_timestamp", observed.unsigned_abs());
    for (name, value) in shared.iter().cloned().chain(own) {
        columns.metadata(name, value)?;
    }
    let time = [time, observed].into_iter().find(|time| *time != 0);
    columns.entry(time.unwrap_or(now), line)
}

fn fixed(value: Value<'_>) -> Result<i64, Malformed> {
    match value {
        Value::Fixed64(nanos) => {
            i64::try_from(nanos).map_err(|_| Malformed::new("a time is beyond the year 2262"))
        }
        _ => Err(Malformed::new("a time is no fixed64")),
    }
}

fn flags(value: Value<'_>) -> Result<u64, Malformed> {
    match value {
        Value::Fixed32(flags) => Ok(u64::from(flags)),
        other => other.unsigned(),
    }
}

fn add<'a>(pairs: &mut Vec<Pair<'a>>, name: &'static str, value: Cow<'a, str>) {
    if !value.is_empty() {
        pairs.push((Cow::Borrowed(name), value));
    }
}

fn count(pairs: &mut Vec<Pair<'_>>, name: &'static str, count: u64) {
    if count != 0 {
        pairs.push((Cow::Borrowed(name), Cow::Owned(count.to_string())));
    }
}

/// Adds the attributes that stand in a field, maps by the names of their members.
fn attributes_of<'a>(
    message: &'a [u8],
    field: u32,
    pairs: &mut Vec<Pair<'a>>,
) -> Result<(), Malformed> {
    each_field(message, field, |attribute| {
        if pairs.len() >= ATTRIBUTES_MAX {
            return Err(Malformed::new(format!(
                "there are more than {ATTRIBUTES_MAX} attributes"
            )));
        }
        let (mut fields, mut name, mut found) = (Fields::new(attribute), &[][..], &[][..]);
        while let Some((number, value)) = fields.next()? {
            match number {
                1 => name = value.bytes()?,
                2 => found = value.bytes()?,
                _ => {}
            }
        }
        match plain(found) {
            Some(value) => pairs.push((text(name), value)),
            None => flatten(&text(name), any(found, 0)?, 0, pairs),
        }
        Ok(())
    })
}

/// The text of a value that is a string, as most are.
fn plain(value: &[u8]) -> Option<Cow<'_, str>> {
    let mut fields = Fields::new(value);
    match (fields.next(), fields.next()) {
        (Ok(Some((1, Value::Bytes(bytes)))), Ok(None)) => Some(text(bytes)),
        _ => None,
    }
}

fn value_text(value: &[u8]) -> Result<Cow<'_, str>, Malformed> {
    match plain(value) {
        Some(found) => Ok(found),
        None => Ok(Cow::Owned(as_text(any(value, 0)?))),
    }
}

fn flatten(name: &str, value: Json, depth: usize, pairs: &mut Vec<Pair<'_>>) {
    match value {
        Json::Object(members) if depth < FLAT_DEPTH_MAX => {
            for (member, value) in members {
                if pairs.len() < ATTRIBUTES_MAX {
                    flatten(&format!("{name}_{member}"), value, depth + 1, pairs);
                }
            }
        }
        other => pairs.push((Cow::Owned(name.to_owned()), Cow::Owned(as_text(other)))),
    }
}

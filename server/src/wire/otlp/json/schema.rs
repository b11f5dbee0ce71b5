//! The fields of OpenTelemetry's messages: what they are called in JSON, and their numbers and
//! types in protobuf.

/// A field of a message.
pub(crate) struct Field {
    pub(super) name: &'static str,
    pub(super) number: u32,
    pub(super) shape: Shape,
}

/// What a field holds. Messages are named by functions, since some hold themselves.
pub(super) enum Shape {
    Text,
    /// Bytes as hexadecimal digits.
    Id,
    Base64,
    Integer,
    Zigzag,
    /// An integer of eight bytes.
    Fixed,
    Double,
    Truth,
    Temporality,
    Message(fn() -> &'static [Field]),
    Messages(fn() -> &'static [Field]),
    Doubles,
    Integers,
    FixedIntegers,
}

use Shape::{
    Base64, Double, Doubles, Fixed, FixedIntegers, Id, Integer, Integers, Temporality, Text, Truth,
    Zigzag,
};

const fn field(name: &'static str, number: u32, shape: Shape) -> Field {
    Field {
        name,
        number,
        shape,
    }
}

const fn one(name: &'static str, number: u32, fields: fn() -> &'static [Field]) -> Field {
    field(name, number, Shape::Message(fields))
}

const fn many(name: &'static str, number: u32, fields: fn() -> &'static [Field]) -> Field {
    field(name, number, Shape::Messages(fields))
}

/// Names a table of fields by a function, so that tables may name each other and themselves.
macro_rules! fields {
    ($($name:ident: [$($field:expr),* $(,)?])*) => {
        $(fn $name() -> &'static [Field] {
            const FIELDS: &[Field] = &[$($field),*];
            FIELDS
        })*
    };
}

/// A request with metrics.
pub(crate) const METRICS: &[Field] = &[many("resourceMetrics", 1, resource_metrics)];

/// A request with logs.
pub(crate) const LOGS: &[Field] = &[many("resourceLogs", 1, resource_logs)];

fields! {
    resource: [many("attributes", 1, pair)]
    scope: [
        field("name", 1, Text),
        field("version", 2, Text),
        many("attributes", 3, pair),
        field("droppedAttributesCount", 4, Integer),
    ]
    pair: [field("key", 1, Text), one("value", 2, value)]
    value: [
        field("stringValue", 1, Text),
        field("boolValue", 2, Truth),
        field("intValue", 3, Integer),
        field("doubleValue", 4, Double),
        one("arrayValue", 5, array),
        one("kvlistValue", 6, map),
        field("bytesValue", 7, Base64),
    ]
    record: [
        field("timeUnixNano", 1, Fixed),
        field("severityNumber", 2, Integer),
        field("severityText", 3, Text),
        one("body", 5, value),
        many("attributes", 6, pair),
        field("droppedAttributesCount", 7, Integer),
        field("flags", 8, Integer),
        field("traceId", 9, Id),
        field("spanId", 10, Id),
        field("observedTimeUnixNano", 11, Fixed),
        field("eventName", 12, Text),
    ]
    metric: [
        field("name", 1, Text),
        field("description", 2, Text),
        field("unit", 3, Text),
        one("gauge", 5, gauge),
        one("sum", 7, sum),
        one("histogram", 9, histograms),
        one("exponentialHistogram", 10, exponentials),
        one("summary", 11, summaries),
    ]
    number: [
        field("startTimeUnixNano", 2, Fixed),
        field("timeUnixNano", 3, Fixed),
        field("asDouble", 4, Double),
        many("exemplars", 5, exemplar),
        field("asInt", 6, Fixed),
        many("attributes", 7, pair),
        field("flags", 8, Integer),
    ]
    histogram: [
        field("startTimeUnixNano", 2, Fixed),
        field("timeUnixNano", 3, Fixed),
        field("count", 4, Fixed),
        field("sum", 5, Double),
        field("bucketCounts", 6, FixedIntegers),
        field("explicitBounds", 7, Doubles),
        many("exemplars", 8, exemplar),
        many("attributes", 9, pair),
        field("flags", 10, Integer),
        field("min", 11, Double),
        field("max", 12, Double),
    ]
    exponential: [
        many("attributes", 1, pair),
        field("startTimeUnixNano", 2, Fixed),
        field("timeUnixNano", 3, Fixed),
        field("count", 4, Fixed),
        field("sum", 5, Double),
        field("scale", 6, Zigzag),
        field("zeroCount", 7, Fixed),
        one("positive", 8, buckets),
        one("negative", 9, buckets),
        field("flags", 10, Integer),
        many("exemplars", 11, exemplar),
        field("min", 12, Double),
        field("max", 13, Double),
        field("zeroThreshold", 14, Double),
    ]
    buckets: [
        field("offset", 1, Zigzag),
        field("bucketCounts", 2, Integers),
    ]
    summary: [
        field("startTimeUnixNano", 2, Fixed),
        field("timeUnixNano", 3, Fixed),
        field("count", 4, Fixed),
        field("sum", 5, Double),
        many("quantileValues", 6, quantile),
        many("attributes", 7, pair),
        field("flags", 8, Integer),
    ]
    exemplar: [
        field("timeUnixNano", 2, Fixed),
        field("asDouble", 3, Double),
        field("spanId", 4, Id),
        field("traceId", 5, Id),
        field("asInt", 6, Fixed),
        many("filteredAttributes", 7, pair),
    ]
    resource_metrics: [one("resource", 1, resource), many("scopeMetrics", 2, scope_metrics)]
    scope_metrics: [one("scope", 1, scope), many("metrics", 2, metric)]
    resource_logs: [one("resource", 1, resource), many("scopeLogs", 2, scope_logs)]
    scope_logs: [one("scope", 1, scope), many("logRecords", 2, record)]
    array: [many("values", 1, value)]
    map: [many("values", 1, pair)]
    gauge: [many("dataPoints", 1, number)]
    sum: [
        many("dataPoints", 1, number),
        field("aggregationTemporality", 2, Temporality),
        field("isMonotonic", 3, Truth),
    ]
    histograms: [
        many("dataPoints", 1, histogram),
        field("aggregationTemporality", 2, Temporality),
    ]
    exponentials: [
        many("dataPoints", 1, exponential),
        field("aggregationTemporality", 2, Temporality),
    ]
    summaries: [many("dataPoints", 1, summary)]
    quantile: [field("quantile", 1, Double), field("value", 2, Double)]
}

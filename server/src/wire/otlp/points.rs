//! Data points: numbers, histograms, exponential histograms, summaries.

use std::collections::BTreeMap;

use chronolith_engine::metrics::{HISTOGRAM_BUCKETS_MAX, Histogram, STALE_NAN_BITS};

use super::super::columns::{EXEMPLAR_CHARS_MAX, TimedHistogram, WireLabel};
use super::super::protobuf::{Fields, Malformed, Value};
use super::attributes::{Attributes, hex};
use super::exponential::{Exponential, Side};
use super::{Writer, each_field, key};

const NANOS_PER_MILLI: u64 = 1_000_000;

/// The width of the zero bucket where none is told, as in Prometheus.
const ZERO_THRESHOLD: f64 = 1e-128;

/// Set in the flags of a point that says: there is no value any more.
const NO_VALUE: u64 = 1;

/// What all sorts of points have.
#[derive(Default)]
struct Point {
    attributes: Attributes,
    time: i64,
    start: i64,
    flags: u64,
}

impl Point {
    fn times(&self) -> (i64, i64) {
        (self.time, self.start)
    }

    /// The value, or the marker that there is none any more.
    fn value(&self, value: f64) -> f64 {
        match self.flags & NO_VALUE {
            0 => value,
            _ => f64::from_bits(STALE_NAN_BITS),
        }
    }
}

fn millis(value: Value<'_>) -> Result<i64, Malformed> {
    Ok(i64::try_from(fixed(value)? / NANOS_PER_MILLI).unwrap_or(i64::MAX))
}

fn fixed(value: Value<'_>) -> Result<u64, Malformed> {
    value.double().map(f64::to_bits)
}

/// Integers of 64 bits that are not varints, packed or one alone.
fn each_fixed(
    value: Value<'_>,
    mut each: impl FnMut(u64) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    value.doubles(|bits| each(bits.to_bits()))
}

fn push<T>(list: &mut Vec<T>, element: T) -> Result<(), Malformed> {
    if list.len() > HISTOGRAM_BUCKETS_MAX {
        let why = format!("a histogram may have {HISTOGRAM_BUCKETS_MAX} buckets");
        return Err(Malformed::new(why));
    }
    list.push(element);
    Ok(())
}

fn side(message: &[u8]) -> Result<Side, Malformed> {
    let (mut fields, mut side) = (Fields::new(message), Side::default());
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => side.offset = value.zigzag()?,
            2 => value.varints(|count| push(&mut side.counts, count))?,
            _ => {}
        }
    }
    Ok(side)
}

impl<'a> Writer<'a, '_, '_> {
    pub(super) fn number(&mut self, name: &str, message: &'a [u8]) -> Result<(), Malformed> {
        let (mut fields, mut point, mut number) = (Fields::new(message), Point::default(), 0.0);
        while let Some((field, value)) = fields.next()? {
            match field {
                2 => point.start = millis(value)?,
                3 => point.time = millis(value)?,
                4 => number = value.double()?,
                // Beyond 53 bits a float is rounded, as everywhere in Prometheus.
                6 => number = fixed(value)? as i64 as f64,
                7 => point.attributes.push(value.bytes()?)?,
                8 => point.flags = value.unsigned()?,
                _ => {}
            }
        }
        each_field(message, 5, |exemplar| self.exemplar(exemplar))?;
        let (labels, value) = (
            point.attributes.labels(self.translation),
            point.value(number),
        );
        self.float(name, labels, point.times(), value)
    }

    pub(super) fn histogram(&mut self, name: &str, message: &'a [u8]) -> Result<(), Malformed> {
        let (mut fields, mut point) = (Fields::new(message), Point::default());
        let (mut count, mut sum) = (0, None);
        let (mut counts, mut borders) = (Vec::new(), Vec::new());
        while let Some((field, value)) = fields.next()? {
            match field {
                2 => point.start = millis(value)?,
                3 => point.time = millis(value)?,
                4 => count = fixed(value)?,
                5 => sum = Some(value.double()?),
                6 => each_fixed(value, |count| push(&mut counts, count))?,
                7 => value.doubles(|border| push(&mut borders, border))?,
                9 => point.attributes.push(value.bytes()?)?,
                10 => point.flags = value.unsigned()?,
                _ => {}
            }
        }
        let labels = point.attributes.labels(self.translation);
        if let Some(sum) = sum {
            let name = format!("{name}_sum");
            self.float(&name, labels.clone(), point.times(), point.value(sum))?;
        }
        let bucket = format!("{name}_bucket");
        let mut below = 0u64;
        for (border, count) in borders.iter().zip(&counts) {
            below = below.saturating_add(*count);
            let mut labels = labels.clone();
            labels.insert("le".to_owned(), border.to_string());
            self.float(&bucket, labels, point.times(), point.value(below as f64))?;
        }
        // The exemplars belong to the series that is there for every histogram.
        each_field(message, 8, |exemplar| self.exemplar(exemplar))?;
        let mut all = labels.clone();
        all.insert("le".to_owned(), "+Inf".to_owned());
        self.float(&bucket, all, point.times(), point.value(count as f64))?;
        let name = format!("{name}_count");
        self.float(&name, labels, point.times(), point.value(count as f64))
    }

    pub(super) fn exponential(&mut self, name: &str, message: &'a [u8]) -> Result<(), Malformed> {
        let (mut fields, mut point) = (Fields::new(message), Point::default());
        let (mut scale, mut sides) = (0, [Side::default(), Side::default()]);
        let mut told = Exponential::default();
        while let Some((field, value)) = fields.next()? {
            match field {
                1 => point.attributes.push(value.bytes()?)?,
                2 => point.start = millis(value)?,
                3 => point.time = millis(value)?,
                4 => told.count = fixed(value)?,
                5 => told.sum = value.double()?,
                6 => scale = value.zigzag()?,
                7 => told.zero_count = fixed(value)?,
                8 => sides[0] = side(value.bytes()?)?,
                9 => sides[1] = side(value.bytes()?)?,
                10 => point.flags = value.unsigned()?,
                14 => told.zero_threshold = value.double()?,
                _ => {}
            }
        }
        if !told.fill(scale, &sides[0], &sides[1]) {
            self.faults
                .add(|| format!("{name}: its scale {scale} or a bucket is out of range"));
            return Ok(());
        }
        if told.zero_threshold == 0.0 {
            told.zero_threshold = ZERO_THRESHOLD;
        }
        let mut labels = point.attributes.labels(self.translation);
        let (time, start) = point.times();
        let made = match point.flags & NO_VALUE {
            0 => self.settled(name, &labels, (time, start), told),
            _ => Ok((Histogram::stale(), start)),
        };
        let (histogram, start) = match made {
            Ok(made) => made,
            Err(why) => {
                self.faults.add(|| format!("{name}: {why}"));
                return Ok(());
            }
        };
        each_field(message, 11, |exemplar| self.exemplar(exemplar))?;
        let buckets = histogram
            .positive_spans
            .iter()
            .chain(&histogram.negative_spans);
        let buckets: usize = buckets.map(|span| span.length as usize).sum();
        let timed = TimedHistogram {
            time,
            start,
            histogram,
        };
        self.columns.histogram(timed, buckets)?;
        self.newest = self.newest.max(time);
        self.end_series(name, &mut labels)
    }

    /// The histogram as it is stored and since when it counts: added up where its temporality is
    /// delta. Or why it is not taken.
    fn settled(
        &mut self,
        name: &str,
        labels: &BTreeMap<String, String>,
        times: (i64, i64),
        told: Exponential,
    ) -> Result<(Histogram, i64), String> {
        let (sum, start) = match self.is_delta {
            false => (told, times.1),
            true => {
                let series = key(name, &self.resource, labels);
                self.turn.deltas().add_histogram(series, times, told)?
            }
        };
        let out_of_range = || "a bucket is out of range".to_owned();
        Ok((sum.into_histogram().ok_or_else(out_of_range)?, start))
    }

    pub(super) fn summary(&mut self, name: &str, message: &'a [u8]) -> Result<(), Malformed> {
        let (mut fields, mut point) = (Fields::new(message), Point::default());
        let (mut count, mut sum, mut quantiles) = (0, 0.0, Vec::new());
        while let Some((field, value)) = fields.next()? {
            match field {
                2 => point.start = millis(value)?,
                3 => point.time = millis(value)?,
                4 => count = fixed(value)?,
                5 => sum = value.double()?,
                6 => push(&mut quantiles, quantile(value.bytes()?)?)?,
                7 => point.attributes.push(value.bytes()?)?,
                8 => point.flags = value.unsigned()?,
                _ => {}
            }
        }
        let labels = point.attributes.labels(self.translation);
        for (suffix, value) in [("_sum", sum), ("_count", count as f64)] {
            let name = format!("{name}{suffix}");
            self.float(&name, labels.clone(), point.times(), point.value(value))?;
        }
        for (quantile, value) in quantiles {
            let mut labels = labels.clone();
            labels.insert("quantile".to_owned(), quantile.to_string());
            self.float(name, labels, point.times(), point.value(value))?;
        }
        Ok(())
    }

    /// Adds an exemplar to the series at hand. Other attributes than the ids are left out where
    /// they would make it too long.
    fn exemplar(&mut self, message: &'a [u8]) -> Result<(), Malformed> {
        let (mut fields, mut attributes) = (Fields::new(message), Attributes::default());
        let (mut time, mut number, mut ids) = (0, 0.0, Vec::new());
        while let Some((field, value)) = fields.next()? {
            match field {
                2 => time = millis(value)?,
                3 => number = value.double()?,
                4 => ids.push(("span_id".to_owned(), hex(value.bytes()?))),
                5 => ids.push(("trace_id".to_owned(), hex(value.bytes()?))),
                6 => number = fixed(value)? as i64 as f64,
                7 => attributes.push(value.bytes()?)?,
                _ => {}
            }
        }
        let chars = |pair: &(String, String)| pair.0.chars().count() + pair.1.chars().count();
        let others: Vec<(String, String)> = attributes.into_pairs().collect();
        let all: usize = ids.iter().chain(&others).map(chars).sum();
        if all <= EXEMPLAR_CHARS_MAX {
            ids.extend(others);
        }
        let labels = ids.into_iter().map(|(name, value)| -> WireLabel<'a> {
            (name.into_bytes().into(), value.into_bytes().into())
        });
        self.columns.exemplar(time, number, labels.collect())
    }
}

fn quantile(message: &[u8]) -> Result<(f64, f64), Malformed> {
    let (mut fields, mut found) = (Fields::new(message), (0.0, 0.0));
    while let Some((number, value)) = fields.next()? {
        match number {
            1 => found.0 = value.double()?,
            2 => found.1 = value.double()?,
            _ => {}
        }
    }
    Ok(found)
}

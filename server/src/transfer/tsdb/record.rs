//! What a record of Prometheus' log says.

use chronolith_engine::metrics::{
    BucketCounts, Counts, HISTOGRAM_BUCKETS_MAX, Histogram, ResetHint, SCHEMA_CUSTOM, Span,
};

use crate::transfer::fault::{Fault, Result};
use crate::wire::bytes::Reader;
use crate::wire::chunks::chunk::Value;

/// Numbers of the sorts of records.
const SERIES: u8 = 1;
const SAMPLES: u8 = 2;
pub(crate) const TOMBSTONES: u8 = 3;
const EXEMPLARS: u8 = 4;
/// Where samples lie that are in files already: nothing is lost without it.
const MAPPED: u8 = 5;
const METADATA: u8 = 6;
const HISTOGRAMS: u8 = 7;
const FLOAT_HISTOGRAMS: u8 = 8;
const CUSTOM_HISTOGRAMS: u8 = 9;
const CUSTOM_FLOAT_HISTOGRAMS: u8 = 10;
const SAMPLES_WITH_STARTS: u8 = 11;
const HISTOGRAMS_WITH_STARTS: u8 = 12;
const FLOAT_HISTOGRAMS_WITH_STARTS: u8 = 13;
const LEAST_TIME: u8 = 14;

/// A name and a value.
pub(crate) type Label<'r> = (&'r [u8], &'r [u8]);

/// One thing that a record says. Series are called by number.
#[derive(Debug, PartialEq)]
pub(crate) enum Entry<'r> {
    Series {
        series: u64,
        labels: Vec<Label<'r>>,
    },
    Sample {
        series: u64,
        time: i64,
        /// 0 for none.
        start: i64,
        value: Value,
    },
    Tombstone {
        series: u64,
        times: (i64, i64),
    },
    Exemplar {
        series: u64,
        time: i64,
        value: f64,
        labels: Vec<Label<'r>>,
    },
    Metadata {
        series: u64,
        kind: u8,
        unit: &'r [u8],
        help: &'r [u8],
    },
    /// A record of a sort that is not known, by its number.
    Unknown(u8),
}

/// Hands on what a record says.
pub(crate) fn decode<'r>(
    record: &'r [u8],
    mut each: impl FnMut(Entry<'r>) -> Result<()>,
) -> Result<()> {
    let mut reader = Reader::new(record);
    let sort = reader.u8()?;
    match sort {
        SERIES => {
            while !reader.is_empty() {
                let (series, labels) = (reader.be64()?, labels(&mut reader)?);
                each(Entry::Series { series, labels })?;
            }
        }
        TOMBSTONES => {
            while !reader.is_empty() {
                let series = reader.be64()?;
                let times = (reader.varint()?, reader.varint()?);
                each(Entry::Tombstone { series, times })?;
            }
        }
        METADATA => {
            while !reader.is_empty() {
                each(metadata(&mut reader)?)?;
            }
        }
        EXEMPLARS => based(&mut reader, |reader, series, time| {
            let (value, labels) = (reader.double()?, labels(reader)?);
            each(Entry::Exemplar {
                series,
                time,
                value,
                labels,
            })
        })?,
        SAMPLES | HISTOGRAMS | CUSTOM_HISTOGRAMS | FLOAT_HISTOGRAMS | CUSTOM_FLOAT_HISTOGRAMS => {
            based(&mut reader, |reader, series, time| {
                let value = value(sort, reader)?;
                let start = 0;
                each(Entry::Sample {
                    series,
                    time,
                    start,
                    value,
                })
            })?;
        }
        SAMPLES_WITH_STARTS | HISTOGRAMS_WITH_STARTS | FLOAT_HISTOGRAMS_WITH_STARTS => {
            with_starts(sort, &mut reader, each)?;
        }
        MAPPED | LEAST_TIME => {}
        other => each(Entry::Unknown(other))?,
    }
    Ok(())
}

/// Series and times as differences to a base in front of all.
fn based<'r>(
    reader: &mut Reader<'r>,
    mut each: impl FnMut(&mut Reader<'r>, u64, i64) -> Result<()>,
) -> Result<()> {
    if reader.is_empty() {
        return Ok(());
    }
    let (series, time) = (reader.be64()?, reader.be64()? as i64);
    while !reader.is_empty() {
        let series = series.wrapping_add(reader.varint()? as u64);
        let time = time.wrapping_add(reader.varint()?);
        each(reader, series, time)?;
    }
    Ok(())
}

/// Series as differences to the one before, times and start times to the first.
fn with_starts<'r>(
    sort: u8,
    reader: &mut Reader<'r>,
    mut each: impl FnMut(Entry<'r>) -> Result<()>,
) -> Result<()> {
    if reader.is_empty() {
        return Ok(());
    }
    let (mut series, first) = (reader.varint()?, reader.varint()?);
    let first_start = reader.varint()?;
    let (mut time, mut start) = (first, first_start);
    loop {
        let value = value(sort, reader)?;
        each(Entry::Sample {
            series: series as u64,
            time,
            start,
            value,
        })?;
        if reader.is_empty() {
            return Ok(());
        }
        series = series.wrapping_add(reader.varint()?);
        time = first.wrapping_add(reader.varint()?);
        start = match reader.u8()? {
            0 => 0,
            1 => start,
            _ => first_start.wrapping_add(reader.varint()?),
        };
    }
}

fn value(sort: u8, reader: &mut Reader<'_>) -> Result<Value> {
    match sort {
        SAMPLES | SAMPLES_WITH_STARTS => Ok(Value::Float(reader.double()?)),
        _ => histogram(sort, reader).map(|found| Value::Histogram(Box::new(found))),
    }
}

fn labels<'r>(reader: &mut Reader<'r>) -> Result<Vec<Label<'r>>> {
    let count = reader.count(2)?;
    (0..count)
        .map(|_| Ok((reader.prefixed()?, reader.prefixed()?)))
        .collect()
}

fn metadata<'r>(reader: &mut Reader<'r>) -> Result<Entry<'r>> {
    let (series, kind) = (reader.uvarint()?, reader.u8()?);
    let (mut unit, mut help) = (&[][..], &[][..]);
    for _ in 0..reader.count(2)? {
        let (name, value) = (reader.prefixed()?, reader.prefixed()?);
        match name {
            b"UNIT" => unit = value,
            b"HELP" => help = value,
            _ => {}
        }
    }
    Ok(Entry::Metadata {
        series,
        kind,
        unit,
        help,
    })
}

fn histogram(sort: u8, reader: &mut Reader<'_>) -> Result<Histogram> {
    let is_float = matches!(
        sort,
        FLOAT_HISTOGRAMS | CUSTOM_FLOAT_HISTOGRAMS | FLOAT_HISTOGRAMS_WITH_STARTS
    );
    let reset_hint = match reader.u8()? {
        1 => ResetHint::Reset,
        2 => ResetHint::NotReset,
        3 => ResetHint::Gauge,
        _ => ResetHint::Unknown,
    };
    let schema = reader.varint()?;
    let schema = i8::try_from(schema)
        .map_err(|_| Fault::new(format!("schema {schema} of a histogram is unknown")))?;
    let zero_threshold = reader.double()?;
    let (zero_count, count) = match is_float {
        true => (reader.be64()?, reader.be64()?),
        false => (reader.uvarint()?, reader.uvarint()?),
    };
    let sum = reader.double()?;
    let (positive_spans, negative_spans) = (spans(reader)?, spans(reader)?);
    let counts = match is_float {
        true => Counts::Float(BucketCounts {
            count: f64::from_bits(count),
            zero_count: f64::from_bits(zero_count),
            positive: doubles(reader)?,
            negative: doubles(reader)?,
        }),
        false => Counts::Integer(BucketCounts {
            count,
            zero_count,
            positive: absolute(reader)?,
            negative: absolute(reader)?,
        }),
    };
    let custom_values = match schema {
        SCHEMA_CUSTOM => doubles(reader)?,
        _ => Vec::new(),
    };
    Ok(Histogram {
        schema,
        reset_hint,
        zero_threshold,
        sum,
        positive_spans,
        negative_spans,
        custom_values,
        counts,
    })
}

/// No list of a histogram is longer than it may have buckets.
fn length(reader: &mut Reader<'_>, bytes_each: usize) -> Result<usize> {
    match reader.count(bytes_each)? {
        count if count <= HISTOGRAM_BUCKETS_MAX => Ok(count),
        count => Err(Fault::new(format!("a histogram has {count} buckets"))),
    }
}

fn spans(reader: &mut Reader<'_>) -> Result<Vec<Span>> {
    let wrong = || Fault::new("a span is beyond 32 bits");
    let count = length(reader, 2)?;
    let spans = (0..count).map(|_| {
        let (offset, length) = (reader.varint()?, reader.uvarint()?);
        Ok(Span {
            offset: i32::try_from(offset).map_err(|_| wrong())?,
            length: u32::try_from(length).map_err(|_| wrong())?,
        })
    });
    spans.collect()
}

fn doubles(reader: &mut Reader<'_>) -> Result<Vec<f64>> {
    let count = length(reader, 8)?;
    (0..count).map(|_| Ok(reader.double()?)).collect()
}

/// Counts that are written as differences to the one before.
fn absolute(reader: &mut Reader<'_>) -> Result<Vec<u64>> {
    let (count, mut sum) = (length(reader, 1)?, 0i64);
    let counts = (0..count).map(|_| {
        let next = sum.checked_add(reader.varint()?);
        sum = next.filter(|sum| *sum >= 0).unwrap_or(-1);
        u64::try_from(sum).map_err(|_| Fault::new("a bucket has a negative count"))
    });
    counts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::bytes::{put_prefixed, put_uvarint, put_varint};

    fn decoded(record: &[u8]) -> Result<Vec<Entry<'_>>> {
        let mut found = Vec::new();
        decode(record, |entry| {
            found.push(entry);
            Ok(())
        })?;
        Ok(found)
    }

    #[test]
    fn series_samples_and_tombstones_are_read() {
        let mut record = vec![SERIES];
        record.extend_from_slice(&7u64.to_be_bytes());
        record.push(1);
        put_prefixed(&mut record, b"__name__");
        put_prefixed(&mut record, b"up");
        let labels = vec![(&b"__name__"[..], &b"up"[..])];
        assert_eq!(
            decoded(&record).unwrap(),
            [Entry::Series { series: 7, labels }]
        );

        let mut record = vec![SAMPLES];
        record.extend_from_slice(&7u64.to_be_bytes());
        record.extend_from_slice(&1_000i64.to_be_bytes());
        for (series, time, value) in [(0, 0, 1.5f64), (-2, 30, -0.0)] {
            put_varint(&mut record, series);
            put_varint(&mut record, time);
            record.extend_from_slice(&value.to_bits().to_be_bytes());
        }
        let sample = |series, time, value| Entry::Sample {
            series,
            time,
            start: 0,
            value: Value::Float(value),
        };
        let expected = [sample(7, 1_000, 1.5), sample(5, 1_030, -0.0)];
        assert_eq!(decoded(&record).unwrap(), expected);
        assert!(decoded(&record[..record.len() - 1]).is_err());

        let mut record = vec![TOMBSTONES];
        record.extend_from_slice(&7u64.to_be_bytes());
        put_varint(&mut record, -3);
        put_varint(&mut record, 9);
        let times = (-3, 9);
        assert_eq!(
            decoded(&record).unwrap(),
            [Entry::Tombstone { series: 7, times }]
        );
        assert_eq!(decoded(&[99]).unwrap(), [Entry::Unknown(99)]);
    }

    #[test]
    fn start_times_are_read_in_all_three_ways() {
        let mut record = vec![SAMPLES_WITH_STARTS];
        for number in [7, 1_000, 900] {
            put_varint(&mut record, number);
        }
        let value = 2f64.to_bits().to_be_bytes();
        record.extend_from_slice(&value);
        for (marker, start) in [(1, None), (0, None), (2, Some(50))] {
            put_varint(&mut record, 1);
            put_varint(&mut record, 10);
            record.push(marker);
            start
                .into_iter()
                .for_each(|start| put_varint(&mut record, start));
            record.extend_from_slice(&value);
        }
        let found = decoded(&record).unwrap();
        let starts: Vec<(u64, i64, i64)> = found
            .iter()
            .filter_map(|entry| match entry {
                Entry::Sample {
                    series,
                    time,
                    start,
                    ..
                } => Some((*series, *time, *start)),
                _ => None,
            })
            .collect();
        assert_eq!(
            starts,
            [
                (7, 1000, 900),
                (8, 1010, 900),
                (9, 1010, 0),
                (10, 1010, 950)
            ]
        );
    }

    #[test]
    fn histograms_and_metadata_are_read_and_lengths_are_checked() {
        let mut record = vec![HISTOGRAMS];
        record.extend_from_slice(&1u64.to_be_bytes());
        record.extend_from_slice(&5i64.to_be_bytes());
        record.extend([0, 0, 2]);
        put_varint(&mut record, 1);
        record.extend_from_slice(&0.001f64.to_bits().to_be_bytes());
        record.extend([2, 10]);
        record.extend_from_slice(&18.5f64.to_bits().to_be_bytes());
        put_uvarint(&mut record, 1);
        put_varint(&mut record, -1);
        record.extend([2, 0, 2]);
        put_varint(&mut record, 3);
        put_varint(&mut record, 2);
        record.push(0);
        let found = decoded(&record).unwrap();
        let Entry::Sample {
            value: Value::Histogram(found),
            ..
        } = &found[0]
        else {
            unreachable!("the record holds a histogram");
        };
        assert!(found.validate().is_ok(), "{found:?}");
        for length in 18..record.len() {
            assert!(decoded(&record[..length]).is_err(), "{length}");
        }
        let mut record = vec![METADATA, 7, 1, 1];
        put_prefixed(&mut record, b"HELP");
        put_prefixed(&mut record, b"what");
        let expected = Entry::Metadata {
            series: 7,
            kind: 1,
            unit: b"",
            help: b"what",
        };
        assert_eq!(decoded(&record).unwrap(), [expected]);
    }
}

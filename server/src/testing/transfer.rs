//! The decoders of imports under names that take any bytes, and inputs that are valid.

use chronolith_engine::labels::LabelSet;
use chronolith_engine::metrics::{BucketCounts, Counts, Histogram, Span};

use crate::transfer::tsdb::index::{Symbols, decode_series};
use crate::transfer::tsdb::record;
use crate::transfer::tsdb::tombstones::{self, Tombstones};
use crate::transfer::tsdb::wal::SegmentReader;
use crate::wire::bytes::{crc32c, put_prefixed, put_uvarint, put_varint};
use crate::wire::chunks::chunk::{self, Value};
use crate::wire::chunks::{histogram, xor};
use crate::wire::columns::Columns;
use crate::wire::protobuf::Malformed;
use crate::wire::vm_lines;

/// Takes bytes as an encoding and a chunk of Prometheus.
pub fn fuzz_tsdb_chunk(bytes: &[u8]) {
    let Some((encoding, chunk)) = bytes.split_first() else {
        return;
    };
    let (mut times, mut values) = (Vec::new(), Vec::new());
    let read = chunk::decode(*encoding, chunk, |time, value| {
        if let Value::Float(value) = value {
            times.push(time);
            values.push(value);
        }
        Ok::<(), Malformed>(())
    });
    if read.is_err() || times.is_empty() {
        return;
    }
    let mut again = (Vec::new(), Vec::new());
    let written = xor::encode(&times, &values);
    let read = xor::decode(&written, |time, value| {
        again.0.push(time);
        again.1.push(value.to_bits());
        Ok::<(), Malformed>(())
    });
    assert!(read.is_ok(), "what was written is not read");
    let bits: Vec<u64> = values.iter().map(|value| value.to_bits()).collect();
    assert_eq!(again, (times, bits));
}

/// A chunk of each encoding.
pub fn seeds_tsdb_chunk() -> Vec<Vec<u8>> {
    let times: Vec<i64> = (0..30).map(|place| place * 15_000 + place % 4).collect();
    let values: Vec<f64> = (0..30).map(|place| f64::from(place) * 0.1).collect();
    let with = |encoding: u8, mut chunk: Vec<u8>| {
        chunk.insert(0, encoding);
        chunk
    };
    let span = Span {
        offset: -2,
        length: 2,
    };
    let histogram = |counts| Histogram {
        schema: 2,
        positive_spans: vec![span],
        sum: 7.5,
        counts,
        ..Histogram::default()
    };
    let integer = histogram(Counts::Integer(BucketCounts {
        count: 7,
        zero_count: 1,
        positive: vec![2, 4],
        negative: Vec::new(),
    }));
    let float = histogram(Counts::Float(BucketCounts {
        count: 7.5,
        zero_count: 1.0,
        positive: vec![2.5, 4.0],
        negative: Vec::new(),
    }));
    let four = &times[..4];
    vec![
        with(chunk::XOR, xor::encode(&times, &values)),
        with(chunk::HISTOGRAM, histogram::encode(four, &[&integer; 4])),
        with(
            chunk::FLOAT_HISTOGRAM,
            histogram::encode(four, &[&float; 4]),
        ),
    ]
}

/// Takes bytes as the symbols and a series of an index.
pub fn fuzz_tsdb_series(bytes: &[u8]) {
    let Some(([version, high, low], rest)) = bytes.split_first_chunk() else {
        return;
    };
    let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
    let (symbols, series) = rest.split_at(length);
    if let Ok(symbols) = Symbols::decode(symbols, 13, version % 2 + 1) {
        let _ = decode_series(series, &symbols);
    }
}

/// A series of each version.
pub fn seeds_tsdb_series() -> Vec<Vec<u8>> {
    let mut symbols = 4u32.to_be_bytes().to_vec();
    for text in ["", "__name__", "job", "up"] {
        put_prefixed(&mut symbols, text.as_bytes());
    }
    let seed = |version: u8, references: [u64; 4]| {
        let mut bytes = vec![version - 1];
        bytes.extend_from_slice(&(symbols.len() as u16).to_be_bytes());
        bytes.extend_from_slice(&symbols);
        bytes.push(2);
        for reference in references {
            put_uvarint(&mut bytes, reference);
        }
        bytes.push(1);
        put_varint(&mut bytes, -100);
        put_uvarint(&mut bytes, 50);
        put_uvarint(&mut bytes, 8);
        bytes
    };
    vec![seed(1, [14, 27, 23, 14]), seed(2, [1, 3, 2, 1])]
}

/// Takes bytes as a file of tombstones.
pub fn fuzz_tsdb_tombstones(bytes: &[u8]) {
    let _ = Tombstones::decode(bytes);
    // Behind a checksum that matches there is more to see.
    if let Some(body) = bytes.len().checked_sub(4).filter(|body| *body >= 5) {
        let mut sealed = bytes[..body].to_vec();
        let crc = crc32c(&sealed[5..]);
        sealed.extend_from_slice(&crc.to_be_bytes());
        let _ = Tombstones::decode(&sealed);
    }
}

/// A file with tombstones and one without.
pub fn seeds_tsdb_tombstones() -> Vec<Vec<u8>> {
    let mut some = tombstones::empty();
    some.truncate(5);
    for (series, start, end) in [(1, -5, 7), (300, 8, i64::MAX)] {
        put_uvarint(&mut some, series);
        put_varint(&mut some, start);
        put_varint(&mut some, end);
    }
    let crc = crc32c(&some[5..]);
    some.extend_from_slice(&crc.to_be_bytes());
    vec![tombstones::empty(), some]
}

/// Takes bytes as a segment of Prometheus' log, and as a record.
pub fn fuzz_tsdb_wal(bytes: &[u8]) {
    let mut reader = SegmentReader::new(bytes);
    while let Ok(Some(found)) = reader.next() {
        let _ = record::decode(found, |_| Ok(()));
    }
    let _ = record::decode(bytes, |_| Ok(()));
}

/// A segment of some records, and records alone.
pub fn seeds_tsdb_wal() -> Vec<Vec<u8>> {
    let mut series = vec![1];
    series.extend_from_slice(&7u64.to_be_bytes());
    series.push(1);
    put_prefixed(&mut series, b"__name__");
    put_prefixed(&mut series, b"up");
    let mut samples = vec![2];
    samples.extend_from_slice(&7u64.to_be_bytes());
    samples.extend_from_slice(&1_000i64.to_be_bytes());
    put_varint(&mut samples, 0);
    put_varint(&mut samples, 15);
    samples.extend_from_slice(&1.5f64.to_be_bytes());
    let mut histograms = vec![7];
    histograms.extend_from_slice(&samples[1..17]);
    histograms.extend([0, 0, 2, 2]);
    histograms.extend_from_slice(&0.001f64.to_be_bytes());
    histograms.extend([2, 10]);
    histograms.extend_from_slice(&18.5f64.to_be_bytes());
    histograms.extend([1, 1, 2, 0, 2, 6, 4, 0]);
    let mut segment = Vec::new();
    for record in [&series, &samples, &histograms] {
        segment.push(1);
        segment.extend_from_slice(&(record.len() as u16).to_be_bytes());
        segment.extend_from_slice(&crc32c(record).to_be_bytes());
        segment.extend_from_slice(record);
    }
    vec![segment, series, samples, histograms]
}

/// Takes bytes as a line of VictoriaMetrics' export.
pub fn fuzz_vm_lines(bytes: &[u8]) {
    if let Ok(line) = std::str::from_utf8(bytes) {
        let _ = vm_lines::decode(line, &mut Columns::default());
    }
}

/// A line with every sort of value.
pub fn seeds_vm_lines() -> Vec<Vec<u8>> {
    let labels = LabelSet::from_pairs([("__name__", "up"), ("job", "a\"b")]);
    let labels = labels.expect("these are labels");
    let values = [1.5, f64::INFINITY, f64::NAN, -0.0];
    let line = vm_lines::encode(labels.as_labels(), &[1, 2, 3, 4], &values);
    vec![line.into_bytes()]
}

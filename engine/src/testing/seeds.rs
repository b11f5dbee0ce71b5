//! Small valid inputs for the fuzz targets, written by the encoders themselves.

use std::path::Path;

use crate::block::{BlockHeader, BlockWriter, Paging, block_path};
use crate::codec::bytes::{put_prefixed, put_varint, put_varint_signed};
use crate::codec::chunk::SealedChunk;
use crate::codec::stream::FloatStream;
use crate::codec::tiled_floats::Column;
use crate::codec::tiled_times::Memory;
use crate::codec::tokens::token_hash;
use crate::codec::{float_chunk, histogram_chunk, histogram_value, ints, statistics, tiled_chunk};
use crate::head::record::RecordWriter;
use crate::index::build::IndexBuilder;
use crate::index::filter::write_filter;
use crate::io::sim::SimDisk;
use crate::kind::lines::filter::{LineFilter, LineOp};
use crate::kind::lines::run::LineRun;
use crate::kind::lines::{Line, Lines};
use crate::kind::samples::run::SampleRun;
use crate::kind::samples::{Sample, SampleValue, Samples};
use crate::kind::{Effort, Kind, Parts, Scratch};
use crate::labels::matcher::{MatchOp, Matcher};
use crate::labels::set::{LabelSet, put_label};
use crate::metadata::{self, MetricMetadata};
use crate::store::deletion;
use crate::testing::codec::{BucketCounts, Counts, Histogram, Span};
use crate::testing::decoders::chunks_of;
use crate::time::{Millis, Nanos, TickRange, Ticks};

/// Enough entries for a few blocks of a column.
const ENTRIES: i64 = 150;
const SCRAPE_MILLIS: i64 = 15_000;

/// The number under which the block target opens its file.
const BLOCK_NUMBER: u64 = 7;

/// Patterns behind their length, each before a text.
pub fn seeds_re2() -> Vec<Vec<u8>> {
    let pairs = [
        ("(?i)err(or)?|warn", "GET /cart 500 ERROR upstream"),
        (r"\Qa.b\E*[[:alpha:]]+\b", "a.bbb word"),
        ("api-[0-9]{1,3}.*", "api-17.eu"),
        (r"^(?P<ip>\S+) - (\d+)$", "10.0.0.1 - 42"),
        (r"\pL+\x{1F512}?", "schl\u{fc}ssel\u{1f512}"),
        ("", ""),
    ];
    let seed = |(pattern, text): &(&str, &str)| {
        let mut bytes = vec![pattern.len() as u8];
        bytes.extend_from_slice(pattern.as_bytes());
        bytes.extend_from_slice(text.as_bytes());
        bytes
    };
    pairs.iter().map(seed).collect()
}

/// Open streams behind their count.
pub fn seeds_stream() -> Vec<Vec<u8>> {
    let seed = |(times, values): &(Vec<i64>, Vec<f64>)| {
        let mut stream = FloatStream::new();
        for (time, value) in times.iter().zip(values) {
            stream.append(*time, value.to_bits());
        }
        counted(times.len(), |out| out.extend_from_slice(stream.as_bytes()))
    };
    columns().iter().map(seed).collect()
}

/// Sealed chunks of floats behind their count, with and without start times.
pub fn seeds_float_chunk() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (times, values) in columns() {
        let starts: Vec<i64> = times.iter().map(|time| time / 60_000 * 60_000).collect();
        for starts in [None, Some(&starts[..])] {
            seeds.push(counted(times.len(), |out| {
                float_chunk::encode(&times, starts, &values, out);
            }));
        }
    }
    seeds
}

/// Chunks of floats in tiles, each behind its count, its range and the column that it shares.
pub fn seeds_tiled_chunk() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (times, values) in columns() {
        let starts: Vec<i64> = times.iter().map(|time| time / 60_000 * 60_000).collect();
        for starts in [None, Some(&starts[..])] {
            seeds.push(counted(times.len(), |out| {
                let (mut chunk, mut shared) = (Vec::new(), Vec::new());
                let memory = &mut Memory::default();
                tiled_chunk::encode_times(&times, starts, memory, &mut chunk, &mut shared);
                Column::of(&values).write(&mut chunk);
                put_range(out, &times);
                put_prefixed(out, &shared);
                out.append(&mut chunk);
            }));
        }
    }
    seeds
}

/// Statistics of chunks, each behind its count and its range.
pub fn seeds_statistics() -> Vec<Vec<u8>> {
    let seed = |(times, values): &(Vec<i64>, Vec<f64>)| {
        counted(times.len(), |out| {
            put_range(out, times);
            statistics::encode(&Column::of(values), times, usize::MAX, out);
        })
    };
    columns().iter().map(seed).collect()
}

fn put_range(out: &mut Vec<u8>, times: &[i64]) {
    for time in [times.first(), times.last()] {
        let time = time.expect("a chunk has entries");
        out.extend_from_slice(&time.to_le_bytes());
    }
}

/// Integer columns behind their count.
pub fn seeds_ints() -> Vec<Vec<u8>> {
    let columns: [Vec<i64>; 4] = [
        vec![7; 100],
        (0..ENTRIES).map(|number| 1_000 + number * 3).collect(),
        (0..ENTRIES).map(|number| number * number % 89).collect(),
        vec![i64::MIN, i64::MAX, 0, -1],
    ];
    let seed = |column: &Vec<i64>| counted(column.len(), |out| ints::encode(column, out));
    columns.iter().map(seed).collect()
}

/// Histograms of every sort.
pub fn seeds_histogram() -> Vec<Vec<u8>> {
    let seed = |histogram: &Histogram| {
        let mut bytes = Vec::new();
        histogram_value::encode(histogram, &mut bytes);
        bytes
    };
    [integers(1), floats(), Histogram::stale()]
        .iter()
        .map(seed)
        .collect()
}

/// Sealed chunks of histograms behind their count.
pub fn seeds_histogram_chunk() -> Vec<Vec<u8>> {
    let steady: Vec<Histogram> = (0..20).map(integers).collect();
    let mixed = vec![integers(1), integers(2), floats(), Histogram::stale()];
    let seed = |histograms: &Vec<Histogram>| {
        let times = columns().swap_remove(0).0;
        let times = &times[..histograms.len()];
        counted(times.len(), |out| {
            histogram_chunk::encode(times, None, histograms, out);
        })
    };
    [steady, mixed].iter().map(seed).collect()
}

/// A block of metrics and one of logs.
pub fn seeds_block() -> Vec<Vec<u8>> {
    let samples: Vec<_> = sample_runs().into_iter().zip(series()).collect();
    let lines: Vec<_> = line_runs().into_iter().zip(series()).collect();
    vec![
        block::<Samples>(1, Effort::Quick, &samples),
        block::<Lines>(2, Effort::Quick, &lines),
        block::<Samples>(1, Effort::Best, &samples),
    ]
}

/// The three sections of an index behind the places where they part.
pub fn seeds_index() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for count in 1..=3 {
        let mut builder = IndexBuilder::new();
        for labels in series().iter().take(count) {
            let pushed = builder.push(labels.as_labels());
            pushed.expect("the series come in order");
        }
        let index = builder.finish().expect("an index this small");
        let behind = index.postings.len() + index.rows.len();
        let first = part(index.symbols.len() + behind, index.symbols.len());
        let second = part(behind, index.postings.len());
        let head = [first, second];
        seeds.push([&head[..], &index.symbols, &index.postings, &index.rows].concat());
    }
    seeds
}

/// Records as batches write them: of samples, then of lines.
pub fn seeds_record() -> Vec<Vec<u8>> {
    let histogram = integers(3);
    let samples = [
        Sample::float(Millis(1_000), 1.0),
        Sample::float(Millis(16_000), 0.1),
        Sample {
            start: Some(Millis(1_000)),
            ..Sample::float(Millis(16_000), 2.0)
        },
        Sample {
            time: Millis(31_000),
            start: None,
            value: SampleValue::Histogram(&histogram),
        },
    ];
    let tags = LabelSet::from_pairs([("trace", "a1")]).expect("one label");
    let lines = [
        Line::new(Nanos(1_000), "GET /a 200"),
        Line {
            metadata: tags.as_labels(),
            ..Line::new(Nanos(3_000), "POST /b 500")
        },
        Line::new(Nanos(2_000), ""),
    ];
    vec![record::<Samples>(&samples), record::<Lines>(&lines)]
}

/// Sealed chunks of samples behind encoding and count.
pub fn seeds_samples_chunk() -> Vec<Vec<u8>> {
    chunks_of::<Samples>(&sample_runs())
}

/// Sealed chunks of lines behind encoding and count.
pub fn seeds_lines_chunk() -> Vec<Vec<u8>> {
    chunks_of::<Lines>(&line_runs())
}

/// A filter of each sort.
pub fn seeds_filter() -> Vec<Vec<u8>> {
    let seed = |count: u64| {
        let hashes: Vec<u64> = (0..count).map(|n| token_hash(&n.to_le_bytes())).collect();
        let mut bytes = Vec::new();
        write_filter(&hashes, &mut bytes);
        bytes
    };
    let always = vec![1];
    [0, 1, 2, 40]
        .into_iter()
        .map(seed)
        .chain([always])
        .collect()
}

/// Matchers and line filters of every operator.
pub fn seeds_deletion() -> Vec<Vec<u8>> {
    let ops = [
        MatchOp::Equal,
        MatchOp::NotEqual,
        MatchOp::Regex,
        MatchOp::NotRegex,
    ];
    let matchers = ops.map(|op| Matcher::new(op, "app", "a|b.*").expect("a plain pattern"));
    let ops = [
        LineOp::Contains,
        LineOp::NotContains,
        LineOp::Matches,
        LineOp::NotMatches,
    ];
    let filters = ops.map(|op| LineFilter::new(op, "a b+").expect("a plain pattern"));
    vec![
        deletion::encode_matchers(&matchers),
        deletion::encode_filters(&filters),
    ]
}

/// Metadata with and without all of its parts.
pub fn seeds_metadata() -> Vec<Vec<u8>> {
    let full = MetricMetadata {
        kind: "counter".to_owned(),
        help: "Requests served, by code.".to_owned(),
        unit: "requests".to_owned(),
    };
    vec![
        metadata::encode(&full),
        metadata::encode(&MetricMetadata::default()),
    ]
}

/// A record of notes, a note as the manifest has it, and a table of two classes.
pub fn seeds_notes() -> Vec<Vec<u8>> {
    let values = seeds_metadata();
    let mut record = Vec::new();
    for (family, value) in ["http_requests_total", "up"].iter().zip(&values) {
        put_prefixed(&mut record, family.as_bytes());
        put_prefixed(&mut record, value);
    }
    let saved = [&9u64.to_le_bytes()[..], &values[0]].concat();
    let mut classes = vec![1];
    for (class, keep, matchers) in [(1, 0, r#"{app="audit"}"#), (3, 1 << 42, r#"{l=~"d"}"#)] {
        classes.push(class);
        put_varint(&mut classes, keep);
        put_prefixed(&mut classes, matchers.as_bytes());
    }
    vec![record, saved, classes]
}

/// Bytes behind a count of entries, as the codecs' targets read it.
fn counted(count: usize, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let count = u16::try_from(count).expect("seeds are small");
    let mut bytes = count.to_le_bytes().to_vec();
    write(&mut bytes);
    bytes
}

/// Times and values as scrapes give them: a steady counter, a jittered gauge, what packs badly.
fn columns() -> Vec<(Vec<i64>, Vec<f64>)> {
    let regular: Vec<i64> = (0..ENTRIES).map(|number| number * SCRAPE_MILLIS).collect();
    let jittered = regular.iter().map(|time| time + time * 7 % 13).collect();
    let counter = (0..ENTRIES).map(|number| (number * 3) as f64).collect();
    let gauge = (0..ENTRIES).map(|number| ((number * 37 % 101) as f64) / 10.0);
    let odd = vec![f64::NAN, f64::INFINITY, -0.0, f64::MIN_POSITIVE, 1e300];
    vec![
        (regular, counter),
        (jittered, gauge.collect()),
        (vec![-5, 0, 1, 1 << 40, i64::MAX], odd),
    ]
}

fn integers(number: i64) -> Histogram {
    let number = number.unsigned_abs();
    let span = |offset, length| Span { offset, length };
    Histogram {
        schema: 3,
        zero_threshold: 1e-128,
        sum: 18.4 + number as f64,
        positive_spans: vec![span(0, 2), span(1, 2)],
        negative_spans: vec![span(-4, 1)],
        counts: Counts::Integer(BucketCounts {
            count: 11 + 2 * number,
            zero_count: 2 + number,
            positive: vec![1 + number, 2, 3, 1],
            negative: vec![2],
        }),
        ..Histogram::default()
    }
}

fn floats() -> Histogram {
    Histogram {
        schema: -53,
        sum: 3.5,
        positive_spans: vec![Span {
            offset: 0,
            length: 3,
        }],
        custom_values: vec![0.5, 1.0],
        counts: Counts::Float(BucketCounts {
            count: 4.5,
            zero_count: 0.0,
            positive: vec![1.0, 0.5, 3.0],
            negative: Vec::new(),
        }),
        ..Histogram::default()
    }
}

/// Three label sets in order.
fn series() -> Vec<LabelSet> {
    let sets = [("api", "p0"), ("api", "p1"), ("db", "p2")];
    let set = |(job, pod)| LabelSet::from_pairs([("job", job), ("pod", pod)]);
    sets.into_iter()
        .map(|pairs| set(pairs).expect("two labels in order"))
        .collect()
}

fn sample_runs() -> Vec<SampleRun> {
    let mut runs = Vec::new();
    for (times, values) in columns().into_iter().take(2) {
        let samples = times.into_iter().zip(values);
        let samples = samples.map(|(time, value)| Sample::float(Millis(time), value));
        runs.push(sample_run(&samples.collect::<Vec<_>>()));
    }
    let histograms: Vec<Histogram> = (0..5).map(integers).collect();
    let samples = histograms.iter().enumerate().map(|(index, histogram)| {
        let time = index as i64 * SCRAPE_MILLIS;
        Sample {
            time: Millis(time),
            start: Some(Millis(1)),
            value: SampleValue::Histogram(histogram),
        }
    });
    runs.push(sample_run(&samples.collect::<Vec<_>>()));
    runs
}

fn sample_run(samples: &[Sample<'_>]) -> SampleRun {
    let mut run = SampleRun::of_sort(&samples[0]);
    samples.iter().for_each(|sample| run.push(sample));
    run
}

fn line_runs() -> Vec<LineRun> {
    let tags = LabelSet::from_pairs([("trace", "a1")]).expect("one label");
    let mut plain = LineRun::default();
    let mut tagged = LineRun::default();
    for number in 0..12 {
        let text = format!("level=info status={} path=/cart/{number}", 200 + number % 3);
        let line = Line::new(Nanos(1_000 + number * number), &text);
        plain.push(&line);
        match number % 2 {
            0 => tagged.push(&line),
            _ => tagged.push(&Line {
                metadata: tags.as_labels(),
                ..line
            }),
        }
    }
    let mut short = LineRun::default();
    short.push(&Line::new(Nanos(0), "ok"));
    vec![plain, tagged, short]
}

fn record<K: Parts>(entries: &[K::Entry<'_>]) -> Vec<u8> {
    let mut writer = RecordWriter::default();
    writer.clear();
    for (number, (name, value)) in [("job", "api"), ("pod", "p0"), ("pod", "p1")]
        .iter()
        .enumerate()
    {
        let mut pair = Vec::new();
        put_label(&mut pair, name, value);
        writer.define_pair(number as u32, &pair);
    }
    writer.define_series(0, &[0, 1]);
    writer.define_series(1, &[0, 2]);
    for (index, entry) in entries.iter().enumerate() {
        writer.entry::<K>(index as u32 % 2, entry);
    }
    writer.body().to_vec()
}

fn block<K: Kind>(kind: u8, effort: Effort, series: &[(K::Run, LabelSet)]) -> Vec<u8> {
    let disk = SimDisk::new(0);
    let directory = Path::new("/blocks");
    let header = BlockHeader {
        kind,
        ticks_per_second: 1_000,
        level: 0,
        class: 0,
        partition: TickRange::new(Ticks(0), Ticks(7_199_999)),
        lsn_min: 1,
        lsn_max: 9,
    };
    let paging = Paging::new(K::strip_packing(effort), K::page_bytes(effort));
    let write = || {
        crate::io::Fs::create_dir_all(&disk, directory).expect("an empty disk has room");
        let mut writer = BlockWriter::create(&disk, directory, BLOCK_NUMBER, header, paging)?;
        for (run, labels) in series {
            writer.series(labels.as_labels().id(), labels.as_labels())?;
            K::seal(run, effort, &mut Scratch::default(), &mut |chunk| {
                let mut summary = Vec::new();
                put_varint_signed(&mut summary, chunk.range.start.0);
                writer.chunk(SealedChunk {
                    summary: &summary,
                    ..chunk
                })
            })?;
        }
        writer.finish()
    };
    write().expect("a valid block on an empty disk");
    let written = disk.contents(&block_path(directory, BLOCK_NUMBER));
    written.expect("the block was finished")
}

/// The byte that makes the index target part `length` bytes at `place`.
fn part(length: usize, place: usize) -> u8 {
    let byte = (0..=u8::MAX).find(|byte| length * usize::from(*byte) / 256 == place);
    byte.expect("sections below 256 bytes can be parted anywhere")
}

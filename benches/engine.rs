//! The engine through its door: appends, creation, decoding, selection and log reads.
#![allow(missing_docs)] // What criterion's macros generate carries no documentation.

use std::hint::black_box;
use std::io::Write;
use std::time::Duration;

use chronolith_benches::exposition::{self, Recorded};
use chronolith_benches::fleet::{LabelBytes, METRICS, START_MS, STEP_MS};
use chronolith_benches::loads::{BATCH, Settings, append_all, interval};
use chronolith_benches::process::RunDirectory;
use chronolith_benches::shipping::{START_NS, line, stream_labels};
use chronolith_engine::labels::{MatchOp, Matcher};
use chronolith_engine::logs::{Line, Lines};
use chronolith_engine::metrics::{Sample, Samples};
use chronolith_engine::testing::{compacted_chunks, float_chunk_bytes, read_float_chunk};
use chronolith_engine::time::{Millis, Nanos};
use chronolith_engine::{Batch, Engine, Options, Selector};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

/// Entries of a chunk as a two-hour block of 15 s scrapes has them.
const CHUNK: usize = 480;

fn held() -> Options {
    Settings::Held.options(interval())
}

fn append_known(criterion: &mut Criterion) {
    let directory = RunDirectory::new("bench-append");
    let engine = Engine::open(directory.path(), held()).expect("a fresh directory opens");
    let store = engine.metrics().expect("the store opens");
    let labels = LabelBytes::of(0..BATCH);
    let mut group = criterion.benchmark_group("engine");
    group.throughput(Throughput::Elements(BATCH as u64));
    let mut step = 0;
    group.bench_function("append_known_10000", |bencher| {
        bencher.iter(|| {
            step += 1;
            let value = |place: usize| (place as i64 * step) as f64;
            // Years of quarter seconds lie between the start and the clock.
            append_all(&store, &labels, START_MS + step, value).expect("an append is taken");
        });
    });
    group.finish();
}

fn create_series(criterion: &mut Criterion) {
    let directory = RunDirectory::new("bench-create");
    let labels = LabelBytes::of(0..BATCH);
    let mut opened = 0;
    let mut group = criterion.benchmark_group("engine");
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("create_10000", |bencher| {
        bencher.iter_batched(
            || {
                opened += 1;
                let path = directory.path().join(opened.to_string());
                Engine::open(path, held()).expect("a fresh directory opens")
            },
            |engine| {
                let store = engine.metrics().expect("the store opens");
                append_all(&store, &labels, START_MS, |_| 1.0).expect("an append is taken");
                engine
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// The recorded series whose values change; a note where there is no recording.
fn recorded() -> Option<Vec<Recorded>> {
    let all = exposition::node_exporter();
    if all.is_none() {
        let name = exposition::SHARED;
        let _ = writeln!(
            std::io::stderr(),
            "skipped: {name} does not name the shared data"
        );
    }
    let changes = |series: &Recorded| series.values.iter().any(|value| *value != series.values[0]);
    Some(all?.into_iter().filter(changes).collect())
}

fn decode(criterion: &mut Criterion) {
    let Some(series) = recorded() else { return };
    let samples: usize = series.iter().map(|series| series.values.len()).sum();
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(samples as u64));
    let chunks: Vec<(usize, Vec<u8>)> = series
        .iter()
        .flat_map(|series| series.times.chunks(CHUNK).zip(series.values.chunks(CHUNK)))
        .map(|(times, values)| (times.len(), float_chunk_bytes(times, values)))
        .collect();
    let (mut times, mut values) = (Vec::new(), Vec::new());
    group.bench_function("float_chunks", |bencher| {
        bencher.iter(|| {
            for (count, bytes) in &chunks {
                read_float_chunk(bytes, *count, &mut times, &mut values).expect("a chunk decodes");
                black_box((&times, &values));
            }
        });
    });
    let compacted: Vec<_> = series
        .iter()
        .flat_map(|series| compacted_chunks(&series.times, &series.values))
        .collect();
    group.bench_function("compacted_chunks", |bencher| {
        bencher.iter(|| {
            for chunk in &compacted {
                black_box(chunk.read().expect("a chunk decodes"));
            }
        });
    });
    let directory = RunDirectory::new("bench-decode");
    let engine = Engine::open(directory.path(), held()).expect("a fresh directory opens");
    let store = engine.metrics().expect("the store opens");
    for series in &series {
        let mut batch = Batch::<Samples>::new();
        batch.series(series.labels.as_labels().as_bytes());
        for (time, value) in series.times.iter().zip(&series.values) {
            batch.entry(Sample::float(Millis(*time), *value));
        }
        let report = store.append(&batch).expect("an append is taken");
        assert!(report.refused.is_empty(), "{:?}", report.refused.first());
    }
    store.freeze().expect("a freeze on a healthy disk works");
    let everything = Selector::new(Vec::new());
    let found = store
        .snapshot()
        .select(&everything)
        .expect("everything is selected");
    group.bench_function("series_from_block", |bencher| {
        bencher.iter(|| {
            let mut count = 0;
            for series in &found {
                for run in series.cursor().expect("a series opens") {
                    count += black_box(run.expect("a chunk decodes")).len();
                }
            }
            assert_eq!(count, samples);
        });
    });
    group.finish();
}

fn select(criterion: &mut Criterion) {
    let directory = RunDirectory::new("bench-select");
    let engine = Engine::open(directory.path(), held()).expect("a fresh directory opens");
    let store = engine.metrics().expect("the store opens");
    let labels = LabelBytes::of(0..100 * METRICS);
    for step in 0..2 {
        let time_ms = START_MS + step * STEP_MS;
        append_all(&store, &labels, time_ms, |place| place as f64).expect("an append is taken");
    }
    store.freeze().expect("a freeze on a healthy disk works");
    let snapshot = store.snapshot();
    let mut group = criterion.benchmark_group("select_100k_in_block");
    let cases = [
        (
            "one_name_100",
            MatchOp::Equal,
            "__name__",
            "node_network_receive_bytes_total",
        ),
        (
            "one_instance_1000",
            MatchOp::Equal,
            "instance",
            "10.42.0.7:9100",
        ),
        (
            "regex_names_4000",
            MatchOp::Regex,
            "__name__",
            "node_network_.*",
        ),
        (
            "regex_alternatives_200",
            MatchOp::Regex,
            "__name__",
            "kube_pod_(read|write)_bytes_total",
        ),
        (
            "negative_regex_60000",
            MatchOp::NotRegex,
            "namespace",
            "check.*|pay.*",
        ),
    ];
    for (name, op, label, value) in cases {
        let matcher = Matcher::new(op, label, value).expect("the matcher is valid");
        let selector = Selector::new(vec![matcher]);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let found = snapshot.select(&selector).expect("the block answers");
                assert!(!found.is_empty());
                found
            });
        });
    }
    group.finish();
}

fn logs(criterion: &mut Criterion) {
    let directory = RunDirectory::new("bench-logs");
    let engine = Engine::open(directory.path(), held()).expect("a fresh directory opens");
    let store = engine.logs().expect("the store opens");
    let lines: Vec<String> = (0..2_000).map(line).collect();
    let streams: Vec<Vec<u8>> = (0..20).map(stream_labels).collect();
    let text_bytes: usize = lines.iter().map(String::len).sum();
    let mut group = criterion.benchmark_group("logs");
    group.throughput(Throughput::Bytes(text_bytes as u64));
    let (mut time, mut batch) = (START_NS, Batch::<Lines>::new());
    let mut append = || {
        batch.clear();
        for (labels, texts) in streams.iter().zip(lines.chunks(100)) {
            batch.series(labels);
            for text in texts {
                time += 1_000;
                batch.entry(Line::new(Nanos(time), text));
            }
        }
        store.append(&batch).expect("an append is taken")
    };
    group.bench_function("append_2000_lines", |bencher| bencher.iter(&mut append));
    store.freeze().expect("a freeze on a healthy disk works");
    drop(engine);
    find_text(&mut group);
    group.finish();
}

/// Reads all lines of a block that hold a text.
fn find_text(group: &mut criterion::BenchmarkGroup<'_, criterion::measurement::WallTime>) {
    let directory = RunDirectory::new("bench-find");
    let engine = Engine::open(directory.path(), held()).expect("a fresh directory opens");
    let store = engine.logs().expect("the store opens");
    let lines: Vec<String> = (0..200_000).map(line).collect();
    for (number, texts) in lines.chunks(1_000).enumerate() {
        let labels = stream_labels(number % 20);
        let mut batch = Batch::<Lines>::new();
        batch.series(&labels);
        for (place, text) in texts.iter().enumerate() {
            let time = START_NS + (number * 1_000 + place) as i64 * 1_000;
            batch.entry(Line::new(Nanos(time), text));
        }
        store.append(&batch).expect("an append is taken");
    }
    store.freeze().expect("a freeze on a healthy disk works");
    let snapshot = store.snapshot();
    let text_bytes: usize = lines.iter().map(String::len).sum();
    group.throughput(Throughput::Bytes(text_bytes as u64));
    let trace = lines[77_777]
        .split("trace_id=")
        .nth(1)
        .expect("lines have one");
    let trace = trace.split(' ').next().expect("it ends");
    // Bounded on both sides the trace is a whole token, which filters know; its middle is not.
    let (whole, part) = (format!("={trace} "), &trace[4..28]);
    let cases = [
        ("find_rare_word", &whole[..]),
        ("find_rare_part", part),
        ("find_common", "level=error"),
    ];
    for (name, needle) in cases {
        let selector = Selector::new(Vec::new()).containing(needle);
        let finder = memchr::memmem::Finder::new(needle);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut hits = 0;
                for series in snapshot.select(&selector).expect("the block answers") {
                    for run in series.cursor().expect("a stream opens") {
                        let run = run.expect("a chunk decodes");
                        let is_hit = |index: &usize| finder.find(run.line(*index)).is_some();
                        hits += (0..run.len()).filter(is_hit).count();
                    }
                }
                assert!(hits > 0);
                hits
            });
        });
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = append_known, create_series, decode, select, logs
}
criterion_main!(benches);

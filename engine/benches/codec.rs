//! Time per entry of the codecs, on made-up series of the shapes that metrics have.
//!
//! `cargo bench -p chronolith-engine --features testing --bench codec`

use std::hint::black_box;

use chronolith_engine::testing::codec::{
    BucketCounts, Counts, Histogram, Span, Stream, decode_float_chunk, decode_histogram_chunk,
    decode_stream, encode_float_chunk, encode_histogram_chunk,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const SEED: u64 = 0x2545_f491_4f6c_dd1d;
/// A head chunk's usual size, and one after compaction.
const SIZES: [usize; 2] = [120, 4096];
const SHAPES: [Shape; 6] = [
    Shape::Idle,
    Shape::Counter,
    Shape::Slow,
    Shape::Cents,
    Shape::Jittered,
    Shape::Random,
];

#[derive(Clone, Copy, Debug)]
enum Shape {
    /// One value throughout.
    Idle,
    /// Random increments up to a thousand.
    Counter,
    /// An increment now and then.
    Slow,
    /// A gauge of two decimals.
    Cents,
    /// A counter scraped up to 50 ms early or late.
    Jittered,
    /// Floats of all digits.
    Random,
}

struct Entries {
    times: Vec<i64>,
    values: Vec<f64>,
}

fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state >> 11
}

fn entries(shape: Shape, count: usize) -> Entries {
    let mut state = SEED;
    let (mut value, mut values, mut times) = (1000.0, Vec::new(), Vec::new());
    for place in 0..count as i64 {
        let random = next(&mut state);
        match shape {
            Shape::Idle => {}
            Shape::Counter | Shape::Jittered => value += (random % 1001) as f64,
            Shape::Slow => value += f64::from(u8::from(random.is_multiple_of(10))),
            Shape::Cents => value = (5000 + random % 400) as f64 / 100.0,
            Shape::Random => value = random as f64 / (1u64 << 53) as f64,
        }
        let jitter = match shape {
            Shape::Jittered => (next(&mut state) % 101) as i64 - 50,
            _ => 0,
        };
        times.push(1_768_471_200_123 + place * 15_000 + jitter);
        values.push(value);
    }
    Entries { times, values }
}

fn stream_of(entries: &Entries) -> Stream {
    let mut stream = Stream::default();
    for (time, value) in entries.times.iter().zip(&entries.values) {
        stream.append(*time, value.to_bits());
    }
    stream
}

fn streams(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stream");
    for shape in SHAPES {
        let entries = entries(shape, SIZES[0]);
        group.throughput(Throughput::Elements(entries.times.len() as u64));
        group.bench_function(format!("append/{shape:?}"), |bencher| {
            bencher.iter(|| stream_of(black_box(&entries)));
        });
        let stream = stream_of(&entries);
        let (mut times, mut values) = (Vec::new(), Vec::new());
        group.bench_function(format!("decode/{shape:?}"), |bencher| {
            bencher.iter(|| {
                times.clear();
                values.clear();
                decode_stream(
                    black_box(stream.as_bytes()),
                    stream.count(),
                    &mut times,
                    &mut values,
                )
            });
        });
    }
    group.finish();
}

fn chunks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("float_chunk");
    for (shape, size) in SHAPES
        .into_iter()
        .flat_map(|shape| SIZES.map(|size| (shape, size)))
    {
        let entries = entries(shape, size);
        group.throughput(Throughput::Elements(size as u64));
        let mut bytes = Vec::new();
        group.bench_function(format!("encode/{shape:?}/{size}"), |bencher| {
            bencher.iter(|| {
                bytes.clear();
                let entries = black_box(&entries);
                encode_float_chunk(&entries.times, None, &entries.values, &mut bytes);
            });
        });
        let (mut times, mut values) = (Vec::new(), Vec::new());
        group.bench_function(format!("decode/{shape:?}/{size}"), |bencher| {
            bencher.iter(|| {
                times.clear();
                values.clear();
                decode_float_chunk(black_box(&bytes), size, &mut times, &mut None, &mut values)
            });
        });
    }
    group.finish();
}

fn histograms(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("histogram_chunk");
    let (mut state, mut buckets) = (SEED, vec![0u64; 20]);
    let mut all = Vec::new();
    for place in 0..SIZES[0] {
        for bucket in &mut buckets {
            *bucket += next(&mut state) % 8;
        }
        all.push(Histogram {
            schema: 3,
            sum: place as f64 * 1.7,
            positive_spans: vec![Span {
                offset: -4,
                length: 20,
            }],
            counts: Counts::Integer(BucketCounts {
                count: buckets.iter().sum(),
                zero_count: 0,
                positive: buckets.clone(),
                negative: Vec::new(),
            }),
            ..Histogram::default()
        });
    }
    let times: Vec<i64> = (0..all.len() as i64).map(|place| place * 15_000).collect();
    group.throughput(Throughput::Elements(all.len() as u64));
    let mut bytes = Vec::new();
    group.bench_function("encode", |bencher| {
        bencher.iter(|| {
            bytes.clear();
            encode_histogram_chunk(black_box(&times), black_box(&all), &mut bytes);
        });
    });
    group.bench_function("decode", |bencher| {
        bencher.iter(|| {
            let (mut times, mut back) = (Vec::new(), Vec::new());
            decode_histogram_chunk(black_box(&bytes), all.len(), &mut times, &mut back)
                .map(|()| back)
        });
    });
    group.finish();
}

criterion_group!(benches, streams, chunks, histograms);
criterion_main!(benches);

//! What each codec makes of the values of a recorded node_exporter: bytes and time a value, and
//! what the engine's chunks would lose if the codec were added.
//!
//! `CHRONOLITH_SHARED=... cargo run --release --manifest-path benches/rivals/Cargo.toml`
//!
//! A column is one series' recording, as compaction puts it into a chunk or two. Only columns that
//! change are counted: constants take a few bytes whatever the codec.

// What the derive macros of tsz-compress write needs it.
extern crate alloc;

mod codecs;

use std::hint::black_box;
use std::time::{Duration, Instant};

use chronolith_benches::exposition::{SHARED, node_exporter};
use chronolith_engine::testing::{
    CompactedChunk, compacted_chunks, float_chunk_bytes, read_float_chunk,
};
use codecs::{Codec, Outcome};

/// How far samples are apart.
const STEP_MS: i64 = 15_000;

/// The fastest of so many rounds is told.
const ROUNDS: usize = 7;

fn main() -> Outcome<()> {
    let recording = node_exporter().ok_or_else(|| format!("{SHARED} must name the shared data"))?;
    let changes = |values: &Vec<f64>| {
        let first = values.first().map(|value| value.to_bits());
        values.iter().any(|value| Some(value.to_bits()) != first)
    };
    let columns: Vec<Vec<f64>> = recording.into_iter().map(|series| series.values).collect();
    let all = columns.len();
    let columns: Vec<Vec<f64>> = columns.into_iter().filter(changes).collect();
    println!("{} of {all} columns change; of those:", columns.len());
    println!("| codec | bytes a value | write ns | read ns | smaller on | would save |");
    println!("|---|---|---|---|---|---|");
    let tiles = sizes(&written(Codec::Tiles, &columns)?);
    for codec in codecs::ALL {
        report(codec, &columns, &tiles)?;
    }
    report_chunks(&columns)
}

fn written(codec: Codec, columns: &[Vec<f64>]) -> Outcome<Vec<Vec<u8>>> {
    columns.iter().map(|column| codec.write(column)).collect()
}

fn sizes(written: &[Vec<u8>]) -> Vec<usize> {
    written.iter().map(Vec::len).collect()
}

fn report(codec: Codec, columns: &[Vec<f64>], tiles: &[usize]) -> Outcome<()> {
    let values: usize = columns.iter().map(Vec::len).sum();
    let bytes = written(codec, columns)?;
    for (column, bytes) in columns.iter().zip(&bytes) {
        let back = codec.read(bytes, column.len())?;
        let same = |(one, two): (&f64, &f64)| one.to_bits() == two.to_bits();
        let is_whole = column.len() == back.len() && column.iter().zip(&back).all(same);
        assert!(is_whole, "{codec:?} gives other values back");
    }
    let sizes = sizes(&bytes);
    let both = sizes.iter().zip(tiles);
    let smaller = both.clone().filter(|(size, tiles)| size < tiles).count();
    let best: usize = both.map(|(size, tiles)| size.min(tiles)).sum();
    let ours: usize = tiles.iter().sum();
    let writing = fastest(|| written(codec, columns).map(drop))?;
    let reading = fastest(|| {
        for (column, bytes) in columns.iter().zip(&bytes) {
            black_box(codec.read(bytes, column.len())?);
        }
        Ok(())
    })?;
    println!(
        "| {} | {:.3} | {:.1} | {:.2} | {smaller} of {} | {:.1} % |",
        codec.name(),
        sizes.iter().sum::<usize>() as f64 / values as f64,
        nanoseconds(writing, values),
        nanoseconds(reading, values),
        columns.len(),
        (ours - best) as f64 * 100.0 / ours as f64,
    );
    Ok(())
}

/// Whole chunks with times, which readers get.
fn report_chunks(columns: &[Vec<f64>]) -> Outcome<()> {
    let longest = columns.iter().map(Vec::len).max().unwrap_or(0);
    let times: Vec<i64> = (0..longest as i64).map(|n| n * STEP_MS).collect();
    let values: usize = columns.iter().map(Vec::len).sum();
    let chunks = |values: &Vec<f64>| compacted_chunks(&times[..values.len()], values);
    let merged: Vec<CompactedChunk> = columns.iter().flat_map(chunks).collect();
    let reading = fastest(|| {
        for chunk in &merged {
            black_box(chunk.read()?);
        }
        Ok(())
    })?;
    let frozen = |values: &Vec<f64>| float_chunk_bytes(&times[..values.len()], values);
    let frozen: Vec<Vec<u8>> = columns.iter().map(frozen).collect();
    let (mut out_times, mut out_values) = (Vec::new(), Vec::new());
    let reading_frozen = fastest(|| {
        for (bytes, values) in frozen.iter().zip(columns) {
            let count = values.len();
            read_float_chunk(black_box(bytes), count, &mut out_times, &mut out_values)?;
        }
        Ok(())
    })?;
    println!(
        "times and values of a merged chunk: {:.2} ns a sample; of a frozen one: {:.2}",
        nanoseconds(reading, values),
        nanoseconds(reading_frozen, values),
    );
    Ok(())
}

fn nanoseconds(time: Duration, values: usize) -> f64 {
    time.as_nanos() as f64 / values as f64
}

fn fastest(mut run: impl FnMut() -> Outcome<()>) -> Outcome<Duration> {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        run()?;
        best = best.min(start.elapsed());
    }
    Ok(best)
}

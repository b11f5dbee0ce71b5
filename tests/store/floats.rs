//! Floats keep every bit, wherever they are.

use chronolith_engine::metrics::{STALE_NAN_BITS, Sample, SampleValue};
use chronolith_engine::time::Millis;
use chronolith_tests::Random;

use super::bed::{
    AHEAD_MS, Folder, PAST_MS, append_samples, at_every_stage, numbered, only, point_of, points,
};
use super::bed::{all, put, set};

/// Bit patterns that a careless codec would lose.
fn odd_patterns() -> Vec<u64> {
    let named = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.1,
        1e300,
        -1e-300,
        f64::MIN_POSITIVE,
        f64::MIN_POSITIVE / 2.0,
        f64::MAX,
        f64::MIN,
        f64::EPSILON,
        f64::INFINITY,
        f64::NEG_INFINITY,
        9_007_199_254_740_991.0,
        9_007_199_254_740_993.0,
        -9_007_199_254_740_992.0,
        123_456.789,
    ];
    let mut patterns: Vec<u64> = named.iter().map(|value| value.to_bits()).collect();
    patterns.extend([
        1,
        0x8000_0000_0000_0001,
        0x000f_ffff_ffff_ffff,
        STALE_NAN_BITS,
        STALE_NAN_BITS + 1,
        STALE_NAN_BITS - 1,
        STALE_NAN_BITS | 1 << 63,
        0x7ff8_0000_0000_0000,
        0x7ff8_0000_0000_0001,
        0xfff8_0000_0000_0000,
        u64::MAX,
    ]);
    patterns
}

#[test]
fn every_bit_pattern_reads_back_at_every_stage() {
    let folder = Folder::new();
    let mut patterns = odd_patterns();
    let mut random = Random::new(11);
    patterns.extend((0..3000).map(|_| random.draw()));
    let samples: Vec<Sample<'_>> = (0..patterns.len())
        .map(|index| {
            let time = Millis(AHEAD_MS + index as i64 * 15_000);
            Sample::float(time, f64::from_bits(patterns[index]))
        })
        .collect();
    let expected: Vec<_> = samples.iter().map(point_of).collect();
    at_every_stage(
        &folder,
        |engine| {
            let report = append_samples(&engine.metrics().unwrap(), &numbered(1), &samples);
            assert_eq!(report.accepted, samples.len() as u64);
        },
        |stage, engine| assert_eq!(only(&engine.metrics().unwrap()), expected, "{stage}"),
    );
}

#[test]
fn each_odd_pattern_reads_back_alone_in_its_series() {
    let folder = Folder::new();
    let patterns = odd_patterns();
    at_every_stage(
        &folder,
        |engine| {
            let metrics = engine.metrics().unwrap();
            for (index, pattern) in patterns.iter().enumerate() {
                put(
                    &metrics,
                    &numbered(index),
                    PAST_MS,
                    f64::from_bits(*pattern),
                );
            }
        },
        |stage, engine| {
            let found = points(&engine.metrics().unwrap().snapshot(), &all());
            assert_eq!(found.len(), patterns.len(), "{stage}");
            for ((_, points), pattern) in found.iter().zip(&patterns) {
                let value = super::bed::Value::Bits(*pattern);
                assert_eq!(points[..], [(PAST_MS, None, value)], "{stage}");
            }
        },
    );
}

#[test]
fn start_timestamps_read_back_beside_samples_without_one() {
    let folder = Folder::new();
    let samples: Vec<Sample<'_>> = (0..2500i64)
        .map(|index| {
            let time = PAST_MS + index * 1000;
            let start = match index % 7 {
                0..3 => None,
                3 => Some(Millis(time)),
                4 => Some(Millis(-5)),
                _ => Some(Millis(PAST_MS - 60_000)),
            };
            Sample {
                time: Millis(time),
                start,
                value: SampleValue::Float(index as f64),
            }
        })
        .collect();
    let expected: Vec<_> = samples.iter().map(point_of).collect();
    at_every_stage(
        &folder,
        |engine| {
            append_samples(&engine.metrics().unwrap(), &numbered(1), &samples);
        },
        |stage, engine| assert_eq!(only(&engine.metrics().unwrap()), expected, "{stage}"),
    );
}

#[test]
fn times_at_the_ends_of_the_range_read_back() {
    let folder = Folder::new();
    let day = 24 * 3_600_000i64;
    let mut times = vec![
        i64::MIN + 1,
        i64::MIN + 2,
        i64::MIN + 3 * day,
        i64::MIN + 7 * day,
        i64::MIN + 9 * day,
        i64::MIN + 12 * day,
        -day,
        -1,
        0,
        1,
        PAST_MS,
        AHEAD_MS,
    ];
    times.extend((0..60).map(|step| i64::MIN + 20 * day + step * day));
    times.sort_unstable();
    let samples: Vec<Sample<'_>> = times
        .iter()
        .enumerate()
        .map(|(index, time)| Sample::float(Millis(*time), index as f64))
        .collect();
    let expected: Vec<_> = samples.iter().map(point_of).collect();
    at_every_stage(
        &folder,
        |engine| {
            let report = append_samples(&engine.metrics().unwrap(), &numbered(1), &samples);
            assert_eq!(report.refused, []);
        },
        |stage, engine| assert_eq!(only(&engine.metrics().unwrap()), expected, "{stage}"),
    );
}

#[test]
fn a_window_at_the_lowest_times_alone_reads_back() {
    let folder = Folder::new();
    let hour = 3_600_000i64;
    let samples: Vec<Sample<'_>> = (0..24 * 24)
        .map(|step| Sample::float(Millis(i64::MIN + 1 + step * hour), step as f64))
        .collect();
    let expected: Vec<_> = samples.iter().map(point_of).collect();
    at_every_stage(
        &folder,
        |engine| {
            append_samples(&engine.metrics().unwrap(), &set(&[("a", "b")]), &samples);
        },
        |stage, engine| assert_eq!(only(&engine.metrics().unwrap()), expected, "{stage}"),
    );
}

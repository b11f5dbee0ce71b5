//! Histogram chunks: round trips, layouts, damage.

use super::super::histogram::Span;
use super::super::histogram::tests::{histograms, valid};
use super::*;
use proptest::prelude::*;

type Entries = (Vec<i64>, Option<Vec<i64>>, Vec<Histogram>);

fn decoded(bytes: &[u8], count: usize) -> Result<Entries> {
    let mut entries = (Vec::new(), None, Vec::new());
    decode(bytes, count, &mut entries.0, &mut entries.1, &mut entries.2)?;
    Ok(entries)
}

fn encoded(histograms: &[Histogram]) -> (Vec<i64>, Vec<u8>) {
    let times: Vec<i64> = (0..histograms.len() as i64).map(|i| i * 15_000).collect();
    let mut bytes = Vec::new();
    encode(&times, None, histograms, &mut bytes);
    (times, bytes)
}

/// A series that counts on, changes its buckets once, and ends.
fn series(count: u64) -> Vec<Histogram> {
    let mut all: Vec<Histogram> = (0..count)
        .map(|i| {
            let mut histogram = valid();
            histogram.sum = i as f64 * 0.7;
            let mut positive = vec![i, i * 2, 3, i / 9];
            if i > count / 2 {
                histogram.positive_spans.push(Span {
                    offset: 3,
                    length: 1,
                });
                positive.push(i);
            }
            histogram.counts = Counts::Integer(BucketCounts {
                count: positive.iter().sum::<u64>() + i + 2,
                zero_count: i,
                positive,
                negative: vec![2],
            });
            histogram
        })
        .collect();
    all.push(Histogram::stale());
    all
}

proptest! {
    #[test]
    fn any_chunk_comes_back(
        few in prop::collection::vec((histograms(), 1usize..5), 0..6), with_starts in any::<bool>(),
    ) {
        let all: Vec<Histogram> =
            few.into_iter().flat_map(|(one, times)| vec![one; times]).collect();
        let (times, _) = encoded(&all);
        let starts = with_starts.then(|| vec![7; all.len()]);
        let mut bytes = Vec::new();
        encode(&times, starts.as_deref(), &all, &mut bytes);
        prop_assert_eq!(decoded(&bytes, all.len()).unwrap(), (times, starts, all));
    }

    #[test]
    fn decoding_arbitrary_bytes_never_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..300), count in 0usize..1000,
    ) {
        let _ = decoded(&bytes, count);
    }
}

#[test]
fn a_series_comes_back_and_is_small() {
    let all = series(120);
    let (times, bytes) = encoded(&all);
    assert_eq!(
        decoded(&bytes, all.len()).unwrap(),
        (times, None, all.clone())
    );
    assert!(bytes.len() < all.len() * 8, "{}", bytes.len());
}

#[test]
fn cutting_or_changing_the_bytes_anywhere_never_panics() {
    let all = series(20);
    let (_, bytes) = encoded(&all);
    for end in 0..bytes.len() {
        assert!(decoded(&bytes[..end], all.len()).is_err(), "cut at {end}");
    }
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        if let Ok(back) = decoded(&changed, all.len()) {
            assert_eq!(back.2.len(), all.len());
        }
    }
    assert!(decoded(&bytes, all.len() - 1).is_err());
    assert!(decoded(&bytes, all.len() + 1).is_err());
}

#[test]
fn few_bytes_cannot_stand_for_too_many_cells() {
    let wide = Histogram {
        positive_spans: vec![Span {
            offset: 0,
            length: 60_000,
        }],
        counts: Counts::Integer(BucketCounts {
            positive: vec![0; 60_000],
            ..BucketCounts::default()
        }),
        ..Histogram::default()
    };
    let many = vec![wide; 100];
    let fit = fitting(&many);
    assert!((1..100).contains(&fit));
    let (_, mut bytes) = encoded(&many[..fit]);
    assert_eq!(decoded(&bytes, fit).unwrap().2.len(), fit);
    // The same columns said to be of more rows than a chunk may have cells.
    let length_at = bytes
        .iter()
        .position(|&byte| usize::from(byte) == fit - 1)
        .unwrap();
    bytes[length_at] = 99;
    assert!(decoded(&bytes, 100).is_err());
}

#[test]
fn the_bytes_of_a_small_chunk_are_these() {
    let (_, bytes) = encoded(&[valid(), valid()]);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        hex,
        concat!(
            "0008001e01010003a5b6e9c5f099e3cb9d010200020202040107010100000000",
            "c0e498b3e6cc99b3660016000400020004000600020004"
        )
    );
}

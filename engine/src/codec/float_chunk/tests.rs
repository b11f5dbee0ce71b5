//! Float chunks: every bit pattern, every cut, every flip.

use super::*;
use proptest::prelude::*;

type Entries = (Vec<i64>, Option<Vec<i64>>, Vec<u64>);

fn decoded(bytes: &[u8], count: usize) -> Result<Entries> {
    let (mut times, mut starts, mut values) = (Vec::new(), None, Vec::new());
    decode(bytes, count, &mut times, &mut starts, &mut values)?;
    Ok((
        times,
        starts,
        values.into_iter().map(f64::to_bits).collect(),
    ))
}

fn encoded(times: &[i64], starts: Option<&[i64]>, values: &[f64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(times, starts, values, &mut bytes);
    bytes
}

proptest! {
    #[test]
    fn any_chunk_comes_back(
        entries in prop::collection::vec((any::<i64>(), any::<i64>(), any::<u64>()), 0..300),
        regular in any::<bool>(), with_starts in any::<bool>(),
    ) {
        let mut times: Vec<i64> = entries.iter().map(|entry| entry.0).collect();
        if regular {
            times = (0..times.len() as i64).map(|i| i * 15_000).collect();
        }
        let starts = with_starts.then(|| entries.iter().map(|e| e.1).collect::<Vec<_>>());
        let bits: Vec<u64> = entries.iter().map(|entry| entry.2).collect();
        let values: Vec<f64> = bits.iter().copied().map(f64::from_bits).collect();
        let bytes = encoded(&times, starts.as_deref(), &values);
        prop_assert_eq!(decoded(&bytes, times.len()).unwrap(), (times, starts, bits));
    }

    #[test]
    fn decoding_arbitrary_bytes_never_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..300), count in 0usize..70_000,
    ) {
        let _ = decoded(&bytes, count);
    }
}

#[test]
fn chunks_with_and_without_starts_append_to_each_other() {
    let bare = encoded(&[1, 2], None, &[0.5, 0.5]);
    let started = encoded(&[3], Some(&[9]), &[0.5]);
    let (mut times, mut starts, mut values) = (Vec::new(), None, Vec::new());
    for (bytes, count) in [(&bare, 2), (&started, 1), (&bare, 2)] {
        decode(bytes, count, &mut times, &mut starts, &mut values).unwrap();
    }
    assert_eq!(times, [1, 2, 3, 1, 2]);
    assert_eq!(starts.unwrap(), [0, 0, 9, 0, 0]);
    assert_eq!(values, [0.5; 5]);
}

#[test]
fn a_full_chunk_comes_back_and_a_larger_count_is_refused() {
    let times: Vec<i64> = (0..CHUNK_ENTRIES_MAX as i64).map(|i| i * 1000).collect();
    let values: Vec<f64> = times.iter().map(|&time| time as f64 / 8.0).collect();
    let bytes = encoded(&times, None, &values);
    assert_eq!(decoded(&bytes, times.len()).unwrap().0, times);
    assert!(decoded(&bytes, CHUNK_ENTRIES_MAX + 1).is_err());
}

#[test]
fn a_wrong_count_flags_or_cut_is_refused() {
    let times: Vec<i64> = (0..120).map(|i| i * 15_000 + i * 31 % 7).collect();
    let values: Vec<f64> = (0..120).map(|i| f64::from(i * i % 97) / 10.0).collect();
    let bytes = encoded(&times, Some(&times), &values);
    for end in 0..bytes.len() {
        assert!(decoded(&bytes[..end], 120).is_err());
    }
    assert!(decoded(&bytes, 100).is_err());
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(decoded(&longer, 120).is_err());
    let mut flagged = bytes;
    flagged[0] |= 2;
    assert!(decoded(&flagged, 120).is_err());
}

#[test]
fn the_bytes_of_a_small_chunk_are_those_of_the_format_page() {
    let bytes = encoded(&[15_000, 30_000, 45_000], None, &[1.5, 2.5, 4.0]);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let page = include_str!("../../../../docs/format/chunks.md");
    assert_eq!(hex, "0008b0ea011e1202051e4065");
    assert!(page.contains(&hex), "the page shows other bytes");
}

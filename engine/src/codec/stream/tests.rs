//! Open streams: every bit pattern, every prefix, truncation.

use super::*;
use proptest::prelude::*;

const STALE: u64 = 0x7ff0_0000_0000_0002;

fn stream_of(entries: &[(i64, u64)]) -> FloatStream {
    let mut stream = FloatStream::new();
    for &(time, bits) in entries {
        stream.append(time, bits);
    }
    stream
}

fn entries_of(bytes: &[u8], count: u32) -> Result<Vec<(i64, u64)>> {
    let (mut times, mut values) = (Vec::new(), Vec::new());
    decode(bytes, count, &mut times, &mut values)?;
    assert_eq!(times.len(), values.len());
    Ok(times
        .into_iter()
        .zip(values.into_iter().map(f64::to_bits))
        .collect())
}

fn specials() -> Vec<u64> {
    let floats = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        14.29,
        14.3,
        1e300,
        5e-324,
        f64::MIN,
        f64::MAX,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::EPSILON,
        0.1 + 0.2,
        4_503_599_627_370_496.0,
        9e15,
        1e-9,
    ];
    let mut all: Vec<u64> = floats.iter().map(|float| float.to_bits()).collect();
    all.extend([
        STALE,
        0x7ff8_0000_0000_0001,
        0xfff8_dead_beef_0001,
        1,
        u64::MAX,
        1 << 63,
    ]);
    all
}

fn bits() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        proptest::sample::select(specials()),
        (-2000i64..2000).prop_map(|integer| (integer as f64).to_bits()),
        (-200_000i64..200_000).prop_map(|cents| (cents as f64 / 100.0).to_bits()),
        (0u64..1 << 40).prop_map(|pages| ((pages * 4096) as f64).to_bits()),
    ]
}

fn times() -> impl Strategy<Value = i64> {
    prop_oneof![
        any::<i64>(),
        (0i64..1000).prop_map(|step| step * 15_000),
        (0i64..10_000_000).prop_map(|time| 1_768_471_200_000 + time),
        proptest::sample::select(vec![i64::MIN, i64::MAX, 0]),
    ]
}

proptest! {
    #[test]
    fn every_prefix_of_any_entries_comes_back(
        entries in prop::collection::vec((times(), bits()), 0..60),
    ) {
        let stream = stream_of(&entries);
        prop_assert_eq!(stream.len() as usize, entries.len());
        for count in 0..=entries.len() {
            let back = entries_of(stream.as_bytes(), count as u32).unwrap();
            prop_assert_eq!(&back[..], &entries[..count]);
        }
        prop_assert_eq!(stream.first_time(), entries.first().map(|entry| entry.0));
        prop_assert_eq!(stream.last_time(), entries.last().map(|entry| entry.0));
        prop_assert_eq!(stream.last_bits(), entries.last().map(|entry| entry.1));
    }

    #[test]
    fn decoding_arbitrary_bytes_never_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        count in any::<u32>(),
    ) {
        let _ = entries_of(&bytes, count);
    }
}

#[test]
fn a_copy_taken_while_the_stream_was_open_decodes_to_what_it_held() {
    let mut stream = FloatStream::new();
    let mut entries = Vec::new();
    for (index, bits) in specials().into_iter().cycle().take(400).enumerate() {
        let copy = (stream.as_bytes().to_vec(), stream.len());
        let entry = (index as i64 * 15_000 + i64::from(index % 7 == 0), bits);
        stream.append(entry.0, entry.1);
        assert_eq!(entries_of(&copy.0, copy.1).unwrap(), entries);
        entries.push(entry);
    }
}

#[test]
fn truncate_leaves_the_stream_as_if_the_rest_was_never_appended() {
    let entries: Vec<_> = (0..100)
        .map(|i| (i * 1000, (i as f64 / 4.0).to_bits()))
        .collect();
    for count in [0, 1, 50, 99, 100, 101] {
        let mut stream = stream_of(&entries);
        stream.truncate(count);
        let kept = &entries[..entries.len().min(count as usize)];
        assert_eq!(stream.as_bytes(), stream_of(kept).as_bytes());
        assert_eq!(stream.len() as usize, kept.len());
        stream.append(i64::MAX, STALE);
        assert_eq!(stream.last_bits(), Some(STALE));
    }
}

#[test]
fn cutting_the_bytes_anywhere_is_an_error_or_all_entries() {
    let entries: Vec<_> = (0..50)
        .map(|i| (i * i * 977, (i as f64).sqrt().to_bits()))
        .collect();
    let stream = stream_of(&entries);
    for end in 0..stream.as_bytes().len() {
        assert!(
            entries_of(&stream.as_bytes()[..end], stream.len()).is_err(),
            "cut at {end}"
        );
    }
}

#[test]
fn a_count_beyond_the_bytes_is_an_error_and_asks_for_little_memory() {
    let stream = stream_of(&[(1, 2)]);
    let (mut times, mut values) = (Vec::new(), Vec::new());
    assert!(decode(stream.as_bytes(), u32::MAX, &mut times, &mut values).is_err());
    assert!(times.capacity() <= stream.as_bytes().len() * 8 + 8);
}

#[test]
fn idle_series_take_a_bit_an_entry_and_buffers_waste_little() {
    let idle: Vec<_> = (0..800).map(|i| (i * 15_000, 7f64.to_bits())).collect();
    let stream = stream_of(&idle);
    assert!(
        stream.as_bytes().len() <= 800 / 8 + 10,
        "{}",
        stream.as_bytes().len()
    );
    let busy: Vec<_> = (0..2000u64)
        .map(|i| (i as i64, i.wrapping_mul(0x9e37_79b9)))
        .collect();
    let stream = stream_of(&busy);
    assert!(stream.heap_bytes() * 100 <= stream.as_bytes().len() * 115);
}

#[test]
fn the_bytes_of_a_small_stream_are_these() {
    let stream = stream_of(&[
        (1_000, 5f64.to_bits()),
        (2_000, 5f64.to_bits()),
        (3_000, 8f64.to_bits()),
        (4_002, 8.25f64.to_bits()),
        (5_004, STALE),
    ]);
    let golden = "d00f03047de8836ce20210727fc0070000000000a17f";
    let hex: String = stream
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(hex, golden);
}

//! Chunks in tiles: times of every sort, stretches, shared columns, damage.

use super::*;
use crate::codec::tiled_floats::Column;
use crate::codec::tiled_floats::tests::columns;
use crate::codec::tiles::TILE;
use proptest::prelude::*;

struct Written {
    bytes: Vec<u8>,
    shared: Vec<u8>,
    extent: Extent,
}

fn written(times: &[i64], starts: Option<&[i64]>, values: &[f64]) -> Written {
    let (mut bytes, mut shared) = (Vec::new(), vec![1]);
    let memory = &mut Memory::default();
    encode_times(times, starts, memory, &mut bytes, &mut shared);
    Column::of(values).write(&mut bytes);
    let extent = Extent {
        count: times.len(),
        first: times[0],
        last: times[times.len() - 1],
    };
    Written {
        bytes,
        shared,
        extent,
    }
}

impl Written {
    fn read(&self, wanted: RangeInclusive<i64>) -> Result<(Stretch, Vec<u64>)> {
        let shared = || Ok(&self.shared[..]);
        let (stretch, values) = decode(&self.bytes, self.extent, &wanted, &shared)?;
        Ok((stretch, values.into_iter().map(f64::to_bits).collect()))
    }
}

const ALL: RangeInclusive<i64> = i64::MIN..=i64::MAX;

/// Even times, jittered ones, times with gaps, any at all; as many as asked for.
fn times(count: usize) -> impl Strategy<Value = Vec<i64>> {
    let even = (-1i64 << 40..1 << 40, 1i64..100_000)
        .prop_map(move |(first, step)| (0..count as i64).map(|n| first + n * step).collect());
    let jittered = prop::collection::vec(-2i64..3, count).prop_map(|jitter| {
        (0i64..)
            .zip(jitter)
            .map(|(n, j)| 7_000 + n * 15_000 + j)
            .collect()
    });
    let gaps = prop::collection::vec(prop_oneof![9 => Just(1i64), 1 => 2i64..50], count);
    let gaps = gaps.prop_map(|steps| {
        let mut time = 0;
        let step = |steps: i64| {
            time += steps * 15_000;
            time
        };
        steps.into_iter().map(step).collect()
    });
    let any = prop::collection::vec(any::<i64>(), count).prop_map(|mut times| {
        times.sort_unstable();
        times
    });
    prop_oneof![even, jittered, gaps, any]
}

fn chunks() -> impl Strategy<Value = (Vec<i64>, Option<Vec<i64>>, Vec<f64>)> {
    columns().prop_flat_map(|values| {
        let count = values.len();
        let starts = prop::option::of(prop::collection::vec(any::<i64>(), count));
        (times(count), starts, Just(values))
    })
}

proptest! {
    #[test]
    fn any_chunk_comes_back_whole_and_every_stretch_of_it(
        (times, starts, values) in chunks(),
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
    ) {
        let chunk = written(&times, starts.as_deref(), &values);
        let bits: Vec<u64> = values.iter().map(|value| value.to_bits()).collect();
        let (all, back) = chunk.read(ALL).unwrap();
        prop_assert_eq!((&all.times, &all.starts, &back), (&times, &starts, &bits));
        let (from, to) = (*from.get(&times), *to.get(&times));
        let (part, back) = chunk.read(from..=to).unwrap();
        let entries = part.entries.clone();
        prop_assert_eq!(&part.times, &times[entries.clone()]);
        prop_assert_eq!(part.starts, starts.map(|starts| starts[entries.clone()].to_vec()));
        prop_assert_eq!(&back, &bits[entries.clone()]);
        for (place, time) in times.iter().enumerate() {
            prop_assert!(!(from..=to).contains(time) || entries.contains(&place));
        }
        // No more than the tiles that are needed.
        let needed = times.iter().filter(|time| (from..=to).contains(time)).count();
        prop_assert!(entries.len() <= needed + 2 * TILE);
    }

    #[test]
    fn decoding_arbitrary_bytes_never_panics(
        mut bytes in prop::collection::vec(any::<u8>(), 1..300),
        shared in prop::collection::vec(any::<u8>(), 0..100),
        flags in 0u8..6,
        count in 0usize..700,
        (first, last) in (any::<i64>(), any::<i64>()),
        (from, to) in (any::<i64>(), any::<i64>()),
    ) {
        bytes[0] = flags;
        let extent = Extent { count, first, last };
        let chunk = Written { bytes, shared, extent };
        let _ = chunk.read(ALL);
        let _ = chunk.read(from..=to);
    }
}

#[test]
fn even_times_take_no_byte_and_irregular_ones_are_shared() {
    let even: Vec<i64> = (0..3000).map(|n| 1_768_471_200_123 + n * 15_000).collect();
    let chunk = written(&even, None, &[1.0; 3000]);
    assert_eq!(chunk.bytes.len(), 5);
    assert!(chunk.shared.is_empty());
    let jittered: Vec<i64> = even.iter().map(|time| time + time / 15_000 % 3).collect();
    let one = written(&jittered, None, &[1.0; 3000]);
    assert_eq!(one.bytes.len(), 5);
    // The same scrapes a day later are the same column.
    let moved: Vec<i64> = jittered.iter().map(|time| time + 86_400_000).collect();
    let other = written(&moved, None, &[2.0; 3000]);
    assert!(one.shared.len() > OWN_BYTES_MAX);
    assert_eq!(one.shared, other.shared);
    // Two of three samples are not worth it.
    let few = written(&[0, 15_000, 45_000], None, &[1.0; 3]);
    assert!(few.shared.is_empty());
}

#[test]
fn extremes_of_time_come_back() {
    for times in [
        vec![i64::MIN],
        vec![i64::MAX],
        vec![i64::MIN, i64::MAX],
        vec![i64::MIN, -1, i64::MAX],
        vec![5, 5, 5],
        vec![9, 3, 1],
    ] {
        let chunk = written(&times, None, &vec![1.5; times.len()]);
        assert_eq!(chunk.read(ALL).unwrap().0.times, times);
    }
}

#[test]
fn the_times_of_another_chunk_are_refused() {
    let times: Vec<i64> = (0..600).map(|n| n * 15_000 + n * n % 7).collect();
    let mut chunk = written(&times, None, &vec![1.0; 600]);
    chunk.extent.last += 1;
    assert!(chunk.read(ALL).is_err());
}

#[test]
fn a_cut_or_flipped_chunk_is_an_error_or_safe() {
    let times: Vec<i64> = (0..300).map(|n| n * 15_000 + n * n % 7).collect();
    let starts: Vec<i64> = times.iter().map(|time| time / 100_000).collect();
    let values: Vec<f64> = (0..300).map(|n| f64::from(n * n % 101)).collect();
    let whole = written(&times, Some(&starts), &values);
    for end in 0..whole.bytes.len() {
        let bytes = whole.bytes[..end].to_vec();
        let shared = whole.shared.clone();
        let extent = whole.extent;
        let cut = Written {
            bytes,
            shared,
            extent,
        };
        assert!(cut.read(ALL).is_err(), "cut at {end}");
    }
    for bit in 0..whole.bytes.len() * 8 {
        let mut bytes = whole.bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let shared = whole.shared.clone();
        let extent = whole.extent;
        let flipped = Written {
            bytes,
            shared,
            extent,
        };
        let _ = flipped.read(ALL);
        let _ = flipped.read(times[270]..=times[280]);
    }
}

#[test]
fn the_bytes_of_a_small_chunk_are_those_of_the_format_page() {
    let times = [15_000, 30_001, 45_000, 60_002, 75_000];
    let chunk = written(&times, None, &[1.5, 2.5, 4.0, 3.0, 2.5]);
    let hex: String = chunk
        .bytes
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let page = include_str!("../../../../docs/format/chunks.md");
    assert_eq!(hex, "020b0001b1ea01acea01035b08121e050000035027");
    assert!(page.contains(&hex), "the page shows other bytes");
}

//! Tiles: round trips, exact sizes, damage, golden bytes.

use super::*;
use proptest::prelude::*;

fn written(values: &[i64]) -> Vec<u8> {
    let plan = Plan::of(values);
    let mut bytes = Vec::new();
    plan.write(values, &mut bytes);
    assert_eq!(bytes.len(), plan.size_bytes, "{plan:?}");
    bytes
}

fn read_back(bytes: &[u8], count: usize) -> Result<Vec<i64>> {
    let mut cursor = Cursor::new(bytes);
    let values = read(&mut cursor, count, &mut Buffers::new())?.to_vec();
    if !cursor.is_empty() {
        return Err(Error::corrupt("bytes left over"));
    }
    Ok(values)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn values() -> impl Strategy<Value = Vec<i64>> {
    let count = 1..=BLOCK;
    prop_oneof![
        prop::collection::vec(any::<i64>(), count.clone()),
        prop::collection::vec(-9i64..100, count.clone()),
        prop::collection::vec(prop_oneof![9 => 0i64..5, 1 => any::<i64>()], count.clone()),
        (any::<i64>(), any::<i64>(), count.clone()).prop_map(|(first, step, count)| {
            let line = |n: i64| first.wrapping_add(step.wrapping_mul(n));
            (0..count as i64).map(line).collect()
        }),
        (any::<i64>(), prop::collection::vec(0i64..3000, count)).prop_map(|(first, steps)| {
            let add = |total: &mut i64, step: i64| {
                *total = total.wrapping_add(step);
                Some(*total)
            };
            steps.into_iter().scan(first, add).collect()
        }),
    ]
}

proptest! {
    #[test]
    fn any_values_come_back_from_as_many_bytes_as_planned(values in values()) {
        prop_assert_eq!(read_back(&written(&values), values.len()).unwrap(), values);
    }

    #[test]
    fn reading_arbitrary_bytes_never_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..400), count in 1..=BLOCK,
    ) {
        let _ = read_back(&bytes, count);
    }
}

#[test]
fn a_cut_is_an_error() {
    let counter: Vec<i64> = (0..200).map(|n| n * 1000 + n * 7919 % 400).collect();
    let bytes = written(&counter);
    for end in 0..bytes.len() {
        assert!(read_back(&bytes[..end], counter.len()).is_err());
    }
}

#[test]
fn the_extremes_and_a_single_value_come_back() {
    for values in [
        vec![i64::MIN, i64::MAX],
        vec![i64::MAX, i64::MIN, 0, -1, 1],
        vec![i64::MIN],
        vec![i64::MAX; BLOCK],
        (0..BLOCK as i64)
            .map(|n| i64::MAX.wrapping_add(n))
            .collect(),
    ] {
        assert_eq!(read_back(&written(&values), values.len()).unwrap(), values);
    }
}

fn counted(steps: impl IntoIterator<Item = i64>, first: i64) -> Vec<i64> {
    let add = |total: &mut i64, step: i64| {
        *total += step;
        Some(*total)
    };
    steps.into_iter().scan(first, add).collect()
}

#[test]
fn the_bytes_of_each_transform_are_these() {
    assert_eq!(hex(&written(&[7, 7, 7])), "000e00");
    assert_eq!(hex(&written(&[100, 101, 103, 100])), "00c8010234");
    let folded = [
        0, 1, -1, 0, 2, 0, -3, 1, 0, 1, -1, 0, 2, 0, -3, 1, 0, -1, 1, 900,
    ];
    assert_eq!(hex(&written(&folded)), "000583a3d681a3d681130f00130770");
    let line: Vec<i64> = (0..9).map(|n| 1000 + 50 * n).collect();
    assert_eq!(hex(&written(&line)), "01ec0e6400");
    let square: Vec<i64> = (0..9).map(|n| n * n * 50).collect();
    assert_eq!(hex(&written(&square)), "066364c80140030008c7c7");
    let steps = (0..24).map(|n| if n == 9 { 90_000 } else { n * 5 % 7 - 3 });
    assert_eq!(
        hex(&written(&counted(steps, 0))),
        "01090583ed620a5d4ca18b297400090ef22b"
    );
}

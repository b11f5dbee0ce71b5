//! Integer columns: every encoding, extremes, damage.

use super::*;
use proptest::prelude::*;

fn encoded(values: &[i64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let column = Column::of(values);
    column.write(&mut bytes);
    assert_eq!(bytes.len(), column.size_bytes());
    bytes
}

fn decoded(bytes: &[u8], count: usize) -> Result<Vec<i64>> {
    let (mut cursor, mut out) = (Cursor::new(bytes), vec![42]);
    decode(&mut cursor, count, &mut out)?;
    assert_eq!(out.remove(0), 42);
    if cursor.is_empty() {
        Ok(out)
    } else {
        Err(Error::corrupt("bytes left over"))
    }
}

fn round_trip(values: &[i64]) -> Vec<u8> {
    let bytes = encoded(values);
    assert_eq!(decoded(&bytes, values.len()).unwrap(), values);
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Columns of many shapes: any numbers, walks, resets, common factors, idle stretches.
fn columns() -> impl Strategy<Value = Vec<i64>> {
    let walk = |steps: Vec<i64>| {
        steps
            .into_iter()
            .scan(1_000_000i64, |at, step| {
                *at = at.wrapping_add(step);
                Some(*at)
            })
            .collect::<Vec<i64>>()
    };
    prop_oneof![
        prop::collection::vec(any::<i64>(), 0..600),
        prop::collection::vec(-500i64..500, 0..600),
        prop::collection::vec(0i64..1000, 0..600).prop_map(walk),
        prop::collection::vec(prop_oneof![9 => 0i64..20, 1 => any::<i64>()], 0..600).prop_map(walk),
        prop::collection::vec(prop_oneof![5 => Just(0i64), 1 => 1i64..9], 0..600).prop_map(walk),
        (prop::collection::vec(-500i64..500, 0..600), 2i64..i64::MAX)
            .prop_map(|(values, by)| values.into_iter().map(|v| v.wrapping_mul(by)).collect()),
        (any::<i64>(), any::<i64>(), 0usize..600).prop_map(|(first, step, count)| {
            (0..count as i64)
                .map(|i| first.wrapping_add(step.wrapping_mul(i)))
                .collect()
        }),
    ]
}

proptest! {
    #[test]
    fn any_column_comes_back_and_its_size_was_known(values in columns()) {
        round_trip(&values);
    }

    #[test]
    fn decoding_arbitrary_bytes_never_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..300), count in 0usize..1000,
    ) {
        let _ = decoded(&bytes, count);
    }

    #[test]
    fn skipping_a_column_ends_where_decoding_does(
        values in columns(), behind in prop::collection::vec(any::<u8>(), 0..9),
    ) {
        let mut bytes = round_trip(&values);
        let end = bytes.len();
        bytes.extend(behind);
        let mut cursor = Cursor::new(&bytes);
        skip(&mut cursor, values.len()).unwrap();
        prop_assert_eq!(cursor.position(), end);
    }

    #[test]
    fn what_decodes_is_skipped_alike(
        bytes in prop::collection::vec(any::<u8>(), 0..300), count in 0usize..1000,
    ) {
        let (mut read, mut skipped) = (Cursor::new(&bytes), Cursor::new(&bytes));
        if decode(&mut read, count, &mut Vec::new()).is_ok() {
            skip(&mut skipped, count).unwrap();
            prop_assert_eq!(read.position(), skipped.position());
        }
    }
}

#[test]
fn the_extremes_come_back() {
    round_trip(&[]);
    round_trip(&[i64::MIN]);
    round_trip(&[i64::MIN, i64::MAX]);
    round_trip(&[
        i64::MIN,
        i64::MAX,
        i64::MIN,
        0,
        -1,
        1,
        i64::MAX,
        i64::MIN,
        0,
    ]);
    round_trip(&[i64::MIN, 0].repeat(300));
}

fn samples() -> Vec<Vec<i64>> {
    let reset: Vec<i64> = (0..300).map(|i| if i < 150 { i * i } else { i }).collect();
    vec![
        vec![7; 300],
        (0..300).map(|i| 5 + i * 15_000).collect(),
        (0..300).map(|i| 1000 + i * 7919 % 100).collect(),
        reset,
        (0..300).map(|i| i * i * i).collect(),
        (0..300).map(|i| 4096 * (i * 7919 % 100)).collect(),
        (0..300).map(|i| i / 40).collect(),
        vec![i64::MIN, i64::MAX, 0],
    ]
}

#[test]
fn cutting_the_bytes_anywhere_is_an_error() {
    for values in samples() {
        let bytes = encoded(&values);
        for end in 0..bytes.len() {
            assert!(
                decoded(&bytes[..end], values.len()).is_err(),
                "{values:?} cut at {end}"
            );
        }
    }
}

#[test]
fn changing_any_bit_gives_an_error_or_as_many_values() {
    for values in samples() {
        let bytes = encoded(&values);
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            if let Ok(back) = decoded(&changed, values.len()) {
                assert_eq!(back.len(), values.len());
            }
        }
    }
}

#[test]
fn no_encoding_is_much_larger_than_the_values_themselves() {
    let noise = |i: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31) as i64;
    let values: Vec<i64> = (0..1000).map(noise).map(|v| v.wrapping_mul(v)).collect();
    assert!(encoded(&values).len() <= 8 * values.len() + 1 + values.len().div_ceil(BLOCK));
}

#[test]
fn the_bytes_of_each_tag_are_these() {
    let golden = [
        (vec![], "0000"),
        (vec![-3; 5], "0005"),
        (vec![1000, 16_000, 31_000], "01d00fb0ea01"),
        (vec![1, 4, 2, 3, 1, 4], "0202029c0c"),
        (
            (0..12).map(|i| i * 1000 + i % 3).collect(),
            "03d10f02cc0f3fcff3",
        ),
        (
            (0..12).map(|i| i * i * 100 + i % 2).collect(),
            "04c901ca01888c0300ab0a0000cacacacaca",
        ),
        (
            (0..12).map(|i| 4096 * (i * 7 % 12)).collect(),
            "05008020030d800e09d40a",
        ),
    ];
    let got: Vec<String> = golden
        .iter()
        .map(|(values, _)| hex(&round_trip(values)))
        .collect();
    let wanted: Vec<&str> = golden.iter().map(|(_, hex)| *hex).collect();
    assert_eq!(got, wanted);
}

#[test]
fn a_factor_that_cannot_be_is_refused() {
    for divisor in [0u64, 1, u64::MAX] {
        let mut bytes = vec![TAG_SCALED, 0];
        put_varint(&mut bytes, divisor);
        bytes.extend([TAG_CONSTANT, 0]);
        assert!(decoded(&bytes, 1).is_err());
    }
    assert!(decoded(&[TAG_SCALED, 0, 2, TAG_SCALED, 0, 2, TAG_CONSTANT, 0], 1).is_err());
    assert!(decoded(&[6], 1).is_err());
}

//! Float columns: every bit pattern, every encoding, golden bytes.

use super::*;
use crate::codec::tiled_floats::tests::{hex, specials, stale};
use proptest::prelude::*;

fn encoded(values: &[f64]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(values, &mut bytes);
    bytes
}

fn decoded(bytes: &[u8], count: usize) -> Result<Vec<u64>> {
    let (mut cursor, mut out) = (Cursor::new(bytes), vec![4.5]);
    decode(&mut cursor, count, &mut out)?;
    assert_eq!(out.remove(0), 4.5);
    if !cursor.is_empty() {
        return Err(Error::corrupt("bytes left over"));
    }
    Ok(out.into_iter().map(f64::to_bits).collect())
}

fn round_trip(values: &[f64]) -> Vec<u8> {
    let bytes = encoded(values);
    let bits: Vec<u64> = values.iter().map(|value| value.to_bits()).collect();
    assert_eq!(decoded(&bytes, values.len()).unwrap(), bits);
    bytes
}

/// Columns of one scale with a few odd values in between.
fn columns() -> impl Strategy<Value = Vec<f64>> {
    let decimals = (0u8..10, prop::collection::vec(-99_999i64..99_999, 0..400)).prop_map(
        |(scale, integers)| {
            integers
                .into_iter()
                .map(|i| decimal::value(i, scale, Form::Divided))
                .collect::<Vec<f64>>()
        },
    );
    let odd = (
        decimals.clone(),
        prop::collection::vec((any::<u16>(), any::<u64>()), 0..9),
    )
        .prop_map(|(mut values, odd)| {
            for (at, bits) in odd {
                let count = values.len().max(1);
                if let Some(value) = values.get_mut(usize::from(at) % count) {
                    *value = f64::from_bits(bits);
                }
            }
            values
        });
    prop_oneof![
        decimals,
        odd,
        prop::collection::vec(any::<u64>().prop_map(f64::from_bits), 0..400),
        prop::collection::vec(proptest::sample::select(specials()), 0..400),
        prop::collection::vec(0.0f64..1.0, 0..400),
        prop::collection::vec(
            prop_oneof![9 => Just(0.1f64 + 0.2), 1 => 0.0f64..1.0],
            0..400
        ),
    ]
}

proptest! {
    #[test]
    fn any_column_comes_back_bit_for_bit(values in columns()) {
        let bytes = round_trip(&values);
        prop_assert!(bytes.len() <= values.len() * 8 + 3);
    }

    #[test]
    fn decoding_arbitrary_bytes_never_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..300), count in 0usize..1000,
    ) {
        let _ = decoded(&bytes, count);
    }
}

#[test]
fn every_special_value_comes_back_alone_and_among_others() {
    for special in specials() {
        round_trip(&[special]);
        let mut values: Vec<f64> = (0..120).map(|i| f64::from(i * 7 % 50) / 10.0).collect();
        values[119] = special;
        round_trip(&values);
        values[0] = special;
        round_trip(&values);
        round_trip(&[special; 120]);
    }
    round_trip(&specials());
}

#[test]
fn a_stale_marker_at_the_end_costs_at_most_four_bytes() {
    let live: Vec<f64> = (0..120).map(|i| f64::from(i * i % 251) / 100.0).collect();
    for values in [live, vec![17.5; 120]] {
        let before = round_trip(&values).len();
        let mut ended = values.clone();
        ended[119] = stale();
        assert!(round_trip(&ended).len() <= before + 4);
    }
}

#[test]
fn a_decimal_that_the_samples_did_not_show_raises_the_scale() {
    let mut values: Vec<f64> = (0..200).map(|i| f64::from(i * 7919 % 300)).collect();
    for at in [3, 51, 52, 77, 101, 150] {
        values[at] += 0.25;
    }
    assert!(round_trip(&values).len() < 200 * 2 + 20);
}

fn samples() -> Vec<Vec<f64>> {
    vec![
        vec![0.5; 300],
        vec![1.0, 2.0, stale()],
        (0..300)
            .map(|i| f64::from(i * 7919 % 300) / 100.0)
            .collect(),
        (0..300).map(|i| f64::from(i).sqrt()).collect(),
        (0..300)
            .map(|i| f64::from(i % 7) * 2f64.powi(-40))
            .collect(),
        specials(),
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
fn the_bytes_of_each_codec_are_these() {
    let third = 1.0 / 3.0;
    let golden = [
        (vec![], "0000"),
        (vec![256.0; 9], "00c0e001"),
        (vec![7.0, 7.0, stale()], "08c0380005"),
        (vec![3.0, 4.0, 9.0, 5.0], "010203068805"),
        (vec![0.25, 0.5, 0.75, 1.25], "22030080326408"),
        (vec![0.1, 0.3, 0.7, 1.1, 0.9], "1102040220a608"),
        (
            vec![third, third, third, third * 3.5, third],
            "040240aad5aad5aad5aad57f0003aad5aad5aad5aa1d",
        ),
        (vec![third, -2e300], "05555555555555d53f9c7500883ce447fe"),
        (
            vec![1e-300, 2e-300, 4e-300, 8e-300, 16e-300],
            "0401b2cdc7aff887b7a5038080808080808010",
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
fn impossible_tags_and_exceptions_are_refused() {
    assert!(decoded(&[6, 0], 1).is_err());
    assert!(decoded(&[0x10, 0], 1).is_err());
    assert!(decoded(&[CONSTANT | HAS_EXCEPTIONS, 0, 0, 2, 0], 1).is_err());
    assert!(decoded(&[CONSTANT | HAS_EXCEPTIONS, 0, 1, 1, 1], 1).is_err());
    assert!(decoded(&[CONSTANT | HAS_EXCEPTIONS, 0, 0, 1], 0).is_err());
}

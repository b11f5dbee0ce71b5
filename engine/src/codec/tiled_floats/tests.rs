//! Tiled columns of floats: every bit pattern, every codec, parts of a column, damage, bytes.

use super::*;
use crate::codec::CHUNK_ENTRIES_MAX;
use crate::codec::tiles::TILE;
use proptest::prelude::*;

fn written(values: &[f64]) -> Vec<u8> {
    let (column, mut bytes) = (Column::of(values), Vec::new());
    column.write(&mut bytes);
    assert_eq!(bytes.len(), column.size_bytes());
    bytes
}

fn read(bytes: &[u8], count: usize, wanted: Range<usize>) -> Result<Vec<u64>> {
    let (mut cursor, mut out) = (Cursor::new(bytes), vec![4.5]);
    decode(&mut cursor, count, wanted.clone(), &mut out)?;
    assert_eq!(out.remove(0), 4.5);
    assert_eq!(out.len(), wanted.len());
    if wanted.end == count && !cursor.is_empty() {
        return Err(Error::corrupt("bytes left over"));
    }
    Ok(out.into_iter().map(f64::to_bits).collect())
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Writes and reads; what comes back must be the same, whole and tile by tile.
fn round_trip(values: &[f64]) -> Vec<u8> {
    let (bytes, count) = (written(values), values.len());
    assert_eq!(read(&bytes, count, 0..count).unwrap(), bits(values));
    for start in (0..count).step_by(TILE) {
        for end in [count.min(start + TILE), count] {
            let part = read(&bytes, count, start..end).unwrap();
            assert_eq!(part, bits(&values[start..end]));
        }
    }
    bytes
}

fn codec_of(values: &[f64]) -> u8 {
    round_trip(values)[0] & CODEC_MASK
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn stale() -> f64 {
    f64::from_bits(STALE_BITS)
}

pub(crate) fn specials() -> Vec<f64> {
    let mut all = vec![
        0.0,
        -0.0,
        1.0,
        -1.0,
        14.29,
        1e300,
        5e-324,
        f64::MIN,
        f64::MAX,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::EPSILON,
        1e15,
        9_007_199_254_740_993.0,
        2_251_799_813_685_247.0,
        -2_251_799_813_685_247.0,
        stale(),
    ];
    let nans = [
        0x7ff8_0000_0000_0001,
        0xfff8_dead_beef_0001,
        0x7ff0_0000_0000_0001,
        u64::MAX,
    ];
    all.extend(nans.map(f64::from_bits));
    all
}

/// Decimals of one scale in either form, sums of them, odd values in between, any bits at all.
pub(crate) fn columns() -> impl Strategy<Value = Vec<f64>> {
    let forms = [Form::Divided, Form::Multiplied, Form::Split];
    let decimals = (
        0u8..12,
        prop::sample::select(forms.to_vec()),
        prop::collection::vec(-99_999i64..99_999, 1..700),
    );
    let decimals = decimals.prop_map(|(scale, form, integers)| {
        let value = |integer| decimal::value(integer, scale, form);
        integers.into_iter().map(value).collect::<Vec<f64>>()
    });
    let odd = (
        decimals.clone(),
        prop::collection::vec((any::<u16>(), any::<u64>()), 0..9),
    );
    let odd = odd.prop_map(|(mut values, odd)| {
        for (at, bits) in odd {
            let at = usize::from(at) % values.len();
            values[at] = f64::from_bits(bits);
        }
        values
    });
    let sums = (decimals.clone(), 0.0..1e4).prop_map(|(values, more)| {
        let sum = |value: &f64| value + more;
        values.iter().map(sum).collect::<Vec<f64>>()
    });
    prop_oneof![
        decimals,
        odd,
        sums,
        prop::collection::vec(any::<u64>().prop_map(f64::from_bits), 1..400),
        prop::collection::vec(proptest::sample::select(specials()), 1..400),
        prop::collection::vec(0.0f64..1.0, 1..400),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn any_column_comes_back_bit_for_bit_whole_and_in_parts(values in columns()) {
        let bytes = round_trip(&values);
        let tiles = values.len().div_ceil(TILE);
        prop_assert!(bytes.len() <= values.len() * 8 + tiles * 64 + 32);
    }

    #[test]
    fn decoding_arbitrary_bytes_never_panics(
        mut bytes in prop::collection::vec(any::<u8>(), 1..400),
        codec in 0u8..8,
        count in 1usize..1000,
        tile in 0usize..4,
    ) {
        bytes[0] = bytes[0] & !CODEC_MASK | codec;
        let start = (tile * TILE).min(count / TILE * TILE);
        let end = count.min(start + TILE);
        if start < end {
            let _ = read(&bytes, count, start..end);
        }
        let _ = read(&bytes, count, 0..count);
    }
}

#[test]
fn every_special_value_comes_back_alone_and_among_others() {
    for special in specials() {
        round_trip(&[special]);
        let mut values: Vec<f64> = (0..600).map(|i| f64::from(i * 7 % 50) / 10.0).collect();
        for place in [599, 256, 255, 0] {
            values[place] = special;
            round_trip(&values);
        }
        round_trip(&[special; 300]);
    }
    round_trip(&specials());
}

#[test]
fn each_shape_gets_the_codec_that_is_made_for_it() {
    let integers: Vec<i64> = (0..600).map(|n| 20_000 + n * 7919 % 5000).collect();
    let made = |value: &dyn Fn(f64) -> f64| -> Vec<f64> {
        integers
            .iter()
            .map(|&integer| value(integer as f64))
            .collect()
    };
    assert_eq!(codec_of(&[0.25; 600]), CONSTANT);
    assert_eq!(codec_of(&made(&|value| value)), DIVIDED);
    assert_eq!(codec_of(&made(&|value| value / 1e9)), SPLIT);
    assert_eq!(codec_of(&made(&|value| value * 0.001)), MULTIPLIED);
    assert_eq!(codec_of(&made(&|value| value / 100.0 * 1.1)), CORRECTED);
    assert_eq!(codec_of(&made(&|value| value.sqrt())), BITS);
}

#[test]
fn integers_that_a_reader_cannot_convert_are_bits() {
    let far = 2_251_799_813_685_247.0;
    let far = [-far, far, far - 1.0];
    assert_eq!(codec_of(&far), BITS);
}

#[test]
fn a_full_chunk_of_any_codec_comes_back() {
    let count = CHUNK_ENTRIES_MAX;
    let counter: Vec<f64> = (0..count).map(|n| (n * 31 + n % 7) as f64).collect();
    let roots: Vec<f64> = (0..count).map(|n| (n as f64).sqrt()).collect();
    for values in [counter, roots, vec![7.0; count]] {
        let bytes = written(&values);
        assert_eq!(read(&bytes, count, 0..count).unwrap(), bits(&values));
    }
}

#[test]
fn a_stale_marker_at_the_end_costs_at_most_four_bytes() {
    let live: Vec<f64> = (0..300).map(|i| f64::from(i * i % 251) / 100.0).collect();
    for values in [live, vec![17.5; 300]] {
        let before = round_trip(&values).len();
        let mut ended = values.clone();
        ended[299] = stale();
        assert!(round_trip(&ended).len() <= before + 4);
    }
}

fn samples() -> Vec<Vec<f64>> {
    let random = |n: u32| f64::from_bits(1.5f64.to_bits() ^ u64::from(n).wrapping_mul(0x9e37_79b9));
    vec![
        (0..300).map(|n| f64::from(n * n % 311)).collect(),
        (0..300).map(|n| f64::from(n) / 100.0 + 0.1 + 0.2).collect(),
        (0..300).map(random).collect(),
        vec![0.5; 300],
    ]
}

#[test]
fn a_cut_column_is_an_error() {
    for values in samples() {
        let bytes = written(&values);
        for end in 0..bytes.len() {
            assert!(read(&bytes[..end], values.len(), 0..values.len()).is_err());
        }
    }
}

#[test]
fn no_flipped_bit_makes_a_reader_panic() {
    for values in samples() {
        let bytes = written(&values);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let _ = read(&damaged, values.len(), 0..values.len());
            let _ = read(&damaged, values.len(), 256..values.len());
        }
    }
}

#[test]
fn a_tile_that_is_not_as_long_as_the_directory_says_is_an_error() {
    let values: Vec<f64> = (0..600).map(|n| f64::from(n * n % 311)).collect();
    let bytes = round_trip(&values);
    // The tag, the first integer, the divisor, and then the length of the first tile.
    let mut damaged = bytes.clone();
    damaged[3] ^= 1;
    assert!(read(&damaged, 600, 0..256).is_err());
}

#[test]
fn the_bytes_of_each_codec_are_these() {
    assert_eq!(hex(&written(&[0.5; 9])), "00bfc003");
    let near = [200.1, 210.3, 205.5].map(|value: f64| value * 1.1);
    let cases: [(&[f64], &str); 6] = [
        (&[3.0, 5.0, 7.0, 5.0], "01060200000264"),
        (&[1.5, f64::NAN, 2.5], "1a0002fff0031e0a00000104"),
        (&[16.990000000000002, 16.991], "32bc89020100000102"),
        (&[0.000318999, 0.000160491], "93aef826acd60900010101"),
        (&near, "25f6d70242000005202600000102"),
        (
            &[std::f64::consts::PI, std::f64::consts::E],
            "04b0b4a1c4eafe90898001afabbfc98cded80100010101",
        ),
    ];
    for (values, wanted) in cases {
        assert_eq!(hex(&round_trip(values)), wanted, "{values:?}");
    }
}

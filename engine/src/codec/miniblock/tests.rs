//! Mini-blocks: every width, exceptions, damage.

use super::*;
use proptest::prelude::*;

fn round_trip(values: &[i64]) -> Vec<u8> {
    let plan = Plan::of(values);
    let mut bytes = Vec::new();
    plan.write(values, &mut bytes);
    assert_eq!(bytes.len(), plan.size_bytes, "{plan:?}");
    let mut cursor = Cursor::new(&bytes);
    let mut out = vec![0; values.len()];
    read(&mut cursor, &mut out).unwrap();
    assert_eq!(out, values);
    assert!(cursor.is_empty());
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

proptest! {
    #[test]
    fn any_values_come_back_and_the_plan_knows_the_size(
        values in prop_oneof![
            prop::collection::vec(any::<i64>(), 1..=BLOCK),
            prop::collection::vec(-9i64..1000, 1..=BLOCK),
            prop::collection::vec(prop_oneof![9 => Just(7i64), 1 => any::<i64>()], 1..=BLOCK),
            prop::collection::vec(prop_oneof![9 => 100i64..110, 1 => -9999i64..0], 1..=BLOCK),
            prop::collection::vec(prop_oneof![3 => Just(0i64), 1 => 1000i64..1100], 1..=BLOCK),
        ],
    ) {
        round_trip(&values);
    }

    #[test]
    fn reading_arbitrary_bytes_never_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..300), count in 0..=BLOCK,
    ) {
        let _ = read(&mut Cursor::new(&bytes), &mut vec![0; count]);
    }
}

#[test]
fn a_reset_costs_an_exception_and_not_a_wider_block() {
    let mut values: Vec<i64> = (0..120).map(|i| 500 + i * 37 % 256).collect();
    let calm = round_trip(&values).len();
    values[60] = -1_000_000;
    assert!(round_trip(&values).len() <= calm + 8);
}

#[test]
fn the_bytes_of_each_layout_are_these() {
    assert_eq!(hex(&round_trip(&[3, 3, 3])), "0006");
    assert_eq!(hex(&round_trip(&[10, 11, 12, 13])), "0214e4");
    let mut patched = [1, 2, 3, 4].repeat(8);
    patched[5] = 1000;
    assert_eq!(hex(&round_trip(&patched)), "420200e4e0e4e4e4e4e4e405ce0f");
    let sparse = [0, 0, 900, 0, 0, 800, 0, 0].repeat(2);
    assert_eq!(hex(&round_trip(&sparse)), "8700c00c242464001900");
    assert_eq!(
        hex(&round_trip(&[i64::MIN, i64::MAX / 2])),
        "c00000000000000080ffffffffffffff3f"
    );
}

#[test]
fn impossible_headers_are_refused() {
    let refused = |bytes: &[u8], count: usize| {
        assert!(
            read(&mut Cursor::new(bytes), &mut vec![0; count]).is_err(),
            "{bytes:?}"
        );
    };
    refused(&[57, 0], 1);
    refused(&[0xc1, 0, 0, 0, 0, 0, 0, 0, 0], 1);
    refused(&[0x40, 0, 0, 1, 2], 1);
    refused(&[0x80, 0, 0, 2], 1);
    refused(&[0x80, 0, 0, 3], 1);
    refused(&[], 1);
}

//! Layers: round trips, exact sizes, damage, golden bytes.

use super::*;
use proptest::prelude::*;

fn plan(numbers: &[u64]) -> Plan {
    Plan::of(&Lengths::of(numbers.iter().copied()))
}

fn written(numbers: &[u64]) -> Vec<u8> {
    let plan = plan(numbers);
    let mut bytes = Vec::new();
    plan.write(numbers.iter().copied(), &mut bytes);
    assert_eq!(bytes.len(), plan.size_bytes, "{plan:?}");
    bytes
}

fn read_back(bytes: &[u8], count: usize) -> Result<Vec<u64>> {
    let (mut cursor, mut buffers) = (Cursor::new(bytes), Buffers::new());
    let numbers = read(&mut cursor, count, 5, &mut buffers)?;
    if !cursor.is_empty() {
        return Err(Error::corrupt("bytes left over"));
    }
    let number = |value: &i64| value.wrapping_sub(5).cast_unsigned();
    Ok(numbers.iter().map(number).collect())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Numbers of one length, of all, or mostly small ones.
fn numbers() -> impl Strategy<Value = Vec<u64>> {
    let lengths = prop_oneof![
        prop::collection::vec(0..=64u32, 1..4),
        prop::collection::vec(0..=12u32, 1..4),
    ];
    (
        lengths,
        prop::collection::vec(any::<(u64, u8)>(), 1..=BLOCK),
    )
        .prop_map(|(lengths, seeds)| {
            let small = |(bits, choice): (u64, u8)| {
                let length = lengths[usize::from(choice) % lengths.len()];
                bits.checked_shr(64 - length).unwrap_or(0)
            };
            seeds.into_iter().map(small).collect()
        })
}

proptest! {
    #[test]
    fn any_numbers_come_back_from_as_many_bytes_as_planned(numbers in numbers()) {
        prop_assert_eq!(read_back(&written(&numbers), numbers.len()).unwrap(), numbers);
    }

    #[test]
    fn reading_arbitrary_bytes_never_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..400), count in 1..=BLOCK,
    ) {
        let _ = read_back(&bytes, count);
    }

    #[test]
    fn a_cut_is_an_error(numbers in numbers(), end in any::<prop::sample::Index>()) {
        let bytes = written(&numbers);
        prop_assert!(read_back(&bytes[..end.index(bytes.len())], numbers.len()).is_err());
    }
}

#[test]
fn numbers_pay_for_their_own_size() {
    // Seven in eight have four bits, the others twenty.
    let numbers: Vec<u64> = (0..256)
        .map(|n| if n % 8 == 0 { 0xf_0000 + n } else { n % 16 })
        .collect();
    let packed = 256 * 4 / 8 + 32 * 16 / 8;
    assert!(written(&numbers).len() <= packed + 256 / 8 + 2);
    // All of one length: a single layer.
    assert_eq!(written(&[255; 256]).len(), 257);
    assert_eq!(written(&[0; 256]), [0]);
}

#[test]
fn the_bytes_of_each_form_are_these() {
    assert_eq!(hex(&written(&[1, 2, 3, 0])), "0239");
    let mut few = [0; 18];
    few[17] = 77;
    assert_eq!(hex(&written(&few)), "800011074d");
    let numbers = [0, 500, 0, 1, 500, 501, 0, 1, 499, 500];
    assert_eq!(hex(&written(&numbers)), "41a801320308fafafaf9fa");
}

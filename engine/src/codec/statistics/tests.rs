//! Statistics against the values that they describe.

use super::*;
use crate::codec::tiled_floats::tests::columns;
use crate::error::Result;
use proptest::prelude::*;

fn listed(values: &[f64], times: &[i64], chunk_bytes: usize) -> Option<Result<Vec<Part>>> {
    let mut bytes = Vec::new();
    encode(&Column::of(values), times, chunk_bytes, &mut bytes);
    let last = times[times.len() - 1];
    (!bytes.is_empty()).then(|| decode(&bytes, values.len(), times[0], last))
}

/// What a part must say, the slow way; `None` where it may say nothing.
fn truth(values: &[f64]) -> Option<PartValues> {
    let live: Vec<f64> = values
        .iter()
        .copied()
        .filter(|value| value.to_bits() != STALE_BITS)
        .collect();
    let (first, last) = (*live.first()?, *live.last()?);
    let below = |pair: &&[f64]| pair[1] < pair[0];
    let least = live.iter().copied().fold(
        first,
        |least, value| if value < least { value } else { least },
    );
    let greatest = live
        .iter()
        .copied()
        .fold(first, |most, value| if value > most { value } else { most });
    Some(PartValues {
        count: live.len(),
        first,
        last,
        least,
        greatest,
        resets: live.windows(2).filter(below).count(),
        sum: None,
    })
}

fn check(values: &[f64], times: &[i64], parts: &[Part]) {
    let mut next = 0;
    for part in parts {
        assert_eq!(part.entries.start, next);
        next = part.entries.end;
        assert_eq!(part.start, times[part.entries.start]);
        assert!(part.is_true_of(times, values));
        let Some(said) = part.values else {
            continue;
        };
        let entries = &values[part.entries.clone()];
        let wanted = truth(entries).expect("a part with numbers has live values");
        let bits = |values: PartValues| {
            [values.first, values.last, values.least, values.greatest].map(f64::to_bits)
        };
        assert_eq!(bits(said), bits(wanted));
        assert_eq!((said.count, said.resets), (wanted.count, wanted.resets));
        if let Some(sum) = said.sum {
            let live = entries.iter().filter(|value| value.to_bits() != STALE_BITS);
            let forwards: f64 = live.clone().sum();
            let backwards: f64 = live.rev().sum();
            assert_eq!((sum, sum), (forwards, backwards));
        }
    }
    assert_eq!(next, values.len());
}

fn even(count: usize) -> Vec<i64> {
    (0..count as i64).map(|n| 7_000 + n * 15_000).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn what_is_said_is_true_of_the_values(
        values in columns(),
        jitter in prop::collection::vec(0i64..5, 700),
        is_even in any::<bool>(),
    ) {
        let mut times = even(values.len());
        if !is_even {
            times.iter_mut().zip(&jitter).for_each(|(time, jitter)| *time += jitter);
        }
        if let Some(parts) = listed(&values, &times, usize::MAX) {
            check(&values, &times, &parts.unwrap());
        }
    }

    #[test]
    fn reading_arbitrary_bytes_never_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..100),
        count in 1usize..3000,
        (first, last) in (any::<i64>(), any::<i64>()),
    ) {
        let _ = decode(&bytes, count, first, last);
    }
}

#[test]
fn every_tile_says_all_that_there_is_to_say() {
    let mut values: Vec<f64> = (0..700).map(|n| f64::from(n % 300)).collect();
    values[699] = f64::from_bits(STALE_BITS);
    let times = even(700);
    let parts = listed(&values, &times, usize::MAX).unwrap().unwrap();
    assert_eq!(parts.len(), 3);
    check(&values, &times, &parts);
    let second = parts[1].values.unwrap();
    assert_eq!((second.count, second.resets), (256, 1));
    assert_eq!((second.least, second.greatest), (0.0, 299.0));
    let wanted: f64 = values[256..512].iter().sum();
    assert_eq!(second.sum, Some(wanted));
    assert_eq!(parts[2].values.unwrap().count, 187);
}

#[test]
fn a_sum_that_might_round_is_not_said() {
    for values in [
        (0..300).map(|n| f64::from(n) / 10.0).collect::<Vec<f64>>(),
        (0..300).map(|n| f64::from(n) + 1e15).collect(),
        (0..300).map(|n| f64::from(n).sqrt()).collect(),
    ] {
        let parts = listed(&values, &even(300), usize::MAX).unwrap().unwrap();
        assert!(parts.iter().all(|part| part.values.unwrap().sum.is_none()));
    }
}

#[test]
fn a_part_with_a_value_that_has_no_number_says_nothing() {
    for odd in [f64::NAN, -0.0, f64::INFINITY] {
        let mut values: Vec<f64> = (0..600).map(|n| f64::from(n * n % 311)).collect();
        values[300] = odd;
        let parts = listed(&values, &even(600), usize::MAX).unwrap().unwrap();
        let silent: Vec<bool> = parts.iter().map(|part| part.values.is_none()).collect();
        assert_eq!(silent, [false, true, false], "{odd}");
    }
}

#[test]
fn a_list_takes_at_most_a_twentieth_and_gets_coarser_before_it_goes() {
    let values: Vec<f64> = (0..3000).map(|n| f64::from(n * 7919 % 10_007)).collect();
    let times = even(3000);
    let mut before = usize::MAX;
    for chunk_bytes in [6_000, 1_500, 600] {
        let mut bytes = Vec::new();
        encode(&Column::of(&values), &times, chunk_bytes, &mut bytes);
        assert!(bytes.len() * SHARE <= chunk_bytes && bytes.len() <= before);
        let parts = decode(&bytes, 3000, times[0], times[2999]).unwrap();
        check(&values, &times, &parts);
        before = bytes.len();
    }
    assert!(listed(&values, &times, 100).is_none());
    assert!(listed(&[7.0; 3000], &times, usize::MAX).is_none());
}

#[test]
fn a_cut_or_flipped_list_is_an_error_or_safe() {
    let mut values: Vec<f64> = (0..700).map(|n| f64::from(n * n % 1009)).collect();
    values[5] = f64::from_bits(STALE_BITS);
    let times: Vec<i64> = even(700).iter().map(|time| time + time % 7).collect();
    let mut bytes = Vec::new();
    encode(&Column::of(&values), &times, usize::MAX, &mut bytes);
    for end in 0..bytes.len() {
        assert!(decode(&bytes[..end], 700, times[0], times[699]).is_err());
    }
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let _ = decode(&damaged, 700, times[0], times[699]);
    }
}

#[test]
fn a_part_that_says_another_thing_is_noticed() {
    let values: Vec<f64> = (0..300).map(|n| f64::from(n * n % 311)).collect();
    let times = even(300);
    let parts = listed(&values, &times, usize::MAX).unwrap().unwrap();
    let wrong = |change: &dyn Fn(&mut Part)| {
        let mut part = parts[0].clone();
        change(&mut part);
        assert!(!part.is_true_of(&times, &values), "{part:?}");
    };
    assert!(parts[0].is_true_of(&times, &values));
    wrong(&|part| part.start += 1);
    let wrong_value = |change: fn(&mut PartValues)| {
        wrong(&|part| change(part.values.as_mut().unwrap()));
    };
    wrong_value(|said| said.count -= 1);
    wrong_value(|said| said.first += 1.0);
    wrong_value(|said| said.last += 1.0);
    wrong_value(|said| said.least += 1.0);
    wrong_value(|said| said.greatest -= 1.0);
    wrong_value(|said| said.resets += 1);
    wrong_value(|said| said.sum = Some(1.0));
}

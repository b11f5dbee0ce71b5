//! The plan as a table: blocks in, the job out.

use super::*;

const SECOND: i64 = 1_000;
const HOUR: i64 = 3_600 * SECOND;
const DAY: i64 = 24 * HOUR;

/// Midnight of a day that begins a partition of eight days.
const MIDNIGHT: i64 = 2_400 * 8 * DAY;

/// A block of 100 bytes an entry of the `hour`th two hours after midnight, from log positions
/// `first` to `first + 9`.
fn fresh(number: u64, hour: i64, first: u64) -> BlockEntry {
    let time = Ticks(MIDNIGHT + hour * 2 * HOUR);
    let partition = Span::Hours.around(time, SECOND);
    BlockEntry {
        number,
        range: partition,
        partition,
        lsn_min: first,
        lsn_max: first + 9,
        level: 0,
        class: 0,
        bytes: 100,
        series: 1,
        entries: 1,
        applied: 0,
    }
}

fn merged(number: u64, span: Span, level: u8, lsn: (u64, u64), bytes: u64) -> BlockEntry {
    let partition = span.around(Ticks(MIDNIGHT), SECOND);
    BlockEntry {
        partition,
        range: partition,
        lsn_min: lsn.0,
        lsn_max: lsn.1,
        level,
        bytes,
        ..fresh(number, 0, 0)
    }
}

/// The plan at `hours` after midnight.
fn at(hours: i64, zeal: Zeal, blocks: &[BlockEntry]) -> Option<(Vec<u64>, i64)> {
    with(hours, zeal, blocks, &[], &[])
}

fn with(
    hours: i64,
    zeal: Zeal,
    blocks: &[BlockEntry],
    barred: &[u64],
    dirty: &[u64],
) -> Option<(Vec<u64>, i64)> {
    let barred = barred.iter().copied().collect();
    let dirty = dirty.iter().copied().collect();
    let policy = Policy {
        zeal,
        now: Ticks(MIDNIGHT + hours * HOUR),
        ticks_per_second: SECOND,
        settle_seconds: 3_600,
        barred: &barred,
        dirty: &dirty,
    };
    let job = plan(blocks, &policy, |_| true)?;
    let hours = (job.partition.end.0 - job.partition.start.0 + 1) / HOUR;
    Some((job.inputs, hours))
}

#[test]
fn nothing_is_merged_while_two_hours_go_on() {
    let blocks: Vec<_> = (1..8).map(|number| fresh(number, 0, number * 10)).collect();
    assert_eq!(at(1, Zeal::WhatPays, &blocks), None);
    assert_eq!(
        at(2, Zeal::WhatPays, &blocks),
        None,
        "late entries may come"
    );
}

#[test]
fn many_freezes_do_not_wait_for_the_end() {
    let blocks: Vec<_> = (1..=8)
        .map(|number| fresh(number, 0, number * 10))
        .collect();
    let all = (1..=8).collect();
    assert_eq!(at(1, Zeal::WhatPays, &blocks), Some((all, 2)));
}

#[test]
fn what_is_left_is_merged_when_two_hours_are_over_and_only_once() {
    let mut blocks = vec![
        merged(9, Span::Hours, 1, (10, 89), 500),
        fresh(10, 0, 90),
        fresh(11, 0, 100),
    ];
    assert_eq!(at(4, Zeal::WhatPays, &blocks), Some((vec![10, 11], 2)));
    blocks.truncate(1);
    blocks.push(merged(12, Span::Hours, 1, (90, 109), 150));
    assert_eq!(at(4, Zeal::WhatPays, &blocks), None, "the day is not over");
}

#[test]
fn a_day_is_merged_when_it_is_over() {
    let mut blocks: Vec<_> = (0..12)
        .map(|hour| BlockEntry {
            level: 1,
            ..fresh(hour as u64 + 1, hour, hour as u64 * 10)
        })
        .collect();
    assert_eq!(at(24, Zeal::WhatPays, &blocks), None);
    let all: Vec<u64> = (1..=12).collect();
    assert_eq!(at(26, Zeal::WhatPays, &blocks), Some((all, 24)));
    // A lone block of two hours grows too, and is then left alone.
    blocks.truncate(1);
    assert_eq!(at(26, Zeal::WhatPays, &blocks), Some((vec![1], 24)));
    let day = [merged(2, Span::Day, 2, (0, 9), 90)];
    assert_eq!(at(26, Zeal::WhatPays, &day), None);
}

#[test]
fn eight_days_are_merged_a_month_later() {
    let blocks = [
        merged(1, Span::Day, 2, (0, 9), 1_000),
        BlockEntry {
            partition: Span::Day.around(Ticks(MIDNIGHT + 3 * DAY), SECOND),
            ..merged(2, Span::Day, 2, (10, 19), 1_000)
        },
    ];
    assert_eq!(at(20 * 24, Zeal::WhatPays, &blocks), None);
    let job = Some((vec![1, 2], 8 * 24));
    assert_eq!(at(41 * 24, Zeal::WhatPays, &blocks), job);
}

#[test]
fn late_blocks_wait_until_they_are_worth_it() {
    let base = merged(1, Span::Day, 2, (0, 99), 10_000);
    let late = |number: u64| BlockEntry {
        ..fresh(number, 3, number * 100)
    };
    let three = [base.clone(), late(2), late(3), late(4)];
    assert_eq!(at(30, Zeal::WhatPays, &three), None);
    let four = [base.clone(), late(2), late(3), late(4), late(5)];
    let job = Some((vec![2, 3, 4, 5], 24));
    assert_eq!(at(30, Zeal::WhatPays, &four), job, "but not the base");
    let large = BlockEntry {
        bytes: 4_000,
        ..late(2)
    };
    assert_eq!(
        at(30, Zeal::WhatPays, &[base, large]),
        Some((vec![1, 2], 24))
    );
}

#[test]
fn blocks_written_together_count_as_one() {
    // A freeze over two classes makes two blocks.
    let blocks: Vec<_> = (1..=14)
        .map(|number| BlockEntry {
            class: (number % 2) as u8,
            ..fresh(number, 0, number / 2 * 10)
        })
        .collect();
    let generations = 8;
    assert_eq!(
        at(1, Zeal::WhatPays, &blocks).map(|(inputs, _)| inputs.len()),
        Some(14),
        "{generations} of them"
    );
    assert_eq!(at(1, Zeal::WhatPays, &blocks[..12]), None);
}

#[test]
fn nothing_is_merged_across_a_barred_block() {
    let blocks: Vec<_> = (1..=5)
        .map(|number| fresh(number, 0, number * 10))
        .collect();
    let job = with(4, Zeal::Everything, &blocks, &[3], &[]);
    assert_eq!(job, Some((vec![1, 2], 2)));
    let rest = [
        merged(6, Span::Hours, 1, (10, 29), 200),
        blocks[2].clone(),
        blocks[3].clone(),
        blocks[4].clone(),
    ];
    let job = with(4, Zeal::Everything, &rest, &[3], &[]);
    assert_eq!(job, Some((vec![4, 5], 2)));
}

#[test]
fn everything_ends_with_one_block_for_each_partition_and_class() {
    let done = [
        merged(1, Span::Hours, 1, (10, 29), 200),
        BlockEntry {
            class: 1,
            ..merged(2, Span::Hours, 1, (10, 29), 200)
        },
    ];
    assert_eq!(at(1, Zeal::Everything, &done), None);
    assert_eq!(
        at(1, Zeal::Everything, &[fresh(1, 0, 10)]),
        Some((vec![1], 2)),
        "a fresh block is written anew"
    );
    let apart = [fresh(1, 0, 10), fresh(2, 1, 10)];
    assert_eq!(at(3, Zeal::Everything, &apart), Some((vec![1], 2)));
}

#[test]
fn dirty_blocks_are_written_anew_last() {
    let done = [merged(1, Span::Hours, 1, (10, 29), 200)];
    let job = with(1, Zeal::WhatPays, &done, &[], &[1]);
    assert_eq!(job, Some((vec![1], 2)));
    let job = with(1, Zeal::Everything, &done, &[], &[1]);
    assert_eq!(job, Some((vec![1], 2)));
}

#[test]
fn jobs_never_cross_a_block_whose_time_may_meet_theirs() {
    // Random lists, run until nothing is left to do: inputs are neighbours in their partition.
    let mut dice = 7u64;
    let mut roll = |sides: u64| {
        dice = dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % sides
    };
    for _ in 0..300 {
        let mut blocks: Vec<BlockEntry> = (1..=roll(40) + 1)
            .map(|number| BlockEntry {
                bytes: 1 << roll(16),
                ..fresh(number, roll(30) as i64, number * 10)
            })
            .collect();
        let hours = roll(100 * 24) as i64;
        let zeal = [Zeal::WhatPays, Zeal::Everything][roll(2) as usize];
        for next in 1_000.. {
            assert!(next < 1_200, "the plan goes in circles");
            let (none, policy_now) = (BTreeSet::new(), Ticks(MIDNIGHT + hours * HOUR));
            let policy = Policy {
                zeal,
                now: policy_now,
                ticks_per_second: SECOND,
                settle_seconds: 3_600,
                barred: &none,
                dirty: &none,
            };
            let Some(job) = plan(&blocks, &policy, |_| true) else {
                break;
            };
            blocks = carried_out(&blocks, &job, next);
        }
    }
}

/// The blocks after a job, whose rules are checked on the way.
fn carried_out(blocks: &[BlockEntry], job: &Job, number: u64) -> Vec<BlockEntry> {
    let is_input = |block: &&BlockEntry| job.inputs.contains(&block.number);
    let inputs: Vec<&BlockEntry> = blocks.iter().filter(is_input).collect();
    assert_eq!(inputs.len(), job.inputs.len());
    let first = inputs.iter().map(|block| block.lsn_min).min().unwrap();
    let last = inputs.iter().map(|block| block.lsn_max).max().unwrap();
    for block in blocks.iter().filter(|block| !is_input(block)) {
        let meets = block.partition.overlaps(&job.partition);
        let is_between = block.lsn_max >= first && block.lsn_min <= last;
        assert!(!(meets && is_between), "{block:?} lies between {job:?}");
    }
    let output = BlockEntry {
        number,
        partition: job.partition,
        lsn_min: first,
        lsn_max: last,
        level: inputs.iter().map(|block| block.level).max().unwrap() + 1,
        bytes: job.bytes,
        ..inputs[0].clone()
    };
    let kept = blocks.iter().filter(|block| !is_input(block)).cloned();
    kept.chain([output]).collect()
}

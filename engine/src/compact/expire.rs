//! Which blocks retention drops: a pure decision over what the manifest says.
//!
//! A block goes by time when none of its entries is kept any more. By size, the oldest go first and
//! the newest never. Blocks that overlap in time go together then: of two values at one timestamp
//! the one acknowledged first counts (I10), and the other must not come to light because the first
//! went. By time that cannot happen, since readers see nothing behind a class's horizon.

use crate::manifest::{BlockEntry, Version};
use crate::time::Ticks;

/// The oldest tick of each class that is still kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Horizons {
    default: Ticks,
    classes: Vec<(u8, Ticks)>,
}

/// Bounds on the blocks of one store that are not behind a horizon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// Bytes of all blocks together.
    pub(crate) bytes_max: Option<u64>,
    /// What ends at or before this tick goes as well.
    pub(crate) until: Option<Ticks>,
}

/// Blocks that overlap in time, directly or through others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// The newest tick of an entry.
    pub(crate) end: Ticks,
    pub(crate) bytes: u64,
    pub(crate) blocks: Vec<u64>,
}

/// What one store has to give when all stores together take too much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holding {
    pub(crate) ticks_per_second: i64,
    /// Bytes of all blocks, those that must stay included.
    pub(crate) bytes: u64,
    /// What may go, oldest first.
    pub(crate) stretches: Vec<Stretch>,
}

impl Horizons {
    /// The horizon of class 0, and those of others.
    pub(crate) fn new(default: Ticks, classes: Vec<(u8, Ticks)>) -> Self {
        Horizons { default, classes }
    }

    /// The oldest tick of a class that is kept. A class of which nothing is known is kept for ever.
    pub(crate) fn of(&self, class: u8) -> Ticks {
        if class == 0 {
            return self.default;
        }
        let known = self.classes.iter().find(|(number, _)| *number == class);
        known.map_or(Ticks(i64::MIN), |(_, horizon)| *horizon)
    }

    fn is_behind(&self, block: &BlockEntry) -> bool {
        block.range.end < self.of(block.class)
    }
}

/// The blocks of which no entry is kept any more.
pub(crate) fn expired<'a>(
    version: &'a Version,
    horizons: &'a Horizons,
) -> impl Iterator<Item = &'a BlockEntry> {
    let blocks = version.blocks.iter();
    blocks.filter(|block| horizons.is_behind(block))
}

/// The numbers of the blocks to drop, in order.
pub(crate) fn plan(version: &Version, horizons: &Horizons, bounds: Bounds) -> Vec<u64> {
    let mut due: Vec<u64> = expired(version, horizons)
        .map(|block| block.number)
        .collect();
    let mut holding = holding(version, horizons, 1);
    for stretch in holding.stretches.drain(..) {
        let is_over = bounds.bytes_max.is_some_and(|max| holding.bytes > max);
        let is_before = bounds.until.is_some_and(|until| stretch.end <= until);
        if !is_over && !is_before {
            break;
        }
        holding.bytes -= stretch.bytes;
        due.extend(stretch.blocks);
    }
    due.sort_unstable();
    due
}

/// What a store has that is not behind a horizon.
pub(crate) fn holding(version: &Version, horizons: &Horizons, ticks_per_second: i64) -> Holding {
    let kept = version.blocks.iter();
    let kept = kept.filter(|block| !horizons.is_behind(block));
    let mut stretches = stretches(kept.collect());
    let bytes = stretches.iter().map(|stretch| stretch.bytes).sum();
    // The newest stays whatever it takes.
    stretches.pop();
    Holding {
        ticks_per_second,
        bytes,
        stretches,
    }
}

/// How far back each store must let go so that all together take at most `bytes_max`: the oldest
/// stretches first, whichever store they are in.
pub(crate) fn share(holdings: &[Holding], bytes_max: u64) -> Vec<Option<Ticks>> {
    let mut bytes: u64 = holdings.iter().map(|holding| holding.bytes).sum();
    let mut order = Vec::new();
    for (store, holding) in holdings.iter().enumerate() {
        for stretch in &holding.stretches {
            // Wider than a tick: kinds tick at different rates.
            let nanos = i128::from(stretch.end.0) * i128::from(NANOS / holding.ticks_per_second);
            order.push((nanos, store, stretch));
        }
    }
    order.sort_by_key(|(nanos, store, _)| (*nanos, *store));
    let mut until = vec![None; holdings.len()];
    for (_, store, stretch) in order {
        if bytes <= bytes_max {
            break;
        }
        bytes -= stretch.bytes;
        until[store] = Some(stretch.end);
    }
    until
}

const NANOS: i64 = 1_000_000_000;

/// Puts blocks that overlap together, oldest first.
fn stretches(mut blocks: Vec<&BlockEntry>) -> Vec<Stretch> {
    blocks.sort_by_key(|block| (block.range.start, block.number));
    let mut found: Vec<Stretch> = Vec::new();
    for block in blocks {
        match found.last_mut() {
            Some(last) if block.range.start <= last.end => {
                last.end = last.end.max(block.range.end);
                last.bytes += block.bytes;
                last.blocks.push(block.number);
            }
            _ => found.push(Stretch {
                end: block.range.end,
                bytes: block.bytes,
                blocks: vec![block.number],
            }),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Change;
    use crate::time::TickRange;

    /// Blocks as (number, first tick, last tick, class, bytes).
    type Row = (u64, i64, i64, u8, u64);

    fn version(rows: &[Row]) -> Version {
        let block = |(number, start, end, class, bytes): &Row| BlockEntry {
            number: *number,
            range: TickRange::new(Ticks(*start), Ticks(*end)),
            partition: TickRange::ALL,
            lsn_min: *number,
            lsn_max: *number,
            level: 0,
            class: *class,
            bytes: *bytes,
            series: 1,
            entries: 1,
            applied: 0,
        };
        let change = Change {
            add_blocks: rows.iter().map(block).collect(),
            ..Change::default()
        };
        Version::default().apply(&change).unwrap()
    }

    fn planned(rows: &[Row], horizons: &Horizons, bounds: Bounds) -> Vec<u64> {
        plan(&version(rows), horizons, bounds)
    }

    const FOR_EVER: Ticks = Ticks(i64::MIN);

    #[test]
    fn a_block_goes_by_time_once_its_last_entry_is_behind_the_horizon_of_its_class() {
        let rows: [Row; 6] = [
            (1, 0, 99, 0, 10),
            (2, 0, 100, 0, 10),
            (3, 0, 100, 4, 10),
            (4, 0, 49, 9, 10),
            // Of a class of which nothing is known.
            (5, 0, 0, 77, 10),
            (6, 99, 99, 4, 10),
        ];
        let cases: [(Ticks, i64, i64, &[u64]); 5] = [
            (FOR_EVER, i64::MIN, i64::MIN, &[]),
            (Ticks(100), i64::MIN, i64::MIN, &[1]),
            (Ticks(101), i64::MIN, 49, &[1, 2]),
            (FOR_EVER, 101, 50, &[3, 4, 6]),
            // Time knows no exception: the newest goes too.
            (Ticks(1_000), 1_000, 1_000, &[1, 2, 3, 4, 6]),
        ];
        for (default, four, nine, due) in cases {
            let horizons = Horizons::new(default, vec![(4, Ticks(four)), (9, Ticks(nine))]);
            assert_eq!(
                planned(&rows, &horizons, Bounds::default()),
                due,
                "{horizons:?}"
            );
        }
    }

    #[test]
    fn by_size_the_oldest_go_until_the_rest_fits_and_the_newest_stays() {
        let rows: [Row; 4] = [
            (1, 300, 399, 0, 40),
            (2, 0, 99, 0, 10),
            (3, 100, 199, 1, 20),
            (4, 200, 299, 0, 30),
        ];
        let cases: [(u64, &[u64]); 8] = [
            (100, &[]),
            (99, &[2]),
            (90, &[2]),
            (89, &[2, 3]),
            (70, &[2, 3]),
            (69, &[2, 3, 4]),
            (40, &[2, 3, 4]),
            (0, &[2, 3, 4]),
        ];
        let horizons = Horizons::new(FOR_EVER, vec![(1, FOR_EVER)]);
        for (bytes_max, due) in cases {
            let bounds = Bounds {
                bytes_max: Some(bytes_max),
                until: None,
            };
            assert_eq!(
                planned(&rows, &horizons, bounds),
                due,
                "at most {bytes_max}"
            );
        }
    }

    #[test]
    fn blocks_that_overlap_go_together_by_size_whatever_their_class() {
        let rows: [Row; 5] = [
            (1, 0, 99, 0, 10),
            (2, 99, 150, 1, 10),
            (3, 150, 160, 0, 10),
            (4, 161, 200, 0, 10),
            (5, 201, 300, 0, 10),
        ];
        let horizons = Horizons::new(FOR_EVER, Vec::new());
        for (bytes_max, due) in [(49, &[1, 2, 3][..]), (20, &[1, 2, 3]), (19, &[1, 2, 3, 4])] {
            let bounds = Bounds {
                bytes_max: Some(bytes_max),
                until: None,
            };
            assert_eq!(
                planned(&rows, &horizons, bounds),
                due,
                "at most {bytes_max}"
            );
        }
        // A block that holds all of the time leaves nothing to choose: it is the newest too.
        let mut rows = rows.to_vec();
        rows.push((6, 0, 300, 0, 10));
        let bounds = Bounds {
            bytes_max: Some(1),
            until: None,
        };
        assert_eq!(planned(&rows, &horizons, bounds), []);
    }

    #[test]
    fn what_goes_by_time_does_not_count_by_size() {
        let rows: [Row; 3] = [(1, 0, 9, 0, 50), (2, 10, 19, 1, 50), (3, 20, 29, 1, 50)];
        let horizons = Horizons::new(Ticks(10), Vec::new());
        for (bytes_max, due) in [(100, &[1][..]), (99, &[1, 2])] {
            let bounds = Bounds {
                bytes_max: Some(bytes_max),
                until: None,
            };
            assert_eq!(planned(&rows, &horizons, bounds), due);
        }
    }

    #[test]
    fn all_stores_together_give_the_oldest_first_whatever_their_tick() {
        let horizons = Horizons::new(FOR_EVER, Vec::new());
        // Milliseconds 1 to 4 in the first store; nanoseconds from 2.5 ms on in the second.
        let of = |rows: &[Row], ticks| holding(&version(rows), &horizons, ticks);
        let millis = of(
            &[
                (1, 1, 1, 0, 10),
                (2, 2, 2, 0, 10),
                (3, 3, 3, 0, 10),
                (4, 4, 4, 0, 10),
            ],
            1_000,
        );
        let nanos = of(
            &[
                (1, 2_500_000, 2_500_000, 0, 10),
                (2, 9_000_000, 9_000_000, 0, 10),
            ],
            1_000_000_000,
        );
        let empty = of(&[], 1_000);
        let holdings = [millis, nanos, empty];
        let tick = |ticks: i64| Some(Ticks(ticks));
        let cases = [
            (60, [None, None, None]),
            (59, [tick(1), None, None]),
            (40, [tick(2), None, None]),
            (39, [tick(2), tick(2_500_000), None]),
            (29, [tick(3), tick(2_500_000), None]),
            // The newest of each store stays.
            (0, [tick(3), tick(2_500_000), None]),
        ];
        for (bytes_max, until) in cases {
            assert_eq!(share(&holdings, bytes_max), until, "at most {bytes_max}");
        }
        // Each store then drops by its tick what was counted.
        let rows: [Row; 3] = [(1, 1, 1, 0, 10), (2, 2, 2, 0, 10), (3, 3, 3, 0, 10)];
        let bounds = Bounds {
            bytes_max: None,
            until: tick(2),
        };
        assert_eq!(planned(&rows, &horizons, bounds), [1, 2]);
        let all = Bounds {
            bytes_max: None,
            until: tick(3),
        };
        assert_eq!(planned(&rows, &horizons, all), [1, 2]);
    }
}

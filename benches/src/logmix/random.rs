//! Seeded chance for the log mix: whole numbers only, so that every machine makes the same lines.

use crate::fleet::mix;

/// A stream of numbers that follows from its seed.
pub struct Random {
    state: u64,
}

impl Random {
    /// Two salts give two streams.
    pub fn new(seed: u64, salt: u64) -> Self {
        Random {
            state: mix(seed, salt),
        }
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state, 0)
    }

    /// A number below `bound`, all alike.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The upper half of a product: without the bias that matters and without a division.
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `least..=most`, all alike.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    /// True this many times in a thousand.
    pub fn permille(&mut self, times: u64) -> bool {
        self.below(1_000) < times
    }

    /// A rank below `count` as Zipf's law has them: each doubling of the rank is as likely as the
    /// one before, so rank 0 alone is as likely as ranks 1 and 2 together.
    pub fn rank(&mut self, count: u64) -> u64 {
        let doublings = u64::from(64 - count.leading_zeros());
        loop {
            let first = (1 << self.below(doublings)) - 1;
            let rank = first + self.below(first + 1);
            if rank < count {
                return rank;
            }
        }
    }

    /// An entry of a table, the first ones much more often.
    pub fn ranked<T: Copy>(&mut self, table: &[T]) -> T {
        table[self.rank(table.len() as u64) as usize]
    }

    /// An entry of a table, all alike.
    pub fn any<T: Copy>(&mut self, table: &[T]) -> T {
        table[self.below(table.len() as u64) as usize]
    }

    /// A duration or a size with a long tail: mostly below `usual`, now and then far above.
    pub fn tailed(&mut self, usual: u64) -> u64 {
        let stretch = self.rank(64) + 1;
        usual / 4 + self.below(usual * stretch / 8 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_stay_below_their_count_and_fall_in_likelihood() {
        let mut random = Random::new(1, 2);
        for count in [1, 2, 3, 12, 1_000] {
            let mut seen = vec![0u32; count as usize];
            for _ in 0..20_000 {
                seen[random.rank(count) as usize] += 1;
            }
            assert!(seen[0] >= *seen.last().unwrap(), "{count}: {seen:?}");
            assert!(count > 100 || seen.iter().all(|times| *times > 0));
        }
    }
}

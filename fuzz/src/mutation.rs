//! Seeded mutation: the same seed, corpus and count give the same inputs on every machine.
//!
//! No coverage guides it. It finds what a few million blind changes to valid inputs find, on plain
//! stable, in a minute; the search that learns is `--bin guided`.

use chronolith_tests::Random;

/// No input grows beyond this: longer ones find nothing new and slow the search down.
pub const INPUT_BYTES_MAX: usize = 1 << 16;

/// How many changes are piled onto one input at most.
const CHANGES_MAX: u64 = 6;

/// Values that sit on the edges of lengths, counts and signs.
const EDGES: [u64; 10] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    i64::MAX as u64,
    u64::MAX,
];

/// Turns valid inputs into broken ones.
#[derive(Clone, Debug)]
pub struct Mutator {
    random: Random,
}

impl Mutator {
    /// A mutator whose whole run follows from `seed`.
    pub fn new(seed: u64) -> Self {
        Mutator {
            random: Random::new(seed),
        }
    }

    /// One mutated copy of an input drawn from `corpus`, which must not be empty.
    pub fn mutate(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        assert!(!corpus.is_empty(), "a target needs a corpus to mutate");
        let mut input = corpus[self.random.below(corpus.len())].clone();
        for _ in 0..=self.random.draw() % CHANGES_MAX {
            self.change(&mut input, corpus);
        }
        input.truncate(INPUT_BYTES_MAX);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, corpus: &[Vec<u8>]) {
        if input.is_empty() {
            input.push(self.random.draw() as u8);
            return;
        }
        let at = self.random.below(input.len());
        match self.random.below(8) {
            0 => input[at] ^= 1 << (self.random.draw() % 8),
            1 => input[at] = self.random.draw() as u8,
            2 => {
                input[at] =
                    input[at].wrapping_add(if self.random.draw() & 1 == 0 { 1 } else { 0xff })
            }
            3 => input.truncate(at),
            4 => input.insert(at, self.random.draw() as u8),
            5 => {
                let end = at + 1 + self.random.below(input.len() - at);
                input.drain(at..end);
            }
            6 => self.splice(input, at, corpus),
            _ => self.overwrite_with_edge(input, at),
        }
    }

    /// Puts a piece of another input of the corpus behind the first `at` bytes.
    fn splice(&mut self, input: &mut Vec<u8>, at: usize, corpus: &[Vec<u8>]) {
        let other = &corpus[self.random.below(corpus.len())];
        let from = self.random.below(other.len() + 1);
        let tail = input.split_off(at);
        input.extend_from_slice(&other[from..]);
        if self.random.draw() & 1 == 0 {
            input.extend_from_slice(&tail);
        }
    }

    fn overwrite_with_edge(&mut self, input: &mut [u8], at: usize) {
        let bytes = EDGES[self.random.below(EDGES.len())].to_le_bytes();
        let width = (1 << self.random.below(4)).min(input.len() - at);
        input[at..at + width].copy_from_slice(&bytes[..width]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_replays_its_inputs() {
        let corpus = [b"hello".to_vec(), vec![0; 40]];
        let run = |seed| {
            let mut mutator = Mutator::new(seed);
            (0..200)
                .map(|_| mutator.mutate(&corpus))
                .collect::<Vec<_>>()
        };
        assert_eq!(run(3), run(3));
        assert_ne!(run(3), run(4));
    }

    #[test]
    fn inputs_are_bounded_and_an_empty_one_is_no_trap() {
        let corpus = [Vec::new(), vec![7; INPUT_BYTES_MAX]];
        let mut mutator = Mutator::new(1);
        for _ in 0..2_000 {
            assert!(mutator.mutate(&corpus).len() <= INPUT_BYTES_MAX);
        }
    }
}

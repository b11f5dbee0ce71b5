//! [`Buckets`]: one side of a histogram.

use chronolith_engine::metrics::Span;

/// A bucket with its borders.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// The lower border.
    pub lower: f64,
    /// The upper border.
    pub upper: f64,
    /// Whether observations at the lower border are in it.
    pub lower_inclusive: bool,
    /// Whether observations at the upper border are in it.
    pub upper_inclusive: bool,
    /// Observations.
    pub count: f64,
}

/// Counts by the index of their bucket, in order of the index.
#[derive(Clone, Debug, Default)]
pub struct Buckets {
    entries: Vec<(i32, f64)>,
}

impl PartialEq for Buckets {
    /// By bits.
    fn eq(&self, other: &Self) -> bool {
        let same = |one: &(i32, f64), two: &(i32, f64)| {
            one.0 == two.0 && one.1.to_bits() == two.1.to_bits()
        };
        let (one, two) = (&self.entries, &other.entries);
        one.len() == two.len() && one.iter().zip(two).all(|(one, two)| same(one, two))
    }
}

impl Buckets {
    /// Buckets that follow each other from `first` on.
    pub fn dense(first: i32, counts: &[f64]) -> Buckets {
        let indexes = first..;
        Buckets {
            entries: indexes.zip(counts.iter().copied()).collect(),
        }
    }

    pub(super) fn from_spans(spans: &[Span], counts: &[f64]) -> Buckets {
        let mut entries = Vec::with_capacity(counts.len());
        let (mut index, mut counts) = (0i32, counts.iter());
        for span in spans {
            index = index.wrapping_add(span.offset);
            for _ in 0..span.length {
                let Some(&count) = counts.next() else {
                    return Buckets { entries };
                };
                entries.push((index, count));
                index = index.wrapping_add(1);
            }
        }
        Buckets { entries }
    }

    pub(super) fn to_spans(&self) -> (Vec<Span>, Vec<f64>) {
        let mut spans: Vec<Span> = Vec::new();
        let mut next = 0i32;
        for &(index, _) in &self.entries {
            match spans.last_mut() {
                Some(span) if index == next => span.length += 1,
                _ => spans.push(Span {
                    offset: index.wrapping_sub(next),
                    length: 1,
                }),
            }
            next = index.wrapping_add(1);
        }
        (
            spans,
            self.entries.iter().map(|(_, count)| *count).collect(),
        )
    }

    /// From pairs whose indexes rise.
    pub(super) fn from_sorted(entries: Vec<(i32, f64)>) -> Buckets {
        debug_assert!(entries.windows(2).all(|pair| pair[0].0 < pair[1].0));
        Buckets { entries }
    }

    /// Whether no bucket is listed.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many buckets are listed.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Indexes and counts.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (i32, f64)> {
        self.entries.iter().copied()
    }

    pub(super) fn counts_mut(&mut self) -> impl Iterator<Item = &mut f64> {
        self.entries.iter_mut().map(|(_, count)| count)
    }

    pub(super) fn retain(&mut self, keep: impl Fn(i32, f64) -> bool) {
        self.entries.retain(|&(index, count)| keep(index, count));
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    /// The count of a bucket, 0 if it is not listed.
    pub(super) fn count(&self, index: i32) -> f64 {
        match self.entries.binary_search_by_key(&index, |entry| entry.0) {
            Ok(place) => self.entries[place].1,
            Err(_) => 0.0,
        }
    }

    /// The buckets under other indexes: `target` never falls as the index rises.
    pub(super) fn mapped(&self, target: impl Fn(i32) -> i32) -> Buckets {
        let mut entries: Vec<(i32, f64)> = Vec::with_capacity(self.entries.len());
        for &(index, count) in &self.entries {
            let index = target(index);
            match entries.last_mut() {
                Some(last) if last.0 == index => last.1 += count,
                _ => entries.push((index, count)),
            }
        }
        Buckets { entries }
    }

    /// The buckets at a lower resolution.
    pub(super) fn reduced(&self, from: i32, to: i32) -> Buckets {
        let steps = u32::try_from(from - to).unwrap_or(0);
        self.mapped(|index| ((index - 1) >> steps) + 1)
    }

    /// Calls `visit` for each index that either side lists, with both counts.
    pub(super) fn pair(&self, other: &Buckets, mut visit: impl FnMut(i32, f64, f64)) {
        let (mut one, mut two) = (
            self.entries.iter().peekable(),
            other.entries.iter().peekable(),
        );
        loop {
            let index = match (one.peek(), two.peek()) {
                (Some(left), Some(right)) => left.0.min(right.0),
                (Some(entry), None) | (None, Some(entry)) => entry.0,
                (None, None) => return,
            };
            let left = one.next_if(|entry| entry.0 == index);
            let right = two.next_if(|entry| entry.0 == index);
            let count = |entry: Option<&(i32, f64)>| entry.map_or(0.0, |entry| entry.1);
            visit(index, count(left), count(right));
        }
    }
}

/// The upper border of a bucket of an exponential schema.
pub(super) fn exponential_bound(index: i32, schema: i32) -> f64 {
    // The last regular bucket ends at the greatest finite float; the one above is for infinity.
    let last = 1024i64;
    if schema < 0 {
        let exponent = i64::from(index) << schema.unsigned_abs();
        return if exponent == last {
            f64::MAX
        } else {
            power_of_two(exponent)
        };
    }
    let steps = 1i64 << schema;
    let (whole, part) = (
        i64::from(index).div_euclid(steps),
        i64::from(index).rem_euclid(steps),
    );
    if part == 0 && whole == last {
        return f64::MAX;
    }
    #[expect(clippy::cast_precision_loss)] // Both are below 257.
    let fraction = (part as f64 / steps as f64).exp2();
    fraction * power_of_two(whole)
}

fn power_of_two(exponent: i64) -> f64 {
    match i32::try_from(exponent) {
        Ok(exponent) => f64::from(exponent).exp2(),
        Err(_) if exponent > 0 => f64::INFINITY,
        Err(_) => 0.0,
    }
}

//! A histogram as text, as `count_values` makes a label of it.

use std::fmt;

use crate::promql::histogram::{Bucket, Histogram};
use crate::text::number::general;

impl fmt::Display for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{{count:{}, sum:{}",
            general(self.count),
            general(self.sum)
        )?;
        let zero = (!self.is_custom()).then(|| self.zero_bucket());
        let negative = self.negative_buckets().rev();
        for bucket in negative.chain(zero).chain(self.positive_buckets()) {
            if bucket.count != 0.0 {
                write!(f, ", {bucket}")?;
            }
        }
        f.write_str("}")
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = if self.lower_inclusive { '[' } else { '(' };
        let close = if self.upper_inclusive { ']' } else { ')' };
        let (lower, upper, count) = (
            general(self.lower),
            general(self.upper),
            general(self.count),
        );
        write!(f, "{open}{lower},{upper}{close}:{count}")
    }
}

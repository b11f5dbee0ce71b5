//! [`Pairs`]: the structured metadata of one line, taken apart once, without an allocation where it
//! is short.

use chronolith_engine::labels::Labels;

/// How many labels of metadata a line may have before they take an allocation.
pub(super) const FEW: usize = 6;

/// Structured metadata, taken apart once for a line.
pub(super) struct Pairs<'a> {
    few: [(&'a str, &'a str); FEW],
    count: usize,
    /// All of them, if there are more.
    many: Vec<(&'a str, &'a str)>,
}

impl<'a> Pairs<'a> {
    pub(super) fn new(labels: Labels<'a>) -> Pairs<'a> {
        let mut pairs = Pairs {
            few: [("", ""); FEW],
            count: 0,
            many: Vec::new(),
        };
        for pair in labels.iter() {
            match pairs.few.get_mut(pairs.count) {
                Some(place) => {
                    *place = pair;
                    pairs.count += 1;
                }
                None => {
                    pairs.many = labels.iter().collect();
                    break;
                }
            }
        }
        pairs
    }

    pub(super) fn as_slice(&self) -> &[(&'a str, &'a str)] {
        match self.many.is_empty() {
            true => &self.few[..self.count],
            false => &self.many,
        }
    }
}

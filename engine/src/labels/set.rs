//! Label sets: sorted, unique, UTF-8, in one flat run of bytes.
//!
//! The canonical bytes are, for each label in name order, `varint name length, name, varint value
//! length, value`. Equal sets have equal bytes, so a set is hashed, compared and stored without
//! being taken apart. A label with an empty value is the same as no label and never appears.

use std::cmp::Ordering;
use std::fmt;

use crate::codec::bytes::{Cursor, put_prefixed};
use crate::error::{Error, Result};

/// A borrowed label set in canonical bytes that have been checked.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Labels<'a> {
    bytes: &'a [u8],
}

/// An owned label set.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct LabelSet {
    bytes: Box<[u8]>,
}

/// The identity of a label set, the same in every store: the first 16 bytes of BLAKE3 over the
/// canonical bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId(pub [u8; 16]);

impl<'a> Labels<'a> {
    /// The set with no labels.
    pub const EMPTY: Labels<'static> = Labels { bytes: &[] };

    /// Checks that `bytes` are canonical (see the file comment) and borrows them as a set.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self> {
        let mut cursor = Cursor::new(bytes);
        let mut previous: Option<&str> = None;
        let mut canonical = 0;
        while !cursor.is_empty() {
            let (name, value) = (cursor.text()?, cursor.text()?);
            if name.is_empty() {
                return Err(Error::invalid("a label name is empty"));
            }
            if value.is_empty() {
                return Err(Error::invalid(format!(
                    "label {name:?} has an empty value: leave it out"
                )));
            }
            if previous.is_some_and(|previous| previous >= name) {
                return Err(Error::invalid(format!(
                    "label {name:?} is out of order or given twice: sort labels by name"
                )));
            }
            previous = Some(name);
            canonical += prefixed_bytes(name) + prefixed_bytes(value);
        }
        // A padded varint reads as the same length, and one set would have two identities.
        if canonical != bytes.len() {
            return Err(Error::invalid("a label length has padding bytes"));
        }
        Ok(Labels { bytes })
    }

    /// Borrows bytes that are known to be canonical because this process checked or wrote them.
    pub(crate) fn trusted(bytes: &'a [u8]) -> Self {
        debug_assert!(Labels::from_bytes(bytes).is_ok());
        Labels { bytes }
    }

    /// The canonical bytes.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether there are no labels.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The labels as (name, value), in name order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut cursor = Cursor::new(self.bytes);
        std::iter::from_fn(move || {
            if cursor.is_empty() {
                return None;
            }
            Some((cursor.text().ok()?, cursor.text().ok()?))
        })
    }

    /// The labels as (bytes of the name, canonical bytes of both), in name order: to put some of
    /// them together as they are.
    pub fn parts(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let bytes = self.bytes;
        let mut cursor = Cursor::new(bytes);
        std::iter::from_fn(move || {
            if cursor.is_empty() {
                return None;
            }
            let start = cursor.position();
            let name = cursor.prefixed().ok()?;
            cursor.prefixed().ok()?;
            Some((name, &bytes[start..cursor.position()]))
        })
    }

    /// The value of a label, if the set has it.
    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.iter()
            .find(|(candidate, _)| *candidate == name)
            .map(|(_, value)| value)
    }

    /// An owned copy.
    pub fn to_set(self) -> LabelSet {
        LabelSet {
            bytes: self.bytes.into(),
        }
    }

    /// The identity of this set.
    pub fn id(&self) -> SeriesId {
        let hash = blake3::hash(self.bytes);
        let mut id = [0; 16];
        id.copy_from_slice(&hash.as_bytes()[..16]);
        SeriesId(id)
    }
}

/// Label sets order by name, then value, label by label; a prefix comes first.
impl Ord for Labels<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let (left, right) = (self.bytes, other.bytes);
        let common = common_bytes(left, right);
        if common == left.len().min(right.len()) {
            return left.len().cmp(&right.len());
        }
        // The first text, name or value, whose bytes differ decides. What comes before it is the
        // same, so it begins at the same place in both.
        let (mut cursor, mut start) = (Cursor::new(left), 0);
        while let Ok(text) = cursor.prefixed() {
            if cursor.position() > common {
                let other = Cursor::new(&right[start..]).prefixed().unwrap_or_default();
                return text.cmp(other);
            }
            start = cursor.position();
        }
        left.len().cmp(&right.len())
    }
}

/// How many bytes at the beginning are the same.
fn common_bytes(left: &[u8], right: &[u8]) -> usize {
    const STEP: usize = 16;
    let (lefts, rights) = (left.as_chunks::<STEP>().0, right.as_chunks::<STEP>().0);
    let steps = lefts
        .iter()
        .zip(rights)
        .take_while(|(left, right)| left == right);
    let whole = steps.count() * STEP;
    let rest = left[whole..].iter().zip(&right[whole..]);
    whole + rest.take_while(|(left, right)| left == right).count()
}

impl PartialOrd for Labels<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl LabelSet {
    /// Builds a set from pairs in any order. Empty values are left out; an empty or repeated name
    /// is an error.
    pub fn from_pairs<N: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self> {
        let mut pairs: Vec<(N, V)> = pairs
            .into_iter()
            .filter(|(_, value)| !value.as_ref().is_empty())
            .collect();
        pairs.sort_by(|left, right| left.0.as_ref().cmp(right.0.as_ref()));
        let mut bytes = Vec::new();
        for (name, value) in &pairs {
            put_label(&mut bytes, name.as_ref(), value.as_ref());
        }
        Labels::from_bytes(&bytes)?;
        Ok(LabelSet {
            bytes: bytes.into(),
        })
    }

    /// The set as a borrowed view.
    pub fn as_labels(&self) -> Labels<'_> {
        Labels { bytes: &self.bytes }
    }
}

impl PartialOrd for LabelSet {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for LabelSet {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_labels().cmp(&other.as_labels())
    }
}

/// Appends one label in canonical form; the caller keeps names sorted and values non-empty.
pub fn put_label(out: &mut Vec<u8>, name: &str, value: &str) {
    put_prefixed(out, name.as_bytes());
    put_prefixed(out, value.as_bytes());
}

/// How many bytes `put_prefixed` writes for a text.
fn prefixed_bytes(text: &str) -> usize {
    let bits = usize::BITS - (text.len() | 1).leading_zeros();
    bits.div_ceil(7) as usize + text.len()
}

impl fmt::Debug for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (index, (name, value)) in self.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{name}={value:?}")?;
        }
        f.write_str("}")
    }
}

impl fmt::Debug for LabelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.as_labels(), f)
    }
}

impl fmt::Debug for SeriesId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pairs_are_sorted_and_empty_values_left_out() {
        let set = LabelSet::from_pairs([("b", "2"), ("a", "1"), ("c", "")]).unwrap();
        let labels: Vec<_> = set.as_labels().iter().collect();
        assert_eq!(labels, [("a", "1"), ("b", "2")]);
        assert_eq!(set.as_labels().value("b"), Some("2"));
        assert_eq!(set.as_labels().value("c"), None);
    }

    #[test]
    fn repeated_unsorted_and_empty_names_are_refused() {
        assert!(LabelSet::from_pairs([("a", "1"), ("a", "2")]).is_err());
        assert!(LabelSet::from_pairs([("", "1")]).is_err());
        let mut bytes = Vec::new();
        put_label(&mut bytes, "b", "1");
        put_label(&mut bytes, "a", "1");
        assert!(Labels::from_bytes(&bytes).is_err());
        assert!(Labels::from_bytes(&[1, b'a', 0]).is_err());
        assert!(Labels::from_bytes(&[1, b'a', 1, b'b']).is_ok());
        assert!(Labels::from_bytes(&[0x81, 0, b'a', 1, b'b']).is_err());
        assert!(Labels::from_bytes(&[1, 0xff, 1, b'x']).is_err());
    }

    proptest! {
        #[test]
        fn sets_order_as_their_texts_do(
            left in prop::collection::btree_map("[ab]{1,2}", "[ab]{1,3}", 0..5),
            right in prop::collection::btree_map("[ab]{1,2}", "[ab]{1,3}", 0..5),
            shared in "a{0,40}",
        ) {
            let [left, right] = [left, right].map(|mut set| {
                // Sorts before the others, and is left out where it is empty.
                set.insert("A".to_owned(), shared.clone());
                set
            });
            let (left, right) =
                (LabelSet::from_pairs(left).unwrap(), LabelSet::from_pairs(right).unwrap());
            let (left, right) = (left.as_labels(), right.as_labels());
            prop_assert_eq!(left.cmp(&right), left.iter().cmp(right.iter()));
            let mut whole = Vec::new();
            for ((name, part), (text, value)) in left.parts().zip(left.iter()) {
                prop_assert_eq!(name, text.as_bytes());
                let mut label = Vec::new();
                put_label(&mut label, text, value);
                prop_assert_eq!(part, &label[..]);
                whole.extend_from_slice(part);
            }
            prop_assert_eq!(&whole[..], left.as_bytes());
        }
    }

    #[test]
    fn sets_order_label_by_label() {
        let set = |pairs: &[(&str, &str)]| LabelSet::from_pairs(pairs.iter().copied()).unwrap();
        assert!(set(&[("a", "1")]) < set(&[("a", "1"), ("b", "1")]));
        assert!(set(&[("a", "9")]) < set(&[("a", "90")]));
        assert!(set(&[("a", "2")]) < set(&[("b", "1")]));
    }
}

//! Texts beside lines of which most repeat: each stands about once, and lines name it by number.
//!
//! Readers may look at a number instead of a text: equal numbers are equal texts. Different numbers
//! may be equal texts too, since a text is looked for among some others only.

use crate::error::Result;
use crate::kind::lines::run::Texts;

/// A text that comes is compared with so many of the newest.
const LOOK_BACK: usize = 8;

/// Places of the table by which texts that are read at once are found again.
const PLACES: usize = 64;

/// Texts by number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Repeats {
    texts: Texts,
    ids: Vec<u32>,
}

impl Repeats {
    /// So many empty texts.
    pub(crate) fn empty(count: usize) -> Self {
        let mut repeats = Repeats::default();
        repeats.resize(count);
        repeats
    }

    /// The texts of a list; each of those that are kept was checked.
    pub(crate) fn read<'t>(
        list: impl ExactSizeIterator<Item = &'t [u8]>,
        check: impl Fn(&[u8]) -> Result<()>,
    ) -> Result<Self> {
        let mut repeats = Repeats {
            texts: Texts::default(),
            ids: Vec::with_capacity(list.len()),
        };
        let mut known = [u32::MAX; PLACES];
        for text in list {
            let seen = &mut known[place_of(text)];
            if *seen == u32::MAX || repeats.texts.at(*seen as usize) != text {
                check(text)?;
                *seen = repeats.add(text);
            }
            repeats.ids.push(*seen);
        }
        Ok(repeats)
    }

    /// Texts that were told apart by somebody else: each number is below the count of texts.
    pub(crate) fn of(texts: Texts, ids: Vec<u32>) -> Self {
        Repeats { texts, ids }
    }

    pub(crate) fn at(&self, index: usize) -> &[u8] {
        self.texts.at(self.ids[index] as usize)
    }

    /// The number of each text, below [`Repeats::distinct`].
    pub(crate) fn ids(&self) -> &[u32] {
        &self.ids
    }

    pub(crate) fn distinct(&self) -> usize {
        self.texts.ends.len()
    }

    pub(crate) fn push(&mut self, text: &[u8]) {
        let id = self.find(text).unwrap_or_else(|| self.add(text));
        self.ids.push(id);
    }

    fn find(&self, text: &[u8]) -> Option<u32> {
        let count = self.distinct();
        let newest = (count.saturating_sub(LOOK_BACK)..count).rev();
        // A run has fewer texts than 32 bits can count, as it is below 4 GiB.
        let found = newest.into_iter().find(|id| self.texts.at(*id) == text);
        found.map(|id| id as u32)
    }

    fn add(&mut self, text: &[u8]) -> u32 {
        self.texts.push(text);
        (self.distinct() - 1) as u32
    }

    /// Appends all texts of another column.
    pub(crate) fn extend_from(&mut self, from: &Repeats) {
        let mut moved = Vec::with_capacity(from.distinct());
        for id in 0..from.distinct() {
            let text = from.texts.at(id);
            moved.push(self.find(text).unwrap_or_else(|| self.add(text)));
        }
        let ids = from.ids.iter().map(|id| moved[*id as usize]);
        self.ids.extend(ids);
    }

    /// Appends empty texts until there are `count`.
    pub(crate) fn resize(&mut self, count: usize) {
        if count > self.ids.len() {
            let id = self.find(&[]).unwrap_or_else(|| self.add(&[]));
            self.ids.resize(count, id);
        }
    }

    pub(crate) fn truncate(&mut self, count: usize) {
        self.ids.truncate(count);
        let used = self.ids.iter().max().map_or(0, |id| *id as usize + 1);
        self.texts.truncate(used);
    }

    pub(crate) fn slice(&self, start: usize, end: usize) -> Repeats {
        let ids = &self.ids[start..end];
        if self.distinct() <= ids.len() {
            return Repeats::of(self.texts.clone(), ids.to_vec());
        }
        let mut sliced = Repeats::default();
        ids.iter()
            .for_each(|id| sliced.push(self.texts.at(*id as usize)));
        sliced
    }

    /// How long the texts are that are kept.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.texts.bytes.len()
    }

    pub(crate) fn weight_bytes(&self) -> usize {
        self.texts.bytes.len() + (self.texts.ends.len() + self.ids.len()) * 4
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.texts.heap_bytes() + self.ids.capacity() * 4
    }
}

impl PartialEq for Repeats {
    fn eq(&self, other: &Self) -> bool {
        let count = self.ids.len();
        count == other.ids.len() && (0..count).all(|index| self.at(index) == other.at(index))
    }
}

/// A place that follows from a text's length and its last bytes, where labels mostly differ.
fn place_of(text: &[u8]) -> usize {
    let last = text.last_chunk::<8>();
    let word = last.map_or(0, |last| u64::from_le_bytes(*last));
    let word = word ^ (text.len() as u64) << 56 ^ text.first().map_or(0, |first| u64::from(*first));
    // The highest bits of the product are below the number of places.
    (word.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(texts: &[&str]) -> Repeats {
        let mut repeats = Repeats::default();
        texts.iter().for_each(|text| repeats.push(text.as_bytes()));
        repeats
    }

    fn shown(repeats: &Repeats) -> Vec<String> {
        let text = |index| String::from_utf8_lossy(repeats.at(index)).into_owned();
        (0..repeats.ids().len()).map(text).collect()
    }

    const MANY: [&str; 7] = ["b", "", "a", "b", "b", "a much longer text", "a"];

    #[test]
    fn texts_come_back_and_stand_once() {
        let repeats = pushed(&MANY);
        assert_eq!(shown(&repeats), MANY);
        assert_eq!(repeats.distinct(), 4);
        let read = Repeats::read(MANY.iter().map(|text| text.as_bytes()), |_| Ok(()));
        let read = read.unwrap();
        assert_eq!(read, repeats);
        assert_eq!(read.distinct(), 4);
    }

    #[test]
    fn more_texts_than_are_looked_back_at_come_back() {
        let texts: Vec<String> = (0..500).map(|number| format!("{}", number % 40)).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        assert_eq!(shown(&pushed(&texts)), texts);
        let read = Repeats::read(texts.iter().map(|text| text.as_bytes()), |_| Ok(()));
        assert_eq!(read.unwrap(), pushed(&texts));
    }

    #[test]
    fn parts_and_sums_are_those_of_the_texts() {
        let repeats = pushed(&MANY);
        for start in 0..=MANY.len() {
            for end in start..=MANY.len() {
                assert_eq!(shown(&repeats.slice(start, end)), MANY[start..end]);
            }
            let mut cut = repeats.clone();
            cut.truncate(start);
            assert_eq!(shown(&cut), MANY[..start]);
            cut.extend_from(&repeats.slice(start, MANY.len()));
            assert_eq!(shown(&cut), MANY);
            assert!(cut.distinct() <= 4);
        }
        let mut longer = repeats.clone();
        longer.resize(9);
        assert_eq!(shown(&longer)[7..], ["", ""]);
        assert_eq!(shown(&Repeats::empty(2)), ["", ""]);
    }

    #[test]
    fn a_text_that_is_kept_was_checked() {
        use std::cell::Cell;
        let asked = Cell::new(0);
        let check = |text: &[u8]| {
            asked.set(asked.get() + 1);
            match text == b"bad" {
                true => Err(crate::error::Error::corrupt("bad")),
                false => Ok(()),
            }
        };
        let good = ["x", "y", "x", "x", "y"];
        assert!(Repeats::read(good.iter().map(|text| text.as_bytes()), check).is_ok());
        assert_eq!(asked.get(), 2);
        let bad = ["x", "bad"];
        assert!(Repeats::read(bad.iter().map(|text| text.as_bytes()), check).is_err());
    }
}

//! [`LineLabels`]: the labels of one line, in their three categories.
//!
//! A name is there once: the stream's label keeps it before structured metadata, and that before
//! what is parsed; the one that loses is called `name_extracted`. Values that stages make lie in
//! one buffer that is reused from line to line, so a line costs no allocation once the buffer has
//! grown. Knows no stage.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};

use chronolith_engine::labels::Labels;
use foldhash::quality::FixedState;

use super::pairs::Pairs;

/// What is appended to a name that is taken.
pub(super) const EXTRACTED: &str = "_extracted";
/// The label that says what went wrong with a line.
pub const ERROR_LABEL: &str = "__error__";
/// The label that says more about it.
pub const ERROR_DETAILS_LABEL: &str = "__error_details__";
/// From this many labels on, names are looked up in a table.
const SCANNED_MAX: usize = 48;

/// Where a label comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Category {
    Stream,
    Metadata,
    Parsed,
}

/// What becomes of a parsed label whose name an earlier one has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeated {
    /// The first stays.
    FirstWins,
    /// The last replaces it.
    LastWins,
}

/// A text in [`LabelBuffer::text`].
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    start: usize,
    end: usize,
}

struct Slot {
    name: Place,
    value: Place,
    category: Category,
    is_live: bool,
}

/// What a line's labels are kept in, from line to line.
#[derive(Default)]
pub(super) struct LabelBuffer {
    text: String,
    slots: Vec<Slot>,
    /// Slots by the hash of their name, once there are more than [`SCANNED_MAX`]. Two names of one
    /// hash are told apart by a scan.
    table: HashMap<u64, usize, FixedState>,
    /// Which labels of the stream the line does not have any more; as long as the stream's labels,
    /// or empty if it has all.
    hidden: Vec<bool>,
    /// Whether the metadata has been copied into slots, because one of its labels was changed.
    is_metadata_moved: bool,
    error: Option<&'static str>,
    details: Option<Place>,
    /// Where a name is put together.
    name: String,
}

/// The labels of one line, as long as it is the current one.
pub struct LineLabels<'a> {
    stream: &'a [(&'a str, &'a str)],
    metadata: Pairs<'a>,
    buffer: &'a mut LabelBuffer,
}

impl<'a> LineLabels<'a> {
    /// The labels of a line before any stage has seen it.
    pub(super) fn new(
        stream: &'a [(&'a str, &'a str)],
        metadata: Labels<'a>,
        buffer: &'a mut LabelBuffer,
    ) -> LineLabels<'a> {
        buffer.clear();
        let mut labels = LineLabels {
            stream,
            metadata: Pairs::new(metadata),
            buffer,
        };
        let mut metadata = labels.metadata.as_slice().iter();
        if metadata.any(|(name, _)| labels.is_of_stream(name)) {
            labels.move_metadata();
        }
        labels
    }

    /// The labels that are of the stream.
    pub fn stream(&self) -> impl Iterator<Item = (&str, &str)> {
        let shown = move |at: &usize| !self.is_hidden(*at);
        (0..self.stream.len())
            .filter(shown)
            .map(|at| self.stream[at])
            .chain(self.slots(Category::Stream))
    }

    /// Structured metadata, in no order.
    pub fn metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        let borrowed = match self.buffer.is_metadata_moved {
            true => &[],
            false => self.metadata.as_slice(),
        };
        borrowed
            .iter()
            .copied()
            .chain(self.slots(Category::Metadata))
    }

    /// What stages made, an error included, in no order.
    pub fn parsed(&self) -> impl Iterator<Item = (&str, &str)> {
        let error = self.error().map(|error| (ERROR_LABEL, error));
        let details = self
            .error_details()
            .map(|details| (ERROR_DETAILS_LABEL, details));
        let errors = error.into_iter().chain(details);
        errors.chain(self.slots(Category::Parsed))
    }

    /// All labels, sorted by name.
    pub fn all(&self) -> Vec<(&str, &str)> {
        let mut all: Vec<_> = self.iter().collect();
        all.sort_unstable_by_key(|(name, _)| *name);
        all
    }

    /// All labels, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.stream().chain(self.metadata()).chain(self.parsed())
    }

    /// The value of a label, if the line has it.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.find(name).map(|(value, _)| value)
    }

    /// What went wrong with the line, such as `JSONParserErr`.
    pub fn error(&self) -> Option<&str> {
        self.buffer.error
    }

    /// More about it.
    pub fn error_details(&self) -> Option<&str> {
        self.buffer.details.map(|place| self.text(place))
    }

    /// A hash of all labels. Equal sets have equal hashes, in whatever category their labels are;
    /// the reverse must be checked.
    pub fn hash(&self) -> u64 {
        hash_of(self.iter())
    }

    /// A hash of the labels with these names, for `by`.
    pub fn hash_by(&self, names: &[String]) -> u64 {
        let found = names
            .iter()
            .filter_map(|name| Some((name.as_str(), self.value(name)?)));
        hash_of(found)
    }

    /// A hash of the labels without these names, for `without`.
    pub fn hash_without(&self, names: &[String]) -> u64 {
        let is_meant = |(name, _): &(&str, &str)| !names.iter().any(|unwanted| unwanted == name);
        hash_of(self.iter().filter(is_meant))
    }

    /// Takes a label away, whatever its category.
    pub fn remove(&mut self, name: &str) {
        match name {
            ERROR_LABEL => self.buffer.error = None,
            ERROR_DETAILS_LABEL => self.buffer.details = None,
            _ => {}
        }
        self.make_own(name);
        if let Some(at) = self.slot(name) {
            self.buffer.slots[at].is_live = false;
        }
    }

    /// The value and the category of a label, if the line has it.
    pub(super) fn find(&self, name: &str) -> Option<(&str, Category)> {
        if name.starts_with(ERROR_LABEL.trim_end_matches('_')) {
            let found = match name {
                ERROR_LABEL => self.error(),
                ERROR_DETAILS_LABEL => self.error_details(),
                _ => None,
            };
            if let Some(found) = found {
                return Some((found, Category::Parsed));
            }
        }
        if let Some(slot) = self.slot(name).map(|at| &self.buffer.slots[at]) {
            return slot.is_live.then(|| (self.text(slot.value), slot.category));
        }
        if let Some(at) = self.stream_place(name) {
            return (!self.is_hidden(at)).then(|| (self.stream[at].1, Category::Stream));
        }
        if self.buffer.is_metadata_moved {
            return None;
        }
        let mut metadata = self.metadata.as_slice().iter();
        let (_, value) = metadata.find(|(other, _)| *other == name)?;
        Some((value, Category::Metadata))
    }

    /// Sets a label, whatever it was before.
    pub(super) fn set(&mut self, name: &str, value: &str, category: Category) {
        self.make_own(name);
        self.put(name, value, category);
    }

    /// Says what went wrong. A later error replaces an earlier one.
    pub(super) fn fail(&mut self, error: &'static str, details: &str) {
        self.buffer.error = Some(error);
        self.buffer.details = match details {
            "" => None,
            _ => Some(self.buffer.keep(details)),
        };
    }

    /// Sets a label that a parser found, under `name_extracted` if the name is taken.
    pub(super) fn extract(&mut self, name: &str, value: &str, repeated: Repeated) {
        if self.is_taken(name) {
            let mut full = std::mem::take(&mut self.buffer.name);
            full.clear();
            full.push_str(name);
            full.push_str(EXTRACTED);
            if repeated == Repeated::LastWins || !self.is_parsed(&full) {
                self.set(&full, value, Category::Parsed);
            }
            self.buffer.name = full;
            return;
        }
        match self.slot(name) {
            Some(at) => {
                let is_parsed = {
                    let slot = &self.buffer.slots[at];
                    slot.is_live && slot.category == Category::Parsed
                };
                if repeated == Repeated::LastWins || !is_parsed {
                    self.put(name, value, Category::Parsed);
                }
            }
            None => {
                let place = self.buffer.keep(value);
                self.buffer.push(name, place, Category::Parsed);
            }
        }
    }

    /// Whether stream or metadata had this name when the line came in, so that a parsed label of
    /// that name must give way.
    pub(super) fn is_taken(&self, name: &str) -> bool {
        self.is_of_stream(name)
            || self
                .metadata
                .as_slice()
                .iter()
                .any(|(other, _)| *other == name)
    }

    /// Keeps those labels that `is_kept` says; errors stay.
    pub(super) fn retain(&mut self, is_kept: impl Fn(&str, &str) -> bool) {
        if !self.buffer.is_metadata_moved && !self.metadata.as_slice().is_empty() {
            self.move_metadata();
        }
        for (at, (name, value)) in self.stream.iter().enumerate() {
            if !is_kept(name, value) {
                self.buffer.hidden.resize(self.stream.len(), false);
                self.buffer.hidden[at] = true;
            }
        }
        let LabelBuffer { slots, text, .. } = &mut *self.buffer;
        for slot in slots {
            let (name, value) = (slot.name, slot.value);
            slot.is_live &= is_kept(&text[name.start..name.end], &text[value.start..value.end]);
        }
    }

    /// Whether a stage before has made this label.
    pub(super) fn is_parsed(&self, name: &str) -> bool {
        let slot = self.slot(name).map(|at| &self.buffer.slots[at]);
        slot.is_some_and(|slot| slot.is_live && slot.category == Category::Parsed)
    }

    /// Sets a label that is not one of the stream's or of the unmoved metadata.
    fn put(&mut self, name: &str, value: &str, category: Category) {
        let place = self.buffer.keep(value);
        match self.slot(name) {
            Some(at) => {
                let slot = &mut self.buffer.slots[at];
                (slot.value, slot.category, slot.is_live) = (place, category, true);
            }
            None => self.buffer.push(name, place, category),
        }
    }

    fn text(&self, place: Place) -> &str {
        &self.buffer.text[place.start..place.end]
    }

    fn slots(&self, category: Category) -> impl Iterator<Item = (&str, &str)> {
        let slots = self.buffer.slots.iter();
        slots
            .filter(move |slot| slot.is_live && slot.category == category)
            .map(|slot| (self.text(slot.name), self.text(slot.value)))
    }

    /// The slot of a name, live or not.
    fn slot(&self, name: &str) -> Option<usize> {
        let slots = &self.buffer.slots;
        let is_it = |slot: &Slot| {
            slot.name.end - slot.name.start == name.len() && self.text(slot.name) == name
        };
        if slots.len() <= SCANNED_MAX {
            return slots.iter().position(is_it);
        }
        let at = *self.buffer.table.get(&name_hash(name))?;
        match is_it(&slots[at]) {
            true => Some(at),
            false => slots.iter().position(is_it),
        }
    }

    fn is_of_stream(&self, name: &str) -> bool {
        self.stream_place(name).is_some()
    }

    fn stream_place(&self, name: &str) -> Option<usize> {
        self.stream.iter().position(|(other, _)| *other == name)
    }

    fn is_hidden(&self, at: usize) -> bool {
        self.buffer.hidden.get(at).copied().unwrap_or(false)
    }

    /// Hides the stream's label of this name, and makes metadata changeable if it has one.
    fn make_own(&mut self, name: &str) {
        if let Some(at) = self.stream_place(name) {
            self.buffer.hidden.resize(self.stream.len(), false);
            self.buffer.hidden[at] = true;
        }
        let is_borrowed = !self.buffer.is_metadata_moved;
        if is_borrowed
            && self
                .metadata
                .as_slice()
                .iter()
                .any(|(other, _)| *other == name)
        {
            self.move_metadata();
        }
    }

    /// Copies the metadata into slots, so that it can be changed.
    fn move_metadata(&mut self) {
        self.buffer.is_metadata_moved = true;
        for at in 0..self.metadata.as_slice().len() {
            let (name, value) = self.metadata.as_slice()[at];
            let place = self.buffer.keep(value);
            let extracted = match self.is_of_stream(name) {
                true => Some(format!("{name}{EXTRACTED}")),
                false => None,
            };
            let name = extracted.as_deref().unwrap_or(name);
            if self.slot(name).is_none() {
                self.buffer.push(name, place, Category::Metadata);
            }
        }
    }
}

impl LabelBuffer {
    fn clear(&mut self) {
        self.text.clear();
        self.slots.clear();
        self.table.clear();
        self.hidden.clear();
        self.error = None;
        self.details = None;
        self.is_metadata_moved = false;
    }

    fn keep(&mut self, text: &str) -> Place {
        let start = self.text.len();
        self.text.push_str(text);
        let end = self.text.len();
        Place { start, end }
    }

    fn push(&mut self, name: &str, value: Place, category: Category) {
        let name = self.keep(name);
        let is_live = true;
        self.slots.push(Slot {
            name,
            value,
            category,
            is_live,
        });
        let first = match self.slots.len() {
            0..=SCANNED_MAX => return,
            len if len == SCANNED_MAX + 1 => 0,
            len => len - 1,
        };
        for (at, slot) in self.slots.iter().enumerate().skip(first) {
            let hash = name_hash(&self.text[slot.name.start..slot.name.end]);
            self.table.entry(hash).or_insert(at);
        }
    }
}

fn name_hash(name: &str) -> u64 {
    FixedState::default().hash_one(name)
}

/// The sum of the labels' hashes, so that their order does not matter.
fn hash_of<'l>(labels: impl Iterator<Item = (&'l str, &'l str)>) -> u64 {
    labels.fold(0, |sum: u64, (name, value)| {
        let mut hasher = FixedState::default().build_hasher();
        hasher.write(name.as_bytes());
        hasher.write_u8(0xff);
        hasher.write(value.as_bytes());
        sum.wrapping_add(hasher.finish())
    })
}

#[cfg(test)]
mod tests {
    use chronolith_engine::labels::LabelSet;

    use super::super::pairs::FEW;
    use super::*;

    const STREAM: &[(&str, &str)] = &[("app", "a"), ("pod", "p")];

    fn set(pairs: &[(&str, &str)]) -> LabelSet {
        LabelSet::from_pairs(pairs.iter().copied()).unwrap()
    }

    fn shown<'l>(labels: impl Iterator<Item = (&'l str, &'l str)>) -> String {
        let mut all: Vec<_> = labels
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        all.sort();
        all.join(" ")
    }

    #[test]
    fn the_loser_of_a_name_is_called_extracted_and_a_parsed_one_beats_metadata_there() {
        let metadata = set(&[("pod", "m"), ("user", "u")]);
        let mut buffer = LabelBuffer::default();
        let mut labels = LineLabels::new(STREAM, metadata.as_labels(), &mut buffer);
        assert_eq!(shown(labels.metadata()), "pod_extracted=m user=u");
        labels.extract("pod", "line", Repeated::FirstWins);
        labels.extract("user", "line", Repeated::FirstWins);
        labels.extract("new", "1", Repeated::FirstWins);
        labels.extract("new", "2", Repeated::FirstWins);
        assert_eq!(shown(labels.stream()), "app=a pod=p");
        assert_eq!(shown(labels.metadata()), "user=u");
        assert_eq!(
            shown(labels.parsed()),
            "new=1 pod_extracted=line user_extracted=line"
        );
        labels.extract("new", "3", Repeated::LastWins);
        assert_eq!(labels.value("new"), Some("3"));
    }

    #[test]
    fn what_is_set_is_parsed_and_hides_what_had_the_name() {
        let metadata = set(&[("user", "u")]);
        let mut buffer = LabelBuffer::default();
        let mut labels = LineLabels::new(STREAM, metadata.as_labels(), &mut buffer);
        labels.set("app", "x", Category::Parsed);
        labels.set("user", "y", Category::Parsed);
        assert_eq!(shown(labels.stream()), "pod=p");
        assert_eq!(shown(labels.metadata()), "");
        assert_eq!(shown(labels.parsed()), "app=x user=y");
        labels.remove("app");
        labels.remove("pod");
        labels.remove("user");
        assert_eq!(labels.all(), []);
        assert_eq!(labels.value("app"), None);
        // The name is still the stream's.
        labels.extract("app", "z", Repeated::FirstWins);
        assert_eq!(labels.all(), [("app_extracted", "z")]);
    }

    #[test]
    fn a_hash_does_not_know_categories_or_order() {
        let metadata = set(&[("user", "u")]);
        let (mut one, mut two) = (LabelBuffer::default(), LabelBuffer::default());
        let one = LineLabels::new(STREAM, metadata.as_labels(), &mut one);
        let mut two = LineLabels::new(&[("user", "u")], Labels::EMPTY, &mut two);
        two.extract("pod", "p", Repeated::FirstWins);
        two.extract("app", "a", Repeated::FirstWins);
        assert_eq!(one.hash(), two.hash());
        assert_eq!(one.all(), two.all());
        let app = ["app".to_owned()];
        two.extract("more", "m", Repeated::FirstWins);
        assert_ne!(one.hash(), two.hash());
        assert_eq!(one.hash_by(&app), two.hash_by(&app));
        assert_ne!(one.hash_without(&app), one.hash());
        let both = ["more".to_owned(), "app".to_owned()];
        assert_eq!(one.hash_without(&both), two.hash_without(&both));
    }

    #[test]
    fn errors_are_labels_that_only_drop_takes_away() {
        let mut buffer = LabelBuffer::default();
        let mut labels = LineLabels::new(STREAM, Labels::EMPTY, &mut buffer);
        assert_eq!(labels.value(ERROR_LABEL), None);
        labels.fail("JSONParserErr", "because");
        labels.retain(|_, _| false);
        assert_eq!(
            shown(labels.parsed()),
            "__error__=JSONParserErr __error_details__=because"
        );
        labels.remove(ERROR_LABEL);
        assert_eq!(labels.error(), None);
        assert_eq!(labels.value(ERROR_DETAILS_LABEL), Some("because"));
    }

    #[test]
    fn any_number_of_labels_may_be_metadata() {
        for count in [0, 1, FEW, FEW + 1, 50] {
            let pairs = (0..count).map(|number| (format!("m{number}"), "x"));
            let metadata = LabelSet::from_pairs(pairs).unwrap();
            let mut buffer = LabelBuffer::default();
            let mut labels = LineLabels::new(STREAM, metadata.as_labels(), &mut buffer);
            assert_eq!(labels.metadata().count(), count);
            labels.set("m0", "y", Category::Parsed);
            assert_eq!(labels.metadata().count(), count.saturating_sub(1));
        }
    }

    #[test]
    fn thousands_of_labels_are_found_too() {
        let mut buffer = LabelBuffer::default();
        for _ in 0..2 {
            let mut labels = LineLabels::new(STREAM, Labels::EMPTY, &mut buffer);
            for number in 0..3000 {
                labels.extract(&format!("l{number}"), "x", Repeated::FirstWins);
                labels.extract(&format!("l{number}"), "y", Repeated::FirstWins);
            }
            assert_eq!(labels.parsed().count(), 3000);
            assert!(labels.parsed().all(|(_, value)| value == "x"));
            assert_eq!(labels.value("l2999"), Some("x"));
            assert_eq!(labels.value("l3000"), None);
        }
    }
}

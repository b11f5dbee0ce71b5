//! [`LineLabels`]: the labels of one line, in their three categories.
//!
//! A name is there once: the stream's label keeps it before structured metadata, and that before
//! what is parsed; the one that loses is called `name_extracted`. Values that stages make lie in
//! one buffer that is reused from line to line, so a line costs no allocation once the buffer has
//! grown. Knows no stage.

use std::hash::BuildHasher;

use chronolith_engine::labels::Labels;

/// What is appended to a name that is taken.
pub(crate) const EXTRACTED: &str = "_extracted";
/// The label that says what went wrong with a line.
pub const ERROR_LABEL: &str = "__error__";
/// The label that says more about it.
pub const ERROR_DETAILS_LABEL: &str = "__error_details__";

/// Where a label that is not of the stream comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Category {
    Metadata,
    Parsed,
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
}

/// What a line's labels are kept in, from line to line.
#[derive(Default)]
pub(crate) struct LabelBuffer {
    text: String,
    slots: Vec<Slot>,
    /// Which labels of the stream the line does not have any more; as long as the stream's labels,
    /// or empty if it has all.
    hidden: Vec<bool>,
    /// Whether the metadata has been copied into slots, because one of its labels was changed.
    is_metadata_moved: bool,
    error: Option<(&'static str, Place)>,
}

/// The labels of one line, as long as it is the current one.
pub struct LineLabels<'a> {
    pub(crate) stream: &'a [(&'a str, &'a str)],
    metadata: Labels<'a>,
    buffer: &'a mut LabelBuffer,
}

impl<'a> LineLabels<'a> {
    /// The labels of a line before any stage has seen it.
    pub(crate) fn new(
        stream: &'a [(&'a str, &'a str)],
        metadata: Labels<'a>,
        buffer: &'a mut LabelBuffer,
    ) -> LineLabels<'a> {
        buffer.text.clear();
        buffer.slots.clear();
        buffer.hidden.clear();
        buffer.error = None;
        buffer.is_metadata_moved = false;
        let mut labels = LineLabels {
            stream,
            metadata,
            buffer,
        };
        if metadata.iter().any(|(name, _)| labels.is_of_stream(name)) {
            labels.move_metadata();
        }
        labels
    }

    /// The labels that are of the stream, sorted by name.
    pub fn stream(&self) -> impl Iterator<Item = (&str, &str)> {
        let hidden = &self.buffer.hidden;
        let shown = move |at: &usize| !hidden.get(*at).copied().unwrap_or(false);
        (0..self.stream.len())
            .filter(shown)
            .map(|at| self.stream[at])
    }

    /// Structured metadata, in no order.
    pub fn metadata(&self) -> impl Iterator<Item = (&str, &str)> {
        let borrowed = match self.buffer.is_metadata_moved {
            true => Labels::EMPTY,
            false => self.metadata,
        };
        borrowed.iter().chain(self.slots(Category::Metadata))
    }

    /// What stages made, an error included, in no order.
    pub fn parsed(&self) -> impl Iterator<Item = (&str, &str)> {
        let error = self.error().map(|error| (ERROR_LABEL, error));
        let details = self
            .error_details()
            .map(|details| (ERROR_DETAILS_LABEL, details));
        error
            .into_iter()
            .chain(details)
            .chain(self.slots(Category::Parsed))
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
        if name.starts_with("__error") {
            let found = match name {
                ERROR_LABEL => self.error(),
                ERROR_DETAILS_LABEL => self.error_details(),
                _ => None,
            };
            if found.is_some() {
                return found;
            }
        }
        if let Some(at) = self.slot(name) {
            return Some(self.text(self.buffer.slots[at].value));
        }
        if let Some(at) = self.stream_place(name) {
            let is_hidden = self.buffer.hidden.get(at).copied().unwrap_or(false);
            return (!is_hidden).then(|| self.stream[at].1);
        }
        match self.buffer.is_metadata_moved {
            true => None,
            false => self.metadata.value(name),
        }
    }

    /// What went wrong with the line, such as `JSONParserErr`.
    pub fn error(&self) -> Option<&str> {
        self.buffer.error.map(|(error, _)| error)
    }

    /// More about it.
    pub fn error_details(&self) -> Option<&str> {
        let (_, details) = self.buffer.error?;
        let details = self.text(details);
        (!details.is_empty()).then_some(details)
    }

    /// A hash of all labels. Equal sets have equal hashes, in whatever category their labels are;
    /// the reverse must be checked.
    pub fn hash(&self) -> u64 {
        self.hash_where(|_| true)
    }

    /// A hash of the labels with these names, for `by`.
    pub fn hash_by(&self, names: &[String]) -> u64 {
        self.hash_where(|name| names.iter().any(|wanted| wanted == name))
    }

    /// A hash of the labels without these names, for `without`.
    pub fn hash_without(&self, names: &[String]) -> u64 {
        self.hash_where(|name| !names.iter().any(|unwanted| unwanted == name))
    }

    fn hash_where(&self, is_meant: impl Fn(&str) -> bool) -> u64 {
        let state = std::hash::BuildHasherDefault::<std::hash::DefaultHasher>::default();
        self.iter()
            .filter(|(name, _)| is_meant(name))
            .fold(0, |sum: u64, pair| sum.wrapping_add(state.hash_one(pair)))
    }

    /// Takes a label away, whatever its category.
    pub fn remove(&mut self, name: &str) {
        match name {
            ERROR_LABEL => self.buffer.error = None,
            ERROR_DETAILS_LABEL => {
                if let Some((_, details)) = &mut self.buffer.error {
                    *details = Place::default();
                }
            }
            _ => {}
        }
        self.hide(name);
        self.make_metadata_own(name);
        if let Some(at) = self.slot(name) {
            self.buffer.slots.swap_remove(at);
        }
    }

    /// Sets a label; it becomes a parsed one, whatever it was.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.hide(name);
        self.make_metadata_own(name);
        self.put(name, value);
    }

    /// Says what went wrong; the first error of a line stays.
    pub(crate) fn fail(&mut self, error: &'static str, details: &str) {
        if self.buffer.error.is_none() {
            let details = self.keep(details);
            self.buffer.error = Some((error, details));
        }
    }

    /// Whether stream or metadata had this name when the line came in, so that a parsed label of
    /// that name must give way.
    pub(crate) fn is_taken(&self, name: &str) -> bool {
        self.is_of_stream(name) || self.metadata.iter().any(|(other, _)| other == name)
    }

    /// Whether a stage before has made this label.
    pub(crate) fn is_parsed(&self, name: &str) -> bool {
        self.slot(name)
            .is_some_and(|at| self.buffer.slots[at].category == Category::Parsed)
    }

    /// Sets a parsed label whose name is not one of stream or unmoved metadata.
    pub(crate) fn put(&mut self, name: &str, value: &str) {
        let place = self.keep(value);
        match self.slot(name) {
            Some(at) => {
                let slot = &mut self.buffer.slots[at];
                (slot.value, slot.category) = (place, Category::Parsed);
            }
            None => self.push(name, place, Category::Parsed),
        }
    }

    fn push(&mut self, name: &str, value: Place, category: Category) {
        let name = self.keep(name);
        self.buffer.slots.push(Slot {
            name,
            value,
            category,
        });
    }

    fn keep(&mut self, text: &str) -> Place {
        let start = self.buffer.text.len();
        self.buffer.text.push_str(text);
        Place {
            start,
            end: self.buffer.text.len(),
        }
    }

    fn text(&self, place: Place) -> &str {
        &self.buffer.text[place.start..place.end]
    }

    fn slots(&self, category: Category) -> impl Iterator<Item = (&str, &str)> {
        let slots = self.buffer.slots.iter();
        slots
            .filter(move |slot| slot.category == category)
            .map(|slot| (self.text(slot.name), self.text(slot.value)))
    }

    fn slot(&self, name: &str) -> Option<usize> {
        let slots = self.buffer.slots.iter();
        slots
            .enumerate()
            .find(|(_, slot)| {
                slot.name.end - slot.name.start == name.len() && self.text(slot.name) == name
            })
            .map(|(at, _)| at)
    }

    fn is_of_stream(&self, name: &str) -> bool {
        self.stream_place(name).is_some()
    }

    fn stream_place(&self, name: &str) -> Option<usize> {
        self.stream.iter().position(|(other, _)| *other == name)
    }

    fn hide(&mut self, name: &str) {
        if let Some(at) = self.stream_place(name) {
            self.buffer.hidden.resize(self.stream.len(), false);
            self.buffer.hidden[at] = true;
        }
    }

    /// Copies the metadata into slots if it has this label, so that it can be changed.
    fn make_metadata_own(&mut self, name: &str) {
        let is_borrowed = !self.buffer.is_metadata_moved;
        if is_borrowed && self.metadata.iter().any(|(other, _)| other == name) {
            self.move_metadata();
        }
    }

    fn move_metadata(&mut self) {
        self.buffer.is_metadata_moved = true;
        for (name, value) in self.metadata.iter() {
            let place = self.keep(value);
            if self.is_of_stream(name) {
                let extracted = format!("{name}{EXTRACTED}");
                if self.slot(&extracted).is_none() {
                    self.push(&extracted, place, Category::Metadata);
                }
            } else if self.slot(name).is_none() {
                self.push(name, place, Category::Metadata);
            }
        }
    }
}

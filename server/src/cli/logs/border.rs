//! Lines and where a page of them ends.
//!
//! The next page begins at the time of the last line, since more lines may have that time, and
//! leaves out the lines that were seen there: each as often as it was seen, as a query may make
//! different lines equal.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use serde_json::Value;

use crate::reach::{Element, Failure};

/// The labels of a stream.
pub(super) type Labels = Rc<BTreeMap<String, String>>;

/// A line with its time and stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) time: i64,
    pub(super) labels: Labels,
    pub(super) line: String,
}

/// The lines of streams.
pub(super) fn entries(streams: Vec<Element>) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::new();
    for stream in streams {
        let labels = Rc::new(stream.metric);
        for (time, line) in stream.values {
            let nanos = time.as_str().and_then(|text| text.parse().ok());
            let (Some(time), Value::String(line)) = (nanos, line) else {
                return Err(Failure::broken(format!("a line has no time but {time}")));
            };
            let labels = Rc::clone(&labels);
            entries.push(Entry { time, labels, line });
        }
    }
    Ok(entries)
}

/// What has been seen at the time where the last page ended.
#[derive(Debug, Default)]
pub(super) struct Border {
    time: Option<i64>,
    seen: HashMap<(Labels, String), u64>,
    /// How many lines that is.
    count: u64,
}

impl Border {
    /// The time of the last line.
    pub(super) fn time(&self) -> Option<i64> {
        self.time
    }

    /// How many lines have been seen that have it.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// The lines of a page, in its order, that have not been seen; they are seen now.
    pub(super) fn pass(&mut self, page: Vec<Entry>) -> Vec<Entry> {
        let mut left = match self.time {
            Some(_) => self.seen.clone(),
            None => HashMap::new(),
        };
        let before = self.time;
        let mut fresh = Vec::with_capacity(page.len());
        for entry in page {
            if before == Some(entry.time) {
                let key = (Rc::clone(&entry.labels), entry.line.clone());
                if let Some(count) = left.get_mut(&key).filter(|count| **count > 0) {
                    *count -= 1;
                    continue;
                }
            }
            self.note(&entry);
            fresh.push(entry);
        }
        fresh
    }

    fn note(&mut self, entry: &Entry) {
        if self.time != Some(entry.time) {
            self.time = Some(entry.time);
            self.seen.clear();
            self.count = 0;
        }
        let key = (Rc::clone(&entry.labels), entry.line.clone());
        *self.seen.entry(key).or_default() += 1;
        self.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(time: i64, line: &str) -> Entry {
        let (labels, line) = (Rc::default(), line.to_owned());
        Entry { time, labels, line }
    }

    fn lines(entries: &[Entry]) -> Vec<&str> {
        entries.iter().map(|entry| entry.line.as_str()).collect()
    }

    #[test]
    fn lines_at_the_border_are_seen_once_each() {
        let mut border = Border::default();
        let first = border.pass(vec![entry(1, "a"), entry(2, "b"), entry(2, "c")]);
        assert_eq!(lines(&first), ["a", "b", "c"]);
        assert_eq!((border.time(), border.count()), (Some(2), 2));
        let second = border.pass(vec![
            entry(2, "c"),
            entry(2, "b"),
            entry(2, "d"),
            entry(3, "b"),
        ]);
        assert_eq!(lines(&second), ["d", "b"]);
        assert_eq!((border.time(), border.count()), (Some(3), 1));
    }

    #[test]
    fn equal_lines_are_told_apart_by_their_number() {
        let mut border = Border::default();
        border.pass(vec![entry(1, "a"), entry(1, "a")]);
        let second = border.pass(vec![entry(1, "a"), entry(1, "a"), entry(1, "a")]);
        assert_eq!((lines(&second), border.count()), (vec!["a"], 3));
        assert!(
            border
                .pass(vec![entry(1, "a"), entry(1, "a"), entry(1, "a")])
                .is_empty()
        );
    }
}

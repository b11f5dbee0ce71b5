//! Labels as senders give them, to the canonical bytes that a batch carries.
//!
//! Whether texts are UTF-8 and within the limits is checked by the store when a series is first
//! seen, not here for every request.

/// The label that names a metric.
pub(crate) const METRIC_NAME: &[u8] = b"__name__";

/// More labels than this no series has, whatever the limits are set to.
const LABELS_MAX: usize = 1024;

/// The labels of one series while they are read; reused from series to series.
#[derive(Default)]
pub(crate) struct LabelScratch<'a> {
    pairs: Vec<(&'a [u8], &'a [u8])>,
}

/// Why labels make no series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LabelFault {
    /// There is no `__name__`.
    NoMetricName,
    /// A name is empty.
    EmptyName,
    /// A name is there twice.
    Repeated,
    /// There are too many.
    TooMany,
}

impl std::fmt::Display for LabelFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LabelFault::NoMetricName => {
                f.write_str("there is no metric name: add a __name__ label")
            }
            LabelFault::EmptyName => f.write_str("a label name is empty"),
            LabelFault::Repeated => f.write_str("a label name is given twice"),
            LabelFault::TooMany => write!(f, "there are more than {LABELS_MAX} labels"),
        }
    }
}

impl<'a> LabelScratch<'a> {
    pub(crate) fn clear(&mut self) {
        self.pairs.clear();
    }

    /// Adds a label. One with an empty value is the same as none.
    #[inline]
    pub(crate) fn push(&mut self, name: &'a [u8], value: &'a [u8]) {
        // One more than allowed is kept, to tell that there were too many.
        if !value.is_empty() && self.pairs.len() <= LABELS_MAX {
            self.pairs.push((name, value));
        }
    }

    /// Brings the labels in order and checks what can be checked without reading their texts.
    pub(crate) fn settle(&mut self) -> Result<(), LabelFault> {
        if self.pairs.len() > LABELS_MAX {
            return Err(LabelFault::TooMany);
        }
        if !self.pairs.is_sorted_by(|left, right| left.0 < right.0) {
            self.pairs.sort_by_key(|pair| pair.0);
        }
        match self.pairs.first() {
            None => return Err(LabelFault::NoMetricName),
            Some((b"", _)) => return Err(LabelFault::EmptyName),
            Some(_) => {}
        }
        if self.pairs.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(LabelFault::Repeated);
        }
        match self.metric_name() {
            Some(_) => Ok(()),
            None => Err(LabelFault::NoMetricName),
        }
    }

    /// The metric name, once the labels are settled.
    pub(crate) fn metric_name(&self) -> Option<&'a [u8]> {
        let found = self.pairs.iter().find(|(name, _)| *name == METRIC_NAME);
        found.map(|(_, value)| *value)
    }

    /// How many bytes [`LabelScratch::put`] will write at most.
    pub(crate) fn bytes_max(&self) -> usize {
        let texts = self
            .pairs
            .iter()
            .map(|(name, value)| name.len() + value.len());
        texts.sum::<usize>() + self.pairs.len() * 20
    }

    /// Writes the canonical bytes of settled labels.
    #[inline]
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        for (name, value) in &self.pairs {
            put_text(out, name);
            put_text(out, value);
        }
    }

    /// The labels as text for a message.
    pub(crate) fn text(&self) -> String {
        let lossy = |bytes| String::from_utf8_lossy(bytes);
        let pairs = self.pairs.iter().take(20);
        let pairs = pairs.map(|(name, value)| format!("{}={:?}", lossy(name), lossy(value)));
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
    }
}

/// Writes a text behind its length, as `chronolith_engine::labels::put_label` does.
#[inline]
fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    let mut length = text.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(text);
}

#[cfg(test)]
mod tests {
    use chronolith_engine::labels::{LabelSet, Labels};

    use super::*;

    #[test]
    fn labels_come_out_as_the_engine_writes_them() {
        let long = "x".repeat(300);
        let mut scratch = LabelScratch::default();
        scratch.push(b"job", b"node");
        scratch.push(b"empty", b"");
        scratch.push(b"__name__", long.as_bytes());
        scratch.settle().unwrap();
        let mut bytes = Vec::new();
        scratch.put(&mut bytes);
        let set = LabelSet::from_pairs([("__name__", long.as_str()), ("job", "node")]).unwrap();
        assert_eq!(Labels::from_bytes(&bytes).unwrap(), set.as_labels());
        assert!(bytes.len() <= scratch.bytes_max());
    }

    #[test]
    fn what_makes_no_series_is_told() {
        let settled = |pairs: &[(&'static str, &'static str)]| {
            let mut scratch = LabelScratch::default();
            for (name, value) in pairs {
                scratch.push(name.as_bytes(), value.as_bytes());
            }
            scratch.settle()
        };
        assert_eq!(settled(&[]), Err(LabelFault::NoMetricName));
        assert_eq!(settled(&[("job", "node")]), Err(LabelFault::NoMetricName));
        assert_eq!(settled(&[("__name__", "")]), Err(LabelFault::NoMetricName));
        assert_eq!(
            settled(&[("", "x"), ("__name__", "up")]),
            Err(LabelFault::EmptyName)
        );
        let twice = [("__name__", "up"), ("job", "a"), ("job", "b")];
        assert_eq!(settled(&twice), Err(LabelFault::Repeated));
        assert_eq!(
            settled(&[("__name__", "up"); LABELS_MAX + 2]),
            Err(LabelFault::TooMany)
        );
    }
}

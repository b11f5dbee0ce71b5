//! Pushed log lines: what a request holds, borrowed from its body where that can be.
//!
//! Each format has a file of its own; all of them fill the same columns. Knows no rule about what
//! is taken: limits of labels, lines and times are judged where they are stored.

pub(crate) mod json;
pub(crate) mod labels;
pub(crate) mod otlp;
pub(crate) mod protobuf;
pub(crate) mod scan;

use std::borrow::Cow;

use super::protobuf::Malformed;

/// Streams of one request.
const STREAMS_MAX: usize = 100_000;
/// Lines of one request.
const ENTRIES_MAX: usize = 500_000;
/// Labels of structured metadata of one request.
const METADATA_MAX: usize = 1_000_000;
/// Labels of one stream of which each stands alone, and bytes of their text otherwise.
const STREAM_LABELS_MAX: usize = 4096;
/// Bytes of the labels of one stream as text.
pub(crate) const STREAM_LABEL_BYTES_MAX: usize = 1 << 20;

/// A name and a value.
pub(crate) type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// What a request was decoded to.
#[derive(Default)]
pub(crate) struct LogColumns<'a> {
    streams: Vec<LogStream<'a>>,
    entries: Vec<LogEntry<'a>>,
    metadata: Vec<Pair<'a>>,
}

/// The labels of one stream, and where its lines end.
pub(crate) struct LogStream<'a> {
    pub(crate) labels: StreamLabels<'a>,
    entries_end: usize,
}

/// Labels as a sender gave them.
pub(crate) enum StreamLabels<'a> {
    /// As a selector of LogQL writes them: `{app="a", env="b"}`.
    Text(Cow<'a, str>),
    /// One by one.
    Pairs(Vec<Pair<'a>>),
}

/// One line.
pub(crate) struct LogEntry<'a> {
    pub(crate) time: i64,
    pub(crate) line: Cow<'a, str>,
    metadata_end: usize,
}

impl<'a> LogColumns<'a> {
    /// Adds structured metadata to the line that [`LogColumns::entry`] adds next.
    pub(crate) fn metadata(
        &mut self,
        name: Cow<'a, str>,
        value: Cow<'a, str>,
    ) -> Result<(), Malformed> {
        if self.metadata.len() >= METADATA_MAX {
            return Err(too_many("labels of structured metadata", METADATA_MAX));
        }
        self.metadata.push((name, value));
        Ok(())
    }

    /// Adds a line to the stream at hand.
    pub(crate) fn entry(&mut self, time: i64, line: Cow<'a, str>) -> Result<(), Malformed> {
        if self.entries.len() >= ENTRIES_MAX {
            return Err(too_many("lines", ENTRIES_MAX));
        }
        self.entries.push(LogEntry {
            time,
            line,
            metadata_end: self.metadata.len(),
        });
        Ok(())
    }

    /// Ends the stream at hand.
    pub(crate) fn end_stream(&mut self, labels: StreamLabels<'a>) -> Result<(), Malformed> {
        if self.streams.len() >= STREAMS_MAX {
            return Err(too_many("streams", STREAMS_MAX));
        }
        match &labels {
            StreamLabels::Text(text) if text.len() > STREAM_LABEL_BYTES_MAX => {
                return Err(too_many(
                    "bytes of labels of a stream",
                    STREAM_LABEL_BYTES_MAX,
                ));
            }
            StreamLabels::Pairs(pairs) if pairs.len() > STREAM_LABELS_MAX => {
                return Err(too_many("labels of a stream", STREAM_LABELS_MAX));
            }
            _ => {}
        }
        self.streams.push(LogStream {
            labels,
            entries_end: self.entries.len(),
        });
        Ok(())
    }

    /// How many streams there are.
    pub(crate) fn stream_count(&self) -> usize {
        self.streams.len()
    }

    /// The streams, each with the places of its lines.
    pub(crate) fn streams(
        &self,
    ) -> impl Iterator<Item = (&LogStream<'a>, std::ops::Range<usize>)> + use<'_, 'a> {
        let mut before = 0;
        self.streams.iter().map(move |stream| {
            let entries = before..stream.entries_end;
            before = stream.entries_end;
            (stream, entries)
        })
    }

    /// The lines of all streams.
    pub(crate) fn entries(&self) -> &[LogEntry<'a>] {
        &self.entries
    }

    /// The structured metadata of the line at this place.
    pub(crate) fn metadata_of(&self, place: usize) -> &[Pair<'a>] {
        let start = match place.checked_sub(1) {
            Some(before) => self.entries[before].metadata_end,
            None => 0,
        };
        &self.metadata[start..self.entries[place].metadata_end]
    }
}

fn too_many(what: &str, max: usize) -> Malformed {
    Malformed::new(format!(
        "a request may hold {max} {what}: send less at once"
    ))
}

/// The text of these bytes; what is no UTF-8 becomes replacement characters.
pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => Cow::Owned(String::from_utf8_lossy(bytes).into_owned()),
    }
}

#[cfg(test)]
mod tests;

//! What one line goes through: filters, parsers, formats, and the labels that come of it.
//!
//! A [`Pipeline`] is compiled once for a query, bound to a stream once for each stream, and then
//! run over lines. Knows no store, no time range and no other line than the current one.

mod labels;
mod unwrap;

use std::collections::BTreeSet;

use chronolith_engine::labels::Labels;

pub use labels::{ERROR_DETAILS_LABEL, ERROR_LABEL, LineLabels};
pub use unwrap::{Unwrapped, Unwrapper};

use super::Result;
use super::syntax::ast::Stage;
use labels::LabelBuffer;

/// Which labels anybody looks at behind a pipeline. Parsers look for no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelsWanted {
    /// All of them.
    All,
    /// These. With none at all lines are not even parsed, and errors of parsers are not noticed
    /// unless a later stage asks for them.
    Names(BTreeSet<String>),
}

/// The stages of a query, compiled.
pub struct Pipeline {
    needles: Vec<Vec<u8>>,
}

/// A pipeline bound to a stream.
pub struct StreamPipeline<'p> {
    stream: Vec<(&'p str, &'p str)>,
    buffer: LabelBuffer,
}

/// A line that came through.
pub struct Outcome<'a> {
    /// Its text behind the pipeline.
    pub line: &'a [u8],
    /// Its labels behind the pipeline.
    pub labels: LineLabels<'a>,
}

impl Pipeline {
    /// Compiles stages; the error's text is as Loki's, `parse error : ` included.
    pub fn new(stages: &[Stage], wanted: &LabelsWanted) -> Result<Pipeline> {
        let _ = (stages, wanted);
        Ok(Pipeline {
            needles: Vec::new(),
        })
    }

    /// Binds it to a stream with these labels.
    pub fn stream<'p>(&'p self, labels: Labels<'p>) -> StreamPipeline<'p> {
        StreamPipeline {
            stream: labels.iter().collect(),
            buffer: LabelBuffer::default(),
        }
    }

    /// Texts all of which every line that passes must contain before any stage has changed it.
    pub fn needles(&self) -> &[Vec<u8>] {
        &self.needles
    }

    /// Whether any stage looks at the text of lines. Without, `process` may be given empty lines.
    pub fn wants_text(&self) -> bool {
        true
    }

    /// Whether structured metadata is looked at, by a stage or behind the pipeline. Without,
    /// `process` may be given none.
    pub fn wants_metadata(&self) -> bool {
        true
    }
}

impl StreamPipeline<'_> {
    /// Sends a line through; `None` if a stage dropped it. `time` is in nanoseconds.
    pub fn process<'a>(
        &'a mut self,
        time: i64,
        line: &'a [u8],
        metadata: Labels<'a>,
    ) -> Option<Outcome<'a>> {
        let _ = time;
        let labels = LineLabels::new(&self.stream, metadata, &mut self.buffer);
        Some(Outcome { line, labels })
    }
}

//! What one line goes through: filters, parsers, formats, and the labels that come of it.
//!
//! A [`Pipeline`] is compiled once for a query, bound to a stream once for each stream, and then
//! run over lines. Knows no store, no time range and no other line than the current one.

mod color;
pub mod detect;
mod filter;
mod format;
mod ip;
mod json;
mod labels;
mod lines;
mod logfmt;
mod name;
mod needs;
mod pairs;
mod regexp;
mod stage;
mod template;
mod unpack;
mod unwrap;
mod wild;

use std::collections::BTreeSet;
use std::sync::Arc;

use chronolith_engine::labels::Labels;
use chronolith_engine::logs::{Abridge, LineRun};
use memchr::memmem::Finder;

pub use labels::{ERROR_DETAILS_LABEL, ERROR_LABEL, LineLabels};
pub use unwrap::{Unwrapped, Unwrapper};

use super::Result;
use super::syntax::ast::Stage;
use json::Abridger;
use labels::LabelBuffer;
use needs::Needs;
use stage::{Scratch, Step};

/// Which labels anybody looks at behind a pipeline. Parsers look for no others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LabelsWanted {
    /// All of them.
    All,
    /// These. Where all of them are of the stream, or there are none, lines are not even parsed,
    /// and errors of parsers are not noticed unless a later stage asks for them.
    Names(BTreeSet<String>),
}

/// The stages of a query, compiled.
pub struct Pipeline {
    steps: Vec<Step>,
    needles: Vec<Vec<u8>>,
    /// For the longest needle.
    finder: Option<Finder<'static>>,
    /// What is looked at in front of the first stage.
    needs: Needs,
}

/// A pipeline bound to a stream.
pub struct StreamPipeline<'p> {
    pipeline: &'p Pipeline,
    /// Which steps have nothing to do for this stream.
    is_idle: Vec<bool>,
    stream: Vec<(&'p str, &'p str)>,
    buffer: LabelBuffer,
    /// The text of a line that a stage has changed.
    text: Vec<u8>,
    scratch: Scratch,
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
        let mut needs = Needs::new(wanted);
        let mut steps = Vec::with_capacity(stages.len());
        for stage in stages.iter().rev() {
            steps.extend(Step::new(stage, &mut needs)?);
        }
        steps.reverse();
        let mut needles: Vec<Vec<u8>> = Vec::new();
        for step in steps.iter().take_while(|step| !step.changes_text()) {
            for needle in step.needles() {
                if !needle.is_empty() && !needles.iter().any(|other| other == needle) {
                    needles.push(needle.to_vec());
                }
            }
        }
        let longest = needles.iter().max_by_key(|needle| needle.len());
        let finder = longest.map(|needle| Finder::new(needle).into_owned());
        Ok(Pipeline {
            steps,
            needles,
            finder,
            needs,
        })
    }

    /// Binds it to a stream with these labels.
    pub fn stream<'p>(&'p self, labels: Labels<'p>) -> StreamPipeline<'p> {
        let is_of_stream = |name: &str| labels.value(name).is_some();
        let is_idle = |step: &Step| step.is_idle(is_of_stream);
        StreamPipeline {
            pipeline: self,
            is_idle: self.steps.iter().map(is_idle).collect(),
            stream: labels.iter().collect(),
            buffer: LabelBuffer::default(),
            text: Vec::new(),
            scratch: Scratch::default(),
        }
    }

    /// Texts all of which every line that passes must contain before any stage has changed it.
    pub fn needles(&self) -> &[Vec<u8>] {
        &self.needles
    }

    /// The lines of a run that may pass, by their places: all others lack a needle, for which the
    /// whole run is searched at once.
    pub fn candidates<'r>(&'r self, run: &'r LineRun) -> Candidates<'r> {
        Candidates {
            finder: self.finder.as_ref(),
            lines: run.len(),
            text: run.text(),
            ends: run.text_ends(),
            next: 0,
        }
    }

    /// Whether any stage looks at the text of lines. Without, `process` may be given empty lines.
    pub fn wants_text(&self) -> bool {
        self.steps.iter().any(Step::wants_text)
    }

    /// How little of lines is enough, where that can be told from what lines have in common.
    /// `process` may be given abridged lines then. None if whole lines are looked at.
    pub fn abridge(&self) -> Option<Arc<dyn Abridge>> {
        let looking = self.steps.iter().filter(|step| step.wants_text());
        let needs: Option<Vec<Needs>> = looking
            .map(|step| step.json_needs().filter(|needs| !needs.are_all()).cloned())
            .collect();
        let needs = needs.filter(|needs| !needs.is_empty())?;
        Some(Arc::new(Abridger::new(needs)))
    }

    /// Whether structured metadata is looked at, by a stage or behind the pipeline. Without,
    /// `process` may be given none.
    pub fn wants_metadata(&self) -> bool {
        self.needs.is_parser_needed(|_| false)
    }

    /// The same for lines of a stream with these labels, which metadata does not change.
    pub fn wants_metadata_of(&self, labels: Labels<'_>) -> bool {
        self.needs
            .is_parser_needed(|name| labels.value(name).is_some())
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
        let mut labels = LineLabels::new(&self.stream, metadata, &mut self.buffer);
        let mut is_changed = false;
        for (step, is_idle) in self.pipeline.steps.iter().zip(&self.is_idle) {
            if *is_idle {
                continue;
            }
            let current = if is_changed { &self.text } else { line };
            match step.run(time, current, &mut labels, &mut self.scratch) {
                stage::Verdict::Pass => {}
                stage::Verdict::Drop => return None,
                stage::Verdict::Changed => {
                    std::mem::swap(&mut self.text, &mut self.scratch.text);
                    is_changed = true;
                }
            }
        }
        let line = if is_changed { &self.text } else { line };
        Some(Outcome { line, labels })
    }
}

/// Places of lines in a run, in order.
pub struct Candidates<'r> {
    finder: Option<&'r Finder<'static>>,
    lines: usize,
    /// The lines one behind the other, and where each ends.
    text: &'r [u8],
    ends: &'r [u32],
    next: usize,
}

impl Iterator for Candidates<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let Some(finder) = self.finder else {
            let index = self.next;
            self.next += 1;
            return (index < self.lines).then_some(index);
        };
        while self.next < self.ends.len() {
            let start = self.next.checked_sub(1).map_or(0, |last| self.ends[last]) as usize;
            let place = start + finder.find(&self.text[start..])?;
            let later = &self.ends[self.next..];
            let index = self.next + later.partition_point(|end| *end as usize <= place);
            self.next = index + 1;
            let end = self.ends.get(index).map_or(0, |end| *end as usize);
            if place + finder.needle().len() <= end {
                return Some(index);
            }
            // It lies across the end of this line, which does not have it then: a line is
            // searched from its beginning.
        }
        None
    }
}

#[cfg(test)]
mod tests;

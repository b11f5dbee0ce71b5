//! [`Step`]: one stage, compiled, and what it does to a line.

use std::ops::ControlFlow;

use chronolith_engine::labels::Captures;

use super::color::decolorize;
use super::filter::LabelTest;
use super::format::{LabelFormats, LineFormat};
use super::json::{Flattened, JSON_ERROR, JsonPaths, Path, Sink, flatten};
use super::labels::{LineLabels, Repeated};
use super::lines::LineTest;
use super::logfmt::Logfmt;
use super::name::value_text;
use super::needs::Needs;
use super::regexp::Regexp;
use super::template;
use super::unpack::unpack;
use super::wild::Holes;
use crate::logql::syntax::ast::{Extraction, Named, Stage};
use crate::logql::syntax::print_stage;
use crate::logql::{Error, ErrorKind, Result};

/// What becomes of a line at a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on.
    Pass,
    /// It is dropped.
    Drop,
    /// It goes on as [`Scratch::text`].
    Changed,
}

/// What stages need from line to line.
#[derive(Default)]
pub(super) struct Scratch {
    /// The text that a stage has made.
    pub(super) text: Vec<u8>,
    name: Vec<u8>,
    flattened: Flattened,
    captures: Captures,
    pub(super) template: template::State,
}

/// One stage.
pub(super) struct Step {
    kind: Kind,
    /// What is looked at behind it.
    needs: Needs,
}

enum Kind {
    Line(LineTest),
    Json,
    JsonPaths(JsonPaths),
    Logfmt(Logfmt),
    Regexp(Regexp),
    Pattern(Holes),
    Unpack,
    Label(LabelTest),
    LineFormat(LineFormat),
    LabelFormat(LabelFormats),
    Decolorize,
    Drop(Vec<Named>),
    Keep(Vec<Named>),
}

impl Step {
    /// Compiles a stage, and adds to `needs` what it looks at. None if it lets every line through
    /// as it is.
    pub(super) fn new(stage: &Stage, needs: &mut Needs) -> Result<Option<Step>> {
        let behind = needs.clone();
        let of_stage = |text: String| refuse(&format!("stage '{}' : {text}", print_stage(stage)));
        let of_parser = |parser: &str, text: String| refuse(&format!("invalid {parser}: {text}"));
        let kind = match stage {
            Stage::Line(filter) => match LineTest::new(filter).map_err(of_stage)? {
                Some(test) => Kind::Line(test),
                None => return Ok(None),
            },
            Stage::Json(extractions) if extractions.is_empty() => Kind::Json,
            Stage::Json(extractions) => {
                let paths = json_paths(extractions, &behind).map_err(of_stage)?;
                Kind::JsonPaths(paths)
            }
            Stage::Logfmt(logfmt) => {
                let extractions = wanted_of(&logfmt.extractions, &behind);
                let extractions = extractions
                    .map(|extraction| (extraction.name.clone(), extraction.expression.clone()));
                Kind::Logfmt(Logfmt {
                    is_strict: logfmt.is_strict,
                    keeps_empty: logfmt.keeps_empty,
                    is_listed: !logfmt.extractions.is_empty(),
                    extractions: extractions.collect(),
                })
            }
            Stage::Regexp(pattern) => {
                let regexp = Regexp::new(pattern, |name| behind.wants(name.as_bytes()));
                Kind::Regexp(regexp.map_err(|text| of_parser("regexp parser", text))?)
            }
            Stage::Pattern(pattern) => {
                let holes = Holes::parse(pattern);
                Kind::Pattern(holes.map_err(|text| of_parser("pattern parser", text))?)
            }
            Stage::Unpack => Kind::Unpack,
            Stage::Label(filter) => {
                let test = LabelTest::new(filter);
                test.check().map_err(of_stage)?;
                needs.add_filter(&test);
                Kind::Label(test)
            }
            Stage::LineFormat(template) => {
                let format = LineFormat::new(template).map_err(of_stage)?;
                format.add_needs(needs);
                Kind::LineFormat(format)
            }
            Stage::LabelFormat(formats) => {
                let formats = LabelFormats::new(formats).map_err(of_stage)?;
                formats.add_needs(needs);
                Kind::LabelFormat(formats)
            }
            Stage::Decolorize => Kind::Decolorize,
            Stage::Drop(named) => {
                needs.add_conditions(named);
                Kind::Drop(named.clone())
            }
            Stage::Keep(named) => {
                needs.restrict(named);
                Kind::Keep(named.clone())
            }
        };
        Ok(Some(Step {
            kind,
            needs: behind,
        }))
    }

    /// Whether lines may leave the stage with another text.
    pub(super) fn changes_text(&self) -> bool {
        matches!(
            self.kind,
            Kind::Unpack | Kind::Decolorize | Kind::LineFormat(_)
        )
    }

    /// Whether the stage looks at the text of lines.
    pub(super) fn wants_text(&self) -> bool {
        match &self.kind {
            Kind::Label(_) | Kind::Drop(_) | Kind::Keep(_) => false,
            Kind::LabelFormat(formats) => formats.wants_text(),
            Kind::LineFormat(format) => format.wants_text(),
            Kind::Line(_) | Kind::Unpack | Kind::Decolorize => true,
            Kind::Json
            | Kind::JsonPaths(_)
            | Kind::Logfmt(_)
            | Kind::Regexp(_)
            | Kind::Pattern(_) => self.needs.is_parser_needed(|_| false),
        }
    }

    /// What is wanted of lines of JSON, if the stage looks at nothing else of their text.
    pub(super) fn json_needs(&self) -> Option<&Needs> {
        matches!(self.kind, Kind::Json).then_some(&self.needs)
    }

    /// Texts all of which every line that passes contains.
    pub(super) fn needles(&self) -> Vec<&[u8]> {
        match &self.kind {
            Kind::Line(test) => test.needles(),
            _ => Vec::new(),
        }
    }

    /// Whether it has nothing to do for lines of a stream whose labels are told by `is_of_stream`.
    pub(super) fn is_idle(&self, is_of_stream: impl Fn(&str) -> bool) -> bool {
        let is_parser = matches!(
            self.kind,
            Kind::Json | Kind::JsonPaths(_) | Kind::Logfmt(_) | Kind::Regexp(_) | Kind::Pattern(_)
        );
        is_parser && !self.needs.is_parser_needed(is_of_stream)
    }

    /// Sends a line through the stage.
    pub(super) fn run(
        &self,
        time: i64,
        line: &[u8],
        labels: &mut LineLabels<'_>,
        scratch: &mut Scratch,
    ) -> Verdict {
        let wants = |name: &[u8]| self.needs.wants(name);
        let wants_text = |name: &str| wants(name.as_bytes());
        let is_kept = match &self.kind {
            Kind::Line(test) => test.accepts(line),
            Kind::Label(test) => test.accepts(labels),
            Kind::Json => {
                json(line, labels, &self.needs, &mut scratch.flattened);
                true
            }
            Kind::JsonPaths(paths) => {
                paths.parse(line, labels);
                true
            }
            Kind::Logfmt(logfmt) => {
                logfmt.parse(line, &mut scratch.name, labels, &self.needs);
                true
            }
            Kind::Regexp(regexp) => {
                regexp.parse(line, &mut scratch.captures, labels);
                true
            }
            Kind::Pattern(holes) => {
                holes.take(line, |name, value| {
                    if wants_text(name) {
                        labels.extract(name, &value_text(value), Repeated::LastWins);
                    }
                });
                true
            }
            Kind::Unpack => {
                let unpacked = unpack(line, &mut scratch.text, labels, wants_text);
                return changed(unpacked.unwrap_or_else(|fault| {
                    // As of the other parsers: where no label is looked at, no fault is.
                    if self.needs.is_parser_needed(|_| false) {
                        labels.fail(JSON_ERROR, fault);
                    }
                    false
                }));
            }
            Kind::Decolorize => return changed(decolorize(line, &mut scratch.text)),
            Kind::LineFormat(format) => {
                return changed(format.run(time, line, labels, scratch));
            }
            Kind::LabelFormat(formats) => {
                formats.run(time, line, labels, scratch);
                true
            }
            Kind::Drop(named) => {
                drop_labels(named, labels);
                true
            }
            Kind::Keep(named) => {
                labels.retain(|name, value| named.iter().any(|named| is_named(named, name, value)));
                true
            }
        };
        if is_kept {
            Verdict::Pass
        } else {
            Verdict::Drop
        }
    }
}

fn changed(is_changed: bool) -> Verdict {
    match is_changed {
        true => Verdict::Changed,
        false => Verdict::Pass,
    }
}

fn refuse(text: &str) -> Error {
    Error::new(ErrorKind::BadData, format!("parse error : {text}"))
}

/// Those labels of a list that somebody looks at.
fn wanted_of<'e>(
    extractions: &'e [Extraction],
    needs: &Needs,
) -> impl Iterator<Item = &'e Extraction> {
    extractions
        .iter()
        .filter(|extraction| needs.wants(extraction.name.as_bytes()))
}

fn json_paths(extractions: &[Extraction], needs: &Needs) -> std::result::Result<JsonPaths, String> {
    for extraction in extractions {
        Path::parse(&extraction.expression)?;
    }
    let wanted = wanted_of(extractions, needs).map(|extraction| {
        let path = Path::parse(&extraction.expression)?;
        Ok((extraction.name.clone(), path))
    });
    Ok(JsonPaths::new(
        wanted.collect::<std::result::Result<_, String>>()?,
    ))
}

/// Where flattened values go.
struct Labelled<'s, 'a> {
    labels: &'s mut LineLabels<'a>,
    needs: &'s Needs,
}

impl Sink for Labelled<'_, '_> {
    fn wants(&self, name: &[u8]) -> bool {
        self.needs.wants(name)
    }

    fn may_begin(&self, byte: u8) -> bool {
        self.needs.may_begin(byte)
    }

    fn value(&mut self, name: &str, value: &str) -> ControlFlow<()> {
        self.labels.extract(name, value, Repeated::FirstWins);
        match self.needs.are_met_by(self.labels) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

fn json(line: &[u8], labels: &mut LineLabels<'_>, needs: &Needs, state: &mut Flattened) {
    if line.is_empty() {
        return;
    }
    let mut sink = Labelled { labels, needs };
    if let Err(fault) = flatten(line, state, &mut sink) {
        labels.fail(JSON_ERROR, fault.text());
    }
}

fn drop_labels(named: &[Named], labels: &mut LineLabels<'_>) {
    for named in named {
        match named {
            Named::Name(name) => labels.remove(name),
            Named::Matching(matcher) => {
                let value = labels.value(matcher.name());
                if value.is_some_and(|value| matcher.matches(value)) {
                    labels.remove(matcher.name());
                }
            }
        }
    }
}

fn is_named(named: &Named, name: &str, value: &str) -> bool {
    match named {
        Named::Name(wanted) => wanted == name,
        Named::Matching(matcher) => matcher.name() == name && matcher.matches(value),
    }
}

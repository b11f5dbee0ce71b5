//! Stages of pipelines, from text to tree.

use chronolith_engine::labels::MatchOp;

use crate::logql::syntax::ast::{
    CompareOp, Conversion, Extraction, FormatSource, IpFilter, LabelFilter, LabelFormat,
    LineFilter, LineOp, LineText, Logfmt, Named, Stage, Unwrap,
};
use crate::logql::syntax::cursor::Parser;
use crate::logql::syntax::error::{Result, SyntaxError};
use crate::logql::syntax::printer::print_stage;
use crate::logql::syntax::selector::matcher;
use crate::logql::syntax::token::Kind;
use crate::logql::syntax::units;

/// A pipeline as it was read, with the unwrap at its end.
#[derive(Default)]
pub(super) struct Pipeline {
    pub(super) stages: Vec<Stage>,
    pub(super) unwrap: Option<Unwrap>,
}

/// Whether a pipeline may end with `unwrap`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unwraps {
    Allowed,
    Refused,
}

/// A line that holds none of some texts is what filters for each of them leave.
fn separate(filter: LineFilter) -> impl Iterator<Item = LineFilter> {
    let LineFilter { op, mut texts } = filter;
    let is_any = matches!(op, LineOp::Contains | LineOp::Regex | LineOp::Pattern);
    let all = is_any.then(|| std::mem::take(&mut texts));
    let each = texts.into_iter().map(|text| vec![text]);
    all.into_iter()
        .chain(each)
        .map(move |texts| LineFilter { op, texts })
}

impl Parser<'_> {
    /// Stages as long as there are some.
    pub(super) fn pipeline(&mut self, unwraps: Unwraps) -> Result<Pipeline> {
        let mut pipeline = Pipeline::default();
        loop {
            if let Some(op) = self.line_op() {
                if pipeline.unwrap.is_some() {
                    return Err(self.unexpected(&[]));
                }
                self.advance();
                let filter = self.line_filter(op)?;
                pipeline.stages.extend(separate(filter).map(Stage::Line));
            } else if self.take("|") {
                if let Some(unwrap) = &mut pipeline.unwrap {
                    let filter = self.label_filter()?;
                    unwrap.filters.push(filter);
                } else if unwraps == Unwraps::Allowed && self.take("unwrap") {
                    pipeline.unwrap = Some(self.unwrapping()?);
                } else {
                    let stage = self.stage()?;
                    pipeline.stages.push(stage);
                }
            } else {
                return Ok(pipeline);
            }
        }
    }

    fn line_op(&self) -> Option<LineOp> {
        Some(match self.kind() {
            Kind::Fixed("|=") => LineOp::Contains,
            Kind::Fixed("!=") => LineOp::NotContains,
            Kind::Fixed("|~") => LineOp::Regex,
            Kind::Fixed("!~") => LineOp::NotRegex,
            Kind::Fixed("|>") => LineOp::Pattern,
            Kind::Fixed("!>") => LineOp::NotPattern,
            _ => return None,
        })
    }

    fn line_filter(&mut self, op: LineOp) -> Result<LineFilter> {
        let mut texts = vec![self.line_text()?];
        while self.take("or") {
            texts.push(self.line_text()?);
        }
        let filter = LineFilter { op, texts };
        let is_ip = |text: &LineText| matches!(text, LineText::Ip(_));
        if !matches!(op, LineOp::Contains | LineOp::NotContains) && filter.texts.iter().any(is_ip) {
            let stage = print_stage(&Stage::Line(filter));
            let message = format!("stage '{stage}' : ip: invalid operation");
            return Err(SyntaxError::new(message));
        }
        Ok(filter)
    }

    fn line_text(&mut self) -> Result<LineText> {
        if self.take("ip") {
            self.expect("(")?;
            let pattern = self.text()?;
            self.expect(")")?;
            return Ok(LineText::Ip(pattern));
        }
        match self.kind() {
            Kind::Text => Ok(LineText::Text(self.unquote())),
            _ => Err(self.unexpected(&["STRING", "ip"])),
        }
    }

    /// What stands behind `|`.
    fn stage(&mut self) -> Result<Stage> {
        let Kind::Fixed(word) = self.kind() else {
            return Ok(Stage::Label(self.label_filter()?));
        };
        match word {
            "json" | "logfmt" | "regexp" | "pattern" | "unpack" | "line_format"
            | "label_format" | "decolorize" | "drop" | "keep" => self.advance(),
            _ => return Ok(Stage::Label(self.label_filter()?)),
        };
        Ok(match word {
            "json" => Stage::Json(self.extractions()?),
            "logfmt" => Stage::Logfmt(self.logfmt()?),
            "regexp" => Stage::Regexp(self.text()?),
            "pattern" => Stage::Pattern(self.text()?),
            "unpack" => Stage::Unpack,
            "line_format" => Stage::LineFormat(self.text()?),
            "label_format" => Stage::LabelFormat(self.label_formats()?),
            "decolorize" => Stage::Decolorize,
            "drop" => Stage::Drop(self.named()?),
            _ => Stage::Keep(self.named()?),
        })
    }

    fn logfmt(&mut self) -> Result<Logfmt> {
        let mut logfmt = Logfmt::default();
        while self.kind() == Kind::Flag {
            match self.advance().text {
                "--strict" => logfmt.is_strict = true,
                _ => logfmt.keeps_empty = true,
            }
        }
        logfmt.extractions = self.extractions()?;
        let is_empty = |extraction: &&Extraction| extraction.expression.is_empty();
        match logfmt.extractions.iter().find(is_empty) {
            None => Ok(logfmt),
            Some(extraction) => Err(SyntaxError::new(format!(
                "stage '| logfmt {}=\"\"' : cannot parse expression []: the key is empty",
                extraction.name
            ))),
        }
    }

    fn extractions(&mut self) -> Result<Vec<Extraction>> {
        let mut extractions = Vec::new();
        if self.kind() != Kind::Identifier {
            return Ok(extractions);
        }
        loop {
            let name = self.identifier()?;
            let expression = match self.take("=") {
                true => self.text()?,
                false => name.clone(),
            };
            extractions.push(Extraction { name, expression });
            if !self.take(",") {
                return Ok(extractions);
            }
        }
    }

    fn label_formats(&mut self) -> Result<Vec<LabelFormat>> {
        let mut formats = Vec::new();
        loop {
            let name = self.identifier()?;
            self.expect("=")?;
            let source = match self.kind() {
                Kind::Identifier => FormatSource::Label(self.identifier()?),
                Kind::Text => FormatSource::Template(self.unquote()),
                _ => return Err(self.unexpected(&["IDENTIFIER", "STRING"])),
            };
            formats.push(LabelFormat { name, source });
            if !self.take(",") {
                return Ok(formats);
            }
        }
    }

    fn named(&mut self) -> Result<Vec<Named>> {
        let mut named = Vec::new();
        loop {
            let name = self.identifier()?;
            named.push(match self.match_op() {
                Some(op) => {
                    self.advance();
                    let value = self.text()?;
                    Named::Matching(matcher(op, &name, &value)?)
                }
                None => Named::Name(name),
            });
            if !self.take(",") {
                return Ok(named);
            }
        }
    }

    fn unwrapping(&mut self) -> Result<Unwrap> {
        let conversion = match self.kind() {
            Kind::Fixed("bytes") => Some(Conversion::Bytes),
            Kind::Fixed("duration") => Some(Conversion::Duration),
            Kind::Fixed("duration_seconds") => Some(Conversion::DurationSeconds),
            _ => None,
        };
        let label = if conversion.is_some() {
            self.advance();
            self.expect("(")?;
            let label = self.identifier()?;
            self.expect(")")?;
            label
        } else {
            self.identifier_or(&["IDENTIFIER", "bytes", "duration", "duration_seconds"])?
        };
        Ok(Unwrap {
            label,
            conversion: conversion.unwrap_or(Conversion::Number),
            filters: Vec::new(),
        })
    }

    fn label_filter(&mut self) -> Result<LabelFilter> {
        self.nested(Self::either)
    }

    fn either(&mut self) -> Result<LabelFilter> {
        let mut left = self.both()?;
        while self.is("or") {
            self.count_operator()?;
            self.advance();
            let right = self.both()?;
            left = LabelFilter::Or(left.into(), right.into());
        }
        Ok(left)
    }

    fn both(&mut self) -> Result<LabelFilter> {
        let mut left = self.condition()?;
        while self.is("and") || self.is(",") || self.is("(") || self.kind() == Kind::Identifier {
            self.count_operator()?;
            if !self.take("and") {
                self.take(",");
            }
            let right = self.condition()?;
            left = LabelFilter::And(left.into(), right.into());
        }
        Ok(left)
    }

    fn condition(&mut self) -> Result<LabelFilter> {
        if self.take("(") {
            let filter = self.label_filter()?;
            self.expect_closing()?;
            return Ok(filter);
        }
        let name = self.identifier_or(&[])?;
        let match_op = self.match_op();
        if let Some(op) = match_op {
            let is_text = self.kind_behind() == Kind::Text;
            if is_text || op.is_regex() {
                self.advance();
                let value = self.text()?;
                return Ok(LabelFilter::Text(matcher(op, &name, &value)?));
            }
            if self.kind_behind() == Kind::Fixed("ip") {
                self.advance();
                self.advance();
                self.expect("(")?;
                let pattern = self.text()?;
                self.expect(")")?;
                return Ok(LabelFilter::Ip(IpFilter {
                    name,
                    is_negative: op == MatchOp::NotEqual,
                    pattern,
                }));
            }
        }
        let Some(op) = self.compare_op() else {
            return Err(self.unexpected(&[]));
        };
        self.advance();
        self.quantity(name, op)
    }

    /// A parenthesis that closes a condition; much else might follow one.
    fn expect_closing(&mut self) -> Result<()> {
        match self.take(")") {
            true => Ok(()),
            false => Err(self.unexpected(&[])),
        }
    }

    fn compare_op(&self) -> Option<CompareOp> {
        Some(match self.kind() {
            Kind::Fixed("=" | "==") => CompareOp::Equal,
            Kind::Fixed("!=") => CompareOp::NotEqual,
            Kind::Fixed(">") => CompareOp::Greater,
            Kind::Fixed(">=") => CompareOp::GreaterOrEqual,
            Kind::Fixed("<") => CompareOp::Less,
            Kind::Fixed("<=") => CompareOp::LessOrEqual,
            _ => return None,
        })
    }

    /// What a label is compared with: a number, a duration or an amount of bytes.
    fn quantity(&mut self, name: String, op: CompareOp) -> Result<LabelFilter> {
        let token = self.token();
        let quantity = match token.kind {
            Kind::Number | Kind::Fixed("+" | "-") => {
                return Ok(LabelFilter::Number(name, op, self.literal()?));
            }
            Kind::Duration => {
                let duration = units::duration_ns(token.text);
                duration.map(|duration| LabelFilter::Duration(name, op, duration))
            }
            Kind::Bytes => {
                units::bytes(token.text).map(|bytes| LabelFilter::Bytes(name, op, bytes))
            }
            _ => None,
        };
        match quantity {
            Some(filter) => {
                self.advance();
                Ok(filter)
            }
            None => Err(self.unexpected(&[])),
        }
    }
}

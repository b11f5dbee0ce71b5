//! `| line_format` and `| label_format`.

use super::labels::{Category, ERROR_LABEL, LineLabels};
use super::needs::Needs;
use super::stage::Scratch;
use super::template::{Context, Template};
use crate::logql::syntax::ast::{FormatSource, LabelFormat};

/// What a line is whose template failed.
const FORMAT_ERROR: &str = "TemplateFormatErr";

/// `| line_format`, compiled.
pub(super) struct LineFormat {
    template: Template,
}

/// `| label_format`, compiled.
pub(super) struct LabelFormats {
    formats: Vec<(String, Source)>,
}

enum Source {
    Label(String),
    Template(Template),
}

impl LineFormat {
    pub(super) fn new(text: &str) -> Result<LineFormat, String> {
        let template = Template::parse("line", text)
            .map_err(|error| format!("invalid line template: {error}"))?;
        Ok(LineFormat { template })
    }

    pub(super) fn add_needs(&self, needs: &mut Needs) {
        add_labels(&self.template, needs);
    }

    pub(super) fn wants_text(&self) -> bool {
        self.template.wants_line()
    }

    /// Writes the new line; if the template fails the line stays, with an error.
    pub(super) fn run(
        &self,
        time: i64,
        line: &[u8],
        labels: &mut LineLabels<'_>,
        scratch: &mut Scratch,
    ) -> bool {
        scratch.text.clear();
        let context = Context { time, line, labels };
        let state = &mut scratch.template;
        match self.template.render(&context, state, &mut scratch.text) {
            Ok(()) => {
                repair(&mut scratch.text);
                true
            }
            Err(error) => {
                labels.fail(FORMAT_ERROR, &error);
                false
            }
        }
    }
}

impl LabelFormats {
    pub(super) fn new(formats: &[LabelFormat]) -> Result<LabelFormats, String> {
        let mut compiled: Vec<(String, Source)> = Vec::with_capacity(formats.len());
        for format in formats {
            let name = &format.name;
            if name == ERROR_LABEL {
                return Err(format!("{ERROR_LABEL} cannot be formatted"));
            }
            if compiled.iter().any(|(other, _)| other == name) {
                return Err(format!(
                    "multiple label name '{name}' not allowed in a single format operation"
                ));
            }
            let source =
                match &format.source {
                    FormatSource::Label(label) => Source::Label(label.clone()),
                    FormatSource::Template(text) => {
                        let template = Template::parse("label", text);
                        Source::Template(template.map_err(|error| {
                            format!("invalid template for label '{name}': {error}")
                        })?)
                    }
                };
            compiled.push((name.clone(), source));
        }
        Ok(LabelFormats { formats: compiled })
    }

    pub(super) fn add_needs(&self, needs: &mut Needs) {
        for (_, source) in &self.formats {
            match source {
                Source::Label(label) => needs.add(label),
                Source::Template(template) => add_labels(template, needs),
            }
        }
    }

    pub(super) fn wants_text(&self) -> bool {
        let mut sources = self.formats.iter().map(|(_, source)| source);
        sources.any(|source| match source {
            Source::Label(_) => false,
            Source::Template(template) => template.wants_line(),
        })
    }

    /// Sets the labels. Every template sees the labels as they were in front of the first one.
    pub(super) fn run(
        &self,
        time: i64,
        line: &[u8],
        labels: &mut LineLabels<'_>,
        scratch: &mut Scratch,
    ) {
        let is_template = |(_, source): &&(String, Source)| matches!(source, Source::Template(_));
        let is_alone = self.formats.iter().filter(is_template).count() <= 1;
        let mut made = Vec::new();
        for (at, (name, source)) in self.formats.iter().enumerate() {
            match source {
                Source::Label(label) => rename(name, label, labels),
                Source::Template(template) if is_alone => {
                    let value = value_of(template, time, line, labels, scratch);
                    set(name, value, labels);
                }
                Source::Template(_) => {
                    if made.is_empty() {
                        made = self.values(at, time, line, labels, scratch);
                    }
                    let value = std::mem::replace(&mut made[at], Ok(String::new()));
                    set(name, value, labels);
                }
            }
        }
    }

    /// What the templates from the one at `first` on make of the labels as they are.
    fn values(
        &self,
        first: usize,
        time: i64,
        line: &[u8],
        labels: &LineLabels<'_>,
        scratch: &mut Scratch,
    ) -> Vec<Result<String, String>> {
        let formats = self.formats.iter().enumerate();
        let values = formats.map(|(at, (_, source))| match source {
            Source::Template(template) if at >= first => {
                value_of(template, time, line, labels, scratch)
            }
            _ => Ok(String::new()),
        });
        values.collect()
    }
}

/// Makes text of a line in which a template has cut a character: each byte that is left of it
/// stands as one that is unknown, as Go shows it.
fn repair(line: &mut Vec<u8>) {
    if std::str::from_utf8(line).is_ok() {
        return;
    }
    let mut repaired = String::with_capacity(line.len() + 8);
    for chunk in line.utf8_chunks() {
        repaired.push_str(chunk.valid());
        repaired.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    *line = repaired.into_bytes();
}

fn add_labels(template: &Template, needs: &mut Needs) {
    match template.labels() {
        Some(names) => names.iter().for_each(|name| needs.add(name)),
        None => needs.add_all(),
    }
}

fn value_of(
    template: &Template,
    time: i64,
    line: &[u8],
    labels: &LineLabels<'_>,
    scratch: &mut Scratch,
) -> Result<String, String> {
    let mut out = std::mem::take(&mut scratch.text);
    out.clear();
    let context = Context { time, line, labels };
    let done = template.render(&context, &mut scratch.template, &mut out);
    let value = done.map(|()| super::name::value_text(&out).into_owned());
    scratch.text = out;
    value
}

fn set(name: &str, value: Result<String, String>, labels: &mut LineLabels<'_>) {
    match value {
        Ok(value) => labels.set(name, &value, Category::Parsed),
        Err(error) => labels.fail(FORMAT_ERROR, &error),
    }
}

/// Gives a label another name, in the category that it has; one that is missing changes nothing.
fn rename(name: &str, label: &str, labels: &mut LineLabels<'_>) {
    let Some((value, category)) = labels.find(label) else {
        return;
    };
    if name != label {
        let value = value.to_owned();
        labels.set(name, &value, category);
        labels.remove(label);
    }
}

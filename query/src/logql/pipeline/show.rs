//! A stage as Loki writes it into the errors of its compilation.

use crate::logql::syntax::ast::{FormatSource, LineOp, LineText, Stage};
use crate::text::quote::quote;

/// The stage with the `|` or the operator that it begins with; those that cannot be refused with
/// this text are just named.
pub(super) fn show(stage: &Stage) -> String {
    let list = |items: Vec<String>| items.join(",");
    match stage {
        Stage::Line(filter) => {
            let op = match filter.op {
                LineOp::Contains => "|=",
                LineOp::NotContains => "!=",
                LineOp::Regex => "|~",
                LineOp::NotRegex => "!~",
                LineOp::Pattern => "|>",
                LineOp::NotPattern => "!>",
            };
            let texts = filter.texts.iter().map(|text| match text {
                LineText::Text(text) => quote(text),
                LineText::Ip(pattern) => format!("ip({})", quote(pattern)),
            });
            format!("{op} {}", texts.collect::<Vec<_>>().join(" or "))
        }
        Stage::Json(extractions) => {
            let items = extractions
                .iter()
                .map(|extraction| format!("{}={}", extraction.name, quote(&extraction.expression)));
            format!("| json {}", list(items.collect()))
        }
        Stage::LineFormat(template) => format!("| line_format {}", quote(template)),
        Stage::LabelFormat(formats) => {
            let items = formats.iter().map(|format| match &format.source {
                FormatSource::Label(label) => format!("{}={label}", format.name),
                FormatSource::Template(text) => format!("{}={}", format.name, quote(text)),
            });
            format!("| label_format {}", list(items.collect()))
        }
        other => format!("{other:?}"),
    }
}

//! `label_replace` and `label_join`.

use chronolith_engine::labels::{Captures, Haystack, Re2, Template};

use crate::promql::error::{Error, Result};
use crate::promql::eval::Evaluator;
use crate::promql::eval::column::Series;
use crate::promql::eval::labels::{check_label_name, with};
use crate::promql::plan::{Grid, Node};
use crate::promql::syntax::NAME;

impl Evaluator<'_> {
    pub(super) fn label_replace(&self, args: &[Node], grid: Grid) -> Result<Vec<Series>> {
        let mut texts = Vec::with_capacity(4);
        for arg in &args[1..] {
            texts.push(self.text(arg)?.value.as_str());
        }
        check_label_name(
            self.text(&args[1])?,
            "destination label name in label_replace()",
        )?;
        let [target, replacement, source, pattern] = texts[..] else {
            return Err(Error::execution("label_replace takes four strings"));
        };
        let regex = Re2::anchored(pattern).map_err(|_| {
            let message = format!("invalid regular expression in label_replace(): {pattern}");
            Error::execution(message)
        })?;
        let template = Template::new(replacement);
        let mut series = self.vector(&args[0], grid)?;
        let (mut captures, mut value) = (Captures::default(), Vec::new());
        for series in &mut series {
            self.guard.check()?;
            let text = series.labels.as_labels().value(source).unwrap_or("");
            let haystack = Haystack::new(text.as_bytes());
            if !regex.captures_at(&haystack, 0, &mut captures) {
                continue;
            }
            value.clear();
            regex.expand(&template, &haystack, &captures, &mut value);
            let value = String::from_utf8_lossy(&value).into_owned();
            set_label(series, target, &value)?;
        }
        self.settle(series)
    }

    pub(super) fn label_join(&self, args: &[Node], grid: Grid) -> Result<Vec<Series>> {
        let (target, separator) = (&self.text(&args[1])?.value, &self.text(&args[2])?.value);
        let mut sources = Vec::with_capacity(args.len());
        for arg in &args[3..] {
            let source = self.text(arg)?;
            check_label_name(source, "source label name in label_join()")?;
            sources.push(source.value.as_str());
        }
        check_label_name(
            self.text(&args[1])?,
            "destination label name in label_join()",
        )?;
        let mut series = self.vector(&args[0], grid)?;
        for series in &mut series {
            let labels = series.labels.as_labels();
            let values: Vec<&str> = sources
                .iter()
                .map(|source| labels.value(source).unwrap_or(""))
                .collect();
            let value = values.join(separator);
            set_label(series, target, &value)?;
        }
        self.settle(series)
    }
}

fn set_label(series: &mut Series, name: &str, value: &str) -> Result<()> {
    series.labels = with(series.labels.as_labels(), name, value)?;
    // A name that was just given stays.
    series.drops_name &= name != NAME;
    Ok(())
}

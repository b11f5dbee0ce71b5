//! Which series a list of matchers selects, for anything that has an inverted index.
//!
//! Owns the meaning, which is Prometheus': every matcher must hold, and a label that a series lacks
//! counts as empty. Knows neither where postings lie nor how values are searched: that is the
//! view's business, and the head and sealed blocks each have one.

use roaring::RoaringBitmap;

use crate::error::Result;
use crate::labels::matcher::{MatchOp, Matcher};
use crate::labels::re2::Shape;

/// An inverted index over series ordinals.
pub(crate) trait IndexView {
    /// Every series.
    fn all(&self) -> Result<RoaringBitmap>;

    /// The series with exactly this label; `None` if no series has it. The value is not empty.
    fn postings(&self, name: &str, value: &str) -> Result<Option<RoaringBitmap>>;

    /// The series that have the label, with whatever value.
    fn with_label(&self, name: &str) -> Result<RoaringBitmap>;

    /// The series that have the label with a value that the matcher accepts. Series without it are
    /// not among them, even where the matcher accepts the empty string.
    fn matching(&self, name: &str, matcher: &Matcher) -> Result<RoaringBitmap>;

    /// The series that have the label with a value that the matcher refuses.
    fn refusing(&self, name: &str, matcher: &Matcher) -> Result<RoaringBitmap> {
        Ok(self.with_label(name)? - self.matching(name, matcher)?)
    }

    /// The series of `within` for which the matcher holds, absent labels counting as empty; `None`
    /// where asking them one by one would not be cheaper than `matching`.
    fn filter(&self, _within: &RoaringBitmap, _matcher: &Matcher) -> Result<Option<RoaringBitmap>> {
        Ok(None)
    }
}

/// What one matcher does to the series selected so far.
enum Constraint {
    Keep(RoaringBitmap),
    Drop(RoaringBitmap),
    Nothing,
}

/// The series for which every matcher holds; all series where there is no matcher.
pub(crate) fn select(
    view: &(impl IndexView + ?Sized),
    matchers: &[Matcher],
) -> Result<RoaringBitmap> {
    let mut ordered: Vec<&Matcher> = matchers.iter().collect();
    ordered.sort_by_key(|matcher| cost(matcher));
    // `None` stands for every series, which is dear to write down and often never needed.
    let mut selected: Option<RoaringBitmap> = None;
    for matcher in ordered {
        if let Some(selected) = &mut selected {
            if selected.is_empty() {
                break;
            }
            if let Some(kept) = view.filter(selected, matcher)? {
                *selected = kept;
                continue;
            }
        }
        selected = match (constraint(view, matcher)?, selected) {
            (Constraint::Nothing, selected) => selected,
            (Constraint::Keep(set), None) => Some(set),
            (Constraint::Keep(set), Some(selected)) => Some(selected & set),
            (Constraint::Drop(set), None) => Some(view.all()? - set),
            (Constraint::Drop(set), Some(selected)) => Some(selected - set),
        };
    }
    match selected {
        Some(selected) => Ok(selected),
        None => view.all(),
    }
}

fn constraint(view: &(impl IndexView + ?Sized), matcher: &Matcher) -> Result<Constraint> {
    let (name, value) = (matcher.name(), matcher.value());
    Ok(match matcher.op() {
        MatchOp::Equal if value.is_empty() => Constraint::Drop(view.with_label(name)?),
        MatchOp::Equal => Constraint::Keep(view.postings(name, value)?.unwrap_or_default()),
        MatchOp::NotEqual if value.is_empty() => Constraint::Keep(view.with_label(name)?),
        MatchOp::NotEqual => match view.postings(name, value)? {
            Some(set) => Constraint::Drop(set),
            None => Constraint::Nothing,
        },
        MatchOp::Regex if matches!(matcher.shape(), Shape::Any) => Constraint::Nothing,
        // The series without the label match too, and only the postings of the others are known:
        // subtract.
        MatchOp::Regex | MatchOp::NotRegex if matcher.matches_empty() => {
            Constraint::Drop(view.refusing(name, matcher)?)
        }
        MatchOp::Regex | MatchOp::NotRegex => Constraint::Keep(view.matching(name, matcher)?),
    })
}

/// A rough order of what matchers cost, so that the cheap ones shrink the set first.
fn cost(matcher: &Matcher) -> u32 {
    match (matcher.op(), matcher.shape()) {
        (MatchOp::Equal, _) if !matcher.value().is_empty() => 0,
        (MatchOp::Equal | MatchOp::NotEqual, _) => 2,
        (_, Shape::Exact(values)) if values.len() <= 8 => 1,
        (_, Shape::Exact(_) | Shape::Any | Shape::NotEmpty) => 2,
        (_, Shape::Prefix(_)) => 3,
        (_, Shape::Contains(_)) => 4,
        _ => 5,
    }
}

//! What every export shares: what is selected, how far it reaches, and what was written.

use std::path::Path;

use chronolith_engine::labels::Matcher;
use chronolith_engine::time::{Millis, Nanos};
use chronolith_engine::{Kind, Selector, Series, Snapshot};

use super::fault::{Fault, Result};

/// Which entries are meant.
#[derive(Clone, Debug, Default)]
pub(crate) struct Range {
    pub(crate) matchers: Vec<Matcher>,
    /// In milliseconds, both ends included.
    pub(crate) start: Option<i64>,
    pub(crate) end: Option<i64>,
}

/// What an export has written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) files: u64,
    pub(crate) entries: u64,
    /// Start timestamps, for which the format has no place.
    pub(crate) starts_lost: u64,
    /// Native histograms, for which it has none either.
    pub(crate) left_out: u64,
}

impl Range {
    /// The matchers alone.
    pub(crate) fn selector(&self) -> Selector {
        Selector::new(self.matchers.clone())
    }

    /// With the times, as metrics tick.
    pub(crate) fn in_millis(&self) -> Selector {
        let (start, end) = (self.start.unwrap_or(i64::MIN), self.end.unwrap_or(i64::MAX));
        self.selector().between(Millis(start), Millis(end))
    }

    /// With the times, as logs tick.
    pub(crate) fn in_nanos(&self) -> Selector {
        let nanos = |ms: Option<i64>, none: i64, more: i64| {
            ms.map_or(none, |ms| ms.saturating_mul(1_000_000).saturating_add(more))
        };
        let (start, end) = (
            nanos(self.start, i64::MIN, 0),
            nanos(self.end, i64::MAX, 999_999),
        );
        self.selector().between(Nanos(start), Nanos(end))
    }
}

/// The selected series in label order.
pub(crate) fn selected<K: Kind>(
    snapshot: &Snapshot<K>,
    selector: &Selector,
) -> Result<Vec<Series<K>>> {
    let mut found = snapshot.select(selector)?;
    found.sort_by(|left, right| left.labels().cmp(&right.labels()));
    Ok(found)
}

/// The first and the last time of what is selected.
pub(crate) fn extent(
    snapshot: &Snapshot<chronolith_engine::metrics::Samples>,
    range: &Range,
) -> Result<Option<(i64, i64)>> {
    let mut extent: Option<(i64, i64)> = None;
    for series in snapshot.select(&range.in_millis())? {
        let mut cursor = series.cursor()?;
        let Some(first) = cursor.next().transpose()? else {
            continue;
        };
        let last = cursor.next_back().transpose()?;
        let (start, end) = (first.times()[0], last.as_ref().unwrap_or(&first).times());
        let end = end[end.len() - 1];
        extent = Some(extent.map_or((start, end), |(least, most)| {
            (least.min(start), most.max(end))
        }));
    }
    Ok(extent)
}

/// Makes a folder that has to be empty if it is there.
pub(crate) fn empty_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|error| Fault::io("cannot make", folder, &error))?;
    let mut list =
        std::fs::read_dir(folder).map_err(|error| Fault::io("cannot list", folder, &error))?;
    match list.next() {
        None => Ok(()),
        Some(_) => Err(Fault::new(format!(
            "{} is not empty: name a folder that is",
            folder.display()
        ))),
    }
}

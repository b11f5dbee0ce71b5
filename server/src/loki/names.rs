//! Which streams, label names and label values there are.

use std::collections::HashSet;

use axum::extract::Path;
use axum::response::Response;
use chronolith_engine::labels::{LabelSet, Matcher, SeriesId};
use chronolith_engine::logs::Lines;
use chronolith_engine::time::Nanos;
use chronolith_engine::{Selector, Series, Snapshot, Wanted};

use crate::app::{Scope, Sort, Watch};
use crate::http::json::Json;
use crate::http::params::Params;
use crate::http::problem::Problem;
use crate::http::stream;
use crate::http::times::{SECOND, window_around};

use super::answer::{Answer, Fault, bad};
use super::{params, query};

/// Label names.
pub(super) async fn labels(app: Scope, asked: Params) -> Answer {
    Ok(listed("data", found_names(app, &asked).await?))
}

/// Values of a label.
pub(super) async fn values(app: Scope, Path(name): Path<String>, asked: Params) -> Answer {
    let found = found_values(app, name, &asked).await?;
    Ok(listed("data", found))
}

/// Label names as `/api/prom/label` answers them.
pub(super) async fn labels_of_old(app: Scope, asked: Params) -> Answer {
    Ok(of_old(found_names(app, &asked).await?))
}

/// Values of a label as `/api/prom/label/{name}/values` answers them.
pub(super) async fn values_of_old(app: Scope, Path(name): Path<String>, asked: Params) -> Answer {
    Ok(of_old(found_values(app, name, &asked).await?))
}

async fn found_names(app: Scope, asked: &Params) -> Result<Vec<String>, Fault> {
    let selector = selector(&app, asked)?;
    let store = app.logs()?;
    let place = app.list(Sort::LABELS, asked.value("query"));
    let watch = place.watch.clone();
    let find = move || {
        watch.go_on()?;
        Ok(store.snapshot().label_names(&selector, usize::MAX)?)
    };
    Ok(app.queries.run(find).await?)
}

async fn found_values(app: Scope, name: String, asked: &Params) -> Result<Vec<String>, Fault> {
    let selector = selector(&app, asked)?;
    let store = app.logs()?;
    let place = app.list(Sort::LABELS, asked.value("query"));
    let watch = place.watch.clone();
    let find = move || {
        watch.go_on()?;
        Ok(store
            .snapshot()
            .label_values(&name, &selector, usize::MAX)?)
    };
    Ok(app.queries.run(find).await?)
}

/// What `query`, `start` and `end` select.
fn selector(app: &Scope, asked: &Params) -> Result<Selector, Fault> {
    let matchers = params::matchers_if_given(asked.value("query"))?;
    let range = query::length_within(app, params::range(asked)?)?;
    Ok(select(matchers, range))
}

/// Selects times alone: nobody here looks at lines.
pub(super) fn select(matchers: Vec<Matcher>, (start, end): (i64, i64)) -> Selector {
    Selector::new(matchers)
        .between(Nanos(start), Nanos(end))
        .wanting(Wanted::Times)
}

/// A list in the envelope; one without elements is left out.
fn listed(key: &str, texts: Vec<String>) -> Response {
    let mut json = Json::whole();
    json.raw("{\"status\":\"success\"");
    if !texts.is_empty() {
        json.raw(&format!(",\"{key}\":"));
        json.texts(texts);
    }
    json.raw("}\n");
    stream::response(json.into_bytes().into())
}

fn of_old(texts: Vec<String>) -> Response {
    let mut json = Json::whole();
    json.raw("{\"values\":");
    json.texts(texts);
    json.raw("}\n");
    stream::response(json.into_bytes().into())
}

/// Streams by `match[]`, which is also called `match`.
pub(super) async fn series(app: Scope, asked: Params) -> Answer {
    let range = params::range(&asked)?;
    let mut groups = asked.values("match[]");
    groups.extend(asked.values("match"));
    let mut selections = Vec::new();
    for group in &groups {
        let matchers = params::matchers_if_given(group)?;
        if matchers.is_empty() && groups.len() > 1 {
            return Err(bad(format!("0 matchers in group: {group}")));
        }
        selections.push(matchers);
    }
    if selections.is_empty() {
        selections.push(Vec::new());
    }
    let range = query::length_within(&app, range)?;
    let store = app.logs()?;
    let place = app.list(Sort::SERIES, &groups.join(" "));
    let watch = place.watch.clone();
    let answer = stream::answer(&app.queries, move |json| {
        watch.go_on()?;
        let snapshot = store.snapshot();
        let mut sets = Vec::new();
        for matchers in selections {
            let streams = Streams {
                snapshot: &snapshot,
                matchers,
                watch: &watch,
            };
            sets.extend(streams.around(range)?);
        }
        sets.sort_unstable();
        sets.dedup();
        json.raw("{\"status\":\"success\",\"data\":[");
        for (place, set) in sets.iter().enumerate() {
            if place > 0 {
                json.raw(",");
            }
            json.object(set.as_labels().iter());
            json.pass()?;
        }
        json.raw("]}\n");
        Ok::<(), Problem>(())
    });
    Ok(answer.await?)
}

/// Loki lists the chunks of a stream, which hold what came within such a time, and with it the
/// stream wherever a chunk lies around a range, though no line may be in it.
const CHUNK_NS: i64 = 2 * 3600 * SECOND;

/// Streams by what they have at some time.
struct Streams<'s> {
    snapshot: &'s Snapshot<Lines>,
    matchers: Vec<Matcher>,
    watch: &'s Watch,
}

impl Streams<'_> {
    /// The streams with a line in a range, and those of which a chunk lies around it.
    fn around(&self, range: (i64, i64)) -> Result<Vec<LabelSet>, Problem> {
        let mut found = self.with_lines(range, |_| true)?;
        if let Some((before, behind)) = beside(range) {
            let ids = |streams: &[Series<Lines>]| -> HashSet<SeriesId> {
                streams.iter().map(Series::id).collect()
            };
            let listed = ids(&found);
            let begun = ids(&self.with_lines(before, |id| !listed.contains(&id))?);
            if !begun.is_empty() {
                found.extend(self.with_lines(behind, |id| begun.contains(&id))?);
            }
        }
        Ok(found.into_iter().map(Series::into_labels).collect())
    }

    /// Those streams with a line in a range that are asked about.
    fn with_lines(
        &self,
        range: (i64, i64),
        is_asked: impl Fn(SeriesId) -> bool,
    ) -> Result<Vec<Series<Lines>>, Problem> {
        let mut found = Vec::new();
        for series in self
            .snapshot
            .select(&select(self.matchers.clone(), range))?
        {
            self.watch.go_on()?;
            // Selecting looks at blocks and windows, not at lines: there may be none here.
            if is_asked(series.id()) && series.count()? > 0 {
                found.push(series);
            }
        }
        Ok(found)
    }
}

/// What a chunk around a range may hold before and behind it, if there can be one.
fn beside((start, end): (i64, i64)) -> Option<((i64, i64), (i64, i64))> {
    let (first, last) = window_around((start, end), CHUNK_NS)?;
    Some(((first, start - 1), (end + 1, last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beside_a_range_is_of_its_own_two_hours() {
        let chunk = |number: i64| number * CHUNK_NS;
        let range = (chunk(7) + 5, chunk(7) + 9);
        let before = (chunk(7), chunk(7) + 4);
        let behind = (chunk(7) + 10, chunk(8) - 1);
        assert_eq!(beside(range), Some((before, behind)));
        for none in [
            (chunk(7), chunk(7) + 9),
            (chunk(7) + 5, chunk(8) - 1),
            (chunk(7) + 5, chunk(8) + 5),
            (chunk(7) + 9, chunk(7) + 5),
            (i64::MIN, i64::MIN + 1),
            (i64::MAX - 1, i64::MAX),
        ] {
            assert_eq!(beside(none), None, "{none:?}");
        }
    }
}

//! Which streams, label names and label values there are.

use axum::extract::Path;
use axum::response::Response;
use chronolith_engine::labels::Matcher;
use chronolith_engine::time::Nanos;
use chronolith_engine::{Selector, Wanted};

use crate::app::{Scope, Sort};
use crate::http::json::Json;
use crate::http::params::Params;
use crate::http::problem::Problem;
use crate::http::stream;

use super::answer::{Answer, Fault, bad};
use super::params;

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
    let selector = selector(asked)?;
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
    let selector = selector(asked)?;
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
fn selector(asked: &Params) -> Result<Selector, Fault> {
    let matchers = params::matchers_if_given(asked.value("query"))?;
    Ok(select(matchers, params::range(asked)?))
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
    let mut selectors = Vec::new();
    for group in &groups {
        let matchers = params::matchers_if_given(group)?;
        if matchers.is_empty() && groups.len() > 1 {
            return Err(bad(format!("0 matchers in group: {group}")));
        }
        selectors.push(select(matchers, range));
    }
    if selectors.is_empty() {
        selectors.push(select(Vec::new(), range));
    }
    let store = app.logs()?;
    let place = app.list(Sort::SERIES, &groups.join(" "));
    let watch = place.watch.clone();
    let answer = stream::answer(&app.queries, move |json| {
        watch.go_on()?;
        let snapshot = store.snapshot();
        let mut sets = Vec::new();
        for selector in &selectors {
            for series in snapshot.select(selector)? {
                watch.go_on()?;
                // Selecting looks at blocks and windows, not at lines: there may be none here.
                if series.count()? > 0 {
                    sets.push(series.labels().to_set());
                }
            }
        }
        if selectors.len() > 1 {
            sets.sort_unstable();
            sets.dedup();
        }
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

//! Which series, label names and label values there are.

use std::collections::BTreeSet;

use axum::extract::Path;
use axum::response::Response;
use chronolith_engine::labels::{LabelSet, Matcher};
use chronolith_engine::metrics::Samples;
use chronolith_engine::time::Millis;
use chronolith_engine::{Selector, Snapshot, Wanted};
use chronolith_query::promql::syntax::parse_selector;

use crate::app::Scope;
use crate::http::params::Params;
use crate::http::problem::Problem;
use crate::http::stream;

use super::answer::{self, Notes};

/// What the parameters `match[]`, `start`, `end` and `limit` select.
pub(crate) struct Chosen {
    selectors: Vec<Selector>,
    limit: Option<usize>,
    /// Whether the range has a start or an end.
    is_bounded: bool,
}

impl Chosen {
    /// Reads the parameters; without `match[]` every series is meant.
    fn read(params: &Params) -> Result<Chosen, Problem> {
        let limit = params.limit()?;
        let range = range(params)?;
        let mut selectors = Vec::new();
        for matchers in matcher_sets(params)? {
            selectors.push(select(matchers, range));
        }
        if selectors.is_empty() {
            selectors.push(select(Vec::new(), range));
        }
        Ok(Chosen {
            selectors,
            limit,
            is_bounded: range != (Millis(i64::MIN), Millis(i64::MAX)),
        })
    }

    /// How many elements to ask for: one more than are wanted tells that there are more.
    fn wanted(&self) -> usize {
        self.limit
            .map_or(usize::MAX, |limit| limit.saturating_add(1))
    }

    /// Cuts a list to the limit; whether anything was cut.
    fn cut<T>(&self, list: &mut Vec<T>) -> bool {
        let limit = self.limit.unwrap_or(usize::MAX);
        let is_longer = list.len() > limit;
        list.truncate(limit);
        is_longer
    }
}

/// Selects times alone: nobody here looks at values.
fn select(matchers: Vec<Matcher>, range: (Millis, Millis)) -> Selector {
    Selector::new(matchers)
        .between(range.0, range.1)
        .wanting(Wanted::Times)
}

/// The range of `start` and `end`, each without bound where it is not given.
pub(crate) fn range(params: &Params) -> Result<(Millis, Millis), Problem> {
    let start = params.time_if_given("start")?.unwrap_or(i64::MIN);
    let end = params.time_if_given("end")?.unwrap_or(i64::MAX);
    Ok((Millis(start), Millis(end)))
}

/// The selectors of all `match[]` parameters.
pub(crate) fn matcher_sets(params: &Params) -> Result<Vec<Vec<Matcher>>, Problem> {
    let mut sets = Vec::new();
    for text in params.values("match[]") {
        let set = parse_selector(text)
            .map_err(|error| Problem::parameter("match[]", error.describe(text)))?;
        if set.iter().all(Matcher::matches_empty) {
            return Err(Problem::bad_data(
                "match[] must contain at least one non-empty matcher",
            ));
        }
        sets.push(set);
    }
    Ok(sets)
}

/// As [`matcher_sets`], but at least one has to be there.
pub(crate) fn required_matcher_sets(params: &Params) -> Result<Vec<Vec<Matcher>>, Problem> {
    let sets = matcher_sets(params)?;
    match sets.is_empty() {
        true => Err(Problem::bad_data("no match[] parameter provided")),
        false => Ok(sets),
    }
}

/// Series by `match[]`.
pub(crate) async fn series(app: Scope, params: Params) -> Result<Response, Problem> {
    let chosen = Chosen::read(&params)?;
    required_matcher_sets(&params)?;
    let store = app.metrics()?;
    stream::answer(&app.queries, move |json| {
        let (sets, was_cut) = label_sets(&store.snapshot(), &chosen)?;
        answer::write(json, |json| {
            json.raw("[");
            for (place, set) in sets.iter().enumerate() {
                if place > 0 {
                    json.raw(",");
                }
                json.object(set.as_labels().iter());
                json.pass()?;
            }
            json.raw("]");
            Ok(Notes::truncated(was_cut))
        })
    })
    .await
}

/// The label sets that any of the selectors selects, in order.
fn label_sets(
    snapshot: &Snapshot<Samples>,
    chosen: &Chosen,
) -> Result<(Vec<LabelSet>, bool), Problem> {
    let mut sets = Vec::new();
    for selector in &chosen.selectors {
        let mut found = 0;
        for series in snapshot.select(selector)? {
            if found >= chosen.wanted() {
                break;
            }
            // Selecting looks at blocks and windows, not at samples: a series may have none here.
            if !chosen.is_bounded || series.count()? > 0 {
                sets.push(series.labels().to_set());
                found += 1;
            }
        }
    }
    if chosen.selectors.len() > 1 {
        sets.sort_unstable();
        sets.dedup();
    }
    let was_cut = chosen.cut(&mut sets);
    Ok((sets, was_cut))
}

/// Label names.
pub(crate) async fn labels(app: Scope, params: Params) -> Result<Response, Problem> {
    let chosen = Chosen::read(&params)?;
    let store = app.metrics()?;
    stream::answer(&app.queries, move |json| {
        let snapshot = store.snapshot();
        let wanted = chosen.wanted();
        let names = united(&chosen, |selector| snapshot.label_names(selector, wanted));
        write_texts(json, names?)
    })
    .await
}

/// Values of a label.
pub(crate) async fn values(
    app: Scope,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response, Problem> {
    let name = unescape(&name).unwrap_or(name);
    if name.is_empty() {
        return Err(Problem::bad_data(format!("invalid label name: {name:?}")));
    }
    let chosen = Chosen::read(&params)?;
    let store = app.metrics()?;
    stream::answer(&app.queries, move |json| {
        let snapshot = store.snapshot();
        let wanted = chosen.wanted();
        let values = united(&chosen, |selector| {
            snapshot.label_values(&name, selector, wanted)
        });
        write_texts(json, values?)
    })
    .await
}

/// What is found for any of the selectors, in order, and whether there was more.
fn united(
    chosen: &Chosen,
    find: impl Fn(&Selector) -> chronolith_engine::Result<Vec<String>>,
) -> Result<(Vec<String>, bool), Problem> {
    let mut texts = BTreeSet::new();
    for selector in &chosen.selectors {
        texts.extend(find(selector)?);
    }
    let mut texts: Vec<String> = texts.into_iter().collect();
    let was_cut = chosen.cut(&mut texts);
    Ok((texts, was_cut))
}

fn write_texts(
    json: &mut crate::http::json::Json,
    (texts, was_cut): (Vec<String>, bool),
) -> Result<(), Problem> {
    answer::write(json, |json| {
        json.raw("[");
        for (place, text) in texts.iter().enumerate() {
            if place > 0 {
                json.raw(",");
            }
            json.text(text);
            json.pass()?;
        }
        json.raw("]");
        Ok(Notes::truncated(was_cut))
    })
}

/// What begins a name in which other characters than letters, digits and `_` are escaped.
const ESCAPED: &str = "U__";

/// Undoes the escaping of a name: `__` is an underscore, `_2e_` the character with this code.
fn unescape(name: &str) -> Option<String> {
    let mut rest = name.strip_prefix(ESCAPED)?;
    let mut out = String::new();
    while let Some(at) = rest.find('_') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(behind) = rest.strip_prefix('_') {
            out.push('_');
            rest = behind;
            continue;
        }
        let (code, behind) = rest.split_once('_')?;
        out.push(char::from_u32(u32::from_str_radix(code, 16).ok()?)?);
        rest = behind;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_names_are_read() {
        assert_eq!(unescape("U__http_2e_route").as_deref(), Some("http.route"));
        assert_eq!(unescape("U__a__b_1f680_").as_deref(), Some("a_b🚀"));
        assert_eq!(unescape("U__plain").as_deref(), Some("plain"));
        for name in ["job", "U__a_zz_", "U__a_2e", "U__a_d800_"] {
            assert_eq!(unescape(name), None, "{name}");
        }
    }

    #[test]
    fn a_selector_of_everything_is_refused() {
        let mut params = Params::default();
        params.parse(b"match[]=%7Bjob%3D~%22.*%22%7D");
        let problem = matcher_sets(&params).unwrap_err();
        assert_eq!(
            problem.message(),
            "match[] must contain at least one non-empty matcher"
        );
        assert!(required_matcher_sets(&Params::default()).is_err());
    }
}

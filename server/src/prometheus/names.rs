//! Which series, label names and label values there are.

use std::collections::BTreeSet;

use axum::extract::Path;
use axum::response::Response;
use chronolith_engine::labels::{LabelSet, Matcher};
use chronolith_engine::metrics::Samples;
use chronolith_engine::time::Millis;
use chronolith_engine::{Selector, Series, Snapshot, Wanted};
use chronolith_query::promql::syntax::parse_selector;

use crate::app::Scope;
use crate::http::params::Params;
use crate::http::problem::Problem;
use crate::http::stream;
use crate::http::times::window_around;

use super::answer::{self, Notes};

/// The parameter that selects series.
const MATCH: &str = "match[]";

/// What the parameters `match[]`, `start`, `end` and `limit` select.
pub(crate) struct Chosen {
    selectors: Vec<Selector>,
    limit: Option<usize>,
    range: Range,
}

/// The first and the last moment of a range.
type Range = (Millis, Millis);

/// The range that has no bounds.
const UNBOUNDED: Range = (Millis(i64::MIN), Millis(i64::MAX));

/// How long a block of Prometheus is, and no chunk is longer, in milliseconds.
const BLOCK_MS: i64 = 2 * 60 * 60 * 1000;

impl Chosen {
    /// Reads the parameters; without `match[]` every series is meant. `wrong` makes a problem of
    /// what is wrong with those.
    fn read(params: &Params, wrong: fn(String) -> Problem) -> Result<Chosen, Problem> {
        let limit = params.limit()?;
        let range = range(params)?;
        let sets = matcher_sets(params).map_err(wrong)?;
        let select_set = |matchers| select(matchers, range);
        let mut selectors: Vec<Selector> = sets.into_iter().map(select_set).collect();
        if selectors.is_empty() {
            selectors.push(select(Vec::new(), range));
        }
        Ok(Chosen {
            selectors,
            limit,
            range,
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
fn select(matchers: Vec<Matcher>, range: Range) -> Selector {
    Selector::new(matchers)
        .between(range.0, range.1)
        .wanting(Wanted::Times)
}

/// The range of `start` and `end`, each without bound where it is not given.
pub(crate) fn range(params: &Params) -> Result<Range, Problem> {
    let start = params.time_if_given("start")?.map_or(UNBOUNDED.0, Millis);
    let end = params.time_if_given("end")?.map_or(UNBOUNDED.1, Millis);
    Ok((start, end))
}

/// The selectors of all `match[]` parameters, or what is wrong with them.
fn matcher_sets(params: &Params) -> Result<Vec<Vec<Matcher>>, String> {
    let sets: Result<Vec<_>, String> = params
        .values(MATCH)
        .into_iter()
        .map(|text| parse_selector(text).map_err(|error| error.describe(text)))
        .collect();
    let sets = sets?;
    if sets
        .iter()
        .any(|set| set.iter().all(Matcher::matches_empty))
    {
        return Err("match[] must contain at least one non-empty matcher".to_owned());
    }
    Ok(sets)
}

/// The selectors of all `match[]` parameters where at least one has to be there.
pub(crate) fn required_matcher_sets(params: &Params) -> Result<Vec<Vec<Matcher>>, Problem> {
    require_matcher_sets(params)?;
    matcher_sets(params).map_err(named)
}

/// Fails where there is no `match[]`, whatever else may be wrong.
fn require_matcher_sets(params: &Params) -> Result<(), Problem> {
    match params.values(MATCH).is_empty() {
        true => Err(Problem::bad_data("no match[] parameter provided")),
        false => Ok(()),
    }
}

/// What is wrong with `match[]`, with its name in front: so where it is required.
fn named(why: String) -> Problem {
    Problem::parameter(MATCH, why)
}

/// What is wrong with `match[]`, as it is: so where it is not required. Prometheus differs in this,
/// and clients compare.
fn plain(why: String) -> Problem {
    Problem::bad_data(why)
}

/// Series by `match[]`.
pub(crate) async fn series(app: Scope, params: Params) -> Result<Response, Problem> {
    require_matcher_sets(&params)?;
    let chosen = Chosen::read(&params, named)?;
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
        let mut found = Vec::new();
        for series in snapshot.select(selector)? {
            if found.len() >= chosen.wanted() {
                break;
            }
            // Selecting looks at blocks and windows, not at samples: a series may have none here.
            if chosen.range == UNBOUNDED || series.count()? > 0 {
                found.push(series.labels().to_set());
            }
        }
        if found.len() < chosen.wanted() {
            add_around(snapshot, selector, chosen.range, &mut found)?;
        }
        sets.append(&mut found);
    }
    if chosen.selectors.len() > 1 {
        sets.sort_unstable();
        sets.dedup();
    }
    let was_cut = chosen.cut(&mut sets);
    Ok((sets, was_cut))
}

/// Adds the series that have no sample in the range but some on either side of it, in order.
///
/// Prometheus lists those too that have a chunk over the range, and a chunk ends with its block at
/// the latest. So a series counts if its samples lie around the range within one block.
fn add_around(
    snapshot: &Snapshot<Samples>,
    selector: &Selector,
    range: Range,
    found: &mut Vec<LabelSet>,
) -> Result<(), Problem> {
    let Some(block) = block_around(range) else {
        return Ok(());
    };
    let before = found.len();
    for series in snapshot.select(&selector.clone().between(block.0, block.1))? {
        let known = &found[..before];
        let is_known = known.binary_search_by(|set| set.as_labels().cmp(&series.labels()));
        if is_known.is_err() && is_around(&series, range)? {
            found.push(series.labels().to_set());
        }
    }
    found.sort_unstable();
    Ok(())
}

/// The block in which a whole range lies, if it does and there is room on either side.
fn block_around((start, end): Range) -> Option<Range> {
    let (first, last) = window_around((start.0, end.0), BLOCK_MS)?;
    Some((Millis(first), Millis(last)))
}

/// Whether a series has samples both before and after a range.
fn is_around(series: &Series<Samples>, (start, end): Range) -> Result<bool, Problem> {
    let (mut is_before, mut is_after) = (false, false);
    for run in series.cursor()? {
        let run = run?;
        is_before |= run.times().first().is_some_and(|time| *time < start.0);
        is_after |= run.times().last().is_some_and(|time| *time > end.0);
    }
    Ok(is_before && is_after)
}

/// Label names.
pub(crate) async fn labels(app: Scope, params: Params) -> Result<Response, Problem> {
    let chosen = Chosen::read(&params, plain)?;
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
    let chosen = Chosen::read(&params, plain)?;
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
    fn only_a_range_within_one_block_has_a_block_around_it() {
        let block = (Millis(BLOCK_MS), Millis(2 * BLOCK_MS - 1));
        let around = |start, end| block_around((Millis(start), Millis(end)));
        assert_eq!(around(BLOCK_MS + 1, BLOCK_MS + 1), Some(block));
        assert_eq!(around(BLOCK_MS + 1, 2 * BLOCK_MS - 2), Some(block));
        for (start, end) in [
            (BLOCK_MS, BLOCK_MS + 5),
            (BLOCK_MS + 1, 2 * BLOCK_MS - 1),
            (BLOCK_MS - 1, BLOCK_MS + 1),
            (BLOCK_MS + 5, BLOCK_MS + 4),
            (i64::MIN, i64::MAX),
            (i64::MIN, i64::MIN),
            (i64::MAX, i64::MAX),
        ] {
            assert_eq!(around(start, end), None, "{start} {end}");
        }
    }

    fn params(text: &str) -> Params {
        let mut params = Params::default();
        params.parse(text.as_bytes());
        params
    }

    #[test]
    fn a_selector_of_everything_is_refused() {
        let everything = params("match[]=%7Bjob%3D~%22.*%22%7D");
        let why = "match[] must contain at least one non-empty matcher";
        assert_eq!(matcher_sets(&everything).unwrap_err(), why);
        // That a selector is none comes first.
        let both = params("match[]=%7B%7D&match[]=sum(up)");
        assert_eq!(
            matcher_sets(&both).unwrap_err(),
            "1:4: parse error: unexpected \"(\""
        );
        let problem = required_matcher_sets(&params("start=x")).unwrap_err();
        assert_eq!(problem.message(), "no match[] parameter provided");
    }

    #[test]
    fn faults_of_a_required_selector_name_the_parameter_and_others_do_not() {
        let wrong = params("match[]=%7B%7D");
        let why = |sort| Chosen::read(&wrong, sort).err().unwrap();
        assert_eq!(
            why(named).message(),
            "invalid parameter \"match[]\": match[] must contain at least one non-empty matcher"
        );
        assert_eq!(
            why(plain).message(),
            "match[] must contain at least one non-empty matcher"
        );
    }
}

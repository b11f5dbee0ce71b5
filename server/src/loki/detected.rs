//! Which labels and fields there are, found out from the lines: what Logs Drilldown builds its
//! pages from.

use chronolith_engine::logs::Lines;
use chronolith_engine::{Selector, Snapshot};

use crate::app::{Scope, Sort};
use crate::http::json::Json;
use crate::http::params::Params;
use crate::http::problem::Problem;
use crate::http::stream;

use super::answer::Answer;
use super::{names, params, query};

/// Labels that are told even if their values look like ids.
const ALWAYS_TOLD: [&str; 4] = ["cluster", "namespace", "instance", "pod"];

/// Values of a label that are looked at to find out whether they are all ids.
const VALUES_LOOKED_AT: usize = 100;

/// The labels of streams with the number of their values.
pub(super) async fn labels(app: Scope, asked: Params) -> Answer {
    let matchers = params::matchers_if_given(asked.value("query"))?;
    let range = query::length_within(&app, params::range(&asked)?)?;
    let selector = names::select(matchers, range);
    let store = app.logs()?;
    let place = app.list(Sort::LABELS, asked.value("query"));
    let watch = place.watch.clone();
    let work = app.queries.run(move || {
        watch.go_on()?;
        let found = telling(&store.snapshot(), &selector)?;
        let mut json = Json::whole();
        if found.is_empty() {
            json.raw("{}\n");
            return Ok(json.into_bytes());
        }
        json.raw("{\"detectedLabels\":");
        json.array(&found, |json, (label, count)| {
            json.raw("{\"label\":");
            json.text(label);
            json.raw(&format!(",\"cardinality\":{count}}}"));
        });
        json.raw("}\n");
        Ok(json.into_bytes())
    });
    Ok(stream::response(work.await?.into()))
}

/// Labels by which somebody might select, with the number of their values.
fn telling(
    snapshot: &Snapshot<Lines>,
    selector: &Selector,
) -> Result<Vec<(String, usize)>, Problem> {
    let mut found = Vec::new();
    for name in snapshot.label_names(selector, usize::MAX)? {
        let values = snapshot.label_values(&name, selector, usize::MAX)?;
        let mut looked_at = values.iter().take(VALUES_LOOKED_AT);
        if ALWAYS_TOLD.contains(&name.as_str()) || !looked_at.all(|value| is_id(value)) {
            found.push((name, values.len()));
        }
    }
    Ok(found)
}

/// Whether a value is a number or a UUID, which nobody selects by.
fn is_id(value: &str) -> bool {
    value.parse::<f64>().is_ok() || is_uuid(value)
}

/// Whether Go's parser takes it as a UUID: plain, as digits alone, behind `urn:uuid:`, or with a
/// byte around each end, whatever it is, where braces are meant.
fn is_uuid(value: &str) -> bool {
    let bytes = value.as_bytes();
    match bytes.len() {
        32 => bytes.iter().all(u8::is_ascii_hexdigit),
        38 => is_plain_uuid(&bytes[1..37]),
        45 => bytes[..9].eq_ignore_ascii_case(b"urn:uuid:") && is_plain_uuid(&bytes[9..]),
        _ => is_plain_uuid(bytes),
    }
}

fn is_plain_uuid(bytes: &[u8]) -> bool {
    let is_right = |(at, byte): (usize, &u8)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    bytes.len() == 36 && bytes.iter().enumerate().all(is_right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_uuids_are_ids() {
        for id in [
            "7",
            "-1.5",
            "0b1e7c2a-9d1f-4c3b-8a76-0f1e2d3c4b5a",
            "0b1e7c2a9d1f4c3b8a760f1e2d3c4b5a",
            "URN:uuid:0b1e7c2a-9d1f-4c3b-8a76-0f1e2d3c4b5a",
            "{0B1E7C2A-9D1F-4C3B-8A76-0F1E2D3C4B5A}",
        ] {
            assert!(is_id(id), "{id}");
        }
        for name in [
            "prod",
            "7a",
            "0b1e7c2a-9d1f-4c3b-8a76-0f1e2d3c4b5",
            "0b1e7c2a-9d1f-4c3b-8a760-f1e2d3c4b5a",
            "0b1e7c2a9d1f4c3b8a760f1e2d3c4b5x",
            "urn:uuid:0b1e7c2a9d1f4c3b8a760f1e2d3c4b5a",
            "uri:uuid:0b1e7c2a-9d1f-4c3b-8a76-0f1e2d3c4b5a",
            "éb1e7c2a-9d1f-4c3b-8a76-0f1e2d3c4b5aé",
            "",
        ] {
            assert!(!is_id(name), "{name}");
        }
    }
}

//! The fields of lines: in their structured metadata, and those that a parser would find in their
//! text.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::Path;
use axum::http::HeaderMap;
use chronolith_query::logql::pipeline::detect::{self, FieldType, Parser};
use chronolith_query::logql::{Direction, EngineLines, LinesAnswer, LinesRequest};

use crate::app::Scope;
use crate::http::json::Json;
use crate::http::params::Params;
use crate::http::stream;

use super::answer::{Answer, Fault, bad};
use super::{params, query};

/// Lines that are looked at if the request does not say.
const LINES: usize = 100;

/// Fields, or values of one, of an answer if the request does not say.
const LIMIT: usize = 1000;

/// One field.
struct Field {
    values: BTreeSet<String>,
    kind: FieldType,
    parsers: BTreeSet<Parser>,
    /// Where it stands in a line of JSON.
    path: Vec<String>,
}

/// Fields by their names.
type Fields = BTreeMap<String, Field>;

/// The fields of the lines that a query selects.
pub(super) async fn fields(app: Scope, headers: HeaderMap, asked: Params) -> Answer {
    let limit = limit(&asked)?;
    let work = found(&app, &headers, &asked, move |found| written(&found, limit));
    Ok(stream::response(work.await?.into()))
}

/// The values of one field.
pub(super) async fn values(
    app: Scope,
    Path(name): Path<String>,
    headers: HeaderMap,
    asked: Params,
) -> Answer {
    let limit = limit(&asked)?;
    let write = move |found: Fields| {
        let mut json = Json::whole();
        match found.get(&name) {
            None => json.raw("{}\n"),
            Some(field) => {
                json.raw("{\"values\":");
                json.texts(field.values.iter().take(limit));
                json.raw(&format!(",\"limit\":{limit}}}\n"));
            }
        }
        json.into_bytes()
    };
    let work = found(&app, &headers, &asked, write);
    Ok(stream::response(work.await?.into()))
}

/// `limit`, which is also called `field_limit`.
fn limit(asked: &Params) -> Result<usize, Fault> {
    match asked.value("field_limit") {
        "" => params::limit(asked, LIMIT),
        text => text
            .parse()
            .map_err(|_| bad(format!("strconv.Atoi: parsing {text:?}: invalid syntax"))),
    }
}

/// Finds the fields of the newest lines, and writes them.
async fn found(
    app: &Scope,
    headers: &HeaderMap,
    asked: &Params,
    write: impl FnOnce(Fields) -> Vec<u8> + Send + 'static,
) -> Result<Vec<u8>, Fault> {
    let parsed = query::parsed(asked)?;
    if parsed.is_metric() {
        return Err(bad(
            "only log queries have fields: leave the aggregation out",
        ));
    }
    let (start, end) = params::range(asked)?;
    let lines: usize = match asked.value("line_limit") {
        "" => LINES,
        text => text
            .parse()
            .map_err(|_| bad(format!("strconv.Atoi: parsing {text:?}: invalid syntax")))?,
    };
    let request = LinesRequest {
        start,
        end,
        limit: lines.clamp(1, app.settings().logs.entries_max.max(1)),
        direction: Direction::Backward,
        interval: 0,
    };
    let (options, stop) = query::options(app, headers, asked);
    let store = app.logs()?;
    let work = app.queries.run(move || {
        let source = EngineLines::new(store.snapshot());
        let answer = parsed.lines(&source, &request, &options);
        Ok(write(fields_of(&answer.map_err(query::problem)?)))
    });
    let found = work.await;
    drop(stop);
    Ok(found?)
}

fn fields_of(answer: &LinesAnswer) -> Fields {
    let mut fields = Fields::new();
    for stream in &answer.streams {
        let labels = stream.labels.as_labels();
        for entry in &stream.entries {
            for (name, value) in entry.metadata.iter() {
                note(&mut fields, name, value.to_owned());
            }
            let is_of_stream = |name: &str| labels.value(name).is_some();
            let Some((parser, found)) = detect::fields(entry.line.as_bytes(), is_of_stream) else {
                continue;
            };
            for field in found {
                let noted = note(&mut fields, &field.name, field.value);
                noted.parsers.insert(parser);
                if noted.path.is_empty() {
                    noted.path = field.path;
                }
            }
        }
    }
    fields
}

fn note<'f>(fields: &'f mut Fields, name: &str, value: String) -> &'f mut Field {
    let kind = FieldType::of(&value);
    let field = fields.entry(name.to_owned()).or_insert_with(|| Field {
        values: BTreeSet::new(),
        kind,
        parsers: BTreeSet::new(),
        path: Vec::new(),
    });
    // Values of bytes are told without the space that may stand before their unit.
    field.values.insert(match kind {
        FieldType::Bytes => value.replace(' ', ""),
        _ => value,
    });
    field
}

fn written(fields: &Fields, limit: usize) -> Vec<u8> {
    let mut json = Json::whole();
    if fields.is_empty() {
        json.raw("{}\n");
        return json.into_bytes();
    }
    json.raw("{\"fields\":");
    json.array(fields.iter().take(limit), |json, (name, field)| {
        json.raw("{\"label\":");
        json.text(name);
        json.raw(",\"type\":");
        json.text(field.kind.name());
        json.raw(&format!(
            ",\"cardinality\":{},\"parsers\":",
            field.values.len()
        ));
        match field.parsers.is_empty() {
            true => json.raw("null"),
            false => json.texts(field.parsers.iter().map(|parser| parser.name())),
        }
        if field.parsers.contains(&Parser::Json) {
            json.raw(",\"jsonPath\":");
            json.texts(&field.path);
        }
        json.raw("}");
    });
    json.raw(&format!(",\"limit\":{limit}}}\n"));
    json.into_bytes()
}

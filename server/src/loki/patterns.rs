//! The patterns of lines, for those who look for what is unusual in them.

use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use chronolith_query::logql::{Direction, EngineLines, LinesRequest};

use crate::app::Scope;
use crate::http::json::Json;
use crate::http::params::Params;
use crate::http::stream;
use crate::http::times::SECOND;
use crate::ingest::logs::levels::DETECTED_LEVEL;

use super::answer::{Answer, bad};
use super::miner::Miner;
use super::{params, query};

/// The newest lines, which are looked at.
const LINES_MAX: usize = 50_000;

/// The length of a bucket if the request does not say.
const STEP: i64 = 10 * SECOND;

/// The patterns of the lines that a query selects.
pub(super) async fn patterns(app: Scope, headers: HeaderMap, asked: Params) -> Answer {
    if !app.settings().log_patterns {
        return Ok(StatusCode::NOT_FOUND.into_response());
    }
    let parsed = query::parsed(&asked)?;
    if parsed.is_metric() {
        return Err(bad(
            "only log queries have patterns: leave the aggregation out",
        ));
    }
    let (start, end) = params::range(&asked)?;
    let step = match asked.value("step") {
        "" => STEP,
        _ => params::step(&asked, (start, end))?,
    };
    let request = LinesRequest {
        start,
        end,
        limit: LINES_MAX,
        direction: Direction::Backward,
        interval: 0,
    };
    let (mut options, stop) = query::options(&app, &headers, &asked);
    options.limits.entries_max = LINES_MAX;
    let store = app.logs()?;
    let work = app.queries.run(move || {
        let source = EngineLines::new(store.snapshot());
        let answer = parsed.lines(&source, &request, &options);
        let mut miner = Miner::default();
        for stream in answer.map_err(query::problem)?.streams {
            for entry in &stream.entries {
                let level = entry.metadata.value(DETECTED_LEVEL).unwrap_or_default();
                let bucket = entry.time.div_euclid(step).saturating_mul(step);
                miner.push(level, &entry.line, bucket / SECOND);
            }
        }
        Ok(written(miner))
    });
    let found = work.await;
    drop(stop);
    Ok(stream::response(found?.into()))
}

fn written(miner: Miner) -> Vec<u8> {
    let mut json = Json::whole();
    json.raw("{\"status\":\"success\",\"data\":");
    json.array(miner.found(), |json, found| {
        json.raw("{\"pattern\":");
        json.text(&found.pattern);
        json.raw(",\"level\":");
        json.text(&found.level);
        json.raw(",\"samples\":");
        json.array(&found.counts, |json, (time, count)| {
            json.raw(&format!("[{time},{count}]"));
        });
        json.raw("}");
    });
    json.raw("}\n");
    json.into_bytes()
}

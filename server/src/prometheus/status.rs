//! What the server is, how it was started, and what it holds; and what it has none of.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::State;
use axum::response::Response;
use chronolith_engine::operations::Cardinality;
use serde_json::{Value, json};

use crate::app::{App, Scope};
use crate::config;
use crate::duration;
use crate::http::params::Params;
use crate::http::problem::Problem;
use crate::http::times::rfc3339_text;
use crate::settings::Settings;

use super::answer::success;

/// Elements of each list of `status/tsdb`.
const LISTED: usize = 10;
/// The most that can be asked for.
const LISTED_MAX: usize = 10_000;

/// Which version this is.
pub(crate) async fn buildinfo() -> Response {
    success(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "revision": "",
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    }))
}

/// How the process does.
pub(crate) async fn runtimeinfo(State(app): State<Arc<App>>) -> Response {
    let since_1970 = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH);
    let text = |time| since_1970(time).map(rfc3339_text).unwrap_or_default();
    let started = text(app.started);
    let reload = app.reloads.last();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let damage = app.engine().map_or(0, |engine| engine.damage().len());
    success(&json!({
        "startTime": started,
        "CWD": std::env::current_dir().unwrap_or_default().to_string_lossy(),
        "hostname": "",
        "serverTime": text(SystemTime::now()),
        "reloadConfigSuccess": reload.succeeded,
        "lastConfigTime": text(reload.success),
        "corruptionCount": damage,
        "goroutineCount": 0,
        "GOMAXPROCS": cores,
        "GOMEMLIMIT": 0,
        "GOGC": "",
        "GODEBUG": "",
        "storageRetention": retention_text(&app.settings()),
    }))
}

fn retention_text(settings: &Settings) -> String {
    settings
        .retention
        .map_or_else(|| "for ever".to_owned(), duration::format)
}

/// The flags in force.
pub(crate) async fn flags(State(app): State<Arc<App>>) -> Response {
    success(&json!(config::flags(&app.settings())))
}

/// A configuration file that gives the settings in force.
pub(crate) async fn configuration(State(app): State<Arc<App>>) -> Response {
    success(&json!({ "yaml": config::yaml(&app.settings()) }))
}

/// How far recovery is, in bytes of the log.
pub(crate) async fn walreplay(State(app): State<Arc<App>>) -> Response {
    let (done, all) = (app.progress.replayed_bytes(), app.progress.total_bytes());
    success(&json!({ "min": 0, "max": all, "current": done }))
}

/// What the store holds, and what makes it large.
pub(crate) async fn tsdb(app: Scope, params: Params) -> Result<Response, Problem> {
    let limit = match params.value("limit") {
        "" => LISTED,
        text => text
            .parse()
            .ok()
            .filter(|limit| *limit > 0)
            .ok_or_else(|| Problem::bad_data("limit must be a positive number"))?,
    };
    if limit > LISTED_MAX {
        return Err(Problem::parameter(
            "limit",
            format!("limit must not exceed {LISTED_MAX}"),
        ));
    }
    let store = app.metrics()?;
    let data = app.queries.run(move || {
        let (stats, found) = (store.stats(), store.cardinality(LISTED_MAX)?);
        let label_pairs: u64 = found.labels.iter().map(|label| label.values).sum();
        Ok(json!({
            "headStats": {
                "numSeries": stats.head_series,
                "numLabelPairs": label_pairs,
                // Memory holds columns, no chunks.
                "chunkCount": 0,
                "minTime": stats.oldest.map_or(0, |oldest| oldest.0),
                "maxTime": newest(),
            },
            "seriesCountByMetricName": metric_counts(&found, limit),
            "labelValueCountByLabelName": value_counts(&found, limit),
            "memoryInBytesByLabelName": text_bytes(&found, limit),
            "seriesCountByLabelValuePair": pair_counts(&found, limit),
        }))
    });
    Ok(success(&data.await?))
}

/// The newest time that may be stored, about: the clock.
fn newest() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
}

fn count(name: String, value: u64) -> Value {
    json!({ "name": name, "value": value })
}

fn metric_counts(found: &Cardinality, limit: usize) -> Value {
    let metrics = found.metrics.iter().take(limit);
    metrics
        .map(|pair| count(pair.value.clone(), pair.series))
        .collect()
}

fn pair_counts(found: &Cardinality, limit: usize) -> Value {
    let pairs = found.pairs.iter().take(limit);
    pairs
        .map(|pair| count(format!("{}={}", pair.name, pair.value), pair.series))
        .collect()
}

fn value_counts(found: &Cardinality, limit: usize) -> Value {
    let labels = found.labels.iter().take(limit);
    labels
        .map(|label| count(label.name.clone(), label.values))
        .collect()
}

/// Bytes of the values of each label in all series, as they would be without being shared; of the
/// most frequent values alone where there are many.
fn text_bytes(found: &Cardinality, limit: usize) -> Value {
    let mut bytes: BTreeMap<&str, u64> = BTreeMap::new();
    for pair in &found.pairs {
        *bytes.entry(&pair.name).or_default() += pair.series * pair.value.len() as u64;
    }
    let mut bytes: Vec<(&str, u64)> = bytes.into_iter().collect();
    bytes.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let bytes = bytes.into_iter().take(limit);
    bytes
        .map(|(name, bytes)| count(name.to_owned(), bytes))
        .collect()
}

/// Nothing is scraped.
pub(crate) async fn targets() -> Response {
    success(&json!({ "activeTargets": [], "droppedTargets": [], "droppedTargetCounts": {} }))
}

/// Nothing is scraped.
pub(crate) async fn scrape_pools() -> Response {
    success(&json!({ "scrapePools": [] }))
}

/// There are no rules.
pub(crate) async fn rules(params: Params) -> Result<Response, Problem> {
    let kind = params.value("type").to_lowercase();
    if !["", "alert", "record"].contains(&kind.as_str()) {
        let why = format!("not supported value {kind:?}");
        return Err(Problem::parameter("type", why));
    }
    Ok(success(&json!({ "groups": [] })))
}

/// There are no rules, so nothing is wrong.
pub(crate) async fn alerts() -> Response {
    success(&json!({ "alerts": [] }))
}

/// Nobody is told.
pub(crate) async fn alertmanagers() -> Response {
    success(&json!({ "activeAlertmanagers": [], "droppedAlertmanagers": [] }))
}

/// There is nothing to notify of.
pub(crate) async fn notifications() -> Response {
    success(&json!([]))
}

/// What this server can do, by the names that Prometheus gives it.
pub(crate) async fn features() -> Response {
    success(&json!({
        "api": {
            "admin": true,
            "exclude_alerts": false,
            "label_values_match": true,
            "lifecycle": false,
            "openapi_3.1": false,
            "otlp_write_receiver": true,
            "query_stats": true,
            "query_warnings": true,
            "remote_write_receiver": true,
            "search": false,
            "time_range_labels": true,
            "time_range_series": true,
        },
        "prometheus": { "agent_mode": false, "exemplar_storage": true },
        "promql": {
            "at_modifier": true,
            "duration_expr": true,
            "experimental_functions": true,
            "negative_offset": true,
            "subqueries": true,
        },
        "tsdb": { "exemplar_storage": true, "native_histograms": true },
    }))
}

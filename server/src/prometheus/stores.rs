//! What the stores hold, of metrics and of logs: figures at any time, and what makes them large for
//! an operator who asks.

use axum::response::Response;
use chronolith_engine::logs::Lines;
use chronolith_engine::operations::{Cardinality, LabelCount, PairCount};
use chronolith_engine::time::Ticks;
use chronolith_engine::{Engine, Kind, Selector, Store, StoreStats};
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::app::Scope;
use crate::http::params::Params;
use crate::http::problem::Problem;

use super::answer::success;

/// Elements of each list, if the request does not say.
const LISTED: usize = 10;
/// The most that can be asked for.
const LISTED_MAX: usize = 10_000;

/// Figures about both stores and the engine below them.
pub(super) async fn stores(app: Scope) -> Result<Response, Problem> {
    let (metrics, logs) = (app.metrics()?, app.logs()?);
    let engine = app.engine()?;
    let data = app.queries.run(move || {
        Ok(json!({
            "engine": engine_figures(&engine),
            "metrics": figures(&metrics.stats(), metrics.damage().len()),
            "logs": figures(&logs.stats(), logs.damage().len()),
        }))
    });
    Ok(success(&data.await?))
}

/// Figures about the engine.
pub(super) fn engine_figures(engine: &Engine) -> Value {
    let stats = engine.stats();
    let failing = engine.background_errors();
    let failing: Vec<String> = failing.iter().map(ToString::to_string).collect();
    json!({
        "headSeries": stats.head_series,
        "headBytes": stats.head_bytes,
        "walBytes": stats.wal_bytes,
        "blockBytes": stats.block_bytes,
        "cacheHits": stats.cache_hits,
        "cacheMisses": stats.cache_misses,
        "walGroups": stats.wal_groups,
        "walSyncs": stats.wal_syncs,
        "walSyncSeconds": stats.wal_syncing.as_secs_f64(),
        "walFailures": stats.wal_failures,
        "walError": engine.wal_error().map(|error| error.to_string()),
        "backgroundErrors": failing,
        "damaged": engine.damage().len(),
    })
}

/// Figures about a store.
pub(super) fn figures(stats: &StoreStats, damaged: usize) -> Value {
    json!({
        "headSeries": stats.head_series,
        "headBytes": stats.head_bytes,
        "headEntries": stats.head_entries,
        "windowSeconds": stats.window_seconds,
        "blocks": stats.blocks,
        "blockBytes": stats.block_bytes,
        "blockEntries": stats.block_entries,
        "freshBlocks": stats.fresh_blocks,
        "freshBytes": stats.fresh_bytes,
        "frozenBytes": stats.frozen_bytes,
        "mergedBytes": stats.merged_bytes,
        "merges": stats.merges,
        "deletions": stats.deletions,
        // In milliseconds for metrics, in nanoseconds for logs.
        "oldest": stats.oldest.map(|Ticks(oldest)| oldest),
        "expiredBlocks": stats.expired_blocks,
        "expiredBytes": stats.expired_bytes,
        "droppedBlocks": stats.dropped_blocks,
        "droppedBytes": stats.dropped_bytes,
        "damaged": damaged,
    })
}

/// What makes the stores large, over memory and blocks. Goes through every index.
pub(super) async fn cardinality(app: Scope, params: Params) -> Result<Response, Problem> {
    let limit = params.limit()?.unwrap_or(LISTED).min(LISTED_MAX);
    let (metrics, logs) = (app.metrics()?, app.logs()?);
    let data = app.queries.run(move || {
        let mut of_logs = counted(&logs, limit)?;
        of_logs["streams"] = streams(&logs, limit)?;
        Ok(json!({"metrics": counted(&metrics, limit)?, "logs": of_logs}))
    });
    Ok(success(&data.await?))
}

fn counted<K: Kind>(store: &Store<K>, limit: usize) -> Result<Value, Problem> {
    let Cardinality {
        series,
        metrics,
        labels,
        pairs,
    } = store.cardinality(limit)?;
    let label = |label: LabelCount| {
        let (name, values, series) = (label.name, label.values, label.series);
        json!({"name": name, "values": values, "series": series})
    };
    Ok(json!({
        "series": series,
        "names": metrics.into_iter().map(pair).collect::<Value>(),
        "labels": labels.into_iter().map(label).collect::<Value>(),
        "pairs": pairs.into_iter().map(pair).collect::<Value>(),
    }))
}

/// The streams with the most lines. The indexes tell how many those are, but where chunks overlap.
fn streams(store: &Store<Lines>, limit: usize) -> Result<Value, Problem> {
    let mut largest = BinaryHeap::new();
    for series in store.snapshot().select(&Selector::new(Vec::new()))? {
        let lines = series.count()?;
        if lines > 0 {
            largest.push(Reverse((lines, series.labels().to_string())));
        }
        if largest.len() > limit {
            largest.pop();
        }
    }
    let largest = largest.into_sorted_vec().into_iter();
    Ok(largest
        .map(|Reverse((lines, stream))| json!({"stream": stream, "lines": lines}))
        .collect())
}

fn pair(pair: PairCount) -> Value {
    json!({"name": pair.name, "value": pair.value, "series": pair.series})
}

//! What a query cost, in Loki's shape.
//!
//! What has no meaning here stands at 0: there are no queriers apart from ingesters, no chunks that
//! are downloaded, and no caches of answers.

use std::time::Duration;

use chronolith_query::logql::Stats;
use serde_json::{Value, json};

use crate::http::json::Json;

use super::result::Timings;

/// What a query cost, and how much it answers.
pub(super) struct Cost {
    pub(super) stats: Stats,
    /// Lines or series.
    pub(super) entries: u64,
}

/// The caches that Loki has.
const CACHES: [&str; 10] = [
    "chunk",
    "index",
    "result",
    "statsResult",
    "volumeResult",
    "seriesResult",
    "labelResult",
    "instantMetricResult",
    "logResult",
    "taskResult",
];

/// Writes the statistics of a query.
pub(super) fn write_stats(json: &mut Json, cost: &Cost, timings: &Timings) {
    json.raw(&value(cost, timings).to_string());
}

fn value(cost: &Cost, timings: &Timings) -> Value {
    let stats = &cost.stats;
    let seconds = timings.evaluated.as_secs_f64();
    let caches = CACHES.map(|name| (name.to_owned(), no_cache()));
    json!({
        "summary": {
            "bytesProcessedPerSecond": per_second(stats.bytes, timings.evaluated),
            "linesProcessedPerSecond": per_second(stats.lines, timings.evaluated),
            "totalBytesProcessed": stats.bytes,
            "totalLinesProcessed": stats.lines,
            "execTime": seconds,
            "queueTime": timings.queued.as_secs_f64(),
            "subqueries": 0,
            "totalEntriesReturned": cost.entries,
            "splits": 1,
            "shards": 1,
            "totalPostFilterLines": stats.lines_kept,
            "totalStructuredMetadataBytesProcessed": 0,
        },
        "querier": { "store": store(stats) },
        "ingester": {
            "totalReached": 0,
            "totalChunksMatched": 0,
            "totalBatches": 0,
            "totalLinesSent": 0,
            "store": store(&Stats::default()),
        },
        "cache": Value::Object(caches.into_iter().collect()),
        "index": {
            "totalChunks": 0,
            "postFilterChunks": 0,
            "shardsDuration": 0,
            "usedBloomFilters": false,
            "totalStreams": stats.streams,
        },
    })
}

fn per_second(count: u64, took: Duration) -> u64 {
    let nanos = took.as_nanos().max(1);
    let per_second = u128::from(count) * 1_000_000_000 / nanos;
    u64::try_from(per_second).unwrap_or(u64::MAX)
}

fn store(stats: &Stats) -> Value {
    json!({
        "totalChunksRef": 0,
        "totalChunksDownloaded": 0,
        "chunksDownloadTime": 0,
        "queryReferencedStructuredMetadata": false,
        "queryUsedV2Engine": false,
        "chunk": {
            "headChunkBytes": 0,
            "headChunkLines": 0,
            "decompressedBytes": stats.bytes,
            "decompressedLines": stats.lines,
            "compressedBytes": 0,
            "totalDuplicates": 0,
            "postFilterLines": stats.lines_kept,
            "headChunkStructuredMetadataBytes": 0,
            "decompressedStructuredMetadataBytes": 0,
        },
        "chunkRefsFetchTime": 0,
        "congestionControlLatency": 0,
        "pipelineWrapperFilteredLines": 0,
    })
}

fn no_cache() -> Value {
    json!({
        "entriesFound": 0,
        "entriesRequested": 0,
        "entriesStored": 0,
        "bytesReceived": 0,
        "bytesSent": 0,
        "requests": 0,
        "downloadTime": 0,
        "queryLengthServed": 0,
    })
}

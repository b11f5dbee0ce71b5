//! Which right each path wants.
//!
//! A path that is not listed wants the highest one, so a path that somebody forgets here is closed
//! and not open. Paths are patterns of routes, not what a client wrote, so no way to write a path
//! passes by.

use crate::security::Right;

/// What pushes data.
const WRITES: [&str; 10] = [
    "/api/prom/push",
    "/api/v1/import/prometheus",
    "/api/v1/otlp/v1/metrics",
    "/api/v1/write",
    "/loki/api/v1/push",
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "/otlp/v1/logs",
    "/v1/logs",
    "/v1/metrics",
];

/// What asks for data, or for what anybody may know who may ask for data.
const READS: [&str; 57] = [
    "/api/prom/label",
    "/api/prom/label/{name}/values",
    "/api/prom/query",
    "/api/prom/rules",
    "/api/prom/series",
    "/api/prom/tail",
    "/api/v1/alertmanagers",
    "/api/v1/alerts",
    "/api/v1/features",
    "/api/v1/format_query",
    "/api/v1/label/{name}/values",
    "/api/v1/labels",
    "/api/v1/metadata",
    "/api/v1/notifications",
    "/api/v1/notifications/live",
    "/api/v1/parse_query",
    "/api/v1/query",
    "/api/v1/query_exemplars",
    "/api/v1/query_range",
    "/api/v1/read",
    "/api/v1/rules",
    "/api/v1/scrape_pools",
    "/api/v1/series",
    "/api/v1/status/buildinfo",
    "/api/v1/status/cardinality",
    "/api/v1/status/runtimeinfo",
    "/api/v1/status/stores",
    "/api/v1/status/tsdb",
    "/api/v1/status/walreplay",
    "/api/v1/targets",
    "/api/v1/targets/metadata",
    "/config/tenant/v1/limits",
    "/federate",
    "/loki/api/v1/detected_field/{name}/values",
    "/loki/api/v1/detected_fields",
    "/loki/api/v1/detected_labels",
    "/loki/api/v1/drilldown-limits",
    "/loki/api/v1/format_query",
    "/loki/api/v1/index/shards",
    "/loki/api/v1/index/stats",
    "/loki/api/v1/index/volume",
    "/loki/api/v1/index/volume_range",
    "/loki/api/v1/label",
    "/loki/api/v1/label/{name}/values",
    "/loki/api/v1/labels",
    "/loki/api/v1/patterns",
    "/loki/api/v1/query",
    "/loki/api/v1/query_range",
    "/loki/api/v1/rules",
    "/loki/api/v1/series",
    "/loki/api/v1/status/buildinfo",
    "/loki/api/v1/tail",
    "/metrics",
    "/prometheus/api/v1/alerts",
    "/prometheus/api/v1/rules",
    "/services",
    "/version",
];

/// What whoever is let in may ask: whether the server lives.
const WATCHES: [&str; 3] = ["/-/healthy", "/-/ready", "/ready"];

/// The right that a route wants, if it wants one.
pub(crate) fn right_of(route: &str) -> Option<Right> {
    if WATCHES.contains(&route) {
        None
    } else if WRITES.contains(&route) {
        Some(Right::Write)
    } else if READS.contains(&route) {
        Some(Right::Read)
    } else {
        Some(Right::Admin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_listed_is_for_administrators() {
        assert_eq!(
            right_of("/api/v1/admin/tsdb/delete_series"),
            Some(Right::Admin)
        );
        assert_eq!(right_of("/loki/api/v1/delete"), Some(Right::Admin));
        assert_eq!(right_of("/api/v1/status/config"), Some(Right::Admin));
        assert_eq!(right_of("/anything"), Some(Right::Admin));
        assert_eq!(right_of("/api/v1/write"), Some(Right::Write));
        assert_eq!(right_of("/metrics"), Some(Right::Read));
        assert_eq!(right_of("/-/ready"), None);
    }
}

//! What is asked of the server, not of its lines.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chronolith_query::logql::LogQuery;
use chronolith_query::logql::syntax::pretty;
use serde_json::{Value, json};

use crate::app::{App, Scope};
use crate::config;
use crate::doors::layers::not_ready;
use crate::duration;
use crate::http::json::Json;
use crate::http::params::Params;
use crate::http::stream;
use crate::ingest::logs::levels::LEVEL_FIELDS;
use crate::ingest::logs::streams::SERVICE_LABELS;
use crate::wire::logs::otlp::STREAM_ATTRIBUTES;

const YAML: &str = "application/yaml";

/// JSON without an envelope.
fn bare(value: &Value) -> Response {
    stream::response(Body::from(format!("{value}\n")))
}

/// Everything is recovered.
pub(super) async fn ready(State(app): State<Arc<App>>) -> Response {
    match app.is_ready() {
        true => "ready\n".into_response(),
        false => not_ready(&app),
    }
}

/// The server's own metrics.
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    let content_type = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (content_type, app.own_metrics()).into_response()
}

/// Which version this is.
pub(super) async fn buildinfo() -> Response {
    bare(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "revision": "",
        "branch": "",
        "buildUser": "",
        "buildDate": "",
        "goVersion": "",
    }))
}

/// The limits that Logs Drilldown wants to know.
pub(super) async fn drilldown_limits(app: Scope) -> Response {
    let limits = &app.settings().logs;
    let retention = limits.retention.or(app.settings().retention);
    let for_ever = Duration::ZERO;
    bare(&json!({
        "limits": {
            "discover_log_levels": true,
            "discover_service_name": SERVICE_LABELS,
            "log_level_fields": LEVEL_FIELDS,
            "max_entries_limit_per_query": limits.entries_max,
            "max_line_size_truncate": false,
            "max_query_bytes_read": "0B",
            "max_query_length": duration::format(limits.range_max),
            "max_query_lookback": "0s",
            "max_query_range": "0s",
            "max_query_series": limits.series_max,
            "metric_aggregation_enabled": false,
            "otlp_config": {
                "resource_attributes": {
                    "attributes_config": [
                        { "action": "index_label", "attributes": STREAM_ATTRIBUTES },
                    ],
                },
            },
            "pattern_persistence_enabled": false,
            "query_timeout": duration::format(limits.query_timeout),
            "retention_period": duration::format(retention.unwrap_or(for_ever)),
            "volume_enabled": true,
            "volume_max_series": limits.volumes_max,
        },
        "pattern_ingester_enabled": app.settings().log_patterns,
        "version": env!("CARGO_PKG_VERSION"),
    }))
}

/// The query, written well; what is wrong with it otherwise.
pub(super) async fn format_query(asked: Params) -> Response {
    let mut json = Json::whole();
    match LogQuery::parse(asked.value("query")) {
        Ok(query) => {
            json.raw("{\"status\":\"success\",\"data\":");
            json.text(&pretty(query.expr()));
            json.raw("}\n");
            stream::response(json.into_bytes().into())
        }
        Err(error) => {
            json.raw("{\"status\":\"invalid-query\",\"error\":");
            json.text(&error.to_string());
            json.raw("}\n");
            let mut response = stream::response(json.into_bytes().into());
            *response.status_mut() = StatusCode::BAD_REQUEST;
            response
        }
    }
}

/// There are no rules, in the envelope of Prometheus.
pub(super) async fn rules() -> Response {
    let data = json!({ "groups": [] });
    bare(&json!({ "status": "success", "data": data, "errorType": "", "error": "" }))
}

/// There are no rules, so nothing is wrong.
pub(super) async fn alerts() -> Response {
    let data = json!({ "alerts": [] });
    bare(&json!({ "status": "success", "data": data, "errorType": "", "error": "" }))
}

/// The rules by namespace, of which there are none.
pub(super) async fn rule_groups() -> Response {
    ([(header::CONTENT_TYPE, YAML)], "{}\n").into_response()
}

/// The parts of the server and how they do: one, which is ready where this is answered.
pub(super) async fn services() -> &'static str {
    "server => Running\n"
}

/// The limits of the tenant, by Loki's names.
pub(super) async fn tenant_limits(app: Scope) -> Response {
    let settings = app.settings();
    let limits = &settings.logs;
    let retention = limits.retention.or(settings.retention);
    let retention = retention.unwrap_or(Duration::ZERO);
    let lines = [
        ("max_label_names_per_series", limits.labels_max.to_string()),
        (
            "max_label_name_length",
            limits.label_name_bytes_max.to_string(),
        ),
        (
            "max_label_value_length",
            limits.label_value_bytes_max.to_string(),
        ),
        ("max_line_size", format!("{}B", limits.line_bytes_max)),
        (
            "max_structured_metadata_size",
            format!("{}B", limits.metadata_bytes_max),
        ),
        (
            "max_structured_metadata_entries_count",
            limits.metadata_labels_max.to_string(),
        ),
        (
            "max_entries_limit_per_query",
            limits.entries_max.to_string(),
        ),
        ("max_query_series", limits.series_max.to_string()),
        ("max_query_length", duration::format(limits.range_max)),
        ("max_concurrent_tail_requests", limits.tails_max.to_string()),
        ("volume_max_series", limits.volumes_max.to_string()),
        ("query_timeout", duration::format(limits.query_timeout)),
        (
            "ingestion_rate_mb",
            settings
                .ingest
                .line_bytes_per_second
                .map_or(0.0, |bytes| bytes as f64 / f64::from(1 << 20))
                .to_string(),
        ),
        ("retention_period", duration::format(retention)),
    ];
    let text: String = lines
        .iter()
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect();
    ([(header::CONTENT_TYPE, YAML)], text).into_response()
}

/// The settings in force.
pub(super) async fn configuration(State(app): State<Arc<App>>) -> Response {
    let text = config::yaml(&app.settings());
    ([(header::CONTENT_TYPE, YAML)], text).into_response()
}

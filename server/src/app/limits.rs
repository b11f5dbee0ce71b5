//! What settings mean to the stores of a tenant.

use chronolith_engine::Limits;

use crate::settings::Settings;

/// The limits of the metrics that settings mean.
pub(crate) fn metric_limits(settings: &Settings) -> Limits {
    let rules = settings.retention_rules.iter();
    Limits {
        retention: settings.retention,
        retention_rules: rules.map(|rule| rule.rule.clone()).collect(),
        late_max: settings.out_of_order_window,
        future_max: settings.store.future_max,
        series_max: settings.store.series_max as u64,
        ..Limits::default()
    }
}

/// The limits of the logs.
pub(crate) fn log_limits(settings: &Settings) -> Limits {
    let bytes = |max: usize, least: usize| max.max(least);
    let defaults = Limits::default();
    Limits {
        retention: settings.logs.retention.or(settings.retention),
        line_bytes_max: settings.logs.line_bytes_max,
        // The server's own limits are told first; the engine's must not be below them.
        label_name_bytes_max: bytes(
            settings.logs.label_name_bytes_max,
            defaults.label_name_bytes_max,
        ),
        label_value_bytes_max: bytes(
            settings.logs.label_value_bytes_max,
            defaults.label_value_bytes_max,
        ),
        metadata_bytes_max: bytes(
            settings.logs.metadata_bytes_max,
            defaults.metadata_bytes_max,
        ),
        late_max: None,
        ..metric_limits(settings)
    }
}

//! What settings mean to the stores of a tenant.

use chronolith_engine::{Engine, Error, Limits, Tenant};

use crate::settings::Settings;

/// Sets the limits of a tenant, which is made if it is not there. Blocks.
pub(crate) fn limit(engine: &Engine, tenant: &str, settings: &Settings) -> Result<Tenant, Error> {
    let tenant = engine.tenant(tenant)?;
    tenant.logs()?.set_limits(log_limits(settings))?;
    tenant.metrics()?.set_limits(metric_limits(settings))?;
    Ok(tenant)
}

/// A bound on the series of a store, or as many as all stores may have together.
fn series_max(settings: &Settings, own: Option<usize>) -> u64 {
    own.unwrap_or(settings.store.series_max) as u64
}

/// The limits of the metrics that settings mean.
pub(crate) fn metric_limits(settings: &Settings) -> Limits {
    let rules = settings.retention_rules.iter();
    Limits {
        retention: settings.retention,
        retention_rules: rules.map(|rule| rule.rule.clone()).collect(),
        late_max: settings.out_of_order_window,
        future_max: settings.store.future_max,
        retention_bytes_max: settings.retention_tenant_bytes_max,
        series_max: series_max(settings, settings.ingest.series_max),
        ..Limits::default()
    }
}

/// The limits of the logs.
fn log_limits(settings: &Settings) -> Limits {
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
        series_max: series_max(settings, settings.ingest.streams_max),
        ..metric_limits(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenants_bound_on_bytes_holds_for_its_metrics_and_for_its_logs() {
        let mut settings = Settings::default();
        crate::testing::set(&mut settings, "retention_tenant_bytes_max", "5KiB").unwrap();
        assert_eq!(metric_limits(&settings).retention_bytes_max, Some(5120));
        assert_eq!(log_limits(&settings).retention_bytes_max, Some(5120));
    }
}

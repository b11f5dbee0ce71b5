//! Reading the configuration again: the whole of it takes effect, or nothing and a reason.

use chronolith_engine::{Engine, Limits};

use crate::app::App;
use crate::journal::Level;
use crate::settings::Settings;
use crate::settings::table::{Effect, SETTINGS};

/// Reads the configuration again and puts it in force. Which settings have changed; or why those
/// in force stay as they are. Blocks.
pub(crate) fn reload(app: &App) -> Result<Vec<&'static str>, String> {
    let changed = app.reloads.reload(|settings| put_in_force(app, settings));
    match &changed {
        Ok(changed) => {
            let pairs = [("changed", changed.join(",").into())];
            let message = "the configuration was read again";
            app.journal.say(Level::Notice, message, &pairs);
        }
        Err(why) => {
            let pairs = [("why", why.as_str().into())];
            let message = "the configuration in force is kept";
            app.journal.say(Level::Error, message, &pairs);
        }
    }
    changed
}

fn put_in_force(app: &App, settings: Settings) -> Result<Vec<&'static str>, String> {
    let before = app.settings();
    let mut changed = Vec::new();
    let mut fixed = Vec::new();
    for setting in SETTINGS {
        if (setting.show)(&before) == (setting.show)(&settings) {
            continue;
        }
        match setting.effect {
            Effect::Reload => changed.push(setting.path),
            Effect::Start => fixed.push(setting.path),
        }
    }
    if !fixed.is_empty() {
        return Err(format!(
            "{} cannot change while the server runs: restart it, or put back what was there",
            fixed.join(", ")
        ));
    }
    let engine = app
        .engine()
        .map_err(|problem| problem.message().to_owned())?;
    set_limits(&engine, &settings).map_err(|error| error.to_string())?;
    app.set_settings(settings);
    Ok(changed)
}

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

/// Gives both stores the limits that settings mean; both or none.
pub(crate) fn set_limits(engine: &Engine, settings: &Settings) -> chronolith_engine::Result<()> {
    let (metrics, logs) = (engine.metrics()?, engine.logs()?);
    // What is wrong with limits is the same for both, so the first refusal changes nothing.
    logs.set_limits(log_limits(settings))?;
    metrics.set_limits(metric_limits(settings))
}

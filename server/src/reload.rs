//! Reading the configuration again: the whole of it takes effect, or nothing and a reason.

use crate::app::App;
use crate::journal::Level;
use crate::settings::Settings;
use crate::settings::table::{Effect, SETTINGS};

/// Reads the configuration again and puts it in force. Which settings have changed; or why those
/// in force stay as they are. Blocks.
pub(crate) fn reload(app: &App) -> Result<Vec<String>, String> {
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

fn put_in_force(app: &App, settings: Settings) -> Result<Vec<String>, String> {
    let before = app.settings();
    let mut changed = Vec::new();
    let mut fixed = Vec::new();
    for setting in SETTINGS {
        if (setting.show)(&before) == (setting.show)(&settings) {
            continue;
        }
        match setting.effect {
            Effect::Reload | Effect::Tenant => changed.push(setting.path.to_owned()),
            Effect::Start => fixed.push(setting.path),
        }
    }
    if !fixed.is_empty() {
        return Err(format!(
            "{} cannot change while the server runs: restart it, or put back what was there",
            fixed.join(", ")
        ));
    }
    changed.extend(before.own.changed(&settings.own));
    let policy = app.security.prepare()?;
    let engine = app
        .engine()
        .map_err(|problem| problem.message().to_owned())?;
    app.set_settings(&engine, settings)
        .map_err(|error| error.to_string())?;
    app.security.install(policy);
    Ok(changed)
}

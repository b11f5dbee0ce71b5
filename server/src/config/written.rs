//! The settings in force, written out: as a file that gives them, and flag by flag.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use crate::settings::Settings;
use crate::settings::table::SETTINGS;

/// A configuration file that gives these settings.
pub(crate) fn yaml(settings: &Settings) -> String {
    let mut out = String::new();
    let mut section = "";
    for setting in SETTINGS {
        let value = Value::from((setting.show)(settings));
        let (above, key) = setting.path.split_once('.').unwrap_or(("", setting.path));
        if !above.is_empty() && above != section {
            let _ = writeln!(out, "{above}:");
        }
        section = above;
        let indent = if above.is_empty() { "" } else { "  " };
        // JSON's strings are YAML's.
        let _ = writeln!(out, "{indent}{key}: {value}");
    }
    out
}

/// The settings by the names of their flags.
pub(crate) fn flags(settings: &Settings) -> BTreeMap<String, String> {
    let shown = SETTINGS.iter();
    shown
        .map(|setting| (setting.flag(), (setting.show)(settings)))
        .collect()
}

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
    write_tenants(&mut out, settings);
    out
}

/// What tenants have of their own. In order of their paths the keys of a section stand together.
fn write_tenants(out: &mut String, settings: &Settings) {
    let mut is_begun = false;
    for (tenant, of_tenant) in settings.own.each() {
        if !is_begun {
            out.push_str("tenants:\n");
            is_begun = true;
        }
        let _ = writeln!(out, "  {}:", Value::from(tenant));
        let mut section = "";
        for (path, text) in of_tenant {
            let (above, key) = path.split_once('.').unwrap_or(("", path));
            if !above.is_empty() && above != section {
                let _ = writeln!(out, "    {above}:");
            }
            section = above;
            let indent = if above.is_empty() { "" } else { "  " };
            let _ = writeln!(out, "    {indent}{key}: {}", Value::from(text.as_str()));
        }
    }
}

/// The settings by the names of their flags.
pub(crate) fn flags(settings: &Settings) -> BTreeMap<String, String> {
    let shown = SETTINGS.iter();
    shown
        .map(|setting| (setting.flag(), (setting.show)(settings)))
        .collect()
}

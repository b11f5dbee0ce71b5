//! The page of the documentation that lists settings, written from their table.

use std::fmt::Write;

use crate::settings::Settings;
use crate::settings::table::{Effect, SETTINGS};

/// What stands above the table.
const HEAD: &str = include_str!("page.md");

/// The whole page.
pub(crate) fn page() -> String {
    let defaults = Settings::default();
    let mut out = HEAD.to_owned();
    for setting in SETTINGS {
        let effect = match setting.effect {
            Effect::Start => "at the start",
            Effect::Reload => "when read again",
            Effect::Tenant => "when read again, by tenant",
        };
        let default = match (setting.show)(&defaults) {
            text if text.is_empty() => "none".to_owned(),
            text => format!("`{text}`"),
        };
        let _ = writeln!(
            out,
            "| `{}` | {default} | {effect} | {} |",
            setting.path,
            setting.about.replace('|', "\\|")
        );
    }
    out
}

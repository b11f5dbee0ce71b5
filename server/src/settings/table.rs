//! The table of settings: what a row says, from which flags, environment variables, keys of the
//! configuration file, help and `docs/config.md` come. The rows stand in `rows`.

use super::Settings;
pub(crate) use super::rows::SETTINGS;
use super::shape::Shape;
use crate::duration;

/// One setting.
pub(crate) struct Setting {
    /// Where it stands in a configuration file, with a dot between the levels.
    pub(crate) path: &'static str,
    /// What help calls its value.
    pub(crate) value: &'static str,
    pub(crate) about: &'static str,
    pub(crate) effect: Effect,
    /// Sets it from text. The error says what would be right.
    pub(crate) read: fn(&mut Settings, &str) -> Result<(), String>,
    pub(crate) show: fn(&Settings) -> String,
}

/// When a changed setting takes effect, and for whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// When the server is started again.
    Start,
    /// When it reads its configuration again.
    Reload,
    /// The same, and a tenant may have a value of its own.
    Tenant,
}

impl Setting {
    /// The name of its flag, without dashes in front.
    pub(crate) fn flag(&self) -> String {
        self.path.replace(['.', '_'], "-")
    }

    /// The name of its environment variable.
    pub(crate) fn variable(&self) -> String {
        let name = self.path.replace('.', "_").to_ascii_uppercase();
        format!("CHRONOLITH_{name}")
    }

    /// Sets it from text, and says of a value that is wrong what would be right.
    pub(crate) fn set(&self, settings: &mut Settings, text: &str) -> Result<(), String> {
        (self.read)(settings, text)
            .map_err(|right| format!("{text:?} is no {}: {right}", self.noun()))
    }

    /// Its value, if that is a number; a duration in seconds.
    pub(crate) fn number(&self, settings: &Settings) -> Option<f64> {
        let text = (self.show)(settings);
        match self.value {
            "BYTES" | "COUNT" | "PERCENT" => u64::read(&text).ok().map(|number| number as f64),
            "DURATION" => duration::parse(&text).map(|duration| duration.as_secs_f64()),
            _ => None,
        }
    }

    /// What its value is called in a sentence.
    fn noun(&self) -> &'static str {
        match self.value {
            "ADDR" => "address",
            "COUNT" => "count",
            "BYTES" => "amount of bytes",
            "DURATION" => "duration",
            "PERCENT" => "percentage",
            "RULE" => "rule of retention",
            _ => "value for this",
        }
    }

    /// Whether it is switched on by naming it.
    pub(crate) fn is_switch(&self) -> bool {
        self.value == bool::NAME
    }
}

/// The row with this path.
pub(crate) fn row(path: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.path == path)
}

//! `| regexp "(?P<name>…)"`: the named groups of the first match as labels.

use std::collections::BTreeSet;

use chronolith_engine::labels::{Captures, Haystack, Re2};

use super::labels::{LineLabels, Repeated};
use super::name::{is_name, value_text};

pub(super) struct Regexp {
    pattern: Re2,
    /// Groups that are labels: numbers and names.
    groups: Vec<(usize, String)>,
}

impl Regexp {
    /// Compiles a pattern; labels for which `wants` says no are not set.
    pub(super) fn new(pattern: &str, wants: impl Fn(&str) -> bool) -> Result<Regexp, String> {
        let pattern = Re2::compile(pattern).map_err(|error| error.to_string())?;
        let mut groups = Vec::new();
        let mut seen = BTreeSet::new();
        for (number, name) in pattern.capture_names().enumerate() {
            let Some(name) = name.filter(|name| !name.is_empty()) else {
                continue;
            };
            if !is_name(name) {
                return Err(format!("invalid extracted label name '{name}'"));
            }
            if !seen.insert(name.to_owned()) {
                return Err(format!("duplicate extracted label name '{name}'"));
            }
            if wants(name) {
                groups.push((number, name.to_owned()));
            }
        }
        if seen.is_empty() {
            return Err("at least one named capture must be supplied".to_owned());
        }
        Ok(Regexp { pattern, groups })
    }

    /// Sets the labels, if the line matches; a group that took no part gives an empty one.
    pub(super) fn parse(&self, line: &[u8], found: &mut Captures, labels: &mut LineLabels<'_>) {
        let haystack = Haystack::new(line);
        if self.groups.is_empty() || !self.pattern.captures_at(&haystack, 0, found) {
            return;
        }
        for (number, name) in &self.groups {
            let value = found
                .group(*number)
                .map_or(&[] as &[u8], |range| &line[range]);
            labels.extract(name, &value_text(value), Repeated::LastWins);
        }
    }
}

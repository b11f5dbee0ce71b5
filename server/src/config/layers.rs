//! Layers: defaults, then the file, then the environment, then flags; the last word counts.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::settings::Settings;
use crate::settings::machine::fitted;
use crate::settings::table::{self, Effect, SETTINGS, Setting};

use super::file::{self, Entry, TENANTS};
use super::substitute::{Outside, substitute};

/// What an operator gave, layer by layer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    /// The configuration file.
    pub(crate) file: Option<PathBuf>,
    /// Environment variables by name.
    pub(crate) environment: Vec<(String, String)>,
    /// The memory of the machine, from which defaults follow; without it they are as they are.
    pub(crate) memory: Option<u64>,
    /// Values of flags by the path of their setting.
    pub(crate) flags: Vec<(&'static str, String)>,
}

/// Everything that is wrong with a configuration, a line each.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Complaints(Vec<String>);

impl fmt::Display for Complaints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

/// The settings that result.
pub(crate) fn load(given: &Given) -> Result<Settings, Complaints> {
    let settings = load_over(Settings::default(), given)?;
    let Some(machine) = given.memory else {
        return Ok(settings);
    };
    // What was given counts, and what was not follows from the memory.
    load_over(fitted(settings.memory_max.unwrap_or(machine)), given)
}

fn load_over(mut settings: Settings, given: &Given) -> Result<Settings, Complaints> {
    let mut complaints = Complaints::default();
    if let Some(path) = &given.file {
        match std::fs::read_to_string(path) {
            Ok(text) => apply_file(&text, path, given, &mut settings, &mut complaints),
            Err(error) => complaints.0.push(format!(
                "cannot read the configuration file {}: {error}",
                path.display()
            )),
        }
    }
    for setting in SETTINGS {
        let variable = setting.variable();
        let told = given.environment.iter().find(|(name, _)| *name == variable);
        if let Some((name, text)) = told
            && let Err(why) = setting.set(&mut settings, text)
        {
            complaints
                .0
                .push(format!("environment variable {name}: {why}"));
        }
    }
    for (path, text) in &given.flags {
        let set = table::row(path).map(|setting| (setting, setting.set(&mut settings, text)));
        if let Some((setting, Err(why))) = set {
            complaints.0.push(format!("--{}: {why}", setting.flag()));
        }
    }
    complaints.0.extend(misspelt(&given.environment));
    complaints.0.extend(conflicts(&settings));
    match complaints.0.is_empty() {
        true => Ok(settings),
        false => Err(complaints),
    }
}

/// Variables that are nearly those of a setting. Others may be of anybody.
fn misspelt(environment: &[(String, String)]) -> impl Iterator<Item = String> {
    let ours = environment
        .iter()
        .filter(|(name, _)| name.starts_with("CHRONOLITH_"));
    ours.filter_map(|(name, _)| {
        let known = SETTINGS.iter().map(Setting::variable);
        let (steps, near) = known.map(|known| (distance(name, &known), known)).min()?;
        let why = format!("environment variable {name} is no setting: did you mean {near}?");
        (1..=2).contains(&steps).then_some(why)
    })
}

/// What settings that are right by themselves cannot say together.
fn conflicts(settings: &Settings) -> Vec<String> {
    let mut found = Vec::new();
    let doors = [
        ("listen.prometheus", Some(settings.listen_prometheus)),
        ("listen.loki", Some(settings.listen_loki)),
        ("listen.otlp_grpc", Some(settings.listen_otlp_grpc)),
        ("listen.otlp_http", Some(settings.listen_otlp_http)),
        ("listen.admin", settings.listen_admin),
    ];
    for (at, (name, address)) in doors.iter().enumerate() {
        let same = |(_, other): &&(_, _)| other == address && address.is_some();
        let other = doors[..at].iter().find(same);
        if let (Some((other, _)), Some(address)) = (other, address)
            && address.port() != 0
        {
            found.push(format!(
                "{other} and {name} are both {address}: give each its own"
            ));
        }
    }
    if settings.own.each().next().is_some() && !settings.multi_tenant {
        found.push(format!(
            "{TENANTS}: nobody has these settings while multi_tenant is off: set it to true"
        ));
    }
    found
}

/// Looks at a file and at what the environment adds to it. The settings that result, and how many
/// the file has.
pub(crate) fn check_file(
    path: &Path,
    environment: Vec<(String, String)>,
) -> Result<(Settings, usize), Complaints> {
    let given = Given {
        file: Some(path.to_owned()),
        environment,
        ..Given::default()
    };
    let text = std::fs::read_to_string(path)
        .map_err(|error| Complaints(vec![format!("cannot read {}: {error}", path.display())]))?;
    let settings = load_over(Settings::default(), &given)?;
    let count = file::entries(&text).map_or(0, |entries| entries.len());
    Ok((settings, count))
}

fn apply_file(
    text: &str,
    path: &Path,
    given: &Given,
    settings: &mut Settings,
    complaints: &mut Complaints,
) {
    let place = |line: u64| format!("{}:{line}", path.display());
    let entries = match file::entries(text) {
        Ok(entries) => entries,
        Err(fault) => {
            return complaints
                .0
                .push(format!("{}: {}", place(fault.line), fault.why));
        }
    };
    let variable = |name: &str| {
        let told = given.environment.iter().find(|(known, _)| known == name);
        told.map(|(_, text)| text.clone())
    };
    let outside = Outside {
        variable: &variable,
        file: &|path| std::fs::read_to_string(path),
    };
    for entry in entries {
        if let Err(why) = apply(&entry, &outside, settings) {
            complaints.0.push(format!("{}: {why}", place(entry.line)));
        }
    }
}

fn apply(entry: &Entry, outside: &Outside<'_>, settings: &mut Settings) -> Result<(), String> {
    let place = match &entry.tenant {
        Some(tenant) => format!("{TENANTS}.{tenant}.{}", entry.path),
        None => entry.path.clone(),
    };
    let Some(setting) = table::row(&entry.path) else {
        return Err(unknown(&place, entry));
    };
    let mut values = Vec::new();
    for value in &entry.values {
        values.push(substitute(value, outside).map_err(|why| format!("{place}: {why}"))?);
    }
    // Where a value holds what a reference stands for, it is not repeated: it may be a secret.
    let is_plain = values == entry.values;
    let text = values.join("; ");
    let set = match &entry.tenant {
        Some(tenant) => settings.own.set(tenant, setting.path, &text),
        None => setting.set(settings, &text),
    };
    set.map_err(|why| match is_plain {
        true => format!("{place}: {why}"),
        false => format!("{place}: {}", why.replace(&text, "…")),
    })
}

/// What is said of a key that is none, with the one that was probably meant.
fn unknown(place: &str, entry: &Entry) -> String {
    let path = &*entry.path;
    if path.is_empty() || (entry.tenant.is_none() && path == TENANTS) {
        return format!("{place} is a section: write tenants below it, and settings below these");
    }
    let is_for_tenants = |setting: &&Setting| setting.effect == Effect::Tenant;
    let known = SETTINGS
        .iter()
        .filter(|setting| entry.tenant.is_none() || is_for_tenants(setting));
    let nearest = known
        .map(|setting| (distance(path, setting.path), setting.path))
        .min();
    let is_section = SETTINGS
        .iter()
        .any(|setting| setting.path.split('.').next() == Some(path));
    match nearest {
        _ if is_section => format!("{place} is a section: write its keys below it, indented"),
        Some((steps, near)) if steps <= 3 => {
            format!("unknown key {place}: did you mean {near}?")
        }
        _ => format!("unknown key {place}: docs/config.md lists those there are"),
    }
}

/// How many letters must be put in, taken out or changed to make one text of another.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, letter) in from.chars().enumerate() {
        let mut before = row[0];
        row[0] = at + 1;
        for (column, other) in to.iter().enumerate() {
            let changed = before + usize::from(letter != *other);
            before = row[column + 1];
            row[column + 1] = changed.min(before + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

//! Settings that tenants have of their own, over what holds for all, and which names tenants have.
//!
//! Only rows of the table that are marked with [`Effect::Tenant`] can be set here: there is no
//! second list of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Settings;
use super::table::{self, Effect, SETTINGS, Setting};

/// Bytes of a tenant's name.
pub(crate) const TENANT_BYTES_MAX: usize = 150;

/// What a tenant's name may have beside letters and digits of ASCII.
const MARKS: &[u8] = b"!-_.*'()";

/// Whether a tenant may be called this. A name becomes a folder, so nothing is decoded: what is
/// encoded in any way has a letter that is not taken.
pub(crate) fn is_tenant_name(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || MARKS.contains(&byte);
    (1..=TENANT_BYTES_MAX).contains(&name.len())
        && name.bytes().all(is_plain)
        && name != "."
        && name != ".."
}

/// What tenants have that differs from what holds for all: for each tenant the texts of some rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnSettings(BTreeMap<String, BTreeMap<&'static str, String>>);

impl OwnSettings {
    /// Gives a tenant a value of its own for the setting with this path. The error says what would
    /// be right.
    pub fn set(&mut self, tenant: &str, path: &str, text: &str) -> Result<(), String> {
        if !is_tenant_name(tenant) {
            return Err(format!(
                "{tenant:?} is no name of a tenant: 1 to {TENANT_BYTES_MAX} letters and digits of \
                 ASCII and !-_.*'() are, except . and .."
            ));
        }
        let setting = table::row(path).ok_or_else(|| format!("there is no setting {path}"))?;
        if setting.effect != Effect::Tenant {
            return Err("all tenants have this in common: write it at the top of the file".into());
        }
        let mut scratch = Settings::default();
        setting.set(&mut scratch, text)?;
        let of_tenant = self.0.entry(tenant.to_owned()).or_default();
        of_tenant.insert(setting.path, (setting.show)(&scratch));
        Ok(())
    }

    /// Every tenant that has something of its own, with rows and their texts.
    pub(crate) fn each(&self) -> impl Iterator<Item = (&str, &BTreeMap<&'static str, String>)> {
        self.0.iter().map(|(name, of_tenant)| (&**name, of_tenant))
    }

    /// What of tenants differs between two, as they are written in a file.
    pub(crate) fn changed(&self, other: &OwnSettings) -> Vec<String> {
        let keys = |own: &OwnSettings| -> BTreeMap<String, String> {
            let of_each = own.0.iter().flat_map(|(name, of_tenant)| {
                let texts = of_tenant.iter();
                texts.map(move |(path, text)| (format!("tenants.{name}.{path}"), text.clone()))
            });
            of_each.collect()
        };
        let (before, after) = (keys(self), keys(other));
        let names = before.keys().chain(after.keys());
        let mut changed: Vec<String> = names
            .filter(|key| before.get(*key) != after.get(*key))
            .cloned()
            .collect();
        changed.sort_unstable();
        changed.dedup();
        changed
    }
}

/// Settings as each tenant has them.
pub(crate) struct Resolved {
    of_all: Arc<Settings>,
    of_each: BTreeMap<String, Arc<Settings>>,
}

impl Resolved {
    pub(crate) fn new(settings: Settings) -> Self {
        let of_each = settings.own.each().map(|(name, of_tenant)| {
            let mut own = settings.clone();
            for setting in SETTINGS {
                if let Some(text) = of_tenant.get(setting.path) {
                    put(setting, &mut own, text);
                }
            }
            (name.to_owned(), Arc::new(own))
        });
        Resolved {
            of_each: of_each.collect(),
            of_all: Arc::new(settings),
        }
    }

    /// Those of the server, and of every tenant that has none of its own.
    pub(crate) fn of_all(&self) -> &Arc<Settings> {
        &self.of_all
    }

    /// Those of a tenant.
    pub(crate) fn of(&self, tenant: &str) -> &Arc<Settings> {
        self.of_each.get(tenant).unwrap_or(&self.of_all)
    }
}

/// Puts in what [`OwnSettings::set`] has taken.
fn put(setting: &Setting, settings: &mut Settings, text: &str) {
    let taken = setting.set(settings, text);
    debug_assert!(taken.is_ok(), "{}: {taken:?}", setting.path);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_tenant_has_its_own_value_and_the_others_what_holds_for_all() {
        let mut settings = Settings::default();
        settings.own.set("a", "query.timeout", "3s").unwrap();
        settings.own.set("a", "log.labels_max", "4").unwrap();
        settings.own.set("b", "retention", "2d").unwrap();
        let resolved = Resolved::new(settings);
        assert_eq!(resolved.of("a").query.timeout, Duration::from_secs(3));
        assert_eq!(resolved.of("a").logs.labels_max, 4);
        assert_eq!(resolved.of("a").retention, None);
        assert_eq!(
            resolved.of("b").retention,
            Some(Duration::from_secs(172_800))
        );
        for name in ["b", "c"] {
            assert_eq!(resolved.of(name).query, Settings::default().query);
        }
        assert_eq!(resolved.of_all().logs, Settings::default().logs);
    }

    #[test]
    fn what_is_shared_by_all_or_wrong_is_refused_with_a_reason() {
        let mut own = OwnSettings::default();
        for (tenant, path, text, expected) in [
            ("a", "data", "elsewhere", "in common"),
            ("a", "query.concurrent_max", "3", "in common"),
            ("a", "query.timeout", "soon", "such as 30m"),
            ("a", "no.such", "1", "no setting"),
            ("../a", "query.timeout", "3s", "no name of a tenant"),
            ("a", "log.line_bytes_max", "17MiB", "at most 16777216"),
        ] {
            let why = own.set(tenant, path, text).unwrap_err();
            assert!(why.contains(expected), "{tenant} {path}: {why}");
        }
        assert_eq!(own, OwnSettings::default());
    }

    #[test]
    fn every_change_is_named_once() {
        let (mut before, mut after) = (OwnSettings::default(), OwnSettings::default());
        before.set("a", "query.timeout", "3s").unwrap();
        before.set("a", "retention", "1d").unwrap();
        after.set("a", "retention", "24h").unwrap();
        after.set("b", "retention", "1d").unwrap();
        let expected = ["tenants.a.query.timeout", "tenants.b.retention"];
        assert_eq!(before.changed(&after), expected);
        assert!(before.changed(&before).is_empty());
    }
}

//! Who may do what: rights, and the tenants that somebody is bound to.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::settings::tenants::is_tenant_name;

use super::file::{AccessConfig, Right};

/// What one user or the holder of one token may do.
#[derive(Debug, Default)]
pub(crate) struct Access {
    /// What the file calls them.
    pub(crate) name: Arc<str>,
    rights: Option<BTreeSet<Right>>,
    tenants: Option<BTreeSet<Arc<str>>>,
}

impl Access {
    /// Everything, where the file says nothing, as in Prometheus.
    pub(super) fn read(name: &str, config: Option<&AccessConfig>) -> Result<Access, String> {
        let name = Arc::from(name);
        let Some(config) = config else {
            return Ok(Access {
                name,
                ..Access::default()
            });
        };
        let named = config.tenants.iter().flatten();
        if let Some(wrong) = named.clone().find(|tenant| !is_tenant_name(tenant)) {
            return Err(format!("{wrong:?} is no name of a tenant"));
        }
        let of_config = |_| named.map(|tenant| Arc::from(&**tenant)).collect();
        Ok(Access {
            name,
            rights: config.rights.clone(),
            tenants: config.tenants.as_ref().map(of_config),
        })
    }

    /// Whether only some tenants are theirs.
    pub(crate) fn is_bound(&self) -> bool {
        self.tenants.is_some()
    }

    /// Whether this may be done.
    pub(crate) fn allows(&self, right: Right) -> bool {
        let rights = self.rights.as_ref();
        rights.is_none_or(|rights| rights.contains(&right))
    }

    /// The tenant that a request is for which names `wanted`, or none: whoever is bound to one
    /// tenant need not name it. `None` where it is not theirs.
    pub(crate) fn tenant(&self, wanted: Option<Arc<str>>, default: &str) -> Option<Arc<str>> {
        let Some(tenants) = &self.tenants else {
            return Some(wanted.unwrap_or_else(|| default.into()));
        };
        match (wanted, tenants.len()) {
            (None, 1) => tenants.first().cloned(),
            (None, _) => tenants.get(default).cloned(),
            (Some(wanted), _) => tenants.get(&wanted).cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(tenants: &[&str]) -> Access {
        let names = tenants.iter().map(|name| (*name).to_owned());
        let config = AccessConfig {
            rights: Some([Right::Read].into()),
            tenants: Some(names.collect()),
        };
        Access::read("reader", Some(&config)).unwrap()
    }

    #[test]
    fn who_is_bound_to_one_tenant_need_not_name_it() {
        let of = |access: &Access, wanted: Option<&str>| {
            let found = access.tenant(wanted.map(Arc::from), "default");
            found.map(|name| name.to_string())
        };
        let one = access(&["a"]);
        assert_eq!(of(&one, None).as_deref(), Some("a"));
        assert_eq!(of(&one, Some("a")).as_deref(), Some("a"));
        assert_eq!(of(&one, Some("b")), None);
        let two = access(&["a", "b"]);
        assert_eq!(of(&two, None), None);
        assert_eq!(of(&two, Some("b")).as_deref(), Some("b"));
        let with_default = access(&["a", "default"]);
        assert_eq!(of(&with_default, None).as_deref(), Some("default"));
        let all = Access::default();
        assert_eq!(of(&all, Some("b")).as_deref(), Some("b"));
        assert_eq!(of(&all, None).as_deref(), Some("default"));
        assert!(all.allows(Right::Admin) && one.allows(Right::Read));
        assert!(!one.allows(Right::Write) && !one.allows(Right::Admin));
    }
}

//! Whose request it is: the header that names a tenant.

use axum::http::HeaderMap;

use crate::app::TenantName;
use crate::http::problem::Problem;
use crate::settings::tenants::{TENANT_BYTES_MAX, is_tenant_name};

/// The header that names the tenant, as in Loki and Mimir.
pub(crate) const TENANT_HEADER: &str = "x-scope-orgid";

/// The tenant that a request is for, if it says so.
pub(crate) fn wanted(headers: &HeaderMap) -> Result<Option<TenantName>, Problem> {
    let mut told = headers.get_all(TENANT_HEADER).iter();
    let Some(name) = told.next() else {
        return Ok(None);
    };
    if told.next().is_some() {
        let why = "X-Scope-OrgID is there twice: name one tenant";
        return Err(Problem::bad_data(why));
    }
    let name = name.as_bytes();
    if name.contains(&b'|') {
        let why = "X-Scope-OrgID names several tenants: ask for one at a time";
        return Err(Problem::bad_data(why));
    }
    match std::str::from_utf8(name) {
        Ok(name) if is_tenant_name(name) => Ok(Some(TenantName(name.into()))),
        _ => Err(Problem::bad_data(format!(
            "X-Scope-OrgID is no name of a tenant: 1 to {TENANT_BYTES_MAX} letters and digits of \
             ASCII and !-_.*'() are, except . and .."
        ))),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn of(names: &[&[u8]]) -> Result<Option<String>, String> {
        let mut headers = HeaderMap::new();
        for name in names {
            headers.append(TENANT_HEADER, HeaderValue::from_bytes(name).unwrap());
        }
        let wanted = wanted(&headers).map_err(|problem| problem.message().to_owned())?;
        Ok(wanted.map(|TenantName(name)| name.to_string()))
    }

    #[test]
    fn names_of_folders_are_taken_and_nothing_else() {
        assert_eq!(of(&[]), Ok(None));
        for name in ["a", "team-1", "A.b_c!*'()", "...", "x\u{2e}"] {
            assert_eq!(of(&[name.as_bytes()]), Ok(Some(name.to_owned())));
        }
        let long = "x".repeat(TENANT_BYTES_MAX + 1);
        for name in [
            "",
            ".",
            "..",
            "../a",
            "/etc",
            "a/b",
            "a\\b",
            "%2e%2e",
            "..%2fa",
            "a b",
            "a:b",
            "a\u{fc}",
            "\u{ff0e}\u{ff0e}",
            "a,b",
            "a;b",
            "~",
            "$HOME",
            &long,
        ] {
            let why = of(&[name.as_bytes()]).unwrap_err();
            assert!(why.contains("no name of a tenant"), "{name:?}: {why}");
        }
        assert!(of(&[b"\xc0\xae\xc0\xae"]).is_err());
        assert!(of(&[b"a|b"]).unwrap_err().contains("several tenants"));
        assert!(of(&[b"a", b"b"]).unwrap_err().contains("twice"));
    }

    #[test]
    fn the_engine_takes_the_same_names() {
        let name = format!("chronolith-tenant-names-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let engine = chronolith_engine::Engine::open(&folder, Default::default()).unwrap();
        for byte in 0..128u8 {
            let name = format!("a{}", char::from(byte));
            let taken = engine.tenant_to_read(&name).is_ok();
            assert_eq!(taken, is_tenant_name(&name), "{name:?}");
        }
        engine.close().unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

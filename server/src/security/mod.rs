//! What keeps strangers out: TLS, passwords and tokens, rights.
//!
//! Knows no routes. What is in force is one [`Policy`], replaced whole or not at all.

mod access;
mod credentials;
mod file;
mod tls;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::SystemTime;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::Semaphore;
use tokio_rustls::rustls::ServerConfig;

pub(crate) use access::Access;
pub(crate) use credentials::Denied;
pub(crate) use file::Right;

use credentials::{Checks, Credentials};
use file::HttpConfig;

use crate::meters::Text;
use crate::settings::Settings;

/// TLS handshakes at once, on all doors: each costs about a millisecond of a core.
const HANDSHAKES_MAX: usize = 32;

/// Headers that a file may have answers carry, as in Prometheus.
const HEADERS: [&str; 6] = [
    "cache-control",
    "content-security-policy",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
    "x-xss-protection",
];

/// What is in force, and what it is enforced with.
pub(crate) struct Security {
    path: Option<PathBuf>,
    multi_tenant: bool,
    policy: RwLock<Arc<Policy>>,
    checks: Checks,
    pub(crate) handshakes: Arc<Semaphore>,
    failed_handshakes: AtomicU64,
    failed_reloads: AtomicU64,
}

/// What one reading of the file says.
#[derive(Default)]
pub(crate) struct Policy {
    /// What connections are accepted with, if they are encrypted.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// The same where gRPC is spoken.
    pub(crate) tls_of_calls: Option<Arc<ServerConfig>>,
    /// Headers that every answer carries.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) credentials: Credentials,
    /// The files that it was read from, and how they were.
    stamps: Vec<(PathBuf, Stamp)>,
}

/// How a file is, as far as its folder tells.
type Stamp = Option<(Option<SystemTime>, u64)>;

impl Security {
    /// Reads the file that the settings name.
    pub(crate) fn open(settings: &Settings) -> Result<Security, String> {
        let security = Security {
            path: settings.web_config_file.clone(),
            multi_tenant: settings.multi_tenant,
            policy: RwLock::default(),
            checks: Checks::new()?,
            handshakes: Arc::new(Semaphore::new(HANDSHAKES_MAX)),
            failed_handshakes: AtomicU64::new(0),
            failed_reloads: AtomicU64::new(0),
        };
        security.install(security.read()?);
        Ok(security)
    }

    /// Reads the file and what it names again. What was in force stays if anything is wrong.
    pub(crate) fn reload(&self) -> Result<(), String> {
        self.install(self.prepare()?);
        Ok(())
    }

    /// The same, to be put in force later.
    pub(crate) fn prepare(&self) -> Result<Policy, String> {
        let policy = self.read();
        if policy.is_err() {
            self.failed_reloads.fetch_add(1, Ordering::Relaxed);
        }
        policy
    }

    fn read(&self) -> Result<Policy, String> {
        let Some(path) = &self.path else {
            return Ok(Policy::default());
        };
        let policy = Policy::read(path)?;
        if policy.credentials.is_bound() && !self.multi_tenant {
            return Err(format!(
                "{}: access binds somebody to tenants, which wants --multi-tenant",
                path.display()
            ));
        }
        Ok(policy)
    }

    /// Puts in force what [`Security::prepare`] gave.
    pub(crate) fn install(&self, policy: Policy) {
        if let Ok(mut held) = self.policy.write() {
            *held = Arc::new(policy);
        }
    }

    /// Whether a file has changed since it was read.
    pub(crate) fn has_changed(&self) -> bool {
        let policy = self.policy();
        policy
            .stamps
            .iter()
            .any(|(path, then)| stamp(path) != *then)
    }

    /// What is in force now.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        match self.policy.read() {
            Ok(policy) => Arc::clone(&policy),
            // Whoever broke off held no half of one: it is replaced in one go.
            Err(poisoned) => Arc::clone(&poisoned.into_inner()),
        }
    }

    /// Whose request it is that has these headers; nobody's where nobody is asked.
    pub(crate) async fn admit(
        &self,
        policy: &Policy,
        headers: &HeaderMap,
    ) -> Result<Option<Arc<Access>>, Denied> {
        if policy.credentials.is_open() {
            return Ok(None);
        }
        let admitted = policy.credentials.admit(headers, &self.checks).await;
        admitted.map(Some)
    }

    /// Counts a handshake that came to nothing.
    pub(crate) fn note_failed_handshake(&self) {
        self.failed_handshakes.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes what was counted.
    pub(crate) fn write(&self, out: &mut Text) {
        let counters = [
            (
                "denied_requests",
                "Requests whose sender was not known.",
                &self.checks.denied,
            ),
            (
                "password_checks",
                "Times that a password was hashed.",
                &self.checks.hashed,
            ),
            (
                "failed_tls_handshakes",
                "Connections that came to nothing.",
                &self.failed_handshakes,
            ),
            (
                "failed_web_config_reloads",
                "Times that a changed web configuration was not taken.",
                &self.failed_reloads,
            ),
        ];
        for (name, help, count) in counters {
            let value = count.load(Ordering::Relaxed) as f64;
            out.counter(&format!("chronolith_{name}_total"), help, value);
        }
    }
}

impl Policy {
    fn read(path: &Path) -> Result<Policy, String> {
        // Before anything is read, so that a change meanwhile is seen.
        let own = stamp(path);
        let config = file::read(path)?;
        let named = |why: String| format!("{}: {why}", path.display());
        let files = config.files().into_iter();
        let mut stamps: Vec<_> = files
            .map(|path| {
                let stamp = stamp(&path);
                (path, stamp)
            })
            .collect();
        stamps.push((path.to_path_buf(), own));
        let speaking = |protocol: &[u8]| match &config.tls_server_config {
            Some(tls) => {
                let tls = tls::server_config(tls, &[protocol]).map_err(named)?;
                Ok::<_, String>(Some(Arc::new(tls)))
            }
            None => Ok(None),
        };
        Ok(Policy {
            tls: speaking(tls::HTTP1)?,
            tls_of_calls: speaking(tls::HTTP2)?,
            headers: headers(&config.http_server_config).map_err(named)?,
            credentials: Credentials::read(&config).map_err(named)?,
            stamps,
        })
    }
}

fn stamp(path: &Path) -> Stamp {
    let found = std::fs::metadata(path).ok()?;
    Some((found.modified().ok(), found.len()))
}

fn headers(config: &HttpConfig) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let each = config.headers.iter().map(|(name, value)| {
        let lower = name.to_ascii_lowercase();
        if !HEADERS.contains(&&*lower) {
            return Err(format!(
                "http_server_config: header {name:?} is not set here: {} are",
                HEADERS.join(", ")
            ));
        }
        let wrong = |_| format!("http_server_config: the value of {name:?} is no header's");
        let value = HeaderValue::from_str(value).map_err(wrong)?;
        let name = HeaderName::from_bytes(lower.as_bytes());
        let name = name.map_err(|error| format!("http_server_config: {error}"))?;
        Ok((name, value))
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_file_leaves_in_force_what_was() {
        let name = format!("chronolith-web-config-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(
            &path,
            "http_server_config: { headers: { X-Frame-Options: deny } }",
        )
        .unwrap();
        let settings = Settings {
            web_config_file: Some(path.clone()),
            ..Settings::default()
        };
        let security = Security::open(&settings).unwrap();
        assert_eq!(security.policy().headers.len(), 1);
        assert!(!security.has_changed());
        for wrong in [
            "http_server_config: { headers: { X-Other: a } }",
            "http_server_config: { headers: { X-Frame-Options: \"a\\r\\nb\" } }",
            "no_such_key: 1",
            "basic_auth_users: { a: plain }",
            "tls_server_config: { cert_file: none, key_file: none }",
        ] {
            std::fs::write(&path, wrong).unwrap();
            assert!(security.has_changed());
            let why = security.reload().unwrap_err();
            assert!(why.contains("chronolith-web-config"), "{why}");
            assert_eq!(security.policy().headers.len(), 1, "{wrong}");
        }
        std::fs::write(&path, "").unwrap();
        security.reload().unwrap();
        assert!(security.policy().headers.is_empty() && !security.has_changed());
        std::fs::remove_file(&path).unwrap();
        let gone = Security::open(&settings).err().unwrap();
        assert!(gone.contains("cannot read"), "{gone}");
    }
}
